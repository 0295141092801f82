"""Finishing the active run when its script ends: exceptions, sys.exit(), exit() and SIGTERM.

The hooks of the program stay in force: previous hooks are called, and a signal for which the
program has a handler is left to it.
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


def install(finish: Callable[[EndState], None]) -> None:
    """Call `finish` with the state of the run when the script ends.

    Later calls only add the handler of SIGTERM, if the first came from another thread.
    """
    global _finish
    if _finish is None:
        _finish = finish
        _hook_exceptions()
        _hook_exits()
        atexit.register(_at_exit)
    _hook_sigterm()


def _hook_exceptions() -> None:
    previous = sys.excepthook

    def note_failure(
        kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        global _failed
        _failed = True
        previous(kind, error, traceback)

    sys.excepthook = note_failure


def _hook_exits() -> None:
    previous = sys.exit

    def note_exit(status: Any = None, /) -> NoReturn:
        _note_exit(status)
        previous(status)

    sys.exit = note_exit
    # exit() and quit() raise SystemExit without sys.exit(). Both are of one class of the site
    # module, which python -S does not have and some shells replace.
    quitter: Any = type(getattr(builtins, "exit", None))
    if quitter.__name__ == "Quitter":
        previous_quit = quitter.__call__

        def note_quit(self: Any, code: Any = None) -> NoReturn:
            _note_exit(code)
            previous_quit(self, code)
            raise SystemExit(code)  # which the previous one does

        quitter.__call__ = note_quit


def _note_exit(status: Any) -> None:
    global _last_exit
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
    _last_exit = (frame, frame.f_lasti) if status not in (None, 0, False) else None


def _ended_by_exit() -> bool:
    """Whether the last exit() with a failure ended the script, rather than being caught.

    If it was caught, the outermost frame has moved on.
    """
    if _last_exit is None:
        return False
    frame, position = _last_exit
    return frame.f_lasti == position


def _at_exit() -> None:
    if _finish is not None:
        _finish("failed" if _failed or _ended_by_exit() else "completed")


def _hook_sigterm() -> None:
    # Only the main thread may set a handler, and only it can be interrupted by one.
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _on_sigterm)


def _on_sigterm(number: int, frame: FrameType | None) -> None:
    """Finish the run as failed, then die of the signal as without a handler."""
    signal.signal(number, signal.SIG_DFL)  # a second signal ends the process at once
    if _finish is not None:
        _finish("failed")
    os.kill(os.getpid(), number)
