"""MFCC: statistics of mel-frequency cepstral coefficients, the baseline without a model."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from typing_extensions import override

from mrs.backends.base import Backend, Model
from mrs.settings import Seconds

N_COEFFICIENTS = 26
HOP_LENGTH = 512  # samples, librosa's default
DELTA_WIDTH = 9  # frames that a delta is estimated from, librosa's default


@dataclass(frozen=True)
class MFCC(Backend):
    """26 coefficients and their deltas, each as mean and standard deviation over time: 104.

    The published code has the width and no script; the parameters are librosa's defaults.
    """

    name: ClassVar[str] = "mfcc"
    minimum_seconds: ClassVar[float] = (DELTA_WIDTH - 1) * HOP_LENGTH / 16_000

    clip_seconds: Seconds = 0.0
    layer: Literal["coefficients and deltas"] = "coefficients and deltas"
    pooling: Literal["mean and standard deviation"] = "mean and standard deviation"

    @override
    def load(self, folder: Path) -> "MFCCModel":
        return MFCCModel()


class MFCCModel(Model):
    """MFCC of a waveform at 16 kHz; frames of 2,048 samples every 512."""

    @override
    def frames(self, waveform: np.ndarray) -> np.ndarray:
        """Coefficients and then their deltas, float32 [T x 52]."""
        import librosa

        coefficients = librosa.feature.mfcc(
            y=waveform, sr=MFCC.sample_rate, n_mfcc=N_COEFFICIENTS, hop_length=HOP_LENGTH
        )
        deltas = librosa.feature.delta(coefficients, width=DELTA_WIDTH)
        return np.concatenate([coefficients, deltas]).T.astype(np.float32)

    @override
    def embed(self, waveform: np.ndarray) -> np.ndarray:
        """Mean and standard deviation of the coefficients, then of the deltas, float32 [104]."""
        coefficients, deltas = np.split(self.frames(waveform), 2, axis=1)
        parts = (coefficients.mean(0), coefficients.std(0), deltas.mean(0), deltas.std(0))
        return np.concatenate(parts)
