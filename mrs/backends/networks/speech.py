"""HuBERT and data2vec encoders as transformers has them, read at one of their layers."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import Data2VecAudioConfig, Data2VecAudioModel, HubertConfig, HubertModel

from mrs.backends.networks.common import check_layer, check_width, named_for, read_json
from mrs.backends.pretrained import MERT, Music2Vec
from mrs.backends.weights import load_state, read_tensors
from mrs.errors import InputError


class HiddenLayer(nn.Module):
    """Hidden states of one layer: 0 is the encoder's input, the last one its output.

    With `normalise` each waveform is brought to mean 0 and variance 1 first, which is what
    transformers' Wav2Vec2FeatureExtractor does.
    """

    def __init__(self, encoder: nn.Module, layer: int, normalise: bool) -> None:
        super().__init__()
        self.encoder, self.layer, self.normalise = encoder, layer, normalise

    def forward(self, waveforms: Tensor) -> Tensor:
        """Waveforms [B x n] to frames [B x T x width]."""
        if self.normalise:
            variance, mean = torch.var_mean(waveforms, dim=1, correction=0, keepdim=True)
            waveforms = (waveforms - mean) / torch.sqrt(variance + 1e-7)
        states = self.encoder(waveforms, output_hidden_states=True).hidden_states
        return states[self.layer]


def load_hubert(backend: MERT, folder: Path) -> HiddenLayer:
    """A MERT encoder from its folder: HuBERT, fed by convolutions alone.

    Other members of the family add a constant-Q transform to the input (`feature_extractor_cqt`)
    or scale the residuals (`deepnorm`); those are refused. `attention_relax` keeps the softmax of
    a half-precision training from overflowing and changes nothing else: softmax(x / c, scaled back
    by c after its maximum is subtracted) is softmax(x).
    """
    config = read_json(folder / "config.json")
    for key in ("feature_extractor_cqt", "deepnorm"):
        if config.get(key):
            raise InputError(f"{folder / 'config.json'}: {key} is set; this is another MERT")
    return _load(HubertModel(HubertConfig.from_dict(_usable(config))), backend, folder)


def load_data2vec(backend: Music2Vec, folder: Path) -> HiddenLayer:
    """A data2vec audio encoder (Music2Vec) from its folder."""
    config = Data2VecAudioConfig.from_dict(_usable(read_json(folder / "config.json")))
    return _load(Data2VecAudioModel(config), backend, folder)


def _usable(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration without masking, nor the class names of the code that it came with."""
    dropped = ("auto_map", "architectures", "model_type", "torch_dtype")
    kept = {key: value for key, value in config.items() if key not in dropped}
    return kept | {"mask_time_prob": 0.0, "mask_feature_prob": 0.0}


def _load(encoder: Any, backend: MERT | Music2Vec, folder: Path) -> HiddenLayer:
    config, preprocessor, where = (folder / file.name for file in backend.weights)
    check_width(backend, encoder.config.hidden_size, config)
    check_layer(backend, encoder.config.num_hidden_layers, where)
    tensors = read_tensors(where)
    tensors.pop("masked_spec_embed", None)  # stands in for masked frames in training
    load_state(encoder, named_for(encoder, tensors), where)
    prepared = backend.processor and bool(read_json(preprocessor).get("do_normalize", False))
    return HiddenLayer(encoder, backend.layer, normalise=prepared)
