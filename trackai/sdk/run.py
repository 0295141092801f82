"""A run, as a training script holds it: a synchronous face over the journal and the recorder."""

from __future__ import annotations

import logging
import math
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import time_ns
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Self

import msgspec
from anyio.from_thread import BlockingPortal, BlockingPortalProvider

from trackai.errors import InvalidInputError, NoActiveRunError, StoreError
from trackai.guard import guarded
from trackai.ingest.frames import Configured, Described, Ended, Filed
from trackai.sdk import artifacts, compat, fork
from trackai.sdk.artifacts import Artifact  # noqa: TC001 - for get_type_hints
from trackai.sdk.compat import AlertLevel, Summary
from trackai.sdk.config import Config, flat_json
from trackai.sdk.monitor import watch
from trackai.sdk.plain import check_name, check_notes, checked_tags
from trackai.sdk.recorder import Recorder, RunRequest
from trackai.sdk.values import (
    STEP_LIMIT,
    are_plain_numbers,
    flatten,
    plain_step,
)
from trackai.settings import Settings  # noqa: TC001 - for get_type_hints
from trackai.values.nesting import nested

if TYPE_CHECKING:
    from concurrent.futures import Future

    from trackai.ingest.journal import Kept
    from trackai.sdk.artifacts import Source
    from trackai.sdk.media import Media
    from trackai.sdk.values import Logged
    from trackai.values.types import Axis, FileKind, Step, Value

logger = logging.getLogger("trackai")

ALERT_LEVELS = {
    AlertLevel.INFO: logging.INFO,
    AlertLevel.WARN: logging.WARNING,
    AlertLevel.ERROR: logging.ERROR,
}

# Seconds between two looks at the machine.
_SHORTEST_PAUSE = 0.1
# How long whoever reads the summary waits until what has been logged is stored.
_CATCH_UP_SECONDS = 2.0

EndState = Literal["completed", "failed"]

# The one event loop of this process, in a thread that lives as long as any run does.
_portals = BlockingPortalProvider()


def _renew_portals() -> None:
    global _portals
    fork.never_free(_portals)
    _portals = BlockingPortalProvider()


fork.call_in_child(_renew_portals)

_Background = tuple[BlockingPortal, Recorder, "Future[None]"]


class Run:
    """A run that is being logged; make one with `trackai.init`.

    All methods may be called from any thread.

    Attributes:
        id: the row id of the run, as in the HTTP API and in SQL.
        run_id: its slug, unique in the project.
        project, group: the names of its project and its group.
        config: the configuration, a live mapping.
        summary: the last value of each metric; what is set in it is logged.
        resumed: whether something had been logged to it before.
        url: where a running server shows it.
    """

    def __init__(self, settings: Settings, request: RunRequest, config: Mapping[str, Any]) -> None:
        self._finished = False
        self._last_timestamp = 0
        portal = _portals.__enter__()
        # None in a process that has inherited the run by a fork, as is `_background`.
        self._recorder: Recorder | None = None
        self._background: _Background | None = None
        try:
            recorder = self._recorder = portal.call(Recorder, settings.db_path, portal)
            fork.watch(self)  # another thread may fork in the very moment in which a run begins
            portal.call(recorder.start, request)
        except BaseException:
            _portals.__exit__(None, None, None)
            raise
        self._journal = recorder.journal
        self._lock = self._journal.lock
        self._background = portal, recorder, portal.start_task_soon(recorder.record)
        run = recorder.run
        self.id: int = run.id
        self.run_id: str = run.run_id
        self._name: str = run.name or run.run_id
        self._tags: tuple[str, ...] = tuple(run.tags)
        self._notes = run.notes
        self.group: str | None = run.group_name
        self.project: str = recorder.project.name
        self.url = f"{settings.url}/?run={run.id}"
        self._db_path = settings.db_path
        self._next_step = recorder.first_step
        self.config = Config(nested(recorder.config), self._store_config)
        self._monitors: list[Future[None]] = []
        self.summary = Summary(partial(self.log, commit=False), self._last_values)
        self.resumed = self._journal.opened.attempt > 1
        self._folder: str | None = None
        self._saved: set[tuple[Path, int, int]] = set()
        self._read_at = -1
        self._read: dict[str, Value] = {}
        if config:
            self.config.update(config)

    @property
    def is_finished(self) -> bool:
        """Whether nothing can be logged to it any more."""
        return self._finished

    @property
    def name(self) -> str:
        """What people call it; another name that is assigned is stored like a point."""
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        check_name("name", name)
        self._append_frame(Described(name=name))
        self._name = name

    @property
    def tags(self) -> tuple[str, ...]:
        """What it is found by; others that are assigned are stored like points."""
        return self._tags

    @tags.setter
    def tags(self, tags: Sequence[str] | None) -> None:
        found = tuple(dict.fromkeys(checked_tags(tags or ())))
        self._append_frame(Described(tags=list(found)))
        self._tags = found

    @property
    def notes(self) -> str | None:
        """What is said about it; what is assigned is stored like a point."""
        return self._notes

    @notes.setter
    def notes(self, notes: str | None) -> None:
        if notes is not None:
            check_notes(notes)
        self._append_frame(Described(notes=notes or ""))
        self._notes = notes

    @property
    def step(self) -> int:
        """The step of the next call that names none."""
        return self._next_step

    @property
    def path(self) -> str:
        """How it is found: `Api().run(path)`."""
        return f"{self.project}/{self.run_id}"

    @property
    def entity(self) -> None:
        """Nobody: there are no accounts."""

    @property
    def dir(self) -> str:
        """A folder for files of the run: what lies in it when the run ends is kept with it."""
        if self._folder is None:
            self._folder = tempfile.mkdtemp(prefix="trackai-run-")
        return self._folder

    define_metric = staticmethod(compat.define_metric)
    log_code = staticmethod(compat.log_code)
    unwatch = staticmethod(compat.unwatch)
    use_artifact = staticmethod(compat.use_artifact)
    watch = staticmethod(compat.watch)

    def get_url(self) -> str:
        """Where a running server shows it."""
        return self.url

    def project_name(self) -> str:
        """The name of its project."""
        return self.project

    def log(
        self,
        metrics: Mapping[str, Any],
        step: float | None = None,
        commit: bool | None = None,
        sync: bool | None = None,
    ) -> None:
        """Log values at a step; once this returns they survive the death of the process.

        Args:
            metrics: names and values: float, int, bool, str, NumPy and PyTorch scalars, images
                and the like. Nested mappings are joined with "/".
            step: an int or a float, in any order. Without one, the step after the highest so far.
            commit: False leaves the next call at the same step, or at the one that is given here.
            sync: wandb's; values are always safe when this returns.

        Raises:
            TypeError: a name, a value or the step is of no type that can be logged. Nothing is
                stored then.
            InvalidInputError: a step, a text or a file cannot be stored, or a mapping holds itself.
                Nothing is stored then.
            NoActiveRunError: the run is finished.
        """
        if commit is False:
            with self._lock:
                next_step = self._next_step
                self._append("step", metrics, step)
                given = next_step if step is None else math.floor(plain_step(step))
                self._next_step = max(next_step, given)
        else:
            self._append("step", metrics, step)

    def log_system(self, metrics: Mapping[str, Any]) -> None:
        """Log values that belong to a time rather than a step, like the load of a GPU.

        Raises:
            TypeError: a name or a value is of no type that can be logged.
            NoActiveRunError: the run is finished.
        """
        self._append("time", metrics, 0)

    def save(
        self,
        glob_str: str | os.PathLike[str],
        base_path: str | os.PathLike[str] | None = None,
        policy: str | None = None,
    ) -> list[str]:
        """Keep files with the run, such as its script, as they are now.

        Args:
            glob_str: a path or a pattern; "**" stands for any folders.
            base_path: the folder below which they are named; default this one.
            policy: wandb's; files are always kept at once.

        Returns:
            What the run calls them.

        Raises:
            InvalidInputError: there is no such file, or one cannot be read.
            NoActiveRunError: the run is finished.
        """
        found = artifacts.matching(glob_str, base_path)
        self._save(found)
        return [one.name for one in found]

    def log_artifact(
        self,
        artifact_or_path: Artifact | str | os.PathLike[str],
        name: str | None = None,
        type: str | None = None,  # noqa: A002 - trackio and wandb call it that
        aliases: Sequence[str] | None = None,
    ) -> Artifact:
        """Keep an artifact, or a file or a folder as one, with the run.

        Args:
            name, type: of the artifact that a path becomes.
            aliases: other names under which it is kept too.

        Raises:
            InvalidInputError: there is no file in it, or one cannot be read.
            NoActiveRunError: the run is finished.
        """
        artifact = artifacts.artifact_of(artifact_or_path, name, type)
        place = f"{artifact.type}/{artifact.name}" if artifact.type else artifact.name
        self._append_files(
            "artifact",
            [
                (path, one.name, one.path)
                for path in (place, *(f"{place}:{alias}" for alias in aliases or ()))
                for one in artifact.files
            ],
        )
        return artifact

    def alert(
        self,
        title: str,
        text: str | None = None,
        level: AlertLevel | str = AlertLevel.WARN,
        **ignored: Any,
    ) -> None:
        """Say that something needs a look: it is printed, and logged as the text `alerts/<level>`.

        Raises:
            InvalidInputError: the level is none of "info", "warn" and "error".
            NoActiveRunError: the run is finished.
        """
        try:
            level = AlertLevel(level.lower())
        except (ValueError, AttributeError):
            raise InvalidInputError(
                "level", f'{level!r} is none of "info", "warn" and "error"'
            ) from None
        message = f"{title}\n{text}" if text else title
        self.log({f"alerts/{level.value}": message}, commit=False)
        logger.log(ALERT_LEVELS[level], "%s: %s", self.name, message)

    def monitor(self, read: Callable[[], dict[str, float]], interval: float) -> None:
        """Log what a meter says as system metrics, every `interval` seconds until the run ends."""
        if self._background is not None:
            portal = self._background[0]
            self._monitors.append(
                portal.start_task_soon(watch, read, self.log_system, max(interval, _SHORTEST_PAUSE))
            )

    def finish(self, state: EndState | int = "completed", quiet: bool | None = None) -> None:
        """End the run; on return all points are in the database.

        Args:
            state: how it ended, or an exit code: other than 0, the run has failed.
            quiet: wandb's; nothing is printed in any case.

        Raises:
            TypeError: it is neither of them.
        """
        if isinstance(state, int):
            state = "failed" if state else "completed"
        if state not in ("completed", "failed"):
            raise TypeError(f'a run ends as "completed" or "failed", not as {state!r}')
        self._keep_folder()
        with self._lock:
            if self._finished:
                return
            self._finished = True
            if self._background is None:  # the run is the parent's to end
                self._journal.retry()
                self._journal.close()
                return
            self._journal.append(Ended(state, max(time_ns() // 1000, self._last_timestamp)))
        portal, recorder, recording = self._background
        recorder.closing = True
        for monitor in self._monitors:
            monitor.cancel()
        with guarded("storing the last points"):
            try:
                portal.call(recorder.stop)
                recording.result()
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

    def _repr_html_(self) -> str:
        # Training has no need of what reads.
        from msgspec.json import decode

        from trackai.reading.card import card
        from trackai.reading.local_source import LocalSource

        config = {key: decode(text) for key, text in flat_json(self.config).items()}
        return card(LocalSource(self._db_path), self.id, repr(self), config)

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
            except (TypeError, OverflowError, UnicodeEncodeError):
                pass  # an object that adds up to a number but is none, or a name: named below
        return self._append_logged(axis, flatten(metrics), step)

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
                self._journal.append_points(axis, keys, step, now, values)
            if step >= self._next_step and axis == "step":
                self._next_step = math.floor(step) + 1

    def _append_logged(self, axis: Axis, logged: Logged, step: Step | None) -> None:
        if not logged.histograms and not logged.files:
            return self._append_call(axis, tuple(logged.values), step, list(logged.values.values()))
        if axis == "time":
            path = next(iter(logged.histograms or logged.files))
            raise TypeError(f"system metric {path!r}: a number, bool or str is needed; use log()")
        kept = [
            (path, *one) for path, some in logged.files.items() for one in self._keep(path, some)
        ]
        with self._lock:
            step = self._next_step if step is None else step
            # It stamps the call, even if there are no values.
            self._append_call(axis, tuple(logged.values), step, list(logged.values.values()))
            now, journal = self._last_timestamp, self._journal
            if logged.histograms:
                texts: list[Value] = [*logged.histograms.values()]
                journal.append_points(axis, tuple(logged.histograms), step, now, texts, "histogram")
            for path, number, one, content in kept:
                name = one.file_name(step, number)
                journal.append(Filed(path, "file_series", name, step, now, one.source, *content))
        return None

    def _append_files(self, kind: FileKind, files: Sequence[tuple[str, str, Path]]) -> None:
        for path, name, source in files:
            if self._finished:
                raise NoActiveRunError  # before a large file is copied in vain
            try:
                content = source.open("rb")
            except OSError as error:
                raise InvalidInputError(path, f"its file cannot be read: {error}") from None
            with content:
                kept = self._kept(content)
            if kept is not None:
                whence = str(source.absolute())
                with self._lock:
                    # It stamps the file, and refuses it if another thread has finished the run
                    # meanwhile: nobody would read what is appended after that.
                    self._append_call("time", (), 0, [])
                    now = self._last_timestamp
                    self._journal.append(Filed(path, kind, name, None, now, whence, *kept))

    def _save(self, files: Sequence[Source]) -> None:
        self._saved.update(one.version() for one in files)
        self._append_files("file", [(one.name, one.path.name, one.path) for one in files])

    def _keep_folder(self) -> None:
        """Keep the files in `dir`; in a forked process they are the parent's."""
        folder = self._folder
        if folder is None or self._background is None:
            return
        self._folder = None
        try:
            # Scripts for wandb save them too.
            files = artifacts.below(Path(folder))
            self._save([one for one in files if one.version() not in self._saved])
        except (OSError, InvalidInputError, NoActiveRunError) as error:
            logger.warning("the files in %s could not be kept: %s", folder, error)
        else:
            shutil.rmtree(folder, ignore_errors=True)

    def _keep(
        self, path: str, files: Sequence[tuple[int | None, Media]]
    ) -> Iterator[tuple[int | None, Media, Kept]]:
        """Write the bytes of what is logged under one name to the disk."""
        for number, one in files:
            try:
                opened = one.open()
            except OSError as error:
                raise InvalidInputError(path, f"its file cannot be read: {error}") from None
            except (UnicodeEncodeError, RecursionError) as error:  # of a table
                raise InvalidInputError(path, f"it cannot be stored: {error}") from None
            with opened as content:
                kept = self._kept(content)
            if kept is not None:
                yield number, one, kept

    def _kept(self, content: BinaryIO) -> Kept | None:
        """Write the bytes of a file to the disk; None if that is not possible."""
        try:
            return self._journal.keep(lambda file: shutil.copyfileobj(content, file))
        except OSError as error:
            logger.warning("a file that was logged could not be kept: %s", error)
            return None

    def _store_config(self, values: dict[str, str], replaced: list[str]) -> None:
        self._append_frame(Configured(values, replaced))

    def _append_frame(self, frame: Configured | Described) -> None:
        with self._lock:
            if self._finished:
                raise NoActiveRunError
            self._journal.append(frame)

    def _last_values(self) -> dict[str, Value]:
        """The last value of each metric; what has been logged by now is stored first."""
        from trackai.reading.history import from_json  # few scripts read anything
        from trackai.reading.local_source import LocalSource

        stamp = self._last_timestamp
        if stamp == self._read_at:
            return self._read
        if self._background is not None and not self._finished:
            portal, recorder, _ = self._background
            # Another thread finishes the run, or another program has locked the database.
            with suppress(RuntimeError, TimeoutError):
                portal.start_task_soon(recorder.catch_up).result(timeout=_CATCH_UP_SECONDS)
        try:
            figures = LocalSource(self._db_path).figures(self.id)
        except StoreError as error:
            logger.warning("the summary of the run could not be read: %s", error)
            return self._read
        self._read = {
            one.path: one.last if one.kind == "text" else from_json(one.last)
            for one in figures
            if one.axis == "step"
        }
        self._read_at = stamp
        return self._read

    def before_fork(self) -> Callable[[], object]:
        """In the process that forks: leave the database alone until what is returned is called."""
        return self._recorder.before_fork() if self._recorder is not None else lambda: None

    def before_child_runs(self) -> None:
        """In a forked process: log to a journal of our own, leave the parent's things alone."""
        recorder, self._recorder = self._recorder, None
        fork.never_free(recorder, self._background)
        if recorder is not None and self._background is None:
            # Of a run that another thread was about to begin; nobody here will ever have it.
            recorder.close_inherited()
            return
        self._background = None
        journal = self._journal
        fork.never_free(journal)
        opened = msgspec.structs.replace(
            journal.opened,
            writer_uid=uuid.uuid4().hex,
            pid=os.getpid(),
            started_at=time.time_ns() // 1000,
            parent=journal.opened.parent or journal.opened.writer_uid,
        )
        self._journal = journal.heir(opened)
        self._lock = self._journal.lock
