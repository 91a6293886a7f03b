"""ALS and BPR: matrix factorisation of the history by the library implicit."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from threadpoolctl import threadpool_limits
from typing_extensions import override

from mrs.data.splits import Split
from mrs.errors import InputError
from mrs.recommenders.base import Fitted, History, Recommender
from mrs.recommenders.factors import FittedFactors
from mrs.recommenders.training import VALIDATION_K, validation_ndcg
from mrs.settings import Count, LearningRate, Penalty, Positive, Width


class Factorisation(Recommender):
    """What both share: epochs of a model of implicit, stopped by held-out interactions.

    One thread, so that the same seed gives the same digits. The state with the best validation
    NDCG@50 is kept, and `converged` says that it has not risen for `patience` epochs; a split
    without validation pairs gets all epochs, and nothing is said.
    """

    scenarios: ClassVar[tuple[str, ...]] = ("hot",)

    max_epochs: Count
    patience: Count

    @abstractmethod
    def model(self, seed: int) -> Any:
        """A model of implicit whose `fit` goes on for one epoch."""

    @override
    def fit(
        self,
        split: Split,
        vectors: np.ndarray | None = None,
        *,
        backbone: Fitted | None = None,
        seed: int,
    ) -> FittedFactors:
        from implicit.recommender_base import ModelFitError  # seconds to import

        model, curve = self.model(seed), []
        best, best_epoch, converged = -np.inf, 0, None
        for epoch in range(self.max_epochs):
            try:
                with threadpool_limits(1):
                    model.fit(split.matrix, show_progress=False)
            except ModelFitError as error:  # factors that are no numbers
                raise InputError(
                    f"{self.title()}: training diverged; choose a lower learning_rate or "
                    "regularization"
                ) from error
            score = float(epoch)
            if len(split.val):
                score = validation_ndcg(split, model.user_factors, model.item_factors)
                curve.append({"epoch": float(epoch), f"ndcg@{VALIDATION_K}": score})
            if score > best:
                best, best_epoch = score, epoch
                users, items = model.user_factors.copy(), model.item_factors.copy()
            converged = epoch - best_epoch >= self.patience if len(split.val) else None
            if converged:
                break
        return FittedFactors(History.of(split), converged, curve, users, items)


@dataclass(frozen=True)
class ALS(Factorisation):
    """Weighted matrix factorisation by alternating least squares (Hu, Koren, Volinsky, 2008).

    Minimises sum c (p - u . i)^2 + regularization (|u|^2 + |i|^2) over all pairs, with p = 1 and
    c = `alpha` for what was played, p = 0 and c = 1 for the rest. Three steps of conjugate
    gradients a user and track and epoch, as implicit does by default.
    """

    name: ClassVar[str] = "als"
    label: ClassVar[str] = "ALS"

    embedding_size: Width = 128  #: dimensions of a factor
    regularization: Penalty = 10.0  #: weight of the factors' squared lengths
    alpha: Positive = 1.0  #: weight of a pair that was played; 1 for the others
    max_epochs: Count = 50  #: upper bound of epochs, passes over the train part
    patience: Count = 5  #: epochs without a better validation before training stops

    @override
    def model(self, seed: int) -> Any:
        from implicit.als import AlternatingLeastSquares

        return AlternatingLeastSquares(
            factors=self.embedding_size,
            regularization=self.regularization,
            alpha=self.alpha,
            iterations=1,
            num_threads=1,
            random_state=np.random.default_rng(seed),
        )


@dataclass(frozen=True)
class BPR(Factorisation):
    """Bayesian personalised ranking (Rendle et al., 2009): played above not played, by pairs.

    An epoch draws as many pairs as there are interactions. Implicit gives tracks a bias, which
    stands in the last column of both sides' factors (its value and 1), so that the dot product
    holds it.
    """

    name: ClassVar[str] = "bpr"
    label: ClassVar[str] = "BPR"

    embedding_size: Width = 128  #: dimensions of a factor, without the bias
    learning_rate: LearningRate = 0.02  #: step size of the stochastic gradient
    regularization: Penalty = 0.01  #: weight of the squared lengths of factors and biases
    max_epochs: Count = 200  #: upper bound of epochs, passes over the train part
    patience: Count = 10  #: epochs without a better validation before training stops

    @override
    def model(self, seed: int) -> Any:
        from implicit.bpr import BayesianPersonalizedRanking

        return BayesianPersonalizedRanking(
            factors=self.embedding_size,
            learning_rate=self.learning_rate,
            regularization=self.regularization,
            iterations=1,
            num_threads=1,
            random_state=np.random.default_rng(seed),
        )
