"""The rules of the papers' own splits besides the temporal one, and split rules by name.

A catalogue split is the temporal one with new tracks of two kinds: those of cold validation, by
which a fit is stopped, and those of cold test. It is that of arXiv 2604.07090, whose new tracks
mostly come from artists with a catalogue in train.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl
from typing_extensions import override

from mrs.data.splits import (
    Plays,
    TemporalRule,
    divide,
    parts_of_window,
    train_and_test,
)
from mrs.errors import InputError
from mrs.settings import Count, Moment, PartShare


@dataclass(frozen=True)
class CatalogueRule(TemporalRule):
    """The catalogue split: what `TemporalRule` says, but for these.

    Cold validation tracks are new ones by either of two rules. With `cold_validation_start` they
    are those first played in the window between it and the cut (Music4All-Onion in arXiv
    2604.07090: the last train month); their pairs before the cut are `cold_val`. No later play of
    them counts, so that nothing of the test period stops a fit; the authors' file has the pairs of
    both sides of the cut. With `cold_validation_share` they are a share of the new tracks of the
    test period, drawn by track with `seed` (Yambda there: 0.3). Neither kind takes part in train,
    in its core or in the cold test.

    Cold candidates are the tracks that a train user played first in the test period. Those whose
    artist has no track in train stay among them: there they were left out. Whose artist is known
    is `Split.known_artist`, by which the slices of the cold scenario are cut.
    """

    name: ClassVar[str] = "catalogue"

    min_core: Count = 5
    cold_validation_start: Moment | None = None
    cold_validation_share: PartShare = 0.0

    @override
    def contradiction(self) -> str:
        start = self.cold_validation_start
        if self.cold_validation_share and start is not None:
            return "cold_validation_start and cold_validation_share; keep one of them"
        if start is not None and start >= self.test_start:
            return f"cold_validation_start {start} must lie before test_start"
        return super().contradiction()

    @property
    @override
    def validates_cold(self) -> bool:
        return self.cold_validation_start is not None or self.cold_validation_share > 0

    @override
    def cut(self, plays: Plays) -> dict[str, pl.DataFrame]:
        before, after = parts_of_window(plays, self)
        late = None
        if self.cold_validation_start is not None:
            released = before.group_by("track_id").agg(pl.col("timestamp").min())
            late = released.filter(pl.col("timestamp") >= self.cold_validation_start)
        parts, hot, new = train_and_test(before, after, self, late)
        tracks = new.select("track_id").unique().sort("track_id")
        order = np.random.default_rng([self.seed, 1]).permutation(len(tracks))
        held = tracks[np.sort(order[: int(self.cold_validation_share * len(tracks))])]
        cold = new.join(held, on="track_id", how="anti")
        parts |= divide(hot, cold, self) | {"cold": cold.select("track_id").unique()}
        if self.cold_validation_share:
            parts["cold_val"] = new.join(held, on="track_id", how="semi")
        elif late is not None:
            pairs = before.join(late, on="track_id", how="semi")
            parts["cold_val"] = pairs.join(parts["train"], on="user_id", how="semi")
        return parts


@dataclass(frozen=True)
class PlayedRule(TemporalRule):
    """`TemporalRule` with the new tracks of the test period alone as cold candidates.

    So the authors of arXiv 2604.23077 rank their 589: the tracks of the cold test pairs. For plays
    of a longer time than the split's window, whose other tracks are no candidates.
    """

    name: ClassVar[str] = "played"

    @override
    def cut(self, plays: Plays) -> dict[str, pl.DataFrame]:
        parts = super().cut(plays)
        return parts | {"cold": parts["cold_test"].select("track_id").unique()}


@dataclass(frozen=True)
class KnownRule(PlayedRule):
    """`TemporalRule` without new tracks, which leave the test before users are drawn.

    With a `validation_share` of 0.5 it is the split of arXiv 2409.08987 (1_train_test_split.py).
    """

    name: ClassVar[str] = "known"

    @override
    def cut(self, plays: Plays) -> dict[str, pl.DataFrame]:
        plays = plays.lazy()
        in_train = pl.col("timestamp") < self.test_start
        if self.train_start is not None:
            in_train &= pl.col("timestamp") >= self.train_start
        known = plays.filter(in_train).select("track_id").unique()
        return super().cut(plays.join(known, on="track_id", how="semi"))


RULES: dict[str, type[TemporalRule]] = {
    rule.name: rule for rule in (TemporalRule, PlayedRule, KnownRule, CatalogueRule)
}


def parse_rule(where: str, values: Any) -> TemporalRule:
    """The rule of a mapping such as dataset.json holds, which `rule` names; default: temporal.

    `where` names the mapping in errors. Raises `InputError`.
    """
    if not isinstance(values, dict):
        raise InputError(f"{where}: is no mapping; write a split rule with a test_start")
    values = dict(values)
    name = values.pop("rule", TemporalRule.name)
    if name not in RULES:
        raise InputError(f"{where}: unknown split rule {name!r}; known: {', '.join(RULES)}")
    return RULES[name].from_file(where, values)
