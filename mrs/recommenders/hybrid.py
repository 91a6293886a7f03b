"""Hybrid: ELSA whose item matrix is computed from the vectors, so that new tracks have rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
import torch
from typing_extensions import override

from mrs.data.splits import Split
from mrs.recommenders.base import Fitted, Recommender
from mrs.recommenders.elsa import as_torch, reconstruction_loss
from mrs.recommenders.pca import Components, unit_components
from mrs.recommenders.projection import FittedProjection, Projection
from mrs.recommenders.training import TrainedModule, fit_module
from mrs.settings import Count, LearningRate, Width, WidthOrNone


@dataclass(frozen=True)
class Hybrid(Recommender):
    """ELSA on content: x becomes x A A^T - x with A = normalise(MLP(vectors)).

    The hybrid of arXiv 2604.23077 (its code's `hybrid`): Linear, ReLU, Linear of `hidden_size`,
    trained by ELSA's loss over batches of users (see `mrs.recommenders.elsa`). Departures: A has
    rows for the train tracks alone while it is trained, and a cold track is encoded afterwards;
    the vectors are read as principal components; held-out interactions decide when to stop.
    A user's factor is x A.
    """

    name: ClassVar[str] = "hybrid"
    label: ClassVar[str] = "Hybrid"
    needs: ClassVar[frozenset[str]] = frozenset({"vectors"})
    version: ClassVar[int] = 2

    hidden_size: Width = 768  #: width of both layers, and dimensions of a factor
    n_components: WidthOrNone = 128  #: principal components of the vectors; none: all dimensions
    learning_rate: LearningRate = 0.01  #: step size of Adam
    batch_size: Count = 128  #: users per batch
    max_epochs: Count = 200  #: upper bound of epochs, passes over the train part
    patience: Count = 16  #: epochs without a better validation before training stops

    @override
    def fit(
        self,
        split: Split,
        vectors: np.ndarray | None = None,
        *,
        backbone: Fitted | None = None,
        seed: int,
    ) -> FittedProjection:
        vectors = self.check_vectors(split, vectors)
        components = self.components(vectors)
        module = self.module(split.matrix, components(vectors), seed)
        trained = fit_module(module, split, self, seed)
        return FittedProjection(**trained, **vars(components), **module.projection.arrays())

    def components(self, vectors: np.ndarray) -> Components:
        """The map of vectors to inputs, fitted to those of the train tracks."""
        return unit_components(vectors, self.n_components)

    def module(self, matrix: sp.csr_matrix, inputs: np.ndarray, seed: int) -> "HybridModule":
        """The module that `fit` trains."""
        return HybridModule(matrix, inputs, self, seed)


class HybridModule(TrainedModule):
    """The item side over all train tracks, trained on batches of histories."""

    def __init__(
        self, matrix: sp.csr_matrix, inputs: np.ndarray, settings: Hybrid, seed: int
    ) -> None:
        super().__init__()
        self.matrix, self.settings = matrix, settings
        self.generator = torch.Generator().manual_seed(seed)
        size = settings.hidden_size
        self.projection = Projection(inputs.shape[1], size, size, self.generator)
        self.register_buffer("inputs", torch.from_numpy(inputs), persistent=False)

    @override
    def optimiser(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=self.settings.learning_rate)

    @override
    def batches(self, epoch: int) -> Iterator[torch.Tensor]:
        order = torch.randperm(self.matrix.shape[0], generator=self.generator)
        return iter(order.split(self.settings.batch_size))

    @override
    def loss(self, batch: torch.Tensor) -> torch.Tensor:
        history = as_torch(self.matrix[batch.numpy()]).to(self.device)
        return reconstruction_loss(history, self.projection(self.inputs))

    @override
    def factors(self) -> tuple[np.ndarray, np.ndarray]:
        with torch.no_grad():
            items = self.projection(self.inputs).cpu().numpy()
        return np.asarray(self.matrix @ items, dtype=np.float32), items
