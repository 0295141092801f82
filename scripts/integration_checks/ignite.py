"""Trains with PyTorch Ignite."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import torch
from ignite.engine import Engine, Events
from ignite.metrics import Average

import trackai
from scripts.integration_checks._expect import checked, expect, expect_state, only
from trackai.integrations.ignite import TrackAILogger


def engines(*, fails_at: int = -1) -> tuple[Engine, Engine, Any]:
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def update(engine: Engine, batch: Any) -> float:
        if engine.state.iteration == fails_at:
            raise RuntimeError("out of memory")
        loss = model(batch).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.item())

    trainer = Engine(update)
    evaluator = Engine(lambda engine, batch: float(model(batch).pow(2).mean().item()))
    Average().attach(evaluator, "loss")
    return trainer, evaluator, optimizer


def attach(log: TrackAILogger, trainer: Engine, evaluator: Engine, optimizer: Any) -> None:
    log.attach_output_handler(
        trainer, Events.ITERATION_COMPLETED, tag="train", output_transform=lambda loss: loss
    )
    log.attach_output_handler(evaluator, Events.COMPLETED, tag="val", metric_names="all")
    log.attach_opt_params_handler(trainer, Events.EPOCH_COMPLETED, optimizer=optimizer)


def main() -> None:
    data = [torch.ones(2, 4) * index for index in range(4)]
    trainer, evaluator, optimizer = engines()
    losses: list[tuple[int, float]] = []
    evaluated: list[tuple[int, float]] = []

    def note(engine: Engine) -> None:
        losses.append((engine.state.iteration, engine.state.output))

    def evaluate(engine: Engine) -> None:
        evaluator.run(data)
        evaluated.append((engine.state.iteration, evaluator.state.metrics["loss"]))

    trainer.add_event_handler(Events.ITERATION_COMPLETED, note)
    trainer.add_event_handler(Events.EPOCH_COMPLETED, evaluate)
    with TrackAILogger(trainer, project="digits", config={"lr": 0.1}) as log:
        attach(log, trainer, evaluator, optimizer)
        trainer.run(data, max_epochs=3)
    run = only("digits")
    rates = [(step, 0.1) for step in (4, 8, 12)]
    expect(run, {"train/output": losses, "val/loss": evaluated, "lr/group_0": rates})
    assert len(losses) == 12
    expect_state(run, "completed")
    checked("points of outputs, metrics and rates, at the iterations of the trainer")

    trainer, evaluator, optimizer = engines(fails_at=5)
    with suppress(RuntimeError), TrackAILogger(trainer, project="failed") as log:
        attach(log, trainer, evaluator, optimizer)
        trainer.run(data, max_epochs=3)
    expect_state(only("failed"), "failed")
    checked("an exception fails the run")

    with trackai.init(project="own") as own:
        trainer, evaluator, optimizer = engines()
        log = TrackAILogger()
        attach(log, trainer, evaluator, optimizer)
        trainer.run(data, max_epochs=1)
        log.close()
        assert not own.is_finished
    expect(only("own"), {"train/output": losses[:4], "lr/group_0": [(1, 0.1)]})
    checked("a run of the script is used; without a trainer, steps are those of the event")


if __name__ == "__main__":
    main()
