"""Training: epochs with early stopping, after which the best state is restored."""

import copy
import logging
import sys
import warnings
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp
import torch
from torch.utils.data import DataLoader, IterableDataset

from mrs.data.splits import Interactions, Split
from mrs.errors import InputError
from mrs.evaluation.metrics import Judged, evaluate
from mrs.evaluation.ranking import factor_scores, top_k
from mrs.recommenders.base import History

VALIDATION_K = 50
REPORT_AFTER = 60.0  # seconds between lines on the progress of training


class TrainedModule(torch.nn.Module):
    """A model that `train` can train: what an epoch iterates over, a loss, an optimiser, factors.

    `device` is where its parameters are while it is trained.
    """

    @abstractmethod
    def batches(self, epoch: int) -> Iterable[Any]:
        """The batches of an epoch; draws come from the module's own seeded generator."""

    @abstractmethod
    def loss(self, batch: Any) -> torch.Tensor:
        """The loss of a batch, a scalar."""

    @abstractmethod
    def optimiser(self) -> Any:
        """An optimiser, or what Lightning's configure_optimizers takes besides."""

    @abstractmethod
    def factors(self) -> tuple[np.ndarray, np.ndarray]:
        """User factors [U x d] and factors of the train tracks [N x d], float32."""

    def validation_factors(self) -> tuple[np.ndarray, np.ndarray]:
        """The same where only the validation users' rows are read."""
        return self.factors()

    def validate(self, split: Split) -> dict[str, float]:
        """The criterion of early stopping by its name, higher is better; empty: the train loss.

        Called in evaluation mode after each epoch.
        """
        if not len(split.val):
            return {}
        return {f"ndcg@{VALIDATION_K}": validation_ndcg(split, *self.validation_factors())}

    @property
    def device(self) -> torch.device:
        """The device of the parameters."""
        return next(self.parameters()).device


@dataclass(frozen=True)
class Outcome:
    """The result of a training: whether it stopped by itself, and one mapping per epoch."""

    converged: bool
    curve: list[dict[str, float]]


class Patience(Protocol):
    """The settings of every trained recommender that decide how long it is trained."""

    @property
    def label(self) -> str: ...  # noqa: D102

    @property
    def max_epochs(self) -> int: ...  # noqa: D102

    @property
    def patience(self) -> int: ...  # noqa: D102


class _Epochs(IterableDataset):
    """A module's batches as a data set, a new epoch at each iteration."""

    def __init__(self, module: TrainedModule) -> None:
        self.module = module
        self.epoch = -1

    def __iter__(self) -> Iterator[Any]:
        self.epoch += 1
        return iter(self.module.batches(self.epoch))


class _Watch:
    """Keeps the best state by `validate`, or by training loss where nothing validates."""

    def __init__(self, module: TrainedModule, split: Split, patience: int) -> None:
        self.module, self.split, self.patience = module, split, patience
        self.curve: list[dict[str, float]] = []
        self.best, self.best_epoch = -np.inf, -1
        self.state = copy.deepcopy(module.state_dict())
        self.converged = False

    def epoch_is_the_last(self, loss: float) -> bool:
        """Note an epoch's mean loss and validate; says whether to stop."""
        epoch = len(self.curve)
        self.module.eval()
        with torch.no_grad():
            found = self.module.validate(self.split)
        self.module.train()
        score = next(iter(found.values()), -loss)
        self.curve.append({"epoch": float(epoch), "loss": loss} | found)
        if not np.isfinite(loss):
            return True
        if score > self.best:
            self.best, self.best_epoch = score, epoch
            self.state = copy.deepcopy(self.module.state_dict())
        self.converged = epoch - self.best_epoch >= self.patience
        return self.converged


class _Progress:
    """Reports the progress of a long training on stderr, with an upper bound of the time left."""

    def __init__(self, label: str, max_epochs: int) -> None:
        self.label, self.max_epochs = label, max_epochs
        self.started = self.printed = monotonic()
        self.epochs = self.batch = self.n_batches = 0

    def after_batch(self) -> None:
        """Count a batch; print a line if none was printed for `REPORT_AFTER` seconds."""
        self.batch += 1
        now = monotonic()
        if now - self.printed < REPORT_AFTER:
            return
        self.printed = now
        spent = now - self.started
        text = f"{self.label}: epoch {self.epochs + 1} of at most {self.max_epochs}"
        text += f", batch {self.batch}"
        if self.n_batches:
            done = self.epochs + self.batch / self.n_batches
            left = timedelta(seconds=round(spent / done * (self.max_epochs - done)))
            text += f" of {self.n_batches}, at most {left} left"
        else:
            text += f", {spent / self.batch:.2g} s per batch"
        print(text, file=sys.stderr, flush=True)

    def after_epoch(self) -> None:
        """Count an epoch."""
        self.epochs, self.batch, self.n_batches = self.epochs + 1, 0, self.batch


def train(
    module: TrainedModule, split: Split, *, label: str, max_epochs: int, patience: int, seed: int
) -> Outcome:
    """Train a module and leave it in its best state, in evaluation mode, on the CPU.

    Stops when `validate`, the NDCG@50 of the validation pairs, has not risen for `patience`
    epochs; that is all `converged` says: the curve shows which epoch was kept, and a fit that keeps
    its first one gained nothing from more training. Where there are no such pairs the training loss
    is watched. `seed` draws dropout; the module's other draws come from its own generator. Runs on
    a GPU where there is one. What takes minutes says under its `label` how far it is, on stderr.
    """
    import lightning  # seconds to import: only where something is trained

    class Adapter(lightning.LightningModule):
        """The module as Lightning's trainer takes it."""

        def __init__(self) -> None:
            super().__init__()
            self.module = module
            self.watch = _Watch(module, split, patience)
            self.progress = _Progress(label, max_epochs)
            self.losses: list[torch.Tensor] = []

        def configure_optimizers(self) -> Any:
            return self.module.optimiser()

        def transfer_batch_to_device(self, batch: Any, device: torch.device, index: int) -> Any:
            return batch  # indices, which each module moves itself

        def training_step(self, batch: Any, batch_index: int) -> torch.Tensor:
            loss = self.module.loss(batch)
            self.losses.append(loss.detach())
            return loss

        def on_train_batch_end(self, *_: Any) -> None:
            self.progress.after_batch()

        def on_train_epoch_end(self) -> None:
            mean = float(torch.stack(self.losses).mean())
            self.losses.clear()
            self.progress.after_epoch()
            if self.watch.epoch_is_the_last(mean):
                self.trainer.should_stop = True

    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    adapter = Adapter()
    with torch.random.fork_rng(), warnings.catch_warnings(), _flushed():
        warnings.simplefilter("ignore")  # advice on data loader workers: batches are indices
        torch.manual_seed(seed)
        trainer = lightning.Trainer(
            max_epochs=max_epochs,
            accelerator="auto",
            devices=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(adapter, DataLoader(_Epochs(module), batch_size=None))
    if adapter.watch.best_epoch < 0:
        raise InputError(
            f"{label}: training diverged in its first epoch; choose a lower learning_rate"
        )
    module.load_state_dict(adapter.watch.state)
    module.to("cpu").eval()
    return Outcome(adapter.watch.converged, adapter.watch.curve)


def fit_module(
    module: TrainedModule, split: Split, settings: Patience, seed: int
) -> dict[str, Any]:
    """Train a module and return what `FittedFactors` holds, by name. See `train`."""
    outcome = train(
        module,
        split,
        label=settings.label,
        max_epochs=settings.max_epochs,
        patience=settings.patience,
        seed=seed,
    )
    with torch.no_grad():
        users, items = module.factors()
    return {
        "history": History.of(split),
        "converged": outcome.converged,
        "curve": outcome.curve,
        "user_factors": users,
        "item_factors": items,
    }


@contextmanager
def _flushed() -> Iterator[None]:
    """Subnormal numbers as zero: those of peaked softmaxes slow products down many times over.

    A state of the processor, so it is taken back: what runs later must not depend on it.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def validation_ndcg(split: Split, users: np.ndarray, items: np.ndarray) -> float:
    """Mean NDCG@50 of the validation users' held-out pairs among train tracks not played."""
    truth, tested = truth_of(split.val, split)
    return mean_ndcg(users[tested], items, truth, VALIDATION_K, seen=split.matrix[tested])


def mean_ndcg(
    users: np.ndarray,
    items: np.ndarray,
    truth: sp.csr_matrix,
    k: int,
    seen: sp.csr_matrix | None = None,
) -> float:
    """Mean NDCG at k, or at the number of items, of factors [T x d] and [C x d].

    `truth` and `seen`, which is left out of the lists, are [T x C]. Equal scores stand in the order
    of the items, not in a drawn one as in the results: this decides when to stop and nothing else.
    """
    k = min(k, len(items))
    lists = top_k(factor_scores(users, items), len(users), len(items), k, seen=seen)
    return float(evaluate(Judged.from_lists(lists, truth), ["ndcg"], [k])[f"ndcg@{k}"].mean())


def truth_of(part: Interactions, split: Split) -> tuple[sp.csr_matrix, np.ndarray]:
    """A part's hot pairs as a matrix [users with pairs x N], and those users' positions."""
    tested = np.unique(part.user)
    row, column = np.searchsorted(tested, part.user), split.column[part.track]
    ones = np.ones(len(part), dtype=np.float32)
    return sp.csr_matrix((ones, (row, column)), shape=(len(tested), len(split.warm))), tested
