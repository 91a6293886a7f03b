"""Hybrid as published (arXiv 2604.23077, train_hybrid.py)."""

import numpy as np
import scipy.sparse as sp
from typing_extensions import override

from mrs.data.splits import Split
from mrs.published.deviations.base import Deviation
from mrs.recommenders.elsa import as_torch, reconstruction_loss
from mrs.recommenders.hybrid import Hybrid, HybridModule
from mrs.recommenders.training import truth_of


class SelfValidation(Hybrid):
    """Held-out pairs are reconstructed from themselves, not predicted from the history."""

    @override
    def module(self, matrix: sp.csr_matrix, inputs: np.ndarray, seed: int) -> HybridModule:
        return SelfValidated(matrix, inputs, self, seed)


class SelfValidated(HybridModule):
    """Validates by ELSA's loss of the validation users' held-out rows."""

    @override
    def validate(self, split: Split) -> dict[str, float]:
        if not len(split.val):
            return {}
        rows, _ = truth_of(split.val, split)
        items = self.projection(self.inputs)
        size = self.settings.batch_size
        losses = [
            float(reconstruction_loss(as_torch(rows[start : start + size]).to(self.device), items))
            for start in range(0, rows.shape[0], size)
        ]
        return {"minus validation loss": -float(np.mean(losses))}


DEVIATIONS = (Deviation("self_validation", of=("hybrid",), mixin=SelfValidation),)
