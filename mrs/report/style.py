"""How figures look: sizes, colours, the mark of surrogate vectors, and of what each rests on."""

import html
import textwrap
from collections.abc import Sequence
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
COLOURS = "petroff10"  # ten colours told apart with any colour vision (arXiv 2107.02270)
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
    """Keep the figure's legends where they are: at its edge they would move along with the edge.

    A saved picture ends below the mark, and a legend "outside" is placed at the picture's end.
    """
    if not figure.legends:
        return
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for legend in figure.legends:
        box = legend.get_window_extent().transformed(figure.transFigure.inverted())
        legend.set_loc("lower left")
        legend.borderaxespad = 0
        legend.set_bbox_to_anchor((box.x0, box.y0), transform=figure.transFigure)


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
