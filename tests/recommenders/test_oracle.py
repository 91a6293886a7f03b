import numpy as np
from recommenders.conformance import N_USERS, N_WARM, Conformance

from mrs.data.splits import Split
from mrs.recommenders.oracle import Oracle, OracleContent


class TestOracle(Conformance):
    recommender = Oracle()

    def read(self, split: Split) -> np.ndarray:
        """The truth: a user's own colour is likely [N x U]."""
        same = (np.arange(N_WARM)[:, None] + np.arange(N_USERS)) % 2 == 0
        return np.where(same, 0.9, 0.1).astype(np.float32)

    def read_cold(self, split: Split) -> np.ndarray:
        return np.linspace(0, 1, len(split.cold) * N_USERS, dtype=np.float32).reshape(-1, N_USERS)

    def test_scores_are_the_truth(self) -> None:
        split, fitted = self.fit()
        assert np.array_equal(fitted.users() @ fitted.items().T, self.read(split).T)


class TestOracleContent(TestOracle):
    recommender = OracleContent()
