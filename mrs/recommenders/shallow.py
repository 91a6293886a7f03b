"""Shallow Net: one linear layer, shared by users and tracks, between vectors and cosine."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch.nn.functional import embedding_bag
from typing_extensions import override

from mrs.data.splits import Interactions, Split
from mrs.errors import InputError
from mrs.recommenders.base import Fitted, Recommender
from mrs.recommenders.factors import FittedFactors, mean_of_history, normalise, unit_rows
from mrs.recommenders.pca import Components, fit_components
from mrs.recommenders.sampling import Sampler
from mrs.recommenders.training import TrainedModule, fit_module
from mrs.settings import Count, LearningRate, Margin, Negatives, Width, WidthOrNone

Side = Literal["users", "tracks"]


@dataclass(frozen=True, eq=False)
class FittedShallow(FittedFactors):
    """Unit factors of users and tracks, and what makes a track's of its vector.

    `mean`, `scale` and `rotation` are those of `Components`; `weight` [d x d] and `bias` [d] of
    the linear layer.
    """

    mean: np.ndarray
    scale: np.ndarray
    rotation: np.ndarray
    weight: np.ndarray
    bias: np.ndarray

    @override
    def encode(self, vectors: np.ndarray, artists: np.ndarray | None = None) -> np.ndarray:
        components = Components(self.mean, self.scale, self.rotation)(vectors)
        return normalise(np.maximum(components @ self.weight.T + self.bias, 0))


@dataclass(frozen=True)
class HingeRecommender(Recommender):
    """What both recommenders here share: the loss, its negatives and the training.

    `negatives` says whether a pair's `n_negatives` are other users or other tracks; neither has
    played, or was played by, the pair's other half. `confidence` weights a pair by
    1 + 2 ln(1 + count) of its train plays.
    """

    margin: Margin = 0.2  #: cosine by which a played pair should win
    n_negatives: Negatives = 20  #: negatives drawn per train pair
    negatives: Side = "users"  #: half of a pair that negatives replace
    confidence: bool = False  #: whether pairs are weighted by their plays
    learning_rate: LearningRate = 1e-3  #: step size of Adam
    batch_size: Count = 10_000  #: train pairs per batch
    max_epochs: Count = 100  #: upper bound of epochs, passes over the train part
    patience: Count = 16  #: epochs without a better validation before training stops

    def sampler(self, met: sp.csr_matrix, **options: Any) -> "Sampler":
        """What draws negatives; see `Sampler`."""
        return Sampler(met, **options)

    def module(self, split: Split, seed: int) -> "ShallowModule":
        """The module that `fit` trains."""
        return ShallowModule(split, self, seed)


@dataclass(frozen=True)
class Shallow(HingeRecommender):
    """Cosine of relu(W v + b) of user and track vectors (arXiv 2409.08987, 2604.23077).

    One layer serves both sides. Tracks start at `n_components` principal components of their
    vectors (none: the standardised vectors whole), users at the mean of what they played; which
    of the two tables is trained beside the layer is set by `train_users` and `train_items`: as
    the papers describe it, users are trained and tracks are not. An epoch is one pass over the
    train pairs; the loss is `hinge_loss`.
    """

    name: ClassVar[str] = "shallow"
    label: ClassVar[str] = "Shallow Net"
    needs: ClassVar[frozenset[str]] = frozenset({"vectors"})
    version: ClassVar[int] = 2

    n_components: WidthOrNone = 128  #: principal components of the vectors; none: all dimensions
    train_users: bool = True  #: whether the users' vectors are trained
    train_items: bool = False  #: whether the tracks' vectors are trained

    @override
    def fit(
        self,
        split: Split,
        vectors: np.ndarray | None = None,
        *,
        backbone: Fitted | None = None,
        seed: int,
    ) -> FittedShallow:
        vectors = self.check_vectors(split, vectors)
        components = self.components(vectors)
        items = components(vectors)
        users = mean_of_history(split.matrix, items)
        module = self.module(split, seed)
        module.set_tables(users, items, self.train_users, self.train_items)
        return FittedShallow(
            **fit_module(module, split, self, seed),
            **vars(components),
            weight=module.linear.weight.detach().numpy(),
            bias=module.linear.bias.detach().numpy(),
        )

    def components(self, vectors: np.ndarray) -> Components:
        """The map of vectors to inputs, fitted to those of the train tracks."""
        return fit_components(vectors, self.n_components)


@dataclass(frozen=True)
class ShallowIds(HingeRecommender):
    """Shallow Net without audio: both tables start at random and are trained (arXiv 2409.08987).

    There the random start was a baseline with one table frozen, which leaves nothing to learn
    from; here both are trained.
    """

    name: ClassVar[str] = "shallow_ids"
    label: ClassVar[str] = "Shallow Net, random start"
    scenarios: ClassVar[tuple[str, ...]] = ("hot",)
    train_users: ClassVar[bool] = True

    embedding_size: Width = 128  #: dimensions of a factor

    @override
    def fit(
        self,
        split: Split,
        vectors: np.ndarray | None = None,
        *,
        backbone: Fitted | None = None,
        seed: int,
    ) -> FittedFactors:
        generator = np.random.default_rng([seed, 1])
        spread = self.embedding_size**-0.5
        users, items = (
            generator.normal(0, spread, (n, self.embedding_size)).astype(np.float32)
            for n in split.matrix.shape
        )
        module = self.module(split, seed)
        module.set_tables(users, items, train_users=self.train_users, train_items=True)
        return FittedFactors(**fit_module(module, split, self, seed))


class Batch(NamedTuple):
    """Pairs as an anchor, whose negatives are drawn, and the other side.

    `anchor` [B]; `others` [B x (1 + n_negatives)], the pair's other half first; `order`, which
    sorts the flattened `others`; `weight` [B].
    """

    anchor: torch.Tensor
    others: torch.Tensor
    order: torch.Tensor
    weight: torch.Tensor


class ShallowModule(TrainedModule):
    """Tables of users and tracks, the layer that both go through, and the batches of an epoch."""

    def __init__(self, split: Split, settings: HingeRecommender, seed: int) -> None:
        super().__init__()
        self.settings = settings
        self.generator = np.random.default_rng(seed)
        met = split.matrix.T.tocsr() if settings.negatives == "users" else split.matrix
        self.sampler = settings.sampler(met)
        self.anchor, self.other = self.sides(split.train, split)
        self.weight = confidence(
            split.train.count if settings.confidence else None, len(split.train)
        )
        self.pairs = np.flatnonzero(self.sampler.has_negatives[self.anchor])
        if not len(self.pairs):
            other = "tracks" if settings.negatives == "users" else "users"
            raise InputError(
                f"{settings.label}: no train pair has negative {settings.negatives}: all of them "
                f"met; set negatives to {other}"
            )

    def sides(self, part: Interactions, split: Split) -> tuple[np.ndarray, np.ndarray]:
        """Pairs as anchors, whose negatives are drawn, and the others."""
        user, track = part.user.astype(np.int64), split.column[part.track].astype(np.int64)
        return (track, user) if self.settings.negatives == "users" else (user, track)

    def set_tables(
        self, users: np.ndarray, items: np.ndarray, train_users: bool, train_items: bool
    ) -> None:
        """Start at these vectors [U x d] and [N x d]; those not trained stay as they are."""
        size = users.shape[1]
        self.users = torch.nn.Parameter(torch.from_numpy(users), requires_grad=train_users)
        self.items = torch.nn.Parameter(torch.from_numpy(items), requires_grad=train_items)
        self.linear = torch.nn.utils.skip_init(torch.nn.Linear, size, size)
        with torch.no_grad():
            for part in (self.linear.weight, self.linear.bias):
                start = self.generator.uniform(-(size**-0.5), size**-0.5, part.shape)
                part.copy_(torch.from_numpy(start))

    @override
    def optimiser(self) -> Any:
        trained = [part for part in self.parameters() if part.requires_grad]
        return torch.optim.Adam(trained, lr=self.settings.learning_rate, fused=True)

    @override
    def batches(self, epoch: int) -> Iterator[Batch]:
        order = self.generator.permutation(self.pairs)
        for start in range(0, len(order), self.settings.batch_size):
            yield self.batch(order[start : start + self.settings.batch_size])

    def batch(self, pairs: np.ndarray) -> Batch:
        """Some of the train pairs with newly drawn negatives."""
        sides = self.anchor[pairs], self.other[pairs], self.weight[pairs]
        return self.batch_of(*sides, self.generator)

    def batch_of(
        self,
        anchor: np.ndarray,
        other: np.ndarray,
        weight: np.ndarray,
        generator: np.random.Generator,
    ) -> Batch:
        """Pairs with newly drawn negatives, sorted by anchor, which searches read faster."""
        by_anchor = np.argsort(anchor, kind="stable")
        anchor, other, weight = anchor[by_anchor], other[by_anchor], weight[by_anchor]
        negatives = self.sampler.draw(anchor, self.settings.n_negatives, generator)
        others = np.hstack([other[:, None], negatives])
        order = sorting(others.ravel(), self.sampler.n_others)
        parts = (anchor, others, order, weight)
        return Batch(*(torch.from_numpy(part) for part in parts))

    @override
    def loss(self, batch: Batch) -> torch.Tensor:
        anchor, others, order, weight = (part.to(self.device) for part in batch)
        tables = (self.items, self.users)
        if self.settings.negatives == "tracks":
            tables = (self.users, self.items)
        (rows, row), (columns, column) = (
            self.transform_distinct(table, wanted)
            for table, wanted in zip(tables, (anchor, others), strict=True)
        )
        return hinge_loss(dots(rows[row], columns, column, order), self.settings.margin, weight)

    def transform(self, rows: torch.Tensor) -> torch.Tensor:
        """The layer's output as unit vectors."""
        return unit_rows(torch.relu(self.linear(rows)))

    def transform_distinct(
        self, table: torch.Tensor, wanted: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The table's wanted rows, each transformed once, and where each of `wanted` is there."""
        used = torch.zeros(len(table), dtype=torch.bool, device=table.device)
        used[wanted] = True
        place = used.cumsum(0) - 1
        return self.transform(table[used]), place[wanted]

    @override
    def factors(self) -> tuple[np.ndarray, np.ndarray]:
        with torch.no_grad():
            users, items = self.transform(self.users), self.transform(self.items)
        return users.cpu().numpy(), items.cpu().numpy()


def confidence(count: np.ndarray | None, n: int) -> np.ndarray:
    """Weights of n pairs, float32: 1 + 2 ln(1 + count), or ones without counts."""
    if count is None:
        return np.ones(n, dtype=np.float32)
    return (1 + 2 * np.log1p(count)).astype(np.float32)


def hinge_loss(scores: torch.Tensor, margin: float, weight: torch.Tensor) -> torch.Tensor:
    """Mean of weight * max(0, margin - positive + negative) over pairs and their negatives.

    `scores` [B x (1 + n_negatives)] with the positive's first; `weight` [B].
    """
    hinge = torch.relu(margin - scores[:, :1] + scores[:, 1:])
    return (weight[:, None] * hinge).mean()


def sorting(values: np.ndarray, n: int) -> np.ndarray:
    """A stable argsort of integers below n, in linear time."""
    places = np.arange(len(values))
    return sp.csr_matrix((places, values, [0, len(values)]), shape=(1, n)).tocsc().data


def dots(
    rows: torch.Tensor, table: torch.Tensor, columns: torch.Tensor, order: torch.Tensor
) -> torch.Tensor:
    """Dot products of rows [B x d] with table[columns] [B x n x d]: [B x n].

    `order` sorts the flattened columns. The B x n x d array is never made, forwards or backwards:
    at 10,000 pairs with 20 negatives moving it would take most of a step's time.
    """
    if columns.shape[1] > len(table):  # torch's sampled product takes no fuller rows
        return (rows @ table.T).gather(1, columns)
    return _Dots.apply(rows, table, columns, order)


class _Dots(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(*inputs)
        rows, table, columns, _ = inputs
        n, width = columns.shape
        starts = torch.arange(0, n * width + 1, width, device=rows.device)
        zeros = torch.zeros(n * width, device=rows.device)
        wanted = torch.sparse_csr_tensor(starts, columns.flatten(), zeros, (n, len(table)))
        return torch.sparse.sampled_addmm(wanted, rows, table.T).values().view(n, width)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        rows, table, columns, order = ctx.saved_tensors
        to_rows = embedding_bag(columns, table, per_sample_weights=gradient, mode="sum")
        count = columns.flatten().bincount(minlength=len(table))
        to_table = embedding_bag(
            order // columns.shape[1],
            rows,
            count.cumsum(0) - count,
            per_sample_weights=gradient.flatten()[order],
            mode="sum",
        )
        return to_rows, to_table, None, None
