"""What the integrations of training frameworks share: the run of a training, and its settings."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

import trackai
from trackai.errors import NotFoundError, ServerUnreachableError
from trackai.sdk import exit_hooks
from trackai.sdk.config import fields_of
from trackai.sdk.notices import warn_once
from trackai.sdk.structured_values import as_mapping, keyed_by_text
from trackai.settings import Settings
from trackai.values.logger import logger

if TYPE_CHECKING:
    from trackai.sdk.run import Run

State = Literal["completed", "failed"]

# Arguments of init by which the script itself chooses a run to continue.
_CHOICES_OF_RUN = ("id", "resume", "resume_from", "fork_from")
# The project of runs for which the environment names none.
_NO_PROJECT = "uncategorized"
# Keys of credentials, but not of special tokens ("pad_token"), nor of counts ("max_tokens").
_SECRET_KEY = re.compile(
    r"^token$|(^|_)(hub|hf|auth|access|refresh|bearer|session|secret|api)_?token$"
    r"|(^|_)(api|access|secret|private)_?key$|passw(or)?d$|(^|_)secret$|credentials?$",
    re.IGNORECASE,
)
# Tokens of Hugging Face, whatever their key is.
_SECRET_VALUE = re.compile(r"hf_[A-Za-z0-9]{20,}")

# The runs that integrations have started, by which thread, and the state in which they end if the
# framework does not report it; other runs are of the script.
_own_runs: WeakKeyDictionary[Run, tuple[threading.Thread, State]] = WeakKeyDictionary()


class TrainingRun:
    """The run that an integration logs a training to.

    A run that the script has begun is used, and left open. Otherwise a run is started, and finished
    when the training ends; what is logged later, such as an evaluation, resumes it for a moment.
    """

    def __init__(self, arguments: Mapping[str, Any], unreported_end: State = "failed") -> None:
        """Make a training without a run yet.

        Args:
            arguments: what the script passes for `trackai.init`.
            unreported_end: the state of a training of which the framework does not report the end:
                "failed" if it only does so after an exception.
        """
        self.arguments = dict(arguments)
        self._run: Run | None = None
        self._path: tuple[str, str] | None = None
        self._is_own = False
        self._is_active = False
        self._state: State = "completed"
        self._unreported_end = unreported_end
        self._fails_if_left_open = False

    @property
    def path(self) -> tuple[str, str] | None:
        """The project and the id of the run, for a checkpoint; None before the training."""
        return self._path

    @property
    def run(self) -> Run:
        """The run, resumed if it is finished."""
        if self._run is None or self._run.is_finished:
            self._run = self._resume()
        return self._run

    @property
    def is_own(self) -> bool:
        """Whether the run was started for this training."""
        return self._is_own

    def begin(
        self,
        defaults: Mapping[str, Any],
        checkpoint: tuple[Any, int] | None = None,
    ) -> Run:
        """Begin a training.

        Args:
            defaults: arguments of `trackai.init` for what the script does not pass.
            checkpoint: the `path` in a checkpoint, and its step: the run continues after the step.

        Returns:
            The active run of the script, or one of this training.
        """
        has_crashed = exit_hooks.has_crashed()  # such as a cell of a notebook
        self.end("failed" if has_crashed else self._unreported_end)  # of the training before
        run = trackai.run
        if run is not None and run in _own_runs:
            thread, state = _own_runs[run]
            if thread is threading.current_thread():
                # The training of another integration has ended, such as by an exception. If it only
                # pauses, as this one is inside of it, it resumes its run when it logs again.
                run.finish("failed" if has_crashed else state)
            run = None
        self._is_own = run is None
        if run is not None:
            apply_arguments(run, self.arguments)
        self._run = run or self._start({**defaults, **self.arguments}, checkpoint)
        self._path = self._run.project, self._run.run_id
        self._is_active = True
        return self._run

    def reopen(self) -> None:
        """Begin another part of the training, in the same run."""
        self._is_active = True

    def log(self, values: Mapping[str, Any], step: float | None = None) -> None:
        """Log values to the run. After the end of the training, finish it again."""
        run = self._run
        if run is not None and not run.is_finished:
            run.log(values, step)
            return
        active = trackai.run
        if active is not None and active not in _own_runs:
            active.log(values, step)
            return
        self.run.log(values, step)
        if not self._is_active:
            self.run.finish(self._state)

    def configure(self, values: Mapping[str, Any]) -> None:
        """Store hyperparameters without secrets. Those that the script has set itself stay."""
        values = without_secrets(values)
        if self._is_own:
            of_script = fields_of(self.arguments.get("config") or {})
            self.run.config.update({key: values[key] for key in values if key not in of_script})
        else:
            self.run.config.setdefaults(values)

    def end(self, state: State = "completed") -> None:
        """End the training. A run of the script is left open."""
        if self._is_active:
            self._is_active, self._state = False, state
            if self._is_own and self._run is not None:
                self._run.finish(state)

    def fail_unless_ended(self) -> None:
        """Fail the run when the script ends or starts another run, unless `end` is called before.

        For frameworks that do not tell when an exception ends a training.
        """
        self._fails_if_left_open = True
        if self._is_own and self._run is not None:
            self._run.fails_if_left_open = True

    def _start(self, arguments: Mapping[str, Any], checkpoint: tuple[Any, int] | None) -> Run:
        run = None
        if checkpoint and not any(arguments.get(name) for name in _CHOICES_OF_RUN):
            (project, run_id), step = checkpoint
            moment = {"project": project, "name": None, "resume_from": f"{run_id}?_step={step}"}
            try:
                run = trackai.init(**{**arguments, **moment})
            except (NotFoundError, ServerUnreachableError) as error:
                logger.warning("the run of the checkpoint is not resumed: %s", error)
        if run is None:
            run = trackai.init(**arguments)
        self._own(run)
        return run

    def _own(self, run: Run) -> None:
        _own_runs[run] = threading.current_thread(), self._unreported_end

    def _resume(self) -> Run:
        assert self._path is not None, "begin() has not been called"  # noqa: S101
        project, run_id = self._path
        place = {
            name: self.arguments[name]
            for name in ("db_path", "server_url", "durability", "strict")
            if name in self.arguments
        }
        run = trackai.init(project=project, id=run_id, resume="must", reinit="create_new", **place)
        self._own(run)
        self._is_own = True
        has_failed = self._state == "failed"  # once the training has ended
        run.fails_if_left_open = self._fails_if_left_open if self._is_active else has_failed
        return run

    def __getstate__(self) -> dict[str, Any]:
        # In another process, the run is resumed by its id.
        return {**vars(self), "_run": None}


def apply_arguments(run: Run, arguments: Mapping[str, Any]) -> None:
    """Apply arguments of `trackai.init` to a run that has started, and name those that are unused.

    Keys of `config` that the run does not have are added.
    """
    run.config.setdefaults(fields_of(arguments.get("config") or {}))
    of_run = {"project": run.project, "name": run.name, "group": run.group, "id": run.run_id}
    unused = [
        name
        for name, value in arguments.items()
        if name != "config" and value is not None and value != of_run.get(name)
    ]
    if unused:
        warn_once(
            f"unused arguments: {unused}",
            "%s: not used, because the run %s is active already; pass them to trackai.init, or "
            "finish that run first",
            ", ".join(unused),
            run.path,
        )


def project_or(default: str) -> str:
    """Return the project that the environment names, or this one."""
    project = Settings.from_env().project
    return default if project == _NO_PROJECT else project


def without_secrets(values: Mapping[Any, Any]) -> dict[str, Any]:
    """Copy hyperparameters without credentials, at any depth."""
    return dict(_public_items(values, 0))


def _public_items(values: Mapping[Any, Any], depth: int) -> Iterator[tuple[str, Any]]:
    for key, value in keyed_by_text(values):
        if isinstance(value, str) and (_SECRET_KEY.search(key) or _SECRET_VALUE.search(value)):
            continue
        mapping = as_mapping(value) if depth < 8 else None
        yield key, value if mapping is None else dict(_public_items(mapping, depth + 1))


class OncePerStep:
    """Leaves out values that a framework repeats in each call of a step, such as the epoch."""

    def __init__(self) -> None:
        self._step: float | None = None
        self._values: dict[str, Any] = {}

    def __call__(self, name: str, values: dict[str, Any], step: float | None) -> None:
        """Remove the value of this name if this step already has it."""
        if name not in values:
            return
        if step != self._step:
            self._step, self._values = step, {}
        if name in self._values and self._values[name] == values[name]:
            del values[name]
        else:
            self._values[name] = values[name]
