"""Environment variables of wandb, as jobs and launchers set them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

import trackai
from tests.sdk.test_run import query
from trackai.errors import ConflictError, InvalidInputError, NotFoundError
from trackai.sdk import notices

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("WANDB_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(notices, "_subjects", set())


def set_all(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, text in variables.items():
        monkeypatch.setenv(f"WANDB_{name}", text)


def test_they_describe_a_run_where_no_argument_does(
    db_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_all(
        monkeypatch,
        RUN_ID="job7",
        NAME="mine",
        RUN_GROUP="g",
        TAGS="a, b,,c ",
        NOTES="why",
        JOB_TYPE="eval",
        MODE="",
    )
    run = trackai.init(project="p")
    assert (run.run_id, run.name, run.group, run.tags, run.notes, run.job_type) == (
        "job7", "mine", "g", ("a", "b", "c"), "why", "eval",
    )  # fmt: skip
    run = trackai.init(project="p", id="i", name="n", group="h", tags=["t"], notes="")
    assert (run.run_id, run.name, run.group, run.tags, run.notes) == ("i", "n", "h", ("t",), "")


def test_a_job_that_is_started_again_resumes_its_run(
    db_path: Path, run_python: Callable[..., Any]
) -> None:
    script = """
        import trackai as wandb
        run = wandb.init(project="p")
        run.log({"x": run.step})
        print(run.resumed)
    """
    env = {"WANDB_RUN_ID": "job7", "WANDB_NAME": "mine"}
    printed = [run_python(script, **env, WANDB_RESUME=text).stdout for text in ("", "allow")]
    assert [text.strip() for text in printed] == ["False", "True"]
    assert trackai.Api().run("p/job7").history()["x"].values == [0, 1]


@pytest.mark.parametrize(
    ("resume", "error"),
    [("never", ConflictError), ("allow", None), ("must", None), ("auto", None), ("True", None),
     ("0", ConflictError), ("ALLOW", None), (" ", None)],
)  # fmt: skip
def test_resume(
    db_path: Path, monkeypatch: pytest.MonkeyPatch, resume: str, error: type[Exception] | None
) -> None:
    trackai.init(project="p", id="job7").finish()
    set_all(monkeypatch, RUN_ID="job7", RESUME=resume)
    if error is None:
        assert trackai.init(project="p").resumed
    else:
        with pytest.raises(error):
            trackai.init(project="p")
    assert trackai.init(project="p", resume="allow").resumed


def test_an_argument_wins(db_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trackai.init(project="p", id="job7").finish()
    set_all(monkeypatch, RUN_ID="job7", RESUME="allow", MODE="disabled")
    with pytest.raises(ConflictError):
        trackai.init(project="p", resume="never", mode="online")
    monkeypatch.setenv("TRACKAI_RUN_ID", "ours")
    assert trackai.init(project="p", mode="online").run_id == "ours"
    set_all(monkeypatch, RESUME="must")
    with pytest.raises(NotFoundError):
        trackai.init(project="p", id="other", mode="online")


def test_a_disabled_run_is_not_stored_and_says_so_once(
    db_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    set_all(monkeypatch, MODE="disabled")
    for _ in range(2):
        with trackai.init(project="p") as run:
            run.log({"x": 1})
    assert not db_path.exists()
    assert caplog.messages == ["WANDB_MODE is disabled: runs are deleted when this process ends"]


@pytest.mark.parametrize("mode", ["online", "offline", "dryrun", "run"])
def test_the_other_modes_store_the_run(
    db_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, mode: str
) -> None:
    set_all(monkeypatch, MODE=mode)
    trackai.init(project="p").finish()
    assert query(db_path, "SELECT count(*) FROM runs") == [(1,)]
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("name", "text"),
    [("RESUME", "sometimes"), ("MODE", "off"), ("NAME", "\udcff"), ("RUN_GROUP", "\udcff"),
     ("TAGS", "a,\udcff")],
)  # fmt: skip
def test_an_invalid_one_is_named_and_creates_nothing(
    db_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    set_all(monkeypatch, **{name: text})
    with pytest.raises(InvalidInputError, match=f"^WANDB_{name}: ") as caught:
        trackai.init(project="p")
    assert caught.value.field == f"WANDB_{name}"
    assert not db_path.exists()


def test_those_without_a_meaning_here_are_named_once(
    db_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    set_all(monkeypatch, SWEEP_ID="s", DIR="/tmp", ENTITY="", API_KEY="k", SILENT="true")
    for _ in range(2):
        trackai.init(project="p").finish()
    assert caplog.messages == [
        f"trackai does not support the environment variable WANDB_{name}; it is ignored"
        for name in ("DIR", "SWEEP_ID")
    ]
