"""POST /api/runs/attach begins and resumes runs for processes on other machines."""

from __future__ import annotations

import os
import signal
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

import trackai
from tests.conftest import execute_sql, serving
from trackai.ingest.wire import PROTOCOL

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Answer, Server

HOUR = 3_600_000_000


def message(**changes: Any) -> dict[str, Any]:
    """The body of a request; changes are those of its request, process, launch, or the body."""
    now = time.time_ns() // 1000
    uid = uuid.uuid4().hex
    launch: dict[str, Any] = {"facts": {}, "host": "node7", "lineage": [7, 1]}
    process = {
        "writer_uid": uid, "run_uid": uuid.uuid4().hex, "pid": 7, "started_at": now - 1_000_000,
        "launch": launch,
    }  # fmt: skip
    request = {"project": "p", "name": None, "group": None, "resume": "never"}
    journal = f"{1:016x}-{uid}-000000.journal"
    body = {
        "request": request, "process": process, "journal": journal, "now": now, "begun_at": now,
    }  # fmt: skip
    for name, value in changes.items():
        parts = (part for part in (body, process, launch) if name in part)
        next(parts, request)[name] = value
    return body


def attach(server: Server, body: dict[str, Any], **headers: str) -> Answer:
    return server.request(
        "POST", "/api/runs/attach", body, headers={"TrackAI-Protocol": str(PROTOCOL), **headers}
    )


def test_a_run_begins(server: Server) -> None:
    body = message(name="r", tags=["a"], notes="text", group="g")
    answer = attach(server, body)
    assert answer.status == 200, answer
    attempt = answer.json["attempt"]
    assert abs(answer.json["time"] - time.time_ns() // 1000) < 60_000_000
    assert (attempt["first_step"], attempt["config"], attempt["superseded"]) == (0, {}, [])
    assert attempt["opened"][1:3] == [body["process"]["run_uid"], body["process"]["writer_uid"]]
    (run,) = server.get("/api/runs")["runs"]
    assert run["id"] == attempt["run"]["id"]
    assert (run["state"], run["name"], run["tags"], run["notes"], run["group_name"]) == (
        "running", "r", ["a"], "text", "g",
    )  # fmt: skip


@pytest.mark.parametrize("shift", [0, 5 * HOUR, -5 * HOUR])
def test_times_are_those_of_the_server(server: Server, shift: int) -> None:
    now = time.time_ns() // 1000
    body = message(now=now + shift, begun_at=now + shift - HOUR, started_at=now + shift - 2 * HOUR)
    opened = attach(server, body).json["attempt"]["opened"]
    created_at, started_at = opened[11:13]
    assert created_at == started_at
    assert abs(started_at - (now - HOUR)) < 60_000_000


def test_a_repeated_request_changes_nothing(server: Server) -> None:
    body = message(name="r")
    first = attach(server, body).json["attempt"]
    assert attach(server, body).json["attempt"] == first
    assert len(server.get("/api/runs")["runs"]) == 1
    assert len(server.get(f"/api/runs/{first['run']['id']}/details")["processes"]) == 1


def test_another_version_is_refused(server: Server) -> None:
    answer = attach(server, message(), **{"TrackAI-Protocol": "999"})
    assert answer.status == 426
    assert server.get("/api/projects") == []


def test_what_cannot_be_resumed_changes_nothing(server: Server) -> None:
    body = message(run_id="r", resume="must")
    answer = attach(server, body)
    assert (answer.status, answer.json["detail"]) == (
        404, "run 'r' not found in project 'p': use resume=\"allow\" to create it",
    )  # fmt: skip
    assert server.get("/api/projects") == []
    assert attach(server, message(run_id="r")).status == 200
    assert attach(server, message(run_id="r")).status == 409
    (run,) = server.get("/api/runs")["runs"]
    assert len(server.get(f"/api/runs/{run['id']}/details")["processes"]) == 1


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("project", "", "request.project"),
        ("project", "a\0b", "request.project"),
        ("name", " ", "request.name"),
        ("name", "n" * 513, "request.name"),
        ("group", "a\nb", "request.group"),
        ("run_id", "\u2028", "request.run_id"),
        ("tags", [""], "request.tags"),
        ("tags", ["a"] * 1001, "request.tags"),
        ("notes", "n" * 100_001, "request.notes"),
        ("rank", -1, "request.rank"),
        ("rank", 1 << 63, "request.rank"),
        ("resume", "sometimes", "request.resume"),
        ("resume_from", ["r", 1], "request.resume_from"),
        ("resume_from", ["r"], "request.resume_from"),
        ("fork_from", ["r", -1], "request.fork_from"),
        ("fork_from", ["r", 1 << 63], "request.fork_from"),
        ("fork_from", ["\0", 1], "request.fork_from"),
        ("writer_uid", "x", "process.writer_uid"),
        ("run_uid", "A" * 32, "process.run_uid"),
        ("pid", -1, "process.pid"),
        ("pid", 1 << 70, "process.pid"),
        ("host", "h" * 513, "process.launch.host"),
        ("facts", {"a": "\0"}, "process.launch.facts"),
        ("facts", {"a": 1}, "process.launch.facts[...]"),
        ("facts", {str(n): "" for n in range(101)}, "process.launch.facts"),
        ("lineage", list(range(1001)), "process.launch.lineage"),
        ("started_at", 1 << 62, "process.started_at"),
        ("now", -(1 << 62), "now"),
        ("begun_at", 1 << 60, "begun_at"),
        ("begun_at", 4_000_000_000_000_000, "begun_at"),
        ("journal", "x.journal", "journal"),
        ("journal", f"{1:016x}-{'0' * 32}-000000.journal", "journal"),
        ("now", "today", "now"),
    ],
)
def test_what_is_not_allowed_is_named(server: Server, field: str, value: Any, named: str) -> None:
    answer = attach(server, message(**{field: value}))
    assert answer.status == 422, answer
    assert answer.json["detail"].startswith(f"{named}: "), answer
    assert server.get("/api/projects") == []


def test_large_bodies_are_refused(server: Server) -> None:
    answer = attach(server, message(config={"a": "b" * 1024 * 1024}))
    assert answer.status == 413


def test_a_killed_server_knows_who_has_attached(db_path: Path) -> None:
    body = message(name="r")
    with serving(db_path) as server:
        first = attach(server, body).json["attempt"]
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait(60)
    with serving(db_path) as server:
        assert attach(server, body).json["attempt"] == first
        assert len(server.get("/api/runs")["runs"]) == 1


def test_requests_at_the_same_time_begin_one_attempt(server: Server) -> None:
    facts = {"SLURM_JOB_ID": "9", "SLURM_RESTART_COUNT": "0"}
    bodies = [
        message(
            run_id="r", resume="allow", rank=rank, facts={**facts, "rank": str(rank)},
            pid=100 + rank, lineage=[100 + rank],
        )
        for rank in range(8)
    ]  # fmt: skip
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda body: attach(server, body), [*bodies, *bodies]))
    assert {answer.status for answer in answers} == {200}
    attempts = [answer.json["attempt"] for answer in answers]
    opened = [attempt["opened"] for attempt in attempts]
    assert opened[:8] == opened[8:]
    details = server.get(f"/api/runs/{attempts[0]['run']['id']}/details")
    places = [(process["attempt"], process["rank"]) for process in details["processes"]]
    assert places == [(1, rank) for rank in range(8)]


def test_a_request_that_is_repeated_at_once_gets_the_same_answer(server: Server) -> None:
    bodies = [
        message(run_id=f"r{number}", resume="allow", project=f"p{number}") for number in range(20)
    ]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda body: attach(server, body), [
            body for body in bodies for _ in range(4)
        ]))  # fmt: skip
    assert {answer.status for answer in answers} == {200}
    opened = [answer.json["attempt"]["opened"] for answer in answers]
    for start in range(0, len(opened), 4):
        assert opened[start : start + 4] == [opened[start]] * 4
        assert opened[start][7:9] == [1, 0]  # attempt and rank


@pytest.mark.sqlite("local processes log to a file")
def test_local_and_remote_processes_supersede_each_other(
    server: Server, db_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shared = {"run_id": "r", "resume": "allow"}
    body = message(**shared)
    attach(server, body)
    with trackai.init(project="p", id="r", resume="allow") as run:
        assert caplog.text.count("is still logging to run 'r'") == 1
        for _ in range(10):
            run.log({"loss": 0.5})
        attempt = attach(server, message(**shared, pid=8, lineage=[8])).json["attempt"]
        assert attempt["first_step"] == 10
        assert [(writer["pid"], writer["attempt"]) for writer in attempt["superseded"]] == [
            (os.getpid(), 2)
        ]
    # Both remote processes have fallen silent.
    execute_sql(db_path, "UPDATE writers SET seen_at = seen_at - 200000000")
    caplog.clear()
    with trackai.init(project="p", id="r", resume="allow") as run:
        assert "is still logging" not in caplog.text
    (run_,) = server.get("/api/runs")["runs"]
    assert run_["state"] == "completed"
