"""`wandb.integration.lightgbm`: its callback, which logs `<data>_<metric>`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import trackai
from trackai.compat.wandb_errors import UsageError
from trackai.compat.wandb_run import current_run

__all__ = ["log_summary", "wandb_callback"]


class _Callback:
    order = 20
    before_iteration = False

    def __init__(self, log_params: bool) -> None:
        self._log_params = log_params

    def __call__(self, env: Any) -> None:
        if self._log_params and env.iteration == env.begin_iteration:
            trackai.config.update(env.params)
        values: dict[str, Any] = {"iteration": env.iteration}
        for data, name, value, *rest in env.evaluation_result_list:
            if len(rest) < 2:
                values[f"{data}_{name}"] = value
            else:  # of cv(): the standard deviation comes last
                key = "_".join(name.split()) if " " in name else f"{data}_{name}"
                values |= {f"{key}-mean": value, f"{key}-stdv": rest[-1]}
        trackai.log(values)


def wandb_callback(log_params: bool = True, define_metric: bool = True) -> _Callback:
    """Make a callback that logs the metrics of each iteration.

    Args:
        log_params: store the parameters of the training in the configuration.
        define_metric: accepted for scripts written for wandb, and ignored: the best values of all
            metrics are kept.
    """
    return _Callback(log_params)


def log_summary(
    model: Any, feature_importance: bool = True, save_model_checkpoint: bool = False
) -> None:
    """Log the best iteration and scores of a trained model.

    Args:
        model: a `lightgbm.Booster`.
        feature_importance: log the importance of the features as a table.
        save_model_checkpoint: store the model as an artifact.
    """
    run = current_run()
    if run is None:
        raise UsageError("You must call wandb.init() before log_summary()")
    run.summary["best_iteration"] = model.best_iteration
    for data, scores in model.best_score.items():
        for name, score in scores.items():
            run.summary[f"best_score/{data}/{name}"] = score
    if feature_importance:
        rows = zip(model.feature_name(), model.feature_importance().tolist(), strict=True)
        table = trackai.Table(["Feature", "Importance"], [list(row) for row in rows])
        run.log({"Feature Importance": table}, commit=False)
    if save_model_checkpoint:
        path = Path(run.dir, f"model_ckpt_{model.best_iteration}.txt")
        model.save_model(path, num_iteration=model.best_iteration)
        artifact = trackai.Artifact(f"model_{run.id}", type="model")
        artifact.add_file(path)
        run.log_artifact(artifact, aliases=["best"])
