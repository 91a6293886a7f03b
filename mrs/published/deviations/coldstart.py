"""The cold-start models as released (arXiv 2604.07090, models/ of its code).

That code does not run as it is; each variant follows one of its lines, with the rest as it should
be.
"""

from typing import Any

import numpy as np
import torch
from torch import nn
from typing_extensions import override

from mrs.data.splits import Split
from mrs.published.deviations.base import Deviation
from mrs.recommenders.base import Fitted
from mrs.recommenders.coldstart.acarec import ACARec, ACARecModule, FittedACARec
from mrs.recommenders.coldstart.base import Material
from mrs.recommenders.coldstart.gar import GAR, GARModule
from mrs.recommenders.coldstart.heater import Heater, HeaterModule
from mrs.recommenders.factors import FittedFactors
from mrs.recommenders.pca import Components


class TargetsTrainable(ACARec):
    """The factors of train tracks are parameters: the loss also falls where targets move.

    Users stay where they are.
    """

    @override
    def module(self, material: Material, seed: int) -> ACARecModule:
        return MovingTargets(material, self, seed)

    @override
    def fitted(
        self, module: ACARecModule, components: Components, fields: dict[str, Any]
    ) -> FittedACARec:
        moved = module.targets.detach().numpy().copy()
        both = {"factors": moved, "item_factors": moved}
        return super().fitted(module, components, fields | both)


class MovingTargets(ACARecModule):
    """Targets start at the backbone's factors; nothing detaches them."""

    def __init__(self, material: Material, settings: ACARec, seed: int) -> None:
        super().__init__(material, settings, seed)
        start = self.targets.clone()
        del self.targets
        self.targets = nn.Parameter(start)


class UnorderedFactors(ACARec):
    """Content by the number of a track's first appearance in train, factors as they are stored.

    How the backbone's rows were stored is not public. Here they are in the order of the split's
    tracks, and train is read in its order, by user and then by time, so that users keep
    their own rows.
    """

    @override
    def fit(
        self,
        split: Split,
        vectors: np.ndarray | None = None,
        *,
        backbone: Fitted | None = None,
        seed: int,
    ) -> Fitted:
        base = self.check_backbone(split, backbone)
        items = base.items()[first_appearance(split)]
        other = FittedFactors(base.history, base.converged, base.curve, base.users(), items)
        return super().fit(split, vectors, backbone=other, seed=seed)


def first_appearance(split: Split) -> np.ndarray:
    """The number of each train track [N] in the order in which train names them."""
    _, first = np.unique(split.column[split.train.track], return_index=True)
    return np.argsort(np.argsort(first))


class FrozenDiscriminator(GAR):
    """The discriminator's map of tracks stays the identity that it starts as."""

    @override
    def module(self, material: Material, seed: int) -> GARModule:
        made = super().module(material, seed)
        assert isinstance(made, GARModule)
        made.network.of_tracks.requires_grad_(False)
        return made


class FixedBlend(Heater):
    """A track's factor is always mixed with its content's, by a constant share."""

    @override
    def module(self, material: Material, seed: int) -> HeaterModule:
        return Blending(material, self, seed)


class Blending(HeaterModule):
    """`dropout` of the content's factor and the rest of the track's own, in every row."""

    @override
    def replaced(self, factors: torch.Tensor, content: torch.Tensor) -> torch.Tensor:
        return torch.lerp(factors, content, self.settings.dropout)


DEVIATIONS = (
    Deviation(
        "unordered_factors",
        of=("acarec",),
        mixin=UnorderedFactors,
        alone=True,  # what it does depends on an order that is not public
    ),
    Deviation("targets_trainable", of=("acarec",), mixin=TargetsTrainable),
    Deviation("gar_discriminator", of=("gar",), mixin=FrozenDiscriminator),
    Deviation("heater_blend", of=("heater",), mixin=FixedBlend),
    # Content replaces a track's row with probability 0.5 whatever was tuned.
    Deviation("clcrec_samples", of=("clcrec",), forced={"sample_rate": 0.5}),
)
