#!/usr/bin/env bash
# A pruned trial of Optuna has a value, which is its last intermediate value.
#
# Guess: a pruned trial has no value, since its objective has returned none.
# Seen with Optuna 5.0.0: FrozenTrial.value and the data frame of a study have the last value that
# was reported. It may be better than that of the best trial, which is chosen among complete ones.
# A pruned trial that has reported nothing has None. A trial that returns NaN fails without an
# exception, and study.optimize goes on.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check optuna==5.0.0 numpy==2.3.5
"$folder/env/bin/python" - <<'PYTHON'
import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)


def objective(trial):
    if trial.number == 0:
        return 1.0
    if trial.number == 3:
        return float("nan")
    if trial.number == 1:
        trial.report(0.7, 0)
        trial.report(0.5, 1)
    raise optuna.TrialPruned


study = optuna.create_study()
study.optimize(objective, n_trials=4)
states = [trial.state.name for trial in study.trials]
values = [trial.value for trial in study.trials]
assert states == ["COMPLETE", "PRUNED", "PRUNED", "FAIL"]
assert values == [1.0, 0.5, None, None]
assert study.best_value == 1.0
print(list(zip(states, values)), "best:", study.best_value)
PYTHON
