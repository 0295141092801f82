"""What a forked process does with the runs that it has inherited.

Before the fork the database is closed for a moment: SQLite remembers in memory what a process
has locked, and a child that opened the same file would believe it, and damage the file.

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
import weakref
from typing import TYPE_CHECKING, Any, Protocol

from trackai.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable


class Inherited(Protocol):
    """What is told of a fork."""

    def before_fork(self) -> bool:
        """In the process that forks: whether the child will inherit no connection."""

    def before_child_runs(self) -> None:
        """In the child, before anything else runs."""

    def after_fork_in_parent(self) -> None:
        """In the parent."""


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


_is_safe = True
_is_safe_in_child = True


def refuse_if_unsafe() -> None:
    """Raise where opening a database could damage it.

    Raises:
        StoreError: this process was forked while a connection was in use.
    """
    if not _is_safe:
        raise StoreError(
            "this process was forked in the middle of a long transaction and cannot open the "
            'database: begin its runs before the fork, or use multiprocessing with "spawn"'
        )


def _before() -> None:
    global _is_safe_in_child
    _is_safe_in_child = False  # Python goes on with the fork if Ctrl-C ends this early
    closed = [heir.before_fork() for heir in list(_heirs)]  # all of them, also after a failure
    _is_safe_in_child = _is_safe and all(closed)


def _child() -> None:
    global _is_safe
    _is_safe = _is_safe_in_child
    for heir in list(_heirs):
        heir.before_child_runs()
    for function in _in_child:
        function()


def _parent() -> None:
    for heir in list(_heirs):
        heir.after_fork_in_parent()
