"""Searches with Ray Tune, and trains with Ray Train."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ray
from ray import tune

from scripts.integration_checks._expect import checked, expect, expect_state, only, points, stored
from trackai.integrations.ray import TrackAILoggerCallback, setup_trackai


def objective(config: dict[str, Any]) -> None:
    for step in range(4):
        if config["width"] == 3 and step == 2:
            raise RuntimeError("out of memory")
        tune.report({"loss": config["width"] / (step + 1), "note": "text"})


def stumbles(config: dict[str, Any]) -> None:
    """Fails once after the third result, and goes on from the checkpoint of the second one."""
    checkpoint = tune.get_checkpoint()
    first = 0
    if checkpoint is not None:
        with checkpoint.as_directory() as folder:
            first = int(Path(folder, "step").read_text())
    for step in range(first, 5):
        if step == 3 and checkpoint is None:
            raise RuntimeError("preempted")
        with TemporaryDirectory() as folder:
            Path(folder, "step").write_text(str(step + 1))
            saved = tune.Checkpoint.from_directory(folder) if step == 1 else None
            tune.report({"loss": step + (0.5 if checkpoint else 0)}, checkpoint=saved)


def in_worker(config: dict[str, Any]) -> None:
    with setup_trackai(config, project="workers") as run:
        for step in range(3):
            run.log({"loss": config["lr"] * step}, step)
            tune.report({"done_steps": step})


def train_worker(config: dict[str, Any]) -> None:
    with setup_trackai(config, project="train") as run:
        for step in range(3):
            run.log({"loss": config["lr"] * step}, step)
    ray.train.report({"ended": 1})


def tuner(function: Any, project: str, space: dict[str, Any], **more: Any) -> Any:
    return tune.Tuner(
        function,
        param_space=space,
        run_config=tune.RunConfig(
            name=f"{project}-experiment",
            storage_path=str(Path.cwd() / "ray"),
            callbacks=[TrackAILoggerCallback(project=project)],
            verbose=0,
            **more,
        ),
    )


def check_tune() -> None:
    copied = pickle.loads(pickle.dumps(TrackAILoggerCallback(project="digits")))
    assert copied._arguments == {"project": "digits"}
    results = tuner(objective, "digits", {"width": tune.grid_search([1, 2, 3])}).fit()
    runs = {run.config["width"]: run for run in stored("digits")}
    assert set(runs) == {1, 2, 3}
    for result in results:
        width = result.config["width"]
        frame = result.metrics_dataframe
        steps, losses = frame["training_iteration"], frame["loss"]
        expect(runs[width], {"loss": list(zip(steps.tolist(), losses.tolist(), strict=True))})
        assert runs[width].run_id == result.metrics["trial_id"].lower()
        assert runs[width].group == "digits-experiment"
        expect_state(runs[width], "failed" if result.error else "completed")
    checked("a trial is a run of one group, with its points, settings and state")


def check_stumbling() -> None:
    tuner(
        stumbles, "stumbles", {"width": 1}, failure_config=tune.FailureConfig(max_failures=1)
    ).fit()
    run = only("stumbles")
    wanted = [(1, 0.0), (2, 1.0), (3, 2.5), (4, 3.5), (5, 4.5)]
    expect(run, {"loss": wanted})
    expect_state(run, "completed")
    checked("a trial that is restored goes on in its run; results it repeats are superseded")


def check_workers() -> None:
    tune.Tuner(
        in_worker,
        param_space={"lr": tune.grid_search([0.5, 2.0])},
        run_config=tune.RunConfig(name="w", storage_path=str(Path.cwd() / "ray"), verbose=0),
    ).fit()
    runs = stored("workers")
    assert len(runs) == 2
    for run in runs:
        lr = run.config["lr"]
        expect(run, {"loss": [(step, lr * step) for step in range(3)]})
        expect_state(run, "completed")
    checked("setup_trackai in trials")

    from ray.train import RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    TorchTrainer(
        train_worker,
        train_loop_config={"lr": 0.5},
        scaling_config=ScalingConfig(num_workers=2),
        run_config=RunConfig(name="job", storage_path=str(Path.cwd() / "ray")),
    ).fit()
    run = only("train")
    assert points(run, "loss") == [(0, 0.0), (1, 0.5), (2, 1.0)]
    assert run.name == "job"
    checked("setup_trackai in workers of Train: only the one of rank 0 logs")


def main() -> None:
    os.environ.setdefault("TRACKAI_AUTO_LOG", "0")
    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=True)
    check_tune()
    check_stumbling()
    check_workers()


if __name__ == "__main__":
    main()
