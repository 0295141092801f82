from pathlib import Path

import gymnasium
import wandb
from expected import expect
from stable_baselines3 import PPO
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from wandb.integration.sb3 import WandbCallback

run = wandb.init(project="sb3", name="ppo", config={"env": "CartPole-v1"}, sync_tensorboard=True)
model = PPO("MlpPolicy", gymnasium.make("CartPole-v1"), n_steps=64, batch_size=32, n_epochs=1,
            tensorboard_log="runs", device="cpu")  # fmt: skip
model.learn(256, callback=WandbCallback(model_save_path=f"models/{run.id}"))
run.finish()
events = EventAccumulator(str(next(Path("runs").iterdir()))).Reload()
expect(
    {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    },
    run="ppo",
    config={"env": "CartPole-v1", "algo": "PPO", "n_steps": 64},
)
