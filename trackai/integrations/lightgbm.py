"""LightGBM: a callback that logs the evaluations of each iteration.

Checked with LightGBM 4.7. Use it with `lightgbm.train`, `lightgbm.cv` and the estimators:

    callback = TrackAICallback(project="digits")
    booster = lightgbm.train(params, data, valid_sets=[valid], callbacks=[callback])
    callback.finish(booster)
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from trackai.integrations.training import TrainingRun

if TYPE_CHECKING:
    from lightgbm.callback import CallbackEnv

# LightGBM calls callbacks in this order; early stopping has 30, and calls none after it.
_ORDER = 20


class TrackAICallback:
    """Log each evaluation as `<data>/<metric>`, and of `cv` its mean and standard deviation.

    The step is the iteration, counted from 0, and on from the iterations of an earlier model. The
    best value of a metric so far is logged as `best/<data>/<metric>`, at the step where it was
    reached, except for the training data. The parameters become the configuration.

    It logs to the active run. Without one, it starts a run. LightGBM does not tell callbacks when
    the training has ended early: call `finish`, or the run is finished when the script ends or the
    next training begins.
    """

    def __init__(self, **arguments: Any) -> None:
        """Make a callback.

        Args:
            arguments: arguments of `trackai.init`, for a run of its own.
        """
        # Attributes of the class would not do: LightGBM looks for them in `__dict__`.
        self.order = _ORDER
        self.before_iteration = False
        self._training = TrainingRun(arguments, unreported_end="completed")
        self._best: dict[str, float] = {}

    def __call__(self, env: CallbackEnv) -> None:
        """Log an iteration. Called by LightGBM."""
        if env.iteration == env.begin_iteration:
            self._begin(env)
        values = {}
        for data, metric, value, higher_is_better, *deviation in env.evaluation_result_list or ():
            name = f"{data}/{metric}"
            if deviation and deviation[0] is not None:
                values[f"{name}-mean"], values[f"{name}-stdv"] = value, deviation[0]
            else:
                values[name] = value
            is_training_data = data in ("train", getattr(env.model, "_train_data_name", "training"))
            if not is_training_data and self._is_best(name, value, higher_is_better):
                values[f"best/{name}"] = self._best[name] = value
        self._training.log(values, env.iteration)
        if env.iteration == env.end_iteration - 1:
            self._training.end()

    def _begin(self, env: CallbackEnv) -> None:
        path, first = self._training.path, env.begin_iteration
        run = self._training.begin({}, (path, first - 1) if path and first else None)
        self._best = {}
        if first and run.resumed:
            summary = {
                name: value for name, value in run.summary.items() if name.startswith("best/")
            }
            self._best = {name.removeprefix("best/"): value for name, value in summary.items()}
        self._training.configure(
            {key: value for key, value in env.params.items() if not callable(value)}
        )

    def finish(self, model: Any = None) -> None:
        """Log the best iteration, and finish a run of its own.

        Args:
            model: the booster or estimator; after early stopping, its `best_iteration`, which
                counts from 1, is logged.
        """
        best = getattr(model, "best_iteration", None) or getattr(model, "best_iteration_", None)
        # -1: a `CVBooster` whose training has not been stopped
        if best and best > 0 and self._training.path is not None:
            self._training.log({"best_iteration": best}, best - 1)
        self._training.end()

    def _is_best(self, name: str, value: float, higher_is_better: bool) -> bool:
        best = self._best.get(name)
        if best is None:
            return not math.isnan(value)
        return value > best if higher_is_better else value < best
