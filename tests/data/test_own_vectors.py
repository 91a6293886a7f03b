"""A user's own vectors: which rows are whose, what is refused, and the split of what is left."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from worlds import random_parts, write_authors, write_own

from mrs.data.dataset import Dataset, open_dataset
from mrs.data.own_vectors import OwnVectors, check, read_own_vectors
from mrs.errors import InputError
from mrs.files import Digests

WIDTH = 4


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_own(tmp_path / "own", random_parts())
    vectors = np.random.default_rng(1).normal(size=(52, WIDTH)).astype(np.float32)
    np.save(tmp_path / "mine.npy", vectors)
    return tmp_path


def ids_of(folder: Path) -> list[int]:
    return pl.read_parquet(folder / "own/tracks.parquet")["track_id"].to_list()


def write_ids(folder: Path, ids: list, name: str = "track_id") -> Path:
    pl.DataFrame({name: ids}).write_csv(folder / "ids.csv")
    return folder / "ids.csv"


def read(folder: Path, ids: Path | None = None) -> tuple[Dataset, OwnVectors]:
    dataset = open_dataset(folder / "own")
    own = read_own_vectors(dataset, folder / "mine.npy", ids)
    return dataset.with_vectors(own, own.covered), own


def refused(folder: Path, ids: Path | None, *words: str) -> None:
    with pytest.raises(InputError) as caught:
        read(folder, ids)
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_rows_in_the_order_of_the_tracks(folder: Path) -> None:
    dataset, own = read(folder)
    assert dataset.backends() == ["mert", "mine"]
    card = dataset.card("mine")
    assert (card.label, card.origin, card.embedding_size) == ("mine", "file", WIDTH)
    np.testing.assert_array_equal(dataset.vectors("mine"), np.load(folder / "mine.npy"))
    plain = open_dataset(folder / "own")
    np.testing.assert_array_equal(dataset.vectors("mert"), plain.vectors("mert"))
    assert own.covered.all()
    assert dataset.split().warm.tolist() == plain.split().warm.tolist()
    assert not (folder / "own/embeddings/mine.npy").exists()


def test_the_digest_is_that_of_the_dropped_file(folder: Path) -> None:
    before = read(folder)[0].vector_digest("mine", Digests())
    (folder / "own/embeddings/mine.npy").write_bytes((folder / "mine.npy").read_bytes())
    assert open_dataset(folder / "own").vector_digest("mine", Digests()) == before


def test_rows_by_id(folder: Path) -> None:
    ids = ids_of(folder)
    order = np.random.default_rng(0).permutation(52)
    vectors = np.load(folder / "mine.npy")
    np.save(folder / "mine.npy", vectors[order])
    dataset, _ = read(folder, write_ids(folder, [ids[place] for place in order]))
    np.testing.assert_array_equal(dataset.vectors("mine"), vectors)
    positions = np.array([3, 0])
    np.testing.assert_array_equal(dataset.vectors("mine", positions), vectors[positions])
    assert dataset.vector_digest("mine", Digests()) != read(folder)[0].vector_digest(
        "mine", Digests()
    )


def test_tracks_without_a_vector_are_left_out(folder: Path) -> None:
    ids = ids_of(folder)
    whole = open_dataset(folder / "own").split()
    gone = {int(whole.warm[0]), int(whole.cold[0])}
    kept = [place for place in range(52) if place not in gone]
    np.save(folder / "mine.npy", np.load(folder / "mine.npy")[[*kept, 0]])
    path = write_ids(folder, [*(ids[place] for place in kept), 999_999])
    dataset, own = read(folder, path)
    split = dataset.split()
    assert set(split.warm) == set(whole.warm) - gone
    assert set(split.cold) == set(whole.cold) - gone
    for part in ("train", "val", "hot_test", "cold_test"):
        old, new = getattr(whole, part), getattr(split, part)
        pairs = {
            (whole.users[user], track)
            for user, track in zip(old.user, old.track, strict=True)
            if track not in gone
        }
        assert pairs == {(split.users[u], t) for u, t in zip(new.user, new.track, strict=True)}
    assert split.matrix.shape == (len(split.users), len(split.warm))
    digests = Digests()
    assert dataset.split_digest("mine", digests) != open_dataset(folder / "own").split_digest(
        "mine", digests
    )
    found = check(own, dataset)
    assert (found.n_covered, found.n_unknown, found.n_tracks) == (50, 1, 52)
    assert "2 of 52 tracks have no vector" in found.warnings[0]
    assert "1 rows belong to tracks that the dataset does not have" in found.warnings[1]


def test_the_authors_layout_counts_rows_by_raw_id(tmp_path: Path) -> None:
    vectors = write_authors(tmp_path / "authors", random_parts())
    np.save(tmp_path / "mine.npy", vectors)
    opened = open_dataset(tmp_path / "authors")
    own = read_own_vectors(opened, tmp_path / "mine.npy")
    dataset = opened.with_vectors(own, own.covered)
    np.testing.assert_array_equal(dataset.vectors("mine"), dataset.vectors("mert"))
    assert dataset.covered is None


def test_a_card_beside_the_file_is_read(folder: Path) -> None:
    (folder / "mine.json").write_text(json.dumps({"backend": "mert", "origin": "surrogate"}))
    assert read(folder)[0].card("mine").label == "sim:MERT"
    (folder / "mine.json").write_text('{"origin": "ears"}')
    refused(folder, None, "mine.json", "origin=ears", "'audio', 'file' or 'surrogate'")
    (folder / "mine.json").write_text("{")
    refused(folder, None, "mine.json", "not readable JSON")


def test_what_cannot_be_used(folder: Path) -> None:
    vectors = np.load(folder / "mine.npy")
    np.save(folder / "mine.npy", vectors[:-1])
    refused(folder, None, "has 51 rows for 52 tracks", "--ids")
    np.save(folder / "mine.npy", np.ones((52, 3)))
    refused(folder, None, "all rows are equal")
    np.save(
        folder / "mine.npy", np.where(np.arange(52)[:, None] == 7, 1e300, vectors.astype(float))
    )
    refused(folder, None, "row 7", "float32")
    np.save(folder / "mine.npy", np.where(np.arange(52)[:, None] == 5, np.nan, vectors))
    refused(folder, None, "row 5", "NaN")
    np.save(folder / "mine.npy", np.empty((0, 3)))
    refused(folder, None, "has no rows")


def test_ids_that_cannot_be_used(folder: Path) -> None:
    ids: list = ids_of(folder)
    refused(folder, folder / "none.csv", "no such file")
    refused(folder, write_ids(folder, ids, "song"), "no column 'track_id'", "song")
    refused(folder, write_ids(folder, ids[:-1]), "51 ids for the 52 rows")
    refused(folder, write_ids(folder, [*ids[:-1], ids[0]]), "row 51", "twice")
    refused(folder, write_ids(folder, [*ids[:3], None, *ids[4:]]), "row 3", "no track_id")
    refused(folder, write_ids(folder, [f"x{one}" for one in ids]), "row 0", "not among the tracks")
    (folder / "ids.csv").write_bytes(b"track_id\n\xff\xfe\n")
    refused(folder, folder / "ids.csv", "ids.csv")


def test_oddities_are_warned_of(folder: Path) -> None:
    vectors = np.load(folder / "mine.npy")
    vectors[4], vectors[9], vectors[11] = 0, vectors[2], vectors[11] * 1e4
    np.save(folder / "mine.npy", vectors)
    dataset, own = read(folder)
    found = check(own, dataset)
    assert (found.zeros, found.duplicates) == (1, 1)
    zeros, repeated, far = found.warnings
    assert zeros.startswith(str(folder / "mine.npy"))
    assert "1 rows are all zeros, first row 4" in zeros
    assert "first row 9" in repeated
    assert "first row 11" in far
    np.save(folder / "mine.npy", np.load(folder / "own/embeddings/mert.npy"))
    dataset, own = read(folder)
    assert check(own, dataset).warnings == ()
