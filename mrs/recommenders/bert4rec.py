"""BERT4Rec: a transformer reads the history and fills in what comes next."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from typing_extensions import override

from mrs.data.splits import Interactions, Split
from mrs.errors import InputError
from mrs.recommenders.base import Fitted, Recommender
from mrs.recommenders.encoder import Encoder, sampled_softmax_loss, softmax_loss
from mrs.recommenders.factors import FittedFactors
from mrs.recommenders.pca import fit_components
from mrs.recommenders.training import TrainedModule, fit_module
from mrs.settings import Count, Dropout, Few, InnerShare, LearningRate, Width, WidthOrNone, Window

POOL = 8  # batches whose users are sorted by the length of their history
INFERENCE_PLAYS = 1 << 14  # plays encoded at a time where nothing is trained, padding included


@dataclass(frozen=True, eq=False)
class FittedBERT4Rec(FittedFactors):
    """With the affine map of vectors to factors: `offset` [width], `projection` [width x d]."""

    offset: np.ndarray
    projection: np.ndarray

    @override
    def encode(self, vectors: np.ndarray, artists: np.ndarray | None = None) -> np.ndarray:
        return (vectors - self.offset) @ self.projection


@dataclass(frozen=True)
class SequenceRecommender(Recommender):
    """Hyper-parameters that both share; those of the encoder are the papers' (2604.23077)."""

    version: ClassVar[int] = 3

    embedding_size: Width = 64  #: dimensions of a factor
    n_layers: Few = 2  #: layers of the encoder
    n_heads: Few = 2  #: heads of its attention, a divisor of embedding_size
    feedforward_size: Width = 256  #: width inside its feed-forward networks
    max_length: Window = 300  #: places of the window of recent tracks, the mask included
    dropout: Dropout = 0.1  #: probability of dropout on what the encoder reads and adds
    mask_probability: InnerShare = 0.2  #: share of a history that is hidden in training
    softmax: Literal["full", "sampled"] = "full"  # over all train tracks or some
    n_negatives: Count = 1024  #: tracks drawn per batch with softmax "sampled"
    learning_rate: LearningRate = 0.001  #: step size of Adam
    batch_size: Count = 128  #: users per batch
    max_epochs: Count = 100  #: upper bound of epochs, passes over the train part
    patience: Count = 10  #: epochs without a better validation before training stops

    @override
    def contradiction(self) -> str:
        if self.embedding_size % self.n_heads:
            return f"n_heads={self.n_heads}: choose a divisor of embedding_size"
        return ""

    def train(self, items: "Items", split: Split, seed: int) -> dict[str, Any]:
        """Train a table of items with an encoder; returns the fields of `FittedFactors`."""
        return fit_module(self.module(items, split, seed), split, self, seed)

    def module(self, items: "Items", split: Split, seed: int) -> "SequenceModule":
        """The module that `fit` trains."""
        return SequenceModule(items, split, self, seed)

    @property
    def prediction_length(self) -> int:
        """Places of the window that is read for a prediction, the mask's own included."""
        return self.max_length


@dataclass(frozen=True)
class BERT4Rec(SequenceRecommender):
    """BERT4Rec (Sun et al., 2019) on audio vectors, as in arXiv 2409.08987 and 2604.23077.

    A track's factor is a learned projection of `n_components` principal components of its vector
    (None: of the standardised vector); a user's is the encoder's output at a mask after the
    `max_length` - 1 most recent tracks, in the order of their first plays. Training hides a share
    `mask_probability` of a history (rounded, at least one track and never all) and takes the
    cross entropy of the hidden tracks among all train tracks, or with `softmax` "sampled" among
    `n_negatives` of them.

    Stated departures from the papers: pre-norm layers; a window of a longer history that is drawn
    anew each epoch; and, with `residual`, an offset of its own for each train track beside the
    projection, which a cold track lacks.
    """

    name: ClassVar[str] = "bert4rec"
    label: ClassVar[str] = "BERT4Rec"
    needs: ClassVar[frozenset[str]] = frozenset({"vectors", "order"})

    n_components: WidthOrNone = 128  #: principal components of the vectors; none: all dimensions
    residual: bool = True  #: whether each train track has an offset of its own

    @override
    def fit(
        self,
        split: Split,
        vectors: np.ndarray | None = None,
        *,
        backbone: Fitted | None = None,
        seed: int,
    ) -> FittedBERT4Rec:
        vectors = self.check_vectors(split, vectors)
        components = fit_components(vectors, self.n_components)
        items = ContentItems(components(vectors), self, seed)
        trained = self.train(items, split, seed)
        weight = items.projection.detach().numpy()
        if components.rotation.size:
            weight = components.rotation @ weight
        return FittedBERT4Rec(
            **trained, offset=components.mean, projection=components.scale[:, None] * weight
        )


@dataclass(frozen=True)
class BERT4RecIds(SequenceRecommender):
    """BERT4Rec without audio: its item table starts at random (arXiv 2409.08987)."""

    name: ClassVar[str] = "bert4rec_ids"
    label: ClassVar[str] = "BERT4Rec without audio"
    needs: ClassVar[frozenset[str]] = frozenset({"order"})
    scenarios: ClassVar[tuple[str, ...]] = ("hot",)

    @override
    def fit(
        self,
        split: Split,
        vectors: np.ndarray | None = None,
        *,
        backbone: Fitted | None = None,
        seed: int,
    ) -> FittedFactors:
        items = OwnItems(len(split.warm), self, seed)
        return FittedFactors(**self.train(items, split, seed))


class Items(nn.Module):
    """The train tracks' factors [N x d]: what the encoder reads, and what it is compared with."""

    def start(self, n_rows: int, settings: SequenceRecommender, seed: int) -> nn.Parameter:
        """Random rows with entries of about 0.1."""
        generator = torch.Generator().manual_seed(seed)
        return nn.Parameter(0.1 * torch.randn(n_rows, settings.embedding_size, generator=generator))


class ContentItems(Items):
    """Components of the vectors [N x c], projected, and with `residual` an offset per track."""

    components: torch.Tensor

    def __init__(self, components: np.ndarray, settings: BERT4Rec, seed: int) -> None:
        super().__init__()
        # Rows are of about unit length, so a track's entries start at about 0.1 as well.
        self.register_buffer("components", torch.from_numpy(components), persistent=False)
        self.projection = self.start(components.shape[1], settings, seed)
        zeros = torch.zeros(len(components), settings.embedding_size)
        self.residual = nn.Parameter(zeros) if settings.residual else None

    @override
    def forward(self) -> torch.Tensor:
        projected = self.components @ self.projection
        return projected if self.residual is None else projected + self.residual


class OwnItems(Items):
    """Rows of their own, random at first."""

    def __init__(self, n_items: int, settings: BERT4RecIds, seed: int) -> None:
        super().__init__()
        self.table = self.start(n_items, settings, seed)

    @override
    def forward(self) -> torch.Tensor:
        return self.table


class SequenceModule(TrainedModule):
    """A table of items and an encoder, trained on the plays that it hides from itself."""

    def __init__(
        self, items: Items, split: Split, settings: SequenceRecommender, seed: int
    ) -> None:
        super().__init__()
        self.items, self.settings = items, settings
        self.plays = Histories(split.train, split.column, len(split.users))
        self.trainable = torch.from_numpy(np.flatnonzero(self.plays.length > 1))
        if not len(self.trainable):
            raise InputError(f"{settings.label}: no user has two train tracks; add plays")
        self.validated = np.unique(split.val.user)
        self.generator = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.encoder = Encoder(
                settings.embedding_size,
                max_length=settings.max_length,
                n_layers=settings.n_layers,
                n_heads=settings.n_heads,
                feedforward_size=settings.feedforward_size,
                dropout=settings.dropout,
            )

    @override
    def optimiser(self) -> Any:
        rate = self.settings.learning_rate
        return torch.optim.Adam(self.parameters(), lr=rate, fused=True)

    @override
    def batches(self, epoch: int) -> Iterator[torch.Tensor]:
        """Each user once, in batches of nearly equal size and of similar lengths.

        A random order is cut into pools of about `POOL` batches. Each pool is sorted by length and
        split, so that little is padding, and the batches of all pools come in a random order.
        """
        order = self.trainable[torch.randperm(len(self.trainable), generator=self.generator)]
        n_batches = -(-len(order) // self.settings.batch_size)
        length = self.plays.length[order.numpy()].clip(max=self.settings.max_length)
        pool = np.arange(len(order)) * n_batches // (POOL * len(order))
        batches = order[np.lexsort((length, pool))].tensor_split(n_batches)
        shuffled = torch.randperm(n_batches, generator=self.generator)
        return (batches[place] for place in shuffled.tolist())

    @override
    def loss(self, batch: torch.Tensor) -> torch.Tensor:
        return self.masked_loss(batch, self.plays, self.generator)

    def masked_loss(
        self, users: torch.Tensor, plays: "Histories", generator: torch.Generator
    ) -> torch.Tensor:
        """The loss of some users' windows in these histories."""
        tracks, padding = plays.windows(users.numpy(), self.settings.max_length, generator)
        wanted, kept = draw_masked(padding, self.settings.mask_probability, generator)
        masked = torch.zeros_like(padding).scatter_(1, wanted, kept)
        targets = tracks.gather(1, wanted)[kept].to(self.device)
        items = self.items()
        vectors = self._encode(items, tracks, padding, masked, wanted)[kept.to(self.device)]
        if self.settings.softmax == "full":
            return softmax_loss(vectors, items, targets)
        drawn = torch.randperm(len(items), generator=generator)[: self.settings.n_negatives]
        return sampled_softmax_loss(vectors, items, targets, drawn.to(self.device))

    @override
    def factors(self) -> tuple[np.ndarray, np.ndarray]:
        return self.encode_users(np.arange(len(self.plays.length))).numpy(), self._table()

    @override
    def validation_factors(self) -> tuple[np.ndarray, np.ndarray]:
        users = np.zeros((len(self.plays.length), self.settings.embedding_size), dtype=np.float32)
        users[self.validated] = self.encode_users(self.validated).numpy()
        return users, self._table()

    def _table(self) -> np.ndarray:
        return self.items().cpu().numpy()

    def encode_users(self, users: np.ndarray) -> torch.Tensor:
        """Factors [n x d] of users: the encoder's output at the mask after the recent history.

        Users are taken in the order of the length of their history, so that little is padding.
        """
        recent = self.settings.prediction_length - 1
        factors = torch.empty(len(users), self.settings.embedding_size)
        order = np.argsort(self.plays.length[users], kind="stable")
        items = self.items()
        for block in np.array_split(order, -(-len(order) * (recent + 1) // INFERENCE_PLAYS)):
            tracks, padding = self.plays.windows(users[block], recent)
            tracks, padding = (functional.pad(rows, (0, 1)) for rows in (tracks, padding))
            masked = torch.zeros_like(padding)
            masked[:, -1] = True
            wanted = torch.full((len(block), 1), tracks.shape[1] - 1)
            encoded = self._encode(items, tracks, padding, masked, wanted)
            factors[torch.from_numpy(block)] = encoded[:, 0].cpu()
        return factors

    def _encode(
        self,
        items: torch.Tensor,
        tracks: torch.Tensor,
        padding: torch.Tensor,
        masked: torch.Tensor,
        wanted: torch.Tensor,
    ) -> torch.Tensor:
        history = functional.embedding(tracks.to(self.device), items)
        padding, masked, wanted = (part.to(self.device) for part in (padding, masked, wanted))
        return self.encoder(history, padding=padding, masked=masked, wanted=wanted)


class Histories:
    """Each user's train tracks as columns of the item table, in the order of their first plays.

    `column` is that of each track, as in `Split.column`.
    """

    def __init__(self, train: Interactions, column: np.ndarray, n_users: int) -> None:
        self.column = torch.from_numpy(column[train.track].astype(np.int64))
        self.length = np.bincount(train.user, minlength=n_users)
        self.end = np.cumsum(self.length)

    def windows(
        self, users: np.ndarray, max_length: int, generator: torch.Generator | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Up to `max_length` successive tracks of each user: the most recent, or drawn.

        Returns columns [B x L], oldest first and padded on the left with 0, and where padding is
        (bool [B x L]); L is the longest of the windows.
        """
        length, end = self.length[users], self.end[users]
        if generator is not None:
            share = torch.rand(len(users), generator=generator).numpy()
            end = end - (share * np.maximum(length - max_length + 1, 1)).astype(np.int64)
        width = min(max_length, int(length.max()))
        place = end[:, None] - np.arange(width, 0, -1)
        padding = torch.from_numpy(place < (self.end[users] - length)[:, None])
        columns = self.column[torch.from_numpy(np.maximum(place, 0))]
        return columns.masked_fill(padding, 0), padding


def draw_masked(
    padding: torch.Tensor, mask_probability: float, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw the positions to hide in histories [B x L] of at least two tracks.

    Exactly round(mask_probability * n) of a history's n positions, at least one, never all.
    Returns positions [B x M] and which of them count (bool [B x M]): M is the most of a history.
    """
    n = (~padding).sum(dim=1, keepdim=True)
    n_masked = torch.minimum((mask_probability * n).round().long().clamp_min(1), n - 1)
    noise = torch.rand(padding.shape, generator=generator).masked_fill(padding, 2.0)
    wanted = noise.argsort(dim=1)[:, : int(n_masked.max())]
    return wanted, torch.arange(wanted.shape[1]) < n_masked
