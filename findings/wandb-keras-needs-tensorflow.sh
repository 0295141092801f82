#!/usr/bin/env bash
# wandb's callbacks for Keras cannot be imported without TensorFlow.
#
# Guess: they work with every backend of Keras 3, as they subclass Keras' callbacks.
# Seen with wandb 0.31.0 and Keras 3.15.1: `wandb.integration.keras` imports tensorflow and takes the
# classes from tensorflow.keras. With the backends jax and torch alone, the import is a
# ModuleNotFoundError.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    wandb==0.31.0 keras==3.15.1 jax==0.10.2
KERAS_BACKEND=jax "$folder/env/bin/python" - <<'PYTHON'
import keras

assert keras.backend.backend() == "jax"
assert keras.callbacks.ModelCheckpoint
try:
    from wandb.integration.keras import WandbMetricsLogger
except ModuleNotFoundError as error:
    assert error.name == "tensorflow", error
    print(error)
else:
    raise SystemExit(f"{WandbMetricsLogger} was imported")
PYTHON
