"""Starting a run where no signal handler can interrupt it.

Python runs signal handlers in the main thread, and one that raises, as Ctrl-C does, may leave an
event loop that has half started. So runs start in threads of their own, and init() waits for them.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from trackai import script_end
from trackai.sdk import fork

if TYPE_CHECKING:
    from collections.abc import Callable

    from trackai.sdk.run import Run

# How long the end of the process waits for a run that is being started.
_EXIT_SECONDS = 5.0

# The threads that start runs, each with an event that is set when the run is no longer needed.
_starting: dict[threading.Thread, threading.Event] = {}


def start(create: Callable[[threading.Event], Run]) -> Run:
    """Create a run in another thread, and wait for it.

    If a signal handler raises meanwhile, the run is finished as failed once it has started.

    Args:
        create: gets an event, which is set if the run is no longer needed.

    Raises:
        StoreUnreachableError: the interpreter is ending.
        BaseException: what `create` or a signal handler raises.
    """
    script_end.check_threads_run()
    future: Future[Run] = Future()
    is_abandoned = threading.Event()

    def work() -> None:
        try:
            run = create(is_abandoned)
            if is_abandoned.is_set():
                run.finish("failed")
            future.set_result(run)
        except BaseException as error:
            future.set_exception(error)
        finally:
            _starting.pop(threading.current_thread(), None)

    thread = threading.Thread(target=work, name="trackai-init", daemon=True)
    try:
        _starting[thread] = is_abandoned
        thread.start()
        run = future.result()
        thread.join()  # it has nothing left to do
    except BaseException:
        is_abandoned.set()
        future.add_done_callback(_finish_as_failed)
        raise
    return run


def abandon_all() -> None:
    """Finish the runs that are being started as failed. The process is about to end."""
    for thread, is_abandoned in list(_starting.items()):
        is_abandoned.set()
        if thread.is_alive():
            thread.join(_EXIT_SECONDS)


def _finish_as_failed(future: Future[Run]) -> None:
    if future.exception() is None:
        future.result().finish("failed")


fork.call_in_child(_starting.clear)
