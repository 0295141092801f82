"""Threads and processes that log to one run, and forked processes."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Server


def query(path: Path, sql: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def counts_agree(path: Path) -> bool:
    return query(
        path, "SELECT (SELECT COUNT(*) FROM metrics) = (SELECT sum(points) FROM series)"
    ) == [(1,)]


FORKING = """
    import os, signal, sys, threading, time, trackai
    run = trackai.init(project="p", name="r")
    for step in range(100):
        run.log({"x": step}, step=step)

    def fork(end):
        pid = os.fork()
        if pid == 0:
            for step in range(50):
                run.log({"x": -1.0, "child": step}, step=step)
            end()
            os._exit(0)
        return pid

    def reap(pids):
        for pid in pids:
            deadline = time.monotonic() + 60
            while os.waitpid(pid, os.WNOHANG)[0] == 0:
                assert time.monotonic() < deadline, "a child hangs"
                time.sleep(0.01)
"""


@pytest.mark.parametrize(
    "end",
    [
        "lambda: os._exit(3)",
        "lambda: os.kill(os.getpid(), signal.SIGKILL)",
        "lambda: os.kill(os.getpid(), signal.SIGTERM)",
        "lambda: sys.exit(1)",
        "lambda: 1 / 0",
        "lambda: (run.finish(), run.finish())",
        "lambda: trackai.finish()",
        "lambda: reap([fork(lambda: None)])",
    ],
)
def test_a_forked_process_logs_and_ends_in_any_way(
    db_path: Path, run_python: Callable[..., Any], end: str
) -> None:
    # A child may also leave the with block of a caller, or the script itself, normally.
    script = f"""
    pids = [fork({end}) for _ in range(3)]
    reap(pids)
    for step in range(100, 200):
        run.log({{"x": step}}, step=step)
    run.finish()
    """
    run_python(textwrap.dedent(FORKING) + textwrap.dedent(script))
    grandchildren = 3 if "reap" in end else 0
    assert query(db_path, "SELECT state FROM runs") == [("completed",)]
    assert query(db_path, "SELECT COUNT(*), sum(value >= 0) FROM points WHERE metric = 'x'") == [
        (200 + 50 * (3 + grandchildren), 200)
    ]
    assert query(db_path, "SELECT COUNT(*) FROM writers") == [(4 + grandchildren,)]
    assert counts_agree(db_path)
    assert not list(db_path.parent.glob("*-spool/*.journal"))


def test_forking_while_other_threads_log_and_the_drain_writes(
    db_path: Path, run_python: Callable[..., Any]
) -> None:
    script = """
    stop = threading.Event()
    logged = [0, 0]
    def work(number):
        while not stop.is_set():
            run.log({"thread": 1.0})
            logged[number] += 1
    threads = [threading.Thread(target=work, args=(n,)) for n in range(2)]
    for thread in threads: thread.start()
    for _ in range(10):
        reap([fork(lambda: None) for _ in range(2)])
    stop.set()
    for thread in threads: thread.join()
    run.finish()
    print(sum(logged))
    """
    result = run_python(textwrap.dedent(FORKING) + textwrap.dedent(script))
    assert query(db_path, "SELECT points FROM metric_overview WHERE metric = 'thread'") == [
        (int(result.stdout),)
    ]
    assert query(db_path, "SELECT points FROM metric_overview WHERE metric = 'child'") == [(1000,)]
    assert query(db_path, "PRAGMA integrity_check") == [("ok",)]
    assert counts_agree(db_path)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing(db_path: Path, tmp_path: Path, method: str) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        textwrap.dedent(
            """
            import multiprocessing, sys, trackai

            def own(number):
                with trackai.init(project="p", name=f"own-{number}") as run:
                    run.log({"x": number})

            def inherited(number):
                trackai.log({"from/child": number})

            if __name__ == "__main__":
                method = sys.argv[1]
                run = trackai.init(project="p", name="parent")
                run.log({"x": 0.5})
                context = multiprocessing.get_context(method)
                with context.Pool(2) as pool:
                    if method == "fork":
                        pool.map(inherited, range(20))
                    pool.map(own, range(4))
                run.log({"x": 1.5})
                run.finish()
            """
        )
    )
    subprocess.run(
        [sys.executable, script, method],
        env={**os.environ, "TRACKAI_DB_PATH": str(db_path)},
        check=True,
        timeout=60,
    )
    points = 22 if method == "fork" else 2
    assert query(db_path, "SELECT run, state, points FROM run_overview ORDER BY run") == [
        *((f"own-{n}", "completed", 1) for n in range(4)),
        ("parent", "completed", points),
    ]


RANK = """
    import sys, time, trackai
    run = trackai.init(project="p", **{arguments})
    print("ready", flush=True)
    sys.stdin.readline()
    for step in range(200):
        run.log({{"loss": float(sys.argv[1]), "own/" + sys.argv[1]: step}})
    {end}
"""


def start_ranks(db_path: Path, arguments: str, ends: list[str], **env: str) -> None:
    ranks = [
        subprocess.Popen(
            [
                sys.executable, "-c",
                textwrap.dedent(RANK).format(arguments=arguments, end=end), str(number),
            ],
            env={
                **os.environ, "TRACKAI_DB_PATH": str(db_path),
                **{name: text.format(number) for name, text in env.items()},
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number, end in enumerate(ends)
    ]  # fmt: skip
    for rank in ranks:
        assert rank.stdout is not None
        assert rank.stdout.readline() == "ready\n"
    for rank in ranks:
        _, errors = rank.communicate("\n", timeout=60)
        assert "locked" not in errors
        assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("arguments", "env"),
    [
        ({"name": "r", "resume": "allow"}, {"RANK": "{}"}),
        ({"id": "r"}, {"TRACKAI_RANK": "{}"}),
        ({}, {"TRACKAI_RUN_ID": "r"}),
    ],
)
def test_ranks_write_side_by_side(
    db_path: Path, server: Server, arguments: dict[str, str], env: dict[str, str]
) -> None:
    start_ranks(db_path, repr(arguments), ["run.finish()"] * 8, **env)
    assert query(db_path, "SELECT slug, state FROM runs") == [("r", "completed")]
    assert query(db_path, "SELECT attempt, rank, state FROM writers ORDER BY rank") == [
        (1, rank, "completed") for rank in range(8)
    ]
    assert query(
        db_path, "SELECT COUNT(*), COUNT(DISTINCT writer_id), min(step), max(step) FROM metrics"
    ) == [(8 * 400, 8, 0, 199)]
    assert counts_agree(db_path)
    page = server.get("/api/metrics/runs/1/metric/loss?limit=10000")
    assert len(page["data"]) == 8 * 200
    # A process that starts after all have ended begins a new attempt.
    start_ranks(db_path, "{'name': 'r', 'resume': 'allow'}", ["run.finish()"])
    assert query(db_path, "SELECT max(attempt) FROM writers") == [(2,)]


def test_a_run_has_failed_if_one_of_its_writers_has(db_path: Path, server: Server) -> None:
    import time

    ends = ["run.finish()", "import os; os.kill(os.getpid(), 9)", "run.finish()"]
    start_ranks(db_path, "{'name': 'r', 'resume': 'allow'}", ends, RANK="{}")
    deadline = time.monotonic() + 60
    while server.get("/api/runs/1")["state"] != "failed":
        assert time.monotonic() < deadline, "the server does not notice"
        time.sleep(0.1)
    assert query(db_path, "SELECT COUNT(*) FROM metrics") == [(3 * 400,)]


def test_many_runs_at_once_with_a_server_that_reads(db_path: Path, server: Server) -> None:
    script = """
    import sys, trackai
    with trackai.init(project="p", name=sys.argv[1]) as run:
        for step in range(300):
            run.log({f"m{n}": step / (n + 1) for n in range(10)})
    """
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(script), f"run-{number}"],
            env={**os.environ, "TRACKAI_DB_PATH": str(db_path)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(16)
    ]
    while any(process.poll() is None for process in processes):
        server.get("/api/runs?limit=50")
    for process in processes:
        assert process.communicate()[1] == ""
        assert process.returncode == 0
    assert query(db_path, "SELECT points, COUNT(*) FROM run_overview GROUP BY points") == [
        (3000, 16)
    ]


def test_a_database_that_another_program_keeps_locked(
    db_path: Path, run_python: Callable[..., Any]
) -> None:
    result = run_python(
        """
        import os, sqlite3, time, trackai
        run = trackai.init(project="p", name="r")
        other = sqlite3.connect(os.environ["TRACKAI_DB_PATH"], isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        started = time.monotonic()
        for step in range(5000):
            run.log({"x": step})
        print(time.monotonic() - started < 5)
        time.sleep(1)
        assert other.execute("SELECT COUNT(*) FROM metrics").fetchone() == (0,)
        other.execute("ROLLBACK")
        run.finish()
        """
    )
    assert (result.stdout, result.stderr) == ("True\n", "")
    assert query(db_path, "SELECT state, points FROM run_overview") == [("completed", 5000)]
