"""capture="fd": also what C code and child processes print."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import trackai
from tests.sdk.test_console import ENDINGS, TERMINAL, logs, on_terminal, recovered_logs

if TYPE_CHECKING:
    from collections.abc import Callable

    RunPython = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no file descriptors to share")


def test_what_c_code_and_child_processes_print(db_path: Path, run_python: RunPython) -> None:
    ran = run_python(
        """
        import ctypes, multiprocessing, os, subprocess, sys, trackai

        def work(number):
            print("worker", number, flush=True)

        if __name__ == "__main__":
            run = trackai.init(project="p", capture="fd")
            print("python", flush=True)
            os.write(1, b"direct\\n")
            libc = ctypes.CDLL(None)
            libc.puts(b"from C")
            libc.fflush(None)
            sys.stdout.buffer.write("binär\\n".encode())
            print("buffered")
            sys.stdout.flush()
            subprocess.run([sys.executable, "-c", "print('child')"], check=True)
            subprocess.run("echo shell; echo wrong >&2", shell=True, check=True)
            process = multiprocessing.get_context("fork").Process(target=work, args=(1,))
            process.start(), process.join()
            print("last")
            run.finish()
            print("after")
        """
    )
    expected = [
        "python", "direct", "from C", "binär", "buffered", "child", "shell", "worker 1", "last",
    ]  # fmt: skip
    assert ran.stdout.splitlines() == [*expected, "after"]
    assert ran.stderr == "wrong\n"
    assert logs(db_path) == {"logs/stdout": expected, "logs/stderr": ["wrong"]}


@pytest.mark.parametrize("how", ENDINGS)
@pytest.mark.parametrize("is_one", [False, True])
def test_the_output_and_the_exit_code_are_those_of_a_run_without(
    db_path: Path, how: str, is_one: bool
) -> None:
    ending, code = ENDINGS[how]
    # A signal ends Python without what is in its buffer, which the end of the redirection writes.
    flush = how == "terminate"
    script = f"""
import os, sys, subprocess, trackai
trackai.init(project="p", capture=CAPTURE)
for number in range(200):
    print("out", number, flush=True)
    print("err", number, file=sys.stderr)
subprocess.run([sys.executable, "-c", "print('child')"])
print("no end", end="", flush={flush})
{ending}
"""
    results = []
    for capture in ("False", "'fd'"):
        command = [sys.executable, "-c", script.replace("CAPTURE", capture)]
        ran = subprocess.run(
            command,
            env={**os.environ, "TRACKAI_DB_PATH": str(db_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if is_one else subprocess.PIPE,
        )
        results.append((ran.stdout, ran.stderr, ran.returncode))
    assert results[0] == results[1]
    assert results[1][2] == code


def test_what_is_buffered_does_not_overtake_what_is_being_forwarded(db_path: Path) -> None:
    script = """if True:
        import os, trackai
        trackai.init(project="p", capture="fd")
        os.write(1, b"first\\n" * 30_000)  # more than the pipe of the test holds
        print("last", end="")
    """
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        start = process.stdout.read(1)
        time.sleep(1)  # the relay waits, and the run ends
        assert start + process.stdout.read() == b"first\n" * 30_000 + b"last"


def test_a_terminal_stays_a_terminal(db_path: Path) -> None:
    outputs = [
        on_terminal(TERMINAL.replace("CAPTURE", repr(capture)), db_path)
        for capture in (False, "fd")
    ]
    assert outputs[0] == outputs[1]
    assert outputs[0][1] == 7
    # One log, as two would change the order.
    assert set(logs(db_path)) == {"logs/stdout"}
    assert "colour green" in str(logs(db_path))


def test_c_code_that_holds_the_lock_of_the_interpreter(
    db_path: Path, run_python: RunPython
) -> None:
    ran = run_python(
        """
        import ctypes, trackai
        run = trackai.init(project="p", capture="fd")
        text = (b"x" * 99 + b"\\n") * 50_000
        written = 0
        libc = ctypes.PyDLL(None)  # keeps the lock
        while written < len(text):
            count = libc.write(1, text[written:], len(text) - written)
            assert count > 0
            written += count
        """
    )
    assert ran.stdout == ("x" * 99 + "\n") * 50_000
    assert logs(db_path)["logs/stdout"][:20_000] == ["x" * 99] * 20_000


def test_a_killed_process_has_logged_all_but_the_last_second(
    db_path: Path, run_python: RunPython
) -> None:
    ran = run_python(
        """
        import os, time, trackai
        trackai.init(project="p", capture="fd")
        os.system("echo child")
        time.sleep(2)
        os.write(1, b"last")
        os.kill(os.getpid(), 9)
        """,
        check=False,
    )
    assert ran.stdout == "child\nlast"
    assert recovered_logs(db_path) == {"logs/stdout": ["child"]}


def relays() -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (folder / "cmdline").read_bytes()
            if b"relay.py" in command and (folder / "stat").read_text().split()[2] != "Z":
                found.append(int(folder.name))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
def test_without_its_relay_a_script_goes_on(db_path: Path) -> None:
    script = """
import os, sys, time, trackai
run = trackai.init(project="p", capture="fd")
print("one", flush=True)
sys.stdin.readline()
for number in range(30):
    print("more", number, flush=True)
    time.sleep(0.05)
run.finish()
print("end")
"""
    before = relays()
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, "TRACKAI_DB_PATH": str(db_path)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "one\n"
    [relay] = set(relays()) - set(before)
    os.kill(relay, signal.SIGKILL)
    output, _ = process.communicate("\n", timeout=60)
    assert process.returncode == 0
    assert output.splitlines() == [*(f"more {number}" for number in range(30)), "end"]


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
def test_nothing_is_left_behind(db_path: Path, run_python: RunPython) -> None:
    before = relays()
    ran = run_python(
        """
        import os, trackai
        fds = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            with trackai.init(project="p", capture="fd"):
                print("x")
        assert len(os.listdir("/proc/self/fd")) == fds
        try:
            os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            print("no children")
        """
    )
    assert ran.stdout == "x\nx\nx\nno children\n"
    deadline = time.monotonic() + 10
    while set(relays()) - set(before):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_other_code_may_redirect_too(db_path: Path, run_python: RunPython) -> None:
    ran = run_python(
        """
        import os, trackai
        run = trackai.init(project="p", capture="fd")
        print("one", flush=True)
        reader, writer = os.pipe()
        os.dup2(writer, 1)
        run.finish()
        print("two", flush=True)
        assert os.read(reader, 99) == b"two\\n"
        """
    )
    assert ran.stdout == "one\n"
    assert logs(db_path) == {"logs/stdout": ["one"]}


@pytest.mark.parametrize("end", ["run.finish()", "os._exit(0)"])
def test_forked_processes(db_path: Path, run_python: RunPython, end: str) -> None:
    ran = run_python(
        f"""
        import os, trackai, warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # about forking with threads
        run = trackai.init(project="p", capture="fd")
        if os.fork() == 0:
            run.log({{"x": 1}})
            print("child", flush=True)
            {end}
            os._exit(0)
        os.wait()
        print("parent", flush=True)
        """
    )
    assert ran.stdout == "child\nparent\n"
    assert logs(db_path) == {"logs/stdout": ["child", "parent"]}


def test_where_it_is_not_possible_python_code_is_logged(
    db_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Elsewhere:
        def __init__(self) -> None:
            self.lines: list[str] = []

        def write(self, text: str) -> int:
            self.lines.append(text)
            return len(text)

        def flush(self) -> None: ...

        def isatty(self) -> bool:
            return False

    stream: Any = Elsewhere()
    monkeypatch.setattr(sys, "stdout", stream)
    with trackai.init(project="p", capture="fd"):
        print("x")
    assert "sys.stdout does not write to the file descriptor 1" in caplog.text
    assert logs(db_path)["logs/stdout"] == ["x"]


@pytest.mark.parametrize("closed", ["1>&-", "0<&- 1>&-"])
def test_a_descriptor_that_was_closed_at_the_start_is_left_alone(
    db_path: Path, tmp_path: Path, closed: str
) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import os, sys, trackai\n"
        "run = trackai.init(project='p', capture='fd')\n"  # whose event loop opens 1
        "file = os.readlink('/dev/fd/1')\n"
        "print('x', file=sys.stderr, flush=True)\n"
        "run.log({'x': 1})\n"
        "run.finish()\n"
        "assert not file.startswith('pipe'), file\n"
    )
    ran = subprocess.run(
        ["sh", "-c", f'exec "$0" "$1" {closed}', sys.executable, str(script)],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert ran.stderr == "x\n"
    assert logs(db_path) == {"logs/stderr": ["x"]}
