"""XGBoost: a callback that logs the evaluations of each boosting round.

Checked with XGBoost 3.2. Use it with `xgboost.train`, `xgboost.cv` and the estimators:

    xgboost.train(params, data, evals=[(data, "train")], callbacks=[TrackAICallback(project="digits")])
"""  # noqa: E501

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from xgboost import collective
from xgboost.callback import TrainingCallback

from trackai.integrations.training import TrainingRun

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class TrackAICallback(TrainingCallback):
    """Log each evaluation as `<data>/<metric>`, and of `cv` its mean and standard deviation.

    The step is the boosting round, counted from 0, and on from the rounds of an earlier model. The
    parameters of the booster become the configuration. After early stopping, `best_iteration` and
    `best_score` are logged at the best round. In distributed training, only rank 0 logs.

    It logs to the active run. Without one, it starts a run, and finishes it after the training.
    XGBoost does not tell callbacks of exceptions: after one, the run fails when the script ends or
    the next training begins.
    """

    def __init__(self, **arguments: Any) -> None:
        """Make a callback.

        Args:
            arguments: arguments of `trackai.init`, for a run of its own.
        """
        super().__init__()
        self._training = TrainingRun(arguments)
        self._is_logging = False
        self._evaluations: Mapping[str, Mapping[str, list[Any]]] = {}
        self._first_round = 0
        self._logged_rounds = 0

    def before_training(self, model: Any) -> Any:
        """Begin the run. Called by XGBoost."""
        self._is_logging = collective.get_rank() == 0
        if self._is_logging:
            self._evaluations, self._logged_rounds = {}, 0
            self._first_round = first = model.num_boosted_rounds()
            booster = model.cvfolds[0].bst if hasattr(model, "cvfolds") else model
            config = json.loads(booster.save_config())
            path = self._training.path
            self._training.begin({}, (path, first - 1) if path and first else None)
            self._training.configure(dict(_parameters(config)))
            self._training.fail_unless_ended()
        return model

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        """Log a round. Called by XGBoost."""
        self._evaluations = evals_log
        self._log_round(epoch)
        return False

    def after_training(self, model: Any) -> Any:
        """Log the best round, and finish a run of its own. Called by XGBoost."""
        if self._is_logging:
            # After early stopping, callbacks that follow it are not called for the last round.
            metrics = [values for data in self._evaluations.values() for values in data.values()]
            for iteration in range(self._logged_rounds, max(map(len, metrics), default=0)):
                self._log_round(iteration)
            best = model.attr("best_iteration")
            # A model that is trained further may have a best round of its earlier training.
            if best is not None and int(best) >= self._first_round:
                score = float(model.attr("best_score"))
                self._training.log({"best_iteration": int(best), "best_score": score}, int(best))
            self._training.end()
        return model

    def _log_round(self, iteration: int) -> None:
        if self._is_logging:
            values = dict(_round(self._evaluations, iteration))
            self._training.log(values, self._first_round + iteration)
            self._logged_rounds = iteration + 1


def _round(evaluations: Any, iteration: int) -> Iterator[tuple[str, float]]:
    """The evaluations of a round by name, as XGBoost calls them."""
    for data, metrics in evaluations.items():
        for metric, scores in metrics.items():
            score = scores[iteration]
            if isinstance(score, tuple):
                yield f"{data}/{metric}-mean", score[0]
                yield f"{data}/{metric}-std", score[1]
            else:
                yield f"{data}/{metric}", score


def _parameters(config: Any) -> Iterator[tuple[str, Any]]:
    """The training parameters in the configuration of a booster, whose values are all texts."""
    for key, value in config.items() if isinstance(config, dict) else ():
        if key.endswith(("_param", "_train_param")) and key != "learner_model_param":
            yield from ((name, _typed(text)) for name, text in value.items())
        else:
            yield from _parameters(value)


def _typed(text: str) -> int | float | str:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return text
    with np.errstate(over="ignore"):
        single = np.float32(number)
    # XGBoost keeps most parameters in single precision: 0.3 is written "0.300000012".
    return float(str(single)) if f"{single:.9g}" == text else number
