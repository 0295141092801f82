import lightgbm
import numpy as np
import wandb
from expected import expect
from wandb.integration.lightgbm import log_summary, wandb_callback

generator = np.random.default_rng(0)
inputs = generator.normal(size=(200, 4))
targets = inputs[:, 0] * 2 + generator.normal(size=200)
train = lightgbm.Dataset(inputs[:150], targets[:150])
valid = lightgbm.Dataset(inputs[150:], targets[150:], reference=train)
evals: dict = {}
wandb.init(project="lightgbm", name="leaves")
parameters = {"objective": "regression", "metric": ["rmse", "l1"], "verbose": -1}
model = lightgbm.train(
    parameters, train, 8, valid_sets=[train, valid], valid_names=["train", "valid"],
    callbacks=[lightgbm.record_evaluation(evals), wandb_callback()],
)  # fmt: skip
log_summary(model, save_model_checkpoint=True)
wandb.finish()
points = {
    f"{data}_{name}": list(enumerate(values))
    for data, metrics in evals.items()
    for name, values in metrics.items()
}
expect(points, run="leaves", config={"objective": "regression"}, files=["Feature Importance"])
