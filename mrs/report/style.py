"""How figures look: sizes, colours, and the mark of surrogate vectors."""

from collections.abc import Sequence
from itertools import cycle
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
from cycler import cycler

SURROGATE = "sim:"
DPI = 144
COLOURS = "petroff10"  # ten colours told apart with any colour vision (arXiv 2107.02270)
WIDTH = 5.6  # inches; 806 pixels at 144 dpi, still 9 pixel letters on a screen 390 wide


def is_surrogate(label: str) -> bool:
    """Whether a label such as "sim:MERT" names generated stand-in vectors."""
    return label.startswith(SURROGATE)


def use_style() -> None:
    """Set matplotlib's defaults for the book's figures.

    The background is opaque and light, also on dark pages.
    """
    mpl.rcdefaults()
    mpl.rcParams.update(
        {
            "figure.dpi": DPI,
            "savefig.dpi": DPI,
            "figure.figsize": (WIDTH, 3.5),
            "figure.constrained_layout.use": True,
            "figure.facecolor": "white",
            "savefig.facecolor": "white",
            "axes.facecolor": "white",
            "axes.prop_cycle": cycler(color=mpl.color_sequences[COLOURS]),
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.edgecolor": "#888888",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "grid.color": "#dddddd",
            "font.size": 11,
            "axes.labelsize": 11,
            "axes.titlesize": 12,
            "xtick.labelsize": 10,
            "ytick.labelsize": 10,
            "legend.fontsize": 10,
            "legend.frameon": False,
            "hatch.linewidth": 0.6,
        }
    )
    # A notebook draws a figure to show it; after each cell pyplot would draw it once more.
    plt.switch_backend(mpl.get_backend())
    plt.uninstall_repl_displayhook()


def palette(labels: Sequence[str]) -> dict[str, Any]:
    """A colour-blind-safe colour for each label, in the order in which they first come.

    A surrogate takes the colour of the model that it stands for; its mark is `bar_mark` or
    `line_mark`.
    """
    names = list(dict.fromkeys(label.removeprefix(SURROGATE) for label in labels))
    colours = dict(zip(names, cycle(mpl.color_sequences[COLOURS])))
    return {label: colours[label.removeprefix(SURROGATE)] for label in labels}


def bar_mark(label: str) -> dict[str, Any]:
    """Keyword arguments of a bar: hatched for a surrogate, plain otherwise."""
    return {"hatch": "////", "edgecolor": "white"} if is_surrogate(label) else {"edgecolor": "none"}


def line_mark(label: str) -> dict[str, Any]:
    """Keyword arguments of a line: dashed with hollow points for a surrogate."""
    if is_surrogate(label):
        return {"linestyle": "--", "marker": "o", "markerfacecolor": "white"}
    return {"linestyle": "-", "marker": "o"}
