"""ELSA as published (arXiv 2604.23077, elsa.py)."""

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
import torch

from mrs.data.splits import Split
from mrs.published.deviations.base import Deviation
from mrs.recommenders.elsa import ELSA, ELSAModule


class LibraryDefaults(ELSA):
    """What the library does unless told otherwise, which the published call left it at."""

    def module(self, matrix: sp.csr_matrix, seed: int) -> ELSAModule:
        """A module that neither shuffles nor selects."""
        return LastState(matrix, self, seed)


class LastState(ELSAModule):
    """Users in their own order, and the state after the last epoch."""

    n_epochs = 0

    def batches(self, epoch: int) -> Iterator[torch.Tensor]:
        """Positions of users in ascending order."""
        self.n_epochs = epoch + 1
        return iter(torch.arange(self.matrix.shape[0]).split(self.settings.batch_size))

    def validate(self, split: Split) -> dict[str, float]:
        """The number of epochs, so that the last one is the best."""
        return {"epochs trained": float(self.n_epochs)}


class RawTable(ELSA):
    """Item factors before they are scaled to length one, which ELSA itself never uses."""

    def module(self, matrix: sp.csr_matrix, seed: int) -> ELSAModule:
        """A module that hands out its table."""
        return RawTableModule(matrix, self, seed)


class RawTableModule(ELSAModule):
    """Trained and validated as ELSA is."""

    def factors(self) -> tuple[np.ndarray, np.ndarray]:
        """x W of every user, and W."""
        table = self.table.detach().cpu().numpy()
        return np.asarray(self.matrix @ table, dtype=np.float32), table

    def validation_factors(self) -> tuple[np.ndarray, np.ndarray]:
        """Those of ELSA."""
        return super().factors()


DEVIATIONS = (
    Deviation(
        "library_defaults",
        "learning rate 0.1 in place of the 0.01 in the run's name, 10 epochs, users not shuffled",
        of=("elsa",),
        mixin=LibraryDefaults,
        forced={"learning_rate": 0.1, "max_epochs": 10, "patience": 10},
    ),
)
