"""`wandb.integration.catboost`: its callback, which logs `<data>-<metric>`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import trackai
from trackai.compat.wandb_errors import UsageError
from trackai.compat.wandb_run import Run, current_run

__all__ = ["WandbCallback", "log_summary"]


class WandbCallback:
    """Logs the metrics of each iteration in which CatBoost evaluates them.

    Args:
        metric_period: the `metric_period` of the model.
    """

    def __init__(self, metric_period: int = 1) -> None:
        if trackai.run is None:
            raise UsageError("You must call wandb.init() before WandbCallback()")
        self.metric_period = metric_period
        self._count = 0

    def after_iteration(self, info: Any) -> bool:
        logs = {
            f"{data}-{name}": log
            for data, metrics in info.metrics.items()
            for name, log in metrics.items()
        }
        count = sum(map(len, logs.values()))
        if count > self._count:  # CatBoost also calls it without new values
            self._count = count
            values = {name: log[-1] for name, log in logs.items()}
            key = f"iteration@metric-period-{self.metric_period}"
            trackai.log({**values, key: info.iteration})
        return True


def log_summary(
    model: Any,
    log_all_params: bool = True,
    save_model_checkpoint: bool = False,
    log_feature_importance: bool = True,
) -> None:
    """Log the best iteration and scores of a trained model.

    Args:
        model: a `CatBoostClassifier` or `CatBoostRegressor`.
        log_all_params: store its parameters in the configuration.
        save_model_checkpoint: store the model as an artifact.
        log_feature_importance: log the importance of the features as a table.
    """
    run = current_run()
    if run is None:
        raise UsageError("You must call wandb.init() before log_summary()")
    parameters = model.get_all_params()
    if log_all_params:
        run.config.update(parameters)
    run.summary["best_iteration"] = model.get_best_iteration()
    for data, scores in model.get_best_score().items():
        for name, score in scores.items():
            run.summary[f"best_score/{data}/{name}"] = score
    if save_model_checkpoint:
        _log_model(run, model, "best" if parameters.get("use_best_model") else "last")
    if log_feature_importance:
        frame = model.get_feature_importance(prettified=True)
        rows = zip(frame["Feature Id"], frame["Importances"], strict=True)
        table = trackai.Table(["Feature", "Importance"], [list(row) for row in rows])
        run.log({"Feature Importance": table}, commit=False)


def _log_model(run: Run, model: Any, alias: str) -> None:
    path = Path(run.dir, "model")
    model.save_model(path)
    artifact = trackai.Artifact(f"model_{run.id}", type="model")
    artifact.add_file(path)
    run.log_artifact(artifact, aliases=[alias])
