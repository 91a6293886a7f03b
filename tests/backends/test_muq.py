import json
import sys
from types import ModuleType

import numpy as np
import pytest
import torch
from backends.published import PinnedWeights, randomise, waveform
from backends.test_musicfm import published
from transformers import Wav2Vec2ConformerConfig

from mrs.backends.networks.conformer import ConformerSize, MelConformer, MelSpectrogram
from mrs.backends.networks.muq import AudioTower, pieces_of
from mrs.backends.pretrained import MuQ, MuQMuLan
from mrs.errors import InputError

SIZE = ConformerSize(channels=4, width=32, depth=3, heads=2, feed_forward=24)
# The keys of the published config.json that say what the network is.
CONFIG = {
    "label_rate": 25,
    "hop_length": 240,
    "n_mels": 128,
    "conv_dim": 4,
    "encoder_dim": 32,
    "encoder_depth": 3,
    "codebook_size": 8,
    "stat": {"melspec_2048_mean": 6.77, "melspec_2048_std": 18.42},
    "w2v2_config": json.loads(
        Wav2Vec2ConformerConfig(
            hidden_size=32,
            num_hidden_layers=24,
            num_attention_heads=2,
            intermediate_size=24,
            hidden_act="swish",
            position_embeddings_type="rotary",
        ).to_json_string(use_diff=False)
    ),
}
MULAN = {
    "mulan": {"sr": 24000, "clip_secs": 10, "dim_latent": 12},
    "audio_model": {"name": "OpenMuQ/MuQ-large-msd-iter", "model_dim": 32, "use_layer_idx": -1},
    "audio_transformer": {"dim": 20, "tf_depth": 0},
}


class SmallMuQ(MuQ):
    embedding_size = 32


class SmallMuQMuLan(MuQMuLan):
    embedding_size = 12


class TestMuQ(PinnedWeights):
    backend = SmallMuQ(layer=3)
    checkpoint = "model.safetensors"
    tensor = "model.conv.linear.weight"
    named = "conv.linear.weight"
    n_frames = 25
    width = 32

    def publish(self, folder):
        from safetensors.torch import save_file

        (folder / "config.json").write_text(json.dumps(CONFIG))
        state = published(randomise(MelConformer(SIZE, 3, 0.0, 1.0)))
        save_file({n: t.contiguous() for n, t in state.items()}, folder / "model.safetensors")

    def test_a_layer_is_what_its_block_puts_out(self, folder):
        model = SmallMuQ(layer=2).load(folder)
        seen = []
        model.network.conformer.layers[1].register_forward_hook(
            lambda module, given, out: seen.append(out[0])
        )
        frames = model.frames(waveform(self.backend, 1.0))
        np.testing.assert_array_equal(frames, seen[0][0].numpy())

    @pytest.mark.parametrize(
        ("part", "key", "value"),
        [
            (None, "label_rate", 50),
            ("w2v2_config", "position_embeddings_type", "relative"),
            ("w2v2_config", "hidden_act", "gelu"),
        ],
    )
    def test_a_configuration_of_another_network_is_refused(self, folder, part, key, value):
        config = json.loads(json.dumps(CONFIG))
        (config[part] if part else config)[key] = value
        (folder / "config.json").write_text(json.dumps(config))
        with pytest.raises(InputError, match=f"{key} is {value}, not .*; another model"):
            self.backend.load(folder)

    def test_a_configuration_without_a_width_is_refused(self, folder):
        config = {key: value for key, value in CONFIG.items() if key != "encoder_dim"}
        (folder / "config.json").write_text(json.dumps(config))
        with pytest.raises(InputError, match=r"config.json: has no 'encoder_dim'"):
            self.backend.load(folder)

    def test_a_model_of_another_width_is_refused(self, folder):
        with pytest.raises(InputError, match="the model is 32 wide, backend muq 1024; another"):
            MuQ(layer=3).load(folder)

    def test_a_layer_that_the_weights_do_not_have_is_refused(self, folder):
        with pytest.raises(InputError, match="has 3 layers, backend muq asks for layer 12"):
            SmallMuQ().load(folder)


class TestMuQMuLan(PinnedWeights):
    backend = SmallMuQMuLan()
    checkpoint = "pytorch_model.bin"
    tensor = "mulan.audio.proj.weight"
    named = "proj.weight"
    seconds = 11.0
    n_frames = 2
    width = 12

    def publish(self, folder):
        (folder / "muq").mkdir()
        (folder / "muq" / "config.json").write_text(json.dumps(CONFIG))
        (folder / "config.json").write_text(json.dumps(MULAN))
        network = randomise(AudioTower(MelConformer(SIZE, -1, 0.0, 1.0), 20, 12))
        state = {f"mulan.audio.model.{n}": t for n, t in published(network.muq).items()}
        for name in ("weight", "bias"):
            state[f"mulan.audio.proj.{name}"] = network.proj.state_dict()[name]
            latents = network.audio_to_latents.state_dict()
            state[f"mulan.audio_to_latents.{name}"] = latents[name]
        # What the audio tower has and does not use, the text tower, the loss.
        state["mulan.audio.aggregator.weight"] = torch.zeros(1, 25, 1)
        state["mulan.text.proj.weight"] = torch.zeros(3, 3)
        state["mulan.text_to_latents.weight"] = torch.zeros(12, 3)
        state["mulan.contrast.temperatures"] = torch.ones(1)
        torch.save(state, folder / "pytorch_model.bin")

    def test_each_piece_has_unit_length_and_the_vector_is_their_plain_mean(self, folder):
        heard = waveform(self.backend, 25.0)
        model = self.backend.load(folder)
        frames = model.frames(heard)
        assert frames.shape == (3, 12)
        np.testing.assert_allclose(np.linalg.norm(frames, axis=1), 1, atol=1e-5)
        np.testing.assert_allclose(model.embed(heard), frames.mean(axis=0), atol=1e-6)
        # The third piece is the last 5 s and then the first 5 s.
        joined = np.concatenate([heard[20 * 24_000 :], heard[: 5 * 24_000]])
        np.testing.assert_allclose(model.frames(joined)[0], frames[2], atol=1e-5)

    def test_a_piece_is_the_projected_mean_of_the_last_layer(self, folder):
        heard = waveform(self.backend, 10.0)
        model = self.backend.load(folder)
        seen = []
        model.network.muq.conformer.layer_norm.register_forward_hook(
            lambda module, given, out: seen.append(out[0].double().numpy())
        )
        piece = model.frames(heard)
        state = {n: t.double().numpy() for n, t in model.network.state_dict().items()}
        inner = seen[0].mean(axis=0) @ state["proj.weight"].T + state["proj.bias"]
        joint = inner @ state["audio_to_latents.weight"].T + state["audio_to_latents.bias"]
        np.testing.assert_allclose(piece[0], joint / np.linalg.norm(joint), atol=1e-5)

    def test_a_joint_space_of_another_width_is_refused(self, folder):
        with pytest.raises(InputError, match="the model is 12 wide, backend muq_mulan 512"):
            MuQMuLan().load(folder)

    @pytest.mark.parametrize(
        ("part", "key", "value"),
        [("audio_model", "use_layer_idx", 5), ("audio_transformer", "tf_depth", 2)],
    )
    def test_a_configuration_of_another_tower_is_refused(self, folder, part, key, value):
        config = {**MULAN, part: {**MULAN[part], key: value}}
        (folder / "config.json").write_text(json.dumps(config))
        with pytest.raises(InputError, match=f"{key} is {value}, not .*; another model"):
            self.backend.load(folder)


def test_pieces_of_a_waveform():
    seconds = torch.arange(25.0).repeat_interleave(24_000)[None]
    whole = pieces_of(seconds[:, : 20 * 24_000])
    assert [float(piece[0, 0]) for piece in whole] == [0, 10]
    completed = pieces_of(seconds)[2]
    assert completed.shape == (1, 240_000)
    np.testing.assert_array_equal(completed[0, ::24_000], [20, 21, 22, 23, 24, 0, 1, 2, 3, 4])


class TestParameters:
    def test_of_the_published_muq(self):
        # model.safetensors has 1,333,825,096 bytes of 4-byte floats; the quantiser of the targets
        # has 8 codebooks of 1,024 entries of 16 numbers over 512 mel values.
        with torch.device("meta"):
            network = MelConformer(ConformerSize(), 12, 0.0, 1.0)
        assert sum(t.numel() for t in network.parameters()) == MuQ.card.n_parameters
        assert network.size.width == MuQ.embedding_size
        stored = sum(tensor.numel() for tensor in network.state_dict().values())
        stored += 1024 * 64 * 128 + 128 + 1024  # positional convolution, unused: v, g, bias
        stored += 1024 * 8192 + 8192 + 1024  # projection to 8 x 1,024 tokens, class token
        # Each codebook: entries, projection in and out (v, g, bias), use counts.
        projections = 16 * 512 + 16 + 16 + 512 * 16 + 512 + 512
        stored += 8 * (1024 * 16 + projections + 1024)
        assert 4 * stored == pytest.approx(1_333_825_096, rel=1e-4)  # the rest: names

    def test_of_the_published_audio_tower(self):
        # Widths 1,024, 768 and 512 of MuQ-MuLan-large's config.json.
        with torch.device("meta"):
            network = AudioTower(MelConformer(ConformerSize(), -1, 0.0, 1.0), 768, 512)
        assert sum(t.numel() for t in network.parameters()) == MuQMuLan.card.n_parameters
        assert network.audio_to_latents.out_features == MuQMuLan.embedding_size


class Decibels(torch.nn.Module):
    """torchaudio's AmplitudeToDB by default."""

    def forward(self, power):
        return 10 * torch.log10(power.clamp(min=1e-10))


@pytest.fixture
def package(monkeypatch):
    """The authors' package, with stand-ins for what it imports and hardly uses."""
    transforms = ModuleType("torchaudio.transforms")
    unused = ("Spectrogram", "TimeStretch", "FrequencyMasking", "TimeMasking")
    vars(transforms).update(dict.fromkeys(unused), MelSpectrogram=MelSpectrogram)
    transforms.AmplitudeToDB = Decibels
    torchaudio, x_clip = ModuleType("torchaudio"), ModuleType("x_clip")
    torchaudio.transforms = transforms
    tokenizer = ModuleType("x_clip.tokenizer")
    tokenizer.tokenizer = type("Tokenizer", (), {"vocab_size": 0})
    for module in (torchaudio, transforms, x_clip, tokenizer):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return pytest.importorskip(
        "muq", reason="muq 0.1.0 is not installed (pip install --no-deps muq easydict einops)"
    )


class TestAgainstThePackage:
    """The same weights in the authors' own classes."""

    def test_muq_gives_the_same_layers(self, package, tmp_path):
        theirs = randomise(package.MuQ({**CONFIG, "num_codebooks": 1}))
        (tmp_path / "config.json").write_text(json.dumps(CONFIG))
        from safetensors.torch import save_file

        state = {name: tensor.contiguous() for name, tensor in theirs.state_dict().items()}
        save_file(state, tmp_path / "model.safetensors")
        heard = waveform(MuQ(layer=3), 2.0)
        with torch.inference_mode():
            expected = theirs(torch.from_numpy(heard)[None]).hidden_states
        for layer in range(4):
            frames = SmallMuQ(layer=layer).load(tmp_path).frames(heard)
            np.testing.assert_allclose(frames, expected[layer][0].numpy(), atol=2e-5)

    def test_muq_mulan_gives_the_same_vector(self, package, tmp_path):
        from muq.muq_mulan.models.audio import AudioSpectrogramTransformerPretrained
        from muq.muq_mulan.models.mulan import MuLanModel
        from muq.muq_mulan.muq_mulan import MuQMuLan as Theirs

        class Tower(AudioSpectrogramTransformerPretrained):
            def _init_pretrained_model(self, model_name):
                self.model = package.MuQ({**CONFIG, "num_codebooks": 1})

        text = torch.nn.Identity()
        text.dim = 3
        tower = Tower("muq", dim=20, model_dim=32, tf_depth=0, frozen_pretrained=False)
        mulan = randomise(MuLanModel(tower, text, dim_latent=12))
        theirs = Theirs.__new__(Theirs)
        torch.nn.Module.__init__(theirs)
        theirs.mulan, theirs.sr, theirs.clip_secs = mulan, 24_000, 10
        (tmp_path / "muq").mkdir()
        (tmp_path / "muq" / "config.json").write_text(json.dumps(CONFIG))
        (tmp_path / "config.json").write_text(json.dumps(MULAN))
        torch.save(theirs.state_dict(), tmp_path / "pytorch_model.bin")
        heard = waveform(MuQMuLan(), 14.0)
        with torch.inference_mode():
            expected = theirs(wavs=torch.from_numpy(heard)[None])[0].numpy()
        np.testing.assert_allclose(SmallMuQMuLan().load(tmp_path).embed(heard), expected, atol=1e-5)
