"""HuBERT and data2vec encoders as transformers has them, read at one of their layers."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import Data2VecAudioConfig, Data2VecAudioModel, HubertConfig, HubertModel

from mrs.backends.networks.common import check_layer, check_width, named_for, read_json
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


def load_hubert(name: str, folder: Path, layer: int, width: int, processor: bool) -> HiddenLayer:
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
    encoder = HubertModel(HubertConfig.from_dict(_usable(config)))
    return _load(encoder, name, folder, layer, width, processor)


def load_data2vec(name: str, folder: Path, layer: int, width: int, processor: bool) -> HiddenLayer:
    """A data2vec audio encoder (Music2Vec) from its folder."""
    config = Data2VecAudioConfig.from_dict(_usable(read_json(folder / "config.json")))
    return _load(Data2VecAudioModel(config), name, folder, layer, width, processor)


def _usable(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration without masking, nor the class names of the code that it came with."""
    dropped = ("auto_map", "architectures", "model_type", "torch_dtype")
    kept = {key: value for key, value in config.items() if key not in dropped}
    return kept | {"mask_time_prob": 0.0, "mask_feature_prob": 0.0}


def _load(
    encoder: Any, name: str, folder: Path, layer: int, width: int, processor: bool
) -> HiddenLayer:
    where = folder / "pytorch_model.bin"
    check_width(name, encoder.config.hidden_size, width, folder / "config.json")
    check_layer(name, layer, encoder.config.num_hidden_layers, where)
    tensors = read_tensors(where)
    tensors.pop("masked_spec_embed", None)  # stands in for masked frames in training
    load_state(encoder, named_for(encoder, tensors), where)
    prepared = read_json(folder / "preprocessor_config.json").get("do_normalize", False)
    return HiddenLayer(encoder, layer, normalise=processor and bool(prepared))
