#!/usr/bin/env bash
# LightGBM ignores `order` in the class of a callback, and sets its own.
#
# Guess: a callback with `order = 40` in its class runs after early stopping, whose order is 30.
# Seen with LightGBM 4.7.0: train() looks for "order" in `callback.__dict__` only, and otherwise sets
# the place in the list minus its length, which is negative. The callback then runs before early
# stopping. `before_iteration` may be in the class. Set both in __init__.
# After early stopping, a callback with an order above 30 is not called for the last iteration, and
# the booster has only the trees up to `best_iteration`, which counts from 1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    lightgbm==4.7.0 numpy==2.3.5 scipy==1.16.3
"$folder/env/bin/python" - <<'PYTHON'
import lightgbm
import numpy as np


class InClass:
    order = 40

    def __init__(self):
        self.iterations = []

    def __call__(self, env):
        self.iterations.append(env.iteration)


class InInstance(InClass):
    def __init__(self):
        super().__init__()
        self.order = 40


random = np.random.default_rng(0)
features = random.normal(size=(300, 4))
labels = (features[:, 0] + random.normal(size=300) > 0).astype(int)
train = lightgbm.Dataset(features[:200], labels[:200])
valid = lightgbm.Dataset(features[200:], labels[200:], reference=train)
callbacks = [lightgbm.early_stopping(2, verbose=False), InClass(), InInstance()]
booster = lightgbm.train(
    {"objective": "binary", "verbosity": -1}, train, 200, valid_sets=[valid], callbacks=callbacks
)
in_class, in_instance = callbacks[1:]
assert in_class.order == -2
assert in_instance.order == 40
assert len(in_class.iterations) == booster.best_iteration + 2
assert len(in_instance.iterations) == booster.best_iteration + 1
assert booster.num_trees() == booster.best_iteration
print("order in the class:", in_class.order, "- called", len(in_class.iterations), "times")
print("order in the instance:", in_instance.order, "- called", len(in_instance.iterations), "times")
print("trees:", booster.num_trees())
PYTHON
