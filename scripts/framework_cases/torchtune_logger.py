from pathlib import Path

from expected import expect
from omegaconf import OmegaConf
from torchtune.training.metric_logging import WandBLogger

Path("tune").mkdir()
config = OmegaConf.create({"output_dir": "tune", "optimizer": {"lr": 2e-5}, "epochs": 1})
logger = WandBLogger(project="torchtune", log_dir="tune", name="lora")
logger.log_config(config)
for step in range(1, 6):
    logger.log_dict({"loss": 1 / step, "lr": 2e-5}, step=step)
logger.log("tokens_per_second", 123.5, step=5)
logger.close()
expect(
    {
        "loss": [(step - 1, 1 / step) for step in range(1, 6)],
        "global_step": [*((step - 1, step) for step in range(1, 6)), (5, 5)],
        "tokens_per_second": [(5, 123.5)],
    },
    run="lora",
    project="torchtune",
    config={"optimizer/lr": 2e-5, "epochs": 1},
)
