"""Copies of what Python code writes to sys.stdout and sys.stderr.

Only the method `write` of the stream is replaced. The stream stays the object that loggers and
other libraries may hold already, with the same isatty(), fileno(), encoding and buffer. Code that
replaces sys.stdout later, such as contextlib.redirect_stdout, works as before.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from time import time_ns
from typing import TYPE_CHECKING, Any, Protocol

from trackai.guard import guarded

if TYPE_CHECKING:
    from collections.abc import Callable

# The first writes after each collection have exact times. Reading the clock in each write would
# double the cost of print() to a file.
_TIMED_WRITES = 200
# How much is held until it is collected: the first writes, the last ones, and characters of long
# ones.
_MAX_WRITES = 25_000
_MAX_LAST_WRITES = 10_000
_LONG = 1024
_MAX_LONG = 16_000_000


class Listener(Protocol):
    """Gets what is written to a stream."""

    def feed(self, text: str, now: int) -> None:
        """Take text that was written at a time, microseconds since the epoch."""

    def leave_out(self, lines: int) -> None:
        """Note that lines were written that could not be held."""

    def log(self) -> None:
        """Log what is due now."""


class Tee:
    """Copies what is written to a text stream, until it is collected.

    Attributes:
        stream: the stream.
    """

    def __init__(self, stream: Any) -> None:
        """Begin to copy.

        Raises:
            AttributeError: the stream does not allow it.
            TypeError: likewise.
        """
        self.stream = stream
        self._listeners: tuple[Listener, ...] = ()
        self._replaced = vars(stream).get("write")
        # The texts of writes; of the first ones, with the time in microseconds.
        self._writes: deque[str | tuple[str, int]] = deque()
        self._last_writes: deque[str] = deque()
        self._long = 0
        self._lost = 0
        self._is_direct = False
        self._is_collecting = False
        self._lock = threading.RLock()
        self._write = self._make_write(stream.write)
        stream.write = self._write

    def _make_write(self, write_through: Callable[[str], int]) -> Callable[[str], int]:
        note, forget = self._note, self._forget_some
        writes, add = self._writes, self._writes.append
        last_writes, add_last = self._last_writes, self._last_writes.append
        # Names of the module take longer to find, and every print() passes here twice.
        length, long, timed, most, most_last = (
            len, _LONG, _TIMED_WRITES, _MAX_WRITES, 2 * _MAX_LAST_WRITES
        )  # fmt: skip

        def write(text: str, /) -> int:
            written = write_through(text)
            number = length(writes)
            if number < timed or length(text) >= long:
                note(text)
            elif number < most:
                add(text)
            else:
                add_last(text)
                if length(last_writes) >= most_last:
                    forget()
            return written

        return write

    def _note(self, text: str) -> None:
        if len(text) >= _LONG:
            self._long += len(text)
        if self._long > _MAX_LONG and len(text) >= _LONG:
            self._lost += text.count("\n")
        elif len(self._writes) < _MAX_WRITES:
            self._writes.append((text, time_ns() // 1000))
        else:
            self._last_writes.append(text)
        if self._is_direct and not self._is_collecting:
            with guarded("logging the console output"):
                self.collect()
                for listener in self._listeners:
                    listener.log()

    def _forget_some(self) -> None:
        self._lost += self._pop_last(_MAX_LAST_WRITES).count("\n")

    def _pop_last(self, number: int) -> str:
        texts = []
        with suppress(IndexError):  # another thread pops them, too
            for _ in range(number):
                texts.append(self._last_writes.popleft())
        return "".join(texts)

    @property
    def is_used(self) -> bool:
        """Whether there are listeners."""
        return bool(self._listeners)

    def add(self, listener: Listener) -> None:
        """Give a listener what is written from now on."""
        with self._lock:
            self.collect()
            self._listeners += (listener,)

    def remove(self, listener: Listener) -> None:
        """Remove a listener. After the last one, the stream has its own method again."""
        with self._lock:
            self.collect()
            self._listeners = tuple(other for other in self._listeners if other is not listener)
            # Other code may have replaced the method again, and call this one.
            if not self._listeners and vars(self.stream).get("write") is self._write:
                if self._replaced is None:
                    del self.stream.write
                else:
                    self.stream.write = self._replaced

    def collect(self) -> None:
        """Give the listeners what has been written since the last call."""
        with self._lock:
            if self._is_collecting:  # a listener prints
                return
            self._is_collecting = True
            try:
                self._collect()
            finally:
                self._is_collecting = False

    def _collect(self) -> None:
        now = time_ns() // 1000
        untimed = []
        # What is written from now on is younger than the last writes.
        for _ in range(len(self._writes)):
            item = self._writes.popleft()
            if not isinstance(item, tuple):
                untimed.append(item)
                continue
            if untimed:
                self._give("".join(untimed), item[1])
                untimed.clear()
            self._give(*item)
        if untimed:
            self._give("".join(untimed), now)
        self._long = 0
        if self._lost:
            lost, self._lost = self._lost, 0
            for listener in self._listeners:
                listener.leave_out(lost)
        last = self._pop_last(len(self._last_writes))
        if last:
            self._give(last, now)

    def _give(self, text: str, now: int) -> None:
        for listener in self._listeners:
            listener.feed(text, now)

    def renew_in_child(self) -> None:
        """In a forked process: forget what the parent logs. What this one prints is logged at once.

        It has no event loop, and may end in any way.
        """
        self._lock = threading.RLock()
        self._writes.clear()
        self._last_writes.clear()
        self._long = self._lost = 0
        self._is_collecting = False
        self._is_direct = True
