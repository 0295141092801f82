#!/usr/bin/env bash
# scikit-learn's callbacks see one iteration more than a solver does, and transformed features.
#
# Guess: on_fit_task_end is called once for each iteration, with an estimator to score; and the hook
# of a pipeline has the features that the pipeline was fitted with.
# Seen with scikit-learn 1.9.1: LogisticRegression(max_iter=3) ends four tasks "lbfgs-iter"; the last
# has neither an estimator nor features. The last hook of a Pipeline has the features as its
# last step gets them, so pipeline.score(X, y) in it would transform them twice.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    scikit-learn==1.9.1 numpy==2.3.5 scipy==1.16.3
"$folder/env/bin/python" -W ignore - <<'PYTHON'
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


class Tasks:
    def __init__(self):
        self.ended = []

    def setup(self, estimator, context):
        pass

    teardown = on_fit_task_begin = setup

    def on_fit_task_end(self, estimator, context, *, X=None, fitted_estimator=None):
        self.ended.append((context.task_name, X, fitted_estimator is not None))


features = np.arange(20.0).reshape(10, 2)
labels = np.arange(10) % 2
tasks = Tasks()
LogisticRegression(max_iter=3).set_callbacks(tasks).fit(features, labels)
iterations = [fitted for name, _, fitted in tasks.ended if name == "lbfgs-iter"]
assert iterations == [True, True, True, False]
print("iterations with an estimator:", iterations)

tasks = Tasks()
pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=3))
pipeline.set_callbacks(tasks).fit(features, labels)
_, seen, _ = tasks.ended[-1]
assert np.allclose(seen, StandardScaler().fit_transform(features))
assert not np.allclose(seen, features)
print("the pipeline was fitted with", features[0], "and its hook sees", seen[0])
PYTHON
