"""The end of a script decides the state of its run: signals, exit codes, the script's handlers."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from typing import TYPE_CHECKING

import pytest

import trackai

if TYPE_CHECKING:
    from pathlib import Path


def outcome(path: Path) -> tuple[str, int]:
    connection = sqlite3.connect(path)
    try:
        [row] = connection.execute(
            "SELECT state, (SELECT COUNT(*) FROM metrics) FROM runs"
        ).fetchall()
        return row  # type: ignore[no-any-return]
    finally:
        connection.close()


def run_until_ready(db_path: Path, script: str, then: signal.Signals | None) -> tuple[int, str]:
    """Run a script, and send it a signal once it has printed "ready"."""
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**os.environ, "TRACKAI_DB_PATH": str(db_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        if then is not None:
            line = process.stdout.readline()
            assert line == "ready\n", line + process.stdout.read()
            process.send_signal(then)
        rest = process.stdout.read()
        watchdog.cancel()
        return process.wait(60), rest


BEGIN = """
    import signal, sys, time, trackai
    run = trackai.init(project="p")
    for step in range(100):
        run.log({"x": step})
"""
LOOP = """
    print("ready", flush=True)
    while True:
        time.sleep(0.01)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_run_as_failed(db_path: Path, number: signal.Signals) -> None:
    code, _ = run_until_ready(db_path, BEGIN + LOOP, number)
    assert code == -number
    assert outcome(db_path) == ("failed", 100)


def test_a_signal_in_the_middle_of_logging(db_path: Path) -> None:
    script = BEGIN + '    print("ready", flush=True)\n    while True: run.log({"x": 1.0})\n'
    code, _ = run_until_ready(db_path, script, signal.SIGTERM)
    assert code == -signal.SIGTERM
    state, points = outcome(db_path)
    assert state == "failed"
    assert points >= 100


@pytest.mark.parametrize("first", ["handler", "run"])
def test_a_handler_of_the_script_is_kept(db_path: Path, first: str) -> None:
    handler = """
    def stop(*_):
        os.write(1, b"mine\\n")  # print() may be interrupted by the signal, and is not reentrant
        sys.exit(0)
    import os, signal, sys, time
    signal.signal(signal.SIGTERM, stop)
"""
    script = handler + BEGIN + LOOP if first == "handler" else BEGIN + handler + LOOP
    code, output = run_until_ready(db_path, script, signal.SIGTERM)
    assert (code, output) == (0, "mine\n")
    assert outcome(db_path) == ("completed", 100)


@pytest.mark.parametrize(
    ("ending", "code", "state"),
    [
        ("sys.exit(1)", 1, "failed"),
        ("sys.exit('no')", 1, "failed"),
        ("sys.exit()", 0, "completed"),
        ("def main(): sys.exit(3)\n    main()", 3, "failed"),
        ("try: sys.exit(1)\n    except SystemExit: pass\n    print()", 0, "completed"),
        ("def main():\n        try: sys.exit(1)\n        except SystemExit: pass\n    main()",
         0, "completed"),
    ],
)  # fmt: skip
def test_exit_codes(db_path: Path, ending: str, code: int, state: str) -> None:
    assert run_until_ready(db_path, BEGIN + "    " + ending + "\n", None)[0] == code
    assert outcome(db_path) == (state, 100)


def test_init_inside_a_running_event_loop(db_path: Path) -> None:
    script = """
    import asyncio, trackai

    async def main():
        for cell in range(3):  # running a cell again starts a new run
            run = trackai.init(project="p", name="r")
            for step in range(100):
                run.log({"x": step})
                await asyncio.sleep(0)
        trackai.finish()

    asyncio.run(main())
"""
    assert run_until_ready(db_path, script, None) == (0, "")
    connection = sqlite3.connect(db_path)
    assert (
        connection.execute("SELECT state, points FROM run_overview").fetchall()
        == [("completed", 100)] * 3
    )
    connection.close()


@pytest.mark.parametrize("how", [["script.py"], ["-m", "script"]])
def test_ctrl_c_right_after_init_ends_the_process_by_sigint(
    db_path: Path, tmp_path: Path, how: list[str]
) -> None:
    script = "import trackai\ntrackai.init(project='p', name='r')\n"
    tmp_path.joinpath("script.py").write_text(
        f"{script}trackai.log({{'x': 1}})\nraise KeyboardInterrupt"
    )
    result = subprocess.run([sys.executable, *how], cwd=tmp_path, capture_output=True, timeout=60)
    assert result.returncode == -signal.SIGINT
    assert outcome(db_path) == ("failed", 1)


@pytest.mark.parametrize(
    ("ending", "code", "state"),
    [
        # rich, IPython and others replace the hook that prints the traceback.
        ("sys.excepthook = lambda *error: None\n    1 / 0", 1, "failed"),
        ("sys.excepthook = lambda *error: None\n    raise KeyboardInterrupt", -2, "failed"),
        ("sys.excepthook = lambda *error: 1 / 0\n    1 / 0", 1, "failed"),
        ("def f(): 1 / 0\n    f()", 1, "failed"),
        ("import asyncio\n    async def f(): 1 / 0\n    asyncio.run(f())", 1, "failed"),
        ("import atexit; atexit.register(lambda: 1 / 0)", 0, "completed"),
        # Neither a thread nor its exit ends the script.
        ("import threading; threading.Thread(target=lambda: 1 / 0).start()", 0, "completed"),
        ("import threading; threading.Thread(target=sys.exit, args=[1]).start()", 0, "completed"),
    ],
)
def test_a_script_has_failed_if_an_exception_ended_it(
    db_path: Path, ending: str, code: int, state: str
) -> None:
    assert run_until_ready(db_path, BEGIN + "    " + ending + "\n", None)[0] == code
    assert outcome(db_path) == (state, 100)


@pytest.mark.parametrize(("ending", "state"), [("pass", "completed"), ("1 / 0", "failed")])
def test_a_thread_that_dies_fails_the_run_that_it_has_started(
    db_path: Path, ending: str, state: str
) -> None:
    script = f"""
    import sys, threading, trackai
    def work():
        run = trackai.init(project="p")
        for step in range(100):
            trackai.log({{"x": step}})
        {ending}
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
"""
    assert run_until_ready(db_path, script, None)[0] == 0
    assert outcome(db_path) == (state, 100)


def test_an_error_at_the_prompt_does_not_fail_a_run(db_path: Path, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    for number, (source, statement, state) in enumerate(
        [("", "typo", "completed"), ("1 / 0", "pass", "failed")]
    ):
        begin = textwrap.dedent(BEGIN).replace("project", f'name="{number}", project')
        script.write_text(begin + source)
        subprocess.run(
            [sys.executable, "-i", script],
            env={**os.environ, "TRACKAI_DB_PATH": str(db_path)},
            input=statement + "\n",
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert trackai.Api().run(f"p/{number}").state == state


@pytest.mark.parametrize("name", ["<ipython-input-{}-1a2b>", "/tmp/ipykernel_7/{}.py"])
@pytest.mark.parametrize(
    ("cells", "state"),
    [
        (["trackai.init(project='p')\n1 / 0", "2"], "failed"),
        (["trackai.init(project='p')\nf = lambda: 1 / 0", "f()"], "completed"),
        (["trackai.init(project='p')", "1 / 0"], "completed"),
    ],
)
def test_an_error_in_the_cell_of_init(
    db_path: Path, name: str, cells: list[str], state: str
) -> None:
    """IPython compiles each statement of a cell by itself."""
    script = f"""
    import ast, sys, trackai
    sys.ps1 = "> "
    for number, cell in enumerate({cells}):
        for statement in ast.parse(cell).body:
            code = compile(ast.Module([statement], []), {name!r}.format(number), "exec")
            try:
                exec(code, globals())
            except Exception as error:
                sys.last_value = sys.last_exc = error
                break
    """
    assert run_until_ready(db_path, script, None)[0] == 0
    assert outcome(db_path) == (state, 0)


WORKER = """
    import multiprocessing, os, sys, time, trackai
    from concurrent.futures import ProcessPoolExecutor

    def work():
        run = trackai.init(project="p")
        for step in range(100):
            trackai.log({{"x": step}})
        {ending}

    def task(number):
        work()

    if __name__ == "__main__":
        context = multiprocessing.get_context({method!r})
        {start}
"""
START = "process = context.Process(target=work); process.start(); process.join(60)"


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
@pytest.mark.parametrize(
    ("ending", "state"),
    [
        ("pass", "completed"),
        ("sys.exit(0)", "completed"),
        ("raise SystemExit", "completed"),
        ("1 / 0", "failed"),
        ("sys.exit(2)", "failed"),
        ("raise SystemExit('no')", "failed"),
        ("os.kill(os.getpid(), 15)", "failed"),
    ],
)
def test_how_a_process_of_multiprocessing_ends(
    db_path: Path, tmp_path: Path, method: str, ending: str, state: str
) -> None:
    run_workers(db_path, tmp_path, WORKER.format(method=method, ending=ending, start=START))
    assert outcome(db_path) == (state, 100)


@pytest.mark.parametrize(
    "start",
    [
        "with context.Pool(1) as pool: pool.map(task, [1])",  # which terminates its idle workers
        "pool = context.Pool(1); pool.map(task, [1]); pool.close(); pool.join()",
        "with ProcessPoolExecutor(1, context) as pool: list(pool.map(task, [1]))",
    ],
)
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_a_run_that_a_task_of_a_pool_leaves_open(
    db_path: Path, tmp_path: Path, method: str, start: str
) -> None:
    run_workers(db_path, tmp_path, WORKER.format(method=method, ending="pass", start=start))
    assert outcome(db_path) == ("completed", 100)


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_a_pool_that_is_terminated_while_its_workers_leave(
    db_path: Path, tmp_path: Path, method: str
) -> None:
    ending = """
        import logging
        class Terminating(logging.Handler):
            def emit(self, record):
                if record.getMessage().startswith("worker got sentinel"):
                    os.kill(os.getpid(), 15)
        multiprocessing.get_logger().addHandler(Terminating())
        multiprocessing.get_logger().setLevel(logging.DEBUG)
    """
    start = "pool = context.Pool(1); pool.map(task, [1]); pool.close(); pool.join()"
    run_workers(db_path, tmp_path, WORKER.format(method=method, ending=ending, start=start))
    assert outcome(db_path) == ("completed", 100)


def test_a_pool_that_is_terminated_in_the_middle_of_a_task(db_path: Path, tmp_path: Path) -> None:
    ending = "open('ready', 'w').close(); time.sleep(60)"
    start = """
        with context.Pool(1) as pool:
            pool.map_async(task, [1])
            while not os.path.exists("ready"): time.sleep(0.01)
    """
    run_workers(db_path, tmp_path, WORKER.format(method="spawn", ending=ending, start=start))
    assert outcome(db_path) == ("failed", 100)


@pytest.mark.parametrize("ending", ["pass", "1 / 0", "sys.exit(2)", "os._exit(2)"])
def test_a_worker_that_inherits_a_run_does_not_end_it(
    db_path: Path, tmp_path: Path, ending: str
) -> None:
    script = f"""
    import multiprocessing, os, sys, trackai

    def work():
        for step in range(50):
            trackai.log({{"x": step}})
        {ending}

    if __name__ == "__main__":
        trackai.init(project="p")
        process = multiprocessing.get_context("fork").Process(target=work)
        process.start()
        process.join(60)
        assert trackai.run is not None
        for step in range(50):
            trackai.log({{"x": step}})
    """
    run_workers(db_path, tmp_path, script)
    assert outcome(db_path) == ("completed", 100)


def run_workers(db_path: Path, tmp_path: Path, script: str) -> None:
    """Run a script from a file, as multiprocessing needs, and store what it leaves."""
    (tmp_path / "train.py").write_text(textwrap.dedent(script))
    subprocess.run(
        [sys.executable, "train.py"],
        cwd=tmp_path,
        env={**os.environ, "TRACKAI_DB_PATH": str(db_path)},
        capture_output=True,
        check=True,
        timeout=120,
    )
