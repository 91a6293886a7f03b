import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from hosts import CONTENT, Host
from safetensors.torch import save_file
from sounds import Stub
from torch import nn

from mrs.backends import weights
from mrs.backends.base import Backend
from mrs.backends.weights import fetch, load_state, read_tensors, require
from mrs.errors import InputError
from mrs.models import WeightFile

DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Weights are looked for in a folder of the test alone."""
    monkeypatch.setenv("MRS_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(weights, "ASSETS", tmp_path / "assets")
    return tmp_path


def needing(*files: WeightFile) -> Backend:
    @dataclass(frozen=True)
    class Heavy(Stub):
        weights: ClassVar[tuple[WeightFile, ...]] = files

    return Heavy()


def test_missing_weights_say_what_to_fetch_and_where_to_put_it(places: Path) -> None:
    backend = needing(WeightFile("model.bin", "https://host.invalid/model.bin", DIGEST))
    with pytest.raises(InputError) as caught:
        require(backend)
    text = str(caught.value)
    assert text.startswith(f"{places}/weights/mule/model.bin: no such file")
    assert "python -m mrs weights mule" in text
    assert "https://host.invalid/model.bin" in text
    with pytest.raises(InputError, match="elsewhere/model.bin"):
        require(backend, places / "elsewhere")


@pytest.mark.parametrize("place", ["weights/mule", "assets", "given"])
def test_places_where_weights_are_found(places: Path, place: str) -> None:
    backend = needing(WeightFile("sub/model.bin", "https://host.invalid", DIGEST))
    path = places / place / "sub" / "model.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    folder = places / place if place == "given" else None
    assert require(backend, folder) == places / place
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(InputError, match="has sha256 .* fetch it again"):
        require(backend, folder)


def test_fetched_with_its_licence_named(
    places: Path, host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    backend = needing(WeightFile("model.bin", f"{host.address}/model.bin", DIGEST))
    assert fetch(backend) == places / "weights" / "mule"
    assert (places / "weights" / "mule" / "model.bin").read_bytes() == CONTENT
    assert "weights under none" in capsys.readouterr().err
    fetch(backend)
    assert len(host.seen) == 1  # what is there is not fetched


def test_an_interrupted_download_continues(places: Path, host: Host) -> None:
    backend = needing(WeightFile("sub/model.bin", f"{host.address}/model.bin", DIGEST))
    host.broken = 1
    with pytest.raises(InputError, match="ended early"):
        fetch(backend)
    assert not (places / "weights" / "mule" / "sub" / "model.bin").exists()
    fetch(backend)
    assert host.asked == [None, f"bytes={len(CONTENT) // 2}-"]
    assert (places / "weights" / "mule" / "sub" / "model.bin").read_bytes() == CONTENT


def test_another_file_is_refused(places: Path, host: Host) -> None:
    with pytest.raises(InputError, match="came has sha256 .*, not 000000000000"):
        fetch(needing(WeightFile("model.bin", f"{host.address}/model.bin", "0" * 64)))
    host.stated["/model.bin"] = "1" * 64
    with pytest.raises(InputError, match="came has sha256 .*, not 111111111111"):
        fetch(needing(WeightFile("model.bin", f"{host.address}/model.bin")))
    assert not list((places / "weights" / "mule").iterdir())


@pytest.mark.parametrize("stated", [True, False])
def test_the_first_checksum_is_held_from_then_on(
    places: Path, host: Host, stated: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    backend = needing(WeightFile("model.bin", f"{host.address}/model.bin"))
    if stated:
        host.stated["/model.bin"] = DIGEST
    folder = fetch(backend)
    assert (folder / "SHA256SUMS").read_text() == f"{DIGEST}  model.bin\n"
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"model.bin: no checksum is pinned; sha256 {DIGEST} is ")
    assert said.endswith("SHA256SUMS and checked from now on")
    (folder / "model.bin").write_bytes(b"other")
    with pytest.raises(InputError, match=f"not {DIGEST[:12]}"):
        require(backend)


def test_a_damaged_list_of_checksums(places: Path, host: Host) -> None:
    backend = needing(WeightFile("model.bin", f"{host.address}/model.bin"))
    sums = fetch(backend) / "SHA256SUMS"
    for content in (b"\xff\xfe", b"abc", DIGEST[:40].encode()):
        sums.write_bytes(content)
        with pytest.raises(InputError, match=r"SHA256SUMS: .* is no checksum and name of a file"):
            require(backend)


def test_weights_that_cannot_be_read(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = needing(WeightFile("model.bin", "https://host.invalid", DIGEST))
    (places / "model.bin").write_bytes(CONTENT)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match=r"model\.bin: cannot be read \(Permission denied\)"):
        require(backend, places)


def test_hosts_that_do_not_have_it(host: Host) -> None:
    with pytest.raises(InputError, match=r"/none: cannot be fetched \(status 404"):
        fetch(needing(WeightFile("model.bin", f"{host.address}/none", DIGEST)))
    with pytest.raises(InputError, match=r"cannot be fetched .* run the command again"):
        fetch(needing(WeightFile("model.bin", "http://127.0.0.1:9/model.bin", DIGEST)))


def test_tensors_of_both_formats(tmp_path: Path) -> None:
    tensors = {"a": torch.arange(4.0), "b.c": torch.ones(2, 3)}
    save_file(tensors, tmp_path / "m.safetensors")
    torch.save(tensors, tmp_path / "m.pt")
    torch.save({"state_dict": tensors, "epoch": 3}, tmp_path / "nested.pt")
    torch.save(tensors, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    for name in ("m.safetensors", "m.pt", "nested.pt", "old.pt"):
        found = read_tensors(tmp_path / name)
        assert set(found) == {"a", "b.c"}
        assert torch.equal(found["b.c"], tensors["b.c"])


class Payload:
    """What a pickle could do."""

    def __reduce__(self) -> tuple:
        return (Path("executed").touch, ())


@pytest.mark.parametrize("name", ["m.safetensors", "m.pt", "m.bin", "evil.pt", "list.pt", "no.pt"])
def test_files_that_hold_no_tensors(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path, tensors = tmp_path / name, {"a": torch.arange(1000.0)}
    if name == "m.safetensors":
        save_file(tensors, path)
        path.write_bytes(path.read_bytes()[:2000])
    elif name == "m.pt":
        torch.save(tensors, path)
        path.write_bytes(path.read_bytes()[:2000])
    elif name == "m.bin":
        path.write_bytes(b"")
    elif name == "evil.pt":
        torch.save({"a": Payload()}, path)
    elif name == "list.pt":
        torch.save([1, 2], path)
    with pytest.raises(InputError, match=path.name) as caught:
        read_tensors(path)
    assert "\n" not in str(caught.value)
    assert not Path("executed").exists()


def test_a_module_takes_all_its_tensors_and_no_other() -> None:
    module = nn.Linear(3, 2)
    tensors = {"weight": torch.ones(2, 3, dtype=torch.float16), "bias": torch.zeros(2)}
    load_state(module, tensors, "FILE")
    assert torch.equal(module.weight, torch.ones(2, 3))
    wrong = [
        ({"weight": tensors["weight"]}, "FILE: no tensor 'bias'"),
        (tensors | {"bias": torch.zeros(4)}, r"'bias' has shape \(4,\), not \(2,\)"),
        (tensors | {"more": torch.zeros(1)}, "unexpected tensor 'more'"),
    ]
    for given, said in wrong:
        with pytest.raises(InputError, match=said):
            load_state(module, given, "FILE")
