"""ELSA: a shallow linear autoencoder of listening, the collaborative backbone."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
import torch
from typing_extensions import override

from mrs.data.splits import Split
from mrs.recommenders.base import Fitted, Recommender
from mrs.recommenders.factors import FittedFactors, unit_rows
from mrs.recommenders.training import TrainedModule, fit_module
from mrs.settings import Count, LearningRate, Width


@dataclass(frozen=True)
class ELSA(Recommender):
    """The history x becomes x A A^T - x, with rows of A of length one (Vancura et al., 2022).

    Trained on the normalised squared error between it and x over batches of users (ELSA's
    NMSE loss; `recsys-elsa`). A user's factor is x A, a track's its row of A. The loss is computed
    without a users x tracks array: with p = x A and n = |x|^2, <o, x> = |p|^2 - n and
    |o|^2 = p (A^T A) p^T - 2 |p|^2 + n for o = x A A^T - x, and the squared distance of unit
    vectors is 2 - 2 cos(o, x).
    """

    name: ClassVar[str] = "elsa"
    label: ClassVar[str] = "ELSA"
    scenarios: ClassVar[tuple[str, ...]] = ("hot",)
    version: ClassVar[int] = 2

    embedding_size: Width = 128  #: dimensions of a factor
    learning_rate: LearningRate = 0.02  #: step size of NAdam
    batch_size: Count = 128  #: users per batch
    max_epochs: Count = 60  #: upper bound of epochs, passes over the train part
    patience: Count = 5  #: epochs without a better validation before training stops

    @override
    def fit(
        self,
        split: Split,
        vectors: np.ndarray | None = None,
        *,
        backbone: Fitted | None = None,
        seed: int,
    ) -> FittedFactors:
        module = self.module(split.matrix, seed)
        return FittedFactors(**fit_module(module, split, self, seed))

    def module(self, matrix: sp.csr_matrix, seed: int) -> "ELSAModule":
        """The module that `fit` trains."""
        return ELSAModule(matrix, self, seed)


class ELSAModule(TrainedModule):
    """one row per track, trained on batches of histories."""

    def __init__(self, matrix: sp.csr_matrix, settings: ELSA, seed: int) -> None:
        super().__init__()
        self.matrix, self.settings = matrix, settings
        self.generator = torch.Generator().manual_seed(seed)
        start = torch.randn(matrix.shape[1], settings.embedding_size, generator=self.generator)
        self.table = torch.nn.Parameter(unit_rows(start))

    @override
    def optimiser(self) -> Any:
        return torch.optim.NAdam(self.parameters(), lr=self.settings.learning_rate)

    @override
    def batches(self, epoch: int) -> Iterator[torch.Tensor]:
        order = torch.randperm(self.matrix.shape[0], generator=self.generator)
        return iter(order.split(self.settings.batch_size))

    def items(self) -> torch.Tensor:
        """The rows of A [N x d], of length one."""
        return unit_rows(self.table)

    @override
    def loss(self, batch: torch.Tensor) -> torch.Tensor:
        return reconstruction_loss(
            as_torch(self.matrix[batch.numpy()]).to(self.device), self.items()
        )

    @override
    def factors(self) -> tuple[np.ndarray, np.ndarray]:
        items = self.items().detach().cpu().numpy()
        return np.asarray(self.matrix @ items, dtype=np.float32), items


def as_torch(rows: sp.csr_matrix) -> torch.Tensor:
    """A sparse matrix as a torch CSR tensor."""
    return torch.sparse_csr_tensor(
        torch.from_numpy(rows.indptr.astype(np.int64)),
        torch.from_numpy(rows.indices.astype(np.int64)),
        torch.from_numpy(rows.data),
        size=rows.shape,
    )


def reconstruction_loss(history: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
    """Mean squared distance of x A A^T - x and x as unit vectors; history x is sparse [B x N]."""
    played = history.crow_indices().diff().to(items.dtype)
    if len(history) < items.shape[1]:
        square, whole = _Squares.apply(history, items)
    else:  # the cheaper order of |p A^T|^2 for p = x A
        profile = history @ items
        square = (profile**2).sum(dim=1)
        whole = ((profile @ (items.T @ items)) * profile).sum(dim=1)
    length = whole - 2 * square + played
    cosine = (square - played) / (length.clamp_min(1e-12) * played.clamp_min(1e-12)).sqrt()
    return (2 - 2 * cosine).mean()


class _Squares(torch.autograd.Function):
    """|p|^2 and |p A^T|^2 [B] of p = x A for fewer users than dimensions.

    A is then far larger than all else, and its gradient is added up in one array: an array for
    each use of A, made and added, takes as long as the products.
    """

    @staticmethod
    def forward(
        ctx: Any, history: torch.Tensor, items: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        profile = history @ items
        image = profile @ items.T
        ctx.history = history
        ctx.save_for_backward(items, profile, image)
        return profile.square().sum(dim=1), image.square().sum(dim=1)

    @staticmethod
    def backward(ctx: Any, by_square: torch.Tensor, by_whole: torch.Tensor) -> Any:
        items, profile, image = ctx.saved_tensors
        slope = image * (2 * by_whole[:, None])
        of_profile = (slope @ items).addcmul_(profile, by_square[:, None], value=2)
        played = ctx.history.t().to_sparse_csr()
        return None, (slope.T @ profile).addmm_(played, of_profile)
