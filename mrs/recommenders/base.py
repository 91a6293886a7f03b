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
from mrs.evaluation.ranking import factor_scores, top_k
from mrs.settings import Settings


@dataclass(frozen=True, eq=False)
class History:
    """Who was there in train and what they played: raw ids [U] and [N], float32 ones [U x N]."""

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

    `converged` is None where nothing is trained iteratively; `curve` holds one mapping an epoch.
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
        """Factors of tracks never seen, float32 [M x d], from their vectors [M x width].

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
        known = {user: row for row, user in enumerate(self.history.user_ids.tolist())}
        rows = [_lookup(known, user, "user") for user in np.asarray(users).tolist()]
        seen: sp.csr_matrix | None = None
        if vectors is not None:
            if candidates is None or len(candidates) != len(vectors):
                raise InputError("recommend: give one candidate id a row of vectors")
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

    `needs` names what `fit` reads beside the plays: "vectors", "truth" (a generated world's play
    probabilities), "backbone", "artists", "order". `scenarios` are those that it can answer.
    `stochastic` says whether the seed changes the result. `ties` says that many tracks have equal
    scores by construction; their order is drawn with the seed and not the dataset's fixed one.
    `stops_on_cold` says that cold validation tracks, where a split has them, stop the fit.
    `version` is raised when results change. Recommenders of one `family` share a fit, from which
    each takes its own by `read_out`. `protocol` names what is followed of published code, and
    `deviations` its single departures; see `mrs.published.deviations`.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    needs: ClassVar[frozenset[str]] = frozenset()
    scenarios: ClassVar[tuple[str, ...]] = ("hot", "cold")
    stochastic: ClassVar[bool] = True
    ties: ClassVar[bool] = False
    stops_on_cold: ClassVar[bool] = False
    version: ClassVar[int] = 1
    family: ClassVar[str] = ""  # its own name where it is empty
    protocol: ClassVar[str] = "corrected"
    deviations: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def title(cls) -> str:
        """Whose hyper-parameters these are, in errors."""
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
        """Fit to a split's train part.

        `vectors` are those of the tracks that `reads` names.
        """

    def reads(self, split: Split) -> np.ndarray:
        """Positions of the tracks whose vectors `fit` takes, in this order.

        `split.warm`, the train tracks, and after them the cold validation tracks where these
        decide when to stop. Cold tracks take no part in any fit.
        """
        if self.stops_on_cold and len(split.validation_tracks):
            return np.concatenate([split.warm, split.validation_tracks])
        return split.warm

    def read_out(self, fitted: Fitted) -> Fitted:
        """What this recommender is, of a fit that its family shares."""
        return fitted

    def read(self, split: Split, vectors: np.ndarray | None) -> np.ndarray:
        """The vectors that `fit` needs. Raises `InputError` without one a track of `reads`."""
        wanted = self.reads(split)
        if vectors is None or len(vectors) != len(wanted):
            given = "none" if vectors is None else f"{len(vectors)} rows"
            rows, tracks = "`split.warm`", "train tracks"
            if wanted is not split.warm:
                rows, tracks = "`reads(split)`", "tracks that it reads"
            raise InputError(
                f"{self.label}: needs a vector for each of the {len(wanted)} {tracks}, "
                f"got {given}; pass the rows of {rows}"
            )
        return vectors

    def backbone_from(self, model: "Recommender") -> "Recommender | FixedEpochs":
        """How a `model` is trained that this recommender builds on: as it is by itself."""
        return model

    def checked(self, split: Split, backbone: Fitted | None) -> Fitted:
        """The backbone. Raises `InputError` where it is not one of the same train tracks."""
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

    It is fitted to the split without its validation pairs, so that a model of implicit takes all
    `epochs`, and ELSA stops before only where its training loss does.
    """

    model: Recommender
    epochs: int

    def fit(self, split: Split, *, seed: int) -> Fitted:
        """Train from a random start drawn with `seed`."""
        fixed = replace(self.model, max_epochs=self.epochs)  # type: ignore[type-var]
        return fixed.fit(split.without_validation(), seed=seed)


def normalise(rows: np.ndarray) -> np.ndarray:
    """Rows scaled to length one, as float32; rows of zeros stay zero."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, length, out=np.zeros_like(rows), where=length > 0).astype(np.float32)


def _lookup(known: dict[Any, int], key: Any, what: str) -> int:
    if key not in known:
        raise InputError(f"recommend: {what} {key} is unknown")
    return known[key]


def _are_arrays(values: dict[str, Any]) -> bool:
    return all(isinstance(value, np.ndarray) for value in values.values())


def _storable(ids: np.ndarray) -> np.ndarray:
    """Ids of strings as fixed-width text, which needs no pickle."""
    return ids.astype(str) if ids.dtype == object else ids
