"""ELSA as published (arXiv 2604.23077, elsa.py)."""

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
import torch
from typing_extensions import override

from mrs.data.splits import Split
from mrs.published.deviations.base import Deviation
from mrs.recommenders.elsa import ELSA, ELSAModule


class LibraryDefaults(ELSA):
    """The defaults of the library, which the published call did not change."""

    @override
    def module(self, matrix: sp.csr_matrix, seed: int) -> ELSAModule:
        return LastState(matrix, self, seed)


class LastState(ELSAModule):
    """Users in their own order, and the state after the last epoch."""

    n_epochs = 0

    @override
    def batches(self, epoch: int) -> Iterator[torch.Tensor]:
        self.n_epochs = epoch + 1
        return iter(torch.arange(self.matrix.shape[0]).split(self.settings.batch_size))

    @override
    def validate(self, split: Split) -> dict[str, float]:
        return {"epochs trained": float(self.n_epochs)}


class RawTable(ELSA):
    """Item factors before they are scaled to length one, which ELSA itself never uses."""

    @override
    def module(self, matrix: sp.csr_matrix, seed: int) -> ELSAModule:
        return RawTableModule(matrix, self, seed)


class RawTableModule(ELSAModule):
    """Trained and validated as ELSA is."""

    @override
    def factors(self) -> tuple[np.ndarray, np.ndarray]:
        table = self.table.detach().cpu().numpy()
        return np.asarray(self.matrix @ table, dtype=np.float32), table

    @override
    def validation_factors(self) -> tuple[np.ndarray, np.ndarray]:
        return super().factors()


DEVIATIONS = (
    Deviation(
        "library_defaults",
        of=("elsa",),
        mixin=LibraryDefaults,
        forced={"learning_rate": 0.1, "max_epochs": 10, "patience": 10},
    ),
)
