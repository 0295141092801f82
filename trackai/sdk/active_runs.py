"""The unfinished runs of this process, and which of them is active in a thread or asyncio task.

A thread or task acts on the run that it has started last. One that has started none acts on the run
of the main thread or, if there is only one run in the process, on that one. A task inherits the run
of the code that created it.
"""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

from trackai.sdk import fork

if TYPE_CHECKING:
    from trackai.sdk.run import Run


class Owner(NamedTuple):
    """The thread that has started a run, and the asyncio task; None outside of tasks."""

    thread: threading.Thread
    task: Any

    @classmethod
    def current(cls) -> Owner:
        """The thread and task of the caller."""
        task = None
        if "asyncio" in sys.modules:
            with suppress(RuntimeError):  # no event loop is running in this thread
                task = sys.modules["asyncio"].current_task()
        return cls(threading.current_thread(), task)

    def is_succeeded_by(self, owner: Owner) -> bool:
        """Whether the owner follows this one in the same thread, rather than runs beside it."""
        return self.thread is owner.thread and (
            self.task is owner.task or self.task is None or self.task.done()
        )


lock = threading.RLock()
_own: ContextVar[tuple[Run, Owner] | None] = ContextVar("trackai_run", default=None)
# In the order of their start; those without an owner are never active.
_owners: dict[Run, Owner | None] = {}
_first_thread: threading.Thread | None = None
_is_sequential = True

# The active run as long as one thread starts one run after another: log() need not look for it.
only: Run | None = None


def add(run: Run, owner: Owner | None) -> None:
    """Register a run that has started.

    Args:
        run: the run.
        owner: the thread and task in which it is active; None for a run that is never active.
    """
    global only, _first_thread, _is_sequential
    with lock:
        for stopped in [before for before in _owners if before.is_stopped]:
            del _owners[stopped]
        _first_thread = _first_thread or (owner.thread if owner else None)
        if owner is None or owner.thread is not _first_thread or unfinished():
            _is_sequential = False
        _owners[run] = owner
        only = run if _is_sequential else None


def activate(run: Run, owner: Owner) -> None:
    """Make a run the one of the calling thread or task, which owns it."""
    _own.set((run, owner))


def unfinished() -> list[Run]:
    """The unfinished runs, in the order of their start."""
    return [run for run in list(_owners) if not run.is_finished]


def unstopped() -> list[Run]:
    """The runs that are unfinished, or whose finish() was interrupted."""
    return [run for run in list(_owners) if not run.is_stopped]


def current() -> Run | None:
    """The active run of the calling thread or task."""
    own = _own.get()
    if own is not None:
        if not own[0].is_finished:
            return own[0]
        if own[1] == Owner.current():
            return None
    active = [(run, owner) for run in unfinished() if (owner := _owners.get(run)) is not None]
    main = threading.main_thread()
    of_main = [
        run
        for run, owner in active
        if owner.thread is main and (owner.task is None or owner.task.done())
    ]
    if of_main:
        return of_main[-1]
    return active[0][0] if len(active) == 1 else None


def previous(owner: Owner) -> Run | None:
    """The run that a thread or task has started before and not finished."""
    for run in reversed(unfinished()):
        before = _owners.get(run)
        if before is not None and before.is_succeeded_by(owner):
            return run
    return None


def of_thread(thread: threading.Thread) -> list[Run]:
    """The unfinished runs that a thread has started."""
    return [
        run
        for run in unfinished()
        if (owner := _owners.get(run)) is not None and owner.thread is thread
    ]


def _renew_lock() -> None:
    # Another thread may have held the lock when the process was forked.
    global lock
    lock = threading.RLock()


fork.call_in_child(_renew_lock)
