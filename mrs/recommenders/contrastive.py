"""Contrastive losses between two views of the same tracks.

Everywhere a and b are the views' unit rows [n x d], row i of both is track i, t is the temperature,
e(x, y) = exp(x . y / t), and the negatives of track i are the other tracks j != i of the batch.
In decoupled contrastive learning (Yeh et al., ECCV 2022, arXiv 2110.06848) the positive pair is
not in the denominator. The names are those of the code of arXiv 2604.23077, whose SDCL lacks the
negatives e(b_i, a_j) and so is another under swapping the views; w_i = 1 without W:

    DCL   mean_i  - 2 w_i a_i . b_i / t  + log sum_j [e(a_i, a_j) + e(a_i, b_j)]
                                         + log sum_j [e(b_i, b_j) + e(b_i, a_j)]
    SDCL  mean_i  - w_i a_i . b_i / t    + log sum_j [e(a_i, a_j) + e(a_i, b_j)
                                                      + e(b_i, b_j) + e(b_i, a_j)]
    ADCL  mean_i  - 2 w_i a_i . b_i / t  + log sum_j e(a_i, b_j) + log sum_j e(b_i, a_j)

DCL is the loss of Yeh et al. (equation 6, its sum over both views as anchors): negatives of both
views, one denominator an anchor. SDCL has one denominator a pair, ADCL negatives of the other view
alone. With W the positive is weighted by

    w_i = 2 - exp(a_i . b_i / sigma) / mean_k exp(a_k . b_k / sigma),

Yeh et al.'s negative von Mises-Fisher weighting: low for pairs that agree already. Each loss is the
same under swapping the views.
"""

from typing import Any, Literal, get_args

import torch

Loss = Literal["dcl", "dclw", "sdcl", "sdclw", "adcl", "adclw"]
LOSSES = get_args(Loss)
ROWS_AT_ONCE = 64  # rows that are scaled together, a block that caches hold


def contrastive_loss(
    name: str, a: torch.Tensor, b: torch.Tensor, *, temperature: float, sigma: float
) -> torch.Tensor:
    """The loss called `name`, one of `LOSSES`, of two views' unit rows [n x d], n >= 2."""
    kind = name.removesuffix("w")
    positive = (a * b).sum(dim=1)
    weight = positive_weight(name, positive, sigma)
    from_a, from_b = sums_across(a, b, temperature)
    if kind != "adcl":
        from_a = from_a + sums_within(a, temperature)
        from_b = from_b + sums_within(b, temperature)
    # The sums are of exp((cosine - 1) / t): each logarithm lacks 1 / t.
    denominators = [from_a + from_b] if kind == "sdcl" else [from_a, from_b]
    logs = [sums.log() + 1 / temperature for sums in denominators]
    return (torch.stack(logs).sum(dim=0) - len(logs) * weight * positive / temperature).mean()


def positive_weight(name: str, positive: torch.Tensor, sigma: float) -> torch.Tensor:
    """The weights w_i of the loss called `name` from the positive pairs' cosines [n]."""
    if not name.endswith("w"):
        return torch.ones_like(positive)
    agreement = (positive / sigma).exp()
    return 2 - agreement / agreement.mean()


def sums_across(
    a: torch.Tensor, b: torch.Tensor, temperature: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Row and column sums of e(a_i, b_j) exp(-1 / t) without its diagonal."""
    return _AcrossSums.apply(a, b, temperature)


def sums_within(a: torch.Tensor, temperature: float) -> torch.Tensor:
    """Row sums of e(a_i, a_j) exp(-1 / t) without its diagonal."""
    return _WithinSums.apply(a, temperature)


class _AcrossSums(torch.autograd.Function):
    """Row and column sums of exp((a b^T - 1) / t) without its diagonal, one product forward.

    Cosines are at most 1, so that subtracting 1 keeps exp in range without a search for maxima.
    The derivative by a b^T is the matrix times (row gradient + column gradient) / t, made in place:
    one n x n array is all that is held, and backward can run once.
    """

    @staticmethod
    def forward(
        ctx: Any, a: torch.Tensor, b: torch.Tensor, temperature: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        ctx.save_for_backward(a, b)
        ctx.temperature, ctx.exponentials = temperature, _exponentials(a, b, temperature)
        return ctx.exponentials.sum(dim=1), ctx.exponentials.sum(dim=0)

    @staticmethod
    def backward(
        ctx: Any, by_row: torch.Tensor, by_column: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, None]:
        a, b = ctx.saved_tensors
        slope = ctx.exponentials
        del ctx.exponentials
        _scale(slope, by_row, by_column, ctx.temperature)
        return slope @ b, slope.T @ a, None


class _WithinSums(torch.autograd.Function):
    """Row sums of exp((a a^T - 1) / t) without its diagonal: symmetric, so one product back."""

    @staticmethod
    def forward(ctx: Any, a: torch.Tensor, temperature: float) -> torch.Tensor:
        ctx.save_for_backward(a)
        ctx.temperature, ctx.exponentials = temperature, _exponentials(a, a, temperature)
        return ctx.exponentials.sum(dim=1)

    @staticmethod
    def backward(ctx: Any, by_row: torch.Tensor) -> tuple[torch.Tensor, None]:
        (a,) = ctx.saved_tensors
        slope = ctx.exponentials
        del ctx.exponentials
        _scale(slope, by_row, by_row, ctx.temperature)
        return slope @ a, None


def _exponentials(a: torch.Tensor, b: torch.Tensor, temperature: float) -> torch.Tensor:
    """exp((a b^T - 1) / t) with zeros on the diagonal, in one array."""
    values = (a @ b.T).sub_(1).div_(temperature).exp_()
    return values.fill_diagonal_(0)


def _scale(
    values: torch.Tensor, by_row: torch.Tensor, by_column: torch.Tensor, temperature: float
) -> None:
    """Multiply entry i, j by (by_row_i + by_column_j) / t, in place and block by block."""
    by_row, by_column = by_row / temperature, by_column / temperature
    for start in range(0, len(values), ROWS_AT_ONCE):
        block = slice(start, start + ROWS_AT_ONCE)
        values[block].mul_(by_row[block, None] + by_column)
