"""Vectors as published: read as they are."""

import numpy as np

from mrs.published.deviations.base import Deviation
from mrs.recommenders.pca import Components


class RawVectors:
    """Vectors are neither standardised nor reduced, so that their scale acts on training."""

    def components(self, vectors: np.ndarray) -> Components:
        """The identity: what `encode` reads of new tracks is raw as well."""
        width = vectors.shape[1]
        zeros, ones = np.zeros(width, dtype=np.float32), np.ones(width, dtype=np.float32)
        return Components(zeros, ones, np.zeros((0, 0), dtype=np.float32))


DEVIATIONS = (
    Deviation(
        "raw_vectors",
        of=(
            "shallow",
            "bimodal_content",
            "bimodal_collaborative",
            "bimodal_average",
            "hybrid",
        ),
        mixin=RawVectors,
        forced={"n_components": None},
    ),
)
