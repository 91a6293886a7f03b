from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from recommenders.conformance import N_USERS, N_WARM, checkerboard, pairs

from mrs.data.splits import Split
from mrs.recommenders import training
from mrs.recommenders.training import TrainedModule, train, truth_of, validation_ndcg


class Scripted(TrainedModule):
    """A module whose losses and validation (the held-out track first or second) are scripted."""

    def __init__(self, losses: list[float], good: list[bool]) -> None:
        super().__init__()
        self.losses, self.good, self.epoch = losses, good, -1
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def optimiser(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=1.0)

    def batches(self, epoch: int) -> Iterator[int]:
        self.epoch = epoch
        return iter([epoch, epoch])

    def loss(self, batch: int) -> torch.Tensor:
        return self.losses[batch] - self.weight * 0.5  # the weight grows by one an epoch

    def factors(self) -> tuple[np.ndarray, np.ndarray]:
        items = np.eye(N_WARM, dtype=np.float32)
        wanted = np.full((N_USERS, N_WARM), -1.0, dtype=np.float32)
        wanted[:, 0 if self.good[self.epoch] else 2] = 1
        wanted[:, 2 if self.good[self.epoch] else 0] = 0
        return wanted, items


def validated() -> Split:
    """User 1 plays odd columns; column 0 is held out for validation."""
    split = checkerboard()
    return Split(**{**split.__dict__, "val": pairs(np.array([1]), split.warm[[0]])})


def test_the_best_state_is_restored_and_patience_counts() -> None:
    module = Scripted([5.0] * 20, [False, False, True] + [False] * 17)
    outcome = train(module, validated(), label="Scripted", max_epochs=20, patience=4, seed=0)
    assert outcome.converged
    assert len(outcome.curve) == 3 + 4
    assert float(module.weight.detach()) == pytest.approx(3)
    scores = [row["ndcg@50"] for row in outcome.curve]
    assert scores[2] > scores[1] == scores[3]


def test_the_last_epoch_means_not_converged() -> None:
    outcome = train(
        Scripted([1.0] * 3, [True] * 3),
        validated(),
        label="Scripted",
        max_epochs=3,
        patience=9,
        seed=0,
    )
    assert (outcome.converged, len(outcome.curve)) == (False, 3)


def test_without_validation_pairs_the_loss_is_watched() -> None:
    losses = [3.0, 2.0, 9.0, 9.0, 9.0, 9.0]
    module = Scripted(losses, [True] * 6)
    outcome = train(module, checkerboard(), label="Scripted", max_epochs=6, patience=2, seed=0)
    assert (outcome.converged, len(outcome.curve)) == (True, 4)
    assert float(module.weight.detach()) == pytest.approx(2)


def test_a_loss_that_is_no_number_stops() -> None:
    module = Scripted([1.0, float("nan"), 1.0], [True] * 3)
    outcome = train(module, checkerboard(), label="Scripted", max_epochs=3, patience=5, seed=0)
    assert (outcome.converged, len(outcome.curve)) == (False, 2)


def test_training_leaves_the_processor_as_it_was() -> None:
    before = torch.random.get_rng_state()
    train(
        Scripted([1.0], [True]), checkerboard(), label="Scripted", max_epochs=1, patience=1, seed=0
    )
    assert np.float32(1e-40) * np.float32(1) != 0
    assert torch.equal(torch.random.get_rng_state(), before)


def test_validation_ndcg() -> None:
    split = validated()
    items = np.eye(N_WARM, dtype=np.float32)
    users = np.zeros((N_USERS, N_WARM), dtype=np.float32)
    users[1, 0] = 1
    assert validation_ndcg(split, users, items) == pytest.approx(1)
    users[1, 2] = 2
    assert validation_ndcg(split, users, items) == pytest.approx(1 / np.log2(3))
    truth, tested = truth_of(split.val, split)
    assert (truth.toarray().tolist(), tested.tolist()) == ([[1.0] + [0.0] * 15], [1])


def test_what_takes_minutes_says_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """Two batches an epoch, twenty seconds a batch each: a line after three."""
    seconds = iter(range(0, 1000, 20))
    monkeypatch.setattr(training, "monotonic", lambda: next(seconds))
    module = Scripted([1.0] * 5, [True] * 5)
    train(module, checkerboard(), label="Scripted", max_epochs=5, patience=9, seed=0)
    assert capsys.readouterr().err.splitlines() == [
        "Scripted: epoch 2 of at most 5, batch 1 of 2, at most 0:02:20 left",
        "Scripted: epoch 3 of at most 5, batch 2 of 2, at most 0:01:20 left",
        "Scripted: epoch 5 of at most 5, batch 1 of 2, at most 0:00:20 left",
    ]


def test_what_takes_seconds_says_nothing(capsys: pytest.CaptureFixture) -> None:
    module = Scripted([1.0] * 2, [True] * 2)
    train(module, checkerboard(), label="Scripted", max_epochs=2, patience=9, seed=0)
    assert capsys.readouterr().err == ""
