import numpy as np
from recommenders.conformance import Conformance, checkerboard

from mrs.recommenders.popularity import Popularity


class TestPopularity(Conformance):
    recommender = Popularity()
    solves_checkerboard = False


def test_counts_distinct_listeners_not_plays() -> None:
    split = checkerboard()
    split.train.count[:] = np.arange(len(split.train)) + 1
    listeners = [len(set(split.train.user[split.train.track == t])) for t in split.warm]
    fitted = Popularity().fit(split)
    assert (fitted.users() @ fitted.items().T).tolist() == [listeners] * 12
