"""Imports of files and deleting a project, as in trackio."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import trackai
from trackai.errors import InvalidInputError, ServerUnreachableError
from trackai.sdk import notices

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from tests.conftest import Server

    RunPython = Callable[..., subprocess.CompletedProcess[str]]


def query(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "my run.csv"
    path.write_text("Step,loss,acc\n0,0.5,1\n1,0.25,\n")
    return path


def test_a_table_becomes_a_run(
    db_path: Path, table: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "_subjects", set())
    trackai.import_csv(table, "p", space_id="s", force=True)
    trackai.import_csv(str(table), project="p")  # changes nothing
    assert query(db_path, "SELECT projects.name, runs.name FROM runs JOIN projects") == [
        ("p", "my run")
    ]
    points = "SELECT metric, step, value FROM points ORDER BY metric, step"
    assert query(db_path, points) == [("acc", 0, 1), ("loss", 0, 0.5), ("loss", 1, 0.25)]
    assert "space_id of import_csv()" in caplog.text
    trackai.import_csv(table, "p", name="other")
    assert query(db_path, "SELECT name FROM runs ORDER BY name") == [("my run",), ("other",)]


def test_what_cannot_be_imported_is_an_error(
    db_path: Path, tmp_path: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FileNotFoundError, match=r"missing\.csv"):
        trackai.import_csv(tmp_path / "missing.csv", "p")
    table.write_text("")
    with pytest.raises(InvalidInputError, match="the file is empty"):
        trackai.import_csv(table, "p")
    monkeypatch.setenv("TRACKAI_SERVER_URL", "http://127.0.0.1:1")
    for call in (trackai.import_csv, trackai.import_tf_events):
        table.write_text("Step,loss\n0,0.5\n")
        with pytest.raises(ServerUnreachableError, match=r"^http://127.0.0.1:1 does not answer"):
            call(table, "p")
    with pytest.raises(InvalidInputError, match="TRACKAI_SERVER_URL is set"):
        trackai.delete_project("p")
    assert not db_path.exists()
    trackai.import_csv(table, "p", db_path=db_path)
    assert db_path.exists()


def test_with_a_server_they_are_stored_there(
    server: Server, table: Path, db_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKAI_DB_PATH", str(tmp_path / "none" / "trackai.db"))
    monkeypatch.setenv("TRACKAI_SERVER_URL", server.url)
    for _ in range(2):
        trackai.import_csv(table, "p", name="my run")
    [run] = trackai.Api().runs()
    assert (run.project, run.name) == ("p", "my run")
    assert not (tmp_path / "none").exists()
    assert query(db_path, "SELECT COUNT(*) FROM points") == [(3,)]


def test_events_of_tensorboard_become_runs(
    db_path: Path, tmp_path: Path, run_python: RunPython
) -> None:
    run_python(
        """
        from tensorboardX import SummaryWriter

        for name in ("a", "b"):
            with SummaryWriter(f"logs/{name}") as writer:
                writer.add_scalar("loss", 0.5, 3)
        """
    )
    trackai.import_tf_events(tmp_path / "logs", "p")
    assert query(db_path, "SELECT name FROM runs ORDER BY name") == [("a",), ("b",)]
    assert query(db_path, "SELECT metric, step, value FROM points") == [("loss", 3, 0.5)] * 2
    with pytest.raises(FileNotFoundError, match="missing"):
        trackai.import_tf_events(tmp_path / "missing", "p")


def test_a_project_is_deleted(
    db_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert trackai.delete_project("p", force=True) is False
    assert "project 'p' not found" in caplog.text
    assert not db_path.exists()
    # The slug of the second one is the name of the first one.
    for name in ("my-project", "My project", "other"):
        trackai.init(project=name).finish()
    answers = ["", "n"]
    monkeypatch.setattr("builtins.input", lambda question: answers.pop())
    for _ in range(2):
        assert trackai.delete_project("my-project") is False
    answers.append("Y")
    assert trackai.delete_project("my-project") is True
    assert trackai.Api().projects() == ["other", "My project"]

    async def in_a_notebook() -> bool:
        return trackai.delete_project("other", True, db_path=db_path)

    assert asyncio.run(in_a_notebook()) is True
    assert trackai.Api().projects() == ["My project"]


def test_nothing_is_deleted_if_nobody_can_answer(db_path: Path, run_python: RunPython) -> None:
    trackai.init(project="p").finish()
    ran = run_python("import trackai; print(trackai.delete_project('p'))")
    assert ran.stdout.endswith("False\n")
    assert "force=True" in ran.stderr
    assert trackai.Api().projects() == ["p"]
