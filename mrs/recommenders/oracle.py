"""The oracles of a generated world: what nobody could beat."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from typing_extensions import override

from mrs.data.splits import Split
from mrs.recommenders.base import Fitted, History, Recommender


@dataclass(frozen=True, eq=False)
class FittedOracle(Fitted):
    """Play probabilities as track factors [N x U]; a user's factor picks out its own column."""

    probabilities: np.ndarray

    @override
    def users(self) -> np.ndarray:
        return np.eye(len(self.history.user_ids), dtype=np.float32)

    @override
    def items(self) -> np.ndarray:
        return self.probabilities

    @override
    def encode(self, vectors: np.ndarray, artists: np.ndarray | None = None) -> np.ndarray:
        return np.asarray(vectors, dtype=np.float32)


@dataclass(frozen=True)
class Oracle(Recommender):
    """The true probability that a generated listener plays a track in the test month.

    Its `vectors` are that truth, one row per track, one column a train user.
    """

    name: ClassVar[str] = "oracle"
    label: ClassVar[str] = "Oracle"
    needs: ClassVar[frozenset[str]] = frozenset({"truth"})
    stochastic: ClassVar[bool] = False

    @override
    def fit(
        self,
        split: Split,
        vectors: np.ndarray | None = None,
        *,
        backbone: Fitted | None = None,
        seed: int = 0,
    ) -> FittedOracle:
        truth = self.check_vectors(split, vectors).astype(np.float32)
        return FittedOracle(History.of(split), None, [], truth)


@dataclass(frozen=True)
class OracleContent(Oracle):
    """The same, knowing only the audible traits of the tracks: the ceiling of content alone."""

    name: ClassVar[str] = "oracle_content"
    label: ClassVar[str] = "Oracle, content only"
