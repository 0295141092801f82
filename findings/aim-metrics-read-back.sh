#!/usr/bin/env bash
# aim stores fractional steps and integers exactly, and its own readers cut and round them.
#
# Guess: a metric is read back with the steps and values that were tracked.
# Seen with aim 3.29.1 (Python 3.11): `track(value, step=1.25)` and `step=1.75` are two points, and
# `Metric.data.items_list()` and `numpy()` give both the step 1; 2**53 + 1 comes back as 2.0**53.
# The arrays of the series have 1.25, 1.75 and the integer: `metric.series_tree.array("step")`.
# A run that was just closed is in no list, either, until `aim storage reindex`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check aim==3.29.1
cd "$folder"
"$folder/env/bin/python" - <<'PYTHON'
from aim import Repo, Run

Repo(".", init=True)
run = Run(repo=".", system_tracking_interval=None, capture_terminal_logs=False)
run.track(2**53 + 1, name="metric", step=1.25)
run.track(2**53 + 1, name="metric", step=1.75)
run.close()
assert list(Repo(".").iter_runs()) == []
PYTHON
"$folder/env/bin/aim" storage --repo . reindex -y >/dev/null 2>&1
"$folder/env/bin/python" - <<'PYTHON'
from aim import Repo

[run] = Repo(".").iter_runs()
[metric] = run.metrics()
steps, columns = metric.data.items_list()
assert steps == [1, 1], steps
assert columns[0] == [2.0**53, 2.0**53], columns
arrays = {name: list(metric.series_tree.array(name).values()) for name in ("step", "val")}
assert sorted(arrays["step"]) == [1.25, 1.75], arrays
assert arrays["val"] == [2**53 + 1, 2**53 + 1], arrays
print("steps 1.25 and 1.75 are read as", steps, "and 2**53 + 1 as", columns[0][0])
PYTHON
