import re

import numpy as np
import pytest
import torch
from backends.published import PublishedWeights, randomise, waveform
from transformers.models.deprecated.jukebox.modeling_jukebox import JukeboxPrior, JukeboxVQVAE

from mrs.backends import make_backend
from mrs.backends.networks.jukebox import Jukebox, JukeboxSize
from mrs.backends.pretrained import Jukebox as JukeboxBackend
from mrs.errors import InputError

SIZE = JukeboxSize(
    {
        "hidden_size": 32,
        "num_layers": 5,
        "n_heads": 2,
        "n_ctx": 64,
        "blocks": 8,
        "timing_dims": 16,
        "metadata_dims": [5, 7],
        "music_vocab_size": 16,
    },
    {"nb_discrete_codes": 16, "embed_dim": 8, "res_conv_width": 4, "res_conv_depth": 2},
)
HOP = 128  # samples a code
SECONDS = 40 * HOP / 44_100


class Small(JukeboxBackend):
    size = SIZE


def vqvae():
    """The whole VQ-VAE, of which a level is used; its codes are latents that occur."""
    network = randomise(JukeboxVQVAE(SIZE.vqvae()))
    noise = torch.randn(1, 1, 16 * HOP, generator=torch.Generator().manual_seed(0)) / 5
    with torch.inference_mode():
        latents = network.encoders[2](noise)[-1][0].T
    network.bottleneck.level_blocks[2].codebook.copy_(latents)
    return network


def prior():
    """The whole prior."""
    return randomise(JukeboxPrior(SIZE.prior()))


def published_vqvae(network):
    """The VQ-VAE's tensors under the names of the authors' checkpoint."""
    state = {}
    for name, tensor in network.state_dict().items():
        if name.startswith("decoders."):
            continue
        name = name.replace(".codebook", ".k")

        def pair(found):
            return f".model.{int(found[1]) // 2}.{int(found[1]) % 2}."

        downs = int(re.search(r"level_blocks\.(\d)", name)[1])
        name = name.replace(".proj_out.", f".model.{SIZE.vqvae().res_downs_t[downs]}.")
        name = re.sub(r"\.downsample_block\.(\d+)\.", pair, name)
        name = re.sub(r"resnet_block\.(\d+)\.conv1d_1\.", r"model.\1.model.1.", name)
        name = re.sub(r"resnet_block\.(\d+)\.conv1d_2\.", r"model.\1.model.3.", name)
        state[name] = tensor
    return state


def published_prior(network):
    """The prior's tensors under the names of the authors' checkpoint."""
    state = {}
    for name, tensor in network.state_dict().items():
        name = re.sub(r"^metadata_embedding\.(artist|bow_genre)_emb\.", r"y_emb.\1_emb.emb.", name)
        name = name.replace("metadata_embedding.", "y_emb.")
        name = name.replace(".embed_tokens.", ".x_emb.").replace(".fc_proj_out.", ".x_out.")
        name = re.sub(r"layer_norm_([01])", r"ln_\1", name)
        if re.search(r"\.(c_attn|c_proj|c_fc)\.", name):
            name = name.replace(".weight", ".w").replace(".bias", ".b")
        state[name] = tensor
    return state


class TestJukebox(PublishedWeights):
    backend = Small(layer=3)
    checkpoint = "prior_level_2.pth.tar"
    tensor = "prior.transformer._attn_mods.1.mlp.c_fc.w"
    named = "prior.transformer._attn_mods.1.mlp.c_fc.weight"
    seconds = SECONDS
    n_frames = 40
    width = 32

    def publish(self, folder):
        torch.save({"model": published_vqvae(vqvae()), "step": 1}, folder / "vqvae.pth.tar")
        content = {"model": published_prior(prior()), "step": 1}
        # The authors' files are of 2020, in the format before torch's zip archives.
        path = folder / self.checkpoint
        torch.save(content, path, _use_new_zipfile_serialization=False)

    def test_names_are_those_of_the_authors_checkpoints(self, folder):
        names = torch.load(folder / "vqvae.pth.tar", weights_only=True)["model"]
        for name in (
            "bottleneck.level_blocks.2.k",
            "encoders.2.level_blocks.0.model.0.0.weight",
            "encoders.2.level_blocks.0.model.2.1.model.1.model.3.bias",
            "encoders.2.level_blocks.1.model.2.weight",
        ):
            assert name in names
        names = torch.load(folder / self.checkpoint, weights_only=True)["model"]
        for name in (
            "y_emb.artist_emb.emb.weight",
            "y_emb.total_length_emb.emb.weight",
            "prior.x_emb.weight",
            "prior.pos_emb.pos_emb",
            "prior.transformer._attn_mods.0.ln_0.weight",
            "prior.transformer._attn_mods.0.attn.c_attn.w",
        ):
            assert name in names

    @pytest.mark.parametrize("layer", [1, 2])
    def test_a_layer_is_what_its_block_puts_out(self, folder, layer):
        heard = waveform(self.backend, SECONDS)
        model = self.backend.load(folder)
        seen = []
        model.network.prior.prior.transformer._attn_mods[layer - 1].register_forward_hook(
            lambda module, given, out: seen.append(out[0, :40])
        )
        model.frames(heard)
        frames = Small(layer=layer).load(folder).frames(heard)
        np.testing.assert_array_equal(frames, seen[0].numpy())

    def test_over_the_whole_context_it_is_the_librarys_own_forward_pass(self, folder):
        heard = waveform(self.backend, 70 * HOP / 44_100)
        frames = Small(layer=5).load(folder).frames(heard)
        assert len(frames) == 64  # the context; 70 codes were there
        scaled = torch.from_numpy(heard / np.abs(heard).max())
        with torch.inference_mode():
            codes = vqvae().encode(scaled[None, :, None], start_level=2)[0][:, :64].contiguous()
            assert len(codes.unique()) > 4
            # Total length, offset, length, artist and five genres; 0 is unknown, -1 is none.
            labels = [62 * 44_100 // HOP * HOP, 0, 64 * HOP, 0, 0, -1, -1, -1, -1]
            whole = prior()
            timing, start, _ = whole.get_cond(None, torch.tensor([labels]))
            _, expected = whole.prior(
                codes, audio_conditioning=timing, metadata_conditioning=start, get_acts=True
            )
        np.testing.assert_allclose(frames, expected[0].numpy(), atol=1e-4)

    def test_a_frame_hears_nothing_after_it(self, folder):
        network = self.backend.load(folder).network
        codes = torch.randint(16, (1, 64), generator=torch.Generator().manual_seed(0))
        changed = codes.clone()
        changed[0, 30] = (changed[0, 30] + 1) % 16
        given = iter([codes, changed, codes[:, :37]])
        network.codes.forward = lambda waveforms: next(given)
        with torch.inference_mode():
            whole, other, short = (network(torch.ones(1, 8))[0].numpy() for _ in range(3))
        np.testing.assert_array_equal(whole[:31], other[:31])  # frame 31 sees code 30 first
        assert np.abs(whole[31] - other[31]).max() > 1e-3
        np.testing.assert_allclose(short, whole[:37], atol=1e-5)

    def test_loudness_does_not_matter(self, folder):
        model, heard = self.backend.load(folder), waveform(self.backend, SECONDS)
        np.testing.assert_array_equal(model.frames(heard / 4), model.frames(heard))
        assert np.isfinite(model.frames(0 * heard)).all()

    def test_in_half_precision_as_published(self, folder):
        heard = waveform(self.backend, SECONDS)
        model = Small(layer=3, precision="float16").load(folder)
        assert {p.dtype for p in model.network.prior.parameters()} == {torch.float16}
        full = self.backend.load(folder).frames(heard)
        frames = model.frames(heard)
        assert frames.dtype == np.float32
        difference = np.abs(frames - full).max()
        assert 0 < difference < 0.02 * np.abs(full).max()

    def test_layers_behind_the_chosen_one_are_not_loaded(self, folder):
        network = Small(layer=2).load(folder).network
        assert len(network.prior.prior.transformer._attn_mods) == 2

    def test_a_missing_tensor_of_the_codes_is_named(self, folder):
        content = torch.load(folder / "vqvae.pth.tar", weights_only=True)
        del content["model"]["bottleneck.level_blocks.2.k"]
        torch.save(content, folder / "vqvae.pth.tar")
        with pytest.raises(InputError, match=r"vqvae.pth.tar: no tensor 'bottleneck.codebook'"):
            self.backend.load(folder)

    def test_layers_of_the_model(self, folder):
        with pytest.raises(InputError, match="has 5 layers, backend jukebox asks for layer 36"):
            Small().load(folder)
        with pytest.raises(InputError, match="layer=73 should be less than or equal to 72"):
            make_backend("jukebox", {"layer": 73})


def test_parameters_of_the_published_size():
    # arXiv 2005.00341: a top prior of 5 billion parameters.
    with torch.device("meta"):
        whole = JukeboxPrior(JukeboxSize().prior())
        used = Jukebox(JukeboxSize(), 36)
    assert sum(tensor.numel() for tensor in whole.parameters()) == pytest.approx(5e9, rel=0.015)
    n_parameters = sum(tensor.numel() for tensor in used.parameters())
    assert n_parameters == JukeboxBackend.card.n_parameters
    assert used.size.hidden_size == JukeboxBackend.embedding_size


def test_the_context_is_23_8_seconds():
    assert JukeboxSize().prior().n_ctx * HOP / 44_100 == pytest.approx(23.78, abs=0.01)
    assert make_backend("jukebox").clip_seconds == 24.0
