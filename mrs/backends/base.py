"""The backend contract: a waveform in, time frames of one layer out, pooled to a track's vector."""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from typing_extensions import override

from mrs.models import MODELS, Facts, WeightFile
from mrs.settings import Seconds, Settings


@dataclass(frozen=True)
class Backend(Settings, ABC):
    """An audio model and how it is read; subclasses are frozen dataclasses of such settings.

    `embedding_size` is the width of one track's vector at the model's published size,
    `sample_rate` the rate in Hz that it hears, `minimum_seconds` the shortest clip that it can
    represent, `version` is raised when its vectors change. A model of `mrs/models.yaml` has its
    label, size, rate, card and weights from there.

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
            cls.label, cls.embedding_size, cls.sample_rate, cls.card, cls.weights = MODELS[cls.name]

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
        """One vector per waveform, float32 [n x d]; a model overrides it where batching pays."""
        return np.stack([self.embed(waveform) for waveform in waveforms])
