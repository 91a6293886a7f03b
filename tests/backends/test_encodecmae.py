import re

import numpy as np
import pytest
import torch
from backends.published import PublishedWeights, randomise, waveform

from mrs.backends.networks.encodecmae import (
    Attention,
    EncodecMae,
    MaeSize,
    Positions,
    Transformer,
)
from mrs.backends.pretrained import EncodecMAE

SIZE = MaeSize(
    width=24,
    depth=3,
    heads=2,
    feed_forward=40,
    codec={"num_filters": 2, "hidden_size": 16, "codebook_dim": 16},
)
PIECE = 96_000  # 4 s


class Small(EncodecMAE):
    size = SIZE


def published(network):
    """A checkpoint as it is published: EnCodec's own names, and what only the training needs."""
    state = {}
    for name, tensor in network.state_dict().items():
        if name.startswith("wav_encoder."):
            name = re.sub(r"^wav_encoder\.layers\.", "wav_encoder.model.model.", name)
            name = name.replace(".conv.", ".conv.conv.")
            name = name.replace("parametrizations.weight.original0", "weight_g")
            name = name.replace("parametrizations.weight.original1", "weight_v")
        state[name] = tensor
    state["decoder_projector.weight"] = torch.zeros(24, 24)
    state["decoder.final_norm.weight"] = torch.zeros(24)
    state["head.layer.bias"] = torch.zeros(8)
    state["target_encoder.model.vq.layers.0._codebook.embed"] = torch.zeros(4, 16)
    return state


class TestEncodecMAE(PublishedWeights):
    backend = Small(layer=3)
    checkpoint = "model.pt"
    tensor = "visible_encoder.encoder_layers.1.att_layer.wk.weight"
    n_frames = 75
    width = 24

    def publish(self, folder):
        state = published(randomise(EncodecMae(SIZE, 3, PIECE)))
        torch.save({"state_dict": state}, folder / "model.pt")

    def test_names_are_those_of_the_encodec_package(self, folder):
        names = torch.load(folder / "model.pt", weights_only=True)["state_dict"]
        # As listed by encodec 0.1.1 for the encoder of its 24 kHz model.
        for name in (
            "0.conv.conv.weight_g",
            "1.block.1.conv.conv.weight_v",
            "13.lstm.weight_hh_l1",
        ):
            assert f"wav_encoder.model.model.{name}" in names

    @pytest.mark.parametrize("layer", [1, 2])
    def test_a_layer_is_what_its_block_puts_out(self, folder, layer):
        heard = waveform(self.backend, 1.0)
        model = self.backend.load(folder)  # all layers run
        seen = []
        model.network.visible_encoder.encoder_layers[layer - 1].register_forward_hook(
            lambda module, given, out: seen.append(out[0][0])
        )
        model.frames(heard)
        frames = Small(layer=layer).load(folder).frames(heard)
        np.testing.assert_array_equal(frames, seen[0].numpy())

    def test_the_last_layer_adds_the_normalised_sum_of_all_branches(self, folder):
        heard = waveform(self.backend, 1.0)
        model = self.backend.load(folder)
        seen = []
        encoder = model.network.visible_encoder
        encoder.encoder_layers[2].register_forward_hook(lambda m, given, out: seen.append(out))
        frames = model.frames(heard)
        path, total = (part[0].double().numpy() for part in seen[0])
        centred = total - total.mean(axis=1, keepdims=True)
        norm = {n: t.double().numpy() for n, t in encoder.final_norm.state_dict().items()}
        scaled = centred / np.sqrt(centred.var(axis=1, keepdims=True) + 1e-5)
        np.testing.assert_allclose(frames, path + scaled * norm["weight"] + norm["bias"], atol=1e-4)

    def test_it_hears_4_s_at_a_time(self, folder):
        model = self.backend.load(folder)
        heard = waveform(self.backend, 9.0)
        apart = [model.frames(heard[start : start + PIECE]) for start in range(0, 216_000, PIECE)]
        assert [len(part) for part in apart] == [300, 300, 75]
        np.testing.assert_allclose(model.frames(heard), np.concatenate(apart), atol=1e-5)

    def test_a_frame_that_is_filled_in_part_is_there_but_not_attended_to(self, folder):
        model = self.backend.load(folder)
        heard = waveform(self.backend, 1.0)[: 40 * 320 + 100]
        frames = model.frames(heard)
        assert len(frames) == 41
        other = heard.copy()
        other[40 * 320 :] += 0.5  # heard by the last frame alone, EnCodec being causal
        changed = np.abs(model.frames(other) - frames).max(axis=1)
        assert changed[-1] > 1e-3
        assert changed[:-1].max() < 1e-5

    def test_layers_with_feed_forward_blocks_of_their_own_are_refused(self, folder):
        content = torch.load(folder / "model.pt", weights_only=True)
        name = "visible_encoder.encoder_layers.1.ff_layer.0.bias"
        content["state_dict"][name] = content["state_dict"][name] + 1
        torch.save(content, folder / "model.pt")
        # The last layer's block is the one that was loaded last, and for all of them.
        assert f"{name!r} is not shared by all layers" in self.error(folder)

    def test_a_wrongly_shaped_tensor_of_the_codec_is_named_too(self, folder):
        content = torch.load(folder / "model.pt", weights_only=True)
        content["state_dict"]["feat_projector.weight"] = torch.zeros(24, 17)
        torch.save(content, folder / "model.pt")
        message = self.error(folder)
        assert "'feat_projector.weight' has shape (24, 17), not (24, 16)" in message


class TestParts:
    def test_attention_by_hand_with_the_head_as_fastest_index(self):
        attention = randomise(Attention(6, 2))
        x = torch.randn(1, 4, 6, generator=torch.Generator().manual_seed(1))
        heard = torch.tensor([True, True, True, False])
        with torch.inference_mode():
            out = attention(x, heard)[0].numpy()
        state = {name: tensor.double().numpy() for name, tensor in attention.state_dict().items()}
        rows = x[0].double().numpy()
        query, key, value = (rows @ state[f"w{part}.weight"].T for part in "qkv")
        joined = np.zeros((4, 6))
        for head in range(2):
            for i in range(4):
                scores = np.array([query[i, head::2] @ key[j, head::2] for j in range(3)]) / 3**0.5
                weights = np.exp(scores) / np.exp(scores).sum()
                joined[i, head::2] = sum(weights[j] * value[j, head::2] for j in range(3))
        np.testing.assert_allclose(out, joined @ state["wo.weight"].T, atol=1e-6)

    def test_positions_are_sines_and_cosines_in_turn(self):
        positions = Positions()
        positions.scale.data.fill_(0.5)
        out = positions(torch.zeros(1, 8, 4))[0].detach().numpy()
        expected = [np.sin(3), np.cos(3), np.sin(3 / 100), np.cos(3 / 100)]
        np.testing.assert_allclose(out[3], 0.5 * np.array(expected), atol=1e-6)

    def test_a_layer_by_hand(self):
        network = randomise(Transformer(MaeSize(width=6, depth=2, heads=2, feed_forward=5)))
        layer = network.encoder_layers[0]
        x = torch.randn(1, 3, 6, generator=torch.Generator().manual_seed(1))
        heard = torch.ones(3, dtype=torch.bool)
        total = x + 1
        with torch.inference_mode():
            attended = layer.att_layer(x, heard)
            middle = layer.norm1(x + attended)
            fed = torch.relu(middle @ layer.ff_layer[0].weight.T + layer.ff_layer[0].bias)
            fed = fed @ layer.ff_layer[2].weight.T + layer.ff_layer[2].bias
            path, summed = layer(x, total, heard)
            torch.testing.assert_close(path, layer.norm2(middle + fed))
            torch.testing.assert_close(summed, total + attended + fed)

    def test_one_feed_forward_block_serves_all_layers(self):
        layers = Transformer(MaeSize(width=6, depth=3, heads=2, feed_forward=5)).encoder_layers
        assert len({id(layer.ff_layer) for layer in layers}) == 1
        assert len({id(layer.att_layer) for layer in layers}) == 3


def test_parameters_of_the_published_size():
    # model.pt of lpepino/encodecmae-base has 255 MB of 4-byte floats. It also holds a decoder of
    # two layers that share another feed-forward block, its projection, a head of 8 x 1,024 codes,
    # and EnCodec's 32 codebooks with their running sums.
    with torch.device("meta"):
        network = EncodecMae(MaeSize(), 10, PIECE)
    n_parameters = sum(tensor.numel() for tensor in network.parameters())
    assert n_parameters == EncodecMAE.card.n_parameters
    width, inside = 768, 4096
    assert network.feat_projector.out_features == width == EncodecMAE.embedding_size
    decoder = 2 * (4 * width**2 + 2 * 2 * width) + 2 * width
    feed_forward = 2 * width * inside + width + inside
    head = width * 8 * 1024 + 8 * 1024
    codebooks = 32 * (2 * 1024 * 128 + 1024 + 1)
    stored = n_parameters + decoder + feed_forward + width**2 + width + head + codebooks
    assert 4 * stored == pytest.approx(255e6, abs=0.5e6)
