"""Imports on first use, which signal handlers cannot interrupt."""

from __future__ import annotations

import _thread
import logging  # noqa: F401 - so that a fork takes its lock after the one below
import os
import sys
import threading  # takes the thread that first imports it for the main one
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType


# Held by threads that import in the background. A fork waits for it: in the child, a module that
# another thread was importing would stay locked forever.
import_lock = threading.RLock()
# How long a fork waits: an import may itself wait for a thread that forks.
_FORK_SECONDS = 5.0
_of_thread = threading.local()


def _before_fork() -> None:
    _of_thread.holds_lock = import_lock.acquire(timeout=_FORK_SECONDS)


def _after_fork() -> None:
    if _of_thread.holds_lock:
        import_lock.release()


def _after_fork_in_child() -> None:
    if not _of_thread.holds_lock:  # its thread does not exist here, and cannot release it
        import_lock._at_fork_reinit()  # type: ignore[attr-defined]
    _after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child
    )


def import_lazily(name: str) -> ModuleType:
    """Import a module in another thread, unless it has been imported.

    Python runs signal handlers in the main thread. One that raises in the middle of an import, as
    Ctrl-C does, can leave the import locked, so that other threads wait forever, and msgspec may
    crash.

    Raises:
        ImportError: the module cannot be imported, or the interpreter is ending.
    """
    if name not in sys.modules:
        if sys.is_finalizing():  # another thread would never run, and this one would wait for it
            raise ImportError(f"{name} cannot be imported while the interpreter is ending")
        working = threading.Lock()
        working.acquire()
        with suppress(RuntimeError):  # no thread can be started when the interpreter ends
            # Not threading.Thread: a signal handler that raises in its start() becomes a KeyError.
            _thread.start_new_thread(_try_to_import, (name, working))
            working.acquire()
    return import_module(name)


def _try_to_import(name: str, working: threading.Lock) -> None:
    try:
        with import_lock, suppress(BaseException):  # the main thread tries again, and raises it
            import_module(name)
    finally:
        working.release()


def refuse_late_call(*_: object, **__: object) -> None:
    """Warn that a call is not stored. Nothing can be imported, so there is no logger."""
    if sys.stderr is not None:
        sys.stderr.write("a call to trackai came after the end of the script, and did nothing\n")
