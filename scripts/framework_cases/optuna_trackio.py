import optuna
import trackio
from expected import expect
from optuna_integration.trackio import TrackioCallback

callback = TrackioCallback(project="study", metric_name="loss")


@callback.track_in_trackio()
def objective(trial):
    x = trial.suggest_float("x", -10, 10)
    return (x - 2) ** 2


study = optuna.create_study(study_name="parabola")
study.optimize(objective, n_trials=4, callbacks=[callback])
trackio.finish()
# The callback learns the name of the study when the first trial ends.
for name, trials in (("optuna-study", study.trials[:1]), ("parabola", study.trials[1:])):
    expect(
        {
            "loss": [(trial.number, trial.value) for trial in trials],
            "x": [(trial.number, trial.params["x"]) for trial in trials],
            "trial_number": [(trial.number, trial.number) for trial in trials],
        },
        run=name,
        project="study",
    )
