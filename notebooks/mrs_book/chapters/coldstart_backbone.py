"""What the length of the backbone's training decides: the artist's mean after more and more epochs.

Runs come from the variants of the artist's mean in studies/coldstart-settings.yaml.
"""

from functools import cached_property

import polars as pl
from IPython.display import Markdown
from matplotlib.figure import Figure

from mrs.recommenders import RECOMMENDERS
from mrs_book.chapters import coldstart
from mrs_book.chapters.coldstart import MAIN, SLICES
from mrs_book.kit.figures import scatter

MODEL = "artist_mean"  # nothing of its own is trained: it shows the backbone alone
EXPLOIT, DISCOVERY = SLICES["cold/exploit"], SLICES["cold/discovery"]


class Page(coldstart.Page):
    """Other settings of the cold-start models, and the artist's mean by epochs of its backbone."""

    @cached_property
    def by_epochs(self) -> pl.DataFrame:
        """One row per number of epochs and seed, ascending: the mean of `MAIN` per slice."""
        rows: dict[tuple[int, int], dict[str, float]] = {}
        for cell in self.results.cells():
            if cell.recommender.name != MODEL:
                continue
            for spec in cell.runs:
                record = self.results.record(spec)
                if record is not None:
                    epochs = int(spec.settings["backbone_epochs"])
                    mine = rows.setdefault((epochs, spec.seed), {})
                    mine[SLICES[cell.scenario]] = float(record.values(MAIN).mean())
        return pl.DataFrame(
            [{"epochs": n, "seed": seed} | mine for (n, seed), mine in sorted(rows.items())]
        )

    @cached_property
    def epochs(self) -> pl.DataFrame:
        """One row per number of epochs: means over seeds per slice, and the first one's deviation.

        The deviation is the standard deviation of the seeds.
        """
        if not len(self.by_epochs):
            return self.by_epochs
        names = self.by_epochs.columns[2:]
        return self.by_epochs.group_by("epochs", maintain_order=True).agg(
            pl.len().alias("seeds"),
            *(pl.col(name).mean() for name in names),
            pl.col(names[0]).std().alias(f"sd, {names[0]}"),
        )

    def verdict(self) -> Markdown:
        """Whether longer training moves the two slices apart, and what the epochs used leave."""
        if not len(self.epochs):
            return Markdown(self.missing())
        used = RECOMMENDERS[MODEL]().backbone_epochs  # type: ignore[attr-defined]
        change = self.epochs.select(
            pl.col(EXPLOIT, DISCOVERY).last() - pl.col(EXPLOIT, DISCOVERY).first()
        )
        rises, falls = change[EXPLOIT][0] > 0, change[DISCOVERY][0] < 0
        axis = (
            f"Longer training raises {EXPLOIT} and lowers {DISCOVERY}: the two slices lie at the "
            "ends of one axis, so that methods compare on the same backbone alone. "
        )
        after = self.epochs.filter(pl.col("epochs") >= used)[self.epochs.columns[2]].to_numpy()
        return Markdown(
            f"{axis if rises and falls else ''}The methods of this page use {used} epochs; from "
            f"there on the mean over all new tracks moves by {after.max() - after.min():.4f}."
        )

    def figure(self) -> Figure | None:
        """Discovery against exploit: a point per seed, a line through the means."""
        if not len(self.epochs):
            return None
        at = {"x": EXPLOIT, "y": DISCOVERY}
        points = self.by_epochs.select(**at, group=pl.format("{} epochs", "epochs"))
        figure = scatter(points, f"{EXPLOIT}, {MAIN}", f"{DISCOVERY}, {MAIN}", zero=True)
        figure.axes[0].plot(self.epochs[EXPLOIT], self.epochs[DISCOVERY], linewidth=1, zorder=1)
        return figure
