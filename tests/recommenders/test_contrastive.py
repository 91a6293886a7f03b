from collections.abc import Callable
from math import exp, log

import pytest
import torch
from torch.nn.functional import normalize

from mrs.recommenders.contrastive import LOSSES, contrastive_loss
from mrs.settings import LOWEST_TEMPERATURE

T, SIGMA = 0.1, 0.5
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def loss_of(name: str, temperature: float = T, sigma: float = SIGMA) -> Loss:
    return lambda a, b: contrastive_loss(name, a, b, temperature=temperature, sigma=sigma)


def views(n: int, size: int = 5, dtype: torch.dtype = torch.float64) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(n)
    return [normalize(torch.randn(n, size, generator=generator, dtype=dtype)) for _ in range(2)]


def written_out(name: str, a: list[list[float]], b: list[list[float]], t: float) -> float:
    """The definition with plain numbers and loops."""

    def dot(x: list[float], y: list[float]) -> float:
        return sum(p * q for p, q in zip(x, y, strict=True))

    n = len(a)
    agreement = [exp(dot(a[i], b[i]) / SIGMA) for i in range(n)]
    total = 0.0
    for i in range(n):
        others = [j for j in range(n) if j != i]
        ab = sum(exp(dot(a[i], b[j]) / t) for j in others)
        ba = sum(exp(dot(b[i], a[j]) / t) for j in others)
        aa = sum(exp(dot(a[i], a[j]) / t) for j in others)
        bb = sum(exp(dot(b[i], b[j]) / t) for j in others)
        w = 2 - agreement[i] / (sum(agreement) / n) if name.endswith("w") else 1
        positive = w * dot(a[i], b[i]) / t
        total += {
            "dcl": -2 * positive + log(aa + ab) + log(bb + ba),
            "sdcl": -positive + log(aa + ab + bb + ba),
            "adcl": -2 * positive + log(ab) + log(ba),
        }[name.removesuffix("w")]
    return total / n


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # a = (1, 0), (0, 1); b = (1, 0), (.6, .8); t = 1: a.b = 1 and .8, a1.b2 = .6, a2.b1 = 0,
        # a1.a2 = 0, b1.b2 = .6.
        ("adcl", -1.8 + (0.6 + 0.0 + 0.0 + 0.6) / 2),
        (
            "dcl",
            -1.8 + (log(1 + exp(0.6)) + log(exp(0.6) + 1) + log(1 + 1) + log(2 * exp(0.6))) / 2,
        ),
        ("sdcl", -0.9 + log(2 * exp(0.6) + 2)),
    ],
)
def test_two_tracks_by_hand(name: str, expected: float) -> None:
    a = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    b = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    assert loss_of(name, temperature=1.0)(a, b).item() == pytest.approx(expected, abs=1e-6)


def test_weights_by_hand() -> None:
    """Positives 1 and .8, sigma .5: weights 2 - 2 e^2 / (e^2 + e^1.6), 2 - 2 e^1.6 / (...)."""
    a = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    b = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    first = 2 - 2 * exp(2) / (exp(2) + exp(1.6))
    expected = -(first * 1 + (2 - first) * 0.8) + 0.6
    assert first < 1
    assert loss_of("adclw", temperature=1.0)(a, b).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("n", [2, 3, 7])
@pytest.mark.parametrize("name", LOSSES)
def test_equals_the_definition(name: str, n: int) -> None:
    a, b = views(n)
    expected = written_out(name, a.tolist(), b.tolist(), T)
    assert loss_of(name)(a, b).item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", LOSSES)
def test_gradient_equals_differences(name: str) -> None:
    step, both = 1e-5, [view.requires_grad_() for view in views(6)]
    loss_of(name)(*both).backward()
    for view in both:
        for entry in range(view.numel()):
            values = []
            for sign in (1, -1):
                with torch.no_grad():
                    view.view(-1)[entry] += sign * step
                    values.append(loss_of(name)(*both).item())
                    view.view(-1)[entry] -= sign * step
            slope = (values[0] - values[1]) / (2 * step)
            assert view.grad.view(-1)[entry].item() == pytest.approx(slope, abs=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_swapping_the_views_changes_nothing(name: str) -> None:
    a, b = views(9)
    assert loss_of(name)(a, b).item() == pytest.approx(loss_of(name)(b, a).item(), abs=1e-12)
    # ... though they differ: turning one view against the other does.
    assert loss_of(name)(a, b).item() != pytest.approx(loss_of(name)(a, b.roll(1, 0)).item())


def test_the_six_differ() -> None:
    a, b = views(9)
    values = [round(loss_of(name)(a, b).item(), 6) for name in LOSSES]
    assert len(set(values)) == len(LOSSES)


@pytest.mark.parametrize("name", LOSSES)
def test_the_positive_is_not_in_the_denominator(name: str) -> None:
    """Equal, mutually orthogonal views: every negative's cosine is 0, the positive's 1."""
    a = torch.eye(4, dtype=torch.float64)
    sums = {"dcl": 2 * log(6), "sdcl": log(12), "adcl": 2 * log(3)}[name.removesuffix("w")]
    times = 1 if name.startswith("s") else 2
    assert loss_of(name)(a, a).item() == pytest.approx(sums - times / T, abs=1e-9)


@pytest.mark.parametrize("name", LOSSES)
def test_range_of_float32_at_the_lowest_temperature(name: str) -> None:
    """Negatives as far away as they can be."""
    a = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], requires_grad=True)
    value = loss_of(name, temperature=LOWEST_TEMPERATURE)(a, a.detach())
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(a.grad).all()


@pytest.mark.parametrize("name", LOSSES)
def test_training_aligns_the_views(name: str) -> None:
    a, b = (view.clone().requires_grad_() for view in views(6, dtype=torch.float32))
    optimiser = torch.optim.Adam([a, b], lr=0.05)
    for _ in range(200):
        optimiser.zero_grad()
        loss_of(name)(normalize(a), normalize(b)).backward()
        optimiser.step()
    cosines = normalize(a) @ normalize(b).T
    assert (cosines.argmax(dim=1) == torch.arange(6)).all()
    assert (cosines.argmax(dim=0) == torch.arange(6)).all()
