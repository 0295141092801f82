import ray
from expected import expect
from ray import tune
from ray.air.integrations.wandb import setup_wandb


def train(config):
    run = setup_wandb(config, project="ray", name=f"lr-{config['lr']}")
    for step in range(3):
        run.log({"loss": config["lr"] * (step + 1)})
        tune.report({"loss": config["lr"] * (step + 1)})
    run.finish()


ray.init(num_cpus=1, include_dashboard=False)
tuner = tune.Tuner(train, param_space={"lr": tune.grid_search([0.1, 0.2])},
                   run_config=tune.RunConfig(name="experiment", verbose=0))  # fmt: skip
for result in tuner.fit():
    expect(
        {"loss": list(enumerate(result.metrics_dataframe["loss"]))},
        run=f"lr-{result.config['lr']}",
        project="ray",
        config={"lr": result.config["lr"]},
    )
