import torch
from expected import expect
from torchrl.record.loggers.wandb import WandbLogger

logger = WandbLogger(exp_name="agent", project="torchrl")
logger.log_hparams({"gamma": 0.99, "frames": 1000})
returns = []
for step in range(5):
    value = float(torch.randn(()).item())
    returns.append((step, value))
    logger.log_scalar("return", value, step=step * 10)
logger.log_histogram("actions", torch.randn(100), step=40, bins=10)
logger.experiment.finish()
expect(
    {"return": returns, "step": [*((step, step * 10) for step in range(5)), (5, 40)]},
    run="agent",
    project="torchrl",
    config={"gamma": 0.99, "frames": 1000},
)
