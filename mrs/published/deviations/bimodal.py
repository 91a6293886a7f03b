"""Bimodal as published (arXiv 2604.23077, contrastive.py and train_contrast.py)."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import scipy.sparse as sp
import torch

from mrs.data.splits import Split
from mrs.published.deviations.base import Deviation
from mrs.published.deviations.elsa import RawTable
from mrs.recommenders.base import Fitted
from mrs.recommenders.bimodal import Bimodal, BimodalModule, FittedBimodal
from mrs.recommenders.contrastive import positive_weight, sums_across, sums_within
from mrs.recommenders.held_out import HeldOut
from mrs.recommenders.knn import mean_of_history

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

    def contrast(self, content: torch.Tensor, collaborative: torch.Tensor) -> torch.Tensor:
        """One way for ADCL and ADCLW, as they are for the others."""
        if self.loss not in ("adcl", "adclw"):
            return super().contrast(content, collaborative)
        return one_way_loss(
            self.loss, content, collaborative, temperature=self.temperature, sigma=self.sigma
        )


class SDCLWOneWay(Bimodal):
    """SDCLW inherits from DCL, one way: DCLW with content anchors alone."""

    def contrast(self, content: torch.Tensor, collaborative: torch.Tensor) -> torch.Tensor:
        """The loss that SDCLW stands for there."""
        return one_way_loss(
            "dclw", content, collaborative, temperature=self.temperature, sigma=self.sigma
        )


class FittedRaw(FittedBimodal):
    """Nothing is scaled to length one: `average` is the mean of both branches."""

    def encode(self, vectors: np.ndarray, artists: np.ndarray | None = None) -> np.ndarray:
        """New tracks as the content branch puts them out."""
        if self.space != "content":
            return Fitted.encode(self, vectors, artists)
        return self.outputs(vectors)

    def in_space(self, space: str) -> "FittedRaw":
        """Users are means of their history."""
        average = (self.content + self.collaborative) / 2
        spaces = {"content": self.content, "collaborative": self.collaborative, "average": average}
        items = spaces[space]
        users = mean_of_history(self.history.matrix, items)
        return replace(self, user_factors=users, item_factors=items, space=space)


class RawInference(Bimodal):
    """Trained on unit rows, read as the branches put out: long vectors rank first."""

    fitted: ClassVar[type[FittedBimodal]] = FittedRaw

    def module(
        self, matrix: sp.csr_matrix, inputs: np.ndarray, factors: np.ndarray, seed: int
    ) -> BimodalModule:
        """A module whose outputs are of any length."""
        return RawOutputs(matrix, inputs, factors, self, seed)


class RawOutputs(BimodalModule):
    """Trained and validated as the clean one."""

    def outputs(self) -> tuple[np.ndarray, np.ndarray]:
        """The branches without the last step, which scales to length one."""
        with torch.no_grad():
            both = self.content.layers(self.inputs), self.collaborative.layers(self.targets)
        return both[0].cpu().numpy(), both[1].cpu().numpy()


class RawBackbone(Bimodal):
    """The collaborative branch reads factors of any length as they are."""

    def targets(self, factors: np.ndarray) -> np.ndarray:
        """The factors themselves."""
        return np.asarray(factors, dtype=np.float32)


class TrainingLossStop(Bimodal):
    """The training loss decides when to stop."""

    def fit(
        self,
        split: Split,
        vectors: np.ndarray | None = None,
        *,
        backbone: Fitted | None = None,
        seed: int,
    ) -> FittedBimodal:
        """Fit to the split without its validation pairs."""
        return super().fit(split.without_validation(), vectors, backbone=backbone, seed=seed)

    def held_out(self, split: Split, content: np.ndarray) -> HeldOut | None:
        """No track is held out either."""
        return None


DEVIATIONS = (
    Deviation(
        "adcl_one_way",
        "ADCL and ADCLW are taken for symmetric and trained with content anchors alone",
        of=BIMODAL,
        mixin=ADCLOneWay,
    ),
    Deviation(
        "sdclw_one_way",
        "SDCLW is DCLW with content anchors alone; compare with loss=sdclw",
        of=BIMODAL,
        mixin=SDCLWOneWay,
        forced={"loss": "sdclw"},
        alone=True,
    ),
    Deviation(
        "raw_inference",
        "trained on unit vectors, recommends by the branches' outputs of any length",
        of=BIMODAL,
        mixin=RawInference,
    ),
    Deviation(
        "raw_backbone",
        "ELSA's factors before they are scaled to length one are the collaborative input",
        of=BIMODAL,
        mixin=RawBackbone,
        backbone_mixin=("elsa", RawTable),
    ),
    Deviation(
        "training_loss_stop",
        "the training loss decides when to stop; nothing is held out",
        of=BIMODAL,
        mixin=TrainingLossStop,
    ),
)
