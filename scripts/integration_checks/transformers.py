"""Trains with transformers.Trainer."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

import trackai
from scripts.integration_checks._expect import checked, expect, expect_state, only, stored
from trackai.integrations.transformers import TrackAICallback

WHOLE_RUN = (
    "train_runtime", "train_samples_per_second", "train_steps_per_second", "train_loss",
    "total_flos",
)  # fmt: skip


class Words(torch.utils.data.Dataset[dict[str, Any]]):
    """Random words in two classes."""

    def __len__(self) -> int:
        return 32

    def __getitem__(self, index: int) -> dict[str, Any]:
        generator = np.random.default_rng(index)
        return {"input_ids": torch.tensor(generator.integers(0, 30, 6)), "labels": index % 2}


def model() -> Any:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=30, hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=8,
    )  # fmt: skip
    return BertForSequenceClassification(config)


def arguments(folder: str, **more: Any) -> TrainingArguments:
    defaults: dict[str, Any] = {
        "per_device_train_batch_size": 8, "logging_steps": 1, "max_steps": 8, "eval_steps": 2,
        "eval_strategy": "steps", "save_steps": 4, "disable_tqdm": True, "use_cpu": True,
        "metric_for_best_model": "loss", "hub_token": "hf_secretsecretsecretsecret",
        "report_to": "trackai",
    }  # fmt: skip
    return TrainingArguments(folder, **{**defaults, **more})


def metrics(predicted: Any) -> dict[str, float]:
    return {"accuracy": float((predicted[0].argmax(-1) == predicted[1]).mean())}


def trainer(folder: str, callbacks: list[Any] | None = None, **more: Any) -> Trainer:
    return Trainer(
        model(), arguments(folder, **more), train_dataset=Words(), eval_dataset=Words(),
        compute_metrics=metrics, callbacks=callbacks,
    )  # fmt: skip


def reported(history: list[dict[str, Any]]) -> dict[str, dict[float, Any]]:
    """What the trainer has logged, by the name of the integration and by step."""
    values: dict[str, dict[float, Any]] = defaultdict(dict)
    for entry in history:
        for name, value in entry.items():
            if name == "step":
                continue
            prefix, _, rest = name.partition("_")
            if name in WHOLE_RUN:
                key = name
            elif prefix in ("eval", "test"):
                key = f"{prefix}/{rest}"
            else:
                key = f"train/{name}"
            values[key][entry["step"]] = value
    return values


def check_training() -> None:
    trained = trainer("first")
    trained.train()
    run = only("huggingface")
    expect(
        run,
        {name: by_step.items() for name, by_step in reported(trained.state.log_history).items()},
    )
    expect_state(run, "completed")
    steps = {step for curve in run.history().values() for step in curve.steps}
    assert steps == set(range(1, 9)), steps
    checked("train and eval points equal log_history; a step is one step; whole-run figures")

    config = run.config
    assert config["learning_rate"] == 5e-5
    assert config["max_steps"] == 8
    assert config["model_config"]["hidden_size"] == 8
    assert config["num_parameters"] == trained.model.num_parameters()
    assert "hub_token" not in config
    assert "secretsecret" not in repr(config)
    checked("hyperparameters keep their types; no token is stored")

    summary = run.summary
    assert summary["best_metric"].last == trained.state.best_metric
    assert summary["best_metric"].last_step == trained.state.best_global_step
    assert summary["best_model_checkpoint"].last == trained.state.best_model_checkpoint
    checked("best metric and checkpoint, at the step of the best")

    evaluated = trained.evaluate(metric_key_prefix="eval")
    predicted = trained.predict(Words())
    run = only("huggingface")
    expect_state(run, "completed")
    assert run.summary["eval/loss"].last == evaluated["eval_loss"]
    assert run.summary["test/loss"].last == predicted.metrics["test_loss"]
    checked("evaluate() and predict() after the training log to its run, which stays completed")

    trained.train()
    assert len(stored("huggingface")) == 2
    checked("another train() of the same trainer is another run")


def check_resumed() -> None:
    first = trainer("resumed", project="resumed", max_steps=8)
    first.train()
    resumed = trainer("resumed", project="resumed", max_steps=10)
    resumed.train(resume_from_checkpoint="resumed/checkpoint-4")
    run = only("resumed")
    losses = reported(resumed.state.log_history)["train/loss"]
    assert len(losses) == 10
    expect(run, {"train/loss": losses.items()})
    expect_state(run, "completed")
    checked("a training resumed in the middle goes on in its run; superseded steps are replaced")

    restored = trainer(
        "resumed", project="resumed", max_steps=12, restore_callback_states_from_checkpoint=True
    )
    restored.train(resume_from_checkpoint="resumed/checkpoint-8")
    only("resumed")
    checked("restore_callback_states_from_checkpoint")

    without = trainer("without", report_to="none")
    without.train()
    added = trainer("without", project="added", max_steps=12)
    added.train(resume_from_checkpoint="without/checkpoint-4")
    expect_state(only("added"), "completed")
    checked("a checkpoint of a training without the callback can be resumed, and saved again")

    moved = trainer("resumed", [TrackAICallback(db_path="other.db")], report_to="none")
    moved.train(resume_from_checkpoint="resumed/checkpoint-4")
    assert len(trackai.Api("other.db").runs()) == 1
    checked("a checkpoint whose run is in another database")


def check_own_run() -> None:
    with trackai.init(project="own", config={"learning_rate": "mine"}) as own:
        trained = trainer("own")
        trained.train()
        assert not own.is_finished
        own.log({"after": 1})
    run = only("own")
    assert run.config["learning_rate"] == "mine"
    assert len(run.history("train/loss")["train/loss"].steps) == 8
    checked("a run of the script is used, keeps its settings, and is left open")


def check_doubled() -> None:
    trained = trainer("doubled", [TrackAICallback(project="doubled")], report_to=["trackai"])
    trained.train()
    expect(
        only("doubled"), {"train/loss": reported(trained.state.log_history)["train/loss"].items()}
    )
    checked("two callbacks log once")


class Fails(TrackAICallback):
    """Fails at the third step."""

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == 3:
            raise RuntimeError("out of memory")


def check_failed() -> None:
    failing = trainer("failed", [Fails(project="failed")], report_to="none")
    with suppress(RuntimeError):
        failing.train()
    trackai.init(project="between").finish()
    expect_state(only("failed"), "failed")
    trainer("failed", project="failed").train()
    first, second = stored("failed")
    expect_state(first, "failed")
    expect_state(second, "completed")
    checked("a training that raises has failed once the next one begins")

    script = """
        from scripts.integration_checks.transformers import Fails, trainer
        try:
            trainer("ended", [Fails(project="ended")], report_to="none").train()
        except RuntimeError:
            pass
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True)
    expect_state(only("ended"), "failed")
    checked("... or once the process ends, even if the script has caught the exception")


def check_evaluation_only() -> None:
    figures = trainer("evaluated", project="evaluated").evaluate()
    run = only("evaluated")
    expect(run, {"eval/loss": [(0, figures["eval_loss"])]})
    expect_state(run, "completed")
    checked("an evaluation without a training")


def check_search() -> None:
    search = Trainer(
        None, arguments("search", project="search", run_name="sizes"), train_dataset=Words(),
        eval_dataset=Words(), model_init=lambda trial: model(),
    )  # fmt: skip
    search.hyperparameter_search(
        lambda trial: {"learning_rate": trial.suggest_float("learning_rate", 1e-5, 1e-3)},
        n_trials=2, direction="minimize", backend="optuna",
        hp_name=lambda trial: f"t{trial.number}",
    )  # fmt: skip
    runs = stored("search")
    assert [(run.name, run.group) for run in runs] == [("t0", "sizes"), ("t1", "sizes")], runs
    assert runs[0].config["learning_rate"] != runs[1].config["learning_rate"]
    checked("each trial of a search is a run of one group")


def check_peft() -> None:
    from peft import LoraConfig, get_peft_model

    adapted = get_peft_model(model(), LoraConfig(r=2, target_modules=["query"]))
    Trainer(
        adapted, arguments("peft", project="peft", metric_for_best_model=None),
        train_dataset=Words(), eval_dataset=Words(),
    ).train()  # fmt: skip
    config = only("peft").config
    assert config["peft_config"]["default"]["r"] == 2
    assert 0 < config["num_trainable_parameters"] < config["num_parameters"]
    checked("settings of adapters")


def main() -> None:
    assert Path.cwd() != Path(__file__).parent
    check_training()
    check_resumed()
    check_own_run()
    check_doubled()
    check_failed()
    check_evaluation_only()
    check_search()
    check_peft()


if __name__ == "__main__":
    main()
