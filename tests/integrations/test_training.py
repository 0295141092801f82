"""The run of a training: how it ends, and what becomes of arguments when a run is active."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import pytest

import trackai
from trackai.integrations.tensorboard import SummaryWriter
from trackai.integrations.training import TrainingRun
from trackai.sdk import notices

if TYPE_CHECKING:
    from tests.integrations.conftest import Stored


@pytest.mark.parametrize("state", ["completed", "failed"])
def test_what_is_logged_after_a_training_leaves_its_state(stored: Stored, state: Any) -> None:
    training = TrainingRun({})
    training.begin({})
    training.fail_unless_ended()
    training.end(state)
    training.run.log({"later": 1})  # resumes the run
    trackai.init(reinit="finish_previous").finish()
    assert [run.state for run in stored.runs()] == [state, "completed"]


def test_arguments_for_an_active_run_are_named_if_they_are_unused(
    stored: Stored, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "_subjects", set())
    config = argparse.Namespace(lr=0.5, seed=7)
    arguments = {"project": "digits", "name": "mine", "tags": ["a"], "notes": None}
    training = TrainingRun({**arguments, "config": config})
    with trackai.init(project="digits", name="active", config={"lr": 0.1}):
        for _ in range(2):  # one warning
            training.begin({"name": "default"})
            training.configure({"lr": 0.2, "seed": 8, "momentum": 0.9})
            training.end()
        SummaryWriter(project="other")
    reason = (
        "not used, because the run digits/active is active already; pass them to trackai.init, or "
        "finish that run first"
    )
    assert caplog.messages == [f"name, tags: {reason}", f"project: {reason}"]
    run = stored.run()
    assert (run.name, run.config) == ("active", {"lr": 0.1, "seed": 7, "momentum": 0.9})


def test_hyperparameters_do_not_replace_keys_of_the_script(stored: Stored) -> None:
    training = TrainingRun({"config": {"lr": "as I say"}})
    training.begin({})
    training.configure({"lr": 0.2, "seed": 8})
    training.end()
    assert stored.run().config == {"lr": "as I say", "seed": 8}
