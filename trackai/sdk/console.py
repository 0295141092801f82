"""What a script prints during a run, as logs of the run."""

from __future__ import annotations

import subprocess
import sys
import threading
import traceback
from collections import deque
from collections.abc import Mapping
from functools import partial
from time import time_ns
from typing import TYPE_CHECKING, Any, Literal, Protocol

import anyio
from anyio.to_thread import run_sync

from trackai.errors import InvalidInputError
from trackai.guard import guarded
from trackai.sdk.output_limit import OutputLimit
from trackai.sdk.screen import Screen
from trackai.sdk.tee import Tee
from trackai.settings import wandb_console
from trackai.values.logger import logger
from trackai.values.text import without_surrogates

if TYPE_CHECKING:
    from collections.abc import Callable

    from trackai.sdk.redirection import Channel, Redirection

    LogLines = Callable[..., None]

Capture = Literal["off", "wrap", "fd"]

# What has been printed is logged this often.
_SECONDS = 0.5
# The most lines that wait for a journal that cannot be written.
_MAX_PENDING = 30_000

_CAPTURES: dict[Any, Capture] = {True: "wrap", False: "off", "wrap": "wrap", "fd": "fd"}
# The modes of `console` in the settings of wandb, and in WANDB_CONSOLE.
_WANDB_MODES: dict[str, Capture] = {
    "auto": "wrap", "wrap": "wrap", "wrap_raw": "wrap", "wrap_emu": "wrap", "redirect": "fd",
    "off": "off",
}  # fmt: skip


def chosen_capture(capture: Any, settings: Any, *, auto_log: bool) -> Capture:
    """How to capture the console output, given two arguments of `init`.

    Args:
        auto_log: whether to record what is not asked for.

    Raises:
        InvalidInputError: one of them, or `WANDB_CONSOLE`, has a value that is not allowed.
    """
    if capture is not None:
        if not isinstance(capture, bool | str) or capture not in _CAPTURES:
            raise InvalidInputError("capture", f'must be a bool, "wrap" or "fd", got {capture!r}')
        return _CAPTURES[capture]
    get = settings.get if isinstance(settings, Mapping) else partial(getattr, settings)
    field, mode = "settings.console", get("console", None)
    if mode is None:
        field, mode = "WANDB_CONSOLE", wandb_console() if auto_log else "off"
    if mode not in _WANDB_MODES:
        raise InvalidInputError(field, f"must be one of {', '.join(_WANDB_MODES)}, got {mode!r}")
    return _WANDB_MODES[mode]


class _Source(Protocol):
    """What copies a stream."""

    def add(self, listener: Any) -> None: ...

    def remove(self, listener: Any) -> None: ...

    def collect(self) -> None: ...

    def renew_in_child(self) -> None: ...


class _Log:
    """The lines of one stream on their way to the journal of a run."""

    def __init__(self, path: str, log_lines: LogLines) -> None:
        self._path, self._log_lines = path, log_lines
        self._last_timestamp = 0
        self._renew()

    def _renew(self) -> None:
        self._lock = threading.RLock()
        self._screen, self._limit = Screen(), OutputLimit()
        self._pending: deque[tuple[int, str]] = deque()

    def feed(self, text: str, now: int) -> None:
        with self._lock:
            self._screen.feed(text, now)

    def leave_out(self, lines: int) -> None:
        with self._lock:
            self._take(final=False)
            self._limit.leave_out(lines)

    def log(self, *, final: bool = False) -> None:
        """Log the lines that are due; with `final`, all that are left."""
        with self._lock:
            self._take(final=final)
        self._log_lines(self._path, self._pending, final=final)

    def _take(self, *, final: bool) -> None:
        now = time_ns() // 1000
        lines = self._screen.take(now, final=final)
        for timestamp, text in self._limit.admit(lines, now, final=final):
            if len(self._pending) >= _MAX_PENDING:
                self._limit.leave_out(1)
                continue
            self._last_timestamp = max(timestamp, self._last_timestamp + 1)
            self._pending.append((self._last_timestamp, without_surrogates(text)))

    def renew_in_child(self) -> None:
        self._renew()


class Console:
    """Logs what is printed during a run as `logs/stdout` and `logs/stderr`."""

    def __init__(self, log_lines: LogLines, sources: Mapping[str, _Source], prefix: str) -> None:
        """Begin to log.

        Args:
            log_lines: appends lines to the journal of the run, see `CallLog`.
            sources: by the name of each stream.
            prefix: precedes the names of the logs.
        """
        self._logs = {
            name: (source, _Log(f"{prefix}logs/{name}", log_lines))
            for name, source in sources.items()
        }
        self._is_open = True
        for source, log in self._logs.values():
            source.add(log)

    def log(self) -> None:
        """Log what has been printed."""
        for source, log in self._logs.values():
            source.collect()
            log.log()

    async def log_regularly(self) -> None:
        """Log what is printed, until the run finishes."""
        while True:
            await anyio.sleep(_SECONDS)
            with guarded("logging the console output"):
                await run_sync(self.log, abandon_on_cancel=True)

    def note_exception(self, error: BaseException) -> None:
        """Log the traceback that Python will print once the run has ended."""
        if self._is_open and "stderr" in self._logs:
            source, log = self._logs["stderr"]
            source.collect()
            log.feed("".join(traceback.format_exception(error)), time_ns() // 1000)

    def close(self) -> None:
        """Log the rest, and stop."""
        if not self._is_open:
            return
        self._is_open = False
        with guarded("logging the console output"):
            for source, log in self._logs.values():
                source.remove(log)
                log.log(final=True)
            _forget_unused()

    def renew_in_child(self) -> None:
        """In a forked process: forget what the parent logs."""
        if not self._is_open:
            return
        for source, log in self._logs.values():
            source.renew_in_child()
            log.renew_in_child()


_tees: list[Tee] = []
_redirection: Redirection | None = None


def sources_of(capture: Capture) -> Mapping[str, _Source]:
    """What copies the console output, by the name of each stream; warn if "fd" is not possible."""
    if capture == "fd":
        try:
            return _file_descriptors()
        except (OSError, ImportError, subprocess.SubprocessError) as error:
            logger.warning(
                'capture: "fd" is not possible here (%s); what Python code prints is logged', error
            )
    return _python_streams()


def _file_descriptors() -> Mapping[str, Channel]:
    """The sources of what is written to the file descriptors 1 and 2, also by other processes."""
    global _redirection
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        try:
            leads_there = stream is None or stream.fileno() == number
        except (AttributeError, OSError, ValueError):
            leads_there = False
        if not leads_there:
            raise OSError(f"sys.{name} does not write to the file descriptor {number}")
    if _redirection is None or not _redirection.is_open:
        from trackai.sdk.redirection import Redirection

        _redirection = Redirection()
    return _redirection.channels


def _python_streams() -> Mapping[str, Tee]:
    """The sources of what Python code writes to sys.stdout and sys.stderr, where that is possible.

    Both may be one object, and either may be missing.
    """
    streams: dict[str, Tee] = {}
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None or any(tee.stream is stream for tee in streams.values()):
            continue
        tee = next((tee for tee in _tees if tee.stream is stream), None)
        if tee is None:
            try:
                tee = Tee(stream)
            except (AttributeError, TypeError):
                continue
            _tees.append(tee)
        streams[name] = tee
    return streams


def _forget_unused() -> None:
    _tees[:] = [tee for tee in _tees if tee.is_used]
