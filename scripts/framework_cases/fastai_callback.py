import numpy as np
import pandas as pd
import wandb
from expected import expect
from fastai.callback.wandb import WandbCallback
from fastai.tabular.all import Callback, TabularDataLoaders, rmse, tabular_learner

generator = np.random.default_rng(0)
frame = pd.DataFrame(generator.normal(size=(80, 3)), columns=["a", "b", "y"])
data = TabularDataLoaders.from_df(
    frame, cont_names=["a", "b"], y_names="y", bs=8, valid_idx=list(range(60, 80)), num_workers=0
)
losses = []


class Keep(Callback):
    order = 60

    def after_batch(self):
        if self.training:
            losses.append((len(losses), float(self.loss)))


wandb.init(project="fastai", name="tabular")
learner = tabular_learner(data, metrics=rmse, layers=[8], cbs=[WandbCallback(log_preds=False)])
learner.add_cb(Keep())
with learner.no_bar(), learner.no_logging():
    learner.fit(2, lr=0.01)
wandb.finish()
steps = [len(losses) // 2 * (epoch + 1) - 1 for epoch in range(2)]
rows = list(zip(steps, learner.recorder.values))
expect(
    {
        "raw_loss": losses,
        "valid_loss": [(step, row[1]) for step, row in rows],
        "_rmse": [(step, row[2]) for step, row in rows],
    },
    run="tabular",
    config={"batch size": 8},
)
