"""What the length of the backbone's training decides: the artist's mean after more and more epochs.

Runs come from the variants of the artist's mean in studies/coldstart-settings.yaml.
"""

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.figure import Figure

from mrs.report.coldstart import MAIN, SLICES
from mrs.report.figures import PLAIN, closed, legend_below
from mrs.report.style import WIDTH, palette
from mrs.study.results import Results
from mrs.study.spec import RunSpec

MODEL = "artist_mean"  # nothing of its own is trained: it shows the backbone alone
AXES = ("cold/exploit", "cold/discovery")


def by_epochs(results: Results) -> pl.DataFrame:
    """A row per number of epochs and seed, ascending: both, and the mean of `MAIN` per slice."""
    rows: dict[tuple[int, int], dict[str, float]] = {}
    for cell in results.cells():
        if cell.recommender.name != MODEL:
            continue
        for spec in cell.runs:
            record = results.record(spec)
            if record is not None:
                mine = rows.setdefault((_epochs(spec), spec.seed), {})
                mine[SLICES[cell.scenario]] = float(record.values(MAIN).mean())
    return pl.DataFrame(
        [{"epochs": n, "seed": seed} | mine for (n, seed), mine in sorted(rows.items())]
    )


def _epochs(spec: RunSpec) -> int:
    return int(spec.settings["backbone_epochs"])


def table(found: pl.DataFrame) -> pl.DataFrame:
    """A row a number of epochs: the mean over seeds a slice, and the seeds' standard deviation."""
    names = [name for name in found.columns if name not in ("epochs", "seed")]
    return found.group_by("epochs", maintain_order=True).agg(
        pl.len().alias("seeds"),
        *(pl.col(name).mean() for name in names),
        *(pl.col(name).std().alias(f"sd, {name}") for name in names[:1]),
    )


def text(found: pl.DataFrame, used: int) -> str:
    """Along which axis longer training moves the slices, and what `used` epochs leave to it."""
    means = table(found)
    first, last = means.row(0, named=True), means.row(-1, named=True)
    moves = []
    for name in means.columns[2:-1]:
        word = "rises" if last[name] > first[name] else "falls"
        moves.append(f"{name} {word} from {first[name]:.4f} to {last[name]:.4f}")
    lines = [
        f"From {first['epochs']} to {last['epochs']} epochs of the backbone, {MAIN} of the "
        f"artist's mean changes as follows: {', '.join(moves)}."
    ]
    exploit, discovery = (SLICES[name] for name in AXES)
    if last[exploit] > first[exploit] and last[discovery] < first[discovery]:
        lines.append(
            "So the two slices lie at the ends of one axis, how closely factors fit the train "
            "plays. The longer the training, the more of a list goes to artists whom the listener "
            "plays already. Where a method stands in discovery against exploit is hence read "
            "beside others on the same backbone alone."
        )
    after = means.filter(pl.col("epochs") >= used)
    spread = after[means.columns[2]]
    lines.append(
        f"The methods of this page use {used} epochs; from there on the mean over all new tracks "
        f"moves by {spread.max() - spread.min():.4f}."  # type: ignore[operator]
    )
    return " ".join(lines)


def figure(found: pl.DataFrame) -> Figure:
    """Discovery against exploit, a colour a number of epochs: a seed a point, the mean a line."""
    across, up = (SLICES[name] for name in AXES)
    drawn, axis = plt.subplots(figsize=(WIDTH * 0.7, 3.4))
    means = table(found)
    axis.plot(means[across], means[up], color=PLAIN, linewidth=1)
    labels = [f"{n} epochs" for n in means["epochs"]]
    colours = palette(labels)
    for label, (_, mine) in zip(labels, found.group_by("epochs", maintain_order=True), strict=True):
        style = {"linestyle": "", "marker": "o", "markersize": 5, "color": colours[label]}
        axis.plot(mine[across], mine[up], **style, label=label)
    axis.set_xlabel(f"{across}, {MAIN}")
    axis.set_ylabel(f"{up}, {MAIN}")
    axis.set_ylim(0, 1.15 * float(np.max(found[up].to_numpy())))
    legend_below(drawn, axis, 3)
    return closed(drawn)
