#!/usr/bin/env bash
# CatBoost numbers iterations from 1 in callbacks, and from 0 in best_iteration_.
#
# Guess: `info.iteration` of a callback is the index of the iteration in get_evals_result().
# Seen with CatBoost 1.2.10: the first call has iteration 1, and best_iteration_ is 0 for it. The lists
# in `info.metrics` are those of the whole training so far. With metric_period, they grow only in
# some calls, so that neither their length nor their index is the iteration.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check catboost==1.2.10 numpy==2.3.5
"$folder/env/bin/python" - <<'PYTHON'
import numpy as np
from catboost import CatBoostClassifier

random = np.random.default_rng(0)
features = random.normal(size=(300, 4))
labels = (features[:, 0] + random.normal(size=300) > 0).astype(int)


class Calls:
    def __init__(self):
        self.lengths = {}

    def after_iteration(self, info):
        self.lengths[info.iteration] = len(info.metrics["validation"]["Logloss"])
        return True


def fit(**parameters):
    calls = Calls()
    model = CatBoostClassifier(verbose=False, allow_writing_files=False, **parameters)
    model.fit(
        features[:200], labels[:200], eval_set=(features[200:], labels[200:]), callbacks=[calls]
    )
    return model, calls.lengths


model, lengths = fit(iterations=3, learning_rate=0.01)
assert lengths == {1: 1, 2: 2, 3: 3}
assert model.best_iteration_ == 2  # the third
print("iterations of callbacks:", list(lengths), "best_iteration_:", model.best_iteration_)
_, lengths = fit(iterations=6, metric_period=3)
assert lengths == {1: 1, 2: 1, 3: 1, 4: 2, 5: 2, 6: 3}
print("lengths with metric_period=3:", lengths)
PYTHON
