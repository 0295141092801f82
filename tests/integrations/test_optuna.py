"""What a study of Optuna holds is what is stored."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import optuna
import pytest

import trackai
from trackai.integrations.optuna import TrackAICallback

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integrations.conftest import Stored

optuna.logging.set_verbosity(optuna.logging.ERROR)


def study(**arguments: Any) -> optuna.Study:
    sampler = optuna.samplers.RandomSampler(seed=0)
    return optuna.create_study(sampler=sampler, study_name="search", **arguments)


def objective(trial: optuna.Trial) -> float:
    """Trials 1 and 4 are pruned after two values, trial 2 fails."""
    x = trial.suggest_float("x", -10, 10)
    depth = trial.suggest_int("depth", 1, 4, step=1)
    kind = trial.suggest_categorical("kind", ["a", "b", None, True])
    trial.suggest_float("opt/lr", 1e-5, 1e-1, log=True)
    for step in range(0, 30, 10):
        trial.report(x + step, step)
        if trial.number in (1, 4) and step == 10:
            raise optuna.TrialPruned
        if trial.number == 2:
            raise RuntimeError("out of luck")
    return x**2 + depth + (kind is None)


def check_runs_of_trials(stored: Stored, trials: list[optuna.trial.FrozenTrial]) -> None:
    runs = {run.config["optuna"]["trial"]: run for run in stored.runs()}
    assert sorted(runs) == [trial.number for trial in trials]
    for trial in trials:
        run, state = runs[trial.number], trial.state.name
        assert (run.name, run.group) == (f"search-{trial.number}", "search")
        assert run.state == ("failed" if state == "FAIL" else "completed")
        assert run.tags == (["pruned"] if state == "PRUNED" else [])
        assert run.config["optuna"]["state"] == state
        x, depth, kind, rate = trial.params.values()
        assert (run.config["x"], run.config["depth"], run.config["kind"]) == (x, depth, kind)
        assert type(run.config["depth"]) is int
        assert run.config["opt"]["lr"] == rate
        distribution = run.config["optuna"]["distributions"]["x"]
        assert distribution["name"] == "FloatDistribution"
        assert distribution["attributes"]["low"] == -10.0
        assert stored.points("intermediate_value", run) == trial.intermediate_values
        if state == "COMPLETE":
            assert stored.points("value", run) == {20: trial.value}
        else:
            assert "value" not in run.summary


@pytest.mark.parametrize("is_tracked", [False, True])
@pytest.mark.parametrize("n_jobs", [1, 3])
def test_each_trial_is_a_run(stored: Stored, is_tracked: bool, n_jobs: int) -> None:
    callback, search = TrackAICallback(project="digits"), study()
    function = callback.track()(objective) if is_tracked else objective
    search.optimize(function, 8, n_jobs=n_jobs, catch=RuntimeError, callbacks=[callback])
    states = {trial.state.name for trial in search.trials}
    assert states == {"COMPLETE", "PRUNED", "FAIL"}
    check_runs_of_trials(stored, search.trials)


def test_the_decorator_works_without_the_callback(stored: Stored) -> None:
    search = study()
    search.optimize(TrackAICallback().track()(objective), 5, catch=RuntimeError)
    check_runs_of_trials(stored, search.trials)


def test_an_exception_that_ends_the_search_fails_the_run(stored: Stored) -> None:
    callback, search = TrackAICallback(), study()
    with pytest.raises(RuntimeError, match="out of luck"):
        search.optimize(callback.track()(objective), 8, callbacks=[callback])
    check_runs_of_trials(stored, search.trials)
    assert [run.state for run in stored.runs()] == ["completed", "completed", "failed"]


@pytest.mark.parametrize("value", [float("nan"), "text", None, (1.0, 2.0)])
def test_a_value_that_optuna_refuses_fails_the_run(stored: Stored, value: Any) -> None:
    search = study()
    search.optimize(TrackAICallback().track()(lambda trial: value), 1)
    assert [trial.state.name for trial in search.trials] == ["FAIL"]
    assert stored.run().state == "failed"
    assert "value" not in stored.run().summary


def test_the_run_of_the_trial_is_active_in_the_objective(stored: Stored) -> None:
    together = threading.Barrier(2)

    @TrackAICallback().track()
    def function(trial: optuna.Trial) -> float:
        together.wait(20)  # two trials at the same time
        trackai.log({"number": trial.number}, step=0)
        return 0.0

    with trackai.init(name="mine") as run:
        study().optimize(function, 4, n_jobs=2)
        assert trackai.run is run
        trackai.log({"number": "mine"})
    numbers = {run.name: stored.points("number", run)[0] for run in stored.runs()}
    assert numbers == {"mine": "mine", **{f"search-{number}": number for number in range(4)}}


def test_the_first_value_of_a_step_counts(stored: Stored) -> None:
    def function(trial: optuna.Trial) -> float:
        trial.report(1, 0)
        with pytest.warns(UserWarning, match="already reported"):
            trial.report(2, 0)
        return 0.0

    search = study()
    search.optimize(TrackAICallback().track()(function), 1)
    assert search.trials[0].intermediate_values == {0: 1.0}
    assert stored.points("intermediate_value") == {0: 1.0}


def test_several_objectives(stored: Stored) -> None:
    search = study(directions=["minimize", "maximize"])
    callback = TrackAICallback(metric_name=["loss", "accuracy"])
    search.optimize(lambda trial: (trial.number, 0.5), 1, callbacks=[callback])
    run = stored.run()
    assert {name: metric.last for name, metric in run.summary.items()} == {
        "loss": 0.0,
        "accuracy": 0.5,
    }
    assert run.config["optuna"]["directions"] == ["MINIMIZE", "MAXIMIZE"]


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_a_study_is_a_run(stored: Stored, n_jobs: int) -> None:
    callback, search = TrackAICallback(per="study", project="digits"), study()
    search.optimize(
        callback.track()(objective), 8, n_jobs=n_jobs, catch=RuntimeError, callbacks=[callback]
    )
    callback.finish()
    run = stored.run()
    assert (run.name, run.state, run.project) == ("search", "completed", "digits")
    assert run.config["optuna"]["sampler"] == "RandomSampler"
    complete = search.get_trials(states=[optuna.trial.TrialState.COMPLETE])
    assert stored.points("value") == {trial.number: trial.value for trial in complete}
    assert stored.points("state") == {trial.number: trial.state.name for trial in search.trials}
    for name in ("x", "depth", "opt/lr"):
        values = {trial.number: trial.params[name] for trial in search.trials}
        assert stored.points(f"params/{name}") == values
    if n_jobs == 1:
        best = stored.points("best_value")
        assert max(best) == search.best_trial.number
        assert best[max(best)] == search.best_value


def test_a_study_logs_to_the_active_run(stored: Stored) -> None:
    callback, search = TrackAICallback(per="study"), study()
    with trackai.init(name="mine") as run:
        search.optimize(objective, 2, callbacks=[callback])
        callback.finish()
        assert not run.is_finished
    assert stored.run().name == "mine"


def test_processes_share_a_study(stored: Stored, tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path / 'study.db'}"
    search = study(storage=storage)
    script = f"""
import optuna
from tests.integrations.test_optuna import objective
from trackai.integrations.optuna import TrackAICallback
callback = TrackAICallback()
optuna.load_study(study_name="search", storage={storage!r}).optimize(
    callback.track()(objective), 4, catch=RuntimeError, callbacks=[callback])
"""
    processes = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(2)]
    assert [process.wait(100) for process in processes] == [0, 0]
    assert len(search.trials) == 8
    check_runs_of_trials(stored, search.trials)


def test_a_trial_that_is_evaluated_again_is_no_run(stored: Stored) -> None:
    search = study()
    function = TrackAICallback().track()(lambda trial: trial.suggest_float("x", 0, 1))
    search.optimize(function, 1)
    assert function(search.best_trial) == search.best_value
    assert function(optuna.trial.FixedTrial({"x": 0.5})) == 0.5
    assert len(stored.runs()) == 1


def test_errors_name_the_argument() -> None:
    with pytest.raises(ValueError, match="per: must be"):
        TrackAICallback(per="day")  # type: ignore[arg-type]
