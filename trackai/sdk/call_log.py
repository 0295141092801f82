"""The path of every logged call: checks, step and timestamp, and the record in the journal."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from time import time_ns
from typing import TYPE_CHECKING, Any, BinaryIO

from trackai.ingest.frames import Configured, Described, Filed
from trackai.ingest.journal import JournalWriter  # noqa: TC001 - for get_type_hints
from trackai.sdk import fork, late_calls
from trackai.sdk.logged_values import are_plain_numbers, flatten
from trackai.sdk.run_files import RunFiles
from trackai.sdk.steps import STEP_LIMIT, plain_step

if TYPE_CHECKING:
    from trackai.ingest.journal import Kept
    from trackai.sdk.logged_values import LoggedValues
    from trackai.values.types import Axis, FileKind, Step, Value


class CallLog:
    """Appends the calls of a run to its journal, each with a step and a unique timestamp.

    The base class of `Run`, and not an object that it holds: every further attribute look-up or
    call costs the training loop.
    """

    def __init__(self, journal: JournalWriter, first_step: int) -> None:
        self._finished = False
        self._last_timestamp = 0
        self._journal = journal
        self._lock = journal.lock
        self._next_step = first_step
        self._files = RunFiles(
            is_finished=lambda: self._finished,
            store_bytes=self._store_bytes,
            append_file=self._append_file,
        )

    def _log(self, metrics: Mapping[str, Any], step: float | None, axis: Axis) -> None:
        # Every logged value passes here: each call and check costs the training loop.
        if type(metrics) is not dict and not isinstance(metrics, Mapping):
            raise TypeError(
                f"metrics: must be a dict of values by name, got {type(metrics).__qualname__}"
            )
        if step is not None and (type(step) is not int or not -STEP_LIMIT <= step <= STEP_LIMIT):
            step = plain_step(step)
        values = list(metrics.values())
        if are_plain_numbers(values):
            try:
                return self._log_values(axis, tuple(metrics), step, values)
            except (TypeError, OverflowError, UnicodeEncodeError):
                # An object that adds up to a number without being one, or an invalid name:
                # flatten() names it.
                pass
        return self._log_converted(axis, flatten(metrics), step)

    def _log_values(
        self, axis: Axis, keys: tuple[str, ...], step: Step | None, values: list[Value]
    ) -> None:
        with self._lock:
            if self._finished:
                return late_calls.refuse()
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

    def _log_converted(self, axis: Axis, logged: LoggedValues, step: Step | None) -> None:
        keys, values = tuple(logged.values), list(logged.values.values())
        if not logged.histograms and not logged.files:
            return self._log_values(axis, keys, step, values)
        if axis == "time":
            path = next(iter(logged.histograms or logged.files))
            raise TypeError(
                f"system metric {path!r}: must be a number, bool or str; use log() for others"
            )
        files = self._files.store_media(logged.files)
        with self._lock:
            step = self._next_step if step is None else step
            # Without values, too, as this takes the timestamp of the call.
            self._log_values(axis, keys, step, values)
            if self._finished:  # the script has ended
                return None
            now, journal = self._last_timestamp, self._journal
            if logged.histograms:
                texts: list[Value] = [*logged.histograms.values()]
                journal.append_points(axis, tuple(logged.histograms), step, now, texts, "histogram")
            for path, number, media, content in files:
                name = media.file_name(step, number)
                journal.append(Filed(path, "file_series", name, step, now, media.source, *content))
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

    def _append_record(self, record: Configured | Described) -> None:
        with self._lock:
            if self._finished:
                return late_calls.refuse()
            self._journal.append(record)
        return None

    def _switch_to_child_journal(self) -> None:
        journal = self._journal
        fork.never_free(journal)
        self._journal = journal.heir(fork.opened_by_child(journal.opened))
        self._lock = self._journal.lock
