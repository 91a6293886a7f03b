import torch
from torch.nn.functional import normalize

from mrs.recommenders.factors import unit_rows


def test_rows_by_hand() -> None:
    rows = torch.tensor([[3.0, 4.0], [0.0, -2.0], [0.0, 0.0]])
    assert torch.allclose(unit_rows(rows), torch.tensor([[0.6, 0.8], [0.0, -1.0], [0.0, 0.0]]))


def test_gradient_is_that_of_torchs_normalize() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(7, 5, generator=generator, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(unit_rows, rows)
    weights = torch.randn(7, 5, generator=generator, dtype=torch.float64)
    ours, theirs = (
        torch.autograd.grad((function(rows) * weights).sum(), rows)[0]
        for function in (unit_rows, normalize)
    )
    assert torch.allclose(ours, theirs, atol=1e-12)
