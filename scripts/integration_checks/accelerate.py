"""Trains with Accelerate."""

from __future__ import annotations

import numpy as np
import torch
from accelerate import Accelerator

import trackai
from scripts.integration_checks._expect import checked, expect, expect_state, files, only
from trackai.integrations.accelerate import TrackAITracker


def train(accelerator: Accelerator) -> list[tuple[int, float]]:
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 1)
    model, optimizer = accelerator.prepare(model, torch.optim.SGD(model.parameters(), lr=0.1))
    losses = []
    for step in range(5):
        loss = model(torch.ones(2, 4)).pow(2).mean()
        accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        accelerator.log({"loss": loss.item()}, step=step)
        losses.append((step, loss.item()))
    return losses


def main() -> None:
    accelerator = Accelerator(log_with="trackai", cpu=True)
    accelerator.init_trackers(
        "named", {"lr": 0.1, "hub_token": "hf_x"}, init_kwargs={"trackai": {"tags": ["a"]}}
    )
    losses = train(accelerator)
    tracker = accelerator.get_tracker("trackai")
    tracker.log_images({"validation": np.zeros((2, 8, 8, 3), np.uint8)}, step=4)
    tracker.log_table("samples", columns=["prompt", "score"], data=[["a", 1]], step=4)
    assert accelerator.get_tracker("trackai", unwrap=True).project == "named"
    accelerator.end_training()
    run = only("named")
    expect(run, {"loss": losses})
    assert run.config == {"lr": 0.1}
    assert run.tags == ("a",) or list(run.tags) == ["a"]
    assert set(files()) == {("validation", 4), ("samples", 4)}, files()
    expect_state(run, "completed")
    checked('log_with="trackai": points, images, a table, hyperparameters without a token')

    accelerator = Accelerator(log_with=TrackAITracker("instance"), cpu=True)
    accelerator.init_trackers("ignored")
    losses = train(accelerator)
    accelerator.end_training()
    expect(only("instance"), {"loss": losses})
    checked("a tracker as an object")

    with trackai.init(project="own") as own:
        accelerator = Accelerator(log_with="trackai", cpu=True)
        accelerator.init_trackers("own")
        losses = train(accelerator)
        accelerator.end_training()
        assert not own.is_finished
    expect(only("own"), {"loss": losses})
    checked("a run of the script is used, and left open")


if __name__ == "__main__":
    main()
