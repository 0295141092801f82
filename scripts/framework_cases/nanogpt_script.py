"""Shaped like nanoGPT's train.py: `wandb.log` every few iterations, without a step."""

import math

import torch
from expected import expect

wandb_log, wandb_project, wandb_run_name = True, "owt", "gpt2"
config_keys = [name for name, value in globals().items() if isinstance(value, int | float | str)]
config = {name: globals()[name] for name in config_keys if not name.startswith("_")}
master_process = True
if wandb_log and master_process:
    import wandb

    wandb.init(project=wandb_project, name=wandb_run_name, config=config)
model = torch.nn.Embedding(20, 20)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
seen = []
for iteration in range(10):
    rate = 1e-2 * 0.5 * (1 + math.cos(math.pi * iteration / 10))
    for group in optimizer.param_groups:
        group["lr"] = rate
    tokens = torch.randint(0, 20, (8, 2))
    loss = torch.nn.functional.cross_entropy(model(tokens[:, 0]), tokens[:, 1])
    if iteration % 2 == 0:
        losses = {"train": loss.detach(), "val": loss.detach() + 1}
        if wandb_log:
            wandb.log(
                {"iter": iteration, "train/loss": losses["train"], "val/loss": losses["val"],
                 "lr": rate, "mfu": -1.0 * 100}
            )  # fmt: skip
        seen.append((iteration, losses["train"].item(), losses["val"].item(), rate))
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
columns = list(zip(*seen, strict=True))
expect(
    {
        name: list(enumerate(column))
        for name, column in zip(("iter", "train/loss", "val/loss", "lr"), columns, strict=True)
    },
    run="gpt2",
    project="owt",
    config={"wandb_run_name": "gpt2", "wandb_log": True},
)
