"""Runs that are deleted, moved, or whose database is replaced, while they log."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import trackai
from tests.sdk.test_run import query
from trackai.errors import NotFoundError
from trackai.ingest import journal
from trackai.reading.local_source import LocalSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Server


def wait_until_stored(run: trackai.Run) -> None:
    """Wait until what the run has logged is in the database, or was refused there."""
    run._catch_up()


def delete_by_api(run: trackai.Run, path: Path) -> None:
    trackai.Api(path).run(run.id).delete()


def delete_by_command(run: trackai.Run, path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "trackai.cli", "delete", run.path, "--yes", "--db", str(path)],
        check=True,
    )


@pytest.mark.parametrize("delete", [delete_by_api, delete_by_command])
def test_a_run_that_is_deleted_while_it_logs_says_so_once(
    db_path: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    delete: Callable[[trackai.Run, Path], None],
) -> None:
    run = trackai.init(project="p", name="a")
    run.log({"x": 1})
    wait_until_stored(run)
    delete(run, db_path)
    for step in range(3):
        run.log({"x": step, "y": step})
        wait_until_stored(run)
    (tmp_path / "notes.txt").write_text("kept nowhere")
    run.save(tmp_path / "notes.txt")
    run.config["lr"] = 1
    run.name = "b"
    run.finish()
    said, counted = caplog.messages
    assert said.startswith("run 'a' of project 'p' was deleted while it was being logged: ")
    assert (
        counted == "6 values were logged to run 'a' after it had been deleted, and were not stored"
    )
    assert query(db_path, "SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM files)") == [
        (0, 0)
    ]
    spool = db_path.with_name(db_path.name + "-spool")
    assert [path.name for path in spool.iterdir() if path.suffix in {".journal", ".bytes"}] == []
    with pytest.raises(NotFoundError):
        trackai.init(project="p", id="a", resume="must")


def test_a_run_whose_project_is_deleted_over_http_says_so(
    db_path: Path, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    run = trackai.init(project="p", name="a")
    run.log({"x": 1})
    wait_until_stored(run)
    [project] = server.get("/api/projects")
    assert server.request("DELETE", f"/api/projects/{project['id']}").status in {200, 204}
    run.finish()
    assert ["was deleted while" in message for message in caplog.messages] == [True]
    assert query(db_path, "SELECT count(*) FROM projects") == [(0,)]


def test_a_deleted_run_stays_deleted_when_its_journal_rotates(
    db_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    defaults: dict[str, Any] = {"rotate_bytes": 2000}
    monkeypatch.setattr(
        journal.JournalWriter.__init__,
        "__kwdefaults__",
        {**(journal.JournalWriter.__init__.__kwdefaults__ or {}), **defaults},
    )
    run = trackai.init(project="p", name="a")
    run.log({"x": 0})
    wait_until_stored(run)
    delete_by_api(run, db_path)
    for _ in range(3):
        for step in range(200):
            run.log({"x": step})
        wait_until_stored(run)
    run.finish()
    assert query(db_path, "SELECT count(*) FROM runs") == [(0,)]
    assert "600 values were logged" in caplog.messages[-1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_deleted_run_stays_deleted_when_a_forked_process_logs(
    run_python: Callable[..., Any], db_path: Path
) -> None:
    result = run_python("""
        import os, trackai
        run = trackai.init(project="p", name="a")
        run.log({"x": 0})
        run._catch_up()
        trackai.Api().run(run.id).delete()
        pid = os.fork()
        if pid == 0:
            run.log({"y": 1})
            os._exit(0)
        os.waitpid(pid, 0)
        run.finish()
    """)
    assert query(db_path, "SELECT count(*) FROM runs") == [(0,)]
    assert result.stderr.count("was deleted while it was being logged") == 1


def test_a_killed_run_that_was_deleted_stays_deleted(
    run_python: Callable[..., Any], db_path: Path
) -> None:
    run_python(
        """
        import os, signal, trackai
        from trackai.ingest import journal
        journal.JournalWriter.__init__.__kwdefaults__["rotate_bytes"] = 2000
        run = trackai.init(project="p", name="a")
        run.log({"x": 0})
        run._catch_up()
        trackai.Api().run(run.id).delete()
        for step in range(500):
            run.log({"x": step})
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        check=False,
    )
    trackai.init(project="p", name="b").finish()
    assert query(db_path, "SELECT name FROM runs") == [("b",)]


def test_a_run_that_is_moved_while_it_logs_goes_on_there(
    db_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = trackai.init(project="p", name="a")
    run.log({"x": 1})
    wait_until_stored(run)
    LocalSource(db_path).change(run.id, project="q")
    run.log({"x": 2})
    run.finish()
    assert trackai.Api().run("q/a").history()["x"].values == [1, 2]
    assert caplog.messages == []


@pytest.mark.parametrize("replaced", [True, False])
def test_a_database_that_is_removed_or_replaced_while_logging(
    db_path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, replaced: bool
) -> None:
    if replaced:
        with trackai.init(project="o", name="first", db_path=tmp_path / "new.db") as first:
            first.log({"y": 77})
    run = trackai.init(project="p", name="a")
    run.log({"x": 1})
    wait_until_stored(run)
    if replaced:
        shutil.move(tmp_path / "new.db", db_path)
    else:
        db_path.unlink()
    run.log({"x": 2})
    assert dict(run.summary) == {"x": 2}  # and not that of the run with the same number
    run.finish()
    assert trackai.Api().run("p/a").history()["x"].values == [1, 2]
    said = [text for text in caplog.messages if "was removed or replaced while run" in text]
    assert len(said) == 1


def test_a_follower_of_a_deleted_run_ends_with_a_sentence(db_path: Path, server: Server) -> None:
    run = trackai.init(project="p", name="a")
    run.log({"x": 1})
    wait_until_stored(run)
    tail = subprocess.Popen(
        [sys.executable, "-m", "trackai.cli", "tail", "1", "--url", server.url],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert tail.stdout is not None
    assert tail.stdout.readline()  # it follows the run
    delete_by_api(run, db_path)
    _, stderr = tail.communicate(timeout=60)
    assert tail.returncode == 3
    assert "run 1 not found" in stderr
    run.finish()
