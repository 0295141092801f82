"""Reads the files of a tracker with the tracker's own reader, whose interpreter runs this."""

from __future__ import annotations

import json
import sys
import time
from importlib import import_module
from pathlib import Path


def _read_wandb(path: str, limit: int) -> int:
    try:
        store = import_module("wandb.sdk.internal.datastore").DataStore()
    except ModuleNotFoundError:
        # As in 0.31, whose wandb-core reads these files in Go.
        raise SystemExit(
            "this interpreter's wandb has no reader in Python: pass --wandb-python with an "
            "interpreter that has wandb 0.19"
        ) from None
    record_class = import_module("wandb.proto.wandb_internal_pb2").Record
    [file] = Path(path).glob("*/run-*.wandb")
    store.open_for_scan(str(file))
    points = 0
    while points < limit and (data := store.scan_data()) is not None:
        record = record_class()
        record.ParseFromString(data)
        if record.WhichOneof("record_type") == "history":
            row = {item.nested_key[0]: json.loads(item.value_json) for item in record.history.item}
            points += sum(not name.startswith("_") for name in row)
    return points


def _read_mlflow(path: str, limit: int) -> int:
    client = import_module("mlflow.tracking").MlflowClient(f"sqlite:///{path}")
    points = 0
    for run in client.search_runs(["1"]):
        for metric in sorted(run.data.metrics) or [f"metric_{number}" for number in range(10)]:
            points += len(client.get_metric_history(run.info.run_id, metric))
            if points >= limit:
                return points
    return points


if __name__ == "__main__":
    tracker, path, limit = sys.argv[1:]
    started = time.perf_counter()
    points = {"wandb": _read_wandb, "mlflow": _read_mlflow}[tracker](path, int(limit))
    print(json.dumps(points / (time.perf_counter() - started)))
