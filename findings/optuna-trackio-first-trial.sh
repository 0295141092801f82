#!/usr/bin/env bash
# Optuna's TrackioCallback puts the first trial of a study in a run of its own.
#
# Guess: with as_multirun=False, "all trials are logged into a single run", as its documentation says.
# Seen with optuna-integration 5.0.0 and trackio 0.43.0: the callback learns the name of the study
# when the first trial ends. So the first trial is in a run "optuna-study", and the others are in a run
# with the name of the study.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    optuna==5.0.0 optuna-integration==5.0.0 trackio==0.43.0
TRACKIO_DIR=$folder/trackio HF_HUB_OFFLINE=1 "$folder/env/bin/python" -W ignore - <<'PYTHON'
import optuna
import trackio
from optuna_integration.trackio import TrackioCallback

callback = TrackioCallback(project="study", metric_name="loss", as_multirun=False)


@callback.track_in_trackio()
def objective(trial):
    return trial.suggest_float("x", 0, 1)


study = optuna.create_study(study_name="parabola")
study.optimize(objective, n_trials=3, callbacks=[callback])
trackio.finish()
runs = sorted(run.name for run in trackio.Api().runs("study"))
print("runs:", runs)
assert runs == ["optuna-study", "parabola"], runs
PYTHON
