"""ACARec: a new track's factors from its sound and its artist's catalogue, by attention."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch.nn import functional
from typing_extensions import override

from mrs.errors import InputError
from mrs.recommenders.coldstart.attention import ACARecNetwork, Fusion
from mrs.recommenders.coldstart.base import (
    ColdStartModule,
    Estimate,
    FittedColdStart,
    Material,
    TrainedColdStart,
    arrays_of,
    network_of,
)
from mrs.recommenders.coldstart.catalogues import Catalogues
from mrs.recommenders.pca import Components
from mrs.settings import Count, Few, LearningRate, Width

PLACES_AT_ONCE = 16_384  # places of catalogues held together while new tracks are encoded


class CatalogueReader:
    """A network with the tables that catalogues are read from.

    `content` [N x c] and `factors` [N x d] are the train tracks'; at most `n_catalogue` tracks of
    an artist are read, a sample drawn with `seed` where there are more.
    """

    def __init__(
        self,
        network: ACARecNetwork,
        content: torch.Tensor,
        factors: torch.Tensor,
        catalogues: Catalogues,
        n_catalogue: int,
        seed: int,
    ) -> None:
        self.network, self.content, self.factors = network, content, factors
        self.catalogues, self.n_catalogue, self.seed = catalogues, n_catalogue, seed

    def encode(self, content: np.ndarray, artists: np.ndarray, estimate: Estimate) -> np.ndarray:
        """Factors of new tracks [M x d].

        An artist's catalogue goes through the self-attention once, however many new tracks there
        are, and `PLACES_AT_ONCE` bounds what is held. Where the artist has no track, the estimate
        stands in for one: a catalogue of the new track's own content with estimated factors.
        """
        found = np.empty((len(content), self.factors.shape[1]), dtype=np.float32)
        sizes = np.minimum(self.catalogues.sizes(artists), self.n_catalogue)
        alone = np.flatnonzero(sizes == 0)
        with torch.no_grad():
            for rows in _blocks(artists, sizes):
                found[rows] = self._encode(content[rows], artists[rows])
            for start in range(0, len(alone), PLACES_AT_ONCE):
                rows = alone[start : start + PLACES_AT_ONCE]
                found[rows] = self._estimated(content[rows], estimate)
        return found

    def _estimated(self, content: np.ndarray, estimate: Estimate) -> np.ndarray:
        parts = content, np.asarray(estimate(content), dtype=np.float32)
        given, factors = (torch.from_numpy(part).to(self.content.device) for part in parts)
        there = torch.ones((len(given), 1), dtype=torch.bool, device=given.device)
        states = self.network.states(torch.cat([given, factors], dim=1).unsqueeze(1), there)
        return self.network(given, states, factors.unsqueeze(1), there).cpu().numpy()

    def _encode(self, content: np.ndarray, artists: np.ndarray) -> np.ndarray:
        device = self.content.device
        codes, place = np.unique(artists, return_inverse=True)
        found = self.catalogues.of_artists(codes, self.n_catalogue, self.seed)
        tracks, there = _places(torch.from_numpy(found).to(device))
        factors = self.factors[tracks]
        states = self.network.states(torch.cat([self.content[tracks], factors], dim=2), there)
        blocks = torch.from_numpy(place).to(device).split(max(1, PLACES_AT_ONCE // found.shape[1]))
        given, done, encoded = torch.from_numpy(content).to(device), 0, []
        for of in blocks:
            mine = given[done : done + len(of)]
            encoded.append(self.network(mine, states[of], factors[of], there[of]))
            done += len(of)
        return torch.cat(encoded).cpu().numpy()


def _blocks(artists: np.ndarray, sizes: np.ndarray) -> Iterator[np.ndarray]:
    """Rows with a catalogue in blocks of whole artists, padded to at most `PLACES_AT_ONCE`.

    Artists come by the size of their catalogue, so that little is padded.
    """
    rows = np.lexsort((artists, sizes))
    rows = rows[sizes[rows] > 0]
    if not len(rows):
        return
    begins = np.flatnonzero(np.r_[True, np.diff(artists[rows]) != 0])
    bounds = np.r_[begins, len(rows)]
    first = 0
    for last in range(1, len(begins) + 1):
        full = last < len(begins) and (last - first + 1) * sizes[rows[begins[last]]]
        if last == len(begins) or full > PLACES_AT_ONCE:
            yield rows[bounds[first] : bounds[last]]
            first = last


def _places(found: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of tracks that end in -1, as rows that can be looked up, and which places are real."""
    there = found >= 0
    return found.clamp_min(0), there


@dataclass(frozen=True, eq=False)
class FittedACARec(FittedColdStart):
    """The network, with the catalogues that it reads.

    The components' `mean`, `scale` and `rotation`; `content` [N x c] of the train tracks; `weight`
    and `bias` of the estimate for artists without a train track; `sizes` and `parameters` of the
    network; how much of a catalogue is read, and the `seed` of samples of larger ones.
    """

    mean: np.ndarray
    scale: np.ndarray
    rotation: np.ndarray
    content: np.ndarray
    weight: np.ndarray
    bias: np.ndarray
    sizes: dict[str, Any]
    parameters: dict[str, np.ndarray]
    n_catalogue_inference: int
    seed: int

    @cached_property
    def reader(self) -> CatalogueReader:
        """The trained network and its tables."""
        network = network_of(ACARecNetwork, self.sizes, self.parameters)
        assert isinstance(network, ACARecNetwork)
        tables = torch.from_numpy(self.content), torch.from_numpy(self.factors)
        return CatalogueReader(
            network, *tables, self.catalogues, self.n_catalogue_inference, self.seed
        )

    @override
    def encode(self, vectors: np.ndarray, artists: np.ndarray | None = None) -> np.ndarray:
        """New tracks' factors [M x d] from their vectors and artists.

        A track whose artist has no train track is read with a catalogue of one: its own content
        and the linear estimate from it. Raises `InputError` without artists.
        """
        codes = self.codes(artists, len(vectors))
        content = Components(self.mean, self.scale, self.rotation)(vectors)
        return self.reader.encode(content, codes, Estimate(self.weight, self.bias))


class CatalogueBatch(NamedTuple):
    """Train tracks [B] and others of their artists' [B x K], rows of which end in -1."""

    tracks: torch.Tensor
    others: torch.Tensor


class ACARecModule(ColdStartModule):
    """The network, trained on tracks as if each were new to its artist."""

    content: torch.Tensor
    targets: torch.Tensor
    settings: "ACARec"

    def __init__(self, material: Material, settings: "ACARec", seed: int) -> None:
        super().__init__(material, settings, seed)
        self.seed, trained = seed, material.trained
        self.targeted = trained[self.catalogues.n_others(trained) > 0]
        if not len(self.targeted):
            raise InputError(
                f"{settings.label}: no artist has two train tracks, so that nothing can be learned "
                "from catalogues; check artist_id in tracks.parquet"
            )
        self.register_buffer("content", torch.from_numpy(material.content), persistent=False)
        self.register_buffer("targets", torch.from_numpy(material.factors), persistent=False)
        self.network = ACARecNetwork(
            n_content=material.content.shape[1],
            n_factors=material.factors.shape[1],
            hidden_size=settings.hidden_size,
            n_heads=settings.n_heads,
            self_attention=settings.self_attention,
            fusion=settings.fusion,
            content_input=settings.content_input,
        )

    @override
    def batches(self, epoch: int) -> Iterator[CatalogueBatch]:
        tracks = self.generator.permutation(self.targeted)
        others = self.catalogues.draw(tracks, self.settings.n_catalogue, self.generator)
        size = self.settings.batch_size
        parts = (torch.from_numpy(part).split(size) for part in (tracks, others))
        return (CatalogueBatch(*pair) for pair in zip(*parts, strict=True))

    @override
    def loss(self, batch: CatalogueBatch) -> torch.Tensor:
        tracks = batch.tracks.to(self.device)
        others, there = _places(batch.others.to(self.device))
        factors = self.targets[others]
        keys = torch.cat([self.content[others], factors], dim=2)
        states = self.network.states(keys, there)
        guessed = self.network(self.content[tracks], states, factors, there)
        return functional.mse_loss(guessed, self.targets[tracks])

    @override
    def new_tracks(self, content: np.ndarray, artists: np.ndarray) -> np.ndarray:
        reader = CatalogueReader(
            self.network,
            self.content,
            self.targets,
            self.catalogues,
            self.settings.n_catalogue_inference,
            self.seed,
        )
        return reader.encode(content, artists, self.estimate)


@dataclass(frozen=True)
class ACARec(TrainedColdStart):
    """Attention over an artist's catalogue (arXiv 2604.07090; its code's models/ACARec.py).

    Each train track is placed as if it were new: its content attends to `n_catalogue` other tracks
    of its artist, drawn anew, and a GRU cell moves their mean factors by the result. See
    `ACARecNetwork`, also for the ablations: `self_attention`, `fusion` "glu" or "residual",
    `content_input`. The loss is the mean squared error to the track's factors in the backbone,
    which are neither trained nor in its own catalogue. At inference up to `n_catalogue_inference`
    tracks are read.

    A track whose artist has no train track is read as if the artist had one track, with its own
    content and a linear estimate from it (`Estimate`): so it goes through the same network, and
    stands no nearer to the middle than the others. Version 1 had a plain regression in place of
    the network's answer. A train track without another by its artist is no target. Vectors are
    read as components.
    """

    name: ClassVar[str] = "acarec"
    label: ClassVar[str] = "ACARec"
    needs: ClassVar[frozenset[str]] = frozenset({"vectors", "backbone", "artists"})
    version: ClassVar[int] = 2

    hidden_size: Width = 128  #: width of the attention's states
    n_heads: Few = 8  #: heads of the attention, a divisor of hidden_size
    n_catalogue: Count = 5  #: tracks drawn per artist in training
    n_catalogue_inference: Count = 250  #: upper bound of tracks read per artist of new tracks
    self_attention: bool = True  #: whether a catalogue's tracks read each other
    fusion: Fusion = "gru"  #: how the attention moves the mean of the catalogue
    content_input: bool = True  #: whether the fusion reads the new track's content
    learning_rate: LearningRate = 0.0005  #: step size of Adam
    patience: Count = 15  #: epochs without a better validation before training stops

    @override
    def contradiction(self) -> str:
        if self.hidden_size % self.n_heads:
            return f"n_heads={self.n_heads}: choose a divisor of hidden_size"
        return ""

    @override
    def module(self, material: Material, seed: int) -> ACARecModule:
        return ACARecModule(material, self, seed)

    @override
    def fitted(
        self, module: ACARecModule, components: Components, fields: dict[str, Any]
    ) -> FittedACARec:
        return FittedACARec(
            **fields,
            **vars(components),
            **vars(module.estimate),
            content=module.material.content,
            sizes=module.network.sizes,
            parameters=arrays_of(module.network),
            n_catalogue_inference=self.n_catalogue_inference,
            seed=module.seed,
        )
