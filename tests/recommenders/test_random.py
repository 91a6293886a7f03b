import numpy as np
from recommenders.conformance import Conformance

from mrs.recommenders.random import Random


class TestRandom(Conformance):
    recommender = Random()
    solves_checkerboard = False


def test_users_get_different_orders() -> None:
    _, fitted = TestRandom().fit()
    orders = np.argsort(fitted.users() @ fitted.items().T, axis=1)
    assert len({tuple(order) for order in orders}) == len(orders)


def test_cold_factors_are_not_the_warm_ones() -> None:
    split, fitted = TestRandom().fit()
    cold = fitted.encode(TestRandom().read_cold(split))
    assert not np.isin(cold, fitted.items()).any()
