"""How figures look: sizes, colours, the mark of surrogate vectors, and of what each rests on."""

import html
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
from cycler import cycler
from IPython.core.getipython import get_ipython
from matplotlib.figure import Figure

SURROGATE = "sim:"
DPI = 144
COLOURS = "petroff10"  # ten colours that any colour vision distinguishes (arXiv 2107.02270)
BLUE, ORANGE, GREEN, GREY, PALE = "#0173b2", "#de8f05", "#029e73", "#555555", "#e2e2e2"
MEAN, CONTROL = "mean, 95 % interval", "vectors shuffled"
# What looks the same in every figure, by its name there.
STYLES: dict[str, dict[str, Any]] = {
    "hot": {"color": BLUE, "marker": "o"},
    "cold": {"color": ORANGE, "marker": "s"},
    "real": {"color": BLUE, "marker": "o"},
    "shuffled": {"color": ORANGE, "marker": "x"},
    MEAN: {"color": BLUE, "marker": "o"},
    CONTROL: {"color": ORANGE, "marker": "x"},
    "chance": {"color": GREY, "linestyle": ":"},
    "oracle": {"color": GREEN, "linestyle": "--"},
}
WIDTH = 5.6  # inches; 806 pixels at 144 dpi, still 9 pixel letters on a screen 390 wide
SOURCE_LETTERS = 100  # per line of a mark, at its size in a figure of WIDTH

# White letters on each of these have a contrast of 4.5 or more.
SOURCE_COLOURS = {
    "generated": "#b34700",
    "published": "#00695c",
    "real": "#1557b0",
    "computed": "#5f5f5f",
}


@dataclass(frozen=True)
class Source:
    """What a figure or table rests on; `kind` is a key of `SOURCE_COLOURS`."""

    kind: str
    text: str

    def html(self) -> str:
        """The mark as a table shows it."""
        colour = SOURCE_COLOURS[self.kind]
        badge = f"background:{colour};color:#fff;padding:0 .35em;font-size:.75em;font-weight:600"
        return (
            f'<span class="source"><b style="{badge}">{self.kind.upper()}</b> '
            f"{html.escape(self.text)}</span>"
        )


SURROGATES = "sim: = surrogate vectors, not the models"
GENERATED = Source("generated", f"listeners, plays and tracks are generated; {SURROGATES}")
PUBLISHED = Source("published", "numbers printed in arXiv 2604.23077")
PRINTED_SCORES = Source("published", "scores printed in the models' papers, each with its source")
CLAIMS = Source("published", "claims of four papers and readings of them, by kind")
FACTS = Source("published", "facts with their sources")
LIBRARIES = Source("computed", "what metric libraries return for made-up lists")
RECORDS = Source("computed", "the run records and packages of this book")
SETTINGS = Source("computed", "settings and their sources")
CLOSED_FORM = Source("computed", "a closed form, no data")
CONTENTS = Source("computed", "the parts of this book")
DRAWING = Source("computed", "a drawing without data")

_page: Source | None = None


def is_surrogate(label: str) -> bool:
    """Whether a label such as "sim:MERT" names generated stand-in vectors."""
    return label.startswith(SURROGATE)


def page_source() -> Source | None:
    """What this page's tables and figures rest on; None before `use_style`."""
    return _page


def mark(figure: Figure, source: Source) -> Figure:
    """Say below a figure what it rests on; a figure that says so already stays as it is."""
    if not any(text.get_gid() == "source" for text in figure.texts):
        _fix_legends(figure)
        figure.text(
            0.01,
            -0.01,
            textwrap.fill(f"{source.kind.upper()}: {source.text}", SOURCE_LETTERS),
            gid="source",
            va="top",
            fontsize=7.5,
            color="white",
            parse_math=False,
            bbox={"facecolor": SOURCE_COLOURS[source.kind], "edgecolor": "none", "pad": 2.5},
        )
    return figure


def _fix_legends(figure: Figure) -> None:
    """Keep the figure's legends where its layout puts them.

    A saved picture ends below the mark, and a legend "outside" would move to the picture's end.
    """
    engine = figure.get_layout_engine()
    if not figure.legends:
        return
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine("none")  # the layout is made once
    for legend in figure.legends:
        legend.set_bbox_to_anchor((0, 0, 1, 1), transform=figure.transFigure)


def use_style(source: Source) -> None:
    """Begin a page: matplotlib's defaults for the book's figures, and what they rest on.

    Every figure that the notebook shows from here on carries the mark of `source`, or its own if
    `mark` gave it one; tables carry it in their caption. The background of figures is opaque and
    light, also on dark pages.
    """
    global _page
    _page = source
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
    shell = get_ipython()
    if shell is not None and shell.display_formatter is not None:
        as_png = shell.display_formatter.formatters["image/png"]
        draw = as_png.for_type(Figure)
        as_png.for_type(Figure, lambda figure: draw(mark(figure, source)))


def palette(labels: Sequence[str]) -> dict[str, Any]:
    """A colour-blind-safe colour for each label, in the order in which they first come.

    A surrogate takes the colour of the model that it stands for; its marks are hollow.
    """
    names = list(dict.fromkeys(label.removeprefix(SURROGATE) for label in labels))
    colours = dict(zip(names, cycle(mpl.color_sequences[COLOURS])))
    return {label: colours[label.removeprefix(SURROGATE)] for label in labels}


def looks(
    labels: Sequence[str], styles: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, dict[str, Any]]:
    """Keyword arguments of `Axes.plot` for each label.

    Those of `STYLES` are fixed and others take the next colour, a lone unnamed one blue; `styles`
    adds to both.
    """
    free = palette([label for label in labels if label and label not in STYLES])
    marks = {label: {"marker": "o", "color": free.get(label, BLUE)} for label in labels}
    more = styles or {}
    return {
        label: dict(mark | STYLES.get(label, {}) | dict(more.get(label, {})))
        for label, mark in marks.items()
    }
