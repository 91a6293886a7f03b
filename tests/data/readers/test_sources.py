"""Public datasets fetched from a host on loopback with generated files."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest
from hosts import Host

from mrs.data.readers import sources
from mrs.data.readers.sources import fetch_dataset, overview
from mrs.errors import InputError

LOG = "userid_trackid_timestamp.tsv.bz2"
FILES = {
    LOG: b"generated log " * 50,
    "id_musicnn.tsv.bz2": b"tags" * 30,
    "id_mfcc_bow.tsv.bz2": b"bow" * 10,
    "id_mfcc_stats.tsv.bz2": b"stats" * 10,
}
RECORD = f"/records/{sources.RECORD}/files"
LISTING = f"/api/records/{sources.RECORD}"


def md5(content: bytes) -> str:
    return f"md5:{hashlib.md5(content).hexdigest()}"


def listing(files: dict[str, bytes]) -> dict[str, Any]:
    entries = [{"key": n, "size": len(c), "checksum": md5(c)} for n, c in files.items()]
    return {"id": 1, "files": entries}


@pytest.fixture
def onion(host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Host:
    """The record with generated files, the log's checksum and size those of the generated one."""
    source = sources.SOURCES["music4all-onion"]
    log = sources.File(LOG, True, md5(FILES[LOG]), len(FILES[LOG]))
    changed = sources.Source(source.page, (log, *source.files[1:]))
    monkeypatch.setitem(sources.SOURCES, "music4all-onion", changed)
    monkeypatch.setattr(sources, "ZENODO", host.address)
    monkeypatch.setenv("MRS_DATA", str(tmp_path / "data"))
    host.files = {f"{RECORD}/{name}": content for name, content in FILES.items()}
    host.add_json(LISTING, listing(FILES))
    return host


@pytest.fixture
def hub(host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Host:
    """Yambda's host: what is frozen is of the real files, so that none is frozen here."""
    source = sources.SOURCES["yambda-50m"]
    files = tuple(sources.File(file.name, file.needed) for file in source.files)
    monkeypatch.setitem(sources.SOURCES, "yambda-50m", sources.Source(source.page, files))
    monkeypatch.setattr(sources, "HUB", f"{host.address}/yambda")
    monkeypatch.setenv("MRS_DATA", str(tmp_path / "data"))
    host.files = {f"/yambda/{file.name}": file.name.encode() * 9 for file in files}
    host.stated = {path: hashlib.sha256(c).hexdigest() for path, c in host.files.items()}
    return host


def test_the_log_by_default(
    onion: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = fetch_dataset("music4all-onion")
    assert folder == tmp_path / "data" / "downloads" / "music4all-onion"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {LOG: FILES[LOG]}
    assert [path for _, path, _ in onion.seen] == [f"{RECORD}/{LOG}?download=1"]
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 3
    assert "https://zenodo.org/records/15394646; licence: CC BY 4.0" in said[0]
    assert said[2] == f"1 of 1 files to fetch, 0.0 MB, into {folder}: {LOG}"


def test_licence_and_target_are_said_before_anything_is_written(
    onion: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    onion.files.clear()
    with pytest.raises(InputError, match=f"{LOG}.* \\(status 404"):
        fetch_dataset("music4all-onion", tmp_path / "into")
    said = capsys.readouterr().err
    assert "CC BY 4.0" in said
    assert str(tmp_path / "into") in said
    assert not (tmp_path / "into").exists()


def test_files_by_pattern_have_the_listed_checksum(onion: Host, tmp_path: Path) -> None:
    folder = fetch_dataset("music4all-onion", tmp_path / "into", ["id_mfcc*", "id_musicnn"])
    assert {path.name for path in folder.iterdir()} == set(FILES) - {LOG}
    damaged = FILES | {"id_mfcc_bow.tsv.bz2": b"other"}
    onion.add_json(LISTING, listing(damaged))
    with pytest.raises(InputError, match="id_mfcc_bow.tsv.bz2: has 30 bytes, not 5; .* remove it"):
        fetch_dataset("music4all-onion", tmp_path / "into", ["id_mfcc_bow.tsv.bz2"])
    assert (folder / "id_mfcc_bow.tsv.bz2").read_bytes() == FILES["id_mfcc_bow.tsv.bz2"]
    with pytest.raises(InputError, match="id_mfcc_bow.* what came has md5"):
        fetch_dataset("music4all-onion", tmp_path / "new", ["id_mfcc_bow"])
    assert not list((tmp_path / "new").iterdir())


def test_the_frozen_checksum_is_not_that_of_a_later_listing(onion: Host, tmp_path: Path) -> None:
    onion.files[f"{RECORD}/{LOG}"] = b"another" * 100
    onion.add_json(LISTING, listing({LOG: b"another" * 100}))
    with pytest.raises(InputError, match=f"{LOG}.*what came has md5"):
        fetch_dataset("music4all-onion", tmp_path / "into", [LOG])


@pytest.mark.parametrize(
    ("name", "only", "message"),
    [
        ("music4all", [], "dataset 'music4all' cannot be fetched; known: music4all-onion, yambda"),
        ("music4all-onion", ["id_clap"], "--only id_clap: no such file in music4all-onion; there"),
    ],
)
def test_what_cannot_be_fetched(onion: Host, name: str, only: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        fetch_dataset(name, only=only)


@pytest.mark.parametrize(
    "values",
    [[], {"files": {"entries": {}}}, {"files": [{"key": "a"}]}, {"files": [{"key": 3}]}],
)
def test_listings_of_another_form(onion: Host, values: Any) -> None:
    onion.add_json(LISTING, values)
    with pytest.raises(InputError, match=f"{LISTING}: lists no files|no such file in music"):
        fetch_dataset("music4all-onion", only=["id_musicnn"])


def test_a_listed_name_is_a_name(onion: Host, tmp_path: Path) -> None:
    onion.add_json(LISTING, listing({"../id_evil.tsv.bz2": b"a", "id_musicnn.tsv.bz2": b"b"}))
    with pytest.raises(InputError, match="there are id_musicnn.tsv.bz2$"):
        fetch_dataset("music4all-onion", tmp_path / "into", ["*evil*"])


def test_yambda_has_the_checksums_of_its_host(hub: Host, tmp_path: Path) -> None:
    embeddings = "/yambda/embeddings.parquet"
    content, hub.files[embeddings] = hub.files[embeddings], b"changed" * 30
    hub.stated[embeddings] = hashlib.sha256(content).hexdigest()
    with pytest.raises(InputError, match="embeddings.parquet: what came has sha256"):
        fetch_dataset("yambda-50m")
    folder = tmp_path / "data" / "downloads" / "yambda-50m"
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == {"flat/50m/listens.parquet", "artist_item_mapping.parquet"}
    hub.files[embeddings] = content
    n_before = len(hub.asked)
    assert fetch_dataset("yambda-50m") == folder
    assert (folder / "embeddings.parquet").read_bytes() == content
    assert len(hub.asked) == n_before + 1  # what was right is not fetched again


def test_a_host_that_states_nothing(
    hub: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.stated.clear()
    folder = fetch_dataset("yambda-50m", tmp_path / "into", ["likes"])
    assert (folder / "flat/50m/likes.parquet").is_file()
    said = capsys.readouterr().err
    assert "flat/50m/likes.parquet: no checksum is stated" in said
    assert "0.0 MB or more" in said


def test_room_for_all_files_is_asked_beforehand(
    hub: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {path.removeprefix("/yambda/"): len(content) for path, content in hub.files.items()}
    needed = sum(sizes[file.name] for file in sources.SOURCES["yambda-50m"].files if file.needed)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=needed - 1))
    with pytest.raises(InputError, match="are needed and .* are free; make room"):
        fetch_dataset("yambda-50m")
    assert hub.asked == []
    assert not (tmp_path / "data").exists()


def test_a_part_counts_as_room_that_is_not_needed(
    onion: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = tmp_path / "into" / f"{LOG}.part"
    part.parent.mkdir()
    part.write_bytes(FILES[LOG][:600])
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100))
    fetch_dataset("music4all-onion", part.parent)
    assert onion.asked == ["bytes=600-"]
    assert (part.parent / LOG).read_bytes() == FILES[LOG]


def test_the_overview_names_licence_and_files() -> None:
    text = overview()
    for word in ("music4all-onion", "yambda-50m", "CC BY 4.0", "Apache-2.0", LOG, "id_jukebox"):
        assert word in text
