"""A run that is being logged: the synchronous facade over the journal and the recorder."""

from __future__ import annotations

import math
import os
import sys
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import wait
from contextlib import suppress
from datetime import timedelta
from functools import partial
from time import time_ns
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from anyio.from_thread import BlockingPortal, BlockingPortalProvider

from trackai.guard import guarded
from trackai.ingest.frames import Configured, Described, Ended, Environment
from trackai.ingest.run_request import RunRequest  # noqa: TC001 - for get_type_hints
from trackai.sdk import artifacts, exit_hooks, fork, ignored_calls
from trackai.sdk.alerts import LOGGING_LEVELS, AlertLevel, checked_level
from trackai.sdk.artifact_calls import ArtifactCalls
from trackai.sdk.config import Config, flat_json
from trackai.sdk.exit_hooks import EndState  # noqa: TC001 - for get_type_hints
from trackai.sdk.interactive import in_notebook
from trackai.sdk.labels import check_name, check_notes, checked_tags
from trackai.sdk.left_out import LeftOut
from trackai.sdk.local_destination import LocalDestination
from trackai.sdk.monitor import MonitoringEndedError, log_regularly
from trackai.sdk.place import LastValues, Place
from trackai.sdk.recorder import Recorder
from trackai.sdk.summary import Summary
from trackai.sdk.wandb_names import Beginning, WandbNames
from trackai.settings import Settings  # noqa: TC001 - for get_type_hints
from trackai.values.logger import logger
from trackai.values.nesting import nested
from trackai.values.own_keys import JOB_TYPE, without_own
from trackai.values.own_keys import job_type as stored_job_type
from trackai.values.text import without_surrogates

if TYPE_CHECKING:
    from concurrent.futures import Future

    from trackai.sdk.console import Capture
    from trackai.sdk.environment import Survey
    from trackai.sdk.webhook import Webhooks
    from trackai.values.types import Value


# The shortest interval of a monitor, in seconds.
_SHORTEST_INTERVAL = 0.1
# How long reading the summary waits for what has been logged to be stored.
_CATCH_UP_SECONDS = 2.0

# The one event loop of this process, in a thread that lives as long as any run.
_portals = BlockingPortalProvider()


def _renew_portals() -> None:
    global _portals
    fork.never_free(_portals)
    _portals = BlockingPortalProvider()


fork.call_in_child(_renew_portals)


def keep_portals() -> None:
    """Keep the event loop at the end of the process: its thread will not run to be closed."""
    fork.never_free(_portals)


_Background = tuple[BlockingPortal, Recorder, "Future[None]"]


async def _new_recorder(settings: Settings, portal: BlockingPortal) -> Recorder:
    """Make a recorder, in the event loop that it works in."""
    if settings.server_url is None:
        return Recorder(LocalDestination(settings.db_path), portal)
    # Imported here: most scripts log to a file.
    from trackai.sdk.server_destination import ServerDestination

    return Recorder(ServerDestination(settings), portal)


class Run(ArtifactCalls, WandbNames):
    """A run that is being logged. Created by `trackai.init`.

    A run is a context manager: it finishes at the end of the block, as failed if an exception
    leaves the block. All methods may be called from any thread, and in forked processes.

    Attributes:
        id: its number in the database, as in the HTTP API and in SQL; 0 for a run that has begun
            without its server.
        run_id: its slug, unique in the project.
        project: the name of its project.
        group: the name of its group, or None.
        config: its configuration, a live mapping (see `trackai.config`).
        summary: the last value of each metric; a value that is set is logged.
        resumed: True if the run continues an earlier attempt.
        url: its address in the dashboard of a running server.

    Example:
        with trackai.init(project="digits") as run:
            for step in range(100):
                run.log({"loss": 1 / (step + 1)}, step=step)
    """

    # The `LiveCard` of notebook cells that show the run.
    _card: Any = None
    # The `Console` that captures what is printed.
    _console: Any = None
    # Whether the run fails if it is still unfinished when the script ends or starts another run.
    fails_if_left_open = False

    def __init__(
        self,
        settings: Settings,
        request: RunRequest,
        config: Mapping[str, Any],
        is_abandoned: threading.Event,
        job_type: str | None = None,
    ) -> None:
        if request.strict:
            flat_json(config, LeftOut(strict=True))  # raises before the run exists
        portal = _portals.__enter__()
        self._has_portal = True
        # None in a process that has inherited the run by a fork, as is `_background`.
        self._recorder: Recorder | None = None
        self._background: _Background | None = None
        self.webhooks: Webhooks | None = None
        try:
            recorder = self._recorder = portal.call(_new_recorder, settings, portal)
            fork.watch(self)  # another thread may fork while this run starts
            portal.call(recorder.start, request, is_abandoned)
        except BaseException:
            _portals.__exit__(None, None, None)
            raise
        super().__init__(recorder.journal, recorder.first_step, strict=request.strict)
        self._background = portal, recorder, portal.start_task_soon(recorder.record)
        self._monitors: list[Future[None]] = []
        self._survey: Survey | None = None
        try:
            self._describe(settings, recorder)
            if settings.auto_log and self._rank == 0:  # once for each attempt
                self._survey = self._start_survey()
            if config:
                self.config.update(config)
            if job_type is not None:
                self._store_config(flat_json({JOB_TYPE: job_type}), [])
                self.beginning.job_type = job_type
        except BaseException:  # a signal handler may raise anywhere
            self.finish("failed")
            raise

    def _describe(self, settings: Settings, recorder: Recorder) -> None:
        run = recorder.run
        self.id: int = run.id
        self.run_id: str = run.run_id
        self._name: str = run.name or run.run_id
        self._tags: tuple[str, ...] = tuple(run.tags)
        self._notes = run.notes
        self.group: str | None = run.group_name
        self.project: str = recorder.project.name
        self.url = project_url = (settings.server_url or settings.url).rstrip("/")
        if self.id:
            self.url += f"/?run={self.id}"
            project_url += f"/?project={run.project_id}"
        self.beginning = Beginning(project_url, recorder.first_step, time_ns() / 1e9)
        self.beginning.job_type = stored_job_type(recorder.config)
        self._place = Place(settings.db_path, settings.server_url)
        stored = nested(without_own(recorder.config))
        self.config = Config(stored, self._store_config, self._left_out)
        self.summary = Summary(partial(self.log, commit=False), self._read_summary)
        self._last_values = LastValues(self._place, self._journal.opened.run_uid, self.id)
        self._rank = self._journal.opened.rank
        self.resumed = self._journal.opened.attempt > 1

    @property
    def is_finished(self) -> bool:
        """Whether the run has been finished, so that nothing can be logged to it any more."""
        return self._finished

    @property
    def is_stopped(self) -> bool:
        """Whether `finish` has done everything: a signal handler may have interrupted it."""
        return self._finished and (self._background is None or not self._has_portal)

    @property
    def name(self) -> str:
        """The name of the run. Assigning another one renames the run."""
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        with self._left_out.errors_of("name"):
            check_name("name", name)
            self._append_record(Described(name=name))
            self._name = name

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags of the run. Assigning others replaces them: `run.tags += ("best",)`."""
        return self._tags

    @tags.setter
    def tags(self, tags: Sequence[str] | None) -> None:
        with self._left_out.errors_of("tags"):
            unique = tuple(dict.fromkeys(checked_tags(tags or ())))
            self._append_record(Described(tags=list(unique)))
            self._tags = unique

    @property
    def notes(self) -> str | None:
        """The notes on the run. Assigning others replaces them; None removes them."""
        return self._notes

    @notes.setter
    def notes(self, notes: str | None) -> None:
        with self._left_out.errors_of("notes"):
            if notes is not None:
                check_notes(notes)
            self._append_record(Described(notes=notes or ""))
            self._notes = notes

    @property
    def step(self) -> int:
        """The step of the next call of `log` without a step."""
        return self._next_step

    @property
    def path(self) -> str:
        """The path "project/run_id", as `Api.run` takes it."""
        return f"{self.project}/{self.run_id}"

    @property
    def dir(self) -> str:
        """A temporary folder. The files in it are stored with the run when the run finishes."""
        return self._files.folder()

    define_metric = staticmethod(ignored_calls.define_metric)
    log_code = staticmethod(ignored_calls.log_code)
    unwatch = staticmethod(ignored_calls.unwatch)
    watch = staticmethod(ignored_calls.watch)

    def log(
        self,
        metrics: Mapping[str, Any] | None = None,
        step: float | None = None,
        commit: bool | None = None,
        sync: bool | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        """Log values at a step. Once this returns, they survive a crash of the process.

        What cannot be stored is left out, and the rest of the call is stored. A warning names it
        the first time, and `finish` logs how often it happened. With `init(strict=True)`, an
        error is raised instead, and nothing of the call is stored.

        Args:
            metrics: values by name: int, float, bool or str, scalars of NumPy, PyTorch and the
                like, and media such as `Image`, `Table` and `Histogram`. A list of media logs all
                of them. An array, tensor or list of numbers becomes a `Histogram`, a data frame a
                `Table`. Nested mappings are flattened: {"train": {"loss": 1}} logs "train/loss".
            step: an int or float between -2**62 and 2**62, in any order; default the step after
                the highest one so far, from 0 on.
            commit: False lets the next call without a step use this step again.
            sync: accepted for scripts written for wandb, and ignored: values are always safe when
                this returns.
            data: wandb's name of `metrics`.

        Raises:
            NoActiveRunError: the run is finished.
            TypeError: both `metrics` and `data` are given.

        Example:
            run.log({"loss": 0.25, "epoch": 3}, step=1000)
        """
        if data is not None:
            if metrics is not None:
                raise TypeError("log() got both metrics and data, which mean the same")
            metrics = data
        if commit is False:
            with self._lock:
                next_step = self._next_step
                step = step if step is None else self._usable_step(step)
                self._log(metrics, step, "step")
                logged_step = next_step if step is None else math.floor(step)
                self._next_step = max(next_step, logged_step)
        else:
            self._log(metrics, step, "step")

    def log_system(self, metrics: Mapping[str, Any]) -> None:
        """Log system metrics: values at a time instead of a step, such as the load of a GPU.

        Args:
            metrics: numbers, bools or str by name, as for `log`.

        Raises:
            NoActiveRunError: the run is finished.
        """
        self._log(metrics, 0, "time")

    def save(
        self,
        glob_str: str | os.PathLike[str] | None = None,
        base_path: str | os.PathLike[str] | None = None,
        policy: str | None = None,
        glob: bool = True,
    ) -> list[str]:
        """Store copies of files with the run, as they are now.

        Args:
            glob_str: a path or a glob pattern, in which "**" matches any number of folders. Without
                it, nothing is stored, as in wandb: files in `dir` are stored when the run finishes.
            base_path: the folder that names are relative to; default the working directory.
            policy: accepted for scripts written for wandb, and ignored.
            glob: False takes `glob_str` as a path, even if it has characters of patterns.

        Returns:
            The names of the stored files. Files that cannot be read are left out, with a warning.

        Raises:
            NoActiveRunError: the run is finished.

        Example:
            run.save("configs/*.yaml")
        """
        names: list[str] = []
        if glob_str is None:
            return names
        with self._left_out.errors_of("glob_str"):
            for file in artifacts.matching_files(glob_str, base_path, is_pattern=glob):
                with self._left_out.errors_of(f"file {file.name!r}"):
                    self._files.save(file)
                    names.append(file.name)
        return names

    def alert(
        self,
        title: str,
        text: str | None = None,
        level: AlertLevel | str | None = AlertLevel.WARN,
        wait_duration: float | timedelta | str | None = None,
        *,
        step: float | None = None,
        webhook_url: str | None = None,
    ) -> None:
        """Report an event that needs attention: log it as text, and to the logger "trackai".

        It is logged as the metric `alerts/<level>`, and read back with `Api.alerts`. With a
        webhook, it is sent there in the background.

        Args:
            title: one line.
            text: details.
            level: "info", "warn" or "error".
            wait_duration: how long further alerts with this title are not sent to a webhook, in
                seconds or as a timedelta; they are logged all the same. A str is a `webhook_url`,
                which is the fourth argument in trackio.
            step: the step to log it at; default that of the next call of `log`.
            webhook_url: a webhook for this alert, instead of that of `init`.

        Raises:
            NoActiveRunError: the run is finished.
        """
        if isinstance(wait_duration, str):
            wait_duration, webhook_url = None, webhook_url or wait_duration
        checked = AlertLevel.WARN
        with self._left_out.errors_of("level", 'the level "warn" is used instead'):
            checked = AlertLevel.WARN if level is None else checked_level(level)
        message = f"{title}\n{text}" if text else title
        line = f"{title}: {text}" if text else title  # a line break would be printed escaped
        at = step if isinstance(step, int | float) else self._next_step
        self.log({f"alerts/{checked.value}": message}, step, commit=False)
        logger.log(LOGGING_LEVELS[checked], "%s: %s", self.name, line)
        if (webhook_url or self.webhooks is not None) and not self.disabled:
            self._send(checked, title, text, at, webhook_url, wait_duration)

    def _send(
        self,
        level: AlertLevel,
        title: str,
        text: str | None,
        step: float,
        url: str | None,
        wait: float | timedelta | None,
    ) -> None:
        """Send an alert to its webhook, or that of the run."""
        # Imported here: few runs have one.
        from trackai.sdk.webhook import Webhooks, checked_webhook
        from trackai.sdk.webhook_messages import Alert

        with self._left_out.errors_of("webhook_url", "the alert is not sent"):
            url = checked_webhook(url)
            if self.webhooks is None:
                self.webhooks = Webhooks()
            heading = without_surrogates(str(title))
            details = without_surrogates(str(text)) if text else None
            now = time_ns() // 1000
            alert = Alert(level, heading, details, self.project, self.name, step, now)
            seconds = wait.total_seconds() if isinstance(wait, timedelta) else wait or 0
            self.webhooks.send(alert, url, seconds)

    def monitor(
        self, read: Callable[[], dict[str, float]], interval: float, delay: float = 0.0
    ) -> None:
        """Log what a function returns as system metrics, until the run finishes.

        Args:
            read: returns values by name; called in a background thread.
            interval: seconds between two calls, at least 0.1.
            delay: seconds before the first call.
        """
        interval = max(interval, _SHORTEST_INTERVAL)
        self._start_task(log_regularly, read, self._log_readings, interval, delay)

    def _log_readings(self, readings: dict[str, float]) -> None:
        with self._lock:  # a warning that a call came too late is for calls of the script
            if self._finished:
                raise MonitoringEndedError
            self.log_system(readings)

    def _start_console(self, how: Capture, prefix: str) -> None:
        """Log what is printed, until the run finishes."""
        # Imported here: not every run captures it.
        from trackai.sdk import console

        if self._background is None or how == "off":
            return
        capture = console.Console(self._log_lines, console.sources_of(how), prefix)
        with self._lock:
            if self._finished:
                capture.close()
            else:
                self._console = capture
        self._start_task(capture.log_regularly)

    def _start_task(self, function: Callable[..., Coroutine[Any, Any, None]], *args: Any) -> None:
        """Start a task that ends with the run.

        The end of a script finishes a run that `init` is still starting in a daemon thread. A task
        that began after that would keep the event loop, and so the process, from ending.
        """
        if self._background is None:
            return
        try:
            task = self._background[0].start_task_soon(function, *args)
        except RuntimeError:
            if not self._finished:
                raise
            return  # the event loop has ended meanwhile
        self._monitors.append(task)
        with self._lock:
            is_finished = self._finished
        if is_finished:  # `finish` may not have seen it
            task.cancel()

    def finish(
        self,
        state: EndState | int | None = None,
        quiet: bool | None = None,
        *,
        exit_code: int | None = None,
    ) -> None:
        """Finish the run. Once this returns, all points are in the database.

        A server that does not answer is waited for 30 seconds; what is left is sent later. Alerts
        on their way to a webhook are waited for 5 seconds. Finishing a finished run does nothing.

        Args:
            state: "completed" or "failed", or an exit code: None or 0 completes the run, others
                fail it.
            quiet: accepted for scripts written for wandb, and ignored.
            exit_code: wandb's name of `state`.

        Raises:
            TypeError: `state` is neither a state nor an int, or both `state` and `exit_code` are
                given.
        """
        if exit_code is not None:
            if state is not None:
                raise TypeError("finish() got both state and exit_code, which mean the same")
            state = exit_code
        if state is None or hasattr(state, "__index__"):
            state = "failed" if state else "completed"
        if state not in ("completed", "failed"):
            raise TypeError(f'state: must be "completed", "failed" or an int, got {state!r}')
        with exit_hooks.finishing():
            self._finish(state)

    def _finish(self, state: EndState) -> None:
        if self._background is not None and not self._finished:
            if self._survey is not None:
                self._survey.stop()
            self._files.save_folder()  # in a forked process, the folder is the parent's
        webhooks, self.webhooks = self.webhooks, None
        with self._lock:
            if not self._finished:
                self._left_out.report()
                if self._console is not None:
                    self._console.close()
            if not self._finished and self._background is None:  # the run is the parent's to finish
                self._finished = True
                self._journal.retry()
                self._journal.close()
            elif not self._finished:
                self._journal.append(Ended(state, max(time_ns() // 1000, self._last_timestamp)))
                self._finished = True
        if self._background is not None and self._has_portal:
            self._stop_recording(*self._background)
        if webhooks is not None:
            webhooks.close()
        if self._card is not None:
            self._card.finish()

    def _leave(self, state: EndState) -> None:
        """End the run without waiting until its points are stored: the process ends now."""
        with self._lock:
            if not self._finished:
                self._journal.append(Ended(state, max(time_ns() // 1000, self._last_timestamp)))
                self._finished = True
        if self._background is not None:
            self._background[1].say_what_is_left()
        keep_portals()

    def _stop_recording(
        self, portal: BlockingPortal, recorder: Recorder, recording: Future[None]
    ) -> None:
        """Wait until everything is stored. After an interruption, `finish` calls this again."""
        if sys.is_finalizing():  # the event loop does not run any more
            return
        recorder.closing = True
        for monitor in self._monitors:
            monitor.cancel()
        if not recording.done():
            portal.start_task_soon(recorder.stop)
            wait([recording])  # a signal handler may raise here
        with guarded("storing the last points"):
            recording.result()
        with self._lock:
            has_portal, self._has_portal = self._has_portal, False
        if has_portal:
            # In another thread: a signal handler that raises in this one, just before the event
            # loop is told to stop, would let it wait for the loop's end forever.
            closing = threading.Thread(target=_portals.__exit__, args=(None, None, None))
            closing.start()
            closing.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        ended_well = exc is None or (isinstance(exc, SystemExit) and not exc.code)
        if exc is not None and not isinstance(exc, SystemExit) and self._console is not None:
            self._console.note_exception(exc)
        self.finish("completed" if ended_well else "failed")

    def __repr__(self) -> str:
        return f"<trackai.Run {self.name!r} of {self.project!r}>"

    def _ipython_display_(self) -> None:
        if self._finished or not in_notebook():
            raise NotImplementedError  # IPython uses the other representations
        with guarded("showing a run"):
            if self._card is None:
                # Imported here: training scripts do not need the modules that read.
                from trackai.sdk.live_card import LiveCard

                self._card = LiveCard(self, self._place.source(), lambda: self._last_timestamp)
            self._card.show()

    def _repr_html_(self) -> str:
        # Imported here: training scripts do not need the modules that read.
        from msgspec.json import decode

        from trackai.reading.card import card

        config = {key: decode(text) for key, text in flat_json(self.config).items()}
        return card(self._place.source(), self.id, repr(self), config)

    def _start_survey(self) -> Survey:
        # Imported here: it is needed unless that is switched off.
        from trackai.sdk.environment import Survey

        return Survey(self._record_facts, self._store_fact_file, self._journal.opened.attempt)

    def _record_facts(self, facts: dict[str, str]) -> None:
        with self._lock:
            if not self._finished:
                self._journal.append(Environment(facts))

    def _store_config(self, values: dict[str, str], replaced: list[str]) -> None:
        self._append_record(Configured(values, replaced))

    def _read_summary(self) -> dict[str, Value]:
        journals = [] if self._finished else self._journal.paths
        return self._last_values.read(self._last_timestamp, self._catch_up, journals)

    def _catch_up(self) -> None:
        self._store_now(_CATCH_UP_SECONDS)

    def _store_now(self, seconds: float) -> bool:
        """Store what has been logged so far; False if that is not possible within some seconds."""
        if self._finished:
            return True
        if self._background is not None:
            portal, recorder, _ = self._background
            # Another thread may finish the run, or another program may have locked the database.
            with suppress(RuntimeError, TimeoutError):
                return portal.start_task_soon(recorder.catch_up).result(timeout=seconds)
        return False

    def before_fork(self) -> Callable[[], object]:
        """Close the database for a fork. Called by TrackAI, see `trackai.sdk.fork`."""
        return self._recorder.before_fork() if self._recorder is not None else lambda: None

    def before_child_runs(self) -> None:
        """Switch to a journal of the child. Called by TrackAI, see `trackai.sdk.fork`."""
        if self.webhooks is not None:
            self.webhooks.forget()
        recorder, self._recorder = self._recorder, None
        fork.never_free(recorder, self._background)
        if recorder is not None and self._background is None:
            # Another thread was starting the run; in this process it will never be used.
            recorder.close_inherited()
            return
        self._background = None
        self._switch_to_child_journal()
        if self._console is not None:
            self._console.renew_in_child()
