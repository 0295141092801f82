"""Calls after the script has ended, when its run is finished.

They come from atexit handlers, from `__del__` and from daemon threads. An exception there would be
a traceback that tells the user nothing.
"""

from __future__ import annotations

import threading

from trackai.errors import NoActiveRunError
from trackai.sdk.notices import warn_once

FINISHED = 'the run is finished: call trackai.init() first, with resume="allow" to continue it'


def refuse(message: str | None = None) -> None:
    """Warn, once, that a call without a run is not stored.

    Args:
        message: that of the error; by default, that no run is active.

    Raises:
        NoActiveRunError: the script has not ended.
    """
    # The interpreter marks the main thread as ended before it calls atexit handlers.
    if threading.main_thread().is_alive():
        raise NoActiveRunError(message) if message else NoActiveRunError
    warn_once("late call", "a call to log came after the end of the script, and was not stored")
