"""Hybrid: ELSA whose item matrix is computed from the vectors, so that new tracks have rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
import torch

from mrs.data.splits import Split
from mrs.recommenders.base import Fitted, Recommender, normalise
from mrs.recommenders.content import Components, fit_components
from mrs.recommenders.elsa import FittedFactors, as_torch, reconstruction_loss
from mrs.recommenders.rows import unit_rows
from mrs.recommenders.training import TrainedModule, fit_module
from mrs.settings import Count, LearningRate, Width, WidthOrNone


class Projection(torch.nn.Module):
    """Linear, ReLU, Linear, then length one: [n x n_inputs] -> [n x embedding_size]."""

    def __init__(
        self, n_inputs: int, hidden_size: int, embedding_size: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            _linear(n_inputs, hidden_size, generator),
            torch.nn.ReLU(),
            _linear(hidden_size, embedding_size, generator),
        )

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Unit rows."""
        return unit_rows(self.layers(inputs))

    def arrays(self) -> dict[str, Any]:
        """The parameters under the names of `FittedProjection`'s fields."""
        parts = zip(("weight_1", "bias_1", "weight_2", "bias_2"), self.parameters(), strict=True)
        return {name: part.detach().cpu().numpy().copy() for name, part in parts}


def _linear(n_inputs: int, n_outputs: int, generator: torch.Generator) -> torch.nn.Linear:
    """A linear layer with torch's usual random start, drawn from the generator."""
    layer = torch.nn.utils.skip_init(torch.nn.Linear, n_inputs, n_outputs)
    for part in layer.parameters():
        torch.nn.init.uniform_(part, -(n_inputs**-0.5), n_inputs**-0.5, generator=generator)
    return layer


@dataclass(frozen=True, eq=False)
class FittedProjection(FittedFactors):
    """Factors, and the map from vectors to the items' side of them.

    First the components' `mean`, `scale` and `rotation`, then the two layers' `weight_1`
    [hidden x n_components], `bias_1`, `weight_2` [embedding_size x hidden] and `bias_2`.
    """

    mean: np.ndarray
    scale: np.ndarray
    rotation: np.ndarray
    weight_1: np.ndarray
    bias_1: np.ndarray
    weight_2: np.ndarray
    bias_2: np.ndarray

    def encode(self, vectors: np.ndarray, artists: np.ndarray | None = None) -> np.ndarray:
        """New tracks' vectors through the trained layers, length one."""
        return normalise(self.outputs(vectors))

    def outputs(self, vectors: np.ndarray) -> np.ndarray:
        """What the layers make of vectors [n x width], of any length: [n x embedding_size]."""
        inputs = Components(self.mean, self.scale, self.rotation)(vectors)
        hidden = np.maximum(inputs @ self.weight_1.T + self.bias_1, 0)
        return hidden @ self.weight_2.T + self.bias_2


def unit_components(vectors: np.ndarray, n_components: int | None) -> Components:
    """Components of the train tracks' vectors with entries of mean square one.

    That is the scale of inputs for which linear layers' usual random start is meant.
    """
    parts = fit_components(vectors, n_components)
    if parts.rotation.size:
        root = np.float32(np.sqrt(parts.rotation.shape[1]))
        return Components(parts.mean, parts.scale, parts.rotation * root)
    root = np.float32(np.sqrt(len(parts.scale)))
    return Components(parts.mean, parts.scale * root, parts.rotation)


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

    hidden_size: Width = 768  # width of both layers, and numbers of a factor
    n_components: WidthOrNone = 128  # principal components of the vectors
    learning_rate: LearningRate = 0.01  # step of Adam
    batch_size: Count = 128  # users of a batch
    max_epochs: Count = 200  # most epochs, passes over the train part
    patience: Count = 16  # epochs without a better validation before training stops

    def fit(
        self,
        split: Split,
        vectors: np.ndarray | None = None,
        *,
        backbone: Fitted | None = None,
        seed: int,
    ) -> FittedProjection:
        """Train from a random start drawn with `seed`."""
        vectors = self.read(split, vectors)
        components = self.components(vectors)
        module = self.module(split.matrix, components(vectors), seed)
        trained = fit_module(module, split, self, seed)
        return FittedProjection(**trained, **vars(components), **module.projection.arrays())

    def components(self, vectors: np.ndarray) -> Components:
        """How vectors are read."""
        return unit_components(vectors, self.n_components)

    def module(self, matrix: sp.csr_matrix, inputs: np.ndarray, seed: int) -> "HybridModule":
        """What is trained."""
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

    def optimiser(self) -> Any:
        """Adam."""
        return torch.optim.Adam(self.parameters(), lr=self.settings.learning_rate)

    def batches(self, epoch: int) -> Iterator[torch.Tensor]:
        """Positions of users, each once an epoch."""
        order = torch.randperm(self.matrix.shape[0], generator=self.generator)
        return iter(order.split(self.settings.batch_size))

    def loss(self, batch: torch.Tensor) -> torch.Tensor:
        """ELSA's loss of the batch's histories."""
        history = as_torch(self.matrix[batch.numpy()]).to(self.device)
        return reconstruction_loss(history, self.projection(self.inputs))

    def factors(self) -> tuple[np.ndarray, np.ndarray]:
        """x A of every user, and A."""
        with torch.no_grad():
            items = self.projection(self.inputs).cpu().numpy()
        return np.asarray(self.matrix @ items, dtype=np.float32), items
