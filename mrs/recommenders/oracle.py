"""The oracles of a generated world: what nobody could beat."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mrs.data.splits import Split
from mrs.recommenders.base import Fitted, History, Recommender


@dataclass(frozen=True, eq=False)
class FittedOracle(Fitted):
    """Play probabilities as track factors [N x U]; a user's factor picks out its own column."""

    probabilities: np.ndarray

    def users(self) -> np.ndarray:
        """The identity [U x U]."""
        return np.eye(len(self.history.user_ids), dtype=np.float32)

    def items(self) -> np.ndarray:
        """The probability that each user plays a train track [N x U]."""
        return self.probabilities

    def encode(self, vectors: np.ndarray, artists: np.ndarray | None = None) -> np.ndarray:
        """The probabilities of cold tracks, which are known too [M x U]."""
        return np.asarray(vectors, dtype=np.float32)


@dataclass(frozen=True)
class Oracle(Recommender):
    """The true probability that a generated listener plays a track in the test month.

    Its `vectors` are that truth, one row a track, one column a train user.
    """

    name: ClassVar[str] = "oracle"
    label: ClassVar[str] = "Oracle"
    needs: ClassVar[frozenset[str]] = frozenset({"truth"})
    stochastic: ClassVar[bool] = False

    def fit(
        self,
        split: Split,
        vectors: np.ndarray | None = None,
        *,
        backbone: Fitted | None = None,
        seed: int = 0,
    ) -> FittedOracle:
        """Take the truth as it is."""
        truth = self.read(split, vectors).astype(np.float32)
        return FittedOracle(History.of(split), None, [], truth)


@dataclass(frozen=True)
class OracleContent(Oracle):
    """The same, knowing of the tracks only what can be heard: the ceiling of content alone."""

    name: ClassVar[str] = "oracle_content"
    label: ClassVar[str] = "Oracle, content only"
