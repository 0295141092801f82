import numpy as np
import wandb
from catboost import CatBoostRegressor
from expected import expect
from wandb.integration.catboost import WandbCallback, log_summary

generator = np.random.default_rng(0)
inputs = generator.normal(size=(200, 4))
targets = inputs[:, 0] * 2 + generator.normal(size=200)
wandb.init(project="catboost", name="cats")
model = CatBoostRegressor(iterations=8, depth=2, verbose=False)
model.fit(inputs[:150], targets[:150], eval_set=(inputs[150:], targets[150:]),
          callbacks=[WandbCallback()])  # fmt: skip
log_summary(model, save_model_checkpoint=True)
wandb.finish()
points = {
    f"{data}-{name}": list(enumerate(values))
    for data, metrics in model.get_evals_result().items()
    for name, values in metrics.items()
}
points["best_iteration"] = [model.get_best_iteration()]
expect(points, run="cats", config={"depth": 2}, files=["Feature Importance"])
