"""What LightGBM reports is what is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lightgbm
import numpy as np
import pytest

import trackai
from trackai.integrations.lightgbm import TrackAICallback

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integrations.conftest import Stored

PARAMETERS = {
    "objective": "binary",
    "metric": ["binary_logloss", "auc"],
    "num_leaves": 4,
    "learning_rate": 0.3,
    "verbosity": -1,
    "num_threads": 1,
}
RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.normal(size=(300, 4))
LABELS = (FEATURES[:, 0] + RANDOM.normal(size=300) > 0).astype(int)


def train(callback: TrackAICallback, rounds: int = 10, *others: Any, **arguments: Any) -> Any:
    training = lightgbm.Dataset(FEATURES[:200], LABELS[:200], free_raw_data=False)
    valid = lightgbm.Dataset(FEATURES[200:], LABELS[200:], reference=training, free_raw_data=False)
    results: dict[str, Any] = {}
    booster = lightgbm.train(
        dict(PARAMETERS), training, rounds, valid_sets=[training, valid],
        callbacks=[callback, *others, lightgbm.record_evaluation(results)], **arguments,
    )  # fmt: skip
    return booster, results


def test_each_iteration_is_a_step(stored: Stored) -> None:
    _, results = train(TrackAICallback(project="trees", name="first"))
    run = stored.run()
    assert (run.project, run.name, run.state) == ("trees", "first", "completed")
    for data in ("training", "valid_1"):
        for metric in ("binary_logloss", "auc"):
            assert stored.values(f"{data}/{metric}") == results[data][metric]
    assert {name: run.config[name] for name in ("num_leaves", "learning_rate", "metric")} == {
        "num_leaves": 4,
        "learning_rate": 0.3,
        "metric": ["binary_logloss", "auc"],
    }
    assert run.config["num_iterations"] == 10


def test_the_best_values_are_logged_at_their_steps(stored: Stored) -> None:
    _, results = train(TrackAICallback(), 30)
    scores = results["valid_1"]["auc"]
    best = stored.points("best/valid_1/auc")
    assert max(best) == np.argmax(scores)
    assert best[max(best)] == max(scores)
    assert "best/training/auc" not in stored.run().summary


def test_early_stopping_logs_the_last_iteration_and_the_best(stored: Stored) -> None:
    callback = TrackAICallback()
    stopping = lightgbm.early_stopping(2, first_metric_only=True, verbose=False)
    booster, results = train(callback, 200, stopping)
    callback.finish(booster)
    scores = results["valid_1"]["binary_logloss"]
    assert 3 < len(scores) < 200
    assert stored.values("valid_1/binary_logloss") == scores
    best = booster.best_iteration  # counts from 1
    assert stored.points("best_iteration") == {best - 1: best}
    assert max(stored.points("best/valid_1/binary_logloss")) == best - 1
    assert stored.run().state == "completed"


def test_a_training_that_stops_early_completes_when_the_next_begins(stored: Stored) -> None:
    for _ in range(2):
        train(TrackAICallback(), 200, lightgbm.early_stopping(2, verbose=False))
    trackai.finish()
    assert [run.state for run in stored.runs()] == ["completed", "completed"]


@pytest.mark.parametrize("callback", ["callback", "TrackAICallback()"])
def test_a_training_that_a_cell_interrupts_fails_when_the_next_begins(
    stored: Stored, run_python: Callable[..., object], callback: str
) -> None:
    script = f"""
    import sys
    import lightgbm, numpy as np
    from trackai.integrations.lightgbm import TrackAICallback

    def interrupt(env):
        if env.iteration == 1:
            raise KeyboardInterrupt

    def train(*callbacks):
        data = lightgbm.Dataset(np.zeros((40, 1)), np.zeros(40))
        lightgbm.train({{"verbosity": -1}}, data, 3, callbacks=callbacks)

    sys.ps1 = "> "
    callback = TrackAICallback()
    for number, cell in enumerate(["train(callback, interrupt)", "train({callback})"]):
        try:
            exec(compile(cell, f"<ipython-input-{{number}}>", "exec"), globals())
        except KeyboardInterrupt as error:
            sys.last_value = sys.last_exc = error
    """
    run_python(script)
    assert [run.state for run in stored.runs()] == ["failed", "completed"]


def test_the_best_iteration_is_logged_after_the_last_one(stored: Stored) -> None:
    callback = TrackAICallback()
    booster, results = train(callback, 5, lightgbm.early_stopping(50, verbose=False))
    assert stored.run().state == "completed"
    callback.finish(booster)
    assert list(stored.points("best_iteration").values()) == [booster.best_iteration]
    assert stored.values("valid_1/auc") == results["valid_1"]["auc"]
    assert stored.run().state == "completed"


def test_of_cross_validation_mean_and_deviation_are_logged(stored: Stored) -> None:
    data = lightgbm.Dataset(FEATURES, LABELS)
    results = lightgbm.cv(
        dict(PARAMETERS), data, 6, nfold=3, eval_train_metric=True, callbacks=[TrackAICallback()]
    )
    for name in ("valid", "train"):
        for statistic in ("mean", "stdv"):
            expected = results[f"{name} auc-{statistic}"]
            assert stored.values(f"{name}/auc-{statistic}") == expected


def test_cross_validation_that_is_not_stopped_has_no_best_iteration(stored: Stored) -> None:
    callback = TrackAICallback()
    data = lightgbm.Dataset(FEATURES, LABELS)
    result = lightgbm.cv(PARAMETERS, data, 3, callbacks=[callback], return_cvbooster=True)
    callback.finish(result["cvbooster"])
    assert "best_iteration" not in stored.run().summary


def test_further_training_continues_the_run(stored: Stored) -> None:
    callback = TrackAICallback()
    booster, first = train(callback, 5)
    _, second = train(callback, 3, init_model=booster)
    scores = first["valid_1"]["auc"] + second["valid_1"]["auc"]
    assert stored.values("valid_1/auc") == scores


def test_the_best_iteration_of_a_resumed_run_may_be_an_earlier_one(stored: Stored) -> None:
    booster, first = train(TrackAICallback(id="mine"), 30)
    _, second = train(TrackAICallback(id="mine"), 3, init_model=booster)
    first, second = first["valid_1"]["auc"], second["valid_1"]["auc"]
    assert max(first) > max(second)
    assert stored.values("valid_1/auc") == first + second
    best = stored.points("best/valid_1/auc")
    assert max(best) == np.argmax(first)


def test_an_active_run_is_used_and_left_open(stored: Stored) -> None:
    with trackai.init(project="mine") as run:
        train(TrackAICallback())
        assert not run.is_finished
    assert stored.run().project == "mine"


def test_estimators(stored: Stored) -> None:
    model = lightgbm.LGBMClassifier(n_estimators=4, n_jobs=1, verbosity=-1)
    model.fit(FEATURES, LABELS, eval_X=FEATURES, eval_y=LABELS, callbacks=[TrackAICallback()])
    [(data, results)] = model.evals_result_.items()
    assert stored.values(f"{data}/binary_logloss") == results["binary_logloss"]


def test_the_callback_runs_before_early_stopping_in_any_order_of_the_list(stored: Stored) -> None:
    callback = TrackAICallback()
    training = lightgbm.Dataset(FEATURES[:200], LABELS[:200])
    valid = lightgbm.Dataset(FEATURES[200:], LABELS[200:], reference=training)
    booster = lightgbm.train(
        dict(PARAMETERS), training, 200, valid_sets=[valid],
        callbacks=[lightgbm.early_stopping(2, verbose=False), callback],
    )  # fmt: skip
    callback.finish(booster)
    assert len(stored.values("valid_0/auc")) == booster.best_iteration + 2


def test_an_exception_in_an_evaluation_reaches_the_script(stored: Stored) -> None:
    def metric(predictions: Any, data: Any) -> Any:
        raise RuntimeError("out of luck")

    with trackai.init(project="mine"), pytest.raises(RuntimeError, match="out of luck"):
        train(TrackAICallback(), feval=metric)
    assert stored.run().state == "completed"
