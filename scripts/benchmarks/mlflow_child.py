"""Log to mlflow's store in a database and read from it; prints durations in seconds as JSON.

It runs with an interpreter that can import mlflow, and without TrackAI. The arguments are the URL
of an empty database, the number of calls of `mlflow.log_metrics`, and the number of points of a
metric that is logged with `log_batch` and read with `get_metric_history`.
"""

from __future__ import annotations

import json
import sys
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

METRICS = 10
# The most that mlflow stores at once.
_PER_BATCH = 1000
_REPEAT = 3


def main(url: str, calls: int, points: int) -> None:
    """Measure the store at `url`."""
    mlflow: Any = import_module("mlflow")
    metric = import_module("mlflow.entities").Metric
    mlflow.set_tracking_uri(url)
    client = mlflow.MlflowClient()
    with mlflow.start_run() as run:  # creates the tables
        values = {f"metric/{number}": number / METRICS for number in range(METRICS)}
        mlflow.log_metrics(values, step=0)
        batches = [
            [
                metric("long", step * 0.6180339887 % 1.0, 1_760_000_000_000 + step, step)
                for step in range(first, min(first + _PER_BATCH, points))
            ]
            for first in range(0, points, _PER_BATCH)
        ]
        run_id = run.info.run_id

        def log_calls() -> None:
            for step in range(1, calls + 1):
                mlflow.log_metrics(values, step=step)

        def log_batches() -> None:
            for batch in batches:
                client.log_batch(run_id, metrics=batch)

        def read() -> None:
            assert len(client.get_metric_history(run_id, "long")) == points

        seconds = {
            "log_metrics": _seconds(log_calls),
            "log_batch": _seconds(log_batches),
            "get_metric_history": min(_seconds(read) for _ in range(_REPEAT)),
        }
    print(json.dumps({"version": mlflow.__version__, **seconds}))


def _seconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
