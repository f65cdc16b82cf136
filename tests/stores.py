"""Stores for tests: ``disk://`` is one that processes share, and a web server of a folder.

fsspec's own ``memory://`` lives in one process only, so what goes through `imr` and its workers is
tested with a store that keeps its objects as files, without being a path to `imr`.
"""

from __future__ import annotations

import functools
import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem


class DiskStore(LocalFileSystem):
    """A store whose key is a path; folders come into being as on an object store."""

    protocol = "disk"

    def __init__(self, **options: Any) -> None:
        super().__init__(auto_mkdir=True, **options)

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return LocalFileSystem._strip_protocol(path.removeprefix("disk://"))


def register() -> None:
    """Make ``disk://`` known to fsspec in this process."""
    fsspec.register_implementation("disk", DiskStore, clobber=True)


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """As a folder's server, but one path is forbidden and one fails."""
        if not self._refused():
            super().do_GET()

    def do_HEAD(self) -> None:
        """The same without the content."""
        if not self._refused():
            super().do_HEAD()

    delay_seconds = 0.0
    at_once: AtOnce

    def _refused(self) -> bool:
        with self.at_once:
            time.sleep(self.delay_seconds)
        status = 403 if "forbidden" in self.path else 500 if "failing" in self.path else 0
        if status:
            self.send_error(status)
        return bool(status)

    def copyfile(self, source: Any, outputfile: Any) -> None:
        """Send it, to whoever goes away before the end too."""
        with suppress(BrokenPipeError, ConnectionResetError):
            super().copyfile(source, outputfile)


class AtOnce:
    """How many requests a server was answering at once, at most."""

    def __init__(self) -> None:
        self._lock, self._now, self.most = threading.Lock(), 0, 0

    def __enter__(self) -> None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._now -= 1


@contextmanager
def web_server(
    folder: Path, at_once: AtOnce | None = None, delay_seconds: float = 0
) -> Iterator[str]:
    """A server of a folder that knows no ranges; gives its address."""
    settings = {"delay_seconds": delay_seconds, "at_once": at_once or AtOnce()}
    slow = type("_Slow", (_Handler,), settings)
    handler = functools.partial(slow, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
