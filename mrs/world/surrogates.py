"""Surrogate vectors: generated views of the audible traits, in place of audio models.

A surrogate stands where a model's vectors would and says nothing about the model. It is a fixed
random view of the traits at the model's true width: the traits, weighted by a profile of what it
hears, beside dimensions without any content, with white noise in all of them, rotated by a
semi-orthogonal matrix. The rotation keeps every dot product, so cosines and ridge regressions do
not depend on the width: width alone buys no signal. The noise of each is calibrated so that a ridge
regression recovers the traits of held-out artists with the R2 of its rung on a ladder. Rungs are
dealt to names by the seed, not by any published result. There is no common offset; real vectors
have one that can hide their content from a raw cosine.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mrs.models import MODELS
from mrs.world.catalogue import TRAIT_NAMES

LOWEST, HIGHEST = 0.1, 0.8  # held-out R2 of the lowest and the highest rung
HELDOUT_R2 = "heldout_r2"  # the entry of a surrogate's card that says its rung
RUN_ANYWHERE = ("mfcc", "musicnn")  # models that can be run everywhere; these rows wait for them

_EMPTY = 48  # latent dimensions without content, which a trained projection can learn to ignore
_PROFILE_SIGMA = 0.3  # sd of the logarithm of a profile's weights
_FOLDS = 4
_ALPHAS = np.logspace(-1, 5, 13)  # of the ridge regression; the best on held-out artists counts

_NOTE = (
    "Generated from the audible traits of the demo world; says nothing about the model whose name "
    "and width it carries. Rungs are dealt by the seed."
)


@dataclass(frozen=True, eq=False)
class View:
    """The view of the traits behind a surrogate, before it is given a width.

    `latent` is float32 [T, traits and empty dimensions], `profile` the weight of each trait;
    `noise_scale` is the scale at which held-out artists' traits are predicted with `heldout_r2`.
    """

    latent: np.ndarray
    profile: np.ndarray
    noise_scale: float
    heldout_r2: float


def ladder(seed: int) -> dict[str, float]:
    """Held-out R2 that each backend's surrogate is calibrated to.

    The backends but `RUN_ANYWHERE` share an evenly spaced ladder; these lie half-way between
    two of its rungs.
    """
    rng = np.random.default_rng(seed)
    names = [name for name in MODELS if name not in RUN_ANYWHERE]
    rungs = np.linspace(LOWEST, HIGHEST, len(names))
    between = (rungs[1:] + rungs[:-1]) / 2
    dealt = dict(zip(names, rng.permutation(rungs), strict=True))
    drawn = rng.choice(between, len(RUN_ANYWHERE), replace=False)
    dealt |= dict(zip(RUN_ANYWHERE, drawn, strict=True))
    return {name: round(float(dealt[name]), 4) for name in MODELS}


def draw_surrogates(
    traits: np.ndarray, artist: np.ndarray, seed: int
) -> Iterator[tuple[dict[str, object], np.ndarray]]:
    """Draw a surrogate for every backend, one at a time.

    `traits` [T, 16] is the standardised matrix of the audible traits, `artist` [T] their artists'
    codes, which hold artists together in the folds of the calibration. Yields cards, as written
    beside the vectors, and vectors, float32 [T, embedding_size].
    """
    folds = draw_folds(artist, seed)
    for name, target in ladder(seed).items():
        rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
        view = draw_view(traits, folds, target, rng)
        width = MODELS[name].embedding_size
        yield (
            {
                "backend": name,
                "origin": "surrogate",
                "embedding_size": width,
                "created_by": "mrs.world.surrogates",
                "note": _NOTE,
                "rung": _rung(name, target),
                "heldout_r2_target": target,
                HELDOUT_R2: round(view.heldout_r2, 4),
                "noise_scale": round(view.noise_scale, 4),
                "mean_offset": "none; real models have one",
                "profile": {
                    trait: round(float(weight), 3)
                    for trait, weight in zip(TRAIT_NAMES, view.profile, strict=True)
                },
                "seed": seed,
            },
            rotated(view.latent, width, rng),
        )


def draw_folds(artist: np.ndarray, seed: int) -> np.ndarray:
    """The fold of each track in the calibration [T], the same for all tracks of an artist."""
    return np.random.default_rng([seed, 1]).integers(0, _FOLDS, int(artist.max()) + 1)[artist]


def draw_view(
    traits: np.ndarray, folds: np.ndarray, target: float, rng: np.random.Generator
) -> View:
    """Draw a view of the traits [T, 16] from which they can be predicted with an R2 of `target`."""
    weights = np.exp(rng.normal(0, _PROFILE_SIGMA, len(TRAIT_NAMES)))
    weights /= np.sqrt((weights**2).mean())
    # Mode is one column, key, the last of the names, is two.
    signal = np.pad(traits * np.append(weights, weights[-1]), ((0, 0), (0, _EMPTY)))
    noise = rng.normal(0, 1, signal.shape)
    scale, achieved = _calibrate(signal, noise, traits, folds, target)
    return View((signal + scale * noise).astype(np.float32), weights, scale, achieved)


def rotated(latent: np.ndarray, width: int, rng: np.random.Generator) -> np.ndarray:
    """Rows in a space of `width` dimensions with the same dot products; float32 [T, width]."""
    rotation = np.linalg.qr(rng.normal(0, 1, (width, latent.shape[1])))[0]
    return latent @ rotation.T.astype(np.float32)


def _rung(name: str, target: float) -> str:
    """The rung counted from the lowest, for the card."""
    n = len(MODELS) - len(RUN_ANYWHERE)
    rung = f"{1 + (target - LOWEST) / (HIGHEST - LOWEST) * (n - 1):g} of {n}"
    return f"{rung}: between two, until the model itself is run" if name in RUN_ANYWHERE else rung


def _calibrate(
    signal: np.ndarray, noise: np.ndarray, traits: np.ndarray, folds: np.ndarray, target: float
) -> tuple[float, float]:
    """Scale of the noise at which the held-out R2 meets `target`, and the R2 there.

    All that a ridge regression needs are second moments; those of signal + scale * noise follow
    from those of signal and noise, which are computed once.
    """
    stacked = np.column_stack([signal, noise, traits, np.ones(len(traits))])
    moments = [stacked[folds == fold].T @ stacked[folds == fold] for fold in range(_FOLDS)]
    m = signal.shape[1]

    def heldout(log_scale: float) -> float:
        scale = np.exp(log_scale)
        combine = np.zeros((stacked.shape[1], stacked.shape[1] - m))
        combine[:m, :m] = np.eye(m)
        combine[m : 2 * m, :m] = scale * np.eye(m)
        combine[2 * m :, m:] = np.eye(stacked.shape[1] - 2 * m)
        return _heldout_r2([combine.T @ moment @ combine for moment in moments], m)

    from scipy.optimize import brentq  # a second to import, and a world is drawn once

    log_scale = float(brentq(lambda x: heldout(x) - target, -6.0, 6.0, xtol=1e-3))
    return float(np.exp(log_scale)), heldout(log_scale)


def _heldout_r2(moments: list[np.ndarray], m: int) -> float:
    """Mean R2 over the traits of a ridge regression, cross-validated, at the best penalty.

    Each fold's moments are those of [m inputs, traits, 1]. Inputs and traits are centred by the
    means of the other folds; R2 is relative to the variance around the overall mean.
    """
    total = np.sum(moments, 0)
    error = np.zeros((len(_ALPHAS), total.shape[0] - m - 1))
    for test in moments:
        train = total - test
        mean = train[-1, :-1] / train[-1, -1]
        centred = train[:-1, :-1] - train[-1, -1] * np.outer(mean, mean)
        sums = test[-1, :-1]
        held = test[:-1, :-1] - np.outer(mean, sums) - np.outer(sums, mean)
        held += test[-1, -1] * np.outer(mean, mean)
        values, vectors = np.linalg.eigh(centred[:m, :m])
        projected = vectors.T @ centred[:m, m:]
        for i, alpha in enumerate(_ALPHAS):
            beta = vectors @ (projected / (values + alpha)[:, None])
            error[i] += np.diag(held)[m:]
            error[i] += (beta * (held[:m, :m] @ beta - 2 * held[:m, m:])).sum(0)
    around_mean = np.diag(total)[m:-1] - total[-1, m:-1] ** 2 / total[-1, -1]
    return float((1 - error / around_mean).mean(1).max())
