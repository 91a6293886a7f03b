from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from recommenders.conformance import checkerboard, colours

from mrs.data.splits import Split
from mrs.published.deviations import recommender_of
from mrs.recommenders.shallow import hinge_loss

FEW = {"n_components": 3, "max_epochs": 3, "n_negatives": 4, "batch_size": 20}


def with_validation() -> Split:
    split = checkerboard()
    return replace(split, val=split.hot_test)


def made(protocol: str, **settings: object):
    return recommender_of("shallow", FEW | settings, f"published:{protocol}")


@pytest.mark.parametrize(("n_users", "n_drawn"), [(21_018, 17_052), (100, 81), (2, 1), (1, 1)])
def test_negatives_come_from_the_first_users_alone(n_users: int, n_drawn: int) -> None:
    nobody = sp.csr_matrix((1, n_users), dtype=np.float32)
    drawn = made("negatives_range").sampler(nobody).draw(
        np.zeros(20, int), 20_000, np.random.default_rng(0)
    )  # fmt: skip
    assert drawn.max() == n_drawn - 1
    assert len(np.unique(drawn)) == n_drawn


def test_a_track_that_all_of_the_first_users_played_has_no_negatives() -> None:
    met = sp.csr_matrix(np.array([[1, 1, 1, 1, 0], [1, 1, 1, 0, 1]], dtype=np.float32))
    sampler = made("negatives_range").sampler(met)  # the first round(5 * 0.81) = 4
    assert sampler.has_negatives.tolist() == [False, True]
    assert set(sampler.draw(np.array([1]), 50, np.random.default_rng(0)).ravel()) == {3}


def test_unchecked_negatives_hit_those_who_played() -> None:
    met = sp.csr_matrix(np.array([[1, 1, 1, 0]], dtype=np.float32))
    sampler = made("negatives_unchecked").sampler(met)
    drawn = sampler.draw(np.zeros(1, int), 4000, np.random.default_rng(0))
    np.testing.assert_allclose(np.bincount(drawn.ravel()) / 4000, 0.25, atol=0.03)
    everyone = made("negatives_unchecked").sampler(sp.csr_matrix(np.ones((1, 3), np.float32)))
    assert everyone.has_negatives.tolist() == [True]


def test_both_negatives_compose() -> None:
    recommender = recommender_of("shallow", {}, "published")
    met = sp.csr_matrix(np.array([[1, 1, 1, 1, 0]], dtype=np.float32))
    drawn = recommender.sampler(met).draw(np.zeros(1, int), 500, np.random.default_rng(0))
    assert set(drawn.ravel()) == {0, 1, 2, 3}


def test_frozen_flags_leave_users_and_train_tracks() -> None:
    split = checkerboard()
    recommender = made("frozen_flags")
    module = recommender.module(split, 0)
    users, items = np.ones((12, 3), np.float32), np.ones((16, 3), np.float32)
    module.set_tables(users, items, recommender.train_users, recommender.train_items)
    assert (module.users.requires_grad, module.items.requires_grad) == (False, True)


def test_validation_is_the_hinge_loss_of_the_held_out_pairs_by_hand() -> None:
    split = with_validation()
    module = made("hinge_validation", batch_size=1000).module(split, 0)
    generator = np.random.default_rng(1)
    tables = (generator.normal(0, 1, (n, 3)).astype(np.float32) for n in (12, 16))
    module.set_tables(*tables, train_users=True, train_items=True)
    state = module.generator.bit_generator.state
    with torch.no_grad():
        (name, value), = module.validate(split).items()  # fmt: skip
        users, items = module.transform(module.users), module.transform(module.items)
    assert name == "minus validation loss"
    assert module.generator.bit_generator.state == state  # training draws are left alone
    track = split.column[split.val.track].astype(np.int64)
    order = np.argsort(track, kind="stable")
    track, user = track[order], split.val.user[order]
    negatives = module.sampler.draw(track, 4, np.random.default_rng([0, 2]))
    scores = torch.stack(
        [
            torch.stack([items[t] @ users[u] for u in (mine, *others)])
            for t, mine, others in zip(track, user, negatives, strict=True)
        ]
    )
    expected = hinge_loss(scores, 0.2, torch.ones(len(track)))
    assert value == pytest.approx(-float(expected), abs=1e-6)


def test_hinge_validation_is_what_the_curve_holds() -> None:
    split = with_validation()
    fitted = made("hinge_validation").fit(split, colours(split.warm, split), seed=0)
    assert set(fitted.curve[0]) == {"epoch", "loss", "minus validation loss"}
    alone = made("hinge_validation").fit(checkerboard(), colours(split.warm, split), seed=0)
    assert set(alone.curve[0]) == {"epoch", "loss"}


def test_a_frozen_random_side_is_left_as_it_was_drawn() -> None:
    few = {"embedding_size": 4, "max_epochs": 2}
    clean, published = (
        recommender_of("shallow_ids", few, protocol)
        for protocol in ("corrected", "published:frozen_random_side")
    )
    assert (clean.train_users, published.train_users) == (True, False)
    split = checkerboard()
    assert not np.array_equal(
        clean.fit(split, seed=0).users(), published.fit(split, seed=0).users()
    )
