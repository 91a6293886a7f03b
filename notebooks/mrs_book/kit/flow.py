"""The figure of a recommender's idea: a flow of boxes drawn from its card."""

import textwrap
from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch, Patch

from mrs.recommenders.cards import Card, Step
from mrs_book.kit.style import DRAWING, WIDTH, mark

TRAINED, PLAIN, COLD, INK = "#cfe3f3", "#ffffff", "#de8f05", "#333333"
TRAINED_EDGE, PLAIN_EDGE = "#0173b2", "#888888"
BOX, GAP, MARGIN = 0.54, 0.22, 0.2  # inches; everything below is in inches
LANE = 0.24  # right part of a track's column that steps leave free which new tracks lack
FONT = 10
LETTER = 0.076  # width of a letter of that size on average


def idea_figure(card: Card) -> Figure:
    """Draw the steps of a user on the left and of a track on the right, down to the score.

    Trained steps are filled and have a thick edge. The thick line is the path of a new track.
    A dashed edge marks steps that a new track lacks, or that are read in training alone.
    """
    sides = {"user": card.user, "track": card.track}
    if card.teacher:
        sides["in training only"] = card.teacher
    n_rows = max(len(steps) for steps in sides.values())
    n_below = len(card.shared) + 1
    height = 0.3 + (n_rows + n_below) * (BOX + GAP) + 0.15
    figure = plt.figure(figsize=(WIDTH, height), layout="none")
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set(xlim=(0, WIDTH), ylim=(0, height))
    axis.axis("off")

    width = (WIDTH - MARGIN * (len(sides) + 1)) / len(sides)
    left = {name: MARGIN + place * (width + MARGIN) for place, name in enumerate(sides)}
    tops = [height - 0.3 - row * (BOX + GAP) for row in range(n_rows + n_below)]
    both = 2 * width + MARGIN
    for name, steps in sides.items():
        axis.text(left[name] + width / 2, height - 0.16, name, **_text(weight="bold"))
        for top, step in zip(tops, steps, strict=False):
            lacks = step.warm_only and name == "track" and card.answers_cold
            dashed = name == "in training only" or lacks
            _box(axis, left[name], top, width - LANE * lacks, step, dashed)
        end = tops[n_rows]
        if name == "in training only":
            _pull(axis, left[name], tops[len(steps) - 1] - BOX / 2)
            end = tops[len(steps) - 1]
        _arrows(axis, left[name] + (width - LANE) / 2, tops[: len(steps)], end)
    for top, step in zip(tops[n_rows:], card.shared, strict=False):
        _box(axis, left["user"], top, both, step)
        _arrows(axis, left["user"] + both / 2, [top], top - BOX - GAP)
    last = tops[-1]
    axis.add_patch(_patch(left["user"], last, both, INK, INK))
    axis.text(MARGIN + both / 2, last - BOX / 2, card.score, **_text(color="white", weight="bold"))
    if card.answers_cold:
        lane = left["track"] + width - LANE / 2
        axis.plot([lane, lane], [tops[0] - BOX / 2, last], color=COLD, linewidth=3, zorder=1)
    _legend(figure, card)
    return mark(figure, DRAWING)


def _box(
    axis: Axes, left: float, top: float, width: float, step: Step, dashed: bool = False
) -> None:
    face, edge = (TRAINED, TRAINED_EDGE) if step.trained else (PLAIN, PLAIN_EDGE)
    patch = _patch(left, top, width, face, edge)
    patch.set(linewidth=1.8 if step.trained else 1.0, linestyle="--" if dashed else "-")
    axis.add_patch(patch)
    lines = textwrap.fill(step.text, int((width - 0.1) / LETTER))
    axis.text(left + width / 2, top - BOX / 2, lines, **_text())


def _patch(left: float, top: float, width: float, face: str, edge: str) -> FancyBboxPatch:
    style = "round,pad=0,rounding_size=0.06"
    box = FancyBboxPatch((left, top - BOX), width, BOX, boxstyle=style, zorder=2)
    box.set(facecolor=face, edgecolor=edge)
    return box


def _arrows(axis: Axes, x: float, tops: Sequence[float], end: float) -> None:
    """From each box down to the next, and from the last one down to `end`."""
    for top, below in zip(tops, [*tops[1:], end], strict=True):
        if below < top:
            axis.annotate(
                "", (x, below), (x, top - BOX), arrowprops={"arrowstyle": "->", "color": INK}
            )


def _pull(axis: Axes, left: float, y: float) -> None:
    """The mark of what training brings together."""
    ends = (left - MARGIN, y), (left, y)
    axis.annotate("", *ends, arrowprops={"arrowstyle": "<->", "color": INK, "shrinkA": 0})


def _text(**changes: str) -> dict:
    return {"ha": "center", "va": "center", "fontsize": FONT, "color": INK, "zorder": 3} | changes


def _legend(figure: Figure, card: Card) -> None:
    handles: list[Patch | Line2D] = []
    if any(step.trained for step in card.steps):
        handles.append(
            Patch(facecolor=TRAINED, edgecolor=TRAINED_EDGE, linewidth=1.8, label="trained")
        )
    if card.answers_cold:
        handles.append(Line2D([], [], color=COLD, linewidth=3, label="path of a new track"))
    else:
        handles.append(Line2D([], [], linestyle="", label="a new track has no path"))
    figure.legend(handles=handles, loc="lower center", ncols=2, fontsize=FONT)
