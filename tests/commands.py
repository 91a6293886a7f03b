"""Calls of the command line, and what they give back."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Done:
    """What a call printed and its exit status."""

    returncode: int
    stdout: str
    stderr: str


Call = Callable[..., Done]

RUN = ["run", "--dataset", "own", "--recommender", "knn", "--scenario", "hot", "--backend", "mert"]


def swap(words: list[str], **changes: str) -> list[str]:
    """The words with other values of some options."""
    words = list(words)
    for name, value in changes.items():
        if f"--{name}" in words:
            words[words.index(f"--{name}") + 1] = value
        else:
            words += [f"--{name}", value]
    return words
