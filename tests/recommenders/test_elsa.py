import numpy as np
import pytest
import torch
from recommenders.conformance import Conformance, checkerboard
from torch.nn.functional import normalize

from mrs.recommenders.elsa import ELSA, as_torch, reconstruction_loss


class TestELSA(Conformance):
    recommender = ELSA(embedding_size=4, learning_rate=0.1, max_epochs=300, patience=30)


@pytest.fixture(params=[None, 3], ids=["all users", "fewer users than dimensions"])
def toy(request: pytest.FixtureRequest) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    matrix = checkerboard().matrix[: request.param]
    items = normalize(torch.randn(16, 5, generator=torch.Generator().manual_seed(0)))
    return as_torch(matrix), torch.from_numpy(matrix.toarray()), items


def test_loss_equals_the_one_written_out(toy: tuple) -> None:
    sparse, dense, items = toy
    out = dense @ items @ items.T - dense
    expected = ((normalize(out) - normalize(dense)) ** 2).sum(dim=1).mean()
    assert float(reconstruction_loss(sparse, items)) == pytest.approx(float(expected), abs=1e-5)


def test_gradient_equals_the_one_written_out(toy: tuple) -> None:
    sparse, dense, items = toy
    one, other = (items.clone().requires_grad_() for _ in range(2))
    reconstruction_loss(sparse, one).backward()
    out = dense @ other @ other.T - dense
    ((normalize(out) - normalize(dense)) ** 2).sum(dim=1).mean().backward()
    assert torch.allclose(one.grad, other.grad, atol=1e-5)


def test_factors() -> None:
    split = checkerboard()
    fitted = ELSA(embedding_size=8).fit(split, seed=0)
    assert np.allclose(np.linalg.norm(fitted.items(), axis=1), 1, atol=1e-6)
    assert np.allclose(fitted.users(), split.matrix @ fitted.items(), atol=1e-6)
