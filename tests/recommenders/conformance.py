"""The tests that every recommender passes: a test class inherits them and names its recommender."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mrs.data.splits import Interactions, Split
from mrs.errors import InputError
from mrs.recommenders import RECOMMENDERS, Fitted, Recommender

N_USERS, N_WARM, N_COLD = 12, 16, 6


def pairs(user: np.ndarray, track: np.ndarray) -> Interactions:
    n, order = len(user), np.argsort(user, kind="stable")
    user, track = (part[order].astype(np.int32) for part in (user, track))
    return Interactions(user, track, np.arange(n), np.ones(n, dtype=np.int32))


def checkerboard() -> Split:
    """Even users play even tracks, odd users odd ones; each user has left two of them out.

    The last user is left with one track, and the cold tracks' positions lie between the warm ones.
    """
    n_tracks = N_WARM + N_COLD
    cold = np.arange(2, n_tracks, 3)[:N_COLD]
    warm = np.setdiff1d(np.arange(n_tracks), cold)
    user, column = np.nonzero((np.arange(N_USERS)[:, None] + np.arange(N_WARM)) % 2 == 0)
    left_out = (user + column) % 8 == 0
    last = (user == N_USERS - 1) & (column > 1)
    kept = ~left_out & ~last
    empty = pairs(np.array([], int), np.array([], int))
    return Split(
        name="checkerboard",
        users=np.arange(N_USERS) * 10,
        tracks=np.array([f"t{i:02d}" for i in range(n_tracks)]),
        train=pairs(user[kept], warm[column[kept]]),
        val=empty,
        hot_test=pairs(user[left_out], warm[column[left_out]]),
        cold_test=empty,
        warm=warm.astype(np.int32),
        cold=cold.astype(np.int32),
    )


def colours(positions: np.ndarray, split: Split, width: int = 5) -> np.ndarray:
    """Vectors that tell even columns from odd ones, with a little noise of their own."""
    rank = np.searchsorted(split.warm, positions)
    noise = np.random.default_rng(3).normal(0, 0.05, (len(positions), width))
    noise[:, 0] += np.where(rank % 2 == 0, 1.0, -1.0)
    return noise.astype(np.float32)


class Conformance:
    """Inherit, set `recommender`, and say whether it must solve the checkerboard."""

    recommender: Recommender
    solves_checkerboard = True

    def read(self, split: Split) -> np.ndarray | None:
        """What the fit gets as vectors."""
        return colours(split.warm, split) if "vectors" in self.recommender.needs else None

    def read_cold(self, split: Split) -> np.ndarray:
        """What encode gets."""
        if "vectors" in self.recommender.needs:
            return colours(split.cold, split)
        return np.empty((len(split.cold), 0), dtype=np.float32)

    def artists(self, split: Split) -> np.ndarray | None:
        """What encode gets as the cold tracks' artists."""
        return None

    def encode_cold(self, split: Split, fitted: Fitted) -> np.ndarray:
        return fitted.encode(self.read_cold(split), self.artists(split))

    def fit(self, seed: int = 0) -> tuple[Split, Fitted]:
        split = checkerboard()
        return split, self.recommender.fit(split, self.read(split), seed=seed)

    def test_is_registered_under_its_name(self) -> None:
        assert RECOMMENDERS[self.recommender.name] is type(self.recommender)

    def test_factors_have_the_shapes_of_the_split(self) -> None:
        _, fitted = self.fit()
        users, items = fitted.users(), fitted.items()
        assert users.shape == (N_USERS, items.shape[1])
        assert len(items) == N_WARM
        assert users.dtype == items.dtype == np.float32
        assert np.isfinite(users).all()
        assert np.isfinite(items).all()

    def test_refuses_to_fit_without_what_it_reads(self) -> None:
        if self.read(checkerboard()) is None:
            pytest.skip("reads no vectors")
        for wrong in (None, np.ones((3, 5), dtype=np.float32)):
            with pytest.raises(InputError, match="needs a vector for each of the 16 train tracks"):
                self.recommender.fit(checkerboard(), wrong, seed=0)

    def test_same_seed_same_digits(self) -> None:
        (split, one), (_, other) = self.fit(seed=5), self.fit(seed=5)
        assert np.array_equal(one.users(), other.users())
        assert np.array_equal(one.items(), other.items())
        if "cold" in self.recommender.scenarios:
            assert np.array_equal(self.encode_cold(split, one), self.encode_cold(split, other))

    def test_the_seed_matters_only_where_it_is_said_to(self) -> None:
        (split, one), (_, other) = self.fit(seed=1), self.fit(seed=2)
        factors = [fitted.items() for fitted in (one, other)]
        if "hot" not in self.recommender.scenarios:
            factors = [self.encode_cold(split, fitted) for fitted in (one, other)]
        assert np.array_equal(*factors) != self.recommender.stochastic

    def test_checkerboard(self) -> None:
        """What was left out of a user's colour outranks the whole other colour."""
        if not self.solves_checkerboard:
            pytest.skip("does not read who played what")
        split, fitted = self.fit()
        scores = fitted.users() @ fitted.items().T
        for user, track in zip(split.hot_test.user, split.hot_test.track, strict=True):
            column = np.searchsorted(split.warm, track)
            other = scores[user, (np.arange(N_WARM) + user) % 2 == 1]
            assert scores[user, column] > other.max()

    def test_encode(self) -> None:
        split, fitted = self.fit()
        if "cold" not in self.recommender.scenarios:
            with pytest.raises(InputError, match="cannot represent"):
                fitted.encode(self.read_cold(split))
            return
        factors = self.encode_cold(split, fitted)
        assert factors.shape == (N_COLD, fitted.items().shape[1])
        assert factors.dtype == np.float32
        assert np.isfinite(factors).all()
        assert np.array_equal(factors, self.encode_cold(split, fitted))

    def test_train_tracks_encode_as_they_were_fitted(self) -> None:
        split, fitted = self.fit()
        read = self.read(split)
        if read is None or set(self.recommender.scenarios) != {"hot", "cold"}:
            pytest.skip("train tracks and new ones have different sources")
        assert np.allclose(fitted.encode(read), fitted.items(), atol=1e-6)

    def test_recommend_never_repeats_the_history(self) -> None:
        split, fitted = self.fit()
        lists = fitted.recommend(split.users, k=N_WARM)
        played = {
            (split.users[u], split.tracks[t])
            for u, t in zip(split.train.user, split.train.track, strict=True)
        }
        listed = set(lists.select("user_id", "track_id").iter_rows())
        assert not played & listed
        assert len(played) + len(listed) == N_USERS * N_WARM
        assert lists.filter(pl.col("user_id") == 0)["rank"].to_list() == list(
            range(1, 1 + N_WARM - sum(user == 0 for user, _ in played))
        )

    def test_recommend_among_candidates(self) -> None:
        split, fitted = self.fit()
        chosen = split.tracks[split.warm][[3, 8, 9]]
        lists = fitted.recommend([10], k=2, candidates=chosen)
        assert set(lists["track_id"]) <= set(chosen)
        assert len(lists) <= 2
        with pytest.raises(InputError, match="user 11 is unknown"):
            fitted.recommend([11], k=1)
        with pytest.raises(InputError, match="track nowhere is unknown"):
            fitted.recommend([10], k=1, candidates=["nowhere"])

    def test_recommend_new_tracks(self) -> None:
        split, fitted = self.fit()
        if "cold" not in self.recommender.scenarios:
            pytest.skip("answers the hot scenario alone")
        ids = split.tracks[split.cold]
        read, artists = self.read_cold(split), self.artists(split)
        lists = fitted.recommend([0, 10], k=3, candidates=ids, vectors=read, artists=artists)
        assert lists["rank"].to_list() == [1, 2, 3, 1, 2, 3]
        assert set(lists["track_id"]) <= set(ids)
        assert lists["score"].to_list()[:3] == sorted(lists["score"].to_list()[:3], reverse=True)

    def test_save_and_load(self, tmp_path: Path) -> None:
        split, fitted = self.fit()
        fitted.save(tmp_path / "model")
        loaded = type(fitted).load(tmp_path / "model")
        assert np.array_equal(loaded.users(), fitted.users())
        assert np.array_equal(loaded.items(), fitted.items())
        assert loaded.recommend([10], k=4).equals(fitted.recommend([10], k=4))
        if "cold" in self.recommender.scenarios:
            assert np.array_equal(self.encode_cold(split, loaded), self.encode_cold(split, fitted))
        (tmp_path / "model" / "arrays.npz").write_bytes(b"half")
        with pytest.raises(InputError, match="no saved recommender"):
            type(fitted).load(tmp_path / "model")
