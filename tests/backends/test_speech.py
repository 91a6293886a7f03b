"""MERT and Music2Vec: encoders that transformers has, so that its own loader is the reference."""

import json

import numpy as np
import pytest
import torch
from backends.published import PublishedWeights, randomise, waveform
from transformers import (
    Data2VecAudioConfig,
    Data2VecAudioModel,
    HubertConfig,
    HubertModel,
    Wav2Vec2FeatureExtractor,
)

from mrs.backends.networks.speech import HiddenLayer
from mrs.backends.pretrained import MERT, Music2Vec
from mrs.errors import InputError

SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "conv_dim": [16] * 7,
    "num_conv_pos_embedding_groups": 4,
}
# As in the published configuration of MERT-v1-330M, with what its own class adds.
MERT_SMALL = {
    **SMALL,
    "architectures": ["MERTModel"],
    "auto_map": {"AutoModel": "modeling_MERT.MERTModel"},
    "model_type": "mert_model",
    "attention_relax": 32.0,
    "deepnorm": False,
    "do_stable_layer_norm": True,
    "feat_extract_norm": "group",
    "feature_extractor_cqt": False,
    "feature_extractor_cqt_bins": 336,
    "num_conv_pos_embeddings": 16,
    "sample_rate": 24000,
    "torch_dtype": "float32",
}
MUSIC2VEC_SMALL = {**SMALL, "model_type": "data2vec-audio", "num_conv_pos_embeddings": 5}
PROCESSOR = {
    "do_normalize": True,
    "feature_size": 1,
    "padding_value": 0,
    "return_attention_mask": True,
}


def old_names(network):
    """The state as torch before 2.0 saved weight normalisation."""
    new = {"parametrizations.weight.original0": "weight_g"}
    new["parametrizations.weight.original1"] = "weight_v"
    state = {}
    for name, tensor in network.state_dict().items():
        for now, before in new.items():
            name = name.replace(now, before)
        state[name] = tensor
    return state


class SmallMERT(MERT):
    embedding_size = 32


class SmallMusic2Vec(Music2Vec):
    embedding_size = 32


class Speech(PublishedWeights):
    checkpoint = "pytorch_model.bin"
    tensor = "encoder.layers.1.feed_forward.output_dense.weight"
    width = 32
    config: dict

    def network(self):
        raise NotImplementedError

    def publish(self, folder):
        (folder / "config.json").write_text(json.dumps(self.config))
        (folder / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
        torch.save(old_names(randomise(self.network())), folder / "pytorch_model.bin")

    def layer(self, layer, **settings):
        return type(self.backend)(layer=layer, **settings)

    @pytest.mark.parametrize("layer", [1, 2])
    def test_a_layer_is_what_its_block_puts_out(self, folder, layer):
        model = self.layer(layer).load(folder)
        seen = []
        block = model.network.encoder.encoder.layers[layer - 1]
        block.register_forward_hook(lambda module, given, out: seen.append(out[0]))
        frames = model.frames(waveform(self.backend, 1.0))
        np.testing.assert_array_equal(frames, seen[0][0].numpy())

    def test_the_last_layer_is_the_encoder_output_of_the_librarys_own_loader(self, folder):
        heard = waveform(self.backend, 1.0)
        reference = self.network()
        reference.load_state_dict(randomise(self.network()).state_dict())
        extractor = Wav2Vec2FeatureExtractor(**PROCESSOR, sampling_rate=self.backend.sample_rate)
        given = extractor(heard, sampling_rate=self.backend.sample_rate, return_tensors="pt")
        with torch.inference_mode():
            expected = reference.eval()(given.input_values).last_hidden_state[0]
        frames = self.layer(3).load(folder).frames(heard)
        np.testing.assert_allclose(frames, expected.numpy(), atol=1e-5)

    def test_without_the_processor_the_waveform_goes_in_as_it_is(self, folder):
        heard = waveform(self.backend, 1.0)
        prepared = (heard - heard.mean()) / np.sqrt(heard.var() + 1e-7)
        with_it = self.layer(3).load(folder).frames(heard)
        without = self.layer(3, processor=False).load(folder)
        np.testing.assert_allclose(without.frames(prepared), with_it, atol=1e-5)
        assert np.abs(without.frames(heard + 0.2) - with_it).max() > 1e-4

    def test_a_processor_that_does_not_normalise_is_followed(self, folder):
        path = folder / "preprocessor_config.json"
        path.write_text(json.dumps({**PROCESSOR, "do_normalize": False}))
        heard = waveform(self.backend, 1.0)
        raw = self.layer(3, processor=False).load(folder).frames(heard)
        np.testing.assert_array_equal(self.layer(3).load(folder).frames(heard), raw)

    def test_a_layer_that_the_weights_do_not_have_is_refused(self, folder):
        with pytest.raises(InputError, match="has 3 layers, backend .* asks for layer 12"):
            self.layer(12).load(folder)

    def test_a_model_of_another_width_is_refused(self, folder):
        with pytest.raises(
            InputError, match=r"config.json: the model is 32 wide, backend .*; anot"
        ):
            type(self.backend).__base__(layer=3).load(folder)

    def test_a_configuration_that_is_no_json_is_named(self, folder):
        (folder / "config.json").write_text("{")
        with pytest.raises(InputError, match=r"config.json: cannot be read as JSON"):
            self.backend.load(folder)


class TestMERT(Speech):
    backend = SmallMERT(layer=3)
    config = MERT_SMALL
    n_frames = 74  # 24,000 samples through strides of 320 and a receptive field of 400

    def network(self):
        known = {**SMALL, "do_stable_layer_norm": True, "num_conv_pos_embeddings": 16}
        return HubertModel(HubertConfig(**known))

    def test_parameters_of_the_published_size(self):
        # Configuration of m-a-p/MERT-v1-330M; its pytorch_model.bin has 1.26 GB of 4-byte floats.
        with torch.device("meta"):
            network = HubertModel(
                HubertConfig(
                    hidden_size=1024,
                    num_hidden_layers=24,
                    num_attention_heads=16,
                    intermediate_size=4096,
                    do_stable_layer_norm=True,
                    mask_time_prob=0.0,
                )
            )
        assert network.num_parameters() == MERT.card.n_parameters
        assert 4 * MERT.card.n_parameters == pytest.approx(1.26e9, rel=0.005)
        assert network.config.hidden_size == MERT.embedding_size

    @pytest.mark.parametrize("key", ["feature_extractor_cqt", "deepnorm"])
    def test_members_of_the_family_with_other_layers_are_refused(self, folder, key):
        (folder / "config.json").write_text(json.dumps({**MERT_SMALL, key: True}))
        with pytest.raises(InputError, match=f"{key} is set; this is another MERT"):
            self.backend.load(folder)


class TestMusic2Vec(Speech):
    backend = SmallMusic2Vec(layer=3)
    config = MUSIC2VEC_SMALL
    n_frames = 49  # 16,000 samples

    def network(self):
        return Data2VecAudioModel(Data2VecAudioConfig(**SMALL, num_conv_pos_embeddings=5))

    def test_parameters_of_the_published_size(self):
        # The model card says 95M (arXiv 2212.02508); its pytorch_model.bin has 373 MB.
        with torch.device("meta"):
            network = Data2VecAudioModel(Data2VecAudioConfig(mask_time_prob=0.0))
        assert network.num_parameters() == Music2Vec.card.n_parameters
        assert 4 * Music2Vec.card.n_parameters == pytest.approx(373e6, rel=0.002)
        assert network.config.hidden_size == Music2Vec.embedding_size

    def test_fed_at_another_rate_audio_is_decoded_at_that_rate(self, folder):
        fed = self.layer(3, fed_rate=24_000)
        assert (self.backend.sample_rate, fed.sample_rate) == (16_000, 24_000)
        heard = waveform(fed, 1.0)
        assert len(heard) == 24_000
        # The network takes the samples for 1.5 s at 16 kHz.
        np.testing.assert_array_equal(
            fed.load(folder).frames(heard), self.layer(3).load(folder).frames(heard)
        )
        with pytest.raises(InputError, match="fed_rate=22050 should be 16000 or 24000"):
            self.layer(3, fed_rate=22_050)


def test_normalisation_is_that_of_each_waveform():
    class Echo(torch.nn.Module):
        def forward(self, waveforms, output_hidden_states):
            return type("Output", (), {"hidden_states": (waveforms,)})

    heard = torch.tensor([[1.0, 2.0, 3.0, 4.0], [10.0, 20.0, 30.0, 40.0]])
    out = HiddenLayer(Echo(), 0, normalise=True)(heard)
    expected = torch.tensor([-1.5, -0.5, 0.5, 1.5]) / 1.25**0.5  # variance of 1 to 4: 5 / 4
    torch.testing.assert_close(out, expected.expand(2, 4), atol=1e-5, rtol=0)
