"""The same command on a file and on the server of that file."""

from __future__ import annotations

import math
import re
import socketserver
import threading
from typing import TYPE_CHECKING

import pytest

import trackai as sdk

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Trackai
    from tests.conftest import Server


@pytest.fixture
def runs(db_path: Path) -> None:
    for number in range(3):
        config = {"opt": {"lr": 10.0**-number}, "same": 1, "größe": "ä"}
        with sdk.init(
            project=f"P {number % 2}", name=f"r{number}", config=config, group="g", tags=["a"]
        ) as run:
            for step in range(200):
                run.log({"loss": number + 1 / (step + 1), "n/%": math.nan}, step=step)
            run.log({"count": 2**53 + 1}, step=3)
            run.log({"flag": True, "text": "NaN", "only" + str(number): 1e300}, step=0.5)
            run.log_system({"gpu": 0.5})


def without_ages(text: str) -> str:
    return re.sub(r"\d+ s ago", "AGE", text)


COMMANDS = [
    "projects",
    "projects --json",
    "runs",
    "runs --json",
    "runs p-0 --sort metric.loss.min --asc --columns config.opt/lr,metric.loss.max,created_at,tag",
    "runs --json --columns config.opt/lr,metric.n/%,created_at --limit 2",
    "runs --limit 1 --offset 1",
    "runs --filter config.typo=1 --sort metric.typo --columns metric.loss.nans,config.größe",
    "runs --group g --state completed --search R1",
    "show r1",
    "show --json latest",
    "show P\\ 1/r1",
    "compare r0 r1 r2",
    "compare r0 r1 --all --json",
    "plot loss r0 r1",
    "plot loss r0 --json --smooth 0.5",
    "plot count r0 --json",
    "plot count r0 --x time --json",
    "plot flag r0 --json --x relative",
    "plot gpu r0 --json",
    "plot */* r0 --x time --json",
    "tail r2 -n 3",
    "tail r2 --json",
    "wait r0",
    "wait r0 --json --until loss<0.5",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_output_is_that_of_the_file(
    runs: None, server: Server, trackai: Trackai, command: str
) -> None:
    arguments = [word.replace("\0", " ") for word in command.replace("\\ ", "\0").split(" ")]
    file, remote = trackai(*arguments), trackai(*arguments, "--url", server.url)
    assert without_ages(remote.out) == without_ages(file.out)
    assert remote.err == file.err


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("show nope", 3), ("runs nope", 3), ("compare r0 nope", 3), ("wait nope", 3),
        ("tail nope", 3), ("plot nope", 3), ("tag nope x", 3), ("delete nope --yes", 3),
        ("runs --filter config.", 2), ("runs --sort what", 2), ("runs --cursor x", 2),
        ("rename r0 " + "x" * 513, 2), ("tag r0 " + "x" * 257, 2), ("wait r1 --until loss<0", 4),
    ],
)  # fmt: skip
def test_errors_are_those_of_the_file(
    runs: None, server: Server, trackai: Trackai, command: str, code: int
) -> None:
    arguments = command.split()
    file = trackai(*arguments, code=code)
    remote = trackai(*arguments, "--url", server.url, code=code)
    assert remote.err.count("\n") == file.err.count("\n")
    start = re.split(r" not found|:", file.err, maxsplit=2)[0]
    assert remote.err.startswith(start)


def test_changes(runs: None, server: Server, trackai: Trackai) -> None:
    where = ("--url", server.url)
    assert trackai("tag", "r0", "b", *where).out == "a b\n"
    assert trackai("tag", "r0", "a", "--remove", *where).out == "b\n"
    assert "renamed to 'best'" in trackai("rename", "r0", "best", *where).out
    assert trackai("show", "best", "--json").json["run"]["tags"] == ["b"]
    assert "moved to project 'archive'" in trackai("move", "r1", "archive", *where).out
    assert trackai("runs", "archive", "--json").json["total"] == 1
    deleted = trackai("delete", "r1", "r2", "--yes", "--json", *where).json["deleted"]
    assert len(deleted) == 2
    assert trackai("runs", "--json").json["total"] == 1


def test_the_server_of_the_environment(
    runs: None, server: Server, trackai: Trackai, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    listed = trackai("runs", "--json").json
    other = tmp_path / "other.db"
    monkeypatch.setenv("TRACKAI_DB_PATH", str(other))
    monkeypatch.setenv("TRACKAI_SERVER_URL", server.url)
    assert trackai("runs", "--json").json == listed
    assert [run.name for run in sdk.Api().runs()] == ["r2", "r1", "r0"]
    assert "not found" in trackai("runs", "--db", other, code=3).err
    with pytest.raises(sdk.NotFoundError, match=r"other\.db not found"):
        sdk.Api(other).projects()
    assert trackai("delete", "r0", "--yes").err == ""
    assert len(sdk.Api().runs()) == 2
    assert not other.exists()
    for command in (
        ("sql", "SELECT 1"), ("backup", "copy.db"), ("doctor",), ("recover",),
        ("log", "--run", "x", "a=1"), ("keys", "list"), ("demo",),
        ("import", "neptune", __file__),
    ):  # fmt: skip
        error = trackai(*command, code=2).err
        assert "works on a database file, and TRACKAI_SERVER_URL names a server: pass --db" in error
        assert error.count("\n") == 1
    assert not other.exists()
    monkeypatch.setenv("TRACKAI_SERVER_URL", "tracker:8000")
    assert trackai("runs", code=2).err.startswith("trackai: TRACKAI_SERVER_URL: must be an address")


@pytest.mark.parametrize("command", ["sql", "backup", "doctor", "recover", "log"])
def test_commands_for_files_say_so(trackai: Trackai, command: str) -> None:
    error = trackai(command, "--url", "http://localhost:8000", code=2).err
    assert error.startswith(f"trackai: {command} works on a database file, not on a server")
    assert error.count("\n") == 1


@pytest.mark.parametrize("format_", ["jsonl", "csv", "parquet"])
def test_exports_are_those_of_the_file(
    runs: None, server: Server, trackai: Trackai, tmp_path: Path, format_: str
) -> None:
    artifact = tmp_path / "weights.bin"
    artifact.write_bytes(bytes(range(256)) * 10_000)
    for name in ("f1", "f2"):
        with sdk.init(project="files", name=name) as run:
            run.save(artifact)
            run.log({"big": 2**53 + 1, "inf": math.inf, "t": "x" * 5000, "big text": "NaN"})
    with sdk.init(project="files", name="f1", resume_from="f1?_step=0") as again:
        again.log({"big": 1}, step=1)
    for number, selection in enumerate((["--all"], ["f2", "r0", "f1"], ["--project", "files"])):
        file, remote = tmp_path / f"file{number}.{format_}", tmp_path / f"remote{number}.{format_}"
        out = trackai("export", *selection, "--out", file, "--json").json
        again_out = trackai("export", *selection, "-o", remote, "--json", "--url", server.url).json
        assert file.read_bytes() == remote.read_bytes()
        assert (again_out["runs"], again_out["bytes"]) == (out["runs"], out["bytes"])
    assert "not found" in trackai("export", "nope", "--url", server.url, code=3).err
    assert server.request("GET", "/api/runs/999/export").status == 404
    if format_ == "jsonl":
        copy = tmp_path / "copy.db"
        trackai("import", "jsonl", tmp_path / "remote0.jsonl", "--db", copy)
        assert trackai("export", "--all", "--db", copy).out
    assert not [*tmp_path.glob("*.part")]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", "the answer of {} ended early"),
        (b"Content-Length: 99\r\n\r\n{}\n", "the answer of {} ended early"),
        (b"Content-", "{} ended the connection within its answer"),
        (b"\r\n{}\n", "{} ended the connection within its answer"),
    ],
)
def test_an_export_that_is_cut_is_an_error(
    trackai: Trackai, tmp_path: Path, answer: bytes, message: str
) -> None:
    run = (
        b'{"id":1,"project_id":1,"run_id":"r","name":null,"group_name":null,"state":"completed",'
        b'"created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z","values":{}}'
    )
    page = b'{"runs":[' + run + b'],"total":1,"has_more":false}'
    answers = {
        b"GET /api/projects": b"Content-Length: 2\r\n\r\n[]",
        b"GET /api/runs?": b"Content-Length: %d\r\n\r\n%b" % (len(page), page),
        b"GET /api/runs/1/export": answer,
    }

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            request = self.rfile.readline()
            answer = next(each for start, each in answers.items() if request.startswith(start))
            self.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + answer)

    class TCPServer(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with TCPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{http.server_address[1]}"
        out = tmp_path / "out.jsonl"
        error = trackai("export", "r", "--out", out, "--url", url, code=1).err
        http.shutdown()
    assert error.startswith(f"trackai: {message.format(url)}")
    assert error.count("\n") == 1
    assert not [*tmp_path.glob("out*")]


def test_a_file_or_a_server(trackai: Trackai) -> None:
    error = trackai("runs", "--db", "a.db", "--url", "http://localhost:1", code=2).err
    assert "pass either --db or --url" in error
