"""What the cold-start models share: fixed targets, held-out tracks, the map from a new track."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
import torch
from torch import nn
from typing_extensions import override

from mrs.data.splits import Split
from mrs.errors import InputError
from mrs.recommenders.backbones import Backbone
from mrs.recommenders.base import Fitted, FixedEpochs, Recommender
from mrs.recommenders.coldstart.catalogues import Catalogues
from mrs.recommenders.factors import FittedFactors
from mrs.recommenders.held_out import HeldOut
from mrs.recommenders.pca import Components, unit_components
from mrs.recommenders.training import TrainedModule, fit_module
from mrs.settings import Count, LearningRate, Penalty, WidthOrNone

HELD_OUT_SHARE = 0.05
ROWS_AT_ONCE = 8192  # new tracks that go through a network together, which bounds memory


@dataclass(frozen=True, eq=False)
class FittedColdStart(FittedFactors):
    """Factors of users and train tracks, and whose the train tracks are.

    `factors` [N x d] are the backbone's, `artist` [N] the code of each train track's artist (-1
    where unknown) and `artist_ids` the raw id of each code, empty where the split had none.
    """

    factors: np.ndarray
    artist: np.ndarray
    artist_ids: np.ndarray

    @cached_property
    def catalogues(self) -> Catalogues:
        """The train tracks by artist."""
        return Catalogues(self.artist)

    def codes(self, artists: np.ndarray | None, n_tracks: int) -> np.ndarray:
        """The artists' codes [M]. Raises `InputError` without one a track."""
        if artists is None or len(artists) != n_tracks:
            given = "none" if artists is None else f"{len(artists)}"
            raise InputError(
                f"{type(self).__name__}: needs the artist of each of {n_tracks} new tracks, got "
                f"{given}; give their codes, -1 where unknown"
            )
        return np.asarray(artists)


@dataclass(frozen=True)
class ColdStart(Recommender):
    """Factors for new tracks in the space of a `backbone`, which stays as it is.

    The backbone's users score the new tracks; its factors of the train tracks are the targets.
    Factors of BPR hold a bias in their last column (1 for users): it is a target like the others,
    so that the dot product keeps it.

    The backbone is trained for `backbone_epochs`, whatever held-out interactions say: these are
    few, hot and of light users, and where they stop it decides how much a track's factor holds
    of its artist. Longer training moves lists from discovery to exploit.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"vectors", "backbone"})
    scenarios: ClassVar[tuple[str, ...]] = ("cold",)

    backbone: Backbone = "bpr"  #: recommender in whose space new tracks are placed
    backbone_epochs: Count = 100  #: epochs of the backbone, without early stopping

    @override
    def backbone_trainer(self, model: Recommender) -> FixedEpochs:
        return FixedEpochs(model, self.backbone_epochs)

    def artist_codes(self, split: Split, required: bool = True) -> np.ndarray:
        """Codes of all tracks' artists [n_tracks], -1 where unknown. Raises `InputError`."""
        if split.artists is not None:
            return split.artists
        if required:
            raise InputError(
                f"{self.label}: needs the tracks' artists, and split {split.name} has none; "
                "add a column artist_id to tracks.parquet"
            )
        return np.full(len(split.tracks), -1, dtype=np.int32)


def raw_artist_ids(split: Split) -> np.ndarray:
    """The raw id of each artist's code, empty where the split has none."""
    return np.empty(0, dtype=np.int64) if split.artist_ids is None else split.artist_ids


@dataclass(frozen=True, eq=False)
class Material:
    """What a model learns from. Row i is train track i everywhere, and no row is trained.

    `content` [N x c], `factors` [N x d] and `users` [U x d] of the backbone, `artist` [N];
    `trained` [n] are the train tracks that are not held out, `matrix` [U x n] their plays, and
    `held_artist` [V] the artists of those that are.
    """

    content: np.ndarray
    factors: np.ndarray
    users: np.ndarray
    artist: np.ndarray
    trained: np.ndarray
    matrix: sp.csr_matrix
    held: HeldOut
    held_artist: np.ndarray

    @classmethod
    def of(
        cls,
        split: Split,
        content: np.ndarray,
        artists: np.ndarray,
        backbone: Fitted,
        seed: int,
    ) -> "Material":
        """`content` are rows of the train tracks, then of `split.validation_tracks`.

        Held out are the split's cold validation tracks. Where it has none, a seeded share
        `HELD_OUT_SHARE` of the train tracks: they are no target, in no catalogue, and no pair of
        theirs is trained on, but the backbone has read their plays.
        """
        n_tracks, outside = len(split.warm), split.validation_tracks
        held = np.empty(0, dtype=np.int64)
        if len(outside):
            held_out, held_artist = HeldOut.of(split, content[n_tracks:]), artists[outside]
        else:
            n_held = min(max(2, round(HELD_OUT_SHARE * n_tracks)), n_tracks - 1)
            chosen = np.random.default_rng([seed, n_tracks]).permutation(n_tracks)[:n_held]
            held = np.sort(chosen)
            plays = split.matrix[:, held]
            users = np.flatnonzero(np.diff(plays.indptr))
            held_out = HeldOut(content[held], users, plays[users])
            held_artist = artists[split.warm[held]]
        trained = np.setdiff1d(np.arange(n_tracks), held)
        return cls(
            content=content[:n_tracks],
            factors=np.asarray(backbone.items(), dtype=np.float32),
            users=np.asarray(backbone.users(), dtype=np.float32),
            artist=artists[split.warm],
            trained=trained,
            matrix=split.matrix[:, trained],
            held=held_out,
            held_artist=held_artist,
        )


@dataclass(frozen=True, eq=False)
class Estimate:
    """A linear estimate from content: `weight` [c x d] and `bias` [d].

    It stands in for an artist's mean where an artist has no (other) train track.
    """

    weight: np.ndarray
    bias: np.ndarray

    @classmethod
    def fit(cls, content: np.ndarray, factors: np.ndarray, means: np.ndarray) -> "Estimate":
        """Ridge regression of factors [n x d] on content [n x c], as far spread as means [m x d].

        The penalty is c: content has entries of mean square one, so that c is as if each direction
        had been seen at as many tracks as there are directions. Without content it is the mean.

        A regression varies less than what it predicts, the less the weaker content is, and a score
        is a dot product: short factors would leave such tracks in the middle of every list, below
        and above those that are placed by their artist. So the estimates are stretched about the
        mean factor until their root mean square distance from it is that of `means`, which are the
        artists' means that they stand in for; where there are none they stay as they are.
        """
        middle, bias = content.mean(axis=0), factors.mean(axis=0)
        centred = content - middle
        gram = (centred.T @ centred).astype(np.float64)
        gram[np.diag_indices_from(gram)] += max(content.shape[1], 1)
        weight = np.linalg.solve(gram, centred.T @ (factors - bias))
        spread, wanted = np.square(centred @ weight).sum(), np.square(means - bias).sum()
        if spread > 0 and len(means):
            weight *= np.sqrt((wanted / len(means)) / (spread / len(content)))
        weight = weight.astype(np.float32)
        return cls(weight, bias - middle @ weight)

    def __call__(self, content: np.ndarray) -> np.ndarray:
        """Estimates [M x d] from content [M x c]."""
        return content @ self.weight + self.bias


class ColdStartModule(TrainedModule):
    """What is trained to place new tracks; held-out tracks decide when to stop.

    `catalogues` and `estimate` are of the tracks that are learned from.
    """

    def __init__(self, material: Material, settings: "TrainedColdStart", seed: int) -> None:
        super().__init__()
        self.material, self.settings = material, settings
        self.generator = np.random.default_rng(seed)
        trained, factors = material.trained, material.factors
        self.catalogues = Catalogues(material.artist, trained)
        targets = factors[trained]
        several = trained[self.catalogues.n_others(trained) > 0]
        means = self.catalogues.other_means(factors, several, targets.mean(axis=0))
        self.estimate = Estimate.fit(material.content[trained], targets, means)

    @abstractmethod
    def new_tracks(self, content: np.ndarray, artists: np.ndarray) -> np.ndarray:
        """Factors of new tracks from their content [M x c] and their artists' codes [M]."""

    @override
    def optimiser(self) -> Any:
        return torch.optim.Adam(
            self.parameters(),
            lr=self.settings.learning_rate,
            weight_decay=self.settings.regularization,
        )

    @override
    def batches(self, epoch: int) -> Iterator[Any]:
        order = self.generator.permutation(self.material.trained)
        return iter(torch.from_numpy(order).split(self.settings.batch_size))

    @override
    def factors(self) -> tuple[np.ndarray, np.ndarray]:
        return self.material.users, self.material.factors

    @override
    def validate(self, split: Split) -> dict[str, float]:
        held = self.material.held
        users, _ = self.factors()
        return held.validate(users, self.new_tracks(held.content, self.material.held_artist))


@dataclass(frozen=True)
class TrainedColdStart(ColdStart):
    """What is trained on content: see `Material` for what is held out to stop it."""

    stops_on_cold: ClassVar[bool] = True

    n_components: WidthOrNone = 128  #: principal components of the vectors; none: all dimensions
    learning_rate: LearningRate = 0.001  #: step size of Adam
    regularization: Penalty = 0.0  #: weight decay of Adam
    batch_size: Count = 1024  #: train tracks or pairs per batch
    max_epochs: Count = 500  #: upper bound of epochs, passes over the train part
    patience: Count = 10  #: epochs without a better validation before training stops

    @abstractmethod
    def module(self, material: Material, seed: int) -> ColdStartModule:
        """The module that `fit` trains."""

    @property
    def needs_artists(self) -> bool:
        """Whether a fit needs the artists of the tracks."""
        return "artists" in self.needs

    @abstractmethod
    def fitted(self, module: Any, components: Components, fields: dict[str, Any]) -> Fitted:
        """The fitted model: `fields` are those of `FittedColdStart`."""

    @override
    def fit(
        self,
        split: Split,
        vectors: np.ndarray | None = None,
        *,
        backbone: Fitted | None = None,
        seed: int,
    ) -> Fitted:
        vectors = self.check_vectors(split, vectors)
        base = self.check_backbone(split, backbone)
        artists = self.artist_codes(split, required=self.needs_artists)
        components = unit_components(vectors[: len(split.warm)], self.n_components)
        material = Material.of(split, components(vectors), artists, base, seed)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            module = self.module(material, seed)
        fields = fit_module(module, split, self, seed) | {
            "factors": material.factors,
            "artist": material.artist,
            "artist_ids": raw_artist_ids(split),
        }
        return self.fitted(module, components, fields)


def arrays_of(network: nn.Module) -> dict[str, np.ndarray]:
    """A network's state by name, as arrays."""
    return {name: part.numpy().copy() for name, part in network.state_dict().items()}


def network_of(kind: type[nn.Module], sizes: dict, arrays: dict[str, np.ndarray]) -> nn.Module:
    """A network with a stored state, in evaluation mode; nothing is drawn."""
    with torch.device("meta"):
        network = kind(**sizes)
    state = {name: torch.from_numpy(array) for name, array in arrays.items()}
    network.load_state_dict(state, assign=True)
    return network.eval()
