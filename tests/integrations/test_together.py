"""Integrations inside of each other, and beside each other in threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import lightgbm
import numpy as np
import optuna
import xgboost

import trackai
from trackai.integrations import lightgbm as of_lightgbm
from trackai.integrations import optuna as of_optuna
from trackai.integrations import xgboost as of_xgboost

if TYPE_CHECKING:
    from tests.integrations.conftest import Stored

FEATURES = np.random.default_rng(0).normal(size=(100, 3))
LABELS = (FEATURES[:, 0] > 0).astype(int)


def train(rounds: int = 5, *others: Any, **arguments: Any) -> list[float]:
    data = xgboost.DMatrix(FEATURES, LABELS)
    results: dict[str, Any] = {}
    xgboost.train(
        {"objective": "binary:logistic", "nthread": 1}, data, rounds, evals=[(data, "train")],
        callbacks=[of_xgboost.TrackAICallback(**arguments), *others], evals_result=results,
        verbose_eval=False,
    )  # fmt: skip
    scores: list[float] = results["train"]["logloss"]
    return scores


def train_lightgbm(rounds: int = 5, **arguments: Any) -> None:
    data = lightgbm.Dataset(FEATURES, LABELS)
    lightgbm.train(
        {"objective": "binary", "verbosity": -1, "num_threads": 1}, data, rounds,
        valid_sets=[data], callbacks=[of_lightgbm.TrackAICallback(**arguments)],
    )  # fmt: skip


def test_a_training_in_a_trial_logs_to_its_run(stored: Stored) -> None:
    scores = {}

    @of_optuna.TrackAICallback().track()
    def objective(trial: optuna.Trial) -> float:
        scores[trial.number] = train(trial.suggest_int("rounds", 3, 9))
        return scores[trial.number][-1]

    optuna.create_study(study_name="search").optimize(objective, 4, n_jobs=2)
    runs = {run.config["optuna"]["trial"]: run for run in stored.runs()}
    assert {trial: stored.values("train/logloss", run) for trial, run in runs.items()} == scores
    for trial, run in runs.items():
        assert run.config["objective"] == "binary:logistic"
        assert run.summary["value"].last == scores[trial][-1]


def test_trainings_in_threads_have_runs_of_their_own(stored: Stored) -> None:
    with ThreadPoolExecutor(3) as pool:
        futures = {name: pool.submit(train, 20, name=name) for name in "abc"}
    scores = {name: future.result() for name, future in futures.items()}
    assert {run.name: stored.values("train/logloss", run) for run in stored.runs()} == scores
    assert {run.state for run in stored.runs()} == {"completed"}


class Inner(xgboost.callback.TrainingCallback):
    """Trains another model after the second round."""

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        if epoch == 1:
            train_lightgbm(name="inner")
        return False


def test_a_training_that_pauses_for_another_one_goes_on(stored: Stored) -> None:
    scores = train(5, Inner(), name="outer")
    runs = {run.name: run for run in stored.runs()}
    assert stored.values("train/logloss", runs["outer"]) == scores
    assert len(stored.values("training/binary_logloss", runs["inner"])) == 5
    assert {run.state for run in runs.values()} == {"completed"}
    assert trackai.run is None
