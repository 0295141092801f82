"""Logs trainings of fastai.

Checked with fastai 2.8.

    from trackai.integrations.fastai import TrackAICallback

    learn.fine_tune(3, cbs=TrackAICallback(project="pets"))
"""

from __future__ import annotations

from typing import Any

from fastai.callback.core import Callback
from fastai.learner import Recorder
from fastai.torch_core import rank_distrib

from trackai.integrations.training import TrainingRun, project_or

# Values of the recorder that the callback logs for each batch, or that are no figures.
_NOT_OF_EPOCHS = ("epoch", "train_loss", "time")


class TrackAICallback(Callback):
    """Logs the losses and hyperparameters of each batch, and the metrics of each epoch.

    A callback is a run: in further calls of `fit`, as `fine_tune` makes, steps and epochs go on. If
    a run is active, that one is used and not finished.
    """

    remove_on_fetch, order = True, Recorder.order + 1

    def __init__(self, **arguments: Any) -> None:
        """Make a callback.

        Args:
            arguments: those of `trackai.init`; the default project is "fastai".
        """
        super().__init__()
        self.training_run = TrainingRun(arguments)
        self.first_step, self.first_epoch = 0, 0

    def before_fit(self) -> None:
        # Neither looking for a learning rate nor predicting is a training.
        self.run = not hasattr(self.learn, "lr_finder") and not hasattr(self, "gather_preds")
        self.run = self.run and rank_distrib() == 0
        if not self.run:
            return
        if self.training_run.path is None:
            self.training_run.begin({"project": project_or("fastai")})
        else:
            self.training_run.reopen()
        self.training_run.fail_unless_ended()
        self.training_run.configure(_hyperparameters(self.learn))

    def after_batch(self) -> None:
        if not self.training:
            return
        values = {
            "train_loss": self.smooth_loss,
            "raw_loss": self.loss,
            "epoch": self.first_epoch + self.epoch + (self.iter + 1) / self.n_iter,
        }
        for index, hypers in enumerate(self.opt.hypers):
            values |= {f"{name}_{index}": value for name, value in hypers.items()}
        self.training_run.log(values, self._step())

    def after_epoch(self) -> None:
        names, values = self.recorder.metric_names, self.recorder.log
        metrics = dict(zip(names, values, strict=False))
        self.training_run.log(
            {name: metrics[name] for name in metrics if name not in _NOT_OF_EPOCHS}, self._step()
        )

    def after_fit(self) -> None:
        saved = getattr(self, "save_model", None)  # fastai's SaveModelCallback
        if saved is not None and saved.last_saved_path is not None:
            best = {"best_model_path": str(saved.last_saved_path)}
            if not (saved.every_epoch or saved.at_end):
                best[f"best_{saved.monitor}"] = saved.best
            self.training_run.log(best, self._step())
        self.first_step, self.first_epoch = self._step(), self.first_epoch + self.n_epoch
        self.training_run.end()
        self.run = True

    def _step(self) -> int:
        return self.first_step + int(self.train_iter)


def _hyperparameters(learn: Any) -> dict[str, Any]:
    return {
        "model": type(learn.model).__name__,
        "num_parameters": sum(weights.numel() for weights in learn.model.parameters()),
        "loss_func": learn.loss_func,
        "opt_func": learn.opt_func,
        "lr": learn.lr,
        "wd": learn.wd,
        "moms": learn.moms,
        "n_epoch": learn.n_epoch,
        "batch_size": learn.dls.bs,
        "batches_per_epoch": len(learn.dls.train),
        "frozen_idx": getattr(learn.opt, "frozen_idx", 0),
        "device": str(learn.dls.device),
        "callbacks": [callback.name for callback in learn.cbs],
    }
