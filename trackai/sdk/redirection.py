"""Copies of all that a process and its children write to the file descriptors 1 and 2.

Both lead through another process, see `trackai.sdk.relay`: a pipe that this process read itself
would be full, and never emptied, when C code prints while it holds the interpreter's lock.
"""

from __future__ import annotations

import codecs
import os
import select
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from trackai.sdk.relay import ACKNOWLEDGED, FRAME, LOST
from trackai.values.logger import logger

if TYPE_CHECKING:
    from trackai.sdk.tee import Listener

_NAMES = {1: "stdout", 2: "stderr"}
_START_SECONDS = 30
# How long the end of a run waits until the last output has been forwarded.
_SETTLE_SECONDS = 5.0
_PIPE_BYTES = 1 << 20
_READ_BYTES = 1 << 20


class Channel:
    """A file descriptor that leads through the relay.

    Attributes:
        number: the file descriptor.
        target: where it led before.
        source: the end that the relay reads. It is open here, too, so that writing does not fail if
            the relay is killed.
    """

    def __init__(self, redirection: Redirection, number: int, target: int) -> None:
        self.number, self.target = number, target
        self.listeners: tuple[Listener, ...] = ()
        self._redirection = redirection
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        if os.isatty(target):
            self.source, self._sink = _terminal(target)
        else:
            self.source, self._sink = os.pipe()
            _enlarge(self._sink)
        self._status = os.fstat(self._sink)

    def redirect(self, number: int) -> None:
        os.dup2(self._sink, number)

    def is_at(self, number: int) -> bool:
        """Whether a file descriptor still leads here."""
        try:
            return os.path.samestat(os.fstat(number), self._status)
        except OSError:
            return False

    def close_sink(self) -> None:
        os.close(self._sink)

    def give(self, data: bytes, now: int) -> None:
        text = self._decoder.decode(data)
        for listener in self.listeners:
            listener.feed(text, now)

    def add(self, listener: Listener) -> None:
        """Give a listener what is written from now on."""
        self._redirection.settle()
        self.listeners += (listener,)

    def remove(self, listener: Listener) -> None:
        """Remove a listener. After the last one, both file descriptors lead where they did."""
        self._redirection.remove(self, listener)

    def collect(self) -> None:
        """Give the listeners what has been written since the last call."""
        self._redirection.collect()

    def renew_in_child(self) -> None:
        """In a forked process: the parent has what this one prints."""
        self._redirection.forget()


class Redirection:
    """The file descriptors 1 and 2 of this process, which lead through a relay.

    If both led to the same file or terminal, they are one channel: two would change the order.

    Attributes:
        channels: by the name of the stream.
        is_open: whether they lead through the relay.
    """

    def __init__(self) -> None:
        """Begin.

        Raises:
            OSError: it is not possible here.
        """
        self.is_open = False
        self.channels: dict[str, Channel] = {}
        self._lock = threading.RLock()
        self._received = bytearray()
        self._is_settled = threading.Event()
        # Each file descriptor with its channel and a copy that leads where it did.
        self._numbers: dict[int, tuple[Channel, int]] = {}
        _flush()
        try:
            self._begin()
        except BaseException:
            for channel in self.channels.values():
                channel.close_sink()
                os.close(channel.source)
            for _, copy in self._numbers.values():
                os.close(copy)
            raise

    def _begin(self) -> None:
        for number, name in _NAMES.items():
            if getattr(sys, f"__{name}__") is None:
                # It was closed when Python started, and another file may have its number.
                continue
            try:
                target = os.dup(number)
            except OSError:  # it is closed
                continue
            channel = next(
                (channel for channel, other in self._numbers.values() if _is_same(other, target)),
                None,
            )
            if channel is None:
                channel = self.channels[name] = Channel(self, number, target)
            self._numbers[number] = channel, target
        if not self._numbers:
            raise OSError("stdout and stderr are closed")
        self._copy, copy_end = os.pipe()
        control_end, self._control = os.pipe()
        _enlarge(copy_end)
        os.set_blocking(self._copy, False)
        try:
            self._start_relay(copy_end, control_end)
        except BaseException:
            os.close(self._copy)
            os.close(self._control)
            raise
        finally:
            os.close(copy_end)
            os.close(control_end)
        for number, (channel, _) in self._numbers.items():
            channel.redirect(number)
        for channel in self.channels.values():
            channel.close_sink()
        self.is_open = True

    def _start_relay(self, copy_end: int, control_end: int) -> None:
        ends = [copy_end, control_end]
        channels = list(self.channels.values())
        numbers = [(channel.number, channel.source, channel.target) for channel in channels]
        arguments = [*ends, *(value for three in numbers for value in three)]
        script = Path(__file__).with_name("relay.py")
        # It leaves the session: Ctrl-C and the end of a job are not for it.
        started = subprocess.run(  # noqa: S603 - a script of ours
            [sys.executable or "python", "-I", "-S", str(script), *map(str, arguments)],
            pass_fds=[*ends, *(fd for _, source, target in numbers for fd in (source, target))],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            cwd="/", start_new_session=True, timeout=_START_SECONDS, check=False,
        )  # fmt: skip
        if started.returncode:
            raise OSError(f"{sys.executable} cannot run {script}")

    def remove(self, channel: Channel, listener: Listener) -> None:
        """Remove a listener of a channel."""
        with self._lock:
            if not self.is_open:
                return
            listeners = tuple(other for other in channel.listeners if other is not listener)
            is_last = not listeners and not any(
                other.listeners for other in self.channels.values() if other is not channel
            )
            self.settle()
            if is_last:
                # Not before: what is in Python's buffers would overtake what the relay still has.
                self._restore()
                self.settle()
            channel.listeners = listeners
            if is_last:
                self._close()

    def settle(self) -> None:
        """Wait until what has been written is forwarded, and collect it."""
        _flush()
        if not self.is_open:
            return
        self._is_settled.clear()
        with suppress(OSError):
            os.write(self._control, b"?")
        deadline = time.monotonic() + _SETTLE_SECONDS
        while not self._is_settled.is_set() and self.is_open and time.monotonic() < deadline:
            select.select([self._copy], [], [], 0.1)
            self.collect()

    def collect(self) -> None:
        """Give the listeners what has been written since the last call."""
        with self._lock:
            while self.is_open:
                try:
                    data = os.read(self._copy, _READ_BYTES)
                except BlockingIOError:
                    return
                if not data:
                    self._replace_relay()
                    return
                self._received += data
                self._give_frames()

    def _give_frames(self) -> None:
        start, by_number = 0, {channel.number: channel for channel in self.channels.values()}
        while len(self._received) - start >= FRAME.size:
            number, now, length = FRAME.unpack_from(self._received, start)
            end = start + FRAME.size + length
            if end > len(self._received):
                break
            data = bytes(self._received[start + FRAME.size : end])
            start = end
            if number == ACKNOWLEDGED:
                self._is_settled.set()
            elif number == LOST:
                for channel in by_number.values():
                    for listener in channel.listeners:
                        listener.leave_out(int(data))
            else:
                by_number[number].give(data, now)
        del self._received[:start]

    def _replace_relay(self) -> None:
        """The relay has ended: forward what it has not, and do without it."""
        self._restore()
        for channel in self.channels.values():
            os.set_blocking(channel.source, False)
            with suppress(OSError):
                while data := os.read(channel.source, _READ_BYTES):
                    channel.give(data, time.time_ns() // 1000)
                    while data:
                        data = data[os.write(channel.target, data) :]
        self._close()
        logger.debug("the relay of the console output has ended")

    def _restore(self) -> None:
        """Let the file descriptors lead where they did, unless other code has changed them."""
        for number, (channel, target) in self._numbers.items():
            if channel.is_at(number):
                os.dup2(target, number)

    def _close(self) -> None:
        if self.is_open:
            self.is_open = False
            targets = [target for _, target in self._numbers.values()]
            sources = [channel.source for channel in self.channels.values()]
            for fd in (*targets, *sources, self._copy, self._control):
                os.close(fd)

    def forget(self) -> None:
        """In a forked process: leave it to the parent."""
        self._lock = threading.RLock()
        self._close()
        for channel in self.channels.values():
            channel.listeners = ()


def _terminal(target: int) -> tuple[int, int]:
    """Open a terminal like `target`: the end that the relay reads, and the one to write to."""
    import termios

    master, slave = os.openpty()
    with suppress(termios.error):
        attributes = termios.tcgetattr(target)
        attributes[1] &= ~termios.OPOST  # the real terminal does this
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        termios.tcsetwinsize(slave, termios.tcgetwinsize(target))
    return master, slave


def _enlarge(pipe: int) -> None:
    import fcntl

    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _is_same(fd: int, other: int) -> bool:
    return os.path.samestat(os.fstat(fd), os.fstat(other))


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):
            stream.flush()
