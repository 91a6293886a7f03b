"""Bimodal: content and collaborative vectors of a track projected into one space."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
import torch
from typing_extensions import override

from mrs.data.splits import Split
from mrs.recommenders.backbones import Backbone
from mrs.recommenders.base import Fitted, Recommender
from mrs.recommenders.contrastive import Loss, contrastive_loss
from mrs.recommenders.factors import mean_of_history, normalise
from mrs.recommenders.held_out import HeldOut
from mrs.recommenders.pca import Components, unit_components
from mrs.recommenders.projection import FittedProjection, Projection
from mrs.recommenders.training import TrainedModule, fit_module
from mrs.settings import Batch, Count, LearningRate, Temperature, Width, WidthOrNone


@dataclass(frozen=True, eq=False)
class FittedBimodal(FittedProjection):
    """Factors in one space, with what the other spaces are made of.

    `content` and `collaborative` are the train tracks' unit vectors in the two branches
    [N x embedding_size]. The inherited map from vectors is the content branch.
    """

    content: np.ndarray
    collaborative: np.ndarray
    space: str

    @override
    def encode(self, vectors: np.ndarray, artists: np.ndarray | None = None) -> np.ndarray:
        if self.space != "content":
            return Fitted.encode(self, vectors, artists)
        return super().encode(vectors, artists)

    def in_space(self, space: str) -> "FittedBimodal":
        """The same fit read in another space; users are means of their history, length one."""
        items = items_in(space, self.content, self.collaborative)
        users = normalise(mean_of_history(self.history.matrix, items))
        return replace(self, user_factors=users, item_factors=items, space=space)


def items_in(space: str, content: np.ndarray, collaborative: np.ndarray) -> np.ndarray:
    """Train tracks [N x d] in the space "content", "collaborative" or "average", unit rows all."""
    if space == "average":
        return normalise(content + collaborative)
    return {"content": content, "collaborative": collaborative}[space]


@dataclass(frozen=True)
class Bimodal(Recommender):
    """Contrastive multi-modal projection (arXiv 2604.23077; its code's `contrastive`).

    Two maps, each Linear, ReLU, Linear of `embedding_size` and then length one, take a track's
    content and its frozen collaborative vector (a `backbone`'s, scaled to length one) into one
    space, where a contrastive `loss` with `temperature` (and `sigma` in the weighted ones) brings
    them together over batches of train tracks: see `mrs.recommenders.contrastive`. One fit gives
    three spaces: content, collaborative, and average, normalise(content + collaborative). Items
    are read as they were trained, of length one, and a user is the mean of the history.
    Held-out interactions, ranked in the average space, decide when to stop; on a split with cold
    validation tracks these do, ranked in the content space.

    The default loss is ADCL, that of most published runs; the others push tracks of one view apart
    as well, and on the generated world neighbours among them were lost within a few epochs.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"vectors", "backbone"})
    scenarios: ClassVar[tuple[str, ...]] = ("hot",)
    family: ClassVar[str] = "bimodal"
    version: ClassVar[int] = 2
    stops_on_cold: ClassVar[bool] = True
    space: ClassVar[str]
    fitted: ClassVar[type[FittedBimodal]] = FittedBimodal

    loss: Loss = "adcl"
    temperature: Temperature = 0.1  #: divisor of the cosines
    sigma: Temperature = 0.5  #: divisor of the cosines in the weights of losses ending in w
    embedding_size: Width = 768  #: width of the layers, and dimensions of a factor
    backbone: Backbone = "elsa"  #: recommender whose factors are the collaborative vectors
    n_components: WidthOrNone = 128  #: principal components of the vectors; none: all dimensions
    learning_rate: LearningRate = 0.001  #: step size of Adam
    batch_size: Batch = 10_000  #: train tracks per batch, each other's negatives
    max_epochs: Count = 100  #: upper bound of epochs, passes over the train part
    patience: Count = 16  #: epochs without a better validation before training stops

    @override
    def fit(
        self,
        split: Split,
        vectors: np.ndarray | None = None,
        *,
        backbone: Fitted | None = None,
        seed: int,
    ) -> FittedBimodal:
        vectors = self.check_vectors(split, vectors)
        backbone = self.check_backbone(split, backbone)
        n_tracks = len(split.warm)
        components = self.components(vectors[:n_tracks])
        inputs = components(vectors)
        module = self.module(split.matrix, inputs[:n_tracks], backbone.items(), seed)
        module.held_out = self.held_out(split, inputs[n_tracks:])
        trained = fit_module(module, split, self, seed)
        content, collaborative = module.outputs()
        fitted = self.fitted(
            **trained,
            **vars(components),
            **module.content.arrays(),
            content=content,
            collaborative=collaborative,
            space="average",
        )
        return fitted.in_space(self.space)

    def held_out(self, split: Split, content: np.ndarray) -> HeldOut | None:
        """What decides when to stop, from the `content` of the cold validation tracks [V x c].

        None where the split has no such tracks: then it is the held-out interactions.
        """
        return HeldOut.of(split, content) if len(content) else None

    def components(self, vectors: np.ndarray) -> Components:
        """The map of vectors to inputs, fitted to those of the train tracks."""
        return unit_components(vectors, self.n_components)

    def targets(self, factors: np.ndarray) -> np.ndarray:
        """What the collaborative branch reads of the backbone's factors, both [N x d]."""
        return normalise(factors) * np.float32(np.sqrt(factors.shape[1]))

    def contrast(self, content: torch.Tensor, collaborative: torch.Tensor) -> torch.Tensor:
        """The loss of some tracks' unit rows in both branches."""
        return contrastive_loss(
            self.loss, content, collaborative, temperature=self.temperature, sigma=self.sigma
        )

    def module(
        self, matrix: sp.csr_matrix, inputs: np.ndarray, factors: np.ndarray, seed: int
    ) -> "BimodalModule":
        """The module that `fit` trains."""
        return BimodalModule(matrix, inputs, factors, self, seed)

    @override
    def member_of_family(self, fitted: Fitted) -> FittedBimodal:
        assert isinstance(fitted, FittedBimodal)
        return fitted.in_space(self.space)


class BimodalContent(Bimodal):
    """Recommends in the content space, where new tracks have a place too."""

    name: ClassVar[str] = "bimodal_content"
    label: ClassVar[str] = "Bimodal, content"
    scenarios: ClassVar[tuple[str, ...]] = ("hot", "cold")
    space: ClassVar[str] = "content"


class BimodalCollaborative(Bimodal):
    """Recommends by the collaborative vectors' projections."""

    name: ClassVar[str] = "bimodal_collaborative"
    label: ClassVar[str] = "Bimodal, collaborative"
    space: ClassVar[str] = "collaborative"


class BimodalAverage(Bimodal):
    """Recommends by the normalised sums of both projections."""

    name: ClassVar[str] = "bimodal_average"
    label: ClassVar[str] = "Bimodal, average"
    space: ClassVar[str] = "average"


class BimodalModule(TrainedModule):
    """The two branches, trained on batches of train tracks."""

    inputs: torch.Tensor  # components [N x width]
    targets: torch.Tensor  # collaborative vectors [N x d]
    held_out: HeldOut | None = None

    def __init__(
        self,
        matrix: sp.csr_matrix,
        inputs: np.ndarray,
        factors: np.ndarray,
        settings: Bimodal,
        seed: int,
    ) -> None:
        super().__init__()
        self.matrix, self.settings = matrix, settings
        self.generator = torch.Generator().manual_seed(seed)
        collaborative = settings.targets(factors)
        size = settings.embedding_size
        self.content = Projection(inputs.shape[1], size, size, self.generator)
        self.collaborative = Projection(factors.shape[1], size, size, self.generator)
        self.register_buffer("inputs", torch.from_numpy(inputs), persistent=False)
        self.register_buffer("targets", torch.from_numpy(collaborative), persistent=False)

    @override
    def optimiser(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=self.settings.learning_rate)

    @override
    def batches(self, epoch: int) -> tuple[torch.Tensor, ...]:
        """Columns of train tracks, each once an epoch, in batches of equal size but for one.

        None is of one track, which would have no negatives.
        """
        n_tracks = len(self.inputs)
        order = torch.randperm(n_tracks, generator=self.generator)
        n_batches = min(-(-n_tracks // self.settings.batch_size), max(1, n_tracks // 2))
        return order.tensor_split(n_batches)

    @override
    def loss(self, batch: torch.Tensor) -> torch.Tensor:
        batch = batch.to(self.device)
        return self.settings.contrast(
            self.content(self.inputs[batch]), self.collaborative(self.targets[batch])
        )

    def branches(self) -> tuple[np.ndarray, np.ndarray]:
        """The train tracks' unit vectors in both branches."""
        with torch.no_grad():
            both = self.content(self.inputs), self.collaborative(self.targets)
        return both[0].cpu().numpy(), both[1].cpu().numpy()

    def outputs(self) -> tuple[np.ndarray, np.ndarray]:
        """The same for the fitted recommender."""
        return self.branches()

    @override
    def factors(self) -> tuple[np.ndarray, np.ndarray]:
        items = items_in("average", *self.branches())
        return np.asarray(self.matrix @ items, dtype=np.float32), items

    @override
    def validate(self, split: Split) -> dict[str, float]:
        if self.held_out is None:
            return super().validate(split)
        content = torch.from_numpy(self.held_out.content).to(self.device)
        users = np.asarray(self.matrix @ self.branches()[0], dtype=np.float32)
        return self.held_out.validate(users, self.content(content).cpu().numpy())
