"""The split that hyper-parameters are chosen on: made of train and validation plays alone."""

from dataclasses import replace

import numpy as np

from mrs.data.splits import Split
from mrs.errors import InputError

MONTH = 30 * 86_400_000_000  # microseconds
LEAST_NEW = 50  # pseudo-cold tracks where train is short: well above the 20 of a cold list


def validation_split(split: Split) -> Split:
    """The split with its validation pairs in the place of the hot test pairs, and nothing cold."""
    if not len(split.val):
        raise InputError(
            f"split {split.name}: has no validation pairs to choose hyper-parameters on; set its "
            "validation_share above 0"
        )
    none = split.val.take(slice(0))
    return replace(split, hot_test=split.val, cold_test=none, cold=split.cold[:0], cold_val=None)


def share_of_cold(split: Split) -> int:
    """As many of the train tracks as are the split's cold ones of all its candidates.

    So chance is about as low among pseudo-cold tracks as among cold ones, and `LEAST_NEW` where
    that would be fewer.
    """
    share = len(split.cold) / (len(split.warm) + len(split.cold))
    return max(LEAST_NEW, round(share * len(split.warm)))


def pseudo_cold_split(split: Split, least: int | None = None) -> tuple[Split, int]:
    """`validation_split`, with the newest train tracks left out of train as if they were cold.

    Pseudo-cold are the tracks first played in the last month (30 days) of the train plays; where
    these are fewer than `least` (default: `share_of_cold`), in the last two months, three, and so
    on, up to the first month. Their plays leave train and become the cold test pairs; users and
    tracks without a train play left leave, too. Of the test part nothing is read but the number of
    cold candidates. Also returns the number of months. Raises `InputError` where the train plays
    are too short even for `LEAST_NEW`.
    """
    wanted = share_of_cold(split) if least is None else least
    least = min(wanted, LEAST_NEW)
    split = validation_split(split)
    train = split.train
    first = np.full(len(split.tracks), np.iinfo(np.int64).max)
    np.minimum.at(first, train.track, train.timestamp)
    end, months = int(train.timestamp.max()), 0
    new = np.zeros(len(first), dtype=bool)
    while new.sum() < wanted:
        if end - (months + 1) * MONTH <= train.timestamp.min():
            if new.sum() >= least:
                break
            raise InputError(
                f"split {split.name}: fewer than {least} tracks were first played after the first "
                "month of train, too few to stand for cold ones; leave cold out of the scenarios"
            )
        months += 1
        new = (first > end - months * MONTH) & (first <= end)
    stays = ~new[train.track]
    left, part = split.keeping(stays)
    val = part(split.val, ~new[split.val.track])
    cold = np.flatnonzero(new).astype(np.int32)
    return replace(left, val=val, hot_test=val, cold_test=part(train, ~stays), cold=cold), months
