"""Calls while the interpreter ends: no traceback, no waiting, and a warning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import trackai
from tests.sdk.test_run import query
from trackai.errors import NoActiveRunError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SCRIPT = """
    import atexit, os, sys, threading, time, trackai

    def late():
        assert trackai.run is None
        trackai.log({"late": 1})
        trackai.log_system({"late": 1})
        trackai.alert("late")
        held[0].log({"late": 1})
        held[0].save(__file__ if "__file__" in globals() else sys.executable)
        held[0].config["late"] = 1
        held[0].summary["late"] = 1
        held[0].finish()
        trackai.finish()
        print("called", flush=True)

    atexit.register(late)  # is called after the hook of TrackAI

    class Holder:
        def __del__(self):
            trackai.run
            self.run.log({"late": 1})
            trackai.log({"late": 1})

    def work():
        while True:
            trackai.log({"thread": 1})

    holder = Holder()
    holder.run = trackai.init(project="p", name="a")
    held = [holder.run]
    holder.run.log({"x": 1})
    threading.Thread(target=work, daemon=True).start()
    time.sleep(0.1)
"""


def test_calls_after_the_end_of_the_script(db_path: Path, run_python: Callable[..., Any]) -> None:
    ran = run_python(SCRIPT)
    assert ran.stdout == "called\n"
    [warning] = ran.stderr.splitlines()
    assert warning == "a call to log came after the end of the script, and was not stored"
    assert query(db_path, "SELECT state FROM runs") == [("completed",)]
    assert query(db_path, "SELECT count(*) FROM series WHERE path = 'late'") == [(0,)]


def test_a_run_may_begin_after_the_end_of_the_script(
    db_path: Path, run_python: Callable[..., Any]
) -> None:
    ran = run_python("""
        import atexit, trackai

        @atexit.register
        def late():
            with trackai.init(project="p", name="report") as run:
                run.log({"x": 1})
    """)
    assert ran.stderr == ""
    assert query(db_path, "SELECT name, state FROM runs") == [("report", "completed")]


def test_a_run_that_begins_after_the_end_of_the_script_ends_with_the_process(
    db_path: Path, run_python: Callable[..., Any]
) -> None:
    ran = run_python("""
        import atexit, trackai

        @atexit.register
        def late():
            trackai.init(project="p", name="late").log({"x": 1})

        trackai.init(project="p", name="script")
    """)
    assert ran.stderr == ""
    assert query(db_path, "SELECT name, state FROM runs") == [
        ("script", "completed"),
        ("late", "completed"),
    ]
    assert query(db_path, "SELECT count(*) FROM metrics") == [(1,)]


def test_a_run_that_nothing_can_end_says_so(db_path: Path, run_python: Callable[..., Any]) -> None:
    ran = run_python("""
        import atexit, threading

        @atexit.register
        def late():
            import trackai  # too late to register a handler
            trackai.init(project="p", name="late").log({"x": 1})
    """)
    warning = "run 'p/late' was started after the script has ended: only finish() completes it\n"
    assert ran.stderr == warning


@pytest.mark.parametrize(
    "call",
    ["trackai.init(project='p', name='later')", "list(api.runs('p'))"],
)
def test_calls_that_need_a_thread_when_none_runs_any_more(
    run_python: Callable[..., Any], call: str
) -> None:
    ran = run_python(f"""
        import trackai

        class Holder:
            def __del__(self):
                try:
                    {call}
                except trackai.StoreUnreachableError as error:
                    print(error)

        api = trackai.Api()
        trackai.init(project="p", name="script").log({{"x": 1}})
        holder = Holder()
        list(api.runs("p"))
    """)
    assert ran.stdout == "the database cannot be used while the interpreter is ending\n"


def test_finishing_a_run_when_its_thread_does_not_run_any_more(
    db_path: Path, run_python: Callable[..., Any]
) -> None:
    ran = run_python("""
        import atexit

        class Holder:
            def __del__(self, print=print):
                self.run.log({"x": 2})
                self.run.finish()
                print("finished")

        holder = Holder()

        @atexit.register
        def late():
            import trackai
            holder.run = trackai.init(project="p", name="late")
            holder.run.log({"x": 1})
    """)
    assert ran.stdout == "finished\n"
    trackai.init(project="p", name="next").finish()  # stores the journal
    assert query(db_path, "SELECT state FROM runs WHERE name = 'late'") == [("completed",)]
    assert query(db_path, "SELECT value FROM metrics ORDER BY step") == [(1,), (2,)]


def test_the_first_call_may_come_when_nothing_can_be_imported(
    run_python: Callable[..., Any],
) -> None:
    ran = run_python("""
        import trackai

        class Holder:
            def __del__(self):
                trackai.log({"x": 1})
                trackai.finish()
                try:
                    trackai.init(project="p")
                except ImportError as error:
                    print(error)

        holder = Holder()
    """)
    warning = "a call to trackai came after the end of the script, and did nothing\n"
    assert ran.stderr == 2 * warning
    assert ran.stdout == ("trackai.sdk.active cannot be imported while the interpreter is ending\n")


def test_before_the_end_such_calls_raise(db_path: Path) -> None:
    run = trackai.init(project="p")
    run.finish()
    for call in (run.log, trackai.log, trackai.log_system):
        with pytest.raises(NoActiveRunError):
            call({"x": 1})


def test_nothing_begins_in_a_run_that_was_finished_meanwhile(
    db_path: Path, run_python: Callable[..., Any]
) -> None:
    """As when the script ends while `init` still starts a run in a daemon thread."""
    ran = run_python("""
        import trackai

        run, other = (
            trackai.init(project="p", reinit="create_new", capture="wrap") for _ in range(2)
        )
        run.finish()
        run.monitor(lambda: {"load": 1.0}, 0.1)
        run._start_console("wrap", "")
        print("after the end")
    """)  # and the event loop of both ends
    assert ran.stdout == "after the end\n"
    assert query(db_path, "SELECT state FROM runs") == [("completed",)] * 2
    assert query(db_path, "SELECT count(*) FROM metrics WHERE value = 'after the end'") == [(1,)]
