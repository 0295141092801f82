"""Imports into a server store what imports into a file store."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import msgspec
import pytest

import trackai as sdk
from tests.api.test_keys import create_key
from tests.conftest import KEY, Server, count_points, execute_sql, serving
from tests.importers import test_round_trip as round_trip
from tests.importers.test_round_trip import call, figures, points, rest
from trackai.client.connection import Connection
from trackai.errors import ServerRefusedError, ServerUnreachableError
from trackai.importers import server_target
from trackai.importers.loader import load_runs
from trackai.importers.receipt import Receipt
from trackai.importers.server_target import ServerTarget
from trackai.structs.exchange import Block, Chunk, FileHead, RunHead, WriterHead

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

store = round_trip.store  # a fixture
RUN = "r" * 32
HEAD = RunHead(uid=RUN, project="p", run_id="r", created_at=1, config={"a": [1, None]}, tags=["t"])
WRITER = WriterHead(uid="w" * 32)


@pytest.fixture
def remote(new_place: round_trip.NewPlace) -> Iterator[Server]:
    """A server with a database of its own."""
    with serving(new_place("remote")) as server:
        yield server


def block(metric: str, values: list[Any], *, start: int = 0) -> Block:
    steps: list[Any] = list(range(start, start + len(values)))
    return Block(
        run_uid=RUN, metric=metric, writer=WRITER, steps=steps, timestamps=[*steps], values=values
    )


def load(url: str, items: Iterable[Any], *, key: str | None = None, **options: Any) -> Receipt:
    async def work() -> Receipt:
        connection = Connection(url, key)
        return await load_runs(connection, items, Receipt("source", url), **options)

    return anyio.run(work)


def receipt_of(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    capsys.readouterr()
    call(*arguments, "--json", code=code)
    receipt = json.loads(capsys.readouterr().out)
    return {name: receipt[name] for name in receipt if name not in ("seconds", "database")}


@pytest.mark.parametrize("how", ["merge", "jsonl", "csv"])
def test_everything_arrives_as_in_a_file(
    store: Path, remote: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    big = tmp_path / "big.bin"
    big.write_bytes(bytes(range(256)) * 10_000)
    with sdk.init(project="files", name="files", config={"x": float("nan")}) as run:
        run.save(big)
        run.log({"html": sdk.Html("<p>x")}, step=1)
        model = sdk.Artifact("model", "model", metadata={"text": [1]})
        model.add_file(big)
        model.add_reference("s3://bucket/x")
        run.log_artifact(model, aliases=["best"])
        run.use_artifact("model:v0")
    source = store
    if how != "merge":
        source = tmp_path / f"out.{how}"
        call("export", "--all", "-o", str(source))
    command = ["merge"] if how == "merge" else ["import", how]
    copy = tmp_path / "copy.db"
    for _ in range(2):  # a second time changes nothing
        expected = receipt_of(capsys, *command, str(source), "--db", str(copy))
        received = receipt_of(capsys, *command, str(source), "--server-url", remote.url)
        assert received == expected
        assert points(remote.db_path) == points(copy)
        assert figures(remote.db_path) == figures(copy)
        rows, expected_rows = rest(remote.db_path), rest(copy)
        if how == "csv":  # without the times at which runs ended, which are those of the import
            for each in (rows, expected_rows):
                each["runs"] = [(*row[:6], *row[8:]) for row in each["runs"]]
        assert rows == expected_rows
        assert round_trip.artifacts(remote.db_path) == round_trip.artifacts(copy)
    assert received["totals"]["stored"] == 0
    assert received["totals"]["already_there"] > 0


def test_the_options_and_the_environment(
    remote: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    table = tmp_path / "t.csv"
    table.write_text("step,loss\n0,0.5\n1,0.25\n")
    for number, options in enumerate((("--server-url", remote.url), ("--url", remote.url), ())):
        call("import", "csv", str(table), "--name", f"r{number}", *options)
        first = capsys.readouterr().out.partition("\n")[0]
        assert first == f"{table} -> {remote.url}"
        monkeypatch.setenv("TRACKAI_SERVER_URL", remote.url)
    assert [run["name"] for run in remote.get("/api/runs")["runs"]] == ["r2", "r1", "r0"]
    own = tmp_path / "own.db"
    call("import", "csv", str(table), "--db", str(own))  # a file goes before the environment
    assert len(points(own)) == 2
    capsys.readouterr()
    call("import", "csv", str(table), "--db", str(own), "--url", remote.url, code=2)
    call("import", "csv", str(table), "--server-url", "tracker", code=2)
    call("import", "neptune", str(tmp_path), "--server-url", remote.url, code=2)
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 3
    assert "neptune works on a database file, not on a server: pass --db" in errors[2]


def test_keys_that_do_not_suffice(new_place: round_trip.NewPlace) -> None:
    with serving(new_place("store"), TRACKAI_API_KEY=KEY) as server:
        scopes = {
            "read": create_key(server.db_path, "read", "read"),
            "write": create_key(server.db_path, "write", "write"),
            "mine": create_key(server.db_path, "mine", "write", "--project", "mine"),
        }
        items = [HEAD, block("loss", [1.0])]
        for key, problem in (
            (None, "key is missing"),
            ("wrong", "key is missing, wrong"),
            (scopes["read"], "has the scope read"),
            (scopes["mine"], "may only log to project 'mine'"),
        ):
            with pytest.raises(ServerRefusedError, match=problem):
                load(server.url, items, key=key)
        assert execute_sql(server.db_path, "SELECT COUNT(*) FROM runs") == [(0,)]
        assert load(server.url, items, key=scopes["write"]).stored == 1
        # The run of the other project, and its writer, are not reached through a name.
        own = RunHead(uid="o" * 32, project="mine", run_id="o", created_at=1)
        as_own = RunHead(uid=RUN, project="mine", run_id="o", created_at=1)
        with pytest.raises(ServerRefusedError, match="may only log to project 'mine'"):
            load(server.url, [as_own, block("loss", [2.0], start=5)], key=scopes["mine"])
        theirs = block("loss", [2.0], start=5)
        theirs.run_uid = own.uid
        with pytest.raises(ServerRefusedError, match="writer: belongs to another run"):
            load(server.url, [own, theirs], key=scopes["mine"])
        theirs.writer = WriterHead(uid="v" * 32)
        assert load(server.url, [own, theirs], key=scopes["mine"]).complete
        assert count_points(server.db_path) == 2


def test_a_key_of_a_project_cannot_name_bytes_of_others(
    new_place: round_trip.NewPlace, tmp_path: Path
) -> None:
    secret, hidden = tmp_path / "secret", "f" * 64
    secret.write_bytes(b"secret")
    head = FileHead(run_uid=RUN, writer=WRITER, path="f", kind="file", name="f")
    with serving(new_place("store"), TRACKAI_API_KEY=KEY) as server:
        key = create_key(server.db_path, "mine", "write", "--project", "mine")
        load(server.url, [HEAD, head], key=KEY, find_bytes=lambda head: secret)
        [(hidden, size)] = execute_sql(server.db_path, "SELECT sha256, size FROM files")
        own = RunHead(uid="o" * 32, project="mine", run_id="o", created_at=1)
        named = FileHead(
            run_uid=own.uid, writer=WriterHead(uid="v" * 32), path="f", kind="file", name="f",
            size=size, sha256=hidden,
        )  # fmt: skip
        receipt = load(server.url, [own, named], key=key)
        assert receipt.types["files"].not_stored == {"file content not found": 1}
        receipt = load(server.url, [own, named], key=key, find_bytes=lambda head: secret)
        assert receipt.complete
    assert execute_sql(server.db_path, "SELECT sha256 FROM files") == [(hidden,)] * 2


def test_batches_do_not_show_in_the_receipt(
    remote: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs, repeated files, remarks and configurations are counted once."""
    monkeypatch.setattr(server_target, "_POINTS", 10)
    monkeypatch.setattr(server_target, "_FILES", 2)
    paths = [tmp_path / name for name in ("one", "two")]
    for path in paths:
        path.write_text(path.name)
    file = FileHead(run_uid=RUN, writer=WRITER, path="f", kind="file", name="f")
    files = [FileHead(**{**vars_of(file), "source": name}) for name in ("one", "one", "two", "one")]
    lost = FileHead(**{**vars_of(file), "source": "lost", "sha256": "0" * 64, "size": 3})
    head = RunHead(uid=RUN, project="p", run_id="a\x1bb", created_at=1, config={"a": 1, "": 2})
    items: list[Any] = [head]
    for start in range(0, 100, 7):
        items += [block("loss", [float(start)] * 7, start=start), block("\0", [1.0], start=start)]
        items += [files.pop()] if files else []
    items += [lost, head]
    for stored in (True, False):
        receipt = load(
            remote.url, items,
            find_bytes=lambda head: None if head.source == "lost" else tmp_path / head.source,
        )  # fmt: skip
        assert (receipt.runs, receipt.new_runs) == (1, int(stored))
        counts = receipt.types["metrics"]
        assert (counts.read, sum(counts.not_stored.values())) == (120, 15)
        assert (counts.stored, counts.already_there) == ((105, 0) if stored else (0, 105))
        counts = receipt.types["files"]
        assert (counts.read, counts.stored) == (5, 4 if stored else 0)
        assert counts.not_stored == {"file content not found": 1}
        assert receipt.types["configuration"].stored == int(stored)
        assert len(receipt.remarks) == 1
        assert len(receipt.problems) == 3
        assert not receipt.complete
    assert len(execute_sql(remote.db_path, "SELECT * FROM files WHERE sha256 IS NOT NULL")) == 4
    assert len(execute_sql(remote.db_path, "SELECT * FROM files")) == 5


def test_bytes_that_come_in_pieces(remote: Server, tmp_path: Path) -> None:
    """Several times, damaged, or for a run that is imported again."""
    pieces = [b"x" * 10, b"y" * 10]
    sha256 = hashlib.sha256(b"".join(pieces)).hexdigest()
    whole = [Chunk(sha256=sha256, data=piece) for piece in pieces]
    damaged = Chunk(sha256="0" * 64, data=b"z")
    named = [
        FileHead(run_uid=RUN, writer=WRITER, path=name, kind="file", name=name, sha256=hash_)
        for name, hash_ in (("a", sha256), ("b", "0" * 64), ("c", sha256))
    ]
    items = [HEAD, *whole, *whole, named[0], damaged, named[1], *whole, named[2]]
    for stored in (2, 0):
        receipt = load(remote.url, items)
        counts = receipt.types["files"]
        assert (counts.read, counts.stored, counts.already_there) == (3, stored, 2 - stored)
        assert counts.not_stored == {"file content not found": 1}
    found = execute_sql(remote.db_path, "SELECT name, size, sha256 FROM files ORDER BY name")
    assert found == [("a", 20, sha256), ("b", None, None), ("c", 20, sha256)]


def file_of(source: str) -> FileHead:
    return FileHead(run_uid=RUN, writer=WRITER, path="f", kind="file", name="f", source=source)


def vars_of(head: FileHead) -> dict[str, Any]:
    return {name: getattr(head, name) for name in head.__struct_fields__}


VALUES = [float(number) for number in range(1000)]


def test_a_server_that_is_killed(
    remote: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The import ends with one sentence, and goes on when it is repeated."""

    def items(*, kill: bool) -> Iterator[Any]:
        yield HEAD
        for number in range(150):
            if kill and number == 110:
                os.kill(remote.process.pid, signal.SIGKILL)
                remote.process.wait()
            yield block(f"m{number}", VALUES)

    with monkeypatch.context() as patch:
        patch.setattr(server_target, "_PAUSES", (0.05, 0.1))
        with pytest.raises(ServerUnreachableError, match="import again to add the rest"):
            load(remote.url, items(kill=True))
    stored = count_points(remote.db_path)
    assert 0 < stored < 150_000
    assert execute_sql(remote.db_path, "SELECT state FROM runs") == [("running",)]
    with serving(remote.db_path) as again:
        receipt = load(again.url, items(kill=False))
    assert (receipt.stored, receipt.points) == (150_000 - stored, 150_000)
    assert receipt.complete
    assert count_points(remote.db_path) == 150_000
    assert execute_sql(remote.db_path, "SELECT state FROM runs") == [("completed",)]


def test_a_server_that_is_restarted(remote: Server) -> None:
    """What it has not acknowledged is sent again."""
    restarted: list[subprocess.Popen[bytes]] = []

    def items() -> Iterator[Any]:
        yield HEAD
        for number in range(150):
            if number == 110:
                os.kill(remote.process.pid, signal.SIGKILL)
                remote.process.wait()
                port = remote.url.rpartition(":")[2]
                command = ["serve", "--port", port, "--db", str(remote.db_path)]
                restarted.append(subprocess.Popen([sys.executable, "-m", "trackai.cli", *command]))
            yield block(f"m{number}", VALUES)

    try:
        receipt = load(remote.url, items())
    finally:
        for process in restarted:
            process.terminate()
            process.wait()
    assert receipt.complete
    assert receipt.points == 150_000
    assert count_points(remote.db_path) == 150_000


def test_a_server_that_is_too_old_is_named(tmp_path: Path) -> None:
    import http.server

    class Old(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = b'{"detail":"Not Found"}'
            self.send_response(404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Old) as old:
        threading.Thread(target=old.serve_forever, daemon=True).start()
        with pytest.raises(ServerRefusedError, match="too old"):
            load(f"http://127.0.0.1:{old.server_port}", [HEAD])
        old.shutdown()


def test_clients_at_the_same_time_store_everything_once(remote: Server, tmp_path: Path) -> None:
    items: list[Any] = [HEAD, *(block(f"m{number}", [1.0] * 1000) for number in range(60))]
    items += [file_of(f"{number % 40}") for number in range(60)]
    for number in range(40):
        (tmp_path / f"{number}").write_bytes(b"%d" % number * 100_000)
    receipts: list[Receipt] = []

    def work() -> None:
        find_bytes = lambda head: tmp_path / head.source  # noqa: E731
        receipts.append(load(remote.url, items, find_bytes=find_bytes))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(receipt.stored for receipt in receipts) == 60_000
    assert sum(receipt.new_runs for receipt in receipts) == 1
    assert all(receipt.complete for receipt in receipts)
    assert count_points(remote.db_path) == 60_000
    assert execute_sql(remote.db_path, "SELECT COUNT(*), COUNT(DISTINCT sha256) FROM files") == [
        (60, 40)
    ]


def test_files_that_change_while_they_are_sent(
    remote: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * 1000)
    read = ServerTarget._read
    changes: list[bytes] = []

    def read_and_change(target: ServerTarget, head: FileHead) -> Any:
        content = read(target, head)
        if changes:
            path.write_bytes(changes.pop())
        return content

    monkeypatch.setattr(ServerTarget, "_read", read_and_change)
    changes += [b"shorter"]
    receipt = load(remote.url, [HEAD, file_of("log")], find_bytes=lambda head: path)
    assert receipt.complete
    assert execute_sql(remote.db_path, "SELECT size FROM files") == [(7,)]
    path.write_bytes(b"new")
    changes += [b"a" * 5, b"b" * 6]
    receipt = load(remote.url, [HEAD, file_of("2")], find_bytes=lambda head: path)
    assert receipt.types["files"].not_stored == {"file content does not match its SHA-256": 1}


def test_points_without_times_are_the_same_at_other_times(remote: Server) -> None:
    first = msgspec.structs.replace(block("loss", [0.5, float("nan")]), has_times=False)
    later = msgspec.structs.replace(first, timestamps=[7, 9])
    assert load(remote.url, [HEAD, first]).stored == 2
    assert load(remote.url, [HEAD, later]).stored == 0
    assert load(remote.url, [HEAD, msgspec.structs.replace(later, has_times=True)]).stored == 2


def test_times_that_follow_the_start_move_with_it(remote: Server) -> None:
    """As the rows of a table without times, some of which share a step."""
    first = msgspec.structs.replace(block("loss", [0.5, 0.5]), steps=[1, 1], follows_start=True)
    moved = msgspec.structs.replace(
        first,
        writer=msgspec.structs.replace(first.writer, started_at=first.writer.started_at + 5),
        timestamps=[time + 5 for time in first.timestamps],
    )
    assert load(remote.url, [HEAD, first]).stored == 2
    assert load(remote.url, [HEAD, moved]).stored == 0
    assert load(remote.url, [HEAD, msgspec.structs.replace(moved, follows_start=False)]).stored == 2


def test_followers_see_an_import(remote: Server) -> None:
    load(remote.url, [HEAD, block("loss", [1.0, 2.0])])
    [run] = remote.get("/api/runs")["runs"]
    with urllib.request.urlopen(f"{remote.url}/api/runs/{run['id']}/events", timeout=20) as events:
        load(remote.url, [HEAD, block("loss", [1.0, 2.0, 3.0])])
        for line in events:
            if line.startswith(b"data:") and b"metrics" in line:
                data = json.loads(line.removeprefix(b"data:"))
                break
    assert [point["value"] for point in data["metrics"]["loss"]] == [3.0]
