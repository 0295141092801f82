"""The path of every logged call: checks, step and timestamp, and the record in the journal."""

from __future__ import annotations

import math
from collections import deque  # noqa: TC003 - for get_type_hints
from collections.abc import Callable
from pathlib import PurePath
from time import time_ns
from typing import TYPE_CHECKING, Any, BinaryIO

from msgspec.structs import replace

from trackai.errors import InvalidInputError
from trackai.ingest.frames import Configured, Described, Filed
from trackai.ingest.journal import JournalWriter  # noqa: TC001 - for get_type_hints
from trackai.sdk import fork, late_calls
from trackai.sdk.left_out import LeftOut
from trackai.sdk.logged_values import are_plain_numbers, failure, flatten, named
from trackai.sdk.run_files import RunFiles
from trackai.sdk.steps import plain_step
from trackai.values.steps import STEP_LIMIT
from trackai.values.text import without_surrogates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trackai.ingest.frames import Used, Versioned
    from trackai.ingest.journal import Kept
    from trackai.sdk.logged_values import LoggedValues
    from trackai.values.types import Axis, FileKind, Step, TextKind, Value

# How many lines of the console output are logged before log() may go on.
_LINES_AT_ONCE = 100


class CallLog:
    """Appends the calls of a run to its journal, each with a step and a unique timestamp.

    The base class of `Run`, and not an object that it holds: every further attribute look-up or
    call costs the training loop.
    """

    def __init__(self, journal: JournalWriter, first_step: int, *, strict: bool) -> None:
        self._finished = False
        self._last_timestamp = 0
        self._journal = journal
        self._lock = journal.lock
        self._next_step = first_step
        self._left_out = LeftOut(strict=strict)
        self._files = RunFiles(
            is_finished=lambda: self._finished,
            store_bytes=self._store_bytes,
            append_file=self._append_file,
            append_artifact=self._append_artifact,
        )

    def _log(self, metrics: Any, step: float | None, axis: Axis) -> None:
        # Every logged value passes here: each call and check costs the training loop.
        if step is not None and (type(step) is not int or not -STEP_LIMIT <= step <= STEP_LIMIT):
            step = self._usable_step(step)
        if isinstance(metrics, dict):
            values = [*metrics.values()]
            if are_plain_numbers(values):
                try:
                    return self._log_values(axis, [*metrics], step, values)
                except (TypeError, OverflowError, UnicodeEncodeError, InvalidInputError):
                    # An object that adds up to a number without being one, or an invalid name:
                    # flatten() names it.
                    pass
        return self._log_converted(axis, metrics, step)

    def _usable_step(self, step: Any) -> Step | None:
        """Convert a step to a built-in number; None if it cannot be one."""
        try:
            return plain_step(step)
        except Exception:
            error = failure(lambda: plain_step(step))
            if error is None:
                raise  # a signal handler raised it, not the step
        self._left_out.add("step", error, "the next step is used instead")
        return None

    def _has_ended(self) -> bool:
        return self._finished

    def _log_values(
        self, axis: Axis, keys: Sequence[str], step: Step | None, values: list[Value]
    ) -> None:
        with self._lock:
            if self._finished:
                return late_calls.refuse(late_calls.FINISHED)
            if step is None:
                step = self._next_step
            now = time_ns() // 1000
            if now <= self._last_timestamp:
                # Two calls in one microsecond, or a clock that was set back, must not merge two
                # points into one.
                now = self._last_timestamp + 1
            self._last_timestamp = now
            if keys:
                self._journal.append_points(axis, keys, step, now, values)
            if step >= self._next_step and axis == "step":
                self._next_step = math.floor(step) + 1
        return None

    def _log_converted(self, axis: Axis, metrics: Any, step: Step | None) -> None:
        if self._finished:
            return late_calls.refuse(late_calls.FINISHED)
        logged = flatten(metrics)
        if axis == "time":
            _refuse_media(logged)
        for name, error in logged.problems:
            self._left_out.add(name, error)
        for name, message in logged.rounded:
            self._left_out.mention(name, message)
        keys, values = tuple(logged.values), list(logged.values.values())
        if not logged.histograms and not logged.files:
            try:
                return self._log_values(axis, keys, step, values)
            except InvalidInputError:
                pass  # too long for one record
        files = self._files.store_media(logged.files, self._left_out)
        with self._lock:
            step = self._next_step if step is None else step
            # Without values, as this takes the timestamp of the call.
            self._log_values(axis, (), step, [])
            if self._has_ended():  # another thread has finished the run, at the end of the script
                return None
            now = self._last_timestamp
            self._append(axis, keys, step, now, values)
            texts: list[Value] = [*logged.histograms.values()]
            self._append(axis, tuple(logged.histograms), step, now, texts, "histogram")
            for path, number, media, content in files:
                name = media.file_name(step, number)
                source = without_surrogates(media.source)
                filed = Filed(path, "file_series", name, step, now, source, *content)
                self._journal.append(filed)
        return None

    def _append(
        self,
        axis: Axis,
        keys: tuple[str, ...],
        step: Step,
        now: int,
        values: list[Value],
        kind: TextKind = "text",
    ) -> None:
        """Append values, each in a record of its own if one record cannot hold them all."""
        if not keys:
            return None
        try:
            self._journal.append_points(axis, keys, step, now, values, kind)
        except InvalidInputError as error:
            if len(keys) == 1 or self._left_out.strict:
                return self._left_out.add(named(keys[0]), error)
            for key, value in zip(keys, values, strict=True):
                self._append(axis, (key,), step, now, [value], kind)
        return None

    def _store_bytes(self, write_to: Callable[[BinaryIO], object]) -> Kept:
        return self._journal.keep(write_to)

    def _append_file(
        self, path: str, kind: FileKind, name: str, source: str, content: Kept
    ) -> None:
        with self._lock:
            # Takes a timestamp, and raises if another thread has finished the run meanwhile: a
            # record after the end of the run would never be read.
            self._log_values("time", (), 0, [])
            if self._finished:  # the script has ended
                return
            now = self._last_timestamp
            self._journal.append(Filed(path, kind, name, None, now, source, *content))

    def _log_lines(self, path: str, lines: deque[tuple[int, str]], *, final: bool) -> None:
        """Append lines of the console output, and remove them from `lines`.

        While the journal cannot be written, they do not take the room of metrics in memory.

        Args:
            lines: each with the time at which it was printed, microseconds since the epoch.
            final: append them in any case.
        """
        keys = (path,)
        while lines:
            with self._lock:
                if self._journal.failure is not None and not final:
                    return
                for _ in range(min(len(lines), _LINES_AT_ONCE)):
                    timestamp, text = lines.popleft()
                    if not self._finished:
                        self._journal.append_points("time", keys, 0, timestamp, [text])

    def _store_fact_file(self, name: str, content: bytes) -> bool:
        """Store a file about the environment; False if that is not possible."""
        try:
            kept = self._store_bytes(lambda file: file.write(content))
        except OSError:
            return False
        with self._lock:
            if self._finished:
                return False
            self._log_values("time", (), 0, [])  # takes a timestamp
            file = PurePath(name).name
            self._journal.append(Filed(name, "file", file, None, self._last_timestamp, "", *kept))
        return True

    def _append_artifact(
        self, files: Sequence[Filed], paths: Sequence[str], version: Versioned | None
    ) -> None:
        with self._lock:
            frames: list[Filed | Versioned] = [
                replace(file, path=path, timestamp=self._take_timestamp())
                for path in paths
                for file in files
            ]
            if version is not None:
                frames.append(replace(version, timestamp=self._take_timestamp()))
            if not self._finished and frames:
                self._journal.append(*frames)

    def _take_timestamp(self) -> int:
        # Raises if another thread has finished the run meanwhile.
        self._log_values("time", (), 0, [])
        return self._last_timestamp

    def _append_record(self, record: Configured | Described | Used) -> None:
        with self._lock:
            if self._finished:
                return late_calls.refuse(late_calls.FINISHED)
            self._journal.append(record)
        return None

    def _switch_to_child_journal(self) -> None:
        self._left_out.forget()
        journal = self._journal
        fork.never_free(journal)
        self._journal = journal.heir(fork.opened_by_child(journal.opened))
        self._lock = self._journal.lock


def _refuse_media(logged: LoggedValues) -> None:
    """Make problems of what a system metric cannot be."""
    for path in (*logged.histograms, *logged.files):
        error = TypeError(
            f"system {named(path)}: must be a number, bool or str; use log() for others"
        )
        logged.problems.append((named(path), error))
    logged.histograms, logged.files = {}, {}
