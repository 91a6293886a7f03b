from collections.abc import Iterator
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from recommenders.coldstart.material import SMALL, backbone, sounds, with_artists
from torch import nn

from mrs.errors import InputError
from mrs.recommenders.coldstart import acarec
from mrs.recommenders.coldstart.acarec import ACARec, ACARecModule
from mrs.recommenders.coldstart.attention import ACARecNetwork, Fusion
from mrs.recommenders.coldstart.base import Material

SIZES = {"n_content": 5, "n_factors": 3, "hidden_size": 8, "n_heads": 2}
RECOMMENDER = ACARec(**SMALL, hidden_size=8, n_heads=2)


@pytest.fixture(autouse=True)
def _drawn() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def network(self_attention: bool = True, fusion: str = "gru", content_input: bool = True):
    made = ACARecNetwork(
        **SIZES, self_attention=self_attention, fusion=fusion, content_input=content_input
    )
    for name, part in made.named_parameters():
        if "bias" in name:  # attention's start at zero
            nn.init.normal_(part)
    return made.eval()


def world(n: int = 3, size: int = 4) -> tuple[torch.Tensor, ...]:
    """New tracks' content, catalogues' content and factors, which places hold a track."""
    there = torch.arange(size) < torch.tensor([size, 2, 1])[:n, None]
    return torch.randn(n, 5), torch.randn(n, size, 5), torch.randn(n, size, 3), there


def estimate(made: ACARecNetwork, content, keys, factors, there) -> torch.Tensor:
    states = made.states(torch.cat([keys, factors], dim=2), there)
    return made(content, states, factors, there)


def by_torch(made: ACARecNetwork, content, keys, factors, there) -> torch.Tensor:
    """The same step by step, by torch's own attention and GRU cell."""

    def attention(heads) -> nn.MultiheadAttention:
        other = nn.MultiheadAttention(8, 2, batch_first=True)
        other.load_state_dict(heads.state_dict())
        return other

    inputs = made.key(torch.cat([keys, factors], dim=2))
    if made.within is not None:
        inputs, _ = attention(made.within)(inputs, inputs, inputs, key_padding_mask=~there)
    query = made.query(content).unsqueeze(1)
    found, _ = attention(made.across)(query, inputs, made.value(factors), key_padding_mask=~there)
    update = made.out(found[:, 0])
    mean = torch.stack([row[mask].mean(dim=0) for row, mask in zip(factors, there, strict=True)])
    if made.content_input:
        update = torch.cat([update, content], dim=1)
    if made.fusion == "gru":
        return made.gru(update, mean)
    if made.fusion == "glu":
        proposed, gate = made.glu(torch.cat([mean, update], dim=1)).chunk(2, dim=1)
        return (1 - gate.sigmoid()) * mean + gate.sigmoid() * proposed
    return mean + (made.merge(update) if made.content_input else update)


@pytest.mark.parametrize("fusion", get_args(Fusion))
@pytest.mark.parametrize("self_attention", [True, False])
@pytest.mark.parametrize("content_input", [True, False])
def test_equals_torchs_attention(fusion: str, self_attention: bool, content_input: bool) -> None:
    made, given = network(self_attention, fusion, content_input), world()
    assert torch.allclose(estimate(made, *given), by_torch(made, *given), atol=1e-5)


def test_gradients_equal_those_through_torchs_attention() -> None:
    made, given = network(), world()
    gradients = []
    for function in (by_torch, estimate):
        made.zero_grad()
        function(made, *given).square().sum().backward()
        parts = ("gru", "key", "query", "value")  # torch's attentions hold copies of their own
        gradients.append({n: p.grad for n, p in made.named_parameters() if n.startswith(parts)})
    assert len(gradients[0]) == 10
    for name, gradient in gradients[0].items():
        assert torch.allclose(gradients[1][name], gradient, atol=1e-4), name


def test_attention_by_hand() -> None:
    """One head of width 1, every map the identity or zero: shares are softmax(query x key)."""
    made = ACARecNetwork(1, 1, 1, 1, self_attention=False, fusion="residual", content_input=False)
    with torch.no_grad():
        for part in made.parameters():
            part.fill_(0)
        made.key.weight[0, 0] = 1  # a place is its content
        for layer in (made.value, made.query, made.out, made.across.out_proj):
            layer.weight.fill_(1)
        made.across.in_proj_weight.fill_(1)
    content, keys = torch.tensor([[2.0]]), torch.tensor([[[0.0], [1.0], [5.0]]])
    factors = torch.tensor([[[3.0], [-1.0], [100.0]]])
    there = torch.tensor([[True, True, False]])
    share = np.exp(2) / (1 + np.exp(2))  # of the second place: exp(2 x 1) against exp(2 x 0)
    states = made.states(torch.cat([keys, factors], dim=2), there)
    shares = made.shares(content, states, there)
    assert torch.allclose(shares, torch.tensor([[[1 - share, share, 0.0]]]).float())
    found = made(content, states, factors, there)
    assert found.item() == pytest.approx(3 * (1 - share) - share + (3 - 1) / 2, abs=1e-5)


@pytest.mark.parametrize("fusion", get_args(Fusion))
def test_padding_and_order_change_nothing(fusion: str) -> None:
    made, (content, keys, factors, there) = network(fusion=fusion), world()
    plain = estimate(made, content, keys, factors, there)
    noise = torch.where(there.unsqueeze(2), 0.0, 1e3)
    assert torch.allclose(estimate(made, content, keys + noise, factors, there), plain, atol=1e-5)
    wider = [torch.cat([part, part.new_zeros(3, 2, part.shape[2])], 1) for part in (keys, factors)]
    more = torch.cat([there, there.new_zeros(3, 2)], dim=1)
    assert torch.allclose(estimate(made, content, *wider, more), plain, atol=1e-5)
    order = torch.tensor([2, 0, 3, 1])
    mixed = estimate(made, content, keys[:, order], factors[:, order], there[:, order])
    assert torch.allclose(mixed, plain, atol=1e-5)


def test_the_fusion_is_torchs_gru_cell() -> None:
    """With nothing from the catalogue's attention, the cell's input is the content alone."""
    made, (content, keys, factors, there) = network(), world()
    with torch.no_grad():
        made.out.weight.fill_(0)
        made.out.bias.fill_(0)
    cell = nn.GRUCell(8, 3)
    cell.load_state_dict(made.gru.state_dict())
    mean = (factors * there.unsqueeze(2)).sum(1) / there.sum(1, keepdim=True)
    wanted = cell(torch.cat([torch.zeros(3, 3), content], dim=1), mean)
    assert torch.allclose(estimate(made, content, keys, factors, there), wanted, atol=1e-6)


def n_parameters(made: nn.Module) -> int:
    return sum(part.numel() for part in made.parameters())


def test_parameter_counts() -> None:
    c, d, h = 5, 3, 8
    heads = 3 * h * h + 3 * h + h * h + h
    shared = (c + d) * h + h + d * h + h + c * h + h + h * d + d + heads
    gru = 3 * d * (c + d) + 3 * d * d + 6 * d
    assert n_parameters(network()) == shared + heads + gru
    assert n_parameters(network(self_attention=False)) == shared + gru
    assert n_parameters(network(content_input=False)) == shared + heads + 3 * d * 2 * d + 6 * d
    assert n_parameters(network(fusion="glu")) == shared + heads + (c + 2 * d) * 2 * d + 2 * d
    assert n_parameters(network(fusion="residual")) == shared + heads + (c + d) * d + d
    assert n_parameters(network(fusion="residual", content_input=False)) == shared + heads


def module(settings: ACARec = RECOMMENDER) -> ACARecModule:
    split = with_artists()
    content = sounds(split.warm, split)
    material = Material.of(split, content, split.artists, backbone(split), seed=0)
    return ACARecModule(material, settings, seed=0)


def test_targets_are_no_parameters_and_in_no_catalogue_of_their_own() -> None:
    made = module()
    assert not any("targets" in name or "content" in name for name, _ in made.named_parameters())
    assert not made.targets.requires_grad
    seen = []
    for batch in made.batches(0):
        for track, others in zip(batch.tracks.tolist(), batch.others.tolist(), strict=True):
            known = [other for other in others if other >= 0]
            assert track not in known
            assert all(
                made.material.artist[other] == made.material.artist[track] for other in known
            )
            assert set(known) <= set(made.material.trained.tolist())
        seen += batch.tracks.tolist()
    assert sorted(seen) == made.material.trained.tolist()


def test_a_tracks_factors_and_content_belong_to_one_id() -> None:
    """Where content is a copy of the factors, no other pairing of rows fits it."""
    split, base = with_artists(), backbone(with_artists())
    settings = replace(RECOMMENDER, max_epochs=150, patience=150, n_components=None)
    fitted = settings.fit(split, base.items(), backbone=base, seed=0)
    at = np.flatnonzero(split.artists[split.warm] == 0)
    found = fitted.encode(base.items()[at], split.artists[split.warm][at])
    far = np.square(found[:, None] - base.items()[None]).sum(axis=2)
    assert far[np.arange(len(at)), at].mean() < np.delete(far, at, axis=1).mean() / 4


def as_own_catalogue(made: ACARecNetwork, content: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """New tracks' factors with a catalogue of one track each: their content and those factors."""
    given, of = (torch.from_numpy(np.asarray(part, np.float32)) for part in (content, factors))
    there = torch.ones(len(given), 1, dtype=torch.bool)
    with torch.no_grad():
        return by_torch(made, given, given.unsqueeze(1), of.unsqueeze(1), there).numpy()


def test_an_unknown_artist_has_one_track_by_the_estimate_from_content() -> None:
    split = with_artists()
    fitted = RECOMMENDER.fit(split, sounds(split.warm, split), backbone=backbone(split), seed=0)
    read = sounds(split.cold, split)
    some, none = fitted.encode(read, split.artists[split.cold]), fitted.encode(read, [-1] * 6)
    content = (read - fitted.mean) * fitted.scale
    if fitted.rotation.size:
        content = (read - fitted.mean) * fitted.scale @ fitted.rotation
    wanted = as_own_catalogue(fitted.reader.network, content, content @ fitted.weight + fitted.bias)
    assert np.allclose(none, wanted, atol=1e-5)
    assert np.allclose(some[-1], none[-1], atol=1e-6)
    assert not np.allclose(some[0], none[0], atol=1e-3)
    assert np.array_equal(none, fitted.encode(read, np.full(6, 77)))


def test_one_other_track_and_five_thousand() -> None:
    """An artist with one track is read as it is, one with 5,000 by a fixed sample of 250."""
    made = network()
    rng = np.random.default_rng(0)
    n = 5001
    content, factors = (rng.normal(0, 1, (n, d)).astype(np.float32) for d in (5, 3))
    artist = np.r_[0, np.ones(n - 1, dtype=int)]
    reader = acarec.CatalogueReader(
        made,
        torch.from_numpy(content),
        torch.from_numpy(factors),
        acarec.Catalogues(artist),
        250,
        seed=0,
    )
    new = rng.normal(0, 1, (4, 5)).astype(np.float32)
    guess = acarec.Estimate(np.zeros((5, 3), np.float32), np.ones(3, np.float32))
    found = reader.encode(new, np.array([1, 0, 1, -1]), guess)
    assert np.allclose(found[3], as_own_catalogue(made, new[[3]], np.ones((1, 3))), atol=1e-5)
    for row, tracks in ((1, [0]), (2, reader.catalogues.of_artists(np.array([1]), 250, 0)[0])):
        assert len(tracks) == (1 if row == 1 else 250)
        given = (torch.from_numpy(part[None]) for part in (new[row], content[tracks]))
        factor = torch.from_numpy(factors[tracks][None])
        with torch.no_grad():
            wanted = estimate(made, *given, factor, torch.ones(1, len(tracks), dtype=torch.bool))
        assert np.allclose(found[row], wanted, atol=1e-5)
    alone = reader.encode(new[[2]], np.array([1]), guess)[0]
    assert np.allclose(found[2], alone, atol=1e-6)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    made = module()
    rng = np.random.default_rng(0)
    new, artists = rng.normal(0, 1, (40, 5)).astype(np.float32), rng.integers(-1, 5, 40)
    with torch.no_grad():
        whole = made.eval().new_tracks(new, artists)
        monkeypatch.setattr(acarec, "PLACES_AT_ONCE", 5)
        parts = made.new_tracks(new, artists)
        alone = np.concatenate(
            [made.new_tracks(new[[i]], artists[[i]]) for i in range(len(artists))]
        )
    assert np.allclose(parts, whole, atol=1e-5)
    assert np.allclose(alone, whole, atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        {"self_attention": False},
        {"fusion": "residual"},
        {"fusion": "glu"},
        {"content_input": False},
        {"n_catalogue_inference": 1},
    ],
)
def test_ablations_fit_and_differ(change: dict) -> None:
    split = with_artists()
    read, artists = sounds(split.warm, split), split.artists[split.cold]
    few = replace(RECOMMENDER, max_epochs=2)
    one, other = (
        recommender.fit(split, read, backbone=backbone(split), seed=0).encode(
            sounds(split.cold, split), artists
        )
        for recommender in (few, replace(few, **change))
    )
    assert np.isfinite(other).all()
    assert not np.allclose(one, other)


def test_artists_with_one_track_each_teach_nothing() -> None:
    split = with_artists()
    split = replace(split, artists=np.arange(len(split.tracks)))
    with pytest.raises(InputError, match="no artist has two train tracks"):
        RECOMMENDER.fit(split, sounds(split.warm, split), backbone=backbone(split), seed=0)
