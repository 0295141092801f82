"""Shaped like CleanRL's ppo.py: everything is logged through a SummaryWriter."""

import time
from pathlib import Path

import gymnasium
import torch
import wandb
from expected import expect
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

run_name = f"CartPole-v1__ppo__1__{int(time.time())}"
config = {"learning_rate": 2.5e-4, "gamma": 0.99}
wandb.init(project="cleanRL", entity=None, sync_tensorboard=True, config=config, name=run_name,
           monitor_gym=True, save_code=True)  # fmt: skip
writer = SummaryWriter(f"runs/{run_name}")
writer.add_text("hyperparameters", "|param|value|\n|-|-|\n" + "\n".join(
    f"|{key}|{value}|" for key, value in config.items()))  # fmt: skip
environment = gymnasium.make("CartPole-v1")
policy = torch.nn.Linear(4, 2)
optimizer = torch.optim.Adam(policy.parameters(), lr=config["learning_rate"])
state, _ = environment.reset(seed=1)
log_probabilities, episode = [], 0.0
for global_step in range(200):
    choice = torch.distributions.Categorical(logits=policy(torch.tensor(state)))
    action = choice.sample()
    log_probabilities.append(choice.log_prob(action))
    state, reward, terminated, truncated, _ = environment.step(action.item())
    episode += reward
    if terminated or truncated:
        writer.add_scalar("charts/episodic_return", episode, global_step)
        loss = -torch.stack(log_probabilities).sum() * episode
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        writer.add_scalar("losses/policy_loss", loss.item(), global_step)
        state, _ = environment.reset()
        log_probabilities, episode = [], 0.0
environment.close()
writer.close()
wandb.finish()
events = EventAccumulator(str(next(Path("runs").iterdir()))).Reload()
expect(
    {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    },
    run=run_name,
    project="cleanRL",
    config=config,
)
