"""Forks: what a forked process does with the runs that it inherits.

The database is closed during the fork. SQLite remembers in memory which locks a process holds; a
child that opened the same file would trust that memory and damage the file. Where closing is not
possible, `trackai.store.engine.handles` refuses to open the file in the child.

Only the forking thread survives in the child. The child's copies of the event loop, the SQLite
connections and the locks are useless there, and dangerous: closing a connection could write to
the database in the middle of a transaction of the parent, or wait forever for a lock. So the
child never touches them and never frees them. It logs to another journal, which the parent
stores.

Systems without fork need none of this: `multiprocessing` starts a new interpreter there, without
an active run.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from trackai.values.uids import new_uid

if TYPE_CHECKING:
    from collections.abc import Callable

    from trackai.ingest.frames import Opened


class ForkAware(Protocol):
    """An object that is told about forks."""

    def before_fork(self) -> Callable[[], object]:
        """In the parent, before the fork: stop using the database.

        Returns:
            What to call in the parent after the fork, also if it failed.
        """

    def before_child_runs(self) -> None:
        """In the child, before any other code runs."""


_watched: weakref.WeakSet[Any] = weakref.WeakSet()
_before: list[Callable[[], Callable[[], object]]] = []
_in_child: list[Callable[[], None]] = []
_registered = False
_never_freed: list[object] = []
_of_thread = threading.local()


def watch(run: ForkAware) -> None:
    """Tell a run about every fork, as long as it exists."""
    global _registered
    _watched.add(run)
    if not _registered and hasattr(os, "register_at_fork"):
        _registered = True
        os.register_at_fork(
            before=_before_fork, after_in_child=_after_in_child, after_in_parent=_after_in_parent
        )


def watched() -> list[ForkAware]:
    """The runs that are told about forks."""
    return list(_watched)


def call_in_child(function: Callable[[], None]) -> None:
    """Call a function in every child, after the runs have been told."""
    _in_child.append(function)


def call_before(function: Callable[[], Callable[[], object]]) -> None:
    """Call a function in the parent before every fork, and what it returns after the fork."""
    _before.append(function)


def never_free(*objects: object) -> None:
    """Keep objects, and all they refer to, until the process ends."""
    try:
        import ctypes
    except ImportError:  # a Python built without it: they live as long as this module
        _never_freed.extend(objects)
        return
    for leaked in objects:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(leaked))


def opened_by_child(opened: Opened) -> Opened:
    """Return the first record of the child's own journal, given that of the parent's."""
    return msgspec.structs.replace(
        opened,
        writer_uid=new_uid(),
        pid=os.getpid(),
        started_at=time.time_ns() // 1000,
        parent=opened.parent or opened.writer_uid,
    )


def _before_fork() -> None:
    _of_thread.afterwards = []
    for function in (*(run.before_fork for run in list(_watched)), *_before):
        _of_thread.afterwards.append(function())


def _after_in_child() -> None:
    for run in list(_watched):
        run.before_child_runs()
    for function in _in_child:
        function()


def _after_in_parent() -> None:
    for function in getattr(_of_thread, "afterwards", ()):
        function()
