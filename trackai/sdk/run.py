"""A run, as a training script holds it: a synchronous face over the journal and the recorder."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Mapping
from time import time_ns
from typing import TYPE_CHECKING, Any

from anyio.from_thread import BlockingPortalProvider

from trackai.errors import NoActiveRunError
from trackai.ingest.frames import Configured, Ended
from trackai.sdk.config import Config, nested
from trackai.sdk.guard import guarded
from trackai.sdk.recorder import Recorder, RunRequest
from trackai.sdk.values import STEP_LIMIT, are_plain_numbers, flatten, plain_step

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Literal, Self

    from trackai.settings import Settings
    from trackai.structs.values import Axis, Step, Value

logger = logging.getLogger("trackai")

# The one event loop of this process, in a thread that lives as long as any run does.
_portals = BlockingPortalProvider()


class Run:
    """A run that is being logged; make one with `trackai.init`.

    All methods may be called from any thread.

    Attributes:
        id: the row id of the run, as in the HTTP API and in SQL.
        run_id: its slug, unique in the project.
        name, project, group: what people call it, its project, its group.
        config: the configuration, a live mapping.
        url: where a running server shows it.
    """

    def __init__(self, settings: Settings, request: RunRequest, config: Mapping[str, Any]) -> None:
        self._lock = threading.Lock()
        self._finished = False
        self._complained = False
        self._last_timestamp = 0
        self._portal = _portals.__enter__()
        try:
            self._recorder = self._portal.call(Recorder.start, settings.db_path, request)
        except BaseException:
            _portals.__exit__(None, None, None)
            raise
        self._journal = self._recorder.journal
        self._recording = self._portal.start_task_soon(self._recorder.record)
        run = self._recorder.run
        self.id: int = run.id
        self.run_id: str = run.run_id
        self.name: str = run.name or run.run_id
        self.group: str | None = run.group_name
        self.project: str = self._recorder.project.name
        self.url = f"{settings.url}/?run={run.id}"
        last_step = self._recorder.last_step
        self._next_step = 0 if last_step is None else math.floor(last_step) + 1
        self.config = Config(nested(self._recorder.config), self._store_config)
        if config:
            self.config.update(config)

    def log(self, metrics: Mapping[str, Any], step: float | None = None) -> None:
        """Log values at a step; once this returns they survive the death of the process.

        Args:
            metrics: names and values: float, int, bool, str, NumPy and PyTorch scalars. Nested
                mappings are joined with "/".
            step: an int or a float, in any order. Without one, the step after the highest so far.

        Raises:
            TypeError: a name, a value or the step is of no type that can be logged. Nothing is
                stored then.
            NoActiveRunError: the run is finished.
        """
        self._append("step", metrics, step)

    def log_system(self, metrics: Mapping[str, Any]) -> None:
        """Log values that belong to a time rather than a step, like the load of a GPU.

        Raises:
            TypeError: a name or a value is of no type that can be logged.
            NoActiveRunError: the run is finished.
        """
        self._append("time", metrics, 0)

    def finish(self, state: Literal["completed", "failed"] = "completed") -> None:
        """End the run; on return all points are in the database.

        Args:
            state: how it ended.
        """
        with self._lock:
            if self._finished:
                return
            self._finished = True
            self._append_frame(Ended(state, max(time_ns() // 1000, self._last_timestamp)))
        with guarded("storing the last points"):
            try:
                self._portal.call(self._recorder.stop)
                self._recording.result()
            finally:
                _portals.__exit__(None, None, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        ended_well = exc is None or (isinstance(exc, SystemExit) and not exc.code)
        self.finish("completed" if ended_well else "failed")

    def __repr__(self) -> str:
        return f"<trackai.Run {self.name!r} of {self.project!r}>"

    def _append(self, axis: Axis, metrics: Mapping[str, Any], step: float | None) -> None:
        # The way of every logged value: each call and check here costs the training loop.
        if type(metrics) is not dict and not isinstance(metrics, Mapping):
            raise TypeError(
                f"metrics: a dict of names and values is needed, not {type(metrics).__qualname__}"
            )
        if step is not None and (type(step) is not int or not -STEP_LIMIT <= step <= STEP_LIMIT):
            step = plain_step(step)
        values = list(metrics.values())
        if are_plain_numbers(values):
            try:
                return self._append_call(axis, tuple(metrics), step, values)
            except (TypeError, OverflowError):
                pass  # an object that adds up to a number but is none: it is named below
        flat = flatten(metrics)
        return self._append_call(axis, tuple(flat), step, list(flat.values()))

    def _append_call(
        self, axis: Axis, keys: tuple[str, ...], step: Step | None, values: list[Value]
    ) -> None:
        with self._lock:
            if self._finished:
                raise NoActiveRunError
            if step is None:
                step = self._next_step
            now = time_ns() // 1000
            if now <= self._last_timestamp:
                # Two calls in one microsecond, or a clock that is set back, must not make two
                # points one.
                now = self._last_timestamp + 1
            self._last_timestamp = now
            if keys:
                try:
                    self._journal.append_points(axis, keys, step, now, values)
                except OSError as error:
                    self._complain(error)
            if step >= self._next_step and axis == "step":
                self._next_step = math.floor(step) + 1

    def _append_frame(self, frame: Configured | Ended) -> None:
        try:
            self._journal.append(frame)
        except OSError as error:
            self._complain(error)

    def _store_config(self, values: dict[str, str]) -> None:
        with self._lock:
            if self._finished:
                raise NoActiveRunError
            self._append_frame(Configured(values))

    def _complain(self, error: OSError) -> None:
        if not self._complained:
            logger.warning("the journal of %r cannot be written, points are lost: %s", self, error)
        self._complained = True
