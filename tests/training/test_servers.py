"""A tracking server that answers with errors, with nonsense or not at all: nothing is lost."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from imr.models.predictor import Predictor
from imr.training import train as training

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # MLflow's own dependencies warn
    pytest.mark.usefixtures("computed_once"),
]

HANG_SECONDS = 6


class Bad(BaseHTTPRequestHandler):
    """Answers every request in the one way that its server was made for."""

    def answer(self) -> None:
        way = self.server.way  # type: ignore[attr-defined]
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        if way == "hangs":
            time.sleep(HANG_SECONDS)
            return
        body = {"errors": b'{"error_code": "INTERNAL_ERROR"}', "nonsense": b"<html>login</html>",
                "wrong": b"{\"experiment\": {\"experiment_id\": null}}"}[way]  # fmt: skip
        self.send_response(500 if way == "errors" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


@contextmanager
def serving(way: str) -> Iterator[tuple[str, list[str]]]:
    """The address of a server, and the paths that it was asked for."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bad)
    server.daemon_threads = True
    server.way, server.asked = way, []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", server.asked  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("way", ["errors", "nonsense", "wrong", "hangs"])
def test_a_bad_server_costs_no_figure_and_no_model(way, quick, corpus, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with serving(way) as (address, asked):
        result = training.train(replace(quick, tracking_uri=address), corpus)
    assert result.exit_code == 1
    assert result.logged is None
    assert "python -m imr.training.tracking" in result.message()
    assert "\n" not in result.error
    assert Predictor.load(result.kept.model).digest == result.predictor.digest
    assert json.loads((result.kept.folder / "run.json").read_text())["metrics"]["outcome/auc"] > 0
    assert 1 <= len(asked) < 10  # each may cost the time limit of a request
