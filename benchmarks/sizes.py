"""Sizes of a split's parts counted with NumPy from plays, to hold the package's own against.

Plays are an integer array [3 x plays]: user, track, time in seconds.
"""

import numpy as np

from mrs.data.splits import Split


def pairs_of(plays: np.ndarray) -> np.ndarray:
    """The distinct pairs, user * 2**20 + track, ascending."""
    return np.unique(plays[0].astype(np.int64) * 2**20 + plays[1])


def tracks_of(pairs: np.ndarray) -> np.ndarray:
    """The tracks of pairs, ascending."""
    return np.unique(pairs % 2**20)


def users_of(pairs: np.ndarray) -> np.ndarray:
    """The users of pairs, ascending."""
    return np.unique(pairs >> 20)


def core_of(pairs: np.ndarray, k: int) -> np.ndarray:
    """What is left when users and tracks of fewer than k pairs are taken away, again and again."""
    while True:
        by_user, by_track = np.bincount(pairs >> 20), np.bincount(pairs % 2**20)
        kept = pairs[(by_user[pairs >> 20] >= k) & (by_track[pairs % 2**20] >= k)]
        if len(kept) == len(pairs):
            return kept
        pairs = kept


def expected(
    plays: np.ndarray,
    cut: int,
    *,
    least: int = 1,
    late: int | None = None,
    share: float = 0.0,
    validation_share: float = 0.3,
) -> dict[str, int]:
    """Sizes of a split of the plays at `cut`, with a core of `least` pairs.

    Cold validation tracks are those first played from `late` to the cut, or a `share` of the new
    ones. Of what is drawn at random only the numbers are told that do not depend on the draw.
    """
    is_before = plays[2] < cut
    after = pairs_of(plays[:, ~is_before])
    before = plays[:, is_before]
    heard = pairs_of(before)
    first = np.full(plays[1].max() + 1, cut)
    np.minimum.at(first, before[1], before[2])
    held = np.flatnonzero((first >= (cut if late is None else late)) & (first < cut))
    del before
    catalogue = heard[~np.isin(heard % 2**20, held)]
    train = core_of(catalogue, least)
    warm, users = tracks_of(train), users_of(train)
    gone = np.union1d(np.setdiff1d(tracks_of(catalogue), warm), held)
    test = np.setdiff1d(after, heard, assume_unique=True)
    test = test[np.isin(test >> 20, users) & ~np.isin(test % 2**20, gone)]
    is_hot = np.isin(test % 2**20, warm)
    new = tracks_of(test[~is_hot])
    found = {
        "train pairs": len(train),
        "train users": len(users),
        "train tracks": len(warm),
        "hot pairs": int(is_hot.sum()),
        "new pairs after the cut": int((~is_hot).sum()),
        "cold tracks": len(new) - int(share * len(new)),
    }
    if not share:
        with_hot, with_cold = users_of(test[is_hot]), users_of(test[~is_hot])
        n_val = int(validation_share * len(np.setdiff1d(with_hot, with_cold)))
        late_pairs = np.isin(heard % 2**20, held) & np.isin(heard >> 20, users)
        found |= {
            "hot test users": len(with_hot) - n_val,
            "cold users": len(with_cold),
            "cold validation pairs": int(late_pairs.sum()),
        }
    return found


def counted(split: Split, *, share: float = 0.0) -> dict[str, int]:
    """The same sizes as a split of the package has them."""
    n_held = len(split.cold_val) if split.cold_val else 0
    found = {
        "train pairs": len(split.train),
        "train users": len(split.users),
        "train tracks": len(split.warm),
        "hot pairs": len(split.val) + len(split.hot_test),
        "new pairs after the cut": len(split.cold_test) + (n_held if share else 0),
        "cold tracks": len(np.unique(split.cold_test.track)),
    }
    if not share:
        found |= {
            "hot test users": len(np.unique(split.hot_test.user)),
            "cold users": len(np.unique(split.cold_test.user)),
            "cold validation pairs": n_held,
        }
    return found


def differences(wanted: dict[str, dict[str, int]], found: dict[str, dict[str, int]]) -> int:
    """Print every size, with the wanted one where they differ; returns how many differ."""
    n_different = 0
    for part, sizes in wanted.items():
        for what, n in sizes.items():
            here = found[part][what]
            print(f"{part}, {what}: {here:,}" + (" as counted" if here == n else f", NOT {n:,}"))
            n_different += here != n
    return n_different
