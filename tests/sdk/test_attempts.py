"""The rules that decide whether a process joins the latest attempt of a run or supersedes it."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

import trackai
from trackai.ingest.attempts import shares_attempt
from trackai.ingest.launch import Launch, Process
from trackai.settings import Settings
from trackai.store.catalogue.writers import Writer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LATER = time.time_ns() // 1000 + 3_600_000_000
EARLIER = 1
RANKS = {"WORLD_SIZE": "4"}


def writer(**changes: Any) -> Writer:
    fields: dict[str, Any] = {
        "uid": "a", "attempt": 1, "rank": 0, "host": "elsewhere", "pid": 1, "state": "completed",
        "first_step": 0, "ended_at": LATER, "launch": {**RANKS, "rank": "0"},
    }  # fmt: skip
    return Writer(**{**fields, **changes})


def launch(facts: dict[str, str], pids: tuple[int, ...] = ()) -> Launch:
    return Launch(facts, "here", frozenset(pids))


RANK_7 = Process(
    writer_uid="b",
    run_uid="c",
    pid=os.getpid(),
    started_at=time.time_ns() // 1000,
    launch=Launch({**RANKS, "rank": "7"}, socket.gethostname(), frozenset()),
)


@pytest.mark.parametrize("is_shared", [True, False])
@pytest.mark.parametrize(("alive", "joins"), [({"second"}, True), (set(), False)])
def test_a_writer_that_is_alive_is_joined(alive: set[str], joins: bool, is_shared: bool) -> None:
    latest = [writer(uid="first", state="failed"), writer(uid="second", state="running")]
    assert joins is shares_attempt(
        latest, RANK_7, is_shared=is_shared, is_running=lambda writer: writer.uid in alive
    )


@pytest.mark.parametrize(
    ("latest", "is_shared", "joins"),
    [
        ([writer()], True, True),
        ([writer()], False, False),
        ([writer(ended_at=EARLIER)], True, False),
        ([writer(ended_at=EARLIER), writer(ended_at=LATER)], True, True),
        ([writer(), writer(state="failed")], True, False),
        ([writer(host=socket.gethostname(), pid=os.getpid())], True, False),
        ([], True, False),
    ],
)
def test_ranks_that_ended_after_this_process_started_are_joined(
    latest: list[Writer], is_shared: bool, joins: bool
) -> None:
    assert joins is shares_attempt(
        latest, RANK_7, is_shared=is_shared, is_running=lambda writer: False
    )


JOB = {"SLURM_JOB_ID": "9", "SLURM_RESTART_COUNT": "0"}
TORCHRUN = {"TORCHELASTIC_RUN_ID": "none", "TORCHELASTIC_RESTART_COUNT": "0", "WORLD_SIZE": "2"}


@pytest.mark.parametrize(
    ("theirs", "mine", "belongs"),
    [
        # Neither says anything: two notebooks, two machines, a job that is started again by hand.
        ({}, {}, False),
        ({}, {"rank": "1"}, False),
        ({"rank": "0"}, {}, False),
        # Ranks, started by hand or by a launcher; each rank exists once.
        ({"rank": "0"}, {"rank": "1"}, True),
        ({"rank": "0"}, {"rank": "0"}, False),
        ({"TRACKAI_RUN_ID": "a"}, {"TRACKAI_RUN_ID": "a"}, True),
        ({"TRACKAI_RUN_ID": "a"}, {"TRACKAI_RUN_ID": "a", "rank": "1"}, True),
        ({**TORCHRUN, "rank": "0"}, {**TORCHRUN, "rank": "1"}, True),
        ({**JOB, "rank": "0"}, {**JOB, "rank": "1"}, True),
        # A machine of the launch on which the job is not known.
        ({**JOB, **TORCHRUN, "rank": "0"}, {**TORCHRUN, "rank": "1"}, True),
        # Restarts: by torchrun, with another number of ranks, of a requeued job, of an array.
        ({**TORCHRUN, "rank": "0"},
         {**TORCHRUN, "TORCHELASTIC_RESTART_COUNT": "1", "rank": "1"}, False),
        ({**TORCHRUN, "rank": "0"}, {**TORCHRUN, "WORLD_SIZE": "4", "rank": "1"}, False),
        ({**JOB, "rank": "0"}, {**JOB, "SLURM_RESTART_COUNT": "1", "rank": "1"}, False),
        ({**JOB, "rank": "0"}, {**JOB, "SLURM_JOB_ID": "10", "rank": "1"}, False),
        ({**JOB, "TRACKAI_RUN_ID": "a"},
         {**JOB, "SLURM_RESTART_COUNT": "1", "TRACKAI_RUN_ID": "a"}, False),
        # Workers of one process inherit its rank.
        ({"parent": "here/5"}, {"parent": "here/5"}, True),
        ({"parent": "here/5"}, {"parent": "here/6"}, False),
        ({"parent": "here/5", "rank": "0"}, {"parent": "here/5", "rank": "0"}, True),
        ({"parent": "here/5", "rank": "0"}, {"parent": "here/6", "rank": "1"}, True),
    ],
)  # fmt: skip
def test_launches(theirs: dict[str, str], mine: dict[str, str], belongs: bool) -> None:
    assert launch(mine).includes([writer(launch=theirs)]) is belongs
    assert launch(theirs).includes([writer(launch=mine)]) is belongs


def test_a_process_and_its_children_belong_together() -> None:
    assert launch({}, (7, 5)).includes([writer(host="here", pid=5, launch={})])
    assert not launch({}, (7, 5)).includes([writer(host="elsewhere", pid=5, launch={})])
    assert not launch({}, (7, 5)).includes([writer(host="here", pid=8, launch={})])


@pytest.mark.parametrize(
    ("variables", "facts"),
    [
        ({}, {}),
        ({"WORLD_SIZE": "2", "SLURM_JOB_ID": "9"}, {}),  # a script in a shell of a job
        ({"RANK": "1", "WORLD_SIZE": "2"}, {"WORLD_SIZE": "2", "rank": "1"}),
        ({"SLURM_PROCID": "3", "SLURM_JOB_ID": "9"}, {**JOB, "rank": "3"}),
        ({"SLURM_PROCID": "0", "SLURM_JOB_ID": "9", "SLURM_RESTART_COUNT": "2", "RANK": "1"},
         {**JOB, "SLURM_RESTART_COUNT": "2", "rank": "1"}),
        ({"OMPI_COMM_WORLD_RANK": "1", "SLURM_PROCID": "0"}, {"rank": "1"}),
        ({"LOCAL_RANK": "1"}, {"rank": "1"}),
        ({"TRACKAI_RUN_ID": "a"}, {"TRACKAI_RUN_ID": "a"}),
    ],
)  # fmt: skip
def test_what_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], facts: dict[str, str]
) -> None:
    for name in list(os.environ):
        if name.startswith(("SLURM_", "TRACKAI_R", "RANK", "WORLD_SIZE", "OMPI_", "PMI")):
            monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert Settings.from_env().launch == facts


FORMER = """
    import sys, trackai
    run = trackai.init(project="p", {arguments})
    for step in range(10):
        run.log({{"loss": 1.0}})
    print("ready", flush=True)
    for line in sys.stdin:
        run.log({{"loss": 1.0}})
        print("logged", flush=True)
"""


@contextmanager
def former_process(db_path: Path, arguments: str, **env: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has logged ten steps, and logs another one for each line it is sent."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(FORMER).format(arguments=arguments)],
        env={**os.environ, "TRACKAI_DB_PATH": str(db_path), **env},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


@pytest.mark.parametrize("end", ["kill", "finish"])
@pytest.mark.parametrize(
    ("arguments", "env"),
    [
        ({"id": "r", "resume": "must"}, {}),
        ({"id": "r"}, {"RANK": "0"}),
        ({"name": "r", "resume": "allow"}, {}),
    ],
)
def test_a_process_that_is_no_rank_supersedes_one_that_still_logs(
    db_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    arguments: dict[str, Any],
    env: dict[str, str],
    end: str,
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    first = "id='r'" if "id" in arguments else "name='r'"
    with former_process(db_path, first, **env) as former:
        run = trackai.init(project="p", **arguments)
        assert (run.resumed, run.step) == (True, 10)
        assert caplog.text.count("is still logging to run 'r'") == 1
        for _ in range(5):
            run.log({"loss": 0.5})
        assert former.stdin is not None
        assert former.stdout is not None
        for _ in range(3):  # at steps that the new attempt has logged
            former.stdin.write("\n")
            former.stdin.flush()
            assert former.stdout.readline() == "logged\n"
        if end == "kill":
            run.finish()
            former.send_signal(signal.SIGKILL)
            former.wait(60)
            trackai.init(project="other").finish()  # recovers its journal
        else:
            _, errors = former.communicate(timeout=60)
            assert errors.count("was resumed by process") == 1
            assert trackai.Api().run("p/r").state == "running"
            run.finish()
    curve = trackai.Api().run("p/r").history("loss")["loss"]
    assert list(curve.steps) == list(range(15))
    assert list(curve.values) == [1.0] * 10 + [0.5] * 5
    assert trackai.Api().run("p/r").state == "completed"
    connection = sqlite3.connect(db_path)
    kept = connection.execute("SELECT count(*) FROM logged_points WHERE superseded").fetchone()
    connection.close()
    assert kept == (3,)


@pytest.mark.parametrize("holder", ["parent", "none"])
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_of_one_process_are_ranks(
    db_path: Path, tmp_path: Path, method: str, holder: str
) -> None:
    (tmp_path / "train.py").write_text(
        textwrap.dedent(
            """
            import multiprocessing, sys, trackai

            def work(number, barrier):
                with trackai.init(project="p", id="r") as run:
                    barrier.wait(60)
                    run.log({f"own/{number}": 1.0})
                    barrier.wait(60)

            if __name__ == "__main__":
                method, holder = sys.argv[1:]
                context = multiprocessing.get_context(method)
                barrier = context.Barrier(3)
                if holder == "parent":
                    trackai.init(project="p", id="r")
                workers = [context.Process(target=work, args=(n, barrier)) for n in range(3)]
                for worker in workers: worker.start()
                for worker in workers: worker.join(60)
                trackai.finish()
            """
        )
    )
    subprocess.run(
        [sys.executable, "train.py", method, holder],
        cwd=tmp_path,
        env={**os.environ, "TRACKAI_DB_PATH": str(db_path), "RANK": "0"},
        check=True,
        timeout=120,
    )
    connection = sqlite3.connect(db_path)
    rows = connection.execute(
        "SELECT attempt, rank, state FROM writers WHERE state IS NOT NULL ORDER BY rank"
    ).fetchall()
    connection.close()
    count = 4 if holder == "parent" else 3
    assert rows == [(1, rank, "completed") for rank in range(count)]
