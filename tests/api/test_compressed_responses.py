"""Compressed responses: the same content in fewer bytes, for clients that ask for it."""

from __future__ import annotations

import gzip
import http.client
import json
from typing import TYPE_CHECKING, Any

import pytest
import zstandard

import trackai
from trackai.api import compression

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server


@pytest.fixture
def run_id(db_path: Path, server: Server) -> int:
    with trackai.init(project="p") as run:
        for step in range(2000):
            run.log({"loss": (step * 7919 % 1000) / 997}, step=step)
    assert run.id is not None
    return run.id


def _request(
    server: Server, method: str, path: str, body: Any = None, **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=60)
    content = None if body is None else json.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, content, {"Content-Type": "application/json", **named})
    response = connection.getresponse()
    is_stream = response.headers["content-type"].startswith("text/event-stream")
    data = b"" if is_stream else response.read()
    connection.close()
    return response, data


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_charts_are_compressed_when_asked_for(server: Server, run_id: int, encoding: str) -> None:
    path = "/api/metrics/compare"
    body = {"run_ids": [run_id], "metric_paths": ["loss"], "points": 1000}
    plain, content = _request(server, "POST", path, body)
    assert plain.headers["content-encoding"] is None
    answer, compressed = _request(server, "POST", path, body, Accept_Encoding=encoding)
    assert answer.status == 200
    assert answer.headers["content-encoding"] == encoding
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["cache-control"] == "no-store"
    assert int(answer.headers["content-length"]) == len(compressed)
    unpack = gzip.decompress if encoding == "gzip" else zstandard.decompress
    assert unpack(compressed) == content
    assert len(compressed) < len(content) / 3


def test_short_responses_and_streams_are_not_compressed(server: Server, run_id: int) -> None:
    short, content = _request(server, "GET", f"/api/metrics/runs/{run_id}", Accept_Encoding="gzip")
    assert short.headers["content-encoding"] is None
    assert json.loads(content) == ["loss"]
    stream, _ = _request(server, "GET", f"/api/runs/{run_id}/events", Accept_Encoding="gzip")
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert stream.headers["content-encoding"] is None


@pytest.mark.parametrize(
    ("header", "encoding"),
    [
        ("", None),
        ("identity", None),
        ("br", None),
        ("gzip", "gzip"),
        ("GZIP;q=0.5, br", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, zstd;q=0", "gzip"),
        ("gzip; q=0.000, *;q=0.0", None),
        ("*", "zstd"),
        ("*;q=0, gzip;q=1.0", "gzip"),
        (";;,=,q", None),
    ],
)
def test_what_a_client_accepts(header: str, encoding: str | None) -> None:
    assert compression.accepted(header) == encoding
