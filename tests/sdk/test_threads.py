"""Which run is active in a thread or asyncio task, and what init() does with unfinished ones."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

import trackai
from trackai.errors import InvalidInputError, NoActiveRunError
from trackai.sdk import active_runs
from trackai.sdk.active import current_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _finish_all(db_path: Path) -> Iterator[None]:
    yield
    for run in active_runs.unfinished():
        run.finish()


def in_thread(function: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result(60)


def outcomes() -> dict[str, tuple[str, int]]:
    return {
        str(run.name): (run.state, run.summary["x"].points if "x" in run.summary else 0)
        for run in trackai.Api().runs("p")
    }


@pytest.mark.parametrize("by", ["module", "run"])
def test_trials_in_threads_have_runs_of_their_own(by: str) -> None:
    barrier = threading.Barrier(4)

    def trial(number: int) -> None:
        run = trackai.init(project="p", name=f"trial-{number}")
        barrier.wait(60)
        for _ in range(20 + number):
            (trackai if by == "module" else run).log({"x": number})
        barrier.wait(60)
        assert current_run() is run
        (trackai if by == "module" else run).finish()
        assert current_run() is None
        trackai.finish()  # not the run of another thread

    study = trackai.init(project="p", name="study")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(trial, range(4)))
    assert current_run() is study
    trackai.log({"x": 1.0})
    trackai.finish()
    trials = {f"trial-{number}": ("completed", 20 + number) for number in range(4)}
    assert outcomes() == {"study": ("completed", 1), **trials}


def test_trials_that_do_not_finish_their_runs() -> None:
    def trial(number: int) -> None:
        trackai.init(project="p", name=f"trial-{number}")
        trackai.log({"x": number})

    with ThreadPoolExecutor(1) as pool:
        list(pool.map(trial, range(3)))
    assert outcomes()["trial-0"] == outcomes()["trial-1"] == ("completed", 1)
    assert [run.name for run in active_runs.unfinished()] == ["trial-2"]


def test_a_thread_without_a_run_logs_to_that_of_the_main_thread() -> None:
    run = trackai.init(project="p", name="r")
    beside = in_thread(lambda: trackai.init(project="p", name="beside"))
    in_thread(lambda: trackai.log({"x": 1}))
    assert in_thread(current_run) is run
    run.finish()
    assert current_run() is None
    assert in_thread(current_run) is beside  # the only one


def test_which_of_two_runs_of_other_threads_is_not_guessed() -> None:
    for name in ("a", "b"):
        in_thread(partial(trackai.init, "p", name))
    assert current_run() is None
    with pytest.raises(NoActiveRunError):
        trackai.log({"x": 1})


def test_a_run_is_logged_from_another_thread_than_that_which_started_it(
    run_python: Callable[..., Any],
) -> None:
    run_python(
        """
        import threading, trackai
        thread = threading.Thread(target=trackai.init, args=["p", "r"])
        thread.start()
        thread.join()
        trackai.log({"x": 1})
        trackai.finish()
        assert trackai.run is None
        """
    )
    assert outcomes() == {"r": ("completed", 1)}


async def test_tasks_have_runs_of_their_own() -> None:
    both = asyncio.Barrier(2)

    async def trial(number: int) -> None:
        trackai.init(project="p", name=f"trial-{number}")
        await both.wait()
        await asyncio.gather(*[log_later(number) for _ in range(3)])
        await asyncio.to_thread(trackai.log, {"x": number})
        await both.wait()
        trackai.finish()

    async def log_later(number: int) -> None:  # a task that inherits the run
        await asyncio.sleep(0.01)
        trackai.log({"x": number})

    await asyncio.gather(trial(0), trial(1))
    assert outcomes() == {"trial-0": ("completed", 4), "trial-1": ("completed", 4)}


async def test_a_task_follows_one_that_has_ended() -> None:
    async def cell(name: str) -> None:  # as a notebook runs its cells
        trackai.init(project="p", name=name)

    async def next_cell() -> None:
        trackai.log({"x": 1})

    for name in ("a", "b"):
        await asyncio.create_task(cell(name))
        await asyncio.create_task(next_cell())
    assert outcomes()["a"] == ("completed", 1)
    assert [run.name for run in active_runs.unfinished()] == ["b"]


@pytest.mark.parametrize("reinit", [True, "finish_previous"])
def test_finish_previous_finishes_all_runs(reinit: Any) -> None:
    first = trackai.init(project="p", name="a")
    second = in_thread(lambda: trackai.init(project="p", name="b"))
    run = trackai.init(project="p", name="c", reinit=reinit)
    assert (first.is_finished, second.is_finished, run.is_finished) == (True, True, False)
    assert current_run() is run


@pytest.mark.parametrize("reinit", [False, "return_previous", "default"])
def test_return_previous_returns_the_latest_run(reinit: Any) -> None:
    first = trackai.init(project="p", name="a", reinit=reinit)
    second = trackai.init(project="p", name="b", reinit="create_new")
    assert trackai.init(project="p", name="c", reinit=reinit) is second
    assert current_run() is first
    second.finish()
    assert trackai.init(project="p", reinit=reinit) is first
    first.finish()
    assert trackai.init(project="p", name="d", reinit=reinit).name == "d"


@pytest.mark.parametrize(
    "arguments",
    [
        {"reinit": "create_new"},
        {"settings": trackai.Settings(reinit="create_new")},
        {"settings": {"reinit": "create_new"}},
    ],
)
def test_create_new_leaves_other_runs_as_they_are(arguments: dict[str, Any]) -> None:
    beside = trackai.init(project="p", name="beside", **arguments)
    assert current_run() is None
    run = trackai.init(project="p", name="r")
    another = trackai.init(project="p", name="another", **arguments)
    assert current_run() is run
    trackai.log({"x": 1})
    beside.log({"x": 1})
    another.log({"x": 1})
    for unfinished in (another, run, beside):
        assert not unfinished.is_finished
        unfinished.finish()
    assert outcomes() == dict.fromkeys(("beside", "r", "another"), ("completed", 1))


def test_two_runs_of_one_process_may_have_one_id() -> None:
    run = trackai.init(project="p", id="r")
    beside = trackai.init(project="p", id="r", reinit="create_new")
    run.log({"a": 1})
    beside.log({"b": 1})
    run.finish()
    assert trackai.Api().run("p/r").state == "running"
    beside.finish()
    assert trackai.Api().run("p/r").state == "completed"


@pytest.mark.parametrize("reinit", ["never", 2, b"default"])
def test_other_values_are_refused(reinit: Any) -> None:
    with pytest.raises(InvalidInputError, match="reinit: must be a bool or one of default, "):
        trackai.init(project="p", reinit=reinit)


def test_unfinished_runs_of_all_threads_are_finished_at_exit(
    run_python: Callable[..., Any],
) -> None:
    run_python(
        """
        import threading, trackai
        def work(name, **arguments):
            trackai.init(project="p", name=name, **arguments).log({"x": 1})
        work("a")
        work("b", reinit="create_new")
        thread = threading.Thread(target=work, args=["c"])
        thread.start()
        thread.join()
        """
    )
    assert outcomes() == dict.fromkeys("abc", ("completed", 1))
