"""The ranking task of each scenario, and a recommender's top lists for it."""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp

from mrs.data.dataset import Dataset
from mrs.data.splits import Interactions, Split
from mrs.errors import InputError
from mrs.evaluation.ranking import factor_scores, top_k
from mrs.recommenders import Fitted
from mrs.study.spec import SLICES

# Test users, candidates, truth and seen candidates, as `candidates_and_truth` returns them.
Task = tuple[np.ndarray, np.ndarray, sp.csr_matrix, sp.csr_matrix | None]
# From positions of tracks [n] to their rows, float32 [n x width].
ReadVectors = Callable[[np.ndarray], np.ndarray]


def candidates_and_truth(dataset: Dataset, split: Split, scenario: str) -> Task:
    """The ranking task of a scenario: all that distinguishes hot, cold and the slices of cold.

    Returns the test users' positions [T], the candidates' track positions in the order in which
    ties are broken [C], the truth [T x C] without tracks that the user played in train, and the
    candidates that the user played in train [T x C] (None in the cold scenario). A slice has the
    candidates of the whole and a part of its truth. Users with no truth left are left out.
    """
    hot = scenario == "hot"
    test: Interactions = split.hot_test if hot else split.cold_test
    pool = split.warm if hot else split.cold
    rank = np.empty(len(dataset.tie_order), dtype=np.int64)
    rank[dataset.tie_order] = np.arange(len(rank))
    candidates = pool[np.argsort(rank[pool])]
    column = np.full(len(split.tracks), -1)
    column[candidates] = np.arange(len(candidates))
    chosen = slice_rows(split, scenario) if scenario in SLICES else np.ones(len(test), dtype=bool)
    users, row = np.unique(test.user[chosen], return_inverse=True)
    ones = np.ones(len(row), dtype=np.float32)
    shape = (len(users), len(candidates))
    truth = sp.csr_matrix((ones, (row, column[test.track[chosen]])), shape=shape)
    seen = None
    if hot:
        seen = split.matrix[users][:, split.column[candidates]]
        truth = (truth - truth.multiply(seen)).tocsr()
        truth.eliminate_zeros()
        left = np.flatnonzero(np.diff(truth.indptr))
        if len(left) < len(users):
            users, truth, seen = users[left], truth[left], seen[left]
    if not len(users):
        split.refuse_without_test()
        raise InputError(f"split {split.name}: has no {scenario} test rows; choose another one")
    return users, candidates, truth, seen


def slice_rows(split: Split, scenario: str) -> np.ndarray:
    """Which rows of the cold test belong to a slice [rows]; each row belongs to one slice.

    "cold/unknown_artist": no track of the artist was played in train, or the artist is not known.
    The others divide by whether the user played the artist in train: "cold/exploit" where they
    did, "cold/discovery" where they did not.
    """
    test = split.cold_test
    known = split.known_artist[test.track]
    if scenario == "cold/unknown_artist":
        return ~known
    played = split.plays_artist(test.user, test.track)
    return known & (played if scenario == "cold/exploit" else ~played)


class Ranker:
    """A fitted recommender's top lists: a scenario is ranked once, and its slices share the lists.

    `vectors` reads a row per track, None where the recommender reads none. Equal scores are ranked
    in the dataset's fixed order, or in one drawn with `tie_seed` where it is given.
    """

    def __init__(
        self,
        dataset: Dataset,
        split: Split,
        fitted: Fitted,
        vectors: ReadVectors | None,
        tie_seed: int | None = None,
    ) -> None:
        self.dataset, self.split, self.fitted, self.vectors = dataset, split, fitted, vectors
        self.tie_seed = tie_seed
        self._tasks: dict[str, Task] = {}
        self._ranked: dict[tuple[str, int], tuple[np.ndarray, np.ndarray]] = {}

    def task(self, scenario: str) -> Task:
        """The result of `candidates_and_truth`, computed once per scenario."""
        if scenario not in self._tasks:
            self._tasks[scenario] = candidates_and_truth(self.dataset, self.split, scenario)
        return self._tasks[scenario]

    def new_items(self, tracks: np.ndarray) -> np.ndarray:
        """Factors of tracks that train has not seen, by their positions [M x d]."""
        unread = np.empty((len(tracks), 0), dtype=np.float32)
        artists = None if self.split.artists is None else self.split.artists[tracks]
        return self.fitted.encode(unread if self.vectors is None else self.vectors(tracks), artists)

    def lists(self, scenario: str, depth: int) -> tuple[np.ndarray, np.ndarray]:
        """Test users of "hot" or "cold" [T] and their best candidates' columns [T x depth]."""
        if (scenario, depth) not in self._ranked:
            users, candidates, _, seen = self.task(scenario)
            if scenario == "hot":
                items = self.fitted.items()[self.split.column[candidates]]
            else:
                items = self.new_items(candidates)
            order = None if self.tie_seed is None else self._drawn_order(candidates)
            if order is not None:
                items, seen = items[order], None if seen is None else seen[:, order]
            factors = self.fitted.users()[users]
            if not (np.isfinite(factors).all() and np.isfinite(items).all()):
                raise InputError(
                    f"{type(self.fitted).__name__}: the fit ended in factors that are not finite "
                    "numbers; choose a smaller learning_rate"
                )
            scores = factor_scores(factors, items)
            lists = top_k(scores, len(users), len(candidates), depth, seen=seen)
            if order is not None:
                lists = np.where(lists >= 0, order.astype(lists.dtype)[lists], -1)
            padding = np.full((len(users), depth - lists.shape[1]), -1, dtype=lists.dtype)
            self._ranked[scenario, depth] = users, np.hstack([lists, padding])
        return self._ranked[scenario, depth]

    def _drawn_order(self, candidates: np.ndarray) -> np.ndarray:
        """The candidates' columns in an order drawn with `tie_seed` [C]."""
        assert self.tie_seed is not None
        rank = np.argsort(self.dataset.drawn_tie_order(self.tie_seed))
        return np.argsort(rank[candidates])
