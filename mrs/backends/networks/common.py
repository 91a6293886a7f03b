"""What the networks share: running over waveforms, older checkpoints, configurations."""

import json
import re
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import torch
from torch import Tensor, nn
from typing_extensions import override

from mrs.backends.base import Backend, Model
from mrs.errors import InputError


class TorchModel(Model):
    """A network that turns waveforms [B x n] into the frames [B x T x d] of its layer.

    It runs on a GPU where there is one. `pooled` names what the mean runs over: "mean" for time,
    a vector of d numbers, or "channels" for the d channels of each frame, one of T.
    """

    def __init__(self, network: nn.Module, pooled: str = "mean") -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.network = network.eval().requires_grad_(False).to(self.device)
        self.axis = 2 if pooled == "channels" else 1

    @override
    def frames(self, waveform: np.ndarray) -> np.ndarray:
        return self._run(waveform[None])[0]

    @override
    def embed(self, waveform: np.ndarray) -> np.ndarray:
        return self._run(waveform[None]).mean(axis=self.axis)[0]

    @override
    def embed_batch(self, waveforms: list[np.ndarray]) -> np.ndarray:
        # Waveforms of one length go together; the networks were not trained with padding.
        if len({len(waveform) for waveform in waveforms}) > 1:
            return super().embed_batch(waveforms)
        return self._run(np.stack(waveforms)).mean(axis=self.axis)

    def _run(self, waveforms: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            batch = torch.from_numpy(np.ascontiguousarray(waveforms, dtype=np.float32))
            frames: Tensor = self.network(batch.to(self.device))
            return frames.float().cpu().numpy()


class MelSpectrogram(nn.Module):
    """Power mel spectrogram on the HTK scale up to half the sample rate.

    `norm` is librosa's: None is torchaudio's default, 2.0 gives each band unit length. Frames are
    centred with reflected ends; the window is a periodic Hann of `n_window` samples (default:
    `n_fft`).
    """

    window: Tensor
    filters: Tensor

    def __init__(
        self,
        sample_rate: int,
        n_fft: int,
        hop_length: int,
        n_mels: int,
        n_window: int | None = None,
        norm: float | None = None,
    ) -> None:
        super().__init__()
        self.n_fft, self.hop_length, self.n_window = n_fft, hop_length, n_window or n_fft
        filters = librosa.filters.mel(
            sr=sample_rate, n_fft=n_fft, n_mels=n_mels, htk=True, norm=norm
        )
        self.register_buffer("window", torch.hann_window(self.n_window), persistent=False)
        self.register_buffer("filters", torch.from_numpy(filters), persistent=False)

    def forward(self, waveforms: Tensor) -> Tensor:
        """Waveforms [B x n] to mel powers [B x n_mels x 1 + n // hop_length]."""
        spectrum = torch.stft(
            waveforms, self.n_fft, self.hop_length, self.n_window, self.window, return_complex=True
        )
        return self.filters @ spectrum.abs().square()


def named_for(module: nn.Module, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under the module's names for weight normalisation, which torch 2 changed."""
    wanted = module.state_dict()
    new = {"g": "parametrizations.weight.original0", "v": "parametrizations.weight.original1"}
    return {
        name if name in wanted else re.sub(r"weight_([gv])$", lambda m: new[m[1]], name): tensor
        for name, tensor in tensors.items()
    }


def below(tensors: dict[str, Tensor], *prefixes: str) -> dict[str, Tensor]:
    """The tensors whose names start with one of the prefixes."""
    return {name: tensor for name, tensor in tensors.items() if name.startswith(prefixes)}


def without(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors below a prefix, with it taken off their names."""
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def read_json(path: Path) -> dict[str, Any]:
    """A model's configuration file. Raises `InputError` for one that is no JSON object."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error}); fetch it again") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds no JSON object; fetch it again")
    return content


def check_layer(backend: Backend, depth: int, where: Path) -> None:
    """Raises `InputError` where the weights have fewer layers than the one to read."""
    name, layer = backend.name, int(backend.layer)
    if layer > depth:
        raise InputError(f"{where}: has {depth} layers, backend {name} asks for layer {layer}")


def check_width(backend: Backend, width: int, where: Path) -> None:
    """Raises `InputError` where a configuration is that of a wider or narrower model."""
    name, expected = backend.name, backend.embedding_size
    if width != expected:
        raise InputError(
            f"{where}: the model is {width} wide, backend {name} {expected}; another model"
        )
