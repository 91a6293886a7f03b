"""A generated world heard: surrogates give way to what the models at hand hear."""

import json
from pathlib import Path

import numpy as np
import pytest

from mrs.backends import weights
from mrs.backends.hear_world import hear_world
from mrs.backends.mfcc import MFCC
from mrs.backends.pretrained import MusiCNN
from mrs.backends.weights import at_hand, load_model
from mrs.data import describe
from mrs.data.dataset import Dataset, open_dataset
from mrs.files import Digests

SPEC = "demo:n_users=30,n_tracks=60,n_artists=12,n_cold=10"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """A small world in a place without weights."""
    monkeypatch.setenv("MRS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("MRS_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setattr(weights, "ASSETS", tmp_path / "assets")
    return open_dataset(SPEC)


def test_models_at_hand_are_run_on_the_sound_and_the_others_stay_surrogates(world: Dataset) -> None:
    drawn = {name: world.vectors(name) for name in world.backends()}
    hear_world(world, world.backends(), workers=1)
    labels = [world.card(name).label for name in world.backends()]
    assert labels[:2] == ["MFCC", "sim:MusiCNN"]
    assert sum(label.startswith("sim:") for label in labels) == 9
    heard = world.vectors("mfcc")
    model = load_model(MFCC())
    assert world.renderer is not None
    for position in (0, 31, 59):
        expected = model.embed(world.renderer(position))
        np.testing.assert_allclose(heard[position], expected, rtol=1e-5, atol=1e-5)
    for name in world.backends()[1:]:
        np.testing.assert_array_equal(world.vectors(name), drawn[name])
    assert describe.verify(world)
    # Once more: nothing to do.
    file = world.folder / "embeddings" / "mfcc.npy"
    before = file.stat().st_mtime_ns
    hear_world(world, ["mfcc"], workers=1)
    assert file.stat().st_mtime_ns == before
    # The key speaks of what was heard by what, not of the digits.
    digest = world.vector_digest("mfcc", Digests())
    np.save(file, heard * np.float32(1 + 1e-6))
    card = file.with_suffix(".json")
    details = json.loads(card.read_text()) | {"sha256": Digests().of_file(file)}
    card.write_text(json.dumps(details))
    assert world.vector_digest("mfcc", Digests()) == digest


def test_vectors_that_were_brought_and_unknown_names_stay_alone(
    world: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("nothing is to be computed")

    monkeypatch.setattr("mrs.backends.hear_world.extract", refuse)
    (world.folder / "embeddings" / "mfcc.json").write_text('{"origin": "file"}')
    np.save(world.folder / "embeddings" / "mine.npy", world.vectors("mfcc"))
    hear_world(world, ["mfcc", "mine", "musicnn", "nowhere"])


def test_weights_at_hand(world: Dataset, tmp_path: Path) -> None:
    assert at_hand(MFCC())
    assert not at_hand(MusiCNN())
    folder = tmp_path / "weights" / "musicnn"
    folder.mkdir(parents=True)
    (folder / MusiCNN.weights[0].name).write_bytes(b"")
    assert at_hand(MusiCNN())
