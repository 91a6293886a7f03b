import json

import librosa
import numpy as np
import pytest
import torch
from backends.published import PinnedWeights, randomise, waveform

from mrs.backends import make_backend
from mrs.backends.networks.conformer import ConformerSize, MelConformer, MelSpectrogram, Subsampling
from mrs.backends.pretrained import MusicFM
from mrs.errors import InputError

SIZE = ConformerSize(channels=4, width=32, depth=3, heads=2, feed_forward=24)
STATISTICS = {"melspec_2048_mean": 6.77, "melspec_2048_std": 18.42, "melspec_2048_cnt": 1}


class Small(MusicFM):
    size = SIZE


def published(network):
    """A checkpoint as it is published: below "model.", counters as floats, training's parts."""
    state = {}
    for name, tensor in network.state_dict().items():
        counter = name.endswith("num_batches_tracked")
        state[f"model.{name}"] = tensor.float() if counter else tensor
    width = network.size.width
    state["model.cls_token"] = torch.zeros(width)
    state["model.linear.weight"] = torch.zeros(8, width)
    state["model.quantizer_melspec_2048_0.codebook"] = torch.zeros(8, 16)
    state["model.preprocessor_melspec_2048.melspec.mel_scale.fb"] = torch.zeros(1025, 128)
    state["model.conformer.pos_conv_embed.conv.weight_g"] = torch.zeros(1, 1, 128)
    return state


class TestMusicFM(PinnedWeights):
    backend = Small(layer=3)
    checkpoint = "pretrained_msd.pt"
    tensor = "model.conformer.layers.1.ffn2.output_dense.weight"
    named = "conformer.layers.1.ffn2.output_dense.weight"
    n_frames = 25
    width = 32

    def publish(self, folder):
        network = randomise(MelConformer(SIZE, 3, 0.0, 1.0))
        # The published file also holds a Python set, which reading without pickle has to bear.
        content = {"state_dict": published(network), "loops": {"fit"}}
        torch.save(content, folder / "pretrained_msd.pt")
        (folder / "msd_stats.json").write_text(json.dumps(STATISTICS))

    @pytest.mark.parametrize("layer", [1, 2])
    def test_a_layer_is_what_its_block_puts_out(self, folder, layer):
        model = Small(layer=layer).load(folder)
        seen = []
        model.network.conformer.layers[layer - 1].register_forward_hook(
            lambda module, given, out: seen.append(out[0])
        )
        frames = model.frames(waveform(self.backend, 1.0))
        np.testing.assert_array_equal(frames, seen[0][0].numpy())

    def test_layer_0_is_the_front_end_and_the_last_one_is_normalised(self, folder):
        heard = waveform(self.backend, 1.0)
        first, last = Small(layer=0).load(folder), Small(layer=3).load(folder)
        seen = []
        for part in (first.network.conv, last.network.conformer.layer_norm):
            part.register_forward_hook(lambda module, given, out: seen.append(out[0]))
        for model in (first, last):
            frames = model.frames(heard)
            np.testing.assert_array_equal(frames, seen[-1].numpy())

    def test_decibels_are_standardised_with_the_corpus_statistics(self, folder):
        heard = waveform(self.backend, 1.0)
        model = self.backend.load(folder)
        seen = []
        model.network.conv.register_forward_hook(lambda module, given, out: seen.append(given[0]))
        model.frames(heard)
        power = librosa.feature.melspectrogram(
            y=heard, sr=24_000, n_fft=2048, hop_length=240, n_mels=128, htk=True, norm=None,
            pad_mode="reflect",
        )  # fmt: skip
        expected = (10 * np.log10(np.maximum(power, 1e-10)) - 6.77) / 18.42
        assert seen[0].shape == (1, 128, 100)  # the last of 101 frames is left out
        np.testing.assert_allclose(seen[0][0].numpy(), expected[:, :-1], atol=1e-4)

    def test_pooled_over_channels_as_published_it_is_a_curve_over_time(self, folder):
        published = Small(pooling="channels", clip_seconds=2.0, layer=3)
        assert published.embedding_size == 50
        heard = waveform(published, 2.0)
        vector = published.load(folder).embed(heard)
        frames = self.backend.load(folder).frames(heard)
        np.testing.assert_allclose(vector, frames.mean(axis=1), atol=1e-5)

    def test_pooled_over_channels_a_short_clip_is_filled_up_with_silence(self, folder):
        published = Small(pooling="channels", clip_seconds=2.0, layer=3)
        heard = waveform(published, 1.0)
        filled = np.concatenate([heard, np.zeros(24_000, np.float32)])
        model = published.load(folder)
        assert model.embed(heard).shape == (50,)
        np.testing.assert_allclose(model.embed(heard), model.embed(filled), atol=1e-5)

    def test_statistics_without_the_numbers_are_refused(self, folder):
        (folder / "msd_stats.json").write_text('{"melspec_2048_mean": 6.77}')
        with pytest.raises(InputError, match=r"msd_stats.json: no number for 'melspec_2048_std'"):
            self.backend.load(folder)


class TestSettings:
    def test_widths_of_both_poolings(self):
        assert make_backend("musicfm").embedding_size == 1024
        assert make_backend("musicfm", {"pooling": "channels"}).embedding_size == 750

    def test_a_curve_over_time_needs_a_length(self):
        with pytest.raises(InputError, match="give clip_seconds, 30 as published"):
            make_backend("musicfm", {"pooling": "channels", "clip_seconds": "0"})


class TestParameters:
    def test_of_the_published_size(self):
        # arXiv 2311.03318 says 330M; pretrained_msd.pt has 1,316,802,088 bytes of 4-byte floats.
        with torch.device("meta"):
            network = MelConformer(ConformerSize(), 12, 0.0, 1.0)
        n_parameters = sum(tensor.numel() for tensor in network.parameters())
        assert n_parameters == MusicFM.card.n_parameters
        assert network.size.width == MusicFM.embedding_size
        stored = sum(tensor.numel() for tensor in network.state_dict().values())
        stored += 1024 * 64 * 128 + 128 + 1024  # positional convolution, unused: v, g, bias
        stored += 1024 * 4096 + 4096 + 1024  # projection to 4,096 tokens, class token
        stored += 512 * 16 + 4096 * 16  # quantiser: projection and codebook
        stored += 1025 * 128 + 2048  # mel filters and window
        assert 4 * stored == pytest.approx(1_316_802_088, rel=2e-4)  # the rest: names


class TestSubsampling:
    def test_channels_run_slower_than_bands_in_the_projection(self):
        front = Subsampling(SIZE)
        inside = torch.arange(4 * 32 * 5, dtype=torch.float32).view(1, 4, 32, 5)  # B C F T
        front.conv = torch.nn.Identity()
        front.linear = torch.nn.Identity()
        mel = torch.zeros(1, 128, 20)
        front.conv.forward = lambda given: inside
        out = front(mel)
        assert out.shape == (1, 5, 4 * 32)
        assert out[0, 2, 3 * 32 + 7] == inside[0, 3, 7, 2]

    def test_it_quarters_bands_and_time(self):
        front = randomise(Subsampling(SIZE))
        assert front.conv(torch.zeros(2, 1, 128, 100)).shape == (2, 4, 32, 25)
        assert front(torch.zeros(2, 128, 100)).shape == (2, 25, 32)

    def test_a_residual_block_by_hand(self):
        block = randomise(Subsampling(SIZE)).conv[0]
        x = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(1))
        state = {name: tensor.double().numpy() for name, tensor in block.state_dict().items()}

        def convolved(x, number, stride):
            """Cross-correlation with a border of one zero, then batch normalisation."""
            weight, out = state[f"conv{number}.weight"], []
            padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
            for channel, kernel in enumerate(weight):
                rows = range(0, x.shape[1], stride)
                columns = range(0, x.shape[2], stride)
                out.append(
                    [
                        [(padded[:, i : i + 3, j : j + 3] * kernel).sum() for j in columns]
                        for i in rows
                    ]
                    + state[f"conv{number}.bias"][channel]
                )
            norm = {k: state[f"bn{number}.{k}"][:, None, None] for k in
                    ("running_mean", "running_var", "weight", "bias")}  # fmt: skip
            scaled = (np.array(out) - norm["running_mean"]) / np.sqrt(norm["running_var"] + 1e-5)
            return scaled * norm["weight"] + norm["bias"]

        image = x[0].double().numpy()
        branch = convolved(np.maximum(convolved(image, 1, 2), 0), 2, 1)
        expected = np.maximum(branch + convolved(image, 3, 2), 0)
        with torch.inference_mode():
            np.testing.assert_allclose(block(x)[0].numpy(), expected, atol=1e-5)


def test_a_tone_lies_in_its_mel_band():
    mel = MelSpectrogram(24_000, 2048, 240, 128)
    tone = torch.sin(2 * torch.pi * 1000 * torch.arange(24_000) / 24_000)[None]
    loudest = int(mel(tone)[0].mean(dim=1).argmax())
    edges = librosa.mel_frequencies(130, fmin=0, fmax=12_000, htk=True)
    assert edges[loudest] < 1000 < edges[loudest + 2]
