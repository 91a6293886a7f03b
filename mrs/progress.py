"""Progress bars on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:  # rich is imported with the first bar
    from rich.console import Console
    from rich.progress import Progress

Item = TypeVar("Item")


def progress_bar(console: Console | None = None, *, in_bytes: bool = False) -> Progress:
    """A bar with what is done, the time taken (or bytes a second) and the time left."""
    from rich import progress
    from rich.console import Console

    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn() if in_bytes else progress.MofNCompleteColumn(),
        progress.TransferSpeedColumn() if in_bytes else progress.TimeElapsedColumn(),
        progress.TextColumn("left:"),
        progress.TimeRemainingColumn(),
        console=console or Console(file=sys.stderr),
    )


def tracked(items: Sequence[Item], title: str) -> Iterator[Item]:
    """The items one by one, with a bar unless there are none."""
    if not items:
        return
    with progress_bar() as progress:
        yield from progress.track(items, description=title)
