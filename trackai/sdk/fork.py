"""What a forked process does with the runs that it has inherited.

While it forks the database is closed: SQLite remembers in memory what a process has locked, and a
child that opened the same file would believe it, and damage the file. Where that is not possible,
`trackai.store.engine.opening` refuses to open it in the child.

Only the forking thread lives on in the child. Its copies of the event loop, of the SQLite
connections and of locks are of no use there, and dangerous: closing a connection could write to
the database in the middle of the parent's transaction, or wait for ever for a lock. So the child
never touches them: they stay as they are until it ends. It logs to a journal of its own, which
the parent stores.

Systems without fork have nothing to do here: `multiprocessing` starts new interpreters there, in
which no run is active.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Inherited(Protocol):
    """What is told of a fork."""

    def before_fork(self) -> Callable[[], object]:
        """In the process that forks: leave the database alone, until what is returned is called.

        That is done afterwards in the same process, also if the fork has failed.
        """

    def before_child_runs(self) -> None:
        """In the child, before anything else runs."""


_heirs: weakref.WeakSet[Any] = weakref.WeakSet()
_in_child: list[Callable[[], None]] = []
_registered = False


def watch(heir: Inherited) -> None:
    """Tell `heir` of every fork, as long as it exists."""
    global _registered
    _heirs.add(heir)
    if not _registered and hasattr(os, "register_at_fork"):
        _registered = True
        os.register_at_fork(before=_before, after_in_child=_child, after_in_parent=_parent)


def call_in_child(function: Callable[[], None]) -> None:
    """Call `function` in every child, after the runs have been told."""
    _in_child.append(function)


def never_free(*objects: object) -> None:
    """Keep objects, and all that they refer to, until the process is gone."""
    try:
        import ctypes
    except ImportError:  # a Python built without it: they last as long as this module does
        _kept.extend(objects)
        return
    for one in objects:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(one))


_kept: list[object] = []


_of_thread = threading.local()


def _before() -> None:
    _of_thread.afterwards = []
    for heir in list(_heirs):
        _of_thread.afterwards.append(heir.before_fork())


def _child() -> None:
    for heir in list(_heirs):
        heir.before_child_runs()
    for function in _in_child:
        function()


def _parent() -> None:
    for function in getattr(_of_thread, "afterwards", ()):
        function()
