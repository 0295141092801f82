"""scikit-learn: a callback for estimators that support callbacks, and a function for all others.

Checked with scikit-learn 1.9, the first version with callbacks:

    callback = TrackAICallback(project="digits", validation=(x_valid, y_valid))
    LogisticRegression().set_callbacks(callback).fit(x, y)

    forest = RandomForestClassifier().fit(x, y)
    log_estimator(forest, x_test, y_test, project="digits")
"""

from __future__ import annotations

import copy
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from sklearn.base import is_classifier
from sklearn.metrics import check_scoring, confusion_matrix
from sklearn.utils.multiclass import unique_labels

import trackai
from trackai.integrations.training import TrainingRun

if TYPE_CHECKING:
    from sklearn.callback import CallbackContext

Scoring: TypeAlias = "str | Callable[..., Any] | Sequence[str] | Mapping[str, Any] | None"


class TrackAICallback:
    """Log scores of an estimator and its sub-estimators while they are fitted.

    After each task, such as an iteration of `LogisticRegression`, each score on the training data
    is logged as `<tasks>/train/<score>`, and that of the outermost estimator on the validation data
    as `<tasks>/valid/<score>`. The step is the id of the task. `<tasks>` are the tasks that contain
    it, without the outermost `fit`. Tasks that may run at the same time, such as the candidates of
    `GridSearchCV`, have their id in the name:
    "search/candidate-split-evaluation-3/lbfgs-iter/train/score". The results of a search are logged
    as by `log_estimator`. The parameters become the configuration.

    It logs to the active run. Without one, it starts a run, and finishes it after `fit`: as failed
    if an exception ends it.
    """

    def __init__(
        self,
        *,
        scoring: Scoring = None,
        validation: tuple[Any, Any] | None = None,
        max_propagation_depth: int | None = None,
        **arguments: Any,
    ) -> None:
        """Make a callback.

        Args:
            scoring: scores as for `GridSearchCV`; default the `score` method of the estimator.
            validation: features and targets for further scores of the outermost estimator. The
                steps of a pipeline get other features.
            max_propagation_depth: how many levels of sub-estimators to follow; default all.
            arguments: arguments of `trackai.init`, for a run of its own.
        """
        self.max_propagation_depth = max_propagation_depth
        self._scoring, self._validation = scoring, validation
        self._training = TrainingRun(arguments)
        self._exception: BaseException | None = None
        self._process = os.getpid()
        self._place: dict[str, Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        # A process of `n_jobs` resumes the run, which may be one of the script.
        training = copy.copy(self._training)
        training.arguments = {**training.arguments, **self._place}
        return {**vars(self), "_training": training, "_exception": None}

    def setup(self, estimator: Any, context: CallbackContext) -> None:
        """Begin the run. Called by scikit-learn, once for the outermost estimator."""
        self._exception = sys.exc_info()[1]  # that the script is handling
        self._process = os.getpid()
        place = self._training.begin({})._place
        url = place.server_url
        self._place = {"server_url": url} if url else {"db_path": place.db_path}
        self._training.configure(_parameters(estimator))

    def teardown(self, estimator: Any, context: CallbackContext) -> None:
        """Finish a run of its own. Called by scikit-learn, also after an exception."""
        has_failed = sys.exc_info()[1] is not self._exception
        self._exception = None
        self._training.end("failed" if has_failed else "completed")

    def on_fit_task_begin(self, estimator: Any, context: CallbackContext) -> None:
        """Do nothing. Called by scikit-learn."""

    def on_fit_task_end(
        self,
        estimator: Any,
        context: CallbackContext,
        *,
        X: Any = None,  # noqa: N803 - scikit-learn passes it by name
        y: Any = None,
        metadata: Mapping[str, Any] | None = None,
        fitted_estimator: Any = None,
    ) -> bool:
        """Log the scores after a task. Called by scikit-learn."""
        values: dict[str, Any] = {}
        # The last iteration of a solver may be an empty task, without an estimator.
        if fitted_estimator is not None and hasattr(estimator, "score") and y is not None:
            scores = _scores(fitted_estimator, X, y, self._scoring, metadata or {})
            values |= {f"{_path(context)}train/{name}": score for name, score in scores.items()}
        # At its end, a meta-estimator is fitted itself.
        fitted = estimator if fitted_estimator is None and not context.parent else fitted_estimator
        if self._validation is not None and _is_outermost(context) and _can_score(fitted):
            scores = _scores(fitted, *self._validation, self._scoring)
            values |= {f"{_path(context)}valid/{name}": score for name, score in scores.items()}
        if values:
            self._training.log(values, 0 if _is_parallel(context) else context.task_id)
        if context.parent is None and hasattr(estimator, "cv_results_"):
            _log_search(self._training, estimator)
        if os.getpid() != self._process and _is_parallel(context):
            self._training.end()  # what this process does of the training
        return False


def log_estimator(
    estimator: Any,
    X: Any = None,  # noqa: N803 - as in scikit-learn
    y: Any = None,
    *,
    scoring: Scoring = None,
    name: str = "test",
    step: float = 0,
    **arguments: Any,
) -> dict[str, float]:
    """Log a fitted estimator: its parameters, scores, confusion matrix, and results of a search.

    Parameters become the configuration. Each score is logged as `<name>/<score>`, the confusion
    matrix of a classifier as the table `<name>/confusion_matrix`. Of a search, the numbers in
    `cv_results_` are logged as `search/<column>` with the candidate as step, the whole as the table
    `search/results`, the best candidate as `search/best_score`, and its parameters as the
    configuration `best_params`.

    Args:
        estimator: the estimator.
        X: features to score it on; without them, it is not scored.
        y: their targets.
        scoring: scores as for `GridSearchCV`; default the `score` method of the estimator.
        name: what the features are called.
        step: the step of the scores.
        arguments: arguments of `trackai.init`, which is called if no run is active.

    Returns:
        The scores by name.
    """
    training = TrainingRun(arguments)
    training.begin({})
    try:
        training.configure(_parameters(estimator))
        scores: dict[str, float] = {}
        if X is not None:
            scores = _scores(estimator, X, y, scoring)
            training.log({f"{name}/{score}": value for score, value in scores.items()}, step)
            if is_classifier(estimator) and y is not None:
                table = _confusion_table(y, estimator.predict(X))
                training.log({f"{name}/confusion_matrix": table}, step)
        if hasattr(estimator, "cv_results_"):
            _log_search(training, estimator)
    except BaseException:
        training.end("failed")
        raise
    training.end()
    return scores


def _scores(
    estimator: Any, features: Any, targets: Any, scoring: Scoring, metadata: Mapping[str, Any] = {}
) -> dict[str, float]:
    scorer = check_scoring(estimator, [scoring] if isinstance(scoring, str) else scoring)
    scores = scorer(estimator, features, targets, **metadata)
    return dict(scores) if isinstance(scores, Mapping) else {"score": scores}


def _parameters(estimator: Any) -> dict[str, Any]:
    """The parameters of an estimator and its sub-estimators, which are left out themselves."""
    parameters = {
        name: value
        for name, value in estimator.get_params().items()
        if not _holds_estimators(value)
    }
    return {"estimator": type(estimator).__name__, **parameters}


def _holds_estimators(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_holds_estimators, value))
    return hasattr(value, "get_params") and hasattr(value, "fit")


def _can_score(estimator: Any) -> bool:
    return hasattr(estimator, "score") and getattr(estimator, "refit", True) is not False


def _is_outermost(context: CallbackContext | None) -> bool:
    """Whether a task is one of the outermost estimator, rather than of a sub-estimator."""
    if context is None:
        return True
    return context.source_task_name is None and _is_outermost(context.parent)


def _is_parallel(context: CallbackContext) -> bool:
    return context.parent is not None and not context.parent.sequential_subtasks


def _path(context: CallbackContext) -> str:
    """The names of the tasks of a context, each with a "/" behind it."""
    parent = context.parent
    if parent is None:
        return ""
    # The task of a sub-estimator is a task of its meta-estimator, which has a better name for it.
    name = context.source_task_name or context.task_name
    if _is_parallel(context):
        name = f"{name}-{context.task_id}"
    return f"{_path(parent)}{name}/"


def _confusion_table(actual: Any, predicted: Any) -> trackai.Table:
    labels = unique_labels(actual, predicted)
    counts = confusion_matrix(actual, predicted, labels=labels)
    rows = [
        [label, other, count]
        for label, row in zip(labels.tolist(), counts.tolist(), strict=True)
        for other, count in zip(labels.tolist(), row, strict=True)
    ]
    return trackai.Table(columns=["actual", "predicted", "count"], data=rows)


def _log_search(training: TrainingRun, search: Any) -> None:
    results = search.cv_results_
    numbers = {
        name: values
        for name, values in results.items()
        if not name.startswith("param") and values.dtype.kind in "fiu"
    }
    for candidate in range(len(results["params"])):
        row = {f"search/{name}": values[candidate] for name, values in numbers.items()}
        training.log(row, candidate)
    columns = [name for name in results if name != "params"]
    rows = [
        [_cell(results[name][row]) for name in columns] for row in range(len(results["params"]))
    ]
    training.log({"search/results": trackai.Table(columns=columns, data=rows)}, 0)
    if hasattr(search, "best_index_"):
        score = getattr(search, "best_score_", None)
        best = {"search/best_index": search.best_index_}
        if score is not None:
            best["search/best_score"] = score
        training.log(best, search.best_index_)
    if hasattr(search, "best_params_"):
        training.configure({"best_params": search.best_params_})


def _cell(value: Any) -> Any:
    """A value of `cv_results_` as a cell of a table."""
    if value is np.ma.masked:
        return None  # the candidate does not have this parameter
    value = value.item() if isinstance(value, np.generic) else value
    return value if isinstance(value, bool | int | float | str | None) else repr(value)
