import librosa
import numpy as np
import pytest
import torch
from backends.published import PublishedWeights, randomise, waveform
from safetensors.torch import save_file

from mrs.backends.networks.mule import (
    ALPHA,
    GELU_GAIN,
    Block,
    Excitation,
    Mule,
    NfnetSize,
    ScaledConvolution,
    gelu,
)
from mrs.backends.pretrained import MULE
from mrs.errors import InputError

SIZE = NfnetSize(
    depths=(1, 2, 1, 1),
    slow=(8, 16, 24, 24),
    fast=(4, 4, 8, 8),
    slow_stem=(2, 2, 4, 8),
    fast_stem=(1, 2, 2, 4),
    fused=(4, 4, 4, 8),
    expanded=(4, 8, 8, 16),
    slow_group=4,
    fast_group=2,
)


class Small(MULE):
    size = SIZE


class TestMULE(PublishedWeights):
    backend = Small()
    checkpoint = "model.safetensors"
    tensor = "backbone.slow_stages.1.blocks.0.convs.0.weight"
    named = "slow_stages.1.blocks.0.convs.0.weight"
    seconds = 8.0
    n_frames = 4
    width = 32

    def publish(self, folder):
        network = randomise(Mule(SIZE))
        state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        state["frontend.mel_fb"] = torch.zeros(96, 1025)  # published with them, made here
        save_file(state, folder / "model.safetensors")

    def test_frames_are_the_networks_vectors_of_its_slices(self, folder):
        model = self.backend.load(folder)
        seen = []
        model.network.backbone.register_forward_hook(lambda m, given, out: seen.append(out))
        frames = model.frames(waveform(self.backend, 8.0))
        np.testing.assert_array_equal(frames, seen[0].numpy())

    def test_less_than_a_slice_is_refused(self, folder):
        model = self.backend.load(folder)
        with pytest.raises(InputError, match=r"MULE hears 3 s at least, got 2.91 s"):
            model.frames(waveform(self.backend, 2.9))
        assert model.frames(waveform(self.backend, 3.0)).shape == (1, 32)
        assert self.backend.minimum_seconds == 3.0


class TestInput:
    def test_the_spectrogram_is_librosas(self):
        heard = waveform(MULE(), 3.0)
        power = librosa.feature.melspectrogram(
            y=heard, sr=16_000, n_fft=2048, hop_length=160, win_length=400, n_mels=96, fmin=0,
            fmax=8000, htk=True, norm=2.0, pad_mode="reflect",
        )  # fmt: skip
        mel = Mule(SIZE).log_mel(torch.from_numpy(heard)[None])[0].numpy()
        assert mel.shape == (96, 301)
        np.testing.assert_allclose(mel, np.log10(1 + 10_000 * power), atol=1e-4)

    def test_slices_lie_around_every_200th_frame_and_inside(self):
        # One band rises with time; its place in the slice tells the slice's start.
        mel = torch.zeros(1, 96, 801)
        mel[0, 0] = torch.arange(801.0)
        slices = Mule(SIZE).slices(mel)
        assert slices.shape == (1, 4, 96, 300)
        for k, start in enumerate([50, 250, 450, 501]):  # around 200, 400, 600; 800 moved back
            cut = mel[0, :, start : start + 300].numpy()
            expected = (cut - cut.mean()) / cut.std()
            np.testing.assert_allclose(slices[0, k].numpy(), expected, atol=1e-4)

    def test_a_slice_without_contrast_is_not_blown_up(self):
        mel = torch.full((1, 96, 300), 0.5)
        mel[0, 0, 0] += 0.01
        out = Mule(SIZE).slices(mel)
        assert float(out.abs().max()) == pytest.approx(0.01 / 0.01, rel=1e-3)  # not / 5.9e-5


class TestParts:
    def test_the_activation_keeps_the_variance_of_a_unit_normal(self):
        x = torch.randn(400_000, generator=torch.Generator().manual_seed(0))
        assert float(gelu(x).var()) == pytest.approx(1.0, abs=0.01)

    @pytest.mark.parametrize(
        ("size", "kernel", "stride", "before", "after"),
        [
            (300, 3, 2, 0, 1),
            (300, 1, 8, 0, 0),
            (75, 7, 4, 2, 2),
            (76, 7, 4, 1, 2),
            (38, 3, 1, 1, 1),
        ],
    )
    def test_padding_is_tensorflows(self, size, kernel, stride, before, after):
        # TensorFlow: (ceil(n / s) - 1) s + k - n in all, the smaller half before.
        convolution = randomise(ScaledConvolution(1, 1, (1, kernel), (1, stride)))
        x = torch.randn(1, 1, 1, size, generator=torch.Generator().manual_seed(1))
        weight = convolution.weight.detach().double().numpy().ravel()
        weight = (weight - weight.mean()) / np.sqrt(max(weight.var() * kernel, 1e-4))
        weight = weight * convolution.gain.item()
        padded = np.pad(x.double().numpy().ravel(), (before, after))
        starts = range(0, len(padded) - kernel + 1, stride)
        expected = [padded[i : i + kernel] @ weight + convolution.bias.item() for i in starts]
        with torch.inference_mode():
            np.testing.assert_allclose(convolution(x).ravel().numpy(), expected, atol=1e-5)
        assert len(expected) == -(-size // stride)

    def test_kernels_have_no_mean_and_the_variance_of_one_over_their_inputs(self):
        convolution = randomise(ScaledConvolution(6, 4, (3, 3), groups=2))
        with torch.no_grad():
            convolution.gain.fill_(1.0)
            convolution.bias.zero_()
        image = torch.eye(6 * 9).reshape(54, 6, 3, 3)  # one input at a time
        with torch.inference_mode():
            kernel = convolution(image)[:, :, 1, 1].T.numpy()  # 4 x 54; half of each in its group
        inside = np.stack([kernel[:2, :27], kernel[2:, 27:]]).reshape(4, 27)
        np.testing.assert_allclose(inside.mean(axis=1), 0, atol=1e-6)
        np.testing.assert_allclose(inside.var(axis=1) * 27, 1, rtol=1e-5)

    def test_excitation_weighs_channels_by_0_to_2(self):
        excitation = randomise(Excitation(4))
        x = torch.randn(2, 4, 3, 5, generator=torch.Generator().manual_seed(1))
        with torch.inference_mode():
            out = excitation(x)
            state = {n: t.double().numpy() for n, t in excitation.state_dict().items()}
        means = x.double().numpy().mean(axis=(2, 3))
        hidden = np.maximum(means @ state["fc1.weight"].T + state["fc1.bias"], 0)
        weight = 2 / (1 + np.exp(-(hidden @ state["fc2.weight"].T + state["fc2.bias"])))
        np.testing.assert_allclose(out.numpy(), x.numpy() * weight[:, :, None, None], atol=1e-5)

    def test_without_its_gain_a_block_passes_its_input_on(self):
        block = randomise(Block(8, 8, 4, 1.1, first=False))
        with torch.no_grad():
            block.skip_gain.zero_()
        x = torch.randn(1, 8, 6, 5)
        torch.testing.assert_close(block(x), x)

    def test_a_block_by_its_parts(self):
        block = randomise(Block(6, 8, 4, 1.25, first=True, downsample=2))
        x = torch.randn(1, 6, 4, 5, generator=torch.Generator().manual_seed(1))
        with torch.inference_mode():
            given = torch.nn.functional.gelu(x) * GELU_GAIN / 1.25
            halved = (given[:, :, 0::2] + given[:, :, 1::2]) / 2
            y = given
            for number, convolution in enumerate(block.convs):
                y = convolution(gelu(y) if number else y)
            expected = block.skip_conv(halved) + ALPHA * block.skip_gain * block.se(y)
            torch.testing.assert_close(block(x), expected)
        assert expected.shape == (1, 8, 2, 5)

    def test_expected_deviations_grow_along_a_stage(self):
        # NFNets, section 3: each residual branch adds alpha^2 to the variance.
        stages = Mule(NfnetSize()).backbone.fast_stages
        deviations = [[block.deviation for block in stage.blocks] for stage in stages]
        assert deviations[0] == [1.0]
        np.testing.assert_allclose(deviations[1], [1.04**0.5, 1.08**0.5])
        np.testing.assert_allclose(deviations[2], np.sqrt(1 + 0.04 * np.arange(1, 7)))

    def test_both_paths_have_a_quarter_and_the_fast_one_four_times_the_frames(self):
        backbone = Mule(NfnetSize()).backbone
        slices = torch.zeros(1, 1, 96, 300)
        assert backbone.slow_stem(slices).shape == (1, 128, 24, 19)
        assert backbone.fast_stem(slices).shape == (1, 16, 24, 75)


def test_parameters_of_the_published_size():
    # The paper says 62.4M (arXiv 2210.03799, section 3.3); the conversion's description 62.35M.
    with torch.device("meta"):
        network = Mule(NfnetSize())
    n_parameters = sum(tensor.numel() for tensor in network.parameters())
    assert n_parameters == MULE.card.n_parameters
    assert n_parameters == pytest.approx(62.35e6, rel=1e-4)
    assert NfnetSize().embedding_size == MULE.embedding_size
