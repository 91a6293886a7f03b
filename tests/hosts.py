"""A host on loopback that serves files, and fails in the ways that hosts do."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CONTENT = bytes(range(256)) * 40


@dataclass
class Host:
    """`files` by path. `seen` are the requests: method, path, the range that was asked for.

    `broken` times the connection closes half-way, after `stall` seconds; `ranges` says whether the
    host can continue; `redirects` leads from paths to addresses; `stated` is the checksum by path,
    with the size, that HEAD answers in the way of a model hub.
    """

    files: dict[str, bytes] = field(default_factory=lambda: {"/model.bin": CONTENT})
    seen: list[tuple[str, str, str | None]] = field(default_factory=list)
    sent: int = 0
    broken: int = 0
    stall: float = 0.0
    ranges: bool = True
    stated: dict[str, str] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    address: str = ""

    def add_json(self, path: str, values: Any) -> None:
        """Serve values as JSON."""
        self.files[path] = json.dumps(values).encode()

    @property
    def asked(self) -> list[str | None]:
        """The ranges of all downloads."""
        return [wanted for method, _, wanted in self.seen if method == "GET"]


@contextmanager
def serve() -> Iterator[Host]:
    """Serve a host while the block runs."""
    host = Host()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            host.seen.append(("HEAD", self.path, None))
            path = self.path.partition("?")[0]
            self.send_response(302 if path in host.files else 404)
            if path in host.stated:
                self.send_header("X-Linked-ETag", f'"{host.stated[path]}"')
                self.send_header("X-Linked-Size", str(len(host.files[path])))
            self.end_headers()

        def do_GET(self) -> None:
            wanted = self.headers["Range"]
            host.seen.append(("GET", self.path, wanted))
            if self.path in host.redirects:
                self.send_response(302)
                self.send_header("Location", host.redirects[self.path])
                self.end_headers()
                return
            content = host.files.get(self.path.partition("?")[0])
            if content is None:
                self.send_error(404)
                return
            begin = 0
            if wanted and host.ranges:
                begin = int(wanted.removeprefix("bytes=").rstrip("-"))
            whole = len(content)
            if begin >= whole > 0:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{whole}")
                self.end_headers()
                return
            content = content[begin:]
            self.send_response(206 if begin else 200)
            if begin:
                self.send_header("Content-Range", f"bytes {begin}-{whole - 1}/{whole}")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if host.broken:
                host.broken -= 1
                content = content[: len(content) // 2]
            host.sent += len(content)
            self.wfile.write(content)
            if len(content) < whole - begin:
                time.sleep(host.stall)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield host
    finally:
        server.shutdown()
        server.server_close()
