"""Started by torchrun with two processes, which inherit the name."""

import os

import torch
import torch.distributed as dist
import wandb
from expected import expect

dist.init_process_group("gloo")
rank = dist.get_rank()
model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(4, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
run = wandb.init(project="ddp", name=f"rank-{rank}", group="job", id=f"rank-{rank}",
                 config={"world_size": int(os.environ["WORLD_SIZE"])})  # fmt: skip
losses = []
for step in range(4):
    loss = model(torch.randn(8, 4)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append((step, loss.item()))
    run.log({"loss": loss.item()})
run.finish()
for turn in range(2):
    if turn == rank:
        expect({"loss": losses}, run=f"rank-{rank}", config={"world_size": 2})
    dist.barrier()
dist.destroy_process_group()
