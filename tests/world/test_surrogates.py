from collections.abc import Iterator

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from threadpoolctl import threadpool_limits

from mrs.backends import BACKENDS
from mrs.models import MODELS
from mrs.world import surrogates
from mrs.world.demo import generate
from mrs.world.params import Params

Drawn = dict[str, tuple[dict, np.ndarray]]
WORLD = generate(Params(n_users=5, n_tracks=700, n_artists=80, n_cold=60)).catalogue


def draw(seed: int = 3) -> Drawn:
    drawn = surrogates.draw_surrogates(WORLD.traits(), WORLD.artist, seed)
    return {str(card["backend"]): (card, vectors) for card, vectors in drawn}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    with threadpool_limits(1):  # small products: more threads only wait for each other
        yield


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    return draw()


def cosines(vectors: np.ndarray) -> np.ndarray:
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors @ vectors.T


def test_every_backend_has_vectors_of_its_true_width_and_a_card(drawn: Drawn) -> None:
    assert list(drawn) == list(BACKENDS)
    for name, (card, vectors) in drawn.items():
        assert vectors.shape == (700, BACKENDS[name].embedding_size)
        assert vectors.dtype == np.float32
        assert np.isfinite(vectors).all()
        assert card["origin"] == "surrogate"
        assert card["embedding_size"] == vectors.shape[1]
        assert "says nothing about the model" in card["note"]
        assert ("between" in card["rung"]) == (name in ("mfcc", "musicnn"))
        assert np.mean(np.square(list(card["profile"].values()))) == pytest.approx(1, abs=0.01)


def test_draws_follow_the_seed(drawn: Drawn) -> None:
    again, other = draw(), draw(seed=4)
    for name, (card, vectors) in drawn.items():
        assert card == again[name][0]
        assert vectors.tobytes() == again[name][1].tobytes()
        assert not np.allclose(vectors, other[name][1])


def test_no_common_offset(drawn: Drawn) -> None:
    for _, vectors in drawn.values():
        assert (vectors.mean(0) ** 2).sum() < 0.01 * (vectors**2).sum(1).mean()


def test_the_ladder_is_even_and_dealt_by_the_seed() -> None:
    ladders = [surrogates.ladder(seed) for seed in range(600)]
    eight = [name for name in BACKENDS if name not in ("mfcc", "musicnn")]
    for ladder in ladders[:20]:
        rungs = sorted(ladder[name] for name in eight)
        np.testing.assert_allclose(rungs, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
        between = {ladder["mfcc"], ladder["musicnn"]}
        assert len(between) == 2
        assert between <= {0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75}
    # No name is favoured: each one's mean over seeds is that of the ladder, within 4 errors.
    means = np.mean([[ladder[name] for name in BACKENDS] for ladder in ladders], 0)
    np.testing.assert_allclose(means, 0.45, atol=4 * 0.23 / 600**0.5)


def test_an_independent_ridge_recovers_each_rung_on_held_out_artists(drawn: Drawn) -> None:
    # Other folds than those of the calibration, the penalty chosen inside each fold, full width.
    traits, heldout = WORLD.traits(), {}
    for name, (card, vectors) in drawn.items():
        predicted = cross_val_predict(
            RidgeCV(np.logspace(-1, 4, 6)), vectors, traits, groups=WORLD.artist, cv=GroupKFold(4)
        )
        heldout[name] = r2_score(traits, predicted)
        assert heldout[name] == pytest.approx(card["heldout_r2_target"], abs=0.03)
        assert card["heldout_r2"] == pytest.approx(card["heldout_r2_target"], abs=0.002)
    by_rung = sorted(drawn, key=lambda name: drawn[name][0]["heldout_r2_target"])
    values = [heldout[name] for name in by_rung]
    assert values == sorted(values)


def test_width_buys_nothing(drawn: Drawn, monkeypatch: pytest.MonkeyPatch) -> None:
    # The same surrogates in other widths: the same cosines, hence the same neighbours.
    for name, width in (("mert", 4800), ("jukebox", 104)):
        monkeypatch.setitem(MODELS, name, MODELS[name]._replace(embedding_size=width))
    for name, (card, vectors) in draw().items():
        if name in ("mert", "jukebox"):
            assert vectors.shape[1] != drawn[name][1].shape[1]
            np.testing.assert_allclose(cosines(vectors), cosines(drawn[name][1]), atol=2e-6)
            assert card["heldout_r2"] == drawn[name][0]["heldout_r2"]


def test_a_surrogate_hears_what_its_profile_weighs(drawn: Drawn) -> None:
    # Within a surrogate of middling rung, traits of more weight are recovered better.
    card, vectors = min(drawn.values(), key=lambda d: abs(d[0]["heldout_r2_target"] - 0.5))
    traits = WORLD.traits()
    predicted = cross_val_predict(RidgeCV(np.logspace(-1, 4, 6)), vectors, traits, cv=4)
    heard = r2_score(traits, predicted, multioutput="raw_values")
    weights = list(card["profile"].values())
    assert np.corrcoef([*weights, weights[-1]], heard)[0, 1] > 0.5
