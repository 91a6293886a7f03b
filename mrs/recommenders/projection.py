"""Two layers from vectors to unit rows, while they are trained and once they are fitted."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from typing_extensions import override

from mrs.recommenders.factors import FittedFactors, normalise, unit_rows
from mrs.recommenders.pca import Components


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

    @override
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
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

    @override
    def encode(self, vectors: np.ndarray, artists: np.ndarray | None = None) -> np.ndarray:
        return normalise(self.outputs(vectors))

    def outputs(self, vectors: np.ndarray) -> np.ndarray:
        """What the layers make of vectors [n x width], of any length: [n x embedding_size]."""
        inputs = Components(self.mean, self.scale, self.rotation)(vectors)
        hidden = np.maximum(inputs @ self.weight_1.T + self.bias_1, 0)
        return hidden @ self.weight_2.T + self.bias_2
