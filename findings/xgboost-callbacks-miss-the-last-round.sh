#!/usr/bin/env bash
# XGBoost calls no callback behind the one that stops the training, and counts rounds in two ways.
#
# Guess: after_iteration is called for each round that `evals_result` has, and its `epoch` and
# `best_iteration` number rounds alike.
# Seen with XGBoost 3.2.0: the callbacks are called by any(...), so those that follow EarlyStopping in
# the list miss the last round. The argument early_stopping_rounds appends EarlyStopping at the end.
# In a training that continues a model, `epoch` begins at 0, and `best_iteration` counts on.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    xgboost-cpu==3.2.0 numpy==2.3.5 scipy==1.16.3
"$folder/env/bin/python" - <<'PYTHON'
import numpy as np
import xgboost


class Rounds(xgboost.callback.TrainingCallback):
    def __init__(self):
        self.epochs = []

    def after_iteration(self, model, epoch, evals_log):
        self.epochs.append(epoch)
        return False


random = np.random.default_rng(0)
features = random.normal(size=(200, 4))
labels = (features[:, 0] + random.normal(size=200) > 0).astype(int)
train = xgboost.DMatrix(features[:150], labels[:150])
valid = xgboost.DMatrix(features[150:], labels[150:])


def fit(rounds, callbacks, **arguments):
    results = {}
    booster = xgboost.train(
        {"objective": "binary:logistic"}, train, rounds, evals=[(valid, "valid")],
        evals_result=results, verbose_eval=False, callbacks=callbacks, **arguments,
    )
    return booster, len(results["valid"]["logloss"])


before, behind = Rounds(), Rounds()
_, rounds = fit(100, [before, xgboost.callback.EarlyStopping(rounds=2), behind])
assert len(before.epochs) == rounds < 100
assert len(behind.epochs) == rounds - 1
print(rounds, "rounds:", len(before.epochs), "calls before,", len(behind.epochs), "behind")

first, _ = fit(2, [])
further = Rounds()
second, _ = fit(1, [further], xgb_model=first, early_stopping_rounds=5)
assert further.epochs == [0]
assert second.best_iteration == 2
print("the third round: epoch", further.epochs[0], "and best_iteration", second.best_iteration)
PYTHON
