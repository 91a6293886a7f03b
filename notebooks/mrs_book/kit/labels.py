"""Labels beside the points of a figure, kept apart from each other."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Annotation


def label_points(ax: Axes, points: np.ndarray, labels: Sequence[str]) -> list[Annotation]:
    """Write a label beside each point, each where it covers least of what is there already.

    Parameters: points [n x 2] in data units. The figure must have its final layout.
    """
    taken = [np.array([x - 3, y - 3, x + 3, y + 3]) for x, y in ax.transData.transform(points)]
    frame = np.array(ax.get_window_extent().extents)
    offsets = [
        (radius * np.cos(angle), radius * np.sin(angle))
        for radius in (4, 8, 13, 19)
        for angle in np.arange(12) * np.pi / 6
    ]
    placed = []
    for point, label in zip(points, labels, strict=True):
        text = ax.annotate(label, point, (0, 0), textcoords="offset points", fontsize=7.5)
        boxes = []
        for offset in offsets:
            _move(text, offset)
            boxes.append(np.array(text.get_window_extent().extents))
        cost = [
            sum(_overlap(box, other) for other in taken) + 3 * _outside(box, frame) for box in boxes
        ]
        best = int(np.argmin(cost))
        _move(text, offsets[best])
        taken.append(boxes[best])
        placed.append(text)
    return placed


def _move(text: Annotation, offset: tuple[float, float]) -> None:
    dx, dy = offset
    text.set(
        position=offset,
        ha="left" if dx > 1 else "right" if dx < -1 else "center",
        va="bottom" if dy > 1 else "top" if dy < -1 else "center",
    )


def _area(box: np.ndarray) -> float:
    width, height = np.maximum(box[2:] - box[:2], 0)
    return float(width * height)


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    return _area(np.r_[np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])])


def _outside(box: np.ndarray, frame: np.ndarray) -> float:
    return _area(box) - _overlap(box, frame)
