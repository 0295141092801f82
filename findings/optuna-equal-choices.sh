#!/usr/bin/env bash
# Optuna notes 1 as the parameter of a trial whose objective got 1.0 or True.
#
# Guess: the parameters of a trial are the choices that suggest_categorical has returned.
# Seen with optuna 5.0.0, in memory and with SQLite: of choices that are equal in Python, such as 1,
# 1.0 and True, every finished trial has the first one. max_features=1 of a random forest is one
# feature, and 1.0 is all of them: best_params has 1 for a score that came from 1.0. Within the
# objective, trial.params is still right.
# Pass texts as choices, and convert them in the objective.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check optuna==5.0.0 numpy==2.4.6
cd "$folder"
env/bin/python -W ignore - <<'PYTHON'
import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)


def run(storage):
    returned = []

    def objective(trial):
        choice = trial.suggest_categorical("max_features", [1, 1.0, True])
        returned.append(type(choice))
        assert type(trial.params["max_features"]) is type(choice)
        return {int: 0.5, float: 0.9, bool: 0.1}[type(choice)]

    study = optuna.create_study(
        direction="maximize", storage=storage, sampler=optuna.samplers.RandomSampler(seed=0)
    )
    study.optimize(objective, n_trials=30)
    return study, returned


for storage in (None, "sqlite:///study.db"):
    study, returned = run(storage)
    assert set(returned) == {int, float, bool}, returned
    assert {type(trial.params["max_features"]) for trial in study.trials} == {int}
    best = study.best_params["max_features"]
    assert (study.best_value, best, type(best)) == (0.9, 1, int), (study.best_value, best)
print("best score", study.best_value, "came from 1.0, and best_params has", study.best_params)
PYTHON
