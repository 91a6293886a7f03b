"""Public feature files as vectors, on generated files of their schema."""

import bz2
import errno
import json
import os
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from worlds import random_parts, write_authors

from mrs.data.dataset import Dataset, open_dataset
from mrs.data.describe import verify
from mrs.data.readers import onion_features
from mrs.data.readers.onion_features import add_features, backend_name
from mrs.errors import InputError

TRACKS = ["tC", "tA", "tE", "tB", "tD"]  # in another order than the file's
VALUES = {f"t{name}": [float(i), -i / 3, 10.0**-i] for i, name in enumerate("ABCDEFG")}


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    folder = tmp_path / "onion"
    folder.mkdir()
    pl.DataFrame({"track_id": TRACKS}).write_parquet(folder / "tracks.parquet")
    return open_dataset(folder)


def write(path: Path, rows: dict[str, list], header: str = "id\tf0\tf1\tf2") -> Path:
    lines = [header] + ["\t".join([name, *map(str, row)]) for name, row in rows.items()]
    path.write_bytes(bz2.compress(("\n".join(lines) + "\n").encode()))
    return path


@pytest.mark.parametrize("block", [1, 40, 1 << 20])
def test_rows_go_to_their_tracks(
    tmp_path: Path, dataset: Dataset, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(onion_features, "BLOCK", block)
    added = add_features(dataset, write(tmp_path / "id_maest.tsv.bz2", VALUES))
    assert added.path == dataset.folder / "embeddings" / "onion_maest.npy"
    assert (added.n_tracks, len(added.skipped)) == (5, 0)
    expected = np.array([VALUES[name] for name in TRACKS], np.float32)
    assert dataset.backends() == ["onion_maest"]
    assert np.array_equal(dataset.vectors("onion_maest"), expected)
    card = dataset.card("onion_maest")
    assert (card.origin, card.label, card.embedding_size) == ("file", "onion_maest", 3)
    assert card.details["source"].startswith("id_maest.tsv.bz2 of Music4All-Onion, zenodo.org")
    assert "embeddings/onion_maest.npy: checksum right" in verify(dataset)


def test_tags_of_musicnn_are_not_called_its_vectors() -> None:
    assert backend_name(Path("x/id_musicnn.tsv.bz2")) == "onion_musicnn_tags"
    assert backend_name(Path("id_genres_tf-idf.tsv.bz2")) == "onion_genres_tf-idf"
    with pytest.raises(InputError, match="musicnn.npy: is no feature file"):
        backend_name(Path("musicnn.npy"))


def test_a_track_without_a_row_has_a_stand_in(tmp_path: Path, dataset: Dataset) -> None:
    known = {name: row for name, row in VALUES.items() if name not in ("tA", "tB")}
    added = add_features(dataset, write(tmp_path / "id_maest.tsv.bz2", known))
    report = pl.read_csv(added.path.with_suffix(".skipped.csv"))
    assert report.equals(added.skipped)
    assert report.select("row", "track_id").rows() == [(1, "tA"), (3, "tB")]
    vectors = dataset.vectors("onion_maest")
    for row, stand_in in report.select("row", "stand_in").rows():
        assert stand_in in (0, 2, 4)
        assert np.array_equal(vectors[row], np.float32(VALUES[TRACKS[stand_in]]))
    skipped = dataset.card("onion_maest").details["skipped"]
    assert (skipped["count"], skipped["rows"]) == (2, [1, 3])


def test_the_authors_numbers_are_read_by_their_table(tmp_path: Path) -> None:
    folder = tmp_path / "authors"
    write_authors(folder, random_parts())
    shutil.rmtree(folder / "embeddings")
    dataset = open_dataset(folder)
    n = len(dataset.tracks)
    values = {f"id{i}": [i, i + 0.5, -i] for i in reversed(range(n + 3))}
    path = write(tmp_path / "id_maest.tsv.bz2", values)
    with pytest.raises(InputError, match="trackid_sorted.csv: no such file; put the authors'"):
        add_features(dataset, path)
    order = pl.DataFrame({"idx": range(n + 3), "trackid": [f"id{i}" for i in range(n + 3)]})
    order.write_csv(folder / "trackid_sorted.csv")
    added = add_features(dataset, path)
    assert len(added.skipped) == 0
    expected = np.array([values[f"id{i}"] for i in range(n)], np.float32)
    assert np.array_equal(dataset.vectors("onion_maest"), expected)
    added.path.unlink()
    pl.concat([order, order[:1]]).write_csv(folder / "trackid_sorted.csv")
    with pytest.raises(InputError, match="trackid_sorted.csv: an idx stands there twice"):
        add_features(dataset, path)
    (folder / "trackid_sorted.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="trackid_sorted.csv: no table of idx and trackid"):
        add_features(dataset, path)


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        (VALUES, "track\tf0\tf1\tf2", "begins with 'track', not with id and features"),
        ({"tA": []}, "id", "begins with 'id', not with id and features"),
        ({"tA": ["{'rock': 3}"]}, "id\ttags", "after row 0: not an id and 1 numbers"),
        (VALUES | {"tA": [1.0, 2.0, 3.0, 4.0]}, "id\ta\tb\tc", "not an id and 3 numbers"),
        (VALUES | {"tB": [1.0, "nan", 3.0]}, "id\ta\tb\tc", "row 1: a value is missing or not"),
        (VALUES | {"tB": [1.0, 2.0, ""]}, "id\ta\tb\tc", "row 1: a value is missing or not"),
        (VALUES | {"tB": [1.0, 2.0]}, "id\ta\tb\tc", "row 1: a value is missing or not"),
        ({"x": [1.0]}, "id\ta", "none of its ids is a track of the dataset, which begin with tC"),
    ],
)
def test_files_of_another_form(
    tmp_path: Path, dataset: Dataset, rows: dict[str, list], header: str, message: str
) -> None:
    path = write(tmp_path / "id_maest.tsv.bz2", rows, header)
    with pytest.raises(InputError, match=message) as caught:
        add_features(dataset, path)
    assert "\n" not in str(caught.value)
    assert not list((dataset.folder / "embeddings").glob("*"))


def test_damaged_files_leave_nothing(tmp_path: Path, dataset: Dataset) -> None:
    path = write(tmp_path / "id_maest.tsv.bz2", VALUES)
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"no bz2"):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="not a whole bz2 file"):
            add_features(dataset, path)
    text = bz2.decompress(whole)
    path.write_bytes(bz2.compress(text + text.splitlines(keepends=True)[1]))
    with pytest.raises(InputError, match="id tA stands there twice"):
        add_features(dataset, path)
    assert not list((dataset.folder / "embeddings").glob("*"))
    path.write_bytes(whole)
    add_features(dataset, path)
    with pytest.raises(InputError, match="onion_maest.npy: is there already"):
        add_features(dataset, path)
    assert json.loads((dataset.folder / "embeddings" / "onion_maest.json").read_text())


def test_a_full_disk_leaves_nothing(
    tmp_path: Path, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "id_maest.tsv.bz2", VALUES)
    usage = shutil.disk_usage(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda _: usage._replace(free=5 * 3 * 4 - 1))
        with pytest.raises(InputError, match="are needed and .* are free; make room"):
            add_features(dataset, path)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(onion_features.filled_rows.RowFile, "fill", full)
    with pytest.raises(InputError, match="onion_maest.npy: cannot be written .No space left"):
        add_features(dataset, path)
    assert not list((dataset.folder / "embeddings").glob("*"))
