import os

os.environ["KERAS_BACKEND"] = "torch"
import keras
import numpy as np
import wandb
from expected import expect
from wandb.integration.keras import WandbMetricsLogger, WandbModelCheckpoint

wandb.init(project="keras", name="dense", config={"units": 8})
model = keras.Sequential([keras.layers.Dense(8), keras.layers.Dense(1)])
model.compile("sgd", "mse")
inputs = np.random.default_rng(0).normal(size=(32, 4))
history = model.fit(
    inputs, inputs[:, :1], epochs=3, batch_size=8, validation_split=0.25, verbose=0,
    callbacks=[WandbMetricsLogger(), WandbModelCheckpoint("model-{epoch}.keras")],
)  # fmt: skip
wandb.finish()
points = {f"epoch/{name}": list(enumerate(values)) for name, values in history.history.items()}
points["epoch/epoch"] = [(0, 0), (1, 1), (2, 2)]
rate = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
points["epoch/learning_rate"] = [(epoch, rate) for epoch in range(3)]
expect(points, run="dense", config={"units": 8})
