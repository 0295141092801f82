"""What scikit-learn reports is what is stored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from joblib.externals.loky import get_reusable_executor
from sklearn.callback import ScoringMonitor
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import confusion_matrix, log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

import trackai
from tests.integrations.conftest import Stored
from trackai.integrations.sklearn import TrackAICallback, log_estimator

RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.normal(size=(80, 3))
LABELS = np.where(FEATURES[:, 0] + RANDOM.normal(size=80) > 0, "yes", "no")
# The tests stop solvers early.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(autouse=True, scope="module")
def no_processes_stay() -> Iterator[None]:
    yield
    get_reusable_executor().shutdown(wait=True)  # of `n_jobs`


def pipeline() -> Any:
    return Pipeline([("scale", StandardScaler()), ("classify", LogisticRegression(max_iter=3))])


def test_each_iteration_is_a_step(stored: Stored) -> None:
    monitor = ScoringMonitor(scoring=["neg_log_loss", "accuracy"])
    callback = TrackAICallback(scoring=["neg_log_loss", "accuracy"], project="digits", name="first")
    model = LogisticRegression(max_iter=4).set_callbacks(callback, monitor)
    model.fit(FEATURES, LABELS)
    run = stored.run()
    assert (run.project, run.name, run.state) == ("digits", "first", "completed")
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "lbfgs-iter"]
    for score in ("neg_log_loss", "accuracy"):
        expected = {row["task_id"]: row[score] for row in rows if score in row}
        assert list(expected) == [0, 1, 2, 3]
        assert stored.points(f"lbfgs-iter/train/{score}") == expected
    assert stored.points("train/neg_log_loss") == {
        0: -log_loss(LABELS, model.predict_proba(FEATURES))
    }


def test_parameters_have_their_types(stored: Stored) -> None:
    model = pipeline().set_params(classify__C=0.5).set_callbacks(TrackAICallback())
    model.fit(FEATURES, LABELS)
    config = stored.run().config
    assert config["estimator"] == "Pipeline"
    assert config["classify__C"] == 0.5
    assert config["classify__max_iter"] == 3
    assert config["classify__fit_intercept"] is True
    assert config["classify__class_weight"] is None
    assert not {"steps", "scale", "classify"} & config.keys()


def test_validation_data_are_scored(stored: Stored) -> None:
    callback = TrackAICallback(validation=(FEATURES[60:], LABELS[60:]))
    model = LogisticRegression(max_iter=4).set_callbacks(callback).fit(FEATURES[:60], LABELS[:60])
    final = model.score(FEATURES[60:], LABELS[60:])
    assert stored.points("valid/score") == {0: final}
    assert list(stored.points("lbfgs-iter/valid/score")) == [0, 1, 2, 3]
    assert stored.points("lbfgs-iter/valid/score")[3] == final


@pytest.mark.parametrize("kind", ["pipeline", "search"])
def test_validation_data_are_those_of_the_outermost_estimator(stored: Stored, kind: str) -> None:
    model = pipeline()
    if kind == "search":
        model = GridSearchCV(model, {"classify__C": [0.001, 1.0]}, cv=2)
    valid = 100 * FEATURES[60:] + 5, LABELS[60:]
    callback = TrackAICallback(validation=valid)
    model.set_callbacks(callback).fit(FEATURES[:60], LABELS[:60])
    names = [name for name in stored.run().summary if "valid/" in name]
    assert names == ["valid/score"]
    assert stored.points("valid/score") == {0: model.score(*valid)}


def test_sub_estimators_have_the_names_of_their_tasks(stored: Stored) -> None:
    pipeline().set_callbacks(TrackAICallback()).fit(FEATURES, LABELS)
    assert sorted(stored.run().summary) == [
        "fit-final-estimator/lbfgs-iter/train/score",
        "fit-final-estimator/train/score",
    ]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_search_logs_its_results(stored: Stored, n_jobs: int) -> None:
    search = GridSearchCV(pipeline(), {"classify__C": [0.001, 1.0]}, cv=2, n_jobs=n_jobs)
    search.set_callbacks(TrackAICallback()).fit(FEATURES, LABELS)
    for column in ("mean_test_score", "std_test_score", "split1_test_score", "rank_test_score"):
        assert stored.values(f"search/{column}") == list(search.cv_results_[column])
    best = search.best_index_
    assert stored.points("search/best_score") == {best: search.best_score_}
    run = stored.run()
    assert run.config["best_params"] == search.best_params_
    assert run.state == "completed"
    prefix = "search/candidate-split-evaluation-{}/fit-final-estimator/lbfgs-iter/train/score"
    for task in range(4):
        assert list(stored.points(prefix.format(task))) == [0, 1, 2]
    refit = stored.points("refit-with-best-params/fit-final-estimator/train/score")
    assert refit == {1: search.score(FEATURES, LABELS)}


def test_processes_of_a_search_log_to_the_run_of_the_script(stored: Stored, tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    search = GridSearchCV(pipeline(), {"classify__C": [0.001, 1.0]}, cv=2, n_jobs=2)
    with trackai.init(name="mine", db_path=path):
        search.set_callbacks(TrackAICallback()).fit(FEATURES, LABELS)
    run = Stored(path).run()
    assert run.state == "completed"
    prefix = "search/candidate-split-evaluation-{}/fit-final-estimator/lbfgs-iter/train/score"
    for task in range(4):
        assert list(Stored(path).points(prefix.format(task), run)) == [0, 1, 2]
    assert stored.runs() == []


def test_the_table_of_a_search_has_all_candidates(stored: Stored) -> None:
    grid = [{"classify__C": [0.5]}, {"classify__fit_intercept": [False]}]
    search = GridSearchCV(pipeline(), grid, cv=2).fit(FEATURES, LABELS)
    log_estimator(search)
    columns, rows = stored.table("search/results")
    table = dict(zip(columns, zip(*rows, strict=True), strict=True))
    assert table["param_classify__C"] == (0.5, None)
    assert table["param_classify__fit_intercept"] == (None, False)
    assert list(table["mean_test_score"]) == list(search.cv_results_["mean_test_score"])


def test_an_active_run_is_used_and_left_open(stored: Stored) -> None:
    with trackai.init(name="mine") as run:
        pipeline().set_callbacks(TrackAICallback()).fit(FEATURES, LABELS)
        assert not run.is_finished
    assert stored.run().name == "mine"


def test_an_exception_fails_the_run(stored: Stored) -> None:
    class Failing(ScoringMonitor):
        def on_fit_task_end(self, *arguments: Any, **keywords: Any) -> None:
            raise RuntimeError("out of luck")

    model = LogisticRegression(max_iter=4)
    model.set_callbacks(TrackAICallback(), Failing(scoring="accuracy"))
    with pytest.raises(RuntimeError, match="out of luck"):
        model.fit(FEATURES, LABELS)
    assert stored.run().state == "failed"


def test_an_exception_that_the_script_handles_does_not_fail_the_run(stored: Stored) -> None:
    try:
        raise RuntimeError("of before")
    except RuntimeError:
        pipeline().set_callbacks(TrackAICallback()).fit(FEATURES, LABELS)
    assert stored.run().state == "completed"


def test_an_estimator_without_callbacks(stored: Stored) -> None:
    forest = RandomForestClassifier(n_estimators=3, random_state=0).fit(FEATURES[:60], LABELS[:60])
    test = FEATURES[60:], LABELS[60:]
    scores = log_estimator(forest, *test, scoring=["accuracy", "f1_macro"], project="digits")
    run = stored.run()
    assert (run.project, run.state) == ("digits", "completed")
    assert run.config["estimator"] == "RandomForestClassifier"
    assert run.config["n_estimators"] == 3
    assert scores["accuracy"] == forest.score(*test)
    assert {name: stored.points(f"test/{name}")[0] for name in scores} == scores
    columns, rows = stored.table("test/confusion_matrix")
    assert columns == ["actual", "predicted", "count"]
    counts = np.array([row[2] for row in rows]).reshape(2, 2)
    assert (counts == confusion_matrix(LABELS[60:], forest.predict(FEATURES[60:]))).all()


def test_a_regressor_has_no_confusion_matrix(stored: Stored) -> None:
    model = LinearRegression().fit(FEATURES, FEATURES[:, 0])
    log_estimator(model, FEATURES, FEATURES[:, 0], name="train", step=7)
    assert list(stored.run().summary) == ["train/score"]
    assert list(stored.points("train/score")) == [7]
