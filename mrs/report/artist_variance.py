"""What the artist adds to content, over worlds that differ in the artists' share of the variance.

The worlds and their runs are those of `mrs.study.artist_variance`, read from their archive.
"""

from functools import cached_property
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.figure import Figure

from mrs.evaluation.bootstrap import resampled_means
from mrs.report.coldstart import MAIN, method_name
from mrs.report.figures import CHANCE, closed, legend_below
from mrs.report.prose import note
from mrs.report.style import WIDTH, palette
from mrs.report.validity import labelled
from mrs.study.archive import Archive, open_archive
from mrs.study.artist_variance import COMMAND, worlds
from mrs.study.study import load_study

ENDS = (0.025, 0.975)  # quantiles of the 95 % interval
RATIOS = (
    ("DeepMusic + artist", "DeepMusic"),
    ("CLCRec + artist", "CLCRec"),
    ("ACARec", "DeepMusic"),
    ("Artist mean", "KNN"),
)


class ArtistVariancePage:
    """An archive's ratios of artist-aware to content-only methods at each share."""

    def __init__(self, study_file: str | Path, archive: Archive) -> None:
        self.study_file, self.archive = study_file, archive
        study = load_study(study_file)
        self.shares = {one.dataset: share for share, of in worlds(study).items() for one in of}
        self.methods = {variant.label: method_name(variant) for variant in study.recommenders}

    @cached_property
    def values(self) -> dict[tuple[str, float], np.ndarray]:
        """`MAIN` of the users of all worlds of a share [U], by method and share."""
        runs = labelled(self.study_file, self.archive).sort("dataset", "seed")
        found: dict[tuple[str, float], list[np.ndarray]] = {}
        for place, dataset, variant in runs.select("place", "dataset", "variant").iter_rows():
            if dataset in self.shares:
                key = self.methods[variant], self.shares[dataset]
                found.setdefault(key, []).append(self.archive.record(place).values(MAIN))
        return {key: np.concatenate(parts) for key, parts in found.items()}

    @cached_property
    def ratios(self) -> pl.DataFrame:
        """A row a pair of methods and share: both means of `MAIN`, and their ratio.

        `low` and `high` are the 95 % bootstrap interval of the ratio of the means over the users
        of the share's worlds, who are drawn together for both.
        """
        rows = []
        for aware, content in RATIOS:
            for share in dict.fromkeys(self.shares.values()):
                if (aware, share) not in self.values or (content, share) not in self.values:
                    continue
                both = np.stack([self.values[name, share] for name in (aware, content)], axis=-1)
                drawn = resampled_means(both[None])
                low, high = np.quantile(drawn[:, 0] / drawn[:, 1], ENDS).tolist()
                means = both.mean(axis=0)
                rows.append(
                    {
                        "methods": f"{aware} / {content}",
                        "artists' share": share,
                        "with the artist": means[0],
                        "content alone": means[1],
                        "ratio": means[0] / means[1],
                        "low": low,
                        "high": high,
                        "users": len(both),
                    }
                )
        return pl.DataFrame(rows)

    def text(self) -> str:
        """What the ratios do from the lowest share to the highest, and what that means."""
        lines, columns = [], ("artists' share", "ratio", "low", "high")
        for (methods,), mine in self.ratios.group_by("methods", maintain_order=True):
            ends = (
                f"{ratio:.2f} ({low:.2f} to {high:.2f}) at a share of {share:g}"
                for share, ratio, low, high in mine.select(columns)[[0, -1]].iter_rows()
            )
            lines.append(f"- {methods}: {' and '.join(ends)}.")
        lines.append(
            "\nNothing but these parameters of the generator and what is drawn with them differs "
            "between the worlds. How much an artist's catalogue adds in a generated world is a "
            "property of the generator, and no finding about artists or music."
        )
        return "\n".join(lines)

    def origin(self) -> str:
        """The worlds, and where the runs come from."""
        about, study = self.archive.about, load_study(self.study_file)
        return (
            f"{note(study.note)} {about['n_runs']} runs of {about['created']}, made by "
            f"`{about['command']}` in {about['seconds'] / 60:.0f} minutes of fitting and ranking."
        )

    def figure(self) -> Figure:
        """The ratio over the share, a line a pair of methods; a ratio of one is dotted."""
        figure, axis = plt.subplots(figsize=(WIDTH, 3.6))
        names = self.ratios["methods"].unique(maintain_order=True).to_list()
        colours = palette(names)
        for place, name in enumerate(names):
            mine = self.ratios.filter(methods=name)
            shares = mine["artists' share"].to_numpy() + (place - len(names) / 2) / 200
            style = {"color": colours[name], "marker": "o", "markersize": 4}
            axis.plot(shares, mine["ratio"], **style, label=name)
            axis.vlines(shares, mine["low"], mine["high"], color=colours[name])
        axis.axhline(1, color=CHANCE, linestyle=":")
        axis.set_xticks(list(dict.fromkeys(self.shares.values())))
        axis.set_ylim(bottom=0)
        axis.set_xlabel("artists' share of the variance")
        axis.set_ylabel(f"ratio of {MAIN}")
        legend_below(figure, axis, 2)
        return closed(figure)


def open_page(study_file: str | Path) -> ArtistVariancePage | None:
    """The page of a study file's archive, None where it is not there."""
    archive = open_archive(load_study(study_file).archive)
    return ArtistVariancePage(study_file, archive) if archive else None


def missing_text(study_file: str | Path) -> str:
    """What stands in the page's place without an archive."""
    return f"**Not computed here.** `{COMMAND}` makes it. {note(load_study(study_file).note)}"
