"""What XGBoost reports is what is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xgboost

import trackai
from trackai.integrations.xgboost import TrackAICallback

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integrations.conftest import Stored

PARAMETERS = {
    "objective": "binary:logistic",
    "eval_metric": ["logloss", "auc"],
    "max_depth": 3,
    "eta": 0.3,
    "nthread": 1,
}
RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.normal(size=(200, 4))
LABELS = (FEATURES[:, 0] + RANDOM.normal(size=200) > 0).astype(int)
TRAIN = xgboost.DMatrix(FEATURES[:150], LABELS[:150])
VALID = xgboost.DMatrix(FEATURES[150:], LABELS[150:])
EVALS = [(TRAIN, "train"), (VALID, "valid")]


def train(callback: TrackAICallback, rounds: int = 10, **arguments: Any) -> Any:
    results: dict[str, Any] = {}
    arguments = {"callbacks": [callback], **arguments}
    booster = xgboost.train(
        PARAMETERS, TRAIN, rounds, evals=EVALS, evals_result=results, verbose_eval=False,
        **arguments,
    )  # fmt: skip
    return booster, results


def test_each_round_is_a_step(stored: Stored) -> None:
    booster, results = train(TrackAICallback(project="trees", name="first"))
    run = stored.run()
    assert (run.project, run.name, run.state) == ("trees", "first", "completed")
    for data in ("train", "valid"):
        for metric in ("logloss", "auc"):
            assert stored.values(f"{data}/{metric}") == results[data][metric]
    assert booster.num_boosted_rounds() == 10


def test_parameters_have_their_types(stored: Stored) -> None:
    train(TrackAICallback())
    config = stored.run().config
    assert {key: config[key] for key in ("objective", "max_depth", "eta", "subsample")} == {
        "objective": "binary:logistic",
        "max_depth": 3,
        "eta": 0.3,
        "subsample": 1,
    }


@pytest.mark.parametrize("is_first", [True, False])
def test_early_stopping_has_a_last_and_a_best_round(stored: Stored, is_first: bool) -> None:
    """Callbacks behind the one that stops the training are not called for its last round."""
    stopping = xgboost.callback.EarlyStopping(rounds=2, save_best=True, metric_name="logloss")
    callback = TrackAICallback()
    callbacks = [callback, stopping] if is_first else [stopping, callback]
    booster, results = train(callback, 100, callbacks=callbacks)
    assert 2 < len(results["valid"]["logloss"]) < 100
    assert stored.values("valid/logloss") == results["valid"]["logloss"]
    assert stored.points("best_iteration") == {booster.best_iteration: booster.best_iteration}
    assert stored.points("best_score") == {booster.best_iteration: booster.best_score}


def test_of_cross_validation_mean_and_deviation_are_logged(stored: Stored) -> None:
    table: Any = xgboost.cv(
        PARAMETERS, TRAIN, 50, nfold=3, early_stopping_rounds=2, callbacks=[TrackAICallback()]
    )
    best = len(table) - 1  # `cv` drops the rounds after the best one
    for data in ("train", "test"):
        for statistic in ("mean", "std"):
            values = stored.values(f"{data}/auc-{statistic}")
            assert values[: best + 1] == list(table[f"{data}-auc-{statistic}"])
    assert stored.points("best_iteration") == {best: best}


def test_further_training_continues_the_run(stored: Stored) -> None:
    callback = TrackAICallback()
    booster, first = train(callback, 5)
    assert stored.run().state == "completed"
    _, second = train(callback, 3, xgb_model=booster)
    both = first["valid"]["auc"] + second["valid"]["auc"]
    assert stored.values("valid/auc") == both


def test_an_active_run_is_used_and_left_open(stored: Stored) -> None:
    with trackai.init(project="mine", config={"max_depth": "as I say"}) as run:
        train(TrackAICallback())
        assert not run.is_finished
    assert stored.run().project == "mine"
    assert stored.run().config["max_depth"] == "as I say"
    assert len(stored.values("train/auc")) == 10


def test_estimators(stored: Stored) -> None:
    model = xgboost.XGBClassifier(n_estimators=4, n_jobs=1, callbacks=[TrackAICallback()])
    model.fit(FEATURES, LABELS, eval_set=[(FEATURES, LABELS)], verbose=False)
    results = model.evals_result()["validation_0"]["logloss"]
    assert stored.values("validation_0/logloss") == results


class FailingCallback(xgboost.callback.TrainingCallback):
    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        if epoch == 2:
            raise RuntimeError("out of luck")
        return False


def test_an_exception_fails_the_run_before_the_next_training(stored: Stored) -> None:
    callback = TrackAICallback(name="first")
    with pytest.raises(RuntimeError, match="out of luck"):
        train(callback, callbacks=[callback, FailingCallback()])
    train(TrackAICallback(name="second"))
    assert [(run.name, run.state) for run in stored.runs()] == [
        ("first", "failed"),
        ("second", "completed"),
    ]
    assert len(stored.values("train/auc", stored.runs()[0])) == 3


@pytest.mark.parametrize("reinit", [None, "finish_previous"])
def test_an_exception_fails_the_run_before_another_run(stored: Stored, reinit: Any) -> None:
    callback = TrackAICallback(name="first")
    with pytest.raises(RuntimeError, match="out of luck"):
        train(callback, callbacks=[callback, FailingCallback()])
    trackai.init(name="second", reinit=reinit)
    train(TrackAICallback())
    trackai.init(name="third", reinit=reinit).finish()
    assert [(run.name, run.state) for run in stored.runs()] == [
        ("first", "failed"),
        ("second", "completed"),
        ("third", "completed"),
    ]


@pytest.mark.parametrize("place", ["main process", "child process"])
def test_an_exception_that_the_script_catches_fails_the_run_at_its_end(
    stored: Stored, run_python: Callable[..., object], place: str
) -> None:
    run_python(
        f"""
        import multiprocessing
        import numpy as np, xgboost
        from trackai.integrations.xgboost import TrackAICallback

        class Failing(xgboost.callback.TrainingCallback):
            def after_iteration(self, model, epoch, evals_log):
                raise RuntimeError("out of luck")

        def train():
            data = xgboost.DMatrix(np.zeros((4, 1)), np.zeros(4))
            try:
                xgboost.train({{}}, data, callbacks=[TrackAICallback(), Failing()])
            except RuntimeError:
                pass

        if {place == "main process"}:
            train()
        else:
            process = multiprocessing.get_context("fork").Process(target=train)
            process.start()
            process.join()
        """
    )
    assert stored.run().state == "failed"


def test_only_rank_0_logs(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trackai.integrations.xgboost.collective.get_rank", lambda: 1)
    train(TrackAICallback())
    assert stored.runs() == []
