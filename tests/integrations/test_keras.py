"""What Keras reports is what is stored."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import trackai

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras

from trackai.integrations.keras import TrackAICallback

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integrations.conftest import Stored

# Keras 3.15 converts its variables to arrays as NumPy 1 did.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)
FEATURES = np.random.default_rng(0).normal(size=(40, 4))
TARGETS = FEATURES[:, :1]


def model(rate: Any = 0.01) -> Any:
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Input((4,)), keras.layers.Dense(2), keras.layers.Dense(1)]
    model = keras.Sequential(layers, name="small")
    model.compile(keras.optimizers.SGD(rate, momentum=0.9), loss="mse", metrics=["mae"])
    return model


def fit(model: Any, *callbacks: Any, **arguments: Any) -> dict[str, list[float]]:
    arguments = {"epochs": 3, "validation_split": 0.2, "batch_size": 8, **arguments}
    history = model.fit(FEATURES, TARGETS, callbacks=list(callbacks), verbose=0, **arguments)
    return dict(history.history)


def test_each_epoch_is_a_step(stored: Stored) -> None:
    history = fit(model(), TrackAICallback(project="digits", name="first"))
    run = stored.run()
    assert (run.project, run.name, run.state) == ("digits", "first", "completed")
    assert sorted(history) == ["loss", "mae", "val_loss", "val_mae"]
    for metric, values in history.items():
        assert stored.values(metric) == values


def test_model_and_optimizer_are_the_configuration(stored: Stored) -> None:
    fit(model(), TrackAICallback())
    config = stored.run().config
    assert config["epochs"] == 3
    assert config["steps_per_epoch"] == 4
    assert config["loss"] == "mse"
    assert config["optimizer"]["class"] == "SGD"
    assert config["optimizer"]["learning_rate"] == 0.01
    assert config["optimizer"]["momentum"] == 0.9
    assert config["optimizer"]["nesterov"] is False
    assert config["model"]["class"] == "Sequential"
    assert config["model"]["name"] == "small"
    assert config["model"]["parameters"] == 13
    layers = config["model"]["config"]["layers"]
    assert [layer["class_name"] for layer in layers] == ["InputLayer", "Dense", "Dense"]


def test_the_learning_rate_is_that_of_the_epoch(stored: Stored) -> None:
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.1 / (epoch + 1))
    fit(model(), TrackAICallback(), schedule)
    rates = [float(np.float32(0.1 / (epoch + 1))) for epoch in range(3)]
    assert np.allclose(stored.values("learning_rate"), rates, rtol=1e-6)


def test_the_learning_rate_of_a_schedule_of_the_optimizer(stored: Stored) -> None:
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 4, 0.5)
    fit(model(schedule), TrackAICallback())
    assert np.allclose(stored.values("learning_rate"), [0.05, 0.025, 0.0125], rtol=1e-6)
    config = stored.run().config["optimizer"]["learning_rate"]
    assert config["config"]["decay_rate"] == 0.5


@pytest.mark.parametrize("is_first", [True, False])
def test_a_reduced_learning_rate_is_that_of_the_next_epoch(stored: Stored, is_first: bool) -> None:
    reducing = keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=100)
    callback = TrackAICallback()
    callbacks = [callback, reducing] if is_first else [reducing, callback]
    history = fit(model(), *callbacks)
    assert np.allclose(stored.values("learning_rate"), history["learning_rate"], rtol=1e-6)


def test_batches_are_logged_on_request(stored: Stored) -> None:
    seen = []

    class Seen(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            seen.append(logs["loss"])

    fit(model(), TrackAICallback(log_batches=True), Seen())
    assert len(seen) == 12
    assert stored.values("batch/loss") == seen
    assert "batch/loss" in stored.run().summary


def test_batches_are_not_logged_otherwise(stored: Stored) -> None:
    fit(model(), TrackAICallback())
    assert not any(name.startswith("batch/") for name in stored.run().summary)


def test_the_best_epoch(stored: Stored) -> None:
    history = fit(model(0.1), TrackAICallback(), epochs=8)
    scores = history["val_loss"]
    best = stored.points("best/val_loss")
    assert max(best) == np.argmin(scores)
    assert best[max(best)] == min(scores)
    assert stored.points("best_epoch") == {epoch: epoch for epoch in best}


def test_the_mode_of_another_metric_must_be_named(stored: Stored) -> None:
    with pytest.raises(ValueError, match=r"mode: must be .min. or .max. for 'val_mae', got None"):
        TrackAICallback(monitor="val_mae")
    history = fit(model(), TrackAICallback(monitor="val_mae", mode="max"))
    best = stored.points("best/val_mae")
    assert best[max(best)] == max(history["val_mae"])


def test_checkpoints_are_noted(stored: Stored, tmp_path: Path) -> None:
    path = tmp_path / "{epoch}.keras"
    saving = keras.callbacks.ModelCheckpoint(path, save_best_only=True)
    history = fit(model(0.1), saving, TrackAICallback(checkpoint=path), epochs=8)
    saved = {int(file.stem) - 1: str(file) for file in tmp_path.glob("*.keras")}
    assert 0 < len(saved) < 8
    assert stored.points("checkpoint") == saved
    assert np.argmin(history["val_loss"]) == max(saved)


def test_further_training_resumes_the_run(stored: Stored) -> None:
    network, callback = model(), TrackAICallback(log_batches=True)
    first = fit(network, callback, epochs=2)
    assert stored.run().state == "completed"
    second = fit(network, callback, epochs=5, initial_epoch=2)
    assert stored.values("val_loss") == first["val_loss"] + second["val_loss"]
    assert len(stored.values("batch/loss")) == 20


def test_training_resumed_by_another_process_has_the_same_run(stored: Stored) -> None:
    first = fit(model(), TrackAICallback(id="mine"), epochs=2)
    second = fit(model(), TrackAICallback(id="mine"), epochs=4, initial_epoch=2)
    assert stored.values("loss") == first["loss"] + second["loss"]


def test_the_best_epoch_of_a_resumed_run_may_be_an_earlier_one(stored: Stored) -> None:
    first = fit(model(), TrackAICallback(id="mine"), epochs=2)
    second = fit(model(0.5), TrackAICallback(id="mine"), epochs=4, initial_epoch=2)
    assert min(first["val_loss"]) < min(second["val_loss"])
    best = stored.points("best/val_loss")
    assert best[max(best)] == min(first["val_loss"])


@pytest.mark.filterwarnings("ignore:Your input ran out of data:UserWarning")
def test_batches_of_data_without_a_length_are_counted_on(stored: Stored) -> None:
    def batches() -> Any:
        for _ in range(3):
            yield FEATURES[:8], TARGETS[:8]

    network, callback = model(), TrackAICallback(log_batches=True)
    network.fit(batches(), epochs=1, shuffle=False, verbose=0, callbacks=[callback])
    network.fit(
        batches(), epochs=2, initial_epoch=1, shuffle=False, verbose=0, callbacks=[callback]
    )
    assert len(stored.values("batch/loss")) == 6


def test_a_training_from_the_start_has_a_run_of_its_own(stored: Stored) -> None:
    callback = TrackAICallback()
    for _ in range(2):
        fit(model(), callback)
    assert [len(stored.values("loss", run)) for run in stored.runs()] == [3, 3]


def test_an_active_run_is_used_and_left_open(stored: Stored) -> None:
    with trackai.init(project="mine", config={"epochs": "as I say"}) as run:
        fit(model(), TrackAICallback())
        assert not run.is_finished
        run.log({"after": 1})
    assert stored.run().config["epochs"] == "as I say"
    assert stored.run().config["loss"] == "mse"


def test_evaluate_logs_to_the_run_of_the_training(stored: Stored) -> None:
    network, callback = model(), TrackAICallback()
    fit(network, callback)
    result = network.evaluate(FEATURES, TARGETS, callbacks=[callback], verbose=0, return_dict=True)
    assert stored.points("test/loss") == {2: result["loss"]}
    assert stored.points("test/mae") == {2: result["mae"]}
    assert stored.run().state == "completed"
    assert len(stored.values("val_loss")) == 3


def test_evaluate_alone_is_a_run(stored: Stored) -> None:
    result = model().evaluate(
        FEATURES, TARGETS, callbacks=[TrackAICallback()], verbose=0, return_dict=True
    )
    assert stored.points("test/loss") == {0: result["loss"]}
    assert stored.run().state == "completed"


class FailingCallback(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if epoch == 2:
            raise RuntimeError("out of luck")


def test_an_exception_fails_the_run_before_the_next_training(stored: Stored) -> None:
    with pytest.raises(RuntimeError, match="out of luck"):
        fit(model(), TrackAICallback(name="first"), FailingCallback())
    fit(model(), TrackAICallback(name="second"))
    states = [(run.name, run.state) for run in stored.runs()]
    assert states == [("first", "failed"), ("second", "completed")]
    assert len(stored.values("loss", stored.runs()[0])) == 2


@pytest.mark.parametrize("reinit", [None, "finish_previous"])
def test_an_exception_fails_the_run_before_another_run(stored: Stored, reinit: Any) -> None:
    with pytest.raises(RuntimeError, match="out of luck"):
        fit(model(), TrackAICallback(name="first"), FailingCallback())
    trackai.init(name="second", reinit=reinit)
    fit(model(), TrackAICallback())
    trackai.init(name="third", reinit=reinit).finish()
    assert [(run.name, run.state) for run in stored.runs()] == [
        ("first", "failed"),
        ("second", "completed"),
        ("third", "completed"),
    ]


def test_only_process_0_logs(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jax.process_index", lambda: 1)
    fit(model(), TrackAICallback(log_batches=True))
    assert stored.runs() == []


def test_a_model_that_cannot_be_serialised(stored: Stored) -> None:
    class Own(keras.Model):
        def __init__(self, factor: object) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(1)
            self.factor = factor

        def call(self, x: Any) -> Any:
            return self.dense(x)

    network = Own(object())
    network.compile("sgd", loss=lambda y, z: keras.ops.mean((y - z) ** 2, axis=-1))
    history = fit(network, TrackAICallback())
    assert stored.values("loss") == history["loss"]
    assert stored.run().config["model"]["class"] == "Own"
