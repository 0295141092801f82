"""The file descriptors 0, 1 and 2 of a process that was started without them."""

from __future__ import annotations

import os
from contextlib import suppress

_NUMBERS = (0, 1, 2)


def occupy() -> None:
    """Let those of stdin, stdout and stderr that are closed lead to the null device.

    The system gives their numbers to the next files and sockets that are opened, such as those of
    an event loop. A library in C would print into these, and a program that redirects its output
    would close them. Child processes start without them, as before.
    """
    for number in _NUMBERS:
        try:
            os.fstat(number)
        except OSError:
            with suppress(OSError):  # no null device, or too many open files
                fd = os.open(os.devnull, os.O_RDWR)
                if fd not in _NUMBERS:  # another thread has opened a file meanwhile
                    os.close(fd)
