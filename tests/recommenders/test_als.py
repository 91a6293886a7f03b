from dataclasses import replace

import numpy as np
import pytest
from recommenders.conformance import Conformance, checkerboard, pairs

from mrs.data.splits import Split
from mrs.recommenders.als import ALS, BPR, Factorisation
from mrs.recommenders.bimodal import BimodalContent
from mrs.recommenders.coldstart.artist_mean import ArtistMean

TINY = (
    ALS(embedding_size=2, regularization=0.1),
    BPR(embedding_size=2, learning_rate=0.1, regularization=0.1),
)


class TestALS(Conformance):
    recommender = TINY[0]


class TestBPR(Conformance):
    recommender = TINY[1]


def with_validation() -> Split:
    split = checkerboard()
    return replace(split, val=split.hot_test)


def test_als_users_minimise_the_weighted_squares() -> None:
    """At the end both sides solve their normal equations, the users' written out here."""
    split = checkerboard()
    settings = ALS(embedding_size=3, regularization=0.5, alpha=4.0, max_epochs=300)
    fitted = settings.fit(split, seed=0)
    played, items = split.matrix.toarray(), fitted.items().astype(np.float64)
    for user, row in enumerate(played):
        confidence = np.where(row > 0, 4.0, 1.0)
        left = items.T @ (confidence[:, None] * items) + 0.5 * np.eye(3)
        expected = np.linalg.solve(left, items.T @ (confidence * row))
        assert np.allclose(fitted.users()[user], expected, atol=1e-3)


def test_bpr_holds_its_bias_in_the_last_column() -> None:
    """A track that all but its neighbours' colour play scores high by its bias alone."""
    n_users, n_tracks = 30, 10
    user, track = np.nonzero((np.arange(n_users)[:, None] + np.arange(n_tracks)) % n_tracks < 2)
    everyone = np.arange(n_users)[(np.arange(n_users) + n_tracks - 1) % n_tracks >= 2]
    train = pairs(np.r_[user, everyone], np.r_[track, np.full(len(everyone), n_tracks - 1)])
    none = pairs(np.array([], int), np.array([], int))
    split = replace(
        checkerboard(),
        users=np.arange(n_users),
        tracks=np.arange(n_tracks),
        train=train,
        hot_test=none,
        warm=np.arange(n_tracks, dtype=np.int32),
        cold=np.array([], dtype=np.int32),
    )
    fitted = BPR(embedding_size=2, max_epochs=100).fit(split, seed=0)
    assert fitted.users().shape == (n_users, 3)
    assert (fitted.users()[:, -1] == 1).all()
    assert fitted.items()[:, -1].argmax() == n_tracks - 1
    assert (fitted.users() @ fitted.items().T).mean(axis=0).argmax() == n_tracks - 1


@pytest.mark.parametrize("settings", TINY, ids=lambda settings: settings.name)
def test_stops_and_returns_the_best_epoch(settings: Factorisation) -> None:
    split = with_validation()
    fitted = replace(settings, max_epochs=40, patience=3).fit(split, seed=0)
    scores = [row["ndcg@50"] for row in fitted.curve]
    best = int(np.argmax(scores))
    assert fitted.converged is True
    assert len(scores) == best + 4
    again = replace(settings, max_epochs=best + 1, patience=100).fit(split, seed=0)
    assert again.converged is False
    assert np.array_equal(again.items(), fitted.items())
    assert np.array_equal(again.users(), fitted.users())


@pytest.mark.parametrize("settings", TINY, ids=lambda settings: settings.name)
def test_epochs_differ(settings: Factorisation) -> None:
    """Each goes on from the one before, with draws of its own."""
    one, two, three = (
        replace(settings, max_epochs=n).fit(checkerboard(), seed=0).items() for n in (1, 2, 3)
    )
    assert not np.allclose(one, two)
    assert not np.allclose(two, three)


@pytest.mark.parametrize("settings", TINY, ids=lambda settings: settings.name)
def test_nothing_is_said_of_convergence_without_validation(settings: Factorisation) -> None:
    fitted = replace(settings, max_epochs=2).fit(checkerboard(), seed=0)
    assert fitted.converged is None
    assert fitted.curve == []


@pytest.mark.parametrize("settings", TINY, ids=lambda settings: settings.name)
def test_a_cold_start_backbone_has_all_its_epochs(settings: Factorisation) -> None:
    """Held-out pairs and patience do not stop it: it is implicit's model after seven epochs."""
    split = with_validation()
    impatient = replace(settings, patience=1)
    base = ArtistMean(backbone_epochs=7).backbone_trainer(impatient).fit(split, seed=5)
    model = settings.model(5)
    for _ in range(7):
        model.fit(split.matrix, show_progress=False)
    assert np.array_equal(base.items(), model.item_factors)
    assert np.array_equal(base.users(), model.user_factors)
    assert BimodalContent().backbone_trainer(impatient) is impatient
