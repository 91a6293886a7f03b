"""What fitted recommenders are made of: factors, rows of length one, means of histories."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch.nn.functional import embedding_bag
from typing_extensions import override

from mrs.recommenders.base import Fitted

SHORTEST = 1e-12  # shorter rows are divided by this, as torch's normalize does
USER_BLOCK = 1024  # users averaged together, which bounds memory
BAG = 64  # tracks whose vectors are summed in float32 before float64 takes over


@dataclass(frozen=True, eq=False)
class FittedFactors(Fitted):
    """User factors [U x d] and factors of the train tracks [N x d], both float32."""

    user_factors: np.ndarray
    item_factors: np.ndarray

    @override
    def users(self) -> np.ndarray:
        return self.user_factors

    @override
    def items(self) -> np.ndarray:
        return self.item_factors


def normalise(rows: np.ndarray) -> np.ndarray:
    """Rows scaled to length one, as float32; rows of zeros stay zero."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, length, out=np.zeros_like(rows), where=length > 0).astype(np.float32)


def unit_rows(rows: torch.Tensor) -> torch.Tensor:
    """Rows [n x d] divided by their lengths.

    As `torch.nn.functional.normalize`, whose gradient is taken step by step and passes over a
    large table several times as often: with u = x / |x|, dx = (du - (du . u) u) / |x|.
    """
    return _UnitRows.apply(rows)


class _UnitRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor) -> torch.Tensor:
        length = torch.linalg.vector_norm(rows, dim=1, keepdim=True).clamp_min_(SHORTEST)
        unit = rows / length
        ctx.save_for_backward(unit, length)
        return unit

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        unit, length = ctx.saved_tensors
        space = gradients[0] * unit
        inner = space.sum(dim=1, keepdim=True)
        return torch.addcmul(gradients[0], unit, inner, value=-1, out=space).div_(length)


def mean_of_history(matrix: sp.csr_matrix, vectors: np.ndarray) -> np.ndarray:
    """The mean vector of each user's tracks: [U x N] ones, [N x width] -> float32 [U x width].

    Histories reach thousands of tracks, so sums of up to `BAG` of them in float32 are summed in
    float64.
    """
    table = torch.from_numpy(np.ascontiguousarray(vectors, dtype=np.float32))
    tracks = torch.from_numpy(matrix.indices)
    means = np.empty((matrix.shape[0], vectors.shape[1]), dtype=np.float32)
    for start in range(0, len(means), USER_BLOCK):
        bounds = matrix.indptr[start : start + USER_BLOCK + 1]
        n_played = np.diff(bounds)
        n_bags = np.maximum(1, -(-n_played // BAG))
        first = np.cumsum(n_bags) - n_bags
        place = np.arange(n_bags.sum()) - np.repeat(first, n_bags)
        begin = np.repeat(bounds[:-1] - bounds[0], n_bags) + BAG * place
        mine = tracks[bounds[0] : bounds[-1]]
        bags = embedding_bag(mine, table, torch.from_numpy(begin).to(mine.dtype), mode="sum")
        sums = np.add.reduceat(bags.numpy(), first, axis=0, dtype=np.float64)
        means[start : start + USER_BLOCK] = sums / np.maximum(n_played, 1)[:, None]
    return means
