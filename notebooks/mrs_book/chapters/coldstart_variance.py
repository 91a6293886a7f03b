"""What the artist adds to content, over worlds that differ in the artists' share of the variance.

Runs come from the archive of studies/artist-variance.yaml. Three things of the generated world vary
between artists and within them: audible traits, popularity and the scene; the share is the same for
all three, so that it is read from the traits' standard deviations.
"""

from functools import cached_property

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from mrs.evaluation.bootstrap import resampled_means
from mrs.world.params import Params
from mrs_book.chapters.coldstart import MAIN, method_name
from mrs_book.kit.archived import ArchivePage
from mrs_book.kit.figures import scatter

ENDS = (0.025, 0.975)  # quantiles of the 95 % interval
RATIOS = (
    ("DeepMusic + artist", "DeepMusic"),
    ("CLCRec + artist", "CLCRec"),
    ("ACARec", "DeepMusic"),
    ("Artist mean", "KNN"),
)
SHARE = "artists' share"


def artist_share(dataset: str) -> float:
    """The artists' share of a generated dataset's variance, to two digits."""
    params = Params.parse(dataset.partition(":")[2])
    artist, track = params.sd_artist**2, params.sd_track**2
    return round(artist / (artist + track), 2)


class Page(ArchivePage):
    """Ratios of artist-aware to content-only methods at each share."""

    COMMAND = "python studies/make_artist_variance.py"

    @cached_property
    def values(self) -> dict[tuple[str, float], np.ndarray]:
        """`MAIN` of the users of all worlds of a share [U], by method and share."""
        methods = {variant.label: method_name(variant) for variant in self.study.recommenders}
        found: dict[tuple[str, float], list[np.ndarray]] = {}
        runs = self.runs.sort("dataset", "seed").select("place", "dataset", "variant")
        for place, dataset, variant in runs.iter_rows():
            assert self.archive is not None  # it has runs
            key = methods[variant], artist_share(dataset)
            found.setdefault(key, []).append(self.archive.record(place).values(MAIN))
        return {key: np.concatenate(parts) for key, parts in found.items()}

    @cached_property
    def ratios(self) -> pl.DataFrame:
        """One row per pair of methods and share: both means of `MAIN`, and their ratio.

        `low` and `high` are the 95 % bootstrap interval of the ratio of the means over the users
        of the share's worlds, who are drawn together for both.
        """
        rows = []
        for aware, content in RATIOS:
            for share in sorted({share for _, share in self.values}):
                if (aware, share) not in self.values or (content, share) not in self.values:
                    continue
                both = np.stack([self.values[name, share] for name in (aware, content)], axis=-1)
                drawn = resampled_means(both[None])
                low, high = np.quantile(drawn[:, 0] / drawn[:, 1], ENDS).tolist()
                means = both.mean(axis=0)
                rows.append(
                    {
                        "methods": f"{aware} / {content}",
                        SHARE: share,
                        "with the artist": means[0],
                        "content alone": means[1],
                        "ratio": means[0] / means[1],
                        "low": low,
                        "high": high,
                        "users": len(both),
                    }
                )
        return pl.DataFrame(rows)

    def figure(self) -> Figure | None:
        """The ratio by share; lines of equal shares are moved apart."""
        if not len(self.ratios):
            return None
        place = pl.col("methods").rank("dense") - pl.col("methods").n_unique() / 2
        frame = self.ratios.select(
            group="methods",
            x=pl.col(SHARE) + place / 200,
            y="ratio",
            y_low="low",
            y_high="high",
        )
        return scatter(
            frame,
            "artists' share of the variance",
            f"ratio of {MAIN}",
            references={"": 1.0},
            joined=True,
            zero=True,
        )
