"""Trains with Stable-Baselines3."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from typing import Any

import gymnasium
import numpy as np
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Figure, Image, KVWriter, Logger

import trackai
from scripts.integration_checks._expect import checked, expect, expect_state, files, only, points
from trackai.integrations.stable_baselines3 import TrackAICallback


class Recorder(KVWriter):
    """Keeps what the logger writes."""

    def __init__(self) -> None:
        self.got: dict[str, dict[int, Any]] = defaultdict(dict)

    def write(self, key_values: Any, key_excluded: Any, step: int = 0) -> None:
        for name, value in key_values.items():
            if "tensorboard" not in key_excluded[name]:
                self.got[name][step] = value

    def close(self) -> None:
        pass


class LogsMore(BaseCallback):
    """Records media, or fails."""

    def __init__(self, *, fails: bool = False) -> None:
        super().__init__()
        self.fails = fails

    def _on_step(self) -> bool:
        if self.fails and self.num_timesteps > 80:
            raise RuntimeError("out of memory")
        if self.num_timesteps == 64 and not self.fails:
            import matplotlib

            matplotlib.use("agg")
            from matplotlib import pyplot

            figure = pyplot.figure()
            self.logger.record("image", Image(np.zeros((8, 8, 3), np.uint8), "HWC"))
            self.logger.record("figure", Figure(figure, close=True))
        return True


def main() -> None:
    env = gymnasium.make("CartPole-v1")
    recorder = Recorder()
    model = PPO("MlpPolicy", env, n_steps=64, batch_size=32, n_epochs=1, seed=0, device="cpu")
    model.set_logger(Logger(None, [recorder]))
    model.learn(192, callback=[TrackAICallback(project="cartpole"), LogsMore()])
    run = only("cartpole")
    got = {name: recorder.got[name] for name in recorder.got.keys() - {"image", "figure"}}
    for name in [name for name in got if name.startswith("train/")]:
        # The logger writes updates a rollout late, and not the last one.
        got[name] = {step - 64: value for step, value in got[name].items()}
        got[name][192] = model.logger.name_to_value[name]
    assert set(got["train/loss"]) == {64, 128, 192}
    expect(run, {name: by_step.items() for name, by_step in got.items()})
    assert "time/total_timesteps" not in run.summary
    assert set(files()) == {("image", 64), ("figure", 64)}, files()
    config = run.config
    assert (config["algorithm"], config["n_steps"], config["gamma"]) == ("PPO", 64, 0.99), config
    assert config["env_id"] == "CartPole-v1"
    assert config["initial_lr_schedule"] == 3e-4, config
    expect_state(run, "completed")
    checked("PPO: points equal those of the logger, and those of the last update; settings")

    recorder = Recorder()
    agent = DQN("MlpPolicy", env, learning_starts=10, seed=0, device="cpu")
    agent.set_logger(Logger(None, [recorder]))
    agent.learn(300, callback=TrackAICallback(project="dqn"), log_interval=2)
    run = only("dqn")
    name = "rollout/ep_rew_mean"
    assert points(run, name) == sorted(recorder.got[name].items()), run.summary
    checked("DQN: points at the timesteps of episodes")

    failing = PPO("MlpPolicy", env, n_steps=64, batch_size=32, device="cpu")
    failing.set_logger(Logger(None, [Recorder()]))
    with suppress(RuntimeError):
        failing.learn(192, callback=[TrackAICallback(project="failed"), LogsMore(fails=True)])
    trackai.init(project="between").finish()
    expect_state(only("failed"), "failed")
    before = only("failed").summary
    failing.learn(64, callback=TrackAICallback(project="next"))
    assert only("failed").summary == before, only("failed").summary
    expect_state(only("next"), "completed")
    with trackai.init(project="own") as own:
        model.learn(128, callback=TrackAICallback())
        assert not own.is_finished
    checked("a training that raises has failed; a run of the script is left open")


if __name__ == "__main__":
    main()
