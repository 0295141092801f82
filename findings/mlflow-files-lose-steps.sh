#!/usr/bin/env bash
# MLflow's file store reads a metric with a data set back with step 0.
#
# Guess: a metric that is logged with a data set at step 7 is read back with step 7, as from a
# database.
# Seen with mlflow-skinny 3.17.2 (the file store needs MLFLOW_ALLOW_FILE_STORE there): the file holds
# "<ms> 0.5 7 train abc", and get_metric_history returns the data set and step 0. If the name of the
# data set has a space, the whole metric cannot be read.
# Read the third field of the file, whatever follows it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check mlflow-skinny==3.17.2
cd "$folder"
MLFLOW_ALLOW_FILE_STORE=true "$folder/env/bin/python" -W ignore - <<'PYTHON'
from pathlib import Path

from mlflow.entities import Metric
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

client = MlflowClient("file:./mlruns")
run_id = client.create_run(client.create_experiment("e")).info.run_id
with_data = {"dataset_name": "train", "dataset_digest": "abc"}
with_space = {"dataset_name": "train set", "dataset_digest": "abc"}
metrics = [
    Metric("plain", 0.5, 1000, 7),
    Metric("loss", 0.5, 1000, 7, **with_data),
    Metric("unread", 0.5, 1000, 7, **with_space),
]
client.log_batch(run_id, metrics=metrics)

[path] = Path("mlruns").glob("*/*/metrics/loss")
print("written:", path.read_text().strip())
assert path.read_text().split() == ["1000", "0.5", "7", "train", "abc"]

assert [metric.step for metric in client.get_metric_history(run_id, "plain")] == [7]
[metric] = client.get_metric_history(run_id, "loss")
print("read: step", metric.step, "of data set", metric.dataset_name)
assert (metric.step, metric.dataset_name) == (0, "train")

try:
    client.get_metric_history(run_id, "unread")
except MlflowException as error:
    print("read:", str(error).partition(". Exp")[0])
    assert "malformed" in str(error)
else:
    raise AssertionError("a data set with a space can be read")
PYTHON
