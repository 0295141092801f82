"""Configures torchtune's metric logger as its recipes do."""

from __future__ import annotations

from omegaconf import OmegaConf
from torchtune import config

from scripts.integration_checks._expect import checked, expect, expect_state, only


def main() -> None:
    recipe = OmegaConf.create(
        {
            "metric_logger": {
                "_component_": "trackai.integrations.torchtune.TrackAILogger",
                "project": "digits",
                "log_dir": "logs",
            },
            "optimizer": {"_component_": "torch.optim.AdamW", "lr": 0.1},
            "batch_size": 2,
        }
    )
    log = config.instantiate(recipe.metric_logger)
    log.log_config(recipe)
    for step in range(3):
        log.log_dict({"loss": step / 2, "lr": 0.1}, step=step)
    log.log("tokens", 7, 2)
    log.close()
    run = only("digits")
    expect(run, {"loss": [(0, 0), (1, 0.5), (2, 1)], "tokens": [(2, 7)]})
    assert run.config["optimizer"]["lr"] == 0.1
    assert run.config["batch_size"] == 2
    expect_state(run, "completed")
    checked("points and configuration, through metric_logger._component_")


if __name__ == "__main__":
    main()
