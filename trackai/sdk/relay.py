"""Forwards what a process and its children print to where it went before, and copies it.

This is a script that runs in a process of its own, and imports nothing of TrackAI. It goes on when
the process that has started it holds the interpreter's lock, crashes or is killed. It ends when
nobody can write to its sources any more, or when it cannot forward: the process then restores its
file descriptors, and gets the error itself.

    python relay.py COPY CONTROL NUMBER SOURCE TARGET [NUMBER SOURCE TARGET]

COPY gets a frame for each read: the number, microseconds since the epoch, the length, the bytes. A
byte from CONTROL is acknowledged with an empty frame once all that was written has been forwarded.
"""

from __future__ import annotations

import os
import select
import signal
import struct
import sys
import time
from contextlib import suppress

FRAME = struct.Struct("<BQI")
# Numbers of frames that are no output: an acknowledgement; bytes that were not copied.
ACKNOWLEDGED = 254
LOST = 255

_READ_BYTES = 65536
# The most that waits for a process that does not read its copy.
_MAX_WAITING = 8_000_000
# How often the size of a terminal is compared.
_SECONDS = 0.25
_IGNORED = ("SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGTSTP", "SIGTTOU", "SIGUSR1", "SIGUSR2")


class _Copy:
    """The copy for the process. It never makes the output wait."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._waiting = bytearray()
        self._lost = 0
        self._is_open = True

    def add(self, number: int, data: bytes = b"") -> None:
        if not self._is_open:
            return
        if len(self._waiting) + len(data) > _MAX_WAITING and data:
            self._lost += data.count(b"\n")
            return
        if self._lost:
            lost, self._lost = str(self._lost).encode(), 0
            self._add(LOST, lost)
        self._add(number, data)

    def _add(self, number: int, data: bytes) -> None:
        self._waiting += FRAME.pack(number, time.time_ns() // 1000, len(data)) + data

    def send(self) -> bool:
        """Send what can be sent at once; whether something is left."""
        try:
            while self._waiting and self._is_open:
                del self._waiting[: os.write(self.fd, self._waiting[: 1 << 20])]
        except BlockingIOError:
            pass
        except OSError:  # nobody reads it any more
            self._is_open = False
            self._waiting.clear()
        return bool(self._waiting)


def _write(target: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(target, view) :]
        except BlockingIOError:  # another program has made it non-blocking
            select.select([], [target], [])


def _read(source: int) -> bytes:
    try:
        return os.read(source, _READ_BYTES)
    except OSError:  # of a terminal that nobody has open
        return b""


class _Sizes:
    """Gives the terminals of the process the size of the real ones."""

    def __init__(self, sources: dict[int, tuple[int, int]]) -> None:
        self._terminals = {
            source: target for source, (_, target) in sources.items() if os.isatty(source)
        }
        self._sizes: dict[int, object] = {}

    def update(self) -> None:
        if not self._terminals:
            return
        from termios import error, tcgetwinsize, tcsetwinsize

        for source, target in self._terminals.items():
            with suppress(error, OSError):
                size = tcgetwinsize(target)
                if size != self._sizes.get(source):
                    self._sizes[source] = size
                    tcsetwinsize(source, size)


def relay(copy_fd: int, control: int, sources: dict[int, tuple[int, int]]) -> None:
    """Forward until no process can write to the sources.

    Args:
        sources: by file descriptor, the number for the copy and the target.
    """
    copy, sizes, is_asked = _Copy(copy_fd), _Sizes(sources), False
    poll = select.poll()
    for fd in (*sources, control):
        poll.register(fd, select.POLLIN)
    while sources:
        is_waiting = copy.send()
        ready = {fd for fd, _ in poll.poll(10 if is_waiting else 1000 * _SECONDS)}
        for source in ready & sources.keys():
            number, target = sources[source]
            data = _read(source)
            if not data:
                poll.unregister(source)
                del sources[source]
                continue
            _write(target, data)
            copy.add(number, data)
        if control in ready:
            is_asked = bool(os.read(control, 1))
            if not is_asked:
                poll.unregister(control)
        if is_asked and not ready & sources.keys():
            is_asked = False
            copy.add(ACKNOWLEDGED)
        sizes.update()
    deadline = time.monotonic() + 1
    while copy.send() and time.monotonic() < deadline:
        time.sleep(0.01)


def main() -> None:
    """Leave the process that has started this one, and forward."""
    copy, control, *others = map(int, sys.argv[1:])
    for name in _IGNORED:
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    # The process must not wait for this one when it waits for all its children.
    if os.fork():
        os._exit(0)
    os.set_blocking(copy, False)
    numbers, sources, targets = others[::3], others[1::3], others[2::3]
    with suppress(OSError):
        relay(copy, control, dict(zip(sources, zip(numbers, targets, strict=True), strict=True)))
    os._exit(0)


if __name__ == "__main__":
    main()
