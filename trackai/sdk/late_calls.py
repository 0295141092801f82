"""Calls after the script has ended, when its run is finished.

They come from atexit handlers, from `__del__` and from daemon threads. An exception there would be
a traceback about which nobody can do anything.
"""

from __future__ import annotations

import logging
import threading

from trackai.errors import NoActiveRunError

logger = logging.getLogger("trackai")

_has_warned = False


def refuse() -> None:
    """Warn, once, that a call without a run is not stored.

    Raises:
        NoActiveRunError: the script has not ended.
    """
    global _has_warned
    # The interpreter marks the main thread as ended before it calls atexit handlers.
    if threading.main_thread().is_alive():
        raise NoActiveRunError
    if not _has_warned:
        _has_warned = True
        logger.warning("a call to log came after the end of the script, and was not stored")
