"""CatBoost: a callback that logs the evaluations of each iteration.

Checked with CatBoost 1.2.10. Use it with `fit`:

    callback = TrackAICallback(model, project="digits")
    model.fit(data, eval_set=valid, callbacks=[callback])
    callback.finish()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trackai.integrations.training import TrainingRun

if TYPE_CHECKING:
    from types import SimpleNamespace

    from catboost import CatBoost


class TrackAICallback:
    """Log each evaluation as `<set>/<metric>`, such as "validation/Logloss".

    The step is the iteration, counted from 0 as in `best_iteration_` and `get_evals_result()`. The
    parameters of the model become the configuration.

    It logs to the active run. Without one, it starts a run. CatBoost does not tell callbacks when
    the training ends: call `finish`, or the run is finished when the script ends or the next
    training begins.
    """

    def __init__(self, model: CatBoost | None = None, **arguments: Any) -> None:
        """Make a callback.

        Args:
            model: the model that is trained; CatBoost does not tell callbacks.
            arguments: arguments of `trackai.init`, for a run of its own.
        """
        self._model = model
        self._training = TrainingRun(arguments, unreported_end="completed")
        self._is_training = False
        self._logged: dict[str, int] = {}
        self._last_iteration = 0

    def after_iteration(self, info: SimpleNamespace) -> bool:
        """Log an iteration. Called by CatBoost, which counts iterations from 1."""
        if not self._is_training or info.iteration <= self._last_iteration:
            self._is_training, self._logged = True, {}
            self._training.begin({})
            if self._model is not None:
                self._training.configure(self._model.get_params())
        self._last_iteration = info.iteration
        values = {}
        for data, metrics in info.metrics.items():
            for metric, scores in metrics.items():
                name = f"{data}/{metric}"
                # With `metric_period`, most iterations repeat the scores of an earlier one.
                if len(scores) > self._logged.get(name, 0):
                    values[name], self._logged[name] = scores[-1], len(scores)
        self._training.log(values, info.iteration - 1)
        return True

    def finish(self) -> None:
        """Log the best iteration and scores of the model, and finish a run of its own."""
        model, self._is_training = self._model, False
        best = model.best_iteration_ if model is not None and self._training.path else None
        if model is not None and best is not None:
            scores = {f"best/{data}": values for data, values in model.best_score_.items()}
            self._training.log({"best_iteration": best, **scores}, best)
        self._training.end()
