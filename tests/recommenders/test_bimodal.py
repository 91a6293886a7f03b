from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from recommenders.coldstart.material import cold_validation
from recommenders.conformance import Conformance, checkerboard, colours

from mrs.data.splits import Split
from mrs.errors import InputError
from mrs.recommenders.base import Fitted, History
from mrs.recommenders.bimodal import (
    Bimodal,
    BimodalAverage,
    BimodalCollaborative,
    BimodalContent,
    BimodalModule,
    FittedBimodal,
    items_in,
)
from mrs.recommenders.contrastive import LOSSES, contrastive_loss
from mrs.recommenders.factors import FittedFactors

SIZES = {"embedding_size": 8, "learning_rate": 0.02, "max_epochs": 30, "temperature": 1.0}


def known_backbone(split: Split) -> Fitted:
    """Item factors that tell the colours apart, of different lengths."""
    items = colours(split.warm, split, width=4) * np.arange(1, 17, dtype=np.float32)[:, None]
    return FittedFactors(History.of(split), None, [], split.matrix @ items, items)


class Shared(Conformance):
    def fit(self, seed: int = 0) -> tuple[Split, Fitted]:
        split = checkerboard()
        backbone = known_backbone(split)
        return split, self.recommender.fit(split, self.read(split), backbone=backbone, seed=seed)


class TestContent(Shared):
    recommender = BimodalContent(**SIZES)


class TestCollaborative(Shared):
    recommender = BimodalCollaborative(**SIZES)


class TestAverage(Shared):
    recommender = BimodalAverage(**SIZES)


def fit(recommender: Bimodal, split: Split | None = None) -> FittedBimodal:
    split = split or checkerboard()
    backbone = known_backbone(split)
    return recommender.fit(split, colours(split.warm, split), backbone=backbone, seed=0)


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_brings_a_tracks_vectors_together(loss: str) -> None:
    fitted = fit(BimodalContent(**SIZES, loss=loss))
    cosines = fitted.content @ fitted.collaborative.T
    even = np.arange(16) % 2 == 0
    same = even[:, None] == even
    assert np.diagonal(cosines).mean() > cosines[~same].mean() + 0.5


def test_spaces_by_hand() -> None:
    content = np.array([[1, 0], [0, 1]], dtype=np.float32)
    collaborative = np.array([[0, 1], [0, 1]], dtype=np.float32)
    root = np.sqrt(0.5)
    average = items_in("average", content, collaborative)
    assert np.allclose(average, [[root, root], [0, 1]])
    assert items_in("content", content, collaborative) is content
    assert items_in("collaborative", content, collaborative) is collaborative


def test_a_long_vector_counts_no_more_than_a_short_one() -> None:
    """Items have length one in every space, and users are means over them."""
    for kind in (BimodalContent, BimodalCollaborative, BimodalAverage):
        fitted = fit(kind(**SIZES))
        assert np.allclose(np.linalg.norm(fitted.items(), axis=1), 1, atol=1e-5)
        means = fitted.history.matrix @ fitted.items()
        means /= np.linalg.norm(means, axis=1, keepdims=True)
        assert np.allclose(fitted.users(), means, atol=1e-5)


def test_spaces_share_a_fit() -> None:
    shared = fit(BimodalContent(**SIZES))
    for kind in (BimodalContent, BimodalCollaborative, BimodalAverage):
        own, read = fit(kind(**SIZES)), kind(**SIZES).member_of_family(shared)
        assert np.array_equal(own.items(), read.items())
        assert np.array_equal(own.users(), read.users())
        assert kind.family == "bimodal"
    assert np.array_equal(read.items(), items_in("average", shared.content, shared.collaborative))


def test_the_space_is_saved(tmp_path: Path) -> None:
    fitted = fit(BimodalAverage(**SIZES))
    fitted.save(tmp_path)
    loaded = FittedBimodal.load(tmp_path)
    assert loaded.space == "average"
    assert np.array_equal(loaded.in_space("content").items(), fitted.content)


def test_cold_tracks_change_nothing_in_a_fit() -> None:
    split = checkerboard()
    fewer = replace(split, cold=split.cold[:1])
    one, other = (fit(BimodalContent(**SIZES), part) for part in (split, fewer))
    assert np.array_equal(one.items(), other.items())
    assert np.array_equal(one.weight_2, other.weight_2)
    assert len(one.items()) == len(split.warm)


def test_length_of_the_backbones_vectors_changes_nothing() -> None:
    split = checkerboard()
    backbone = known_backbone(split)
    longer = replace(backbone, item_factors=backbone.items() * np.float32(8))
    one, other = (
        BimodalAverage(**SIZES).fit(split, colours(split.warm, split), backbone=b, seed=0)
        for b in (backbone, longer)
    )
    assert np.array_equal(one.items(), other.items())


@pytest.mark.parametrize(("batch_size", "sizes"), [(100, [16]), (16, [16]), (15, [8, 8])])
def test_an_epoch_has_every_track_once(batch_size: int, sizes: list[int]) -> None:
    split = checkerboard()
    settings = BimodalContent(**SIZES, batch_size=batch_size)
    vectors, factors = colours(split.warm, split), known_backbone(split).items()
    module = BimodalModule(split.matrix, vectors, factors, settings, seed=0)
    batches = module.batches(0)
    assert [len(batch) for batch in batches] == sizes
    assert sorted(torch.cat(batches).tolist()) == list(range(16))


def test_loss_is_the_one_asked_for() -> None:
    split = checkerboard()
    settings = BimodalContent(embedding_size=8, loss="sdclw", temperature=0.2, sigma=0.3)
    vectors, factors = colours(split.warm, split), known_backbone(split).items()
    module = BimodalModule(split.matrix, vectors, factors, settings, seed=0)
    batch = torch.tensor([3, 0, 8])
    a, b = (torch.from_numpy(branch)[batch] for branch in module.branches())
    expected = contrastive_loss("sdclw", a, b, temperature=0.2, sigma=0.3)
    assert module.loss(batch).item() == pytest.approx(expected.item(), abs=1e-5)


def test_mistakes() -> None:
    split = checkerboard()
    vectors = colours(split.warm, split)
    with pytest.raises(InputError, match="needs a backbone fitted to the same 16 train tracks"):
        BimodalContent().fit(split, vectors, seed=0)


def test_cold_validation_tracks_stop_the_fit_where_there_are_any() -> None:
    """Their NDCG@20 among themselves in the content space, worked out from the fitted model."""
    split = checkerboard()
    split = cold_validation(replace(split, val=split.hot_test))
    settings = BimodalContent(**SIZES | {"max_epochs": 12, "patience": 3})
    read = colours(settings.tracks_needed(split), split)
    assert np.array_equal(settings.tracks_needed(split)[len(split.warm) :], split.validation_tracks)
    fitted = settings.fit(split, read, backbone=known_backbone(split), seed=0)
    assert {name for row in fitted.curve for name in row} == {"epoch", "loss", "cold ndcg@20"}
    held = split.validation_tracks
    scores = fitted.users() @ fitted.encode(read[len(split.warm) :]).T
    played = np.zeros(scores.shape, dtype=bool)
    played[split.cold_val.user, np.searchsorted(held, split.cold_val.track)] = True
    found = []
    for row, hits in zip(scores, played, strict=True):
        discount = 1 / np.log2(np.arange(len(held)) + 2)
        found.append(discount[hits[np.argsort(-row, kind="stable")]].sum())
        found[-1] /= discount[: hits.sum()].sum()
    best = max(row["cold ndcg@20"] for row in fitted.curve)
    assert best == pytest.approx(np.mean(found), abs=1e-6)
    without = settings.fit(
        replace(split, cold_val=None),
        colours(split.warm, split),
        backbone=known_backbone(split),
        seed=0,
    )
    assert {name for row in without.curve for name in row} == {"epoch", "loss", "ndcg@50"}
