"""Downloads of weights and data: continued where they ended, checked, and whole or absent.

A file is written as `NAME.part` and renamed once its length and checksum are right, so that nothing
half written has the name that others read. What was interrupted, by whatever it was, is continued
by the same command. Standard library: of the libraries at hand that download, none continues a
file, holds it to either kind of checksum and checks the disk.
"""

import hashlib
import http.client
import json
import re
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

from mrs.errors import InputError, writing
from mrs.progress import progress_bar

BLOCK = 1 << 20  # bytes
TIMEOUT = 60.0  # seconds without a byte, after which a host counts as gone
SLOW = 2.0  # seconds after which progress is shown
LOOPBACK = ("127.0.0.1", "::1", "localhost")
AGAIN = "run the command again to continue"


class HostError(InputError):
    """A host that cannot be reached, breaks off or does not have a file."""

    def __init__(self, url: str, reason: object) -> None:
        super().__init__(f"{url}: cannot be fetched ({reason}); {AGAIN}")


@dataclass(frozen=True)
class Stated:
    """What a host says about a file: its checksum as `checksum` of `fetch`, its bytes."""

    checksum: str | None
    size: int | None


def fetch(url: str, path: Path, checksum: str | None = None) -> None:
    """Fetch a file to `path`, continuing what is in `NAME.part` beside it.

    `checksum` is "md5:..." or "sha256:..."; without one the length alone is checked, where the host
    tells it. Progress goes to stderr. Raises `InputError`: the host cannot be reached, does not
    have the file or breaks off, or the disk is full (the part stays and is continued), or another
    file came (the part is removed).
    """
    part = path.with_name(f"{path.name}.part")
    try:
        with writing(path.parent):
            total = _receive(url, part)
            if trouble := difference(part, checksum, total):
                part.unlink()
                raise InputError(f"{url}: what came {trouble}; it was removed, fetch it again")
            part.replace(path)
    except HostError as error:
        raise InputError(f"{error}, or put the file at {path} by hand") from error


def difference(path: Path, checksum: str | None, size: int | None) -> str | None:
    """How a file differs from its length in bytes or its checksum, where they are known."""
    found = path.stat().st_size
    if size is not None and found != size:
        return f"has {found:,} bytes, not {size:,}"
    if checksum is None:
        return None
    kind, expected = checksum.split(":")
    digest = hashlib.new(kind, usedforsecurity=False)
    for block in shown(_blocks(path), f"checking {path.name}", 0, found):
        digest.update(block)
    if digest.hexdigest() == expected:
        return None
    return f"has {kind} {digest.hexdigest()[:12]}..., not {expected[:12]}..."


def require_space(folder: Path, size: int) -> None:
    """Raise `InputError` where less than `size` bytes are free for a folder that may not exist."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(there).free
    if free < size:
        raise InputError(
            f"{folder}: {gigabytes(size)} are needed and {gigabytes(free)} are free; make room or "
            "name another folder"
        )


def gigabytes(size: int) -> str:
    """A number of bytes in words."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def stated(url: str) -> Stated:
    """What a model hub states about a large file, in a first reply that is not followed further.

    Nothing for a host that does not answer such a question. Raises `InputError` where it cannot be
    reached.
    """
    try:
        with _opened(urllib.request.Request(url, method="HEAD"), _Stay) as reply:
            headers = reply.headers
    except urllib.error.HTTPError as error:
        headers = error.headers
    digest = headers.get("X-Linked-ETag", "").strip('"')
    size = headers.get("X-Linked-Size", "")
    return Stated(
        f"sha256:{digest}" if re.fullmatch("[0-9a-f]{64}", digest) else None,
        int(size) if size.isdecimal() else None,
    )


def read_json(url: str) -> Any:
    """What an address answers as JSON. Raises `InputError`."""
    try:
        with _opened(urllib.request.Request(url)) as reply:
            return json.loads(b"".join(_received(reply, url)))
    except urllib.error.HTTPError as error:
        raise HostError(url, f"status {error.code} {error.reason}") from error
    except ValueError as error:
        raise InputError(f"{url}: answered no JSON ({error}); try again later") from error


def shown(
    blocks: Iterable[bytes], title: str, begin: int, total: int | None
) -> Generator[bytes, None, None]:
    """The blocks as they are, with a bar on stderr once they take longer than `SLOW` seconds.

    `begin` bytes of `total` were there before.
    """
    progress = progress_bar(in_bytes=True)
    task = progress.add_task(title, total=total, completed=begin)
    started = time.monotonic()
    try:
        for block in blocks:
            yield block
            progress.advance(task, len(block))
            if not progress.live.is_started and time.monotonic() - started > SLOW:
                progress.start()
    finally:
        if progress.live.is_started:
            progress.stop()


def _receive(url: str, part: Path) -> int | None:
    """Put what is lacking into `part`; returns the whole file's bytes where the host tells."""
    begin = part.stat().st_size if part.is_file() else 0
    wanted = urllib.request.Request(url, headers={"Range": f"bytes={begin}-"} if begin else {})
    try:
        with _opened(wanted) as reply:
            begin = begin if reply.status == 206 else 0  # otherwise all of it comes
            total = _whole(reply.headers)
            if total is None and reply.length is not None:
                total = begin + reply.length
            if total is not None:
                require_space(part.parent, total - begin)
            part.parent.mkdir(parents=True, exist_ok=True)
            received = shown(_received(reply, url), part.stem, begin, total)
            with closing(received) as blocks, part.open("ab" if begin else "wb") as out:
                for block in blocks:
                    out.write(block)
            return total
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing is left to fetch
            return _whole(error.headers)
        raise HostError(url, f"status {error.code} {error.reason}") from error


def _whole(headers: Message) -> int | None:
    """The bytes of the whole file by `Content-Range: bytes 5-9/10` or `bytes */10`."""
    total = headers.get("Content-Range", "").rpartition("/")[2]
    return int(total) if total.isdecimal() else None


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: what is needed stands in the first reply."""

    def redirect_request(self, *_: Any) -> None:
        return None


class _Follow(urllib.request.HTTPRedirectHandler):
    """Follows a redirection to where nobody between can change what comes, and no other."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        _refuse_open(newurl, before=req.full_url)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _refuse_open(url: str, before: str | None = None) -> None:
    """Raise `InputError` for an address that is not https, nor http on this machine.

    `before` is the address that redirects to it: one of https leads to https alone.
    """
    parts = urllib.parse.urlsplit(url)
    local = parts.scheme == "http" and parts.hostname in LOOPBACK
    if parts.scheme == "https" or (local and not (before or "").startswith("https:")):
        return
    where = f"{before}: redirects to {url}" if before else url
    raise InputError(
        f"{where}, which is not https, so that another file could come: nothing is fetched; "
        "fetch the file by hand and check it"
    )


def _opened(
    request: urllib.request.Request,
    handler: type[urllib.request.HTTPRedirectHandler] = _Follow,
) -> Any:
    """The reply of a host. Raises `InputError` where it cannot be reached, and `HTTPError`."""
    _refuse_open(request.full_url)
    try:
        return urllib.request.build_opener(handler).open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError:
        raise
    except (OSError, http.client.HTTPException) as error:
        raise HostError(request.full_url, _reason(error)) from error


def _received(reply: http.client.HTTPResponse, url: str) -> Iterator[bytes]:
    """A reply's blocks. Raises `InputError` where it ends before what was announced."""
    try:
        while block := reply.read(BLOCK):
            yield block
    except (OSError, http.client.HTTPException) as error:
        raise HostError(url, _reason(error)) from error
    if reply.length:
        raise HostError(url, "the reply ended early")


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block


def _reason(error: Exception) -> object:
    return getattr(error, "reason", None) or str(error) or type(error).__name__
