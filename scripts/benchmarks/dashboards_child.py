"""Log the data of `bench.py dashboards` to one tracker; runs with the tracker's interpreter.

Arguments: the tracker, an empty folder, and the numbers of runs, metrics and steps. It imports
nothing of TrackAI's scripts, so it runs as a plain file. It prints the path of the page to open.
"""

from __future__ import annotations

import json
import math
import os
import random
import sys
import time
from pathlib import Path


def _value(run: int, metric: int, step: int) -> float:
    return math.exp(-step / (500 + 100 * run)) + 0.1 * metric + 0.05 * random.random()


def main() -> None:
    """Log all runs, and print the path of the page."""
    tracker, folder, *numbers = sys.argv[1:]
    runs, metrics, steps = map(int, numbers)
    random.seed(1)
    rows = [
        [{f"metric_{m}": _value(run, m, step) for m in range(metrics)} for step in range(steps)]
        for run in range(runs)
    ]
    print(json.dumps(_LOGGERS[tracker](Path(folder), rows)))


def _trackai(folder: Path, runs: list[list[dict[str, float]]]) -> str:
    import trackai

    for number, rows in enumerate(runs):
        with trackai.init(
            project="bench", name=f"run-{number}", db_path=folder / "trackai.db"
        ) as r:
            for step, row in enumerate(rows):
                r.log(row, step=step)
    return "/?project=1"


def _tensorboard(folder: Path, runs: list[list[dict[str, float]]]) -> str:
    from tensorboardX import SummaryWriter

    for number, rows in enumerate(runs):
        with SummaryWriter(str(folder / f"run-{number}")) as writer:
            for step, row in enumerate(rows):
                for name, value in row.items():
                    writer.add_scalar(name, value, step)
    return "/?darkMode=false#timeseries"


def _trackio(folder: Path, runs: list[list[dict[str, float]]]) -> str:
    import trackio

    for number, rows in enumerate(runs):
        trackio.init(project="bench", name=f"run-{number}", embed=False)
        for step, row in enumerate(rows):
            trackio.log(row, step=step)
        trackio.finish()  # type: ignore[no-untyped-call]
    return "/?project=bench"


def _mlflow(folder: Path, runs: list[list[dict[str, float]]]) -> str:
    import mlflow  # type: ignore[import-not-found]
    from mlflow.entities import Metric  # type: ignore[import-not-found]

    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    experiment = mlflow.set_experiment("bench").experiment_id
    client = mlflow.MlflowClient()
    now = int(time.time() * 1000)
    for rows in runs:
        with mlflow.start_run() as run:
            batch = [
                Metric(name, value, now + step, step)
                for step, row in enumerate(rows)
                for name, value in row.items()
            ]
            for first in range(0, len(batch), 1000):
                client.log_batch(run.info.run_id, metrics=batch[first : first + 1000])
    return f"/#/experiments/{experiment}/runs?compareRunsMode=CHART"


def _aim(folder: Path, runs: list[list[dict[str, float]]]) -> str:
    import aim  # type: ignore[import-not-found]

    for rows in runs:
        run = aim.Run(repo=str(folder), experiment="bench", system_tracking_interval=None)
        for step, row in enumerate(rows):
            for name, value in row.items():
                run.track(value, name=name, step=step)
        run.close()
    return f"/runs/{run.hash}/metrics"


_LOGGERS = {
    "trackai": _trackai,
    "tensorboard": _tensorboard,
    "trackio": _trackio,
    "mlflow": _mlflow,
    "aim": _aim,
}

if __name__ == "__main__":
    os.environ.setdefault("TRACKAI_SILENT", "1")
    main()
