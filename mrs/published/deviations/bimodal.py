"""Bimodal as published (arXiv 2604.23077, contrastive.py and train_contrast.py)."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import scipy.sparse as sp
import torch
from typing_extensions import override

from mrs.data.splits import Split
from mrs.published.deviations.base import Deviation
from mrs.published.deviations.elsa import RawTable
from mrs.recommenders.base import Fitted
from mrs.recommenders.bimodal import Bimodal, BimodalModule, FittedBimodal
from mrs.recommenders.contrastive import positive_weight, sums_across, sums_within
from mrs.recommenders.factors import mean_of_history
from mrs.recommenders.held_out import HeldOut

BIMODAL = ("bimodal_content", "bimodal_collaborative", "bimodal_average")


def one_way_loss(
    name: str, a: torch.Tensor, b: torch.Tensor, *, temperature: float, sigma: float
) -> torch.Tensor:
    """A contrastive loss with the rows of a [n x d] as its only anchors; see `contrastive`.

    mean_i - w_i a_i . b_i / t + log sum_j e(a_i, b_j), where losses but ADCL(W) sum e(a_i, a_j)
    as well.
    """
    positive = (a * b).sum(dim=1)
    sums = sums_across(a, b, temperature)[0]
    if not name.startswith("adcl"):
        sums = sums + sums_within(a, temperature)
    weight = positive_weight(name, positive, sigma)
    return (sums.log() + (1 - weight * positive) / temperature).mean()


class ADCLOneWay(Bimodal):
    """ADCL and ADCLW are taken for symmetric: the direction with collaborative anchors lacks."""

    @override
    def contrast(self, content: torch.Tensor, collaborative: torch.Tensor) -> torch.Tensor:
        if self.loss not in ("adcl", "adclw"):
            return super().contrast(content, collaborative)
        return one_way_loss(
            self.loss, content, collaborative, temperature=self.temperature, sigma=self.sigma
        )


class SDCLWOneWay(Bimodal):
    """SDCLW inherits from DCL, one way: DCLW with content anchors alone."""

    @override
    def contrast(self, content: torch.Tensor, collaborative: torch.Tensor) -> torch.Tensor:
        return one_way_loss(
            "dclw", content, collaborative, temperature=self.temperature, sigma=self.sigma
        )


class FittedRaw(FittedBimodal):
    """Nothing is scaled to length one: `average` is the mean of both branches."""

    @override
    def encode(self, vectors: np.ndarray, artists: np.ndarray | None = None) -> np.ndarray:
        if self.space != "content":
            return Fitted.encode(self, vectors, artists)
        return self.outputs(vectors)

    @override
    def in_space(self, space: str) -> "FittedRaw":
        average = (self.content + self.collaborative) / 2
        spaces = {"content": self.content, "collaborative": self.collaborative, "average": average}
        items = spaces[space]
        users = mean_of_history(self.history.matrix, items)
        return replace(self, user_factors=users, item_factors=items, space=space)


class RawInference(Bimodal):
    """Trained on unit rows, read as the branches put out: long vectors rank first."""

    fitted: ClassVar[type[FittedBimodal]] = FittedRaw

    @override
    def module(
        self, matrix: sp.csr_matrix, inputs: np.ndarray, factors: np.ndarray, seed: int
    ) -> BimodalModule:
        return RawOutputs(matrix, inputs, factors, self, seed)


class RawOutputs(BimodalModule):
    """Trained and validated as the clean one."""

    @override
    def outputs(self) -> tuple[np.ndarray, np.ndarray]:
        with torch.no_grad():
            both = self.content.layers(self.inputs), self.collaborative.layers(self.targets)
        return both[0].cpu().numpy(), both[1].cpu().numpy()


class RawBackbone(Bimodal):
    """The collaborative branch reads factors of any length as they are."""

    @override
    def targets(self, factors: np.ndarray) -> np.ndarray:
        return np.asarray(factors, dtype=np.float32)


class TrainingLossStop(Bimodal):
    """The training loss decides when to stop."""

    @override
    def fit(
        self,
        split: Split,
        vectors: np.ndarray | None = None,
        *,
        backbone: Fitted | None = None,
        seed: int,
    ) -> FittedBimodal:
        return super().fit(split.without_validation(), vectors, backbone=backbone, seed=seed)

    @override
    def held_out(self, split: Split, content: np.ndarray) -> HeldOut | None:
        return None


DEVIATIONS = (
    Deviation("adcl_one_way", of=BIMODAL, mixin=ADCLOneWay),
    Deviation("sdclw_one_way", of=BIMODAL, mixin=SDCLWOneWay, forced={"loss": "sdclw"}, alone=True),
    Deviation("raw_inference", of=BIMODAL, mixin=RawInference),
    Deviation("raw_backbone", of=BIMODAL, mixin=RawBackbone, backbone_mixin=("elsa", RawTable)),
    Deviation("training_loss_stop", of=BIMODAL, mixin=TrainingLossStop),
)
