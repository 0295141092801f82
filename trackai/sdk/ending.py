"""How a script ends is how its run ends: exceptions, sys.exit(), exit() and signals.

Whatever the program itself has set up stays in force: hooks are called on, and a signal for which
it has a handler is none of ours.
"""

from __future__ import annotations

import atexit
import builtins
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType

    from trackai.sdk.run import EndState

_failed = False
_last_exit: tuple[FrameType, int] | None = None
_finish: Callable[[EndState], None] | None = None


def watch(finish: Callable[[EndState], None]) -> None:
    """From now on, call `finish` with a state when the script ends."""
    global _finish
    if _finish is None:
        _finish = finish
        _watch_exceptions()
        _watch_exit_codes()
        atexit.register(_at_exit)
    _watch_sigterm()


def _watch_exceptions() -> None:
    previous = sys.excepthook

    def note_failure(
        kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        global _failed
        _failed = True
        previous(kind, error, traceback)

    sys.excepthook = note_failure


def _watch_exit_codes() -> None:
    previous = sys.exit

    def note_exit(status: Any = None, /) -> NoReturn:
        _note_exit(status)
        previous(status)

    sys.exit = note_exit
    # exit() and quit() raise SystemExit by themselves; both are of one class of the site module,
    # which is not there under python -S, or where a shell has put its own in their place.
    quitter: Any = type(getattr(builtins, "exit", None))
    if quitter.__name__ == "Quitter":
        quits = quitter.__call__

        def note_quit(self: Any, code: Any = None) -> NoReturn:
            _note_exit(code)
            quits(self, code)
            raise SystemExit(code)  # what it does

        quitter.__call__ = note_quit


def _note_exit(status: Any) -> None:
    global _last_exit
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
    _last_exit = (frame, frame.f_lasti) if status not in (None, 0, False) else None


def _ended_by_exit() -> bool:
    """Whether the last exit() with a failure ended the script, rather than being caught.

    If it was caught, the outermost frame has gone on to its end.
    """
    if _last_exit is None:
        return False
    frame, position = _last_exit
    return frame.f_lasti == position


def _at_exit() -> None:
    if _finish is not None:
        _finish("failed" if _failed or _ended_by_exit() else "completed")


def _watch_sigterm() -> None:
    # Only the main thread may set a handler, and only it can be interrupted by one.
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _on_sigterm)


def _on_sigterm(number: int, frame: FrameType | None) -> None:
    """End the run, then die of the signal as if it had never been caught."""
    signal.signal(number, signal.SIG_DFL)  # a second signal does not wait
    if _finish is not None:
        _finish("failed")
    os.kill(os.getpid(), number)
