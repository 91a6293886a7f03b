from pathlib import Path

import numpy as np
import pytest
from worlds import random_parts, write_own

from mrs.data.dataset import Dataset, open_dataset
from mrs.errors import InputError
from mrs.files import Digests
from mrs.world.variations import (
    OFFSETS,
    VARIATIONS,
    WIDTHS,
    expected_cosine,
    shifted,
    with_variations,
)
from mrs_book.chapters.mir_space import describe, mean_cosine

WORLD = "demo:n_users=20,n_tracks=300,n_artists=40,n_cold=30"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MRS_DATA", str(tmp_path_factory.mktemp("data")))
        return with_variations(open_dataset(WORLD))


def test_width_alone_keeps_every_dot_product(world: Dataset) -> None:
    narrow = world.vectors("width-104")
    assert narrow.shape == (300, 104)
    for width in WIDTHS:
        wide = world.vectors(f"width-{width}")
        assert wide.shape == (300, width)
        assert wide.dtype == np.float32
        scale = np.square(narrow).sum(axis=1).mean()
        np.testing.assert_allclose(wide @ wide.T, narrow @ narrow.T, atol=1e-5 * scale)
    other = world.vectors("width-512")
    assert not np.allclose(other[:, :104], narrow, atol=0.1)


def test_an_offset_is_all_that_differs(world: Dataset) -> None:
    plain = world.vectors("offset-0").astype(np.float64)
    spread = np.sqrt(np.square(plain - plain.mean(0)).sum(axis=1).mean())
    for offset in OFFSETS:
        vectors = world.vectors(f"offset-{offset:g}").astype(np.float64)
        difference = vectors - plain
        assert np.abs(difference - difference[0]).max() < 1e-4
        assert np.linalg.norm(difference[0]) == pytest.approx(offset * spread, rel=1e-3, abs=1e-6)
        assert describe(vectors).offset == pytest.approx(offset, abs=1e-3)


def test_the_mean_cosine_is_that_of_the_closed_form(world: Dataset) -> None:
    # Equally long vectors, and an offset at right angles to all of them: exact, for n rows
    # (c^2 - 1 / (n - 1)) / (1 + c^2).
    n = 8
    corners = np.hstack([np.eye(n) - 1 / n, np.zeros((n, 1))])
    spread = np.sqrt(np.square(corners).sum(axis=1).mean())
    for offset in (0.5, 1.0, 2.0):
        lifted = corners + offset * spread * np.eye(n + 1)[-1]
        exact = (offset**2 - 1 / (n - 1)) / (1 + offset**2)
        assert mean_cosine(lifted) == pytest.approx(exact)
    # For the world's vectors, which differ in length, nearly.
    for offset in OFFSETS:
        found = mean_cosine(world.vectors(f"offset-{offset:g}").astype(np.float64))
        assert found == pytest.approx(expected_cosine(offset), abs=0.02)


def test_shifted_by_hand() -> None:
    # Spread of (0, 2) around 1 is 1; in one dimension the direction is a sign.
    rows = shifted(np.array([[0.0], [2.0]]), 3.0, np.random.default_rng(0))
    assert np.abs(rows.mean()) == pytest.approx(3)
    assert (rows - rows.mean()).ravel().tolist() == pytest.approx([-1, 1])


def test_cards_and_digests(world: Dataset) -> None:
    assert world.backends()[-len(VARIATIONS) :] == list(VARIATIONS)
    card = world.card("width-4800")
    assert (card.label, card.origin, card.embedding_size) == ("sim:width-4800", "surrogate", 4800)
    assert card.details["heldout_r2"] == pytest.approx(0.45, abs=0.01)
    assert world.card("mert").embedding_size == world.vectors("mert").shape[1]
    digests = Digests()
    known = {world.vector_digest(name, digests) for name in [*VARIATIONS, "mert"]}
    assert len(known) == len(VARIATIONS) + 1


def test_positions_and_repeats(world: Dataset) -> None:
    again = with_variations(open_dataset(world.folder))
    whole = world.vectors("offset-1")
    assert whole.tobytes() == again.vectors("offset-1").tobytes()
    np.testing.assert_array_equal(world.vectors("offset-1", np.array([5, 2])), whole[[5, 2]])


def test_other_datasets_have_no_truth_to_draw_from(tmp_path: Path) -> None:
    write_own(tmp_path / "own", random_parts())
    with pytest.raises(InputError, match="no generated world"):
        with_variations(open_dataset(tmp_path / "own"))
