"""The end of the script: what is called last, and what the interpreter cannot do any more."""

from __future__ import annotations

import atexit
import sys
import threading
from typing import TYPE_CHECKING

from trackai.errors import StoreUnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable

_functions: list[Callable[[], None]] = []
# If a handler of the program imports TrackAI, ours is never called. The interpreter marks the main
# thread as ended before it calls handlers, if the script has imported threading.
_is_over = not threading.main_thread().is_alive()


def call_last(function: Callable[[], None]) -> Callable[[], None]:
    """Call a function after all atexit handlers that are registered after `import trackai`."""
    _functions.append(function)
    return function


def is_over() -> bool:
    """Whether the functions of `call_last` have been called, or never will be."""
    return _is_over


def check_threads_run() -> None:
    """Check that a thread that is started now runs, as waiting for it would never end.

    Raises:
        StoreUnreachableError: the interpreter has ended all other threads, and calls `__del__`.
    """
    if sys.is_finalizing():
        raise StoreUnreachableError("the database cannot be used while the interpreter is ending")


@atexit.register
def _call() -> None:
    global _is_over
    _is_over = True
    for function in _functions:
        function()
