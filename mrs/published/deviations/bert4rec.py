"""BERT4Rec as published (arXiv 2409.08987 and 2604.23077, train_bert.py and bert4rec.py)."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn
from typing_extensions import override

from mrs.data.splits import Split
from mrs.published.deviations.base import Deviation
from mrs.recommenders.base import Fitted
from mrs.recommenders.bert4rec import (
    BERT4Rec,
    Histories,
    Items,
    SequenceModule,
    SequenceRecommender,
)
from mrs.recommenders.factors import FittedFactors

SHORT, WHOLE = 50, 300  # places read at prediction and in training


@dataclass(frozen=True, eq=False)
class FittedTied(FittedFactors):
    """A new track's factor is its vector."""

    @override
    def encode(self, vectors: np.ndarray, artists: np.ndarray | None = None) -> np.ndarray:
        return np.asarray(vectors, dtype=np.float32)


class TiedItems(Items):
    """Rows that start at the vectors and are trained."""

    def __init__(self, vectors: np.ndarray) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.from_numpy(vectors.astype(np.float32)))

    @override
    def forward(self) -> torch.Tensor:
        return self.table


class TiedRawVectors(BERT4Rec):
    """Raw vectors are the item table at input and output, trained, without projections.

    The encoder is as wide as the vectors, whatever `embedding_size` says. Raises `InputError`
    where `n_heads` does not divide that width.
    """

    @override
    def fit(  # type: ignore[override]
        self,
        split: Split,
        vectors: np.ndarray | None = None,
        *,
        backbone: Fitted | None = None,
        seed: int,
    ) -> FittedTied:
        vectors = self.check_vectors(split, vectors)
        as_wide = replace(self, embedding_size=vectors.shape[1])
        return FittedTied(**as_wide.train(TiedItems(vectors), split, seed))

    @override
    def module(self, items: Items, split: Split, seed: int) -> SequenceModule:
        built = super().module(items, split, seed)
        built.encoder.projection_out = nn.Identity()
        return built


class MaskedValidation(BERT4Rec):
    """The masked loss of the held-out pairs alone decides when to stop."""

    @override
    def module(self, items: Items, split: Split, seed: int) -> SequenceModule:
        return MaskedValidated(items, split, self, seed)


class MaskedValidated(SequenceModule):
    """Hides tracks among a validation user's held-out ones; the train history is not read."""

    def __init__(
        self, items: Items, split: Split, settings: SequenceRecommender, seed: int
    ) -> None:
        super().__init__(items, split, settings, seed)
        self.held_out = Histories(split.val, split.column, len(split.users))
        self.validation_generator = torch.Generator().manual_seed(seed)

    @override
    def validate(self, split: Split) -> dict[str, float]:
        users = torch.from_numpy(np.flatnonzero(self.held_out.length > 1))
        if not len(users):
            return {}
        losses = [
            float(self.masked_loss(batch, self.held_out, self.validation_generator))
            for batch in users.split(self.settings.batch_size)
        ]
        return {"minus validation loss": -float(np.mean(losses))}


class ShortPrediction(BERT4Rec):
    """Trained on windows of 300 places, predicts from one of 50 with the mask at its end."""

    @property
    @override
    def prediction_length(self) -> int:
        return max(2, round(self.max_length * SHORT / WHOLE))


DEVIATIONS = (
    Deviation(
        "tied_raw_vectors",
        of=("bert4rec",),
        mixin=TiedRawVectors,
        forced={"n_components": None, "residual": False},
    ),
    Deviation("masked_validation", of=("bert4rec",), mixin=MaskedValidation),
    Deviation("short_prediction", of=("bert4rec",), mixin=ShortPrediction),
)
