"""Progress bars on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:  # rich is imported with the first bar
    from rich.console import Console
    from rich.progress import Progress

Item = TypeVar("Item")


def progress_bar(console: Console | None = None) -> Progress:
    """A bar with the number done, the time taken and the time left."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
        console=console or Console(file=sys.stderr),
    )


def tracked(items: Sequence[Item], title: str) -> Iterator[Item]:
    """The items one by one, with a bar unless there are none."""
    if not items:
        return
    with progress_bar() as progress:
        yield from progress.track(items, description=title)
