"""Principal components of vectors, fitted on train tracks: what trained recommenders read."""

from dataclasses import dataclass

import numpy as np

FLOOR = 1e-6  # a direction with less of the largest's standard deviation has no variance


@dataclass(frozen=True, eq=False)
class Components:
    """An affine map of vectors: standardise each dimension, then rotate onto components.

    `mean` and `scale` [width]; `rotation` [width x d], or [0 x 0] where vectors are read whole.
    """

    mean: np.ndarray
    scale: np.ndarray
    rotation: np.ndarray

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """Map vectors [n x width] to float32 [n x d]; the train tracks' mean row length is one."""
        standardised = (vectors - self.mean) * self.scale
        return standardised @ self.rotation if self.rotation.size else standardised


def fit_components(vectors: np.ndarray, n_components: int | None) -> Components:
    """Fit to the train tracks' vectors [N x width].

    Every dimension is standardised, and the min(n_components, width) directions of most variance
    are kept, so that wide and narrow backends are read on equal terms; None keeps the dimensions
    as they are. Dimensions and directions without variance are dropped. Signs are fixed by each
    direction's largest entry.
    """
    mean = vectors.mean(axis=0, dtype=np.float64)
    deviation = vectors.std(axis=0, dtype=np.float64)
    alive = deviation > FLOOR * max(deviation.max(initial=0.0), np.finfo(np.float32).tiny)
    scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=alive)
    rotation = np.zeros((0, 0))
    if n_components is not None:
        rotation = _rotation((vectors - mean) * scale, n_components)
    whole = Components(mean, scale, rotation)
    length = np.sqrt((whole(vectors) ** 2).sum(axis=1).mean()) or 1.0
    if rotation.size:
        rotation = rotation / length
    else:
        scale = scale / length
    return Components(*(part.astype(np.float32) for part in (mean, scale, rotation)))


def unit_components(vectors: np.ndarray, n_components: int | None) -> Components:
    """Components of the train tracks' vectors with entries of mean square one.

    That is the scale of inputs for which linear layers' usual random start is meant.
    """
    parts = fit_components(vectors, n_components)
    if parts.rotation.size:
        root = np.float32(np.sqrt(parts.rotation.shape[1]))
        return Components(parts.mean, parts.scale, parts.rotation * root)
    root = np.float32(np.sqrt(len(parts.scale)))
    return Components(parts.mean, parts.scale * root, parts.rotation)


def _rotation(standardised: np.ndarray, n_components: int) -> np.ndarray:
    """Directions of most variance as columns [width x d], by the smaller of the two Gram sides."""
    n, width = standardised.shape
    if width <= n:
        values, directions = np.linalg.eigh(standardised.T @ standardised)
    else:
        values, left = np.linalg.eigh(standardised @ standardised.T)
        directions = standardised.T @ left
        length = np.linalg.norm(directions, axis=0)
        directions = np.divide(directions, length, out=np.zeros_like(directions), where=length > 0)
    order = np.argsort(values)[::-1][:n_components]
    order = order[values[order] > FLOOR**2 * max(values.max(initial=0.0), 0.0)]
    kept = directions[:, order]
    if not kept.size:
        return np.zeros((width, 1))
    return kept * np.sign(kept[np.abs(kept).argmax(axis=0), np.arange(kept.shape[1])])
