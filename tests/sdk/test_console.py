"""What a script prints becomes logs of its run, and the terminal shows the same as without."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import re
import sqlite3
import subprocess
import sys
import termios
import textwrap
import time
from collections import deque
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

import trackai
from tests.conftest import serving
from trackai.errors import InvalidInputError
from trackai.sdk.tee import Tee

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    RunPython = Callable[..., subprocess.CompletedProcess[str]]

ON = {"TRACKAI_AUTO_LOG": "1", "PYTHONUNBUFFERED": ""}


def logs(path: Path, run: str = "%") -> dict[str, list[str]]:
    """The captured lines by name, in their order."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            """
            SELECT series.path, metrics.value FROM metrics
            JOIN series ON series.id = metrics.series_id JOIN runs ON runs.id = series.run_id
            WHERE series.axis = 'time' AND series.path LIKE '%logs/%' AND runs.name LIKE ?
            ORDER BY series.path, metrics.step
            """,
            (run,),
        ).fetchall()
    lines: dict[str, list[str]] = {}
    for name, text in rows:
        lines.setdefault(name, []).append(text)
    return lines


def recovered_logs(path: Path) -> dict[str, list[str]]:
    command = [sys.executable, "-m", "trackai.cli", "recover", "--db", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return logs(path)


def test_printed_lines_are_logs_of_the_run(db_path: Path, run_python: RunPython) -> None:
    ran = run_python(
        """
        import logging, sys, trackai
        handler = logging.StreamHandler()  # has the stream already
        print("before")
        run = trackai.init(project="p")
        print("one", 1, end="\\n\\n")
        print("half", end=" "), print("line")
        sys.stdout.writelines(["two\\n", "three\\n"])
        logging.getLogger("x").addHandler(handler)
        logging.getLogger("x").warning("careful")
        run.log({"loss": 1})
        assert run.step == 1
        assert dict(run.summary) == {"loss": 1}
        run.finish()
        print("after")
        """,
        **ON,
    )
    assert ran.stdout == "before\none 1\n\nhalf line\ntwo\nthree\nafter\n"
    assert ran.stderr == "careful\n"
    assert logs(db_path) == {
        "logs/stderr": ["careful"],
        "logs/stdout": ["one 1", "", "half line", "two", "three"],
    }


def test_each_run_has_what_is_printed_while_it_runs(db_path: Path, run_python: RunPython) -> None:
    run_python(
        """
        import trackai
        for name in "ab":
            with trackai.init(project="p", name=name):
                print(name)
        outer = trackai.init(project="p", name="outer")
        print("1")
        inner = trackai.init(project="p", name="inner", reinit="create_new")
        print("2")
        inner.finish()
        print("3")
        trackai.init(project="p", name="off", capture=False)
        print("4")
        """,
        **ON,
    )
    names = ["a", "b", "outer", "inner", "off"]
    assert [logs(db_path, name).get("logs/stdout") for name in names] == [
        ["a"], ["b"], ["1", "2", "3"], ["2"], None,
    ]  # fmt: skip


ENDINGS = {
    "normal": ("", 0),
    "exit": ("sys.exit(3)", 3),
    "error": ("raise ValueError('no')", 1),
    "os._exit": ("sys.stdout.flush(); os._exit(4)", 4),
    "kill": ("sys.stdout.flush(); os.kill(os.getpid(), 9)", -9),
    "interrupt": ("import signal; signal.raise_signal(signal.SIGINT)", -2),
    "terminate": ("import signal; signal.raise_signal(signal.SIGTERM)", -15),
}


@pytest.mark.parametrize("how", ENDINGS)
def test_the_output_and_the_exit_code_are_those_of_a_run_without(
    how: str, run_python: RunPython
) -> None:
    ending, code = ENDINGS[how]
    script = f"""
        import os, sys, subprocess, trackai
        trackai.init(project="p")
        print("out \\x1b[1mbold\\x1b[0m", "\\r10%\\r20%")
        print("err", file=sys.stderr)
        sys.stdout.flush()
        subprocess.run([sys.executable, "-c", "print('child')"])
        os.write(1, b"direct\\n")
        sys.stdout.buffer.write(b"bytes\\n")
        print("no end", end="")
        {ending}
        """
    results = [run_python(script, check=False, TRACKAI_AUTO_LOG=switch) for switch in "01"]
    assert [(ran.stdout, ran.stderr) for ran in results[:1]] == [
        (ran.stdout, ran.stderr) for ran in results[1:]
    ]
    assert [ran.returncode for ran in results] == [code, code]


@pytest.mark.parametrize("how", ["os._exit(1)", "os.kill(os.getpid(), 9)"])
def test_a_process_that_dies_has_logged_all_but_the_last_second(
    db_path: Path, run_python: RunPython, how: str
) -> None:
    run_python(
        f"""
        import os, sys, time, trackai
        trackai.init(project="p")
        for number in range(5):
            print("line", number)
        print("bar 50%", end="\\r", file=sys.stderr)
        time.sleep(2)
        {how}
        """,
        check=False, **ON,
    )  # fmt: skip
    assert recovered_logs(db_path) == {
        "logs/stdout": [f"line {number}" for number in range(5)],
        "logs/stderr": ["bar 50%"],
    }


def test_the_traceback_of_an_exception_is_logged(db_path: Path, run_python: RunPython) -> None:
    for start in ("trackai.init(project='p')", "with trackai.init(project='p'): raise OSError(5)"):
        run_python(f"import trackai\n{start}\nraise OSError(5)", check=False, **ON)
    with closing(sqlite3.connect(db_path)) as connection:
        rows = connection.execute("SELECT value FROM metrics ORDER BY series_id, step").fetchall()
    assert [line for (line,) in rows if not line.startswith((" ", "Trace"))] == [
        "OSError: 5", "OSError: 5",
    ]  # fmt: skip


def test_threads_lose_nothing(db_path: Path, run_python: RunPython) -> None:
    run_python(
        """
        import os, sys, threading, trackai
        # Where the output goes does not matter: until 3.12, print() of several threads to a pipe
        # loses lines and writes wrong bytes, also without TrackAI.
        sys.stdout = open(os.devnull, "w")
        def work(name):
            for number in range(500):
                print(f"{name} {number}\\n", end="")
        trackai.init(project="p")
        threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        """,
        **ON,
    )
    lines = logs(db_path)["logs/stdout"]
    assert sorted(lines) == sorted(f"{name} {number}" for name in "abcd" for number in range(500))
    assert [line for line in lines if line[0] == "a"] == [f"a {number}" for number in range(500)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs forks")
def test_forked_processes(db_path: Path, run_python: RunPython) -> None:
    ran = run_python(
        """
        import os, multiprocessing, sys, trackai, warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # about forking with threads
        def work(number):
            print("worker", number, flush=True)
            print(f"bar {number}", end="\\r", file=sys.stderr, flush=True)
            return number
        if __name__ == "__main__":
            trackai.init(project="p")
            print("parent 1", flush=True)
            pid = os.fork()
            if pid == 0:
                print("child", flush=True)
                os._exit(0)
            os.waitpid(pid, 0)
            context = multiprocessing.get_context("fork")
            with context.Pool(2) as pool:
                assert pool.map(work, range(4), chunksize=1) == [0, 1, 2, 3]
            print("parent 2", flush=True)
        """,
        **ON,
    )
    lines = logs(db_path)["logs/stdout"]
    expected = ["parent 1", "child", *(f"worker {number}" for number in range(4)), "parent 2"]
    assert sorted(ran.stdout.splitlines()) == sorted(expected)
    assert sorted(lines) == sorted(expected)


def on_terminal(script: str, db_path: Path, **env: str) -> tuple[bytes, int]:
    """Run a script whose streams are a terminal; its output and exit code."""
    pid, master = pty.fork()
    if pid == 0:
        termios.tcsetwinsize(1, (24, 80))
        environment = {**os.environ, "TRACKAI_DB_PATH": str(db_path), **env}
        os.execve(sys.executable, [sys.executable, "-c", textwrap.dedent(script)], environment)
    output = b""
    with contextlib.suppress(OSError):  # the terminal has been closed
        while part := os.read(master, 65536):
            output += part
    os.close(master)
    return output, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


TERMINAL = """
    import os, sys, trackai
    from tqdm import tqdm
    run = trackai.init(project="p", name="r", capture=CAPTURE)
    print([stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)])
    print([os.isatty(number) for number in range(3)], os.get_terminal_size(1))
    print(sys.stdout.fileno(), sys.stdout.encoding, sys.stdout.line_buffering, sys.stdout.name)
    for _ in tqdm(range(3), bar_format="{desc}{n}/{total}", mininterval=0):
        print("colour \\x1b[32mgreen\\x1b[0m")
    sys.exit(7)
"""


def test_a_terminal_stays_a_terminal(db_path: Path) -> None:
    outputs = [
        on_terminal(TERMINAL.replace("CAPTURE", repr(capture)), db_path)
        for capture in (False, True)
    ]
    assert outputs[0] == outputs[1]
    assert outputs[0][1] == 7
    assert b"[True, True, True]" in outputs[0][0]
    assert logs(db_path)["logs/stdout"][3:] == ["colour green"] * 3
    assert logs(db_path)["logs/stderr"][-1] == "3/3"


def test_streams_that_are_replaced_later_keep_working(
    db_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stream, err = sys.stdout, sys.stderr
    with trackai.init(project="p", capture=True):
        print("a")
        with contextlib.redirect_stdout(io.StringIO()) as text:
            print("redirected")
        sys.stdout = io.StringIO()
        print("replaced")
    assert text.getvalue() == "redirected\n"
    assert isinstance(sys.stdout, io.StringIO)
    sys.stdout = stream
    assert "write" not in vars(stream)
    assert "write" not in vars(err)
    assert capsys.readouterr().out == "a\n"
    assert logs(db_path) == {"logs/stdout": ["a"]}


def test_a_method_that_other_code_replaces_stays(db_path: Path) -> None:
    stream = sys.stdout = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    seen = []
    try:
        run = trackai.init(project="p", capture=True)
        ours = vars(stream)["write"]

        def theirs(text: str) -> int:
            seen.append(text)
            written: int = ours(text)
            return written

        stream.write = theirs  # type: ignore[method-assign]
        print("x")
        run.finish()
        assert vars(stream)["write"] is theirs
        print("y")
    finally:
        sys.stdout = sys.__stdout__
    stream.flush()
    assert stream.buffer.getvalue() == b"x\ny\n"
    assert "".join(seen) == "x\ny\n"
    assert logs(db_path) == {"logs/stdout": ["x"]}


def test_a_method_that_other_code_had_replaced_comes_back(db_path: Path) -> None:
    stream: Any = io.StringIO()
    wrapper: Any = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    wrapper.write = before = stream.write
    sys.stderr, previous = wrapper, sys.stderr
    try:
        with trackai.init(project="p", capture=True):
            print("x", file=wrapper)
    finally:
        sys.stderr = previous
    assert vars(wrapper)["write"] is before
    assert stream.getvalue() == "x\n"
    assert logs(db_path) == {"logs/stderr": ["x"]}


class Fixed:
    """A stream whose methods cannot be replaced."""

    __slots__ = ("text",)

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None: ...

    def isatty(self) -> bool:
        return False


@pytest.mark.parametrize("stream", [None, Fixed()])
def test_streams_that_cannot_be_captured(
    db_path: Path, monkeypatch: pytest.MonkeyPatch, stream: Any
) -> None:
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", stream)
    with trackai.init(project="p", capture=True):
        print("x")
    assert logs(db_path) == {}
    assert stream is None or stream.text == "x\n"


def test_one_object_for_both_streams_is_logged_once(
    db_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.StringIO()
    wrapper = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(sys, "stdout", wrapper)
    monkeypatch.setattr(sys, "stderr", wrapper)
    with trackai.init(project="p", capture=True):
        print("x")
        print("y", file=sys.stderr)
    assert logs(db_path) == {"logs/stdout": ["x", "y"]}
    assert stream.getvalue() == ""


def test_what_a_stream_raises_reaches_the_script(db_path: Path, run_python: RunPython) -> None:
    ran = run_python(
        """
        import sys, trackai
        run = trackai.init(project="p")
        sys.stdout.reconfigure(encoding="ascii")
        for text in ("é", 7):
            try:
                sys.stdout.write(text)
            except (UnicodeEncodeError, TypeError) as error:
                print(type(error).__name__)
        sys.stdout.close()
        try:
            print("x")
        except ValueError as error:
            print(error, file=sys.stderr)
        run.log({"x": 1})
        """,
        **ON,
    )
    assert ran.stdout == "UnicodeEncodeError\nTypeError\n"
    assert ran.stderr == "I/O operation on closed file.\n"
    assert logs(db_path)["logs/stdout"] == ["UnicodeEncodeError", "TypeError"]


PIPE = """
import sys, time, trackai
trackai.init(project="p")
for number in range(100_000):
    print("line", number)
"""


def test_a_reader_that_goes_away_ends_the_script_as_without(db_path: Path) -> None:
    results = []
    for switch in "01":
        env = {**os.environ, "TRACKAI_DB_PATH": str(db_path), "TRACKAI_AUTO_LOG": switch}
        command = f"{sys.executable} -c '{PIPE}' | head -n 1; echo ${{PIPESTATUS[0]}}"
        ran = subprocess.run(["bash", "-c", command], env=env, capture_output=True, text=True)
        results.append((ran.stdout, ran.stderr.splitlines()[-1]))
    assert results[0] == results[1]
    assert results[0][0] == "line 0\n1\n"


def test_a_flood_is_bounded_and_its_end_is_kept(db_path: Path, run_python: RunPython) -> None:
    ran = run_python(
        """
        import trackai
        trackai.init(project="p")
        for number in range(300_000):
            print("line", number)
        print("x" * 10_000_000)
        print("the end")
        """,
        **ON,
    )
    assert ran.stdout.count("\n") == 300_002
    lines = logs(db_path)["logs/stdout"]
    assert lines[0] == "line 0"
    assert lines[-1] == "the end"
    assert len(lines) < 30_000
    assert any(re.fullmatch(r"\[trackai: \d+ lines left out: .*\]", line) for line in lines)


def test_own_warnings_are_logged_and_do_not_recur(db_path: Path, run_python: RunPython) -> None:
    ran = run_python(
        """
        import trackai
        run = trackai.init(project="p")
        run.log({"x": object()})
        """,
        **ON,
    )
    assert logs(db_path)["logs/stderr"] == ran.stderr.splitlines()
    assert len(ran.stderr.splitlines()) == 2


def test_ranks_have_logs_of_their_own(db_path: Path, run_python: RunPython) -> None:
    for rank in "01":
        run_python(
            "import trackai; trackai.init(project='p', name='r'); print('rank')",
            TRACKAI_RUN_ID="shared", TRACKAI_RANK=rank, **ON,
        )  # fmt: skip
    assert logs(db_path) == {"logs/stdout": ["rank"], "rank-1/logs/stdout": ["rank"]}


def test_texts_that_are_not_valid_unicode(db_path: Path) -> None:
    script = """
import trackai
trackai.init(project='p')
print(b'caf\\xe9'.decode(errors='surrogateescape'))
"""
    env = {**os.environ, **ON, "PYTHONIOENCODING": "utf-8:surrogateescape"}
    ran = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, check=True)
    assert ran.stdout == b"caf\xe9\n"
    assert logs(db_path)["logs/stdout"] == ["caf\\udce9"]


@pytest.mark.parametrize(
    ("capture", "settings", "variable", "switch", "is_on"),
    [
        (None, None, "", "1", True),
        (None, None, "", "0", False),
        (True, None, "off", "0", True),
        ("wrap", None, "", "0", True),
        (False, None, "", "1", False),
        (None, None, "off", "1", False),
        (None, None, "wrap_emu", "1", True),
        (None, None, "wrap", "0", False),
        (None, trackai.Settings(console="off"), "", "1", False),
        (None, {"console": "wrap"}, "off", "0", True),
    ],
)
def test_what_decides_whether_it_is_captured(
    db_path: Path, monkeypatch: pytest.MonkeyPatch, capture: Any, settings: Any, variable: str,
    switch: str, is_on: bool,
) -> None:  # fmt: skip
    monkeypatch.setenv("TRACKAI_AUTO_LOG", switch)
    monkeypatch.setenv("WANDB_CONSOLE", variable)
    with trackai.init(project="p", capture=capture, settings=settings, auto_log_cpu=False):
        print("x")
    assert ("logs/stdout" in logs(db_path)) is is_on


def test_settings_that_are_heeded_get_no_warning(
    db_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = trackai.Settings(console="off", reinit="create_new", start_method="fork")
    trackai.init(project="p", settings=settings).finish()
    assert caplog.messages == [
        "trackai does not support the setting start_method of wandb; it is ignored"
    ]


def test_values_that_are_refused(db_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values: list[Any] = ["yes", 1.0, 1, []]
    for capture in values:
        with pytest.raises(InvalidInputError, match=r'^capture: must be a bool, "wrap" or "fd"'):
            trackai.init(project="p", capture=capture)
    with pytest.raises(InvalidInputError, match=r"^settings.console: must be one of auto"):
        trackai.init(project="p", settings=trackai.Settings(console="maybe"))
    monkeypatch.setenv("TRACKAI_AUTO_LOG", "1")
    monkeypatch.setenv("WANDB_CONSOLE", "maybe")
    with pytest.raises(InvalidInputError, match=r"^WANDB_CONSOLE: must be one of auto"):
        trackai.init(project="p")
    assert not db_path.exists()


def test_lines_wait_while_the_journal_cannot_be_written(db_path: Path) -> None:
    run = trackai.init(project="p")
    lines = deque([(1, "a"), (2, "b")])
    run._journal.failure = OSError(28, "No space left on device")
    run._log_lines("logs/stdout", lines, final=False)
    assert len(lines) == 2
    run._journal.failure = None
    run._log_lines("logs/stdout", lines, final=False)
    assert not lines
    run.finish()
    assert logs(db_path) == {"logs/stdout": ["a", "b"]}


def test_a_run_on_a_server(db_path: Path, run_python: RunPython, tmp_path: Path) -> None:
    with serving(db_path) as server:
        run_python(
            "import trackai; trackai.init(project='p'); print('over the network')",
            TRACKAI_SERVER_URL=server.url, TRACKAI_OUTBOX_PATH=str(tmp_path / "o"), **ON,
        )  # fmt: skip
        [run] = server.get("/api/runs?limit=10")["runs"]
        page = server.get(f"/api/runs/{run['id']}/log?metric=logs/stdout&search=NETWORK")
    assert [line["text"] for line in page["lines"]] == ["over the network"]


def test_a_signal_handler_that_finishes_and_prints(db_path: Path, run_python: RunPython) -> None:
    ran = run_python(
        """
        import os, signal, sys, threading, time, trackai
        run = trackai.init(project="p")
        def stop(*_):
            print("stopping")
            run.finish()
            sys.exit(5)
        signal.signal(signal.SIGUSR1, stop)
        threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        number = 0
        while True:
            run.log({"x": number})
            print(number := number + 1)
        """,
        check=False, **ON,
    )  # fmt: skip
    assert ran.returncode == 5, ran.stderr
    assert logs(db_path)["logs/stdout"][-1] == "stopping"


def test_a_tee_gives_back_what_it_replaced() -> None:
    stream = io.TextIOWrapper(io.BytesIO())
    tee = Tee(stream)

    class Collected:
        text = ""

        def feed(self, text: str, now: int) -> None:
            assert abs(now / 1e6 - time.time()) < 60
            self.text += text

        def leave_out(self, lines: int) -> None:
            raise AssertionError

        def log(self) -> None:
            raise AssertionError

    first, second = Collected(), Collected()
    tee.add(first)
    for number in range(1000):
        stream.write(f"{number}\n")
        if number == 500:
            stream.write("x" * 5000)
            tee.add(second)
    tee.remove(first)
    tee.remove(second)
    stream.write("after")
    expected = "".join(f"{number}\n" for number in range(1000))
    assert first.text.replace("x" * 5000, "") == expected
    assert second.text == "".join(f"{number}\n" for number in range(501, 1000))
    assert "write" not in vars(stream)
