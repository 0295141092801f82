"""Finishing the runs when their script ends: exceptions, sys.exit(), exit() and SIGTERM.

The hooks of the program stay in force: previous hooks are called, and a signal for which the
program has a handler is left to it.

SIGTERM has a handler only while there are runs to finish. Python runs a handler when the main
thread is back from C code. A signal that arrives just before the main thread starts to wait in C
code is handled when that wait is over, and `Pool.terminate` lets its workers wait forever.
"""

from __future__ import annotations

import atexit
import builtins
import os
import signal
import sys
import threading
import time
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from trackai.sdk import fork
from trackai.sdk.interactive import is_interactive
from trackai.sdk.launch import multiprocessing_modules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import CodeType, FrameType

EndState = Literal["completed", "failed"]

# Set in the code of functions, but not of scripts, modules and cells of notebooks.
_CO_NEWLOCALS = 2
# How long the main thread has to handle SIGTERM, before it is interrupted again.
_WAKE_SECONDS = 0.1

_installed: set[Callable[[], None]] = set()
_last_exit: tuple[FrameType, int] | None = None
_last_error = id(None)
_script: CodeType | None = None
# In a process of multiprocessing: the frame that calls its function, and whether it is in a pool.
_bootstrap: FrameType | None = None
_in_pool = False
_wakes_main_thread = False
# Held to send SIGTERM again, and to restore its default action, which would end the process then.
_sigterm_lock = threading.RLock()
# How many calls of `Run.finish` the main thread is in, and the SIGTERM that came meanwhile.
_finishing = 0
_postponed: tuple[int, EndState] | None = None
_of_thread = threading.local()
_finish: Callable[[EndState], None]
_finish_thread: Callable[[threading.Thread], None]
_unfinished: Callable[[], Sequence[object]]


def install(
    finish: Callable[[EndState], None],
    finish_thread: Callable[[threading.Thread], None],
    unfinished: Callable[[], Sequence[object]],
) -> None:
    """Call `finish` with the state of the runs when the script ends. Called before a run starts.

    Args:
        finish: finishes all runs.
        finish_thread: finishes the runs of a thread that ends with an exception, as failed.
        unfinished: returns the runs that `finish` would finish.
    """
    global _finish, _finish_thread, _unfinished, _last_error, _script
    _finish, _finish_thread, _unfinished = finish, finish_thread, unfinished
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
    if _was_interrupted():
        # Python ends by SIGINT then, as shells expect, but forgets that when code is evaluated from
        # a string, as the import of a named tuple does: a short run imports what stores it here.
        with suppress(KeyboardInterrupt):
            exec("raise KeyboardInterrupt")  # noqa: S102


def _was_interrupted() -> bool:
    """Whether a KeyboardInterrupt has ended the script."""
    error = _latest_error()
    if not isinstance(error, KeyboardInterrupt) or error.__traceback__ is None:
        return False
    return error.__traceback__.tb_frame.f_back is None and not is_interactive()


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
        if _in_pool:
            _wake_main_thread()
        signal.signal(signal.SIGTERM, _on_sigterm)


def release_sigterm() -> None:
    """Restore the default action of SIGTERM if no run is left to finish."""
    if (
        not _finishing
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is _on_sigterm
        and not _unfinished()
    ):
        _restore_sigterm()


def _restore_sigterm() -> None:
    with _sigterm_lock:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _wake_main_thread() -> None:
    """Start a thread that interrupts the main thread until it has handled a SIGTERM."""
    global _wakes_main_thread
    if _wakes_main_thread or not hasattr(signal, "pthread_kill"):
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    previous = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    if previous != -1:  # of an event loop of the program
        signal.set_wakeup_fd(previous)
        os.close(reader)
        os.close(writer)
        return
    _wakes_main_thread = True
    threading.Thread(
        target=_resend_sigterm,
        args=(reader, threading.get_ident()),
        name="trackai-sigterm",
        daemon=True,
    ).start()


def _resend_sigterm(reader: int, main_thread: int) -> None:
    while numbers := os.read(reader, 1):
        while numbers[0] == signal.SIGTERM:
            time.sleep(_WAKE_SECONDS)
            with _sigterm_lock:
                if signal.getsignal(signal.SIGTERM) is not _on_sigterm:
                    break
                signal.pthread_kill(main_thread, signal.SIGTERM)


def _on_sigterm(number: int, frame: FrameType | None) -> None:
    """Finish the runs as failed, then die of the signal as without a handler."""
    global _postponed
    _restore_sigterm()  # a second signal ends the process at once
    state: EndState = "completed" if _is_idle_worker(frame) else "failed"
    if _finishing:
        _postponed = number, state
    else:
        _die(number, state)


def _die(number: int, state: EndState) -> None:
    _finish(state)
    os.kill(os.getpid(), number)


@contextmanager
def finishing() -> Iterator[None]:
    """Postpone SIGTERM while the main thread finishes a run.

    Code that is interrupted by a signal handler may hold a lock that finishing needs.
    """
    global _finishing, _postponed
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    outer = _finishing
    try:
        _finishing = outer + 1
        yield
    finally:  # also if a signal handler raises anywhere above
        _finishing = outer
        if not _finishing and _postponed is not None:
            postponed, _postponed = _postponed, None
            _die(*postponed)
        release_sigterm()


def _is_idle_worker(frame: FrameType | None) -> bool:
    """Whether this process of a pool is between two tasks: the pool ends it by SIGTERM then."""
    called: FrameType | None = None
    while frame is not None and not _is_pool_worker(frame):
        called, frame = frame, frame.f_back
    if frame is None:  # the worker has returned, or there is none
        return _in_pool
    # It takes tasks from a queue, and notes in the log of its package that it has found none.
    package = _module(frame).removesuffix(".pool")
    return called is None or _module(called) in {f"{package}.queues", f"{package}.util"}


def _is_pool_worker(frame: FrameType) -> bool:
    return frame.f_code.co_name == "worker" and _module(frame).endswith(".pool")


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__"))


def _block_sigterm() -> Callable[[], object]:
    """Block SIGTERM until the child of a fork has its default action: Python would lose it."""
    _of_thread.mask = None
    if not hasattr(signal, "pthread_sigmask") or (
        signal.getsignal(signal.SIGTERM) is not _on_sigterm
    ):
        return lambda: None
    _of_thread.mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    return partial(signal.pthread_sigmask, signal.SIG_SETMASK, _of_thread.mask)


def _forget_parent() -> None:
    global _bootstrap, _in_pool, _last_exit, _sigterm_lock, _wakes_main_thread
    global _finishing, _postponed
    _finishing, _postponed = 0, None
    _bootstrap, _in_pool, _last_exit = None, False, None
    _sigterm_lock = threading.RLock()  # another thread may have held it
    if _wakes_main_thread:
        _wakes_main_thread = False
        signal.set_wakeup_fd(-1)
    if signal.getsignal(signal.SIGTERM) is _on_sigterm:  # the runs are the parent's to finish
        _restore_sigterm()
    mask = getattr(_of_thread, "mask", None)
    if mask is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    _installed.clear()  # multiprocessing forgets functions of atexit


fork.call_before(_block_sigterm)
fork.call_in_child(_forget_parent)
