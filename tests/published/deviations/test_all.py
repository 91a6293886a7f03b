"""What every deviation keeps to, alone and together."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from recommenders.coldstart.material import with_artists
from recommenders.conformance import N_COLD, N_WARM, colours, pairs

from mrs.data.splits import Split
from mrs.published.deviations import backbone_of, recommender_of
from mrs.published.deviations.registry import DEVIATIONS
from mrs.recommenders import RECOMMENDERS, Fitted

FEW = {
    "max_epochs": 3,
    "patience": 2,
    "n_negatives": 4,
    "embedding_size": 6,
    "hidden_size": 6,
    "n_components": 4,
    "negatives": "users",
    "dropout": 0.0,
    "max_length": 18,
    "n_heads": 2,
}
OWN = {"heater": {"dropout": 0.5}}  # of what: that of rows, not of a network's units
FITTED = [
    (of, name)
    for name, found in DEVIATIONS.items()
    for of in found.of
    if found.mixin or found.forced or found.backbone_mixin
]
TOGETHER = [(of, "") for of in dict.fromkeys(of for of, _ in FITTED)]


def world() -> Split:
    """The checkerboard with artists, left-out pairs as validation, an unplayed track in front."""
    split = with_artists()
    return replace(
        split,
        val=split.hot_test,
        cold_test=pairs(np.zeros(N_COLD - 1, int), split.cold[1:]),
    )


def vectors(split: Split) -> np.ndarray:
    return 2 + 3 * colours(np.arange(len(split.tracks)), split, width=6)


@cache
def fit(of: str, protocol: str, seed: int = 0) -> Fitted:
    split = world()
    kind = RECOMMENDERS[of]
    forced = {
        key
        for found in DEVIATIONS.values()
        if of in found.of and protocol in (f"published:{found.name}", "published")
        for key in found.forced
    }
    settings = {key: FEW[key] for key in kind().settings() if key in FEW and key not in forced}
    settings |= OWN.get(of, {})
    recommender = recommender_of(of, settings, protocol)
    backbone = None
    if "backbone" in kind.needs:
        backbone = backbone_of(replace(recommender, backbone="elsa")).fit(split, seed=seed)
    read = vectors(split)[recommender.tracks_needed(split)] if "vectors" in kind.needs else None
    return recommender.fit(split, read, backbone=backbone, seed=seed)


def scores(fitted: Fitted, of: str) -> list[np.ndarray]:
    """Of every track by every user, hot and where it is answered cold."""
    split = world()
    found = [fitted.users() @ fitted.items().T]
    if "cold" in RECOMMENDERS[of].scenarios:
        new = fitted.encode(vectors(split)[split.cold], split.artists[split.cold])
        found.append(fitted.users() @ new.T)
    return found


@pytest.mark.parametrize(("of", "name"), FITTED + TOGETHER)
def test_it_answers_what_the_clean_one_answers_and_otherwise(of: str, name: str) -> None:
    protocol = f"published:{name}" if name else "published"
    published, clean = (scores(fit(of, one), of) for one in (protocol, "corrected"))
    assert [part.shape for part in published] == [part.shape for part in clean]
    assert published[0].shape[1] == N_WARM
    assert all(np.isfinite(part).all() for part in published)
    other_scores = any(not np.allclose(*both) for both in zip(published, clean, strict=True))
    watched, usually = (
        {name for epoch in fit(of, one).curve for name in epoch} for one in (protocol, "corrected")
    )
    # What only decides when to stop may stop at the same epoch.
    assert other_scores or watched != usually


@pytest.mark.parametrize(("of", "name"), FITTED + TOGETHER)
def test_same_seed_same_digits(of: str, name: str) -> None:
    protocol = f"published:{name}" if name else "published"
    again = fit.__wrapped__(of, protocol)
    for one, other in zip(scores(fit(of, protocol), of), scores(again, of), strict=True):
        np.testing.assert_array_equal(one, other)
