"""Rows of length one, and their gradient in few passes over memory."""

from typing import Any

import torch

SHORTEST = 1e-12  # shorter rows are divided by this, as torch's normalize does


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
