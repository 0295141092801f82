"""Names of the runs of wandb 0.31 and trackio 0.43: which exist, and what they do."""

from __future__ import annotations

import copy
import sqlite3
import sys
import time
from contextlib import closing
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import trackai
from trackai.errors import NotFoundError, RunNotFoundError
from trackai.sdk import notices

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server

# The public attributes of wandb.Run and trackio.Run.
NAMES = {
    "alert", "config", "config_static", "define_metric", "dir", "disabled", "display", "entity",
    "finish", "finish_artifact", "group", "id", "job_type", "link_artifact", "link_model", "log",
    "log_artifact", "log_code", "log_model", "log_system", "mark_preempting", "name", "notes",
    "offline", "path", "pin_config_keys", "project", "project_url", "restore", "resumed", "save",
    "settings", "start_time", "starting_step", "status", "step", "summary", "sweep_id",
    "sweep_url", "sync_dir", "tags", "to_html", "unwatch", "upsert_artifact", "url",
    "use_artifact", "use_model", "watch", "write_logs",
}  # fmt: skip
# Those that raise an AttributeError: a value or a silent call would mislead.
MISSING = {
    "finish_artifact", "upsert_artifact",  # artifacts of several processes
    "restore",  # returns an open file, or None
    "status", "sync_dir",  # of wandb's own process
    "write_logs",  # the console output
}  # fmt: skip


# The public names of the modules wandb and trackio.
MODULE = {
    "Api", "ArtifactTTL", "EvalTable", "Graph", "Image", "Plotly", "Video", "Audio", "Table",
    "Html", "box3d", "Object3D", "Molecule", "Histogram", "Run", "agent", "config", "controller",
    "define_metric", "finish", "init", "join", "link_model", "log", "log_artifact", "log_model",
    "plot_table", "save", "setup", "summary", "sweep", "unwatch", "use_artifact", "use_model",
    "watch", "log_system", "log_gpu", "log_cpu", "alert", "AlertLevel", "show", "sync", "freeze",
    "delete_project", "import_csv", "import_tf_events", "Artifact", "Classes", "Config",
    "JoinedTable", "Settings", "ReferenceHandler", "ResolvedReference",
    "register_reference_handler", "Trace", "Markdown", "TRACKIO_LOGO_DIR", "plot", "login", "run",
}  # fmt: skip
MISSING_IN_MODULE = {
    "ArtifactTTL",  # versions are kept
    "ReferenceHandler", "ResolvedReference", "register_reference_handler",  # other storage
    "agent", "controller", "sweep",  # wandb's server runs sweeps
    "EvalTable",  # is written to wandb's server row by row
    "Config", "join", "TRACKIO_LOGO_DIR",  # no script calls them
    "sync", "freeze",  # spaces of Hugging Face; `trackai sync` sends journals
    "log_gpu", "log_cpu",  # init(auto_log_gpu=True) logs them
}  # fmt: skip


@pytest.fixture
def run(db_path: Path) -> trackai.Run:
    return trackai.init(
        project="p", name="r", group="g", tags=["a"], config={"opt": {"lr": 1}}, job_type="train",
        mode="offline",
    )  # fmt: skip


def query(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def test_names_that_exist(run: trackai.Run) -> None:
    missing = {name for name in NAMES if not hasattr(run, name)}
    assert missing <= MISSING


def test_names_of_the_modules_that_exist(run: trackai.Run) -> None:
    assert {name for name in MODULE if not hasattr(trackai, name)} <= MISSING_IN_MODULE
    functions = ("line", "scatter", "bar", "histogram", "line_series", "pr_curve", "roc_curve",
                 "confusion_matrix", "plot_table")  # fmt: skip
    assert all(callable(getattr(trackai.plot, name)) for name in functions)


def test_what_a_run_knows_of_itself(run: trackai.Run) -> None:
    assert (run.job_type, run.offline, run.disabled) == ("train", True, False)
    assert (run.entity, run.sweep_id, run.sweep_url) == (None, None, None)
    assert abs(run.start_time - time.time()) < 60
    assert run.project_url == "http://localhost:8000/?project=1"
    assert run.starting_step == 0
    settings = run.settings
    assert (settings.run_name, settings.run_group, settings.mode) == ("r", "g", "offline")
    assert (settings.run_id, settings.run_tags, settings.project) == ("r", ("a",), "p")
    with trackai.init(project="p", mode="disabled") as other:
        assert (other.disabled, other.offline, other.job_type) == (True, False, None)


def test_the_job_type_is_stored_and_not_among_the_keys_of_the_script(
    db_path: Path, server: Server
) -> None:
    """As a key that imports from wandb have, also with `strict`."""
    key = "_wandb/job_type"
    with trackai.init(project="p", id="r", job_type="train", config={"lr": 1}, strict=True) as run:
        assert (run.job_type, dict(run.config)) == ("train", {"lr": 1})
    with trackai.init(project="p", id="r") as run:  # as in wandb, it remains
        assert (run.job_type, dict(run.config), key in run.config) == ("train", {"lr": 1}, False)
    with trackai.init(project="p", id="r", job_type="eval", config={"lr": 2}) as run:
        assert (run.job_type, run.settings.run_job_type) == ("eval", "eval")
        assert (run.config.as_dict(), copy.copy(run).job_type) == ({"lr": 2}, "eval")
    with trackai.init(project="p", id="other", job_type="") as run:
        assert run.job_type is None
    assert query(db_path, f"SELECT run_id, value FROM configs WHERE key = '{key}'") == [
        (1, '"eval"')
    ]
    api = trackai.Api()
    stored = api.run("r")
    assert (stored.job_type, stored.config[key], stored.config["_wandb"]["job_type"]) == (
        "eval", "eval", "eval",
    )  # fmt: skip
    assert (list(stored.config), api.run("other").job_type) == (["lr"], None)
    for runs in (
        api.runs(filter=f"config.{key} = eval"),
        api.runs(filters={"jobType": "eval"}),
        trackai.Api(server.url).runs(filters={"job_type": "eval"}),
    ):
        assert [(run.run_id, run.job_type, dict(run.config)) for run in runs] == [
            ("r", "eval", {"lr": 2})
        ]


@pytest.mark.parametrize(
    ("job_type", "error"), [(3, TypeError), (["eval"], TypeError), ("x" * 600, ValueError)]
)
def test_a_job_type_that_is_not_a_short_text_is_refused(
    db_path: Path, job_type: Any, error: type[Exception]
) -> None:
    with pytest.raises(error, match="job_type: must "):
        trackai.init(project="p", job_type=job_type)
    assert not db_path.exists() or not query(db_path, "SELECT 1 FROM runs")


def test_the_arguments_of_the_api_of_wandb(db_path: Path) -> None:
    for project in ("a", "b"):
        trackai.init(project=project, name=f"of-{project}").finish()
    api = trackai.Api(overrides={"project": "a", "entity": "me"}, timeout=29)
    assert [run.name for run in api.runs()] == ["of-a"]
    assert [run.name for run in api.runs("b")] == ["of-b"]
    assert (api.run("of-a").project, api.run("b/of-b").project) == ("a", "b")
    assert len(trackai.Api(timeout=29).runs()) == 2
    with pytest.raises(trackai.InvalidInputError, match="overrides: must be a dict, got 'a'"):
        trackai.Api(overrides="a")  # type: ignore[arg-type]


def test_a_resumed_run_starts_after_its_last_step(db_path: Path) -> None:
    with trackai.init(project="p", name="r") as run:
        run.log({"x": 1}, step=6)
    with trackai.init(project="p", name="r", resume="must") as run:
        assert run.starting_step == 7


def test_the_static_configuration_cannot_be_changed(run: trackai.Run) -> None:
    static = run.config_static
    assert (static.opt, static["opt/lr"]) == ({"lr": 1}, 1)
    run.config["opt"] = {"lr": 2}
    assert dict(static) == {"opt": {"lr": 1}}
    with pytest.raises(TypeError, match="config_static: cannot be changed; use config"):
        static.update(a=1)
    with pytest.raises(TypeError, match="config_static: cannot be changed; use config"):
        static.a = 1
    assert "a" not in run.config


def test_the_card_of_a_run(run: trackai.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.name = "<b>"
    assert run.display() is False
    card = run.to_html()
    assert "<div" in card or "<code" in card
    assert run.to_html(hidden=True).startswith("<details><summary>&lt;b&gt;</summary>")
    shown: list[str] = []
    display = SimpleNamespace(HTML=lambda html: html, display=shown.append)
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(
        sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell, display=display)
    )
    assert run.display(hidden=True) is True
    assert shown[0].startswith("<details>")


def test_calls_without_effect(
    run: trackai.Run, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "_subjects", set())
    run.mark_preempting()
    assert not caplog.messages
    run.pin_config_keys(["lr"])
    assert "pin_config_keys()" in caplog.text
    for kind in (trackai.Graph, trackai.JoinedTable):
        run.log({"left out": kind(), "x": 1})
        assert f"trackai does not support {kind.__name__}()" in caplog.text
    assert "metric 'left out': must be a number, bool or str" in caplog.text
    run.finish()
    assert len(run.summary) == 1


@pytest.mark.parametrize(
    ("arguments", "state"),
    [
        ((), "completed"), ((None,), "completed"), ((0,), "completed"), ((1,), "failed"),
        ((np.int64(1),), "failed"), (("failed",), "failed"), (("completed",), "completed"),
        ((False,), "completed"),
    ],
)  # fmt: skip
def test_finish_takes_a_state_or_an_exit_code(
    db_path: Path, arguments: tuple[Any, ...], state: str
) -> None:
    trackai.init(project="p").finish(*arguments)
    trackai.init(project="p")
    trackai.finish(*arguments)
    if arguments[:1] in ((1,), (0,), (None,)):
        trackai.init(project="p").finish(exit_code=arguments[0])
    assert set(query(db_path, "SELECT state FROM runs")) == {(state,)}


def test_finish_refuses_other_states(db_path: Path) -> None:
    run = trackai.init(project="p")
    with pytest.raises(TypeError, match="finish\\(\\) got both state and exit_code"):
        run.finish("failed", exit_code=1)
    for wrong in ("broken", 0.5):
        with pytest.raises(TypeError, match="state: must be "):
            run.finish(wrong)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="state: must be "):
            trackai.finish(wrong)  # type: ignore[arg-type]
    assert not run.is_finished


def test_data_is_another_name_of_metrics(db_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with trackai.init(project="p") as run:
        run.log(data={"x": 1})
        trackai.log(data={"x": 2}, step=5)
        trackai.log(data={"x": 3}, commit=False)
        run.log({"y": 4}, data=None)
        for log in (run.log, trackai.log):
            with pytest.raises(TypeError, match="log\\(\\) got both metrics and data"):
                log({"x": 1}, data={"y": 2})
        run.log()
        assert "metrics: must be a dict of values by name, got" in caplog.text
    assert query(db_path, "SELECT metric, step, value FROM points ORDER BY value") == [
        ("x", 0, 1), ("x", 5, 2), ("x", 6, 3), ("y", 6, 4),
    ]  # fmt: skip


def test_a_run_that_is_not_there_is_a_value_error(db_path: Path) -> None:
    for arguments in ({"name": "r"}, {"id": "r"}):
        for kind in (ValueError, NotFoundError, RunNotFoundError):
            with pytest.raises(kind, match="run 'r' not found"):
                trackai.init(project="p", resume="must", **arguments)  # type: ignore[arg-type]
    with pytest.raises(RunNotFoundError, match="run 'r' to fork not found"):
        trackai.init(project="p", fork_from="r?_step=3")


def test_a_run_that_is_not_on_the_server_is_a_value_error(
    server: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TRACKAI_OUTBOX_PATH", str(tmp_path / "outbox"))
    with pytest.raises(RunNotFoundError, match="run 'r' not found"):
        trackai.init(project="p", name="r", resume="must", server_url=server.url)


def test_a_name_that_a_run_does_not_have_is_refused_with_advice(db_path: Path) -> None:
    with trackai.init(project="p", group="g") as run:
        for name in MISSING:
            with pytest.raises(
                AttributeError, match=rf"^trackai does not have run\.{name}: .{{20}}"
            ):
                getattr(run, name)
        with pytest.raises(AttributeError, match="'Run' object has no attribute 'nothing'"):
            getattr(run, "nothing")  # noqa: B009 - no checker accepts it
