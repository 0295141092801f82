"""Finishing the runs when their script ends: exceptions, sys.exit(), exit() and SIGTERM.

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

from trackai.sdk import fork
from trackai.sdk.interactive import is_interactive
from trackai.sdk.launch import multiprocessing_modules

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType

    from trackai.sdk.run import EndState

# Set in the code of functions, but not of scripts, modules and cells of notebooks.
_CO_NEWLOCALS = 2

_installed: set[Callable[[], None]] = set()
_last_exit: tuple[FrameType, int] | None = None
_last_error = id(None)
_script: CodeType | None = None
# In a process of multiprocessing: the frame that calls its function, and whether it is in a pool.
_bootstrap: FrameType | None = None
_in_pool = False
_finish: Callable[[EndState], None]
_finish_thread: Callable[[threading.Thread], None]


def install(
    finish: Callable[[EndState], None], finish_thread: Callable[[threading.Thread], None]
) -> None:
    """Call `finish` with the state of the runs when the script ends. Called before a run starts.

    Args:
        finish: finishes all runs.
        finish_thread: finishes the runs of a thread that ends with an exception, as failed.
    """
    global _finish, _finish_thread, _last_error, _script
    _finish, _finish_thread = finish, finish_thread
    _last_error, _script = id(_latest_error()), _calling_script() or _script
    for hook in (_hook_atexit, _hook_exits, _hook_threads, _hook_multiprocessing):
        if hook not in _installed:
            hook()
            _installed.add(hook)
    _hook_sigterm()


def has_crashed() -> bool:
    """Whether the script that started the latest run has ended with an exception.

    The interpreter keeps the exception that it prints. In a notebook or at a prompt, one in another
    cell or statement than that of init() does not end the script.
    """
    error = _latest_error()
    if error is None or id(error) == _last_error:
        return False
    traceback = error.__traceback__
    if traceback is not None and traceback.tb_frame.f_back is None and not is_interactive():
        return True
    while traceback is not None:
        if _is_of_script(traceback.tb_frame.f_code):
            return True
        traceback = traceback.tb_next
    return False


def _is_of_script(code: CodeType) -> bool:
    """Whether code is the script, or a statement of the cell, that started the latest run."""
    if _script is None or code is _script:
        return code is _script
    # IPython compiles each statement of a cell by itself; all have the name of the cell. At other
    # prompts, all statements may have the same name, such as "<stdin>".
    name = _script.co_filename
    is_cell = not name.startswith("<") or name.startswith("<ipython-")
    return is_cell and code.co_filename == name and not code.co_flags & _CO_NEWLOCALS


def _latest_error() -> BaseException | None:
    return getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)


def _calling_script() -> CodeType | None:
    """The script, module or cell that calls init(), maybe through functions."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_flags & _CO_NEWLOCALS:
        frame = frame.f_back
    return None if frame is None else frame.f_code


def _hook_atexit() -> None:
    atexit.register(_at_exit)


def _at_exit() -> None:
    if _bootstrap is not None:
        has_failed = _has_worker_failed(_bootstrap)
    else:
        has_failed = has_crashed() or _ended_by_exit()
    _finish("failed" if has_failed else "completed")


def _has_worker_failed(bootstrap: FrameType) -> bool:
    # Until Python 3.12, an exception is still leaving the function; later, the frame has ended.
    error = sys.exc_info()[1]
    if isinstance(error, SystemExit):
        return bool(error.code)
    return error is not None or bool(bootstrap.f_locals.get("exitcode"))


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
    if threading.current_thread() is not threading.main_thread():
        return  # it ends only this thread
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


def _hook_threads() -> None:
    previous = threading.excepthook

    def note_failure(args: threading.ExceptHookArgs, /) -> None:
        previous(args)
        ends_well = isinstance(args.exc_value, SystemExit) and not args.exc_value.code
        if args.thread is not None and not ends_well:
            _finish_thread(args.thread)

    threading.excepthook = note_failure


def _hook_multiprocessing() -> None:
    """Finish the runs of a process of multiprocessing, which ends without calling `_at_exit`."""
    global _bootstrap, _in_pool
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_code.co_name != "_bootstrap":
        _in_pool = _in_pool or _is_pool_worker(frame)
        frame = frame.f_back
    for package in multiprocessing_modules():
        util = sys.modules.get(f"{package}.util")
        if util is not None:
            # After its own child processes, which may log to its runs, have been joined.
            util.Finalize(None, _at_exit, exitpriority=-1)
            _bootstrap = frame


def _hook_sigterm() -> None:
    # Only the main thread may set a handler, and only it can be interrupted by one.
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _on_sigterm)


def _on_sigterm(number: int, frame: FrameType | None) -> None:
    """Finish the runs as failed, then die of the signal as without a handler."""
    signal.signal(number, signal.SIG_DFL)  # a second signal ends the process at once
    _finish("completed" if _is_idle_worker(frame) else "failed")
    os.kill(os.getpid(), number)


def _is_idle_worker(frame: FrameType | None) -> bool:
    """Whether this process of a pool is between two tasks: the pool ends it by SIGTERM then."""
    called: FrameType | None = None
    while frame is not None and not _is_pool_worker(frame):
        called, frame = frame, frame.f_back
    if frame is None:  # the worker has returned, or there is none
        return _in_pool
    return called is None or _module(called).endswith(".queues")


def _is_pool_worker(frame: FrameType) -> bool:
    return frame.f_code.co_name == "worker" and _module(frame).endswith(".pool")


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__"))


def _forget_parent() -> None:
    global _bootstrap, _in_pool, _last_exit
    _bootstrap, _in_pool, _last_exit = None, False, None
    _installed.clear()  # multiprocessing forgets functions of atexit


fork.call_in_child(_forget_parent)
