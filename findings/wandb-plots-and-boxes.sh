#!/usr/bin/env bash
# wandb draws the scores of another class, and boxes that are rotated the other way.
#
# Guess: wandb.plot.roc_curve takes the column 2 of the scores for the class 2, whichever classes
# occur in y_true; wandb.box3d rotates by the quaternion that it is given.
# Seen with wandb 0.31.0:
#   - roc_curve takes the columns in the order of the classes that occur. Without a sample of the
#     class 1, the curve of the class 2 is drawn from the scores of the class 1. Here the scores of
#     the class 2 are perfect, and the curve has an area of 0.
#   - box3d takes the absolute values of the quaternion: a quarter turn to the right is drawn as one
#     to the left.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    wandb==0.31.0 numpy==2.4.6 pandas==3.1.1 scikit-learn==1.9.1
WANDB_MODE=offline "$folder/env/bin/python" -W ignore - <<'PYTHON'
import numpy as np
import wandb
from sklearn.metrics import auc

labels = np.array([0, 2, 0, 2])
scores = np.array([[0.6, 0.4, 0.0], [0.1, 0.0, 0.9], [0.7, 0.3, 0.0], [0.1, 0.1, 0.8]])
rows = wandb.plot.roc_curve(labels, scores).table.data
curve = np.array([row[1:] for row in rows if row[0] == 2], float)
area = auc(curve[:, 0], curve[:, 1])
assert area == 0, area
print("area under the curve of the class 2:", area, "although its scores are perfect")

corners = []
for z in (1, -1):
    box = wandb.box3d(center=(0, 0, 0), size=(2, 4, 6), orientation=(1, 0, 0, z), color=(1, 0, 0))
    corners.append(np.round(box["corners"][0], 6).tolist())
assert corners[0] == corners[1] == [2, -1, -3], corners
print("the corner (-1, -2, -3) after a quarter turn to the left, and to the right:", *corners)
PYTHON
