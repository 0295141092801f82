"""Trains with fastai."""

from __future__ import annotations

from typing import Any

import torch
from fastai.basics import DataLoader, DataLoaders, Learner, accuracy, nn
from fastai.callback.schedule import fit_one_cycle  # noqa: F401 - adds it to Learner
from fastai.callback.tracker import SaveModelCallback

import trackai
from scripts.integration_checks._expect import checked, expect, expect_state, only, points, stored
from trackai.integrations.fastai import TrackAICallback


def learner(**more: Any) -> Any:
    torch.manual_seed(0)
    rows = [(torch.randn(4), torch.tensor(index % 2)) for index in range(32)]
    loaders = DataLoaders(
        DataLoader(rows, bs=8, shuffle=False), DataLoader(rows, bs=8), device=torch.device("cpu")
    )
    return Learner(
        loaders, nn.Linear(4, 2), loss_func=nn.CrossEntropyLoss(), metrics=accuracy, **more
    )


def main() -> None:
    learn = learner()
    with learn.no_bar(), learn.no_logging():
        learn.fit(3, lr=0.1, cbs=[TrackAICallback(project="digits"), SaveModelCallback()])
    run = only("digits")
    recorder = learn.recorder
    validated = [4, 8, 12]
    expect(
        run,
        {
            "train_loss": enumerate(map(float, recorder.losses), start=1),
            "valid_loss": zip(validated, (row[1] for row in recorder.values), strict=True),
            "accuracy": zip(validated, (row[2] for row in recorder.values), strict=True),
            "epoch": ((step, step / 4) for step in range(1, 13)),
        },
    )
    assert [value for _, value in points(run, "lr_0")] == recorder.lrs
    assert run.config["n_epoch"] == 3
    assert run.config["batch_size"] == 8
    assert run.summary["best_valid_loss"].last == min(row[1] for row in recorder.values)
    expect_state(run, "completed")
    checked("points of batches and epochs equal those of the recorder; best model")

    learn = learner()
    with learn.no_bar(), learn.no_logging():
        callback = TrackAICallback(project="tuned")  # as fine_tune trains: twice with one callback
        learn.fit_one_cycle(1, cbs=callback)
        learn.fit_one_cycle(2, cbs=callback)
        learn.get_preds()
    run = only("tuned")
    assert [step for step, _ in points(run, "train_loss")] == list(range(1, 13))
    assert points(run, "epoch")[-1] == (12, 3.0)
    expect_state(run, "completed")
    checked("fine_tune, which trains twice, is one run")

    learn = learner(cbs=[TrackAICallback(project="failed")])
    learn.add_cb(FailsAt(5))
    try:
        with learn.no_bar(), learn.no_logging():
            learn.fit(3)
    except RuntimeError:
        pass
    trackai.init(project="between").finish()
    expect_state(only("failed"), "failed")
    learn = learner(cbs=TrackAICallback(project="next"))
    with learn.no_bar(), learn.no_logging():
        learn.lr_find(num_it=12, show_plot=False)
        learn.fit(1)
    expect_state(only("failed"), "failed")
    expect_state(only("next"), "completed")
    checked("a training that raises has failed; the search for a learning rate starts none")

    with trackai.init(project="own") as own, learner().no_bar():
        learner().fit(1, cbs=TrackAICallback())
        assert not own.is_finished
    assert len(points(only("own"), "train_loss")) == 4
    assert len(stored()) == 6
    checked("a run of the script is used, and left open")


def FailsAt(step: int) -> Any:  # noqa: N802
    from fastai.callback.core import Callback

    class Fails(Callback):
        def after_step(self) -> None:
            if self.train_iter == step:
                raise RuntimeError("out of memory")

    return Fails()


if __name__ == "__main__":
    main()
