"""Logging over HTTP: batches are stored completely and once, or not at all."""

from __future__ import annotations

import gzip
import http.client
import json
import math
import socket
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import zstandard

import trackai
from tests.conftest import count_points, execute_sql
from trackai.api.compression import MAX_PLAIN
from trackai.api.requests import MAX_BODY
from trackai.ingest.intake import MAX_WAITING_BYTES

if TYPE_CHECKING:
    from tests.conftest import Answer, Server

MSGPACK = {"Content-Type": "application/msgpack"}


@pytest.fixture
def run(server: Server) -> int:
    """The row id of a run."""
    return _make_run(server)


def _make_run(server: Server) -> int:
    project = server.request("POST", "/api/projects", {"name": "p", "project_id": "p"}).json["id"]
    body = {"project_id": project, "run_id": "r"}
    row_id: int = server.request("POST", "/api/runs", body).json["id"]
    return row_id


def _send(server: Server, run: int, batch: Any, **headers: str) -> Answer:
    return server.request(
        "POST",
        f"/api/metrics/runs/{run}",
        data=msgspec.msgpack.encode(batch),
        headers={**MSGPACK, **headers},
    )


def _points(server: Server, run: int, path: str) -> list[tuple[Any, Any]]:
    data = server.get(f"/api/metrics/runs/{run}/metric/{path}")["data"]
    return [(point["step"], point["value"]) for point in data]


def test_rows_and_columns_json_and_msgpack_are_equivalent(server: Server, run: int) -> None:
    rows = {"rows": [{"step": n, "values": {"a/rows": n / 2, "b/rows": n}} for n in range(3)]}
    columns = {"columns": [{"path": "a/columns", "steps": [0, 1, 2], "values": [0, 0.5, 1]}]}
    for batch, points in ((rows, 6), (columns, 3)):
        answer = server.request("POST", f"/api/metrics/runs/{run}", batch)
        assert (answer.status, answer.json) == (200, {"points": points, "duplicate": False})
    assert _points(server, run, "a/rows") == _points(server, run, "a/columns")
    packed = {"columns": [{"path": "a/packed", "steps": [0, 1, 2], "values": [0, 0.5, 1]}]}
    assert _send(server, run, packed).status == 200
    assert _points(server, run, "a/packed") == [(0, 0), (1, 0.5), (2, 1)]


def test_all_kinds_of_values_and_steps(server: Server, run: int) -> None:
    values = [0.5, 7, True, "text", math.nan, math.inf, -math.inf]
    packed = {"columns": [{"path": f"p{n}", "steps": [n], "values": [v]} for n, v in
              enumerate(values)]}  # fmt: skip
    written = ["NaN", "Infinity", "-Infinity"]
    plain = {"rows": [{"step": 0.25, "values": {f"j{n}": v for n, v in enumerate(written)}}]}
    assert _send(server, run, packed).status == 200
    assert server.request("POST", f"/api/metrics/runs/{run}", plain).status == 200
    shown = [0.5, 7, True, "text", "NaN", "Infinity", "-Infinity"]
    assert [_points(server, run, f"p{n}")[0][1] for n in range(7)] == shown
    assert [_points(server, run, f"j{n}") for n in range(3)] == [[(0.25, v)] for v in written]
    summary = server.get(f"/api/runs/{run}/summary")["metrics"]
    assert [summary[f"j{n}"] for n in range(3)] == written


def test_timestamps_are_stored_or_created(server: Server, run: int) -> None:
    rows = [
        {"step": 0, "timestamp": "2026-01-02T03:04:05.000006Z", "values": {"x": 1}},
        {"step": 1, "timestamp": 1_000_001, "values": {"x": 1}},
        {"values": {"system": 5}},
    ]
    assert server.request("POST", f"/api/metrics/runs/{run}", {"rows": rows}).status == 200
    first, second = server.get(f"/api/metrics/runs/{run}/metric/x")["data"]
    assert first["timestamp"] == "2026-01-02T03:04:05.000006Z"
    assert second["timestamp"] == "1970-01-01T00:00:01.000001Z"
    assert _points(server, run, "system") == [(None, 5)]


def test_points_with_equal_step_and_time_are_stored(server: Server, run: int) -> None:
    batch = {"columns": [{"path": "x", "steps": [1, 1, 1], "values": [1.0, 2.0, 3.0]},
                         {"path": "s", "timestamps": [5, 5], "values": [1.0, 2.0]}]}  # fmt: skip
    assert _send(server, run, batch).json["points"] == 5
    assert _points(server, run, "x") == [(1, 1.0), (1, 2.0), (1, 3.0)]
    assert _points(server, run, "s") == [(None, 1.0), (None, 2.0)]


def test_a_batch_sent_twice_is_stored_once(server: Server, run: int, db_path: Path) -> None:
    batch = {"batch_id": "b1", "rows": [{"step": 0, "values": {"x": 1.0}}]}
    assert _send(server, run, batch).json == {"points": 1, "duplicate": False}
    assert _send(server, run, batch).json == {"points": 1, "duplicate": True}
    with ThreadPoolExecutor(8) as pool:
        second = {**batch, "batch_id": "b2"}
        answers = list(pool.map(lambda _: _send(server, run, second), range(16)))
    assert sorted(answer.json["duplicate"] for answer in answers) == [False] + [True] * 15
    assert count_points(db_path) == 2


def test_points_sent_twice_without_an_id_are_not_counted_twice(
    server: Server, run: int, db_path: Path
) -> None:
    columns = [{"path": "x", "steps": [0, 1], "timestamps": [7, 8], "values": [1.0, 3.0]}]
    assert _send(server, run, {"columns": columns}).status == 200
    assert _send(server, run, {"columns": columns}).status == 200
    assert execute_sql(db_path, "SELECT points, sum FROM series") == [(2, 4.0)]


def test_a_different_value_at_an_equal_step_and_time_is_stored(
    server: Server, run: int, db_path: Path
) -> None:
    def send(*values: float) -> None:
        place = {"steps": [3] * len(values), "timestamps": [7] * len(values)}
        columns = [
            {"path": "x", "values": values, **place},
            {"path": "s", "values": values, "timestamps": place["timestamps"]},
        ]
        assert _send(server, run, {"columns": columns}).status == 200

    for values in ((1.0,), (2.0,), (1.0,), (3.0, 2.0), (2.0,)):
        send(*values)
    assert _points(server, run, "x") == [(3, 1.0), (3, 2.0), (3, 3.0)]
    assert _points(server, run, "s") == [(None, 1.0), (None, 2.0), (None, 3.0)]
    for first in (0, 5000):
        send(*range(first, first + 5000))
    distinct = "SELECT COUNT(DISTINCT value) FROM logged_points GROUP BY metric"
    assert execute_sql(db_path, distinct) == [(10_000,), (10_000,)]


MISTAKES: list[tuple[Any, str]] = [
    ({"rows": [{"step": 0, "values": {"x": 1.0}}, {"step": "a", "values": {}}]}, "rows[1].step"),
    ({"rows": [{"step": math.nan, "values": {"x": 1.0}}]}, "rows[0].step"),
    ({"rows": [{"step": 2**63, "values": {"x": 1.0}}]}, "rows[0].step"),
    ({"rows": [{"step": 0, "timestamp": 2**62, "values": {"x": 1}}]}, "rows[0].timestamp"),
    ({"rows": [{"step": 0, "values": {"": 1.0}}]}, "rows[0].values"),
    ({"rows": [{"step": 0, "values": {"x" * 1025: 1.0}}]}, "rows[0].values"),
    ({"rows": [{"step": 0, "values": {"x": None}}]}, "rows[0].values[...]"),
    ({"columns": [{"path": "x", "steps": [0, 1], "values": [1.0]}]}, "columns[0]"),
    ({"columns": [{"path": "x", "steps": [0], "timestamps": [], "values": [1]}]}, "columns[0]"),
    ({"columns": [{"path": "x", "steps": [-math.inf], "values": [1]}]}, "columns[0].steps"),
    ({"columns": [{"path": "x", "values": [[1]]}]}, "columns[0].values[0]"),
    ({"batch_id": "", "rows": []}, "batch_id"),
    ([1, 2], "body"),
]


def test_an_invalid_batch_stores_nothing(server: Server, run: int) -> None:
    for batch, field in MISTAKES:
        answer = _send(server, run, batch)
        assert answer.status == 422, (batch, answer)
        assert answer.json["detail"].startswith(f"{field}: "), answer
    assert server.get(f"/api/metrics/runs/{run}") == []


@pytest.mark.parametrize("headers", [None, MSGPACK])
@pytest.mark.parametrize(
    ("batch", "problem"),
    [
        ({"rows": [{"values": {}}, {"values": {"a": 1, "bad": None}}]},
         "rows[1].values[...]: metric 'bad': must be "),
        ({"columns": [{"path": "bad", "values": [1, [2]]}]},
         "columns[0].values[1]: metric 'bad': must be "),
        ({"rows": [{"values": {"a": 1, "bad": 2**63}}]}, "rows[0].values: metric 'bad': 92"),
        ({"rows": [{"values": {}}, {"values": {"a": 1, "bad": 2**63}}]},
         "rows[1].values: metric 'bad': 92"),
        ({"columns": [{"path": "bad", "values": [2**63]}]},
         "columns[0].values: metric 'bad': 92"),
        ({"rows": [{"values": {"a": 1}, "step": None, "timestamp": []}]},
         "rows[0].timestamp: must be "),
    ],
)  # fmt: skip
def test_an_error_about_a_value_names_its_metric(
    server: Server, run: int, batch: Any, problem: str, headers: dict[str, str] | None
) -> None:
    encode = msgspec.msgpack.encode if headers else msgspec.json.encode
    path = f"/api/metrics/runs/{run}"
    answer = server.request("POST", path, data=encode(batch), headers=headers or {})
    assert answer.status == 422
    assert answer.json["detail"].startswith(problem)
    assert server.get(path) == []


def test_numbers_beyond_floats_are_refused(server: Server, run: int) -> None:
    answer = server.request(
        "POST", f"/api/metrics/runs/{run}",
        data=b'{"rows": [{"step": 0, "values": {"x": 1' + b"0" * 400 + b"}}]}",
    )  # fmt: skip
    assert answer.status == 422


_DEEP = b"[" * 100_000


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b'{"rows": [{"values": {"x": 1e999}}]}', "rows[0].values[...]: metric 'x': Number out of"),
        (b'{"columns": [{"path": "x", "values": [-1e999]}]}',
         "columns[0].values[0]: metric 'x': Number out of range"),
        (b'{"rows": [{"step": 1e999, "values": {"x": 1}}]}', "rows[0].step: Number out of range"),
        # What follows the value cannot be decoded.
        (b'{"rows": [{"values": {"x": []}}', "rows[0].values[...]: must be "),
        (b'{"rows": [{"values": {"x": []}}], "y": \xff}', "rows[0].values[...]: must be "),
        (b'{"rows": [{"values": {"x": []}}], "y": ' + _DEEP, "rows[0].values[...]: must be "),
        # The second value of a key counts.
        (b'{"rows": [{"values": {"x": []}}], "rows": 1}', "rows[0].values[...]: must be "),
        (b'{"rows": [{"values": {"x": []}}], "rows": []}', "rows[0].values[...]: must be "),
        (b'{"rows": [{"values": {"x": []}, "values": 1}]}', "rows[0].values[...]: must be "),
        (b'{"columns": [{"path": "x", "values": [[]]}], "columns": [1]}',
         "columns[0].values[0]: must be "),
    ],
)  # fmt: skip
def test_what_follows_an_invalid_value_may_be_anything(
    server: Server, run: int, data: bytes, problem: str
) -> None:
    path = f"/api/metrics/runs/{run}"
    answer = server.request("POST", path, data=data)
    assert answer.status == 422
    assert answer.json["detail"].startswith(problem), answer
    assert server.get(path) == []


def test_msgpack_with_keys_of_other_types_after_an_invalid_value(server: Server, run: int) -> None:
    valid = msgspec.msgpack.encode({"rows": [{"values": {"x": []}}]})
    for key in (b"\x90", b"\x80", b"\xc0", b"\xd4\x05\x00", b"\xa1\xff", b"\xc1", b""):
        data = b"\x82" + valid[1:] + key + b"\x01"  # a map of two items
        answer = server.request("POST", f"/api/metrics/runs/{run}", data=data, headers=MSGPACK)
        assert answer.status == 422, key
        assert answer.json["detail"].startswith("rows[0].values[...]: "), (key, answer)


def test_statuses_of_other_errors(server: Server, run: int) -> None:
    path, good = f"/api/metrics/runs/{run}", {"rows": [{"step": 0, "values": {"x": 1}}]}
    assert server.request("POST", "/api/metrics/runs/999", good).status == 404
    assert server.request("POST", path, data=b"x", headers={"Content-Type": "text/csv"}).status == (
        415
    )
    assert server.request("POST", path, data=b"\xc1", headers=MSGPACK).status == 422
    assert server.request("POST", path, data=b"{").status == 422
    assert server.request("POST", path, data=b"[" * 100_000).status == 422
    assert server.request("POST", path, data=b"\x91" * 100_000, headers=MSGPACK).status == 422
    with closing(http.client.HTTPConnection(server.url.removeprefix("http://"))) as connection:
        connection.putrequest("POST", path)
        connection.putheader("Content-Length", str(MAX_BODY + 1))
        connection.endheaders()  # the response comes before the body
        assert connection.getresponse().status == 413
    assert server.request("POST", path, good).status == 200


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_compressed_bodies(server: Server, run: int, encoding: str) -> None:
    compress = gzip.compress if encoding == "gzip" else zstandard.ZstdCompressor().compress
    path, headers = f"/api/metrics/runs/{run}", {"Content-Encoding": encoding}

    def send(data: bytes) -> Answer:
        return server.request("POST", path, data=data, headers=headers)

    first, second = (
        json.dumps({"rows": [{"step": n, "values": {"x": n}} for n in steps]}).encode()
        for steps in ((0, 1), (2, 3))
    )
    assert send(compress(first)).status == 200
    half = len(second) // 2
    assert send(compress(second[:half]) + compress(second[half:])).status == 200
    assert _points(server, run, "x") == [(0, 0), (1, 1), (2, 2), (3, 3)]
    for damaged in (b"nonsense", compress(first)[:-6], compress(first) + b"more"):
        assert send(damaged).status == 422
    bomb = compress(b" " * (MAX_PLAIN + 1))
    assert len(bomb) < MAX_BODY
    assert send(bomb).status == 413
    assert server.request("POST", path, data=first, headers={"Content-Encoding": "br"}).status == (
        415
    )


def test_zstd_without_its_package_names_the_extra() -> None:
    script = """
        import sys
        sys.modules["zstandard"] = None
        from starlette.exceptions import HTTPException
        from trackai.api.compression import decompress
        try:
            decompress(b"", "zstd")
        except HTTPException as error:
            print(error.status_code, error.detail)
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True
    )
    assert result.stdout.startswith("415 ")
    assert "pip install 'trackai[zstd]'" in result.stdout


def test_points_of_concurrent_clients_are_all_stored(
    server: Server, run: int, db_path: Path
) -> None:
    def client(number: int) -> None:
        for step in range(20):
            batch = {
                "writer": f"client-{number}",
                "rows": [{"step": step, "values": {"shared": 1.0, f"own/{number}": float(step)}}],
            }
            assert _send(server, run, batch).status == 200

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(client, range(12)))
    figures = dict(execute_sql(db_path, "SELECT path, points FROM series"))
    sums = dict(execute_sql(db_path, "SELECT path, sum FROM series"))
    rows = dict(
        execute_sql(
            db_path,
            "SELECT uid, COUNT(*) FROM metrics JOIN writers ON writers.id = writer_id GROUP BY uid"
            if isinstance(db_path, Path)
            else "SELECT uid, CAST(SUM(points) AS bigint) FROM pieces "
            "JOIN writers ON writers.id = writer_id GROUP BY uid",
        )
    )
    assert figures == {"shared": 240, **{f"own/{n}": 20 for n in range(12)}}
    assert sums == {"shared": 240.0, **{f"own/{n}": 190.0 for n in range(12)}}
    assert sorted(uid.rpartition("-http")[2].partition("client-")[2] for uid in rows) == sorted(
        str(n) for n in range(12)
    )
    assert set(rows.values()) == {40}


def _wait_for_bytes(server: Server, number: int) -> None:
    """Wait until the server has received `number` bytes of unanswered requests."""
    deadline = time.monotonic() + 60
    text = ""
    while f"trackai_ingest_bytes {number}\n" not in text:
        assert time.monotonic() < deadline, text
        text = server.request("GET", "/metrics").json


def test_an_overloaded_server_refuses_batches_and_stores_accepted_ones(
    server: Server, run: int
) -> None:
    """Memory for a body is reserved while it is received."""
    address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
    accepted: list[tuple[socket.socket, bytes]] = []
    with ExitStack() as stack:
        for step in range(MAX_WAITING_BYTES // MAX_BODY):
            values = {"rows": [{"step": step, "values": {"x": float(step)}}]}
            body = json.dumps(values).encode().ljust(MAX_BODY)
            connection = stack.enter_context(socket.create_connection(address, timeout=60))
            head = (
                f"POST /api/metrics/runs/{run} HTTP/1.1\r\nHost: localhost\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            )
            connection.sendall(head.encode() + body[:-1])
            accepted.append((connection, body[-1:]))
        late = {"rows": [{"step": 99, "values": {"x": 99.0}}]}
        _wait_for_bytes(server, sum(MAX_BODY - len(rest) for _, rest in accepted))
        refused = server.request("POST", f"/api/metrics/runs/{run}", late)
        assert refused.status == 503
        assert int(refused.headers["retry-after"]) >= 1
        assert server.get("/health") == {"status": "healthy"}
        for connection, rest in accepted:
            connection.sendall(rest)
        for connection, _ in accepted:
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    assert server.request("POST", f"/api/metrics/runs/{run}", late).status == 200
    stored = {step for step, _ in _points(server, run, "x")}
    assert stored == {*range(len(accepted)), 99}


def test_points_at_the_latest_possible_time(server: Server, run: int) -> None:
    last = "9999-12-30T23:59:59.999999Z"
    for values in [1], [2, 3]:
        column = {"path": "x", "steps": [1] * len(values), "values": values,
                  "timestamps": [last] * len(values)}  # fmt: skip
        assert _send(server, run, {"columns": [column]}).status == 200
    assert sorted(_points(server, run, "x")) == [(1, 1), (1, 2), (1, 3)]
    later = {"rows": [{"step": 1, "timestamp": "9999-12-31T00:00:00Z", "values": {"x": 1}}]}
    refused = _send(server, run, later)
    assert refused.status == 422
    assert "rows[0].timestamp" in refused.json["detail"]


@pytest.mark.parametrize(
    ("length", "beginning"),
    [(f"Content-Length: {MAX_BODY}", b" "), ("Transfer-Encoding: chunked", b"1\r\n ")],
)
def test_missing_bodies_reserve_no_memory(
    server: Server, run: int, length: str, beginning: bytes
) -> None:
    address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
    clients = 2 * MAX_WAITING_BYTES // MAX_BODY
    with ExitStack() as stack:
        for _ in range(clients):
            connection = stack.enter_context(socket.create_connection(address, timeout=60))
            head = f"POST /api/metrics/runs/{run} HTTP/1.1\r\nHost: localhost\r\n{length}\r\n\r\n"
            connection.sendall(head.encode() + beginning)
        _wait_for_bytes(server, clients)
        batch = {"rows": [{"step": 1, "values": {"x": 1.0}}]}
        assert _send(server, run, batch).status == 200


def test_accepted_points_survive_a_crash_of_the_server(db_path: Path, own_server: Server) -> None:
    run = _make_run(own_server)
    for step in range(50):
        _send(own_server, run, {"rows": [{"step": step, "values": {"x": float(step)}}]})
    own_server.process.kill()
    own_server.process.wait()
    assert count_points(db_path) == 50
    assert execute_sql(db_path, "SELECT points FROM series") == [(50,)]


def test_points_sent_after_a_resume_belong_to_the_current_attempt(server: Server) -> None:
    with trackai.init(project="z", name="a") as run:
        run.log({"m": 0.5}, step=0)
    path = f"/api/metrics/runs/{run.id}"
    for step in (1, 3):
        rows = [{"step": step, "values": {"m": step}}]
        assert server.request("POST", path, {"rows": rows}).status == 200
        if step == 1:
            with trackai.init(project="z", name="a", resume="must") as run:
                run.log({"m": 2.5}, step=2)
    points = server.request("GET", f"{path}/metric/m").json["data"]
    assert [point["step"] for point in points] == [0, 1, 2, 3]


def test_too_many_gzip_members_are_refused(server: Server, run: int) -> None:
    body = gzip.compress(b"{}") + gzip.compress(b"") * 200
    answer = server.request(
        "POST", f"/api/metrics/runs/{run}", data=body, headers={"Content-Encoding": "gzip"}
    )
    assert answer.status == 422
    assert "gzip members" in str(answer.json)
