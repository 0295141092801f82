import numpy as np
import wandb
import xgboost
from expected import expect
from wandb.integration.xgboost import WandbCallback

generator = np.random.default_rng(0)
inputs = generator.normal(size=(200, 4))
targets = inputs[:, 0] * 2 + generator.normal(size=200)
train = xgboost.DMatrix(inputs[:150], targets[:150])
valid = xgboost.DMatrix(inputs[150:], targets[150:])
evals: dict = {}
wandb.init(project="xgboost", name="trees", config={"rounds": 8})
xgboost.train(
    {"max_depth": 2, "eta": 0.3}, train, 8, evals=[(train, "train"), (valid, "valid")],
    evals_result=evals, callbacks=[WandbCallback(log_model=True)], verbose_eval=False,
)  # fmt: skip
wandb.finish()
points = {f"{data}-rmse": list(enumerate(evals[data]["rmse"])) for data in ("train", "valid")}
points["epoch"] = [(number, number) for number in range(8)]
expect(points, run="trees", config={"rounds": 8}, files=["Feature Importance"])
