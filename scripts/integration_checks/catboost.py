"""Trains with CatBoost."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from catboost import CatBoostClassifier, CatBoostError

import trackai
from scripts.integration_checks._expect import checked, expect, expect_state, only, stored
from trackai.integrations.catboost import TrackAICallback

RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.normal(size=(300, 4))
LABELS = (FEATURES[:, 0] + RANDOM.normal(size=300) > 0).astype(int)
TRAIN, VALID = (FEATURES[:200], LABELS[:200]), (FEATURES[200:], LABELS[200:])


def classifier(**parameters: Any) -> CatBoostClassifier:
    parameters = {"iterations": 10, "eval_metric": "AUC", "learning_rate": 0.3, **parameters}
    return CatBoostClassifier(
        verbose=False, allow_writing_files="train_dir" in parameters, thread_count=1, **parameters
    )


def reported(model: CatBoostClassifier, period: int = 1) -> dict[str, Any]:
    """The evaluations of a model by name, each with its iteration."""
    last = model.tree_count_ - 1
    return {
        f"{data}/{metric}": [
            (min(index * period, last), score) for index, score in enumerate(scores)
        ]
        for data, metrics in model.get_evals_result().items()
        for metric, scores in metrics.items()
    }


def main() -> None:
    model = classifier()
    callback = TrackAICallback(model, project="plain")
    model.fit(*TRAIN, eval_set=VALID, callbacks=[callback])
    callback.finish()
    run = only("plain")
    assert set(reported(model)) == {"learn/Logloss", "validation/Logloss", "validation/AUC"}
    assert len(reported(model)["learn/Logloss"]) == 10
    expect(run, reported(model))
    assert run.config == model.get_params()
    expect(run, {"best_iteration": [(model.best_iteration_, model.best_iteration_)]})
    expect_state(run, "completed")
    checked("points, typed parameters and the best iteration of a training")

    model = classifier(iterations=200, early_stopping_rounds=3)
    callback = TrackAICallback(model, project="early")
    model.fit(*TRAIN, eval_set=[VALID, TRAIN], callbacks=[callback])
    callback.finish()
    run, scores = only("early"), model.get_evals_result()["validation_0"]["AUC"]
    assert model.best_iteration_ + 4 == len(scores) < 200
    expect(run, {"validation_0/AUC": list(enumerate(scores))})
    best = model.best_iteration_
    expect(run, {"best_iteration": [(best, best)]})
    expect(run, {"best/validation_0/AUC": [(best, model.best_score_["validation_0"]["AUC"])]})
    checked("all iterations and the best one after early stopping")

    model = classifier(metric_period=4)
    callback = TrackAICallback(model, project="period")
    model.fit(*TRAIN, eval_set=VALID, use_best_model=False, callbacks=[callback])
    callback.finish()
    expect(only("period"), reported(model, period=4))
    checked("the iterations at which metric_period calculates metrics")

    with trackai.init(project="mine") as mine:
        model = classifier()
        callback = TrackAICallback(model)
        model.fit(*TRAIN, callbacks=[callback])
        callback.finish()
        assert not mine.is_finished
    expect(only("mine"), reported(model))
    checked("the run of the script is used and left open")

    folder = Path("snapshot").absolute()
    callback = TrackAICallback(id="resumed", project="snapshot")
    arguments = {"save_snapshot": True, "snapshot_file": "snapshot", "snapshot_interval": 0}
    scores = []
    for iterations in (4, 8):
        model = classifier(iterations=iterations, train_dir=str(folder))
        model.fit(*TRAIN, eval_set=VALID, use_best_model=False, callbacks=[callback], **arguments)
        callback.finish()
    scores = model.get_evals_result()["validation"]["AUC"]
    assert len(scores) == 8
    expect(only("snapshot"), {"validation/AUC": list(enumerate(scores))})
    checked("a training that is resumed from a snapshot resumes its run")

    for number in range(2):
        model = classifier()
        model.fit(*TRAIN, callbacks=[TrackAICallback(project="next", name=str(number))])
    trackai.finish()
    assert len(stored("next")) == 2
    for run in stored("next"):
        expect_state(run, "completed")
    checked("a training without finish() ends when the next one begins")

    class Failing:
        def after_iteration(self, info: Any) -> bool:
            raise RuntimeError("out of luck")

    with suppress(CatBoostError), trackai.init(project="failing"):
        classifier().fit(*TRAIN, callbacks=[TrackAICallback(), Failing()])
    expect_state(only("failing"), "failed")
    checked("an exception fails the run of the script")


if __name__ == "__main__":
    main()
