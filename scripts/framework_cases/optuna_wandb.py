import optuna
import wandb
from expected import expect
from optuna_integration.wandb import WeightsAndBiasesCallback

callback = WeightsAndBiasesCallback("loss", wandb_kwargs={"project": "study"}, as_multirun=True)


@callback.track_in_wandb()
def objective(trial):
    x = trial.suggest_float("x", -10, 10)
    wandb.log({"square": x * x})
    return (x - 2) ** 2


study = optuna.create_study(study_name="parabola")
study.optimize(objective, n_trials=4, callbacks=[callback])
for trial in study.trials:
    expect(
        {"loss": [(trial.number, trial.value)], "x": [(trial.number, trial.params["x"])],
         "square": [(0, trial.params["x"] ** 2)]},
        run=f"trial/{trial.number}/*",
        project="study",
        config={"x": trial.params["x"], "direction": ["MINIMIZE"]},
    )  # fmt: skip
