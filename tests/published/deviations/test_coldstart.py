import numpy as np
import pytest
import torch
from recommenders.coldstart.material import SMALL, backbone, sounds, with_artists

from mrs.errors import InputError
from mrs.published.deviations import recommender_of
from mrs.published.deviations.coldstart import first_appearance
from mrs.recommenders import Fitted, Recommender
from mrs.recommenders.coldstart.base import Material

ACAREC = SMALL | {"max_epochs": 2, "hidden_size": 8, "n_heads": 2}
# The checkerboard's train: user 0 played columns 2 4 6 10 12 14, user 1 then 1 3 5 9 11 13, user 2
# is the first with 0 and 8, user 3 with 7 and 15.
NUMBERS = [12, 6, 0, 7, 1, 8, 2, 14, 13, 9, 3, 10, 4, 11, 5, 15]


def made(name: str, settings: dict, deviation: str) -> Recommender:
    return recommender_of(name, settings, f"published:{deviation}" if deviation else "corrected")


def fitted(name: str, settings: dict, deviation: str) -> Fitted:
    split = with_artists()
    read = sounds(split.warm, split)
    return made(name, settings, deviation).fit(split, read, backbone=backbone(split), seed=0)


def module(name: str, settings: dict, deviation: str):
    split = with_artists()
    content = sounds(split.warm, split)
    material = Material.of(split, content, split.artists, backbone(split), seed=0)
    return made(name, settings, deviation).module(material, 0)


def test_numbers_of_first_appearance() -> None:
    assert first_appearance(with_artists()).tolist() == NUMBERS


def test_unordered_factors_are_those_of_other_tracks() -> None:
    base = backbone(with_artists())
    found = fitted("acarec", ACAREC, "unordered_factors")
    assert np.array_equal(found.factors, base.items()[NUMBERS])
    assert np.array_equal(found.users(), base.users())
    clean = fitted("acarec", ACAREC, "")
    assert np.array_equal(found.content, clean.content)  # the content stays with its track


def test_a_trained_target_moves_to_its_estimate() -> None:
    """The gradient of mean (g - t)^2 over d entries is 2 (t - g) / d; nothing of it when fixed."""
    moving, fixed = (module("acarec", ACAREC, name) for name in ("targets_trainable", ""))
    moving.network.load_state_dict(fixed.network.state_dict())
    batch = next(fixed.batches(0))
    one = type(batch)(batch.tracks[:1], batch.others[:1])
    track = int(one.tracks[0])
    for made_so in (moving, fixed):
        made_so.loss(one).backward()
    tracks, others = one.tracks, one.others
    with torch.no_grad():
        factors, there = fixed.targets[others.clamp_min(0)], others >= 0
        keys = torch.cat([fixed.content[others.clamp_min(0)], factors], dim=2)
        states = fixed.network.states(keys, there)
        guess = fixed.network(fixed.content[tracks], states, factors, there)[0]
    wanted = 2 * (fixed.targets[track] - guess) / len(guess)
    assert torch.allclose(moving.targets.grad[track], wanted, atol=1e-6)
    assert fixed.targets.grad is None


def test_catalogues_are_read_where_trained_targets_ended() -> None:
    base, found = backbone(with_artists()), fitted("acarec", ACAREC, "targets_trainable")
    assert not np.allclose(found.factors, base.items(), atol=1e-3)
    assert np.array_equal(found.items(), found.factors)
    assert np.array_equal(found.reader.factors.numpy(), found.factors)
    assert np.array_equal(found.users(), base.users())


def test_the_discriminators_map_of_tracks_stays_the_identity() -> None:
    settings = SMALL | {"max_epochs": 2}
    base = backbone(with_artists())
    frozen, clean = (fitted("gar", settings, name) for name in ("gar_discriminator", ""))
    assert np.array_equal(frozen.items(), base.items())
    assert not np.allclose(clean.items(), base.items(), atol=1e-3)
    assert not np.allclose(frozen.users(), base.users(), atol=1e-3)  # that of users is trained


def test_a_constant_blend_by_hand() -> None:
    settings = SMALL | {"dropout": 0.25}
    factors, content = torch.tensor([[0.0, 4.0]] * 40), torch.tensor([[8.0, 0.0]] * 40)
    blending, drawing = (module("heater", settings, name) for name in ("heater_blend", ""))
    assert torch.equal(blending.replaced(factors, content), torch.tensor([[2.0, 3.0]] * 40))
    drawn = drawing.replaced(factors, content)
    from_content = (drawn == content).all(dim=1)
    assert (from_content | (drawn == factors).all(dim=1)).all()
    assert 0 < from_content.sum() < 40


def test_the_share_of_samples_cannot_be_tuned() -> None:
    assert made("clcrec", {}, "clcrec_samples").settings()["sample_rate"] == 0.5
    assert made("clcrec", {}, "").settings()["sample_rate"] == 0.9
    with pytest.raises(InputError, match=r"sets sample_rate=0\.5"):
        made("clcrec", {"sample_rate": 0.6}, "clcrec_samples")
