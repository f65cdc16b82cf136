"""MLflow servers as people run them: on SQLite or PostgreSQL, behind a gate or a proxy."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

PATIENCE_SECONDS = 300
TOKEN = "open sesame"
OF_A_CONNECTION = ("host", "connection", "content-length", "transfer-encoding")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def mlflow_server(folder: Path, store: str) -> Iterator[str]:
    """The address of an MLflow server on a backend store."""
    port = free_port()
    options = {
        "--backend-store-uri": store, "--artifacts-destination": str(folder / "artifacts"),
        "--host": "127.0.0.1", "--port": str(port), "--workers": "1",
    }  # fmt: skip
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_TRACKING")}
    words = [word for pair in options.items() for word in pair]
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *words],
            cwd=folder, stdout=log, stderr=log, start_new_session=True,
            env=environment | {"MLFLOW_DISABLE_TELEMETRY": "true"},
        )  # fmt: skip
        try:
            _answering(server, f"http://127.0.0.1:{port}/health", folder / "server.log")
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _answering(server: subprocess.Popen[bytes], address: str, log: Path) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(log.read_text())


def postgresql_missing() -> str:
    """What keeps a test from starting PostgreSQL; empty where it can."""
    if not _program("initdb"):
        return "PostgreSQL is not installed (Debian: postgresql)"
    try:
        import psycopg2  # noqa: F401
    except ImportError:
        return "PostgreSQL's driver is not installed (psycopg2-binary)"
    return ""


def _program(name: str) -> str | None:
    """A program of the server; Debian keeps them out of the path."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


@contextmanager
def postgresql() -> Iterator[str]:
    """The address of an empty database on a PostgreSQL server of its own."""
    folder = Path(tempfile.mkdtemp(prefix="imr-postgresql-"))
    # The server refuses to run as root.
    who = {"user": "postgres", "cwd": "/"} if os.getuid() == 0 else {}
    if who:
        shutil.chown(folder, "postgres")
    port, data = free_port(), str(folder / "data")

    def run(program: str, *arguments: str) -> None:
        done = subprocess.run([_program(program), *arguments], stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True, **who)  # fmt: skip
        assert done.returncode == 0, done.stderr

    try:
        run("initdb", "-D", data, "-A", "trust", "-U", "imr", "--no-sync")
        settings = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        run("pg_ctl", "-D", data, "-o", settings, "-l", str(folder / "log"), "-w", "start")
        try:
            yield f"postgresql+psycopg2://imr@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder)


class Gate(BaseHTTPRequestHandler):
    """Between a client and a server: hands requests on, or refuses some of them."""

    def answer(self) -> None:
        body = self.body()
        refused = self.refused()
        if refused:
            status, content = refused
            self.reply(status, [], content)
            return
        address = urlsplit(self.server.upstream)  # type: ignore[attr-defined]
        asked = urlsplit(self.path)
        upstream = http.client.HTTPConnection(address.hostname, address.port, timeout=120)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in OF_A_CONNECTION}
        path = f"{asked.path}?{asked.query}" if asked.query else asked.path
        upstream.request(self.command, path, body, headers | {"Host": address.netloc})
        answer = upstream.getresponse()
        content = answer.read()
        headers = {k: v for k, v in answer.getheaders() if k.lower() not in OF_A_CONNECTION}
        upstream.close()
        self.reply(answer.status, list(headers.items()), content)

    def body(self) -> bytes:
        """Files are sent in chunks, for their length is not told."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def refused(self) -> tuple[int, bytes] | None:
        way = self.server.way  # type: ignore[attr-defined]
        writes = self.command == "POST"
        if way == "token" and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, b"You are not authenticated."
        if (
            way == "no aliases"
            and "registered-models/alias" in self.path
            and self.command == "POST"
        ):
            return 403, b"Permission denied"
        if way == "no writing" and writes and self.path.endswith("runs/create"):
            return 403, b'{"error_code": "PERMISSION_DENIED", "message": "not allowed"}'
        if way == "closed proxy":
            return 407, b"Proxy Authentication Required"
        return None

    def reply(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


@contextmanager
def gate(upstream: str, way: str) -> Iterator[str]:
    """The address of a gate before a server; also to be used as a proxy."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Gate)
    server.daemon_threads = True
    server.upstream, server.way = upstream, way  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
