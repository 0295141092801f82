"""Optuna: a callback that logs trials as runs of a group, or a study as one run.

Checked with Optuna 5.0. Use it with `study.optimize`, and with `track` log inside the objective:

    callback = TrackAICallback(project="digits")

    @callback.track()
    def objective(trial):
        lr = trial.suggest_float("lr", 1e-5, 1e-1, log=True)
        for epoch in range(10):
            trackai.log({"loss": train(lr)}, step=epoch)

    study.optimize(objective, n_trials=20, callbacks=[callback])
"""

from __future__ import annotations

import contextvars
import functools
import json
import math
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import optuna
from optuna.distributions import distribution_to_json

import trackai
from trackai.integrations.training import TrainingRun
from trackai.sdk import active_runs

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial

    from trackai.sdk.run import Run

_Objective = Callable[[Any], Any]


class TrackAICallback:
    """Log trials of studies.

    With `per="trial"`, each trial is a run, and the study its group. The parameters are the
    configuration, with the trial's number, state and distributions below "optuna". Intermediate
    values have the steps of `trial.report`. A trial that raises an exception or returns no valid
    value fails its run. The run of a pruned trial completes with the tag "pruned", and has no final
    value: Optuna's value of a pruned trial is the last intermediate one.

    With `per="study"`, the study is one run, the active one or one that this object starts, and
    each trial is a step. Call `finish` after the last trial, or the run ends with the script.

    Trials may run in several threads. Processes that share a study log their trials as runs of one
    group; to log to one run of the study, they must pass the same `id` or set `TRACKAI_RUN_ID`.
    """

    def __init__(
        self,
        *,
        per: Literal["trial", "study"] = "trial",
        metric_name: str | Sequence[str] = "value",
        **arguments: Any,
    ) -> None:
        """Make a callback.

        Args:
            per: what a run is.
            metric_name: the name of the value of the objective, or the names of several values. The
                names of `study.set_metric_names` go first.
            arguments: arguments of `trackai.init`.

        Raises:
            ValueError: `per` has another value.
        """
        if per not in ("trial", "study"):
            raise ValueError(f'per: must be "trial" or "study", got {per!r}')
        self._per = per
        self._metric_name = metric_name
        self._arguments = arguments
        self._training = TrainingRun(arguments, unreported_end="completed")
        self._lock = threading.Lock()
        self._tracked: set[tuple[str, int]] = set()  # trials with a run that is finished

    def __call__(self, study: Study, trial: FrozenTrial) -> None:
        """Log a finished trial. Called by Optuna."""
        if self._per == "study":
            with self._lock:
                self._log_to_study(study, trial)
            return
        key = (study.study_name, trial.number)
        if key in self._tracked:  # in its objective
            self._tracked.discard(key)
            return
        run = self._start_run(study, trial.number)
        for step, value in trial.intermediate_values.items():
            run.log({"intermediate_value": value}, step=step)
        self._finish_run(run, study, trial, trial.state.name, trial.values)

    def track(self) -> Callable[[_Objective], _Objective]:
        """Decorate an objective, so that the run of its trial is active in it.

        `trackai.log` and callbacks of other integrations log to this run then, and intermediate
        values are logged when they are reported. With `per="study"`, the decorator changes nothing.
        """

        def decorate(objective: _Objective) -> _Objective:
            if self._per == "study":
                return objective

            @functools.wraps(objective)
            def tracked(trial: Any) -> Any:
                # A trial that is evaluated again, such as `study.best_trial`, is not of a study.
                is_new = isinstance(trial, optuna.Trial)
                return self._track(objective, trial) if is_new else objective(trial)

            return tracked

        return decorate

    def finish(self) -> None:
        """Finish a run of its own of a study."""
        self._training.end()

    def _track(self, objective: _Objective, trial: Trial) -> Any:
        study = trial.study
        run = self._start_run(study, trial.number)
        self._tracked.add((study.study_name, trial.number))
        _log_reports(trial, run)
        try:
            # In a copy of the context, the run is active only until the objective returns.
            values = contextvars.copy_context().run(_call_within, run, objective, trial)
        except optuna.TrialPruned:
            self._finish_run(run, study, trial, "PRUNED", None)
            raise
        except BaseException:
            self._finish_run(run, study, trial, "FAIL", None)
            raise
        checked = _checked_values(values, len(study.directions))
        self._finish_run(run, study, trial, "FAIL" if checked is None else "COMPLETE", checked)
        return values

    def _start_run(self, study: Study, number: int) -> Run:
        defaults = {"group": study.study_name, "name": f"{study.study_name}-{number}"}
        return trackai.init(**{**defaults, **self._arguments, "reinit": "create_new"})

    def _finish_run(
        self,
        run: Run,
        study: Study,
        trial: Trial | FrozenTrial,
        state: str,
        values: Sequence[float] | None,
    ) -> None:
        _configure(run, study, trial, state=state)
        if state == "PRUNED":
            run.tags += ("pruned",)
        elif state == "COMPLETE" and values is not None:
            names = self._names(study)
            run.log(dict(zip(names, values, strict=True)), step=max(run.step - 1, 0))
        run.finish("failed" if state == "FAIL" else "completed")

    def _names(self, study: Study) -> list[str]:
        """The names of the values of the objective."""
        count = len(study.directions)
        names = study.metric_names or self._metric_name
        if isinstance(names, str):
            return [names] if count == 1 else [f"{names}_{index}" for index in range(count)]
        if len(names) != count:
            raise ValueError(f"metric_name: must have {count} names, got {list(names)!r}")
        return list(names)

    def _log_to_study(self, study: Study, trial: FrozenTrial) -> None:
        if self._training.path is None:
            # The thread of a trial must not own the run.
            self._training.begin({"name": study.study_name, "reinit": "create_new"})
            self._training.configure({"optuna": _study_config(study)})
        params = {name: str(v) if v is None else v for name, v in trial.params.items()}
        values: dict[str, Any] = {"params": params, "state": trial.state.name}
        if trial.duration is not None:
            values["duration"] = trial.duration.total_seconds()
        if trial.state.name == "COMPLETE":
            values |= zip(self._names(study), trial.values, strict=True)
            if _is_best(study, trial):
                values |= {"best_value": trial.value, "best_trial": trial.number}
        self._training.log(values, trial.number)


def _is_best(study: Study, trial: FrozenTrial) -> bool:
    if len(study.directions) > 1:
        return False
    try:
        return study.best_trial.number == trial.number
    except ValueError:  # no trial meets the constraints
        return False


def _call_within(run: Run, objective: _Objective, trial: Trial) -> Any:
    active_runs.activate(run, active_runs.Owner.current())
    return objective(trial)


def _log_reports(trial: Trial, run: Run) -> None:
    """Log the intermediate values of a trial when they are reported."""
    report, steps, configured = trial.report, set[int](), set[str]()

    def report_and_log(value: float, step: int) -> None:
        report(value, step)
        if step in steps or run.is_finished:  # Optuna keeps the first value of a step
            return
        steps.add(step)
        run.log({"intermediate_value": float(value)}, step=step)
        if not trial.params.keys() <= configured:
            configured.update(trial.params)
            _configure(run, trial.study, trial)

    trial.report = report_and_log  # type: ignore[method-assign]


def _configure(run: Run, study: Study, trial: Trial | FrozenTrial, **facts: Any) -> None:
    """Store the parameters that have been suggested so far."""
    distributions = {
        name: json.loads(distribution_to_json(distribution))
        for name, distribution in trial.distributions.items()
    }
    facts |= {**_study_config(study), "trial": trial.number, "distributions": distributions}
    if trial.user_attrs:
        facts["user_attrs"] = trial.user_attrs
    run.config.update({**trial.params, "optuna": facts})


def _study_config(study: Study) -> dict[str, Any]:
    return {
        "study": study.study_name,
        "directions": [direction.name for direction in study.directions],
        "sampler": type(study.sampler).__name__,
        "pruner": type(study.pruner).__name__,
    }


def _checked_values(values: Any, count: int) -> list[float] | None:
    """The values that an objective has returned; None if Optuna fails the trial for them."""
    values = values if isinstance(values, Sequence) else [values]
    try:
        numbers = [float(value) for value in values]
    except (TypeError, ValueError):
        return None
    return None if len(numbers) != count or any(map(math.isnan, numbers)) else numbers
