"""What a training script expects to be stored. `scripts/frameworks.py` compares it with the run."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# Of a Trainer of transformers: figures of the whole training, which go to the summary.
_TOTALS = ("train_runtime", "train_samples_per_second", "train_steps_per_second", "train_loss",
           "total_flos")  # fmt: skip


def expect(
    points: Mapping[str, Sequence[Any]],
    *,
    run: str | None = None,
    config: Mapping[str, Any] | None = None,
    state: str = "completed",
    project: str | None = None,
    files: Sequence[str] = (),
) -> None:
    """Say what must be stored.

    Args:
        points: by metric, all points as (step, value), or only their values in order of steps.
        run: the name or id of the run; default the only one.
        config: keys of the configuration, nested ones as "a/b", and their values.
        state: the state of the run.
        project: its project; default any.
        files: metrics that hold files, such as images and tables.
    """
    record = {
        "run": run,
        "project": project,
        "state": state,
        "config": {key: _plain(value) for key, value in (config or {}).items()},
        "points": {name: [_plain(point) for point in list(of)] for name, of in points.items()},
        "files": list(files),
    }
    with Path(os.environ["TRACKAI_EXPECTED"]).open("a") as file:
        file.write(json.dumps(record) + "\n")


def expect_trainer(trainer: Any, *, steps: bool = True, prefix: str = "", **others: Any) -> None:
    """Say what a Trainer of transformers must have logged: its `log_history`.

    Args:
        trainer: the trainer.
        steps: whether the trainer alone has logged, so that its n-th call is the n-th step.
        others: further arguments of `expect`.
    """
    points: dict[str, list[Any]] = {}
    for number, entry in enumerate(trainer.state.log_history):
        for name, value in entry.items():
            if name in _TOTALS:
                continue
            key = f"train/{name}"
            if name == "step":
                key = "train/global_step"
            elif name.startswith("eval_"):
                key = f"eval/{name[5:]}"
            points.setdefault(key, []).append((number, value) if steps else value)
    config = {
        "learning_rate": trainer.args.learning_rate,
        "per_device_train_batch_size": trainer.args.per_device_train_batch_size,
        "output_dir": trainer.args.output_dir,
        "model/num_parameters": trainer.model.num_parameters(),
    }
    expect(points, config=config, **others)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return value.item()  # a scalar of NumPy or PyTorch
