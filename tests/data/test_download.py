"""Downloads from a host on loopback: whole and right, or absent, and continued."""

import errno
import hashlib
import io
import os
import shutil
import urllib.request
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hosts import CONTENT, Host

from mrs.data import download
from mrs.data.download import difference, fetch, read_json, shown, stated
from mrs.errors import InputError

MD5 = f"md5:{hashlib.md5(CONTENT).hexdigest()}"
SHA256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
HALF = len(CONTENT) // 2


@pytest.mark.parametrize("checksum", [MD5, SHA256, None])
def test_a_download(tmp_path: Path, host: Host, checksum: str | None) -> None:
    path = tmp_path / "new" / "model.bin"
    fetch(f"{host.address}/model.bin", path, checksum)
    assert path.read_bytes() == CONTENT
    assert [entry.name for entry in path.parent.iterdir()] == ["model.bin"]
    assert host.seen == [("GET", "/model.bin", None)]


def test_a_broken_download_is_continued(tmp_path: Path, host: Host) -> None:
    path = tmp_path / "model.bin"
    host.broken = 1
    with pytest.raises(InputError, match="ended early.*run the command again to continue"):
        fetch(f"{host.address}/model.bin", path, MD5)
    assert not path.exists()
    assert (tmp_path / "model.bin.part").read_bytes() == CONTENT[:HALF]
    fetch(f"{host.address}/model.bin", path, MD5)
    assert path.read_bytes() == CONTENT
    assert host.asked == [None, f"bytes={HALF}-"]
    assert host.sent == len(CONTENT)  # only the rest came
    assert not (tmp_path / "model.bin.part").exists()


def test_a_host_that_falls_silent(
    tmp_path: Path, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "TIMEOUT", 0.3)
    host.broken, host.stall = 1, 2.0
    with pytest.raises(InputError, match="timed out.*run the command again to continue"):
        fetch(f"{host.address}/model.bin", tmp_path / "model.bin", MD5)
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.bin.part"]


def test_a_killed_download_is_continued(
    tmp_path: Path, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.bin"

    def interrupted(blocks: Iterator[bytes], *_: Any) -> Generator[bytes, None, None]:
        yield next(iter(blocks))
        raise KeyboardInterrupt

    monkeypatch.setattr(download, "BLOCK", 1000)
    with monkeypatch.context() as patched:
        patched.setattr(download, "shown", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch(f"{host.address}/model.bin", path, SHA256)
    assert not path.exists()
    assert (tmp_path / "model.bin.part").read_bytes() == CONTENT[:1000]
    fetch(f"{host.address}/model.bin", path, SHA256)
    assert path.read_bytes() == CONTENT
    assert host.asked == [None, "bytes=1000-"]


def test_a_host_that_cannot_continue_sends_all_of_it(tmp_path: Path, host: Host) -> None:
    (tmp_path / "model.bin.part").write_bytes(b"something else that came before")
    host.ranges = False
    fetch(f"{host.address}/model.bin", tmp_path / "model.bin", MD5)
    assert (tmp_path / "model.bin").read_bytes() == CONTENT
    assert host.asked == ["bytes=31-"]


@pytest.mark.parametrize("checksum", [MD5, None])
def test_a_part_that_was_whole(tmp_path: Path, host: Host, checksum: str | None) -> None:
    (tmp_path / "model.bin.part").write_bytes(CONTENT)
    fetch(f"{host.address}/model.bin", tmp_path / "model.bin", checksum)
    assert (tmp_path / "model.bin").read_bytes() == CONTENT
    assert host.sent == 0


@pytest.mark.parametrize(
    ("part", "checksum", "message"),
    [
        (None, "md5:" + "0" * 32, f"came has md5 {MD5[4:16]}..., not 000000000000...; it was rem"),
        (None, "sha256:" + "0" * 64, "came has sha256 .* it was removed, fetch it again"),
        (b"another's beginning", MD5, "came has md5"),
        (CONTENT + b"more", None, "came has 10,244 bytes, not 10,240"),
    ],
)
def test_another_file_is_removed(
    tmp_path: Path, host: Host, part: bytes | None, checksum: str | None, message: str
) -> None:
    if part is not None:
        (tmp_path / "model.bin.part").write_bytes(part)
    with pytest.raises(InputError, match=message) as caught:
        fetch(f"{host.address}/model.bin", tmp_path / "model.bin", checksum)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_too_small_a_disk_is_known_before_anything_is_written(
    tmp_path: Path, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=len(CONTENT) - 1))
    with pytest.raises(InputError, match="0.0 MB are needed and 0.0 MB are free; make room"):
        fetch(f"{host.address}/model.bin", tmp_path / "model.bin", MD5)
    assert not list(tmp_path.iterdir())
    (tmp_path / "model.bin.part").write_bytes(CONTENT[:10])  # the rest has room
    fetch(f"{host.address}/model.bin", tmp_path / "model.bin", MD5)


class FullDisk(io.FileIO):
    """A file on a disk with room for `HALF` bytes."""

    def write(self, block: Any) -> int:
        room = HALF - self.tell()
        if room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(memoryview(block)[:room])


def test_a_disk_that_fills_up_keeps_the_part(
    tmp_path: Path, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, part = tmp_path / "model.bin", tmp_path / "model.bin.part"
    whole = Path.open
    with monkeypatch.context() as patched:
        patched.setattr(
            Path,
            "open",
            lambda self, mode="r", *rest, **names: (
                io.BufferedWriter(FullDisk(self, mode))
                if self == part and mode == "wb"
                else whole(self, mode, *rest, **names)
            ),
        )
        with pytest.raises(InputError, match="No space left on device.; free space there"):
            fetch(f"{host.address}/model.bin", path, MD5)
    assert not path.exists()
    assert part.read_bytes() == CONTENT[:HALF]
    fetch(f"{host.address}/model.bin", path, MD5)
    assert path.read_bytes() == CONTENT
    assert host.asked == [None, f"bytes={HALF}-"]


def test_a_folder_that_cannot_be_written(tmp_path: Path, host: Host) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file: cannot be written"):
        fetch(f"{host.address}/model.bin", tmp_path / "file" / "model.bin", MD5)
    (tmp_path / "model.bin").mkdir()
    with pytest.raises(InputError, match=r"cannot be written \(Is a directory\)"):
        fetch(f"{host.address}/model.bin", tmp_path / "model.bin", MD5)


def test_what_the_host_does_not_have(tmp_path: Path, host: Host) -> None:
    found = r"/none: cannot be fetched \(status 404 Not Found\); .* put the file at .*/none by hand"
    with pytest.raises(InputError, match=found):
        fetch(f"{host.address}/none", tmp_path / "none", MD5)
    with pytest.raises(InputError, match="status 404"):
        read_json(f"{host.address}/none")
    with pytest.raises(InputError, match="model.bin: answered no JSON"):
        read_json(f"{host.address}/model.bin")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "https://no.such.host.invalid"])
def test_no_network(tmp_path: Path, host: Host, address: str) -> None:
    for ask in (
        lambda: fetch(f"{address}/a", tmp_path / "new" / "a"),
        lambda: stated(f"{address}/a"),
    ):
        with pytest.raises(InputError, match=r"/a: cannot be fetched \(.*\); run the command aga"):
            ask()
    assert not list(tmp_path.iterdir())


def test_what_a_model_hub_states(host: Host) -> None:
    host.stated["/model.bin"] = SHA256.removeprefix("sha256:")
    assert stated(f"{host.address}/model.bin") == download.Stated(SHA256, len(CONTENT))
    host.stated["/model.bin"] = "no-sha256"
    assert stated(f"{host.address}/model.bin").checksum is None
    assert stated(f"{host.address}/none") == download.Stated(None, None)


def test_differences(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(CONTENT)
    for checksum in (MD5, SHA256, None):
        assert difference(path, checksum, len(CONTENT)) is None
    assert difference(path, None, 3) == "has 10,240 bytes, not 3"
    assert path.exists()


def test_progress_is_shown_of_what_takes_long(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = [b"a" * 500_000, b"b" * 500_000]
    assert list(shown(blocks, "a file", 0, 2_000_000)) == blocks
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(download, "SLOW", -1.0)
    assert list(shown(blocks, "a file", 500_000, 2_000_000)) == blocks
    said = capsys.readouterr()
    assert said.out == ""
    assert "a file" in said.err
    assert "1.5/2.0 MB" in said.err


@pytest.mark.parametrize("address", ["ftp://127.0.0.1/model.bin", "http://example.org/model.bin"])
def test_a_redirection_to_where_another_file_could_come_from(
    tmp_path: Path, host: Host, address: str
) -> None:
    host.redirects["/model.bin"] = address
    for ask in (
        lambda: fetch(f"{host.address}/model.bin", tmp_path / "model.bin", SHA256),
        lambda: read_json(f"{host.address}/model.bin"),
    ):
        with pytest.raises(InputError, match=f"redirects to {address}, which is not https"):
            ask()
    assert not list(tmp_path.iterdir())


def test_a_redirection_on_this_machine_is_followed(tmp_path: Path, host: Host) -> None:
    host.redirects["/old.bin"] = f"{host.address}/model.bin"
    fetch(f"{host.address}/old.bin", tmp_path / "model.bin", SHA256)
    assert (tmp_path / "model.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("address", ["http://127.0.0.1/x", "http://host.invalid/x", "ftp://h/x"])
def test_https_leads_to_https_alone(address: str) -> None:
    request = urllib.request.Request("https://host.invalid/x")
    with pytest.raises(InputError, match="which is not https"):
        download._Follow().redirect_request(request, None, 302, "Found", {}, address)
    followed = download._Follow().redirect_request(
        request, None, 302, "Found", {}, "https://other.invalid/y"
    )
    assert followed is not None
    assert followed.full_url == "https://other.invalid/y"


@pytest.mark.parametrize("address", ["http://host.invalid/a", "ftp://host.invalid/a"])
def test_addresses_that_are_not_https(tmp_path: Path, address: str) -> None:
    with pytest.raises(InputError, match="which is not https"):
        fetch(address, tmp_path / "a")
