"""`wandb.integration.xgboost`: its callback, which logs `<data>-<metric>`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from xgboost.callback import TrainingCallback

import trackai
from trackai.compat.wandb_errors import UsageError
from trackai.compat.wandb_run import current_run

__all__ = ["WandbCallback"]


class WandbCallback(TrainingCallback):
    """Logs the metrics of each iteration, the configuration and the best iteration.

    Args:
        log_model: store the model as an artifact.
        log_feature_importance: log the importance of the features as a table.
        importance_type: "weight", "gain", "cover", "total_gain" or "total_cover".
        define_metric: accepted for scripts written for wandb, and ignored: the best values of all
            metrics are kept.
    """

    def __init__(
        self,
        log_model: bool = False,
        log_feature_importance: bool = True,
        importance_type: str = "gain",
        define_metric: bool = True,
    ) -> None:
        super().__init__()
        if trackai.run is None:
            raise UsageError("You must call wandb.init() before WandbCallback()")
        self.log_model = log_model
        self.log_feature_importance = log_feature_importance
        self.importance_type = importance_type

    def before_training(self, model: Any) -> Any:
        trackai.config.update(json.loads(model.save_config()))
        return model

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        values = {
            f"{data}-{name}": log[-1]
            for data, metrics in evals_log.items()
            for name, log in metrics.items()
        }
        trackai.log({**values, "epoch": epoch})
        return False

    def after_training(self, model: Any) -> Any:
        if self.log_model:
            _log_model(model)
        if self.log_feature_importance:
            scores = model.get_score(importance_type=self.importance_type)
            table = trackai.Table(
                ["Feature", "Importance"], [list(pair) for pair in scores.items()]
            )
            trackai.log({"Feature Importance": table})
        if model.attr("best_score") is not None:
            trackai.log(
                {
                    "best_score": float(model.attr("best_score")),
                    "best_iteration": int(model.attr("best_iteration")),
                }
            )
        return model


def _log_model(model: Any) -> None:
    run = current_run()
    if run is not None:
        path = Path(run.dir, f"{run.id}_model.json")
        model.save_model(path)
        run.log_artifact(path, type="model")
