"""Addresses of weights on the model hub."""

from mrs.backends.base import WeightFile


def hub_file(
    repository: str, revision: str, name: str, sha256: str | None = None, *, place: str = ""
) -> WeightFile:
    """A repository's file at a revision; `place` is its name in the weights folder if another."""
    address = f"https://huggingface.co/{repository}/resolve/{revision}/{name}"
    return WeightFile(place or name, address, sha256)
