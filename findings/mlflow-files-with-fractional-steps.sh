#!/usr/bin/env bash
# MLflow's file store takes a fractional step, and can then list none of the runs of the experiment.
#
# Guess: `log_metric(..., step=1.25)` is refused, or cut to 1, or read back as it is.
# Seen with mlflow-skinny 3.17.2 (the file store needs MLFLOW_ALLOW_FILE_STORE there): the call
# succeeds, the file holds "<ms> 0.5 1.25", and every reader raises "ValueError: invalid literal for
# int()": get_metric_history, get_run, and search_runs, which then returns no other run either. Points
# of the metric with whole steps cannot be read, either. log_batch does the same.
# Read the third field of the file as a number, or edit the file.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check mlflow-skinny==3.17.2
cd "$folder"
MLFLOW_ALLOW_FILE_STORE=true "$folder/env/bin/python" -W ignore - <<'PYTHON'
from pathlib import Path

from mlflow.tracking import MlflowClient

client = MlflowClient("file:./mlruns")
experiment = client.create_experiment("e")
first = client.create_run(experiment).info.run_id
client.log_metric(first, "loss", 0.5, step=1)
assert len(client.search_runs([experiment])) == 1

second = client.create_run(experiment).info.run_id
client.log_metric(second, "loss", 0.7, timestamp=1000, step=1)
client.log_metric(second, "loss", 0.5, timestamp=2000, step=1.25)
[path] = Path("mlruns").glob(f"*/{second}/metrics/loss")
print("written:", path.read_text().splitlines())
assert path.read_text() == "1000 0.7 1\n2000 0.5 1.25\n"

reads = {
    "get_metric_history": lambda: client.get_metric_history(second, "loss"),
    "get_run": lambda: client.get_run(second),
    "search_runs": lambda: client.search_runs([experiment]),
}
for name, read in reads.items():
    try:
        read()
    except ValueError as error:
        print(f"{name}: {error}")
        assert "invalid literal for int() with base 10: '1.25'" in str(error)
    else:
        raise AssertionError(f"{name} reads a fractional step")
assert client.get_run(first).data.metrics == {"loss": 0.5}

path.write_text(path.read_text().replace("1.25", "1"))
assert len(client.search_runs([experiment])) == 2
PYTHON
