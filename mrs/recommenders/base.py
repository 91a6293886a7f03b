"""The recommender contract: history and vectors in, factors out, score = dot product."""

import json
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
import scipy.sparse as sp

from mrs.data.splits import Split
from mrs.errors import InputError
from mrs.settings import Settings


@dataclass(frozen=True, eq=False)
class History:
    """The train plays: raw ids of users [U] and tracks [N], and float32 ones [U x N]."""

    user_ids: np.ndarray
    track_ids: np.ndarray
    matrix: sp.csr_matrix

    @classmethod
    def of(cls, split: Split) -> Self:
        """The train part of a split."""
        return cls(split.users, split.tracks[split.warm], split.matrix)


@dataclass(frozen=True, eq=False)
class Fitted(ABC):
    """A fitted recommender. A subclass adds its arrays, or mappings of them, as further fields.

    `converged` is None where nothing is trained iteratively; `curve` holds one mapping per epoch.
    """

    history: History
    converged: bool | None
    curve: list[dict[str, float]]

    @abstractmethod
    def users(self) -> np.ndarray:
        """User factors, float32 [U x d], in the order of `Split.users`."""

    @abstractmethod
    def items(self) -> np.ndarray:
        """Factors of the train tracks, float32 [N x d], in the order of `Split.warm`."""

    def encode(self, vectors: np.ndarray, artists: np.ndarray | None = None) -> np.ndarray:
        """Factors of tracks unseen in train, float32 [M x d], from their vectors [M x width].

        A recommender that reads no vectors takes an M x 0 array. `artists` are their artists'
        codes [M] as in `Split.artists`, -1 where unknown; most recommenders do not read them.
        """
        raise InputError(f"{type(self).__name__}: cannot represent tracks that train has not seen")

    def recommend(
        self,
        users: list | np.ndarray,
        k: int,
        candidates: list | np.ndarray | None = None,
        vectors: np.ndarray | None = None,
        artists: np.ndarray | None = None,
    ) -> pl.DataFrame:
        """The best k tracks for each user, their own history left out.

        `users` and `candidates` are raw ids; None means every train track. With `vectors`
        [len(candidates) x width] the candidates are new tracks, encoded from them and, where a
        recommender reads those, their `artists`. Returns user_id, rank (from 1), track_id, score;
        equal scores keep the candidates' order.
        """
        from mrs.evaluation.ranking import factor_scores, top_k  # torch takes a second to import

        known = {user: row for row, user in enumerate(self.history.user_ids.tolist())}
        rows = [_lookup(known, user, "user") for user in np.asarray(users).tolist()]
        seen: sp.csr_matrix | None = None
        if vectors is not None:
            if candidates is None or len(candidates) != len(vectors):
                raise InputError("recommend: give one candidate id per row of vectors")
            ids, items = np.asarray(candidates), self.encode(vectors, artists)
        else:
            ids, items, seen = self.history.track_ids, self.items(), self.history.matrix[rows]
            if candidates is not None:
                place = {track: row for row, track in enumerate(ids.tolist())}
                wanted = np.asarray(candidates).tolist()
                columns = [_lookup(place, track, "train track") for track in wanted]
                ids, items, seen = ids[columns], items[columns], seen[:, columns]
        score = factor_scores(self.users()[rows], items)
        top = top_k(score, len(rows), len(ids), k, seen=seen)
        user, rank = np.nonzero(top >= 0)
        column = top[user, rank]
        scores = np.einsum("nd,nd->n", self.users()[np.asarray(rows)[user]], items[column])
        return pl.DataFrame(
            {
                "user_id": np.asarray(users)[user],
                "rank": rank + 1,
                "track_id": ids[column],
                "score": scores,
            }
        )

    def save(self, folder: str | Path) -> None:
        """Write the fitted recommender to a folder: arrays as .npz, the rest as JSON."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, np.ndarray] = {
            "history.user_ids": _storable(self.history.user_ids),
            "history.track_ids": _storable(self.history.track_ids),
            "history.indices": self.history.matrix.indices,
            "history.indptr": self.history.matrix.indptr,
        }
        rest: dict[str, Any] = {"class": type(self).__name__}
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, np.ndarray):
                arrays[entry.name] = _storable(value)
            elif value and isinstance(value, dict) and _are_arrays(value):
                arrays |= {f"{entry.name}.{key}": array for key, array in value.items()}
            elif entry.name != "history":
                rest[entry.name] = value
        np.savez(folder / "arrays.npz", allow_pickle=False, **arrays)
        (folder / "fitted.json").write_text(json.dumps(rest, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read what `save` wrote. Raises `InputError` for another class or a damaged folder."""
        folder = Path(folder)
        try:
            rest = json.loads((folder / "fitted.json").read_text(encoding="utf-8"))
            with np.load(folder / "arrays.npz", allow_pickle=False) as stored:
                arrays = dict(stored)
        except (OSError, ValueError) as error:
            raise InputError(f"{folder}: no saved recommender ({error}); save it again") from error
        if rest.pop("class") != cls.__name__:
            raise InputError(f"{folder}: holds another recommender than {cls.__name__}")
        indices, indptr = arrays.pop("history.indices"), arrays.pop("history.indptr")
        users, tracks = arrays.pop("history.user_ids"), arrays.pop("history.track_ids")
        ones = np.ones(len(indices), dtype=np.float32)
        matrix = sp.csr_matrix((ones, indices, indptr), shape=(len(users), len(tracks)))
        parts: dict[str, Any] = {}
        for name, array in arrays.items():
            entry, dot, key = name.partition(".")
            if dot:
                parts.setdefault(entry, {})[key] = array
            else:
                parts[name] = array
        return cls(history=History(users, tracks, matrix), **parts, **rest)


class Recommender(Settings, ABC):
    """Hyper-parameters of a recommender; subclasses are frozen dataclasses.

    What is said of a recommender elsewhere stands in its card, see `mrs.recommenders.cards`.
    """

    name: ClassVar[str]  #: in commands, study files and keys
    label: ClassVar[str]  #: in tables and figures
    #: What `fit` reads beside the plays: "vectors", "backbone", "artists", "order" (of the plays),
    #: "truth" (the play probabilities of a generated world).
    needs: ClassVar[frozenset[str]] = frozenset()
    scenarios: ClassVar[tuple[str, ...]] = ("hot", "cold")  #: that it can answer
    stochastic: ClassVar[bool] = True  #: whether the seed changes the result
    #: Whether many tracks have equal scores by construction: their order is then drawn with the
    #: seed of the run and is not the dataset's fixed one.
    ties: ClassVar[bool] = False
    #: Whether cold validation tracks, where a split has them, stop the fit.
    stops_on_cold: ClassVar[bool] = False
    version: ClassVar[int] = 1  #: raised when results change
    #: Recommenders of one family share a fit, see `member_of_family`; empty: it has its own.
    family: ClassVar[str] = ""
    protocol: ClassVar[str] = "corrected"  #: what is followed of published code
    #: Single departures that are followed; see `mrs.published.deviations`.
    deviations: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def title(cls) -> str:
        """The owner of the hyper-parameters, as errors name it."""
        return f"recommender {cls.name}"

    @abstractmethod
    def fit(
        self,
        split: Split,
        vectors: np.ndarray | None = None,
        *,
        backbone: Fitted | None = None,
        seed: int,
    ) -> Fitted:
        """Fit to the train part of a split.

        `vectors` [n x width] are those of the n tracks of `tracks_needed`, in its order. `backbone`
        is fitted to the same split. Every random draw comes from `seed`. Raises `InputError`
        where something that it `needs` is missing, and where training diverges.
        """

    def tracks_needed(self, split: Split) -> np.ndarray:
        """Positions [n] of the tracks whose vectors `fit` takes, in this order.

        They are the train tracks, `split.warm`, and after them the cold validation tracks where
        these decide when to stop. Other cold tracks take no part in any fit.
        """
        if self.stops_on_cold and len(split.validation_tracks):
            return np.concatenate([split.warm, split.validation_tracks])
        return split.warm

    def member_of_family(self, fitted: Fitted) -> Fitted:
        """This recommender's fit, from the fit that its family shares."""
        return fitted

    def check_vectors(self, split: Split, vectors: np.ndarray | None) -> np.ndarray:
        """The vectors; raises `InputError` unless there is a row per track of `tracks_needed`."""
        wanted = self.tracks_needed(split)
        if vectors is None or len(vectors) != len(wanted):
            given = "none" if vectors is None else f"{len(vectors)} rows"
            rows, tracks = "`split.warm`", "train tracks"
            if wanted is not split.warm:
                rows, tracks = "`tracks_needed(split)`", "tracks that it reads"
            raise InputError(
                f"{self.label}: needs a vector for each of the {len(wanted)} {tracks}, "
                f"got {given}; pass the rows of {rows}"
            )
        return vectors

    def backbone_trainer(self, model: "Recommender") -> "Recommender | FixedEpochs":
        """The object whose `fit` trains the backbone `model`; by default the model itself."""
        return model

    def check_backbone(self, split: Split, backbone: Fitted | None) -> Fitted:
        """The backbone; raises `InputError` unless it is fitted to the same train tracks."""
        if backbone is None or len(backbone.items()) != len(split.warm):
            raise InputError(
                f"{self.label}: needs a backbone fitted to the same {len(split.warm)} train tracks"
            )
        return backbone

    def settings(self) -> dict[str, Any]:
        """The hyper-parameters by name."""
        return asdict(self)  # type: ignore[call-overload]


@dataclass(frozen=True)
class FixedEpochs:
    """A model that is trained for a number of epochs without early stopping.

    It is fitted to the split without its validation pairs. A model of implicit then takes all
    `epochs`; ELSA stops earlier only where its training loss no longer falls.
    """

    model: Recommender
    epochs: int

    def fit(self, split: Split, *, seed: int) -> Fitted:
        """Train from a random start drawn with `seed`."""
        fixed = replace(self.model, max_epochs=self.epochs)  # type: ignore[type-var]
        return fixed.fit(split.without_validation(), seed=seed)


def _lookup(known: dict[Any, int], key: Any, what: str) -> int:
    if key not in known:
        raise InputError(f"recommend: {what} {key} is unknown")
    return known[key]


def _are_arrays(values: dict[str, Any]) -> bool:
    return all(isinstance(value, np.ndarray) for value in values.values())


def _storable(ids: np.ndarray) -> np.ndarray:
    """Ids of strings as fixed-width text, which needs no pickle."""
    return ids.astype(str) if ids.dtype == object else ids
