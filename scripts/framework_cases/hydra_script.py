import sys
from pathlib import Path

import hydra
import wandb
from expected import expect
from omegaconf import DictConfig, OmegaConf

Path("config.yaml").write_text("""\
lr: 0.1
model: {width: 8, name: mlp}
hydra: {run: {dir: .}}
""")


@hydra.main(config_path=None, config_name="config", version_base=None)
def main(config: DictConfig) -> None:
    run = wandb.init(
        project="hydra",
        name=config.model.name,
        config=OmegaConf.to_container(config, resolve=True),
    )
    losses = []
    for step in range(4):
        losses.append((step, config.lr / (step + 1)))
        run.log({"loss": losses[-1][1]})
    run.finish()
    expect({"loss": losses}, run="mlp", config={"lr": 0.1, "model/width": 8, "model/name": "mlp"})


sys.argv += ["--config-dir", str(Path.cwd())]
main()
