"""Calls of init() that raise: no run, no thread and no journal may be left."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

import trackai
from tests.sdk.test_run import query
from trackai.errors import InvalidInputError
from trackai.sdk import exit_hooks
from trackai.sdk.active import current_run
from trackai.sdk.run import Run

if TYPE_CHECKING:
    from pathlib import Path


class Unreadable:
    """A key of a configuration that has no text."""

    def __str__(self) -> str:
        raise ValueError("no text")


def assert_nothing_is_left(path: Path, *states: str) -> None:
    assert current_run() is None
    assert [thread.name for thread in threading.enumerate() if "portal" in thread.name] == []
    assert list(path.with_name(path.name + "-spool").glob("*.journal*")) == []
    if path.exists():
        assert query(path, "SELECT state FROM runs ORDER BY id") == [(state,) for state in states]


@pytest.mark.parametrize("config", [{Unreadable(): 1}, {"prompt": "x" * 68_000_000}])
def test_a_configuration_that_cannot_be_stored_creates_no_run(
    db_path: Path, config: dict[Any, Any]
) -> None:
    with pytest.raises(ValueError, match=r"no text|config: must be at most"):
        trackai.init(project="p", config=config, strict=True)
    assert_nothing_is_left(db_path)


def test_a_configuration_that_is_too_large_does_not_end_the_run_that_it_would_resume(
    db_path: Path,
) -> None:
    trackai.init(project="p", id="a").finish()
    with pytest.raises(InvalidInputError, match=r"^config: must be at most"):
        trackai.init(project="p", id="a", config={"prompt": "x" * 68_000_000}, strict=True)
    assert_nothing_is_left(db_path, "completed")
    assert query(db_path, "SELECT count(*) FROM writers") == [(1,)]


def test_an_invalid_configuration_does_not_end_the_active_run(db_path: Path) -> None:
    run = trackai.init(project="p")
    with pytest.raises(ValueError, match="no text"):
        trackai.init(project="p", config={Unreadable(): 1}, strict=True)
    assert current_run() is run


@pytest.mark.parametrize("hook", ["_describe", "monitor", "install"])
def test_whatever_raises_after_the_run_has_begun_ends_it(
    db_path: Path, monkeypatch: pytest.MonkeyPatch, hook: str
) -> None:
    def interrupt(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(exit_hooks if hook == "install" else Run, hook, interrupt)
    with pytest.raises(KeyboardInterrupt):
        trackai.init(project="p", auto_log_cpu=True)
    assert_nothing_is_left(db_path, "failed")


def test_a_wrong_interval_of_a_monitor_ends_the_run(db_path: Path) -> None:
    interval: Any = "often"
    with pytest.raises(TypeError):
        trackai.init(project="p", auto_log_cpu=True, cpu_log_interval=interval)
    assert_nothing_is_left(db_path, "failed")
