import ray
from expected import expect
from ray import tune
from ray.air.integrations.wandb import WandbLoggerCallback


def train(config):
    for step in range(3):
        tune.report({"loss": config["lr"] * (step + 1)})


ray.init(num_cpus=1, include_dashboard=False)
tuner = tune.Tuner(
    train,
    param_space={"lr": tune.grid_search([0.1, 0.2])},
    run_config=tune.RunConfig(
        name="experiment", verbose=0, callbacks=[WandbLoggerCallback(project="ray")]
    ),
)
for result in tuner.fit():
    frame = result.metrics_dataframe
    expect(
        {"loss": list(zip(frame["training_iteration"].tolist(), frame["loss"], strict=True))},
        run=result.metrics["trial_id"],
        project="ray",
        config={"lr": result.config["lr"], "trial_id": result.metrics["trial_id"]},
    )
