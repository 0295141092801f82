"""What `import trackai` and `init` load, and what is loaded after `init` has returned."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import trackai

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Loaded when they are used, or by the background threads of a run.
LATE = (
    "shutil",
    "tempfile",
    "trackai.client",
    "trackai.filters",
    "trackai.ingest.deliveries",
    "trackai.sdk.artifact_media",
    "trackai.sdk.git",
    "trackai.sdk.media",
    "trackai.sdk.plot",
    "trackai.sdk.server_destination",
    "trackai.sdk.table",
    "trackai.sdk.webhook",
    "trackai.store.catalogue.files",
    "trackai.store.charts",
    "trackai.store.points.metrics",
    "trackai.store.points.pieces",
    "trackai.store.points.rows",
    "trackai.store.postgres",
    "trackai.store.transfer",
    "trackai.store.upkeep",
    "trackai.values.secrets",
)


def test_init_and_log_load_only_what_they_need(
    db_path: Path, run_python: Callable[..., Any]
) -> None:
    result = run_python(
        """
        import sys, trackai
        trackai.init
        imported = set(sys.modules)
        from trackai.sdk import environment
        from trackai.sdk.destination import Destination
        environment._DELAY_SECONDS = Destination.poll_seconds = 60
        run = trackai.init(project="p", config={"lr": 0.1})
        trackai.log({"loss": 0.5})
        print(*sorted(imported), ";", *sorted(sys.modules))
        """
    )
    imported, logged = (set(part.split()) for part in result.stdout.rsplit("\n", 2)[-2].split(";"))
    assert "trackai.sdk.run" in imported
    assert "anyio._backends._asyncio" in logged
    assert imported.isdisjoint(LATE)
    assert logged.isdisjoint(LATE)


def test_finish_finds_all_that_it_needs_loaded(
    db_path: Path, tmp_path: Path, run_python: Callable[..., Any]
) -> None:
    """A script may change its working directory, where Python would look for modules."""
    (elsewhere := tmp_path / "elsewhere").mkdir()
    for name in ("tempfile", "shutil", "random", "trackai"):
        (elsewhere / f"{name}.py").write_text("raise RuntimeError")
    run_python(
        f"""
        import os, sys, time, trackai
        from trackai.lazy_imports import import_lock
        sys.path.insert(0, "")
        run = trackai.init(project="p", name="r", auto_log=True)
        while "trackai.ingest.deliveries" not in sys.modules or run._survey._thread.is_alive():
            time.sleep(0.01)
        with import_lock:
            os.chdir({str(elsewhere)!r})
        before = set(sys.modules)
        for step in range(10):
            trackai.log({{"loss": 0.5, "text": "x"}}, step=step)
        trackai.finish()
        assert not (late := sys.modules.keys() - before), late
        """
    )
    assert trackai.Api(db_path).run("p/r").history("loss")["loss"].steps[-1] == 9


@pytest.mark.skipif(sys.platform == "win32", reason="limits the file handles")
def test_without_file_handles_imports_are_tried_again(
    db_path: Path, run_python: Callable[..., Any]
) -> None:
    result = run_python(
        """
        import os, resource, sys, time, trackai
        from trackai.sdk import environment
        from trackai.sdk.destination import Destination
        environment._DELAY_SECONDS = Destination.poll_seconds = 0.3

        run = trackai.init(project="p", name="r")
        assert "trackai.ingest.deliveries" not in sys.modules
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, most))
        handles = []
        try:
            while True:
                handles.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            pass
        for number in range(10):
            trackai.log({"loss": number})
        time.sleep(1)
        for handle in handles:
            os.close(handle)
        """
    )
    assert "Traceback" not in result.stderr
    assert result.stderr.count("points wait in") == 1
    assert trackai.Api(db_path).run("p/r").history("loss")["loss"].steps[-1] == 9


@pytest.mark.skipif(sys.platform == "win32", reason="limits the file handles")
def test_without_file_handles_values_with_one_form_are_logged(
    db_path: Path, run_python: Callable[..., Any]
) -> None:
    result = run_python(
        """
        import datetime, decimal, enum, fractions, os, resource, sys, trackai, uuid

        class Colour(enum.Enum):
            RED = "red"

        run = trackai.init(project="p", name="r")
        assert "trackai.sdk.media" not in sys.modules
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, most))
        handles = []
        try:
            while True:
                handles.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            pass
        run.log({
            "decimal": decimal.Decimal("1.5"),
            "fraction": fractions.Fraction(1, 4),
            "complex": 1 + 2j,
            "date": datetime.date(2026, 1, 2),
            "duration": datetime.timedelta(seconds=3),
            "enum": Colour.RED,
            "uuid": uuid.UUID(int=0),
        })
        for handle in handles:
            os.close(handle)
        """
    )
    assert "left out" not in result.stderr
    summary = trackai.Api(db_path).run("p/r").summary
    assert {name: figures.last for name, figures in summary.items()} == {
        "decimal": 1.5,
        "fraction": 0.25,
        "complex": "(1+2j)",
        "date": "2026-01-02",
        "duration": 3,
        "enum": "red",
        "uuid": "00000000-0000-0000-0000-000000000000",
    }


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_waits_for_an_import_in_the_background(
    tmp_path: Path, run_python: Callable[..., Any]
) -> None:
    (tmp_path / "slow.py").write_text("import sys, time\nsys.began = True\ntime.sleep(0.5)\n")
    run_python(
        f"""
        import os, sys, threading, time, trackai
        from trackai.lazy_imports import import_lazily

        sys.path.insert(0, {str(tmp_path)!r})
        importing = threading.Thread(target=import_lazily, args=("slow",))
        importing.start()
        while not hasattr(sys, "began"):
            time.sleep(0.001)
        child = os.fork()
        if child == 0:
            import slow  # would wait for the thread, which is not in this process
            os._exit(7)
        importing.join()
        deadline = time.monotonic() + 20
        pid = status = 0
        while not pid and time.monotonic() < deadline:
            pid, status = os.waitpid(child, os.WNOHANG)
            time.sleep(0.01)
        if not pid:
            os.kill(child, 9)
        assert os.waitstatus_to_exitcode(status) == 7
        assert os.fork() or os._exit(0) is None  # the lock is free again
        os.wait()
        """
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_does_not_keep_an_import_from_logging(
    tmp_path: Path, run_python: Callable[..., Any]
) -> None:
    (tmp_path / "slow.py").write_text(
        "import logging, sys, time\n"
        "sys.began = True\n"
        "time.sleep(0.5)\n"
        "logging.getLogger('slow')\n"
        "sys.ended = True\n"
    )
    run_python(
        f"""
        import sys, trackai
        from trackai.lazy_imports import import_lazily
        import logging, os, threading, time

        sys.path.insert(0, {str(tmp_path)!r})
        importing = threading.Thread(target=import_lazily, args=("slow",))
        importing.start()
        while not hasattr(sys, "began"):
            time.sleep(0.001)
        child = os.fork()
        if child == 0:
            os._exit(7 if hasattr(sys, "ended") else 1)
        pid, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 7
        importing.join()
        """
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_imports_although_an_import_has_kept_the_lock(
    run_python: Callable[..., Any],
) -> None:
    run_python(
        """
        import os, threading
        from trackai import lazy_imports

        lazy_imports._FORK_SECONDS = 0.1
        is_held, may_end = threading.Event(), threading.Event()

        def hold():
            with lazy_imports.import_lock:
                is_held.set()
                may_end.wait()

        holding = threading.Thread(target=hold, daemon=True)
        holding.start()
        is_held.wait()
        child = os.fork()
        if child == 0:
            for _ in range(2):
                is_free = lazy_imports.import_lock.acquire(timeout=5)
                lazy_imports.import_lock.release()
            os._exit(7 if is_free else 1)
        pid, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 7
        may_end.set()
        holding.join()
        """
    )


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of Windows cannot close them")
@pytest.mark.parametrize("closed", ["0<&- 1>&- 2>&-", "0<&-", "1>&-"])
def test_closed_standard_streams_can_be_written_and_redirected(
    db_path: Path, tmp_path: Path, closed: str
) -> None:
    """Files and sockets of the tracker have no number that the program takes for its output."""
    script = tmp_path / "train.py"
    script.write_text(
        """
import os, trackai
run = trackai.init(project="p", name="r", capture=False)
def print_everywhere():
    for number in (0, 1, 2):
        try:
            os.write(number, b"printed")
        except OSError:
            pass
for step in range(100):
    run.log({"loss": step / 2}, step=step)
    print_everywhere()
log = os.open("printed.txt", os.O_WRONLY | os.O_CREAT)
for number in (0, 1, 2):
    os.dup2(log, number)
for step in range(100, 200):
    run.log({"loss": step / 2}, step=step)
    print_everywhere()
run.finish()
"""
    )
    with (tmp_path / "output").open("wb") as output:
        process = subprocess.Popen(
            ["sh", "-c", f'exec "$0" "$1" {closed}', sys.executable, str(script)],
            cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
        try:
            assert process.wait(250) == 0, (tmp_path / "output").read_text()
        finally:
            process.kill()
            process.wait()
    rows = trackai.Api().run("p/r").scan_history(["loss"])
    assert [row["loss"] for row in rows] == [step / 2 for step in range(200)]
    assert (tmp_path / "printed.txt").read_bytes() == b"printed" * 300
