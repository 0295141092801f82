"""Errors name what is wrong and what to do, in plain words."""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

import trackai as sdk
from trackai.cli import cli

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Trackai


@pytest.fixture
def run(db_path: Path) -> None:
    with sdk.init(project="p", name="r", config={"lr": 1}) as run:
        run.log({"loss": 0.5, "text": "x", "nan": math.nan, "hist": sdk.Histogram([1, 2])})


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        (("runs", "--limit", "x"), 2, "--limit: must be an integer, at least 1, got 'x'"),
        (("runs", "--limit", "0"), 2, "--limit: must be an integer, at least 1, got 0"),
        (
            ("serve", "--port", "70000"),
            2,
            "--port: must be an integer, at least 0 and at most 65535",
        ),
        (
            ("plot", "loss", "--smooth", "1"),
            2,
            "--smooth: must be a number, at least 0 and below 1",
        ),
        (("plot", "loss", "--smooth", "nan"), 2, "--smooth: must be a number, at least 0"),
        (("wait", "1", "--timeout", "nan"), 2, "--timeout: must be a number, at least 0, got nan"),
        (("plot", "text"), 1, "cannot plot metric 'text' of run 1: it has text, not numbers"),
        (("plot", "hist"), 1, "cannot plot metric 'hist' of run 1: it has histograms, not numbers"),
        (("plot", "nan"), 1, "no finite number to plot"),
        (("plot", "los"), 3, "run 1 has no metric 'los': see trackai show 1"),
        (("plot", "x*"), 3, "run 1 has no metric that matches 'x*': see trackai show 1"),
        (
            ("export", "1", "-o", "x.xlsx"),
            2,
            "--out: must end in .jsonl, .csv, .parquet, got x.xlsx",
        ),
        (("export", "1", "-o", "no/x.csv"), 1, "cannot write no/x.csv: No such file or directory"),
        (("backup", "no/x.db"), 1, "cannot write no/x.db: No such file or directory"),
        (("log", "--run", "x"), 2, "pass NAME=VALUE, --config or --finish"),
        (("log", "--run", "x", "a=1", "a=2"), 2, "a must have one value, got two"),
        (("log", "a=1", "--run", ""), 2, "--run: must not be empty"),
        (("log", "a=1", "--run", "x", "--project", " "), 2, "--project: must not be empty"),
        (
            ("log", "a=1", "--run", "x" * 5000),
            2,
            "--run: must have at most 512 characters, got 5000",
        ),
        (("rename", "1", "x" * 5000), 2, "name: must have at most 512 characters, got 5000"),
        (("move", "1", " "), 2, "project: must not be empty"),
        (
            ("tail", "1", "--url", "http://127.0.0.1:9"),
            1,
            "does not answer (Connection refused): is",
        ),
    ],
)
def test_errors_say_what_is_wrong(
    trackai: Trackai, command: tuple[str, ...], code: int, message: str
) -> None:
    output = trackai(*command, code=code)
    assert message in output.err
    assert "Errno" not in output.err
    assert output.err.count("\n") == 1
    assert [run["name"] for run in trackai("runs", "--json").json["runs"]] == ["r"]


@pytest.mark.usefixtures("run")
def test_an_unusable_database_file_is_explained_for_the_option(
    trackai: Trackai, tmp_path: Path
) -> None:
    (tmp_path / "text.db").write_text("not a database")
    error = trackai("runs", "--db", tmp_path / "text.db", code=1).err
    assert "pass --db with another path" in error
    assert "TRACKAI_DB_PATH" not in error


@pytest.mark.usefixtures("run")
def test_fields_and_metrics_that_no_run_has_are_named(trackai: Trackai) -> None:
    output = trackai(
        "runs", "--filter", "metric.los < 1 or not config.lr = 2 and tag = x", "--sort",
        "config.rl", "--columns", "metric.loss.min,metric.text,config.x",
    )  # fmt: skip
    assert output.err.splitlines() == [
        "warning: no run has metric.los",
        "warning: no run has config.rl",
        "warning: no run has config.x",
    ]
    assert trackai("runs", "--filter", "metric.loss < 1", "--sort", "config.lr").err == ""
    figures = "last, min, max, mean, points, nans, first_step, last_step, min_step, max_step"
    for column, named in (
        ("metric.loss.avg", f"metric.loss.avg; the figures of a metric are {figures}"),
        ('metric."loss.avg"', f"metric.loss.avg; the figures of a metric are {figures}"),
        ("metric.los.min,metric.los.max", "metric.los"),
        ('metric."los.min"', f'metric."los.min"; the figures of a metric are {figures}'),
        ('metric."los min".mean', 'metric."los min"'),
    ):
        assert trackai("runs", "--columns", column).err == f"warning: no run has {named}\n"
    for figure in figures.split(", "):
        assert (
            trackai("runs", "--columns", f'metric.loss.{figure},metric."loss".{figure}').err == ""
        )
    warning = "warning: the run has no metric that matches 'los' yet"
    assert warning in trackai("tail", "1", "-m", "los").err
    assert "warning" not in trackai("tail", "1", "-m", "los*").err


@pytest.mark.usefixtures("run")
def test_limits_beyond_the_integers_of_sqlite(trackai: Trackai) -> None:
    assert len(trackai("runs", "--limit", str(10**30), "--json").json["runs"]) == 1
    assert trackai("runs", "--offset", str(10**30), "--json").json["runs"] == []


@pytest.mark.usefixtures("run")
def test_a_run_without_tags_prints_no_blank_line(trackai: Trackai) -> None:
    output = trackai("tag", "1")
    assert (output.out, output.err) == ("", "run r (id 1) has no tags\n")
    assert trackai("tag", "1", "a", "b").out == "a b\n"
    assert trackai("tag", "1").out == "a b\n"


def test_commands_with_a_run_explain_what_names_it() -> None:
    context = cli.make_context("trackai", ["runs"])
    explained = 0
    for name in cli.list_commands(context):
        command: Any = cli.get_command(context, name)
        if any(parameter.name == "run" and parameter.param_type_name == "argument"
               for parameter in command.params):  # fmt: skip
            text = " ".join(command.help.split())
            # "latest" is neither archived nor in the trash.
            is_active = name not in {"unarchive", "restore"}
            names = 'a name, or "latest".' if is_active else "or a name."
            assert f"RUN is an id, a slug, project/slug, {names}" in text, name
            explained += 1
    assert explained >= 9


def test_the_address_of_a_server_needs_its_scheme(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for source in ("localhost:8000", "127.0.0.1:8000/", "my-host.example:80", "ftp://host"):
        with pytest.raises(sdk.InvalidInputError, match="source: must start with http://"):
            sdk.Api(source)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(sdk.NotFoundError):
        sdk.Api("runs.db").projects()
    (tmp_path / "a:1").write_bytes(b"")  # a file may have such a name
    sdk.Api("a:1")


def test_an_unknown_project_is_a_public_error(db_path: Path) -> None:
    with pytest.raises(sdk.ProjectNotFoundError, match="project 'nope' not found") as raised:
        sdk.Api().runs("nope")
    assert isinstance(raised.value, ValueError)
    assert isinstance(raised.value, sdk.NotFoundError)


def test_a_file_that_cannot_be_merged_is_not_taken_for_the_own_database(
    trackai: Trackai, tmp_path: Path
) -> None:
    (tmp_path / "text.db").write_text("not a database")
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE projects (id INTEGER PRIMARY KEY)")
    for name in ("text.db", "other.db"):
        error = trackai("merge", tmp_path / name, code=1).err
        assert f"{name} is not a database of this TrackAI, and nothing was merged" in error
        assert "--db" not in error
        assert "TRACKAI_DB_PATH" not in error
