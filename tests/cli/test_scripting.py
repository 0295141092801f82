"""trackai log, wait and backup"""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest

import trackai as sdk
from trackai.sdk import recorder
from trackai.store.catalogue.files import find_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Trackai


def test_log_from_a_shell_script(trackai: Trackai) -> None:
    first = trackai("log", "--run", "r", "loss=0.5", "ok=true", "--config", "opt/lr=0.1").out
    trackai("log", "--run", "r", "loss=0.25")
    trackai("log", "--run", "r", "loss=0.1", "--step", "7.5")
    assert trackai("runs", "--json").json["runs"][0]["state"] == "running"
    assert trackai("log", "--run", "r", "--finish", "completed").out == first
    shown = trackai("show", "r", "--json").json
    assert shown["run"]["state"] == "completed"
    assert shown["config"] == {"opt/lr": 0.1}
    assert [
        (metric["path"], metric["last"], metric["last_step"]) for metric in shown["metrics"]
    ] == [("loss", 0.1, 7.5), ("ok", True, 0)]
    assert trackai("log", "--run", first.strip(), "loss=0.05").out == first  # the printed id
    assert len(trackai("runs", "--json").json["runs"]) == 1
    assert "NAME=VALUE" in trackai("log", "--run", "r", "loss", code=2).err


@pytest.mark.parametrize("step", ["inf", "nan", "1e300"])
def test_invalid_steps_are_refused(trackai: Trackai, step: str) -> None:
    assert "step" in trackai("log", "--run", "r", "loss=0.5", "--step", step, code=2).err


def test_large_integers_and_text_that_looks_like_integers(trackai: Trackai) -> None:
    trackai("log", "--run", "r", f"big={2**70}", "text=1_000", "--config", "month=2024_01")
    shown = trackai("show", "r", "--json").json
    assert [metric["last"] for metric in shown["metrics"]] == [float(2**70), "1_000"]
    assert shown["config"] == {"month": "2024_01"}


def test_wait_for_the_end(trackai: Trackai) -> None:
    trackai("log", "--run", "r", "acc=0.5")
    assert trackai("wait", "r", "--timeout", "0", "--json", code=4).json["met"] is False
    assert trackai("wait", "r", "--until", "acc > 0.4").code == 0
    timed_out = trackai("wait", "r", "--until", "acc > 0.6", "--timeout", "0.1", code=4)
    assert timed_out.out == "r (id 1) is running, and acc > 0.6 is not met\n"
    assert "until" in trackai("wait", "r", "--until", "acc >", code=2).err
    trackai("log", "--run", "r", "--finish", "failed")
    trackai("wait", "r", code=4)
    trackai("log", "--run", "r", "--finish", "completed")
    trackai("wait", "r")


def test_wait_recovers_the_run_of_a_killed_process(trackai: Trackai, db_path: Path) -> None:
    script = (
        "import os, signal, trackai\n"
        "trackai.init(project='p', name='killed').log({'x': 1.0})\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script], check=False, timeout=60)
    answer = trackai("wait", "killed", "--timeout", "20", "--json", code=4).json
    assert answer["run"]["state"] == "failed"
    assert len(trackai("sql", "SELECT * FROM points", "--json").json["rows"]) == 1


def test_a_backup_contains_everything_logged_before(
    trackai: Trackai, db_path: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.db"
    with sdk.init(project="p") as run:
        for step in range(5000):
            run.log({"x": 1.0}, step=step)
        trackai("backup", str(copy))
        connection = sqlite3.connect(copy)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT COUNT(*) FROM metrics").fetchone() == (5000,)
        assert connection.execute("SELECT sum(points) FROM series").fetchone() == (5000,)
        connection.close()
        run.log({"x": 1.0}, step=5000)
    assert [path.name for path in tmp_path.glob("copy*")] == ["copy.db"]
    assert "exists" in trackai("backup", str(copy), code=1).err
    assert trackai("runs", "--db", str(copy), "--json").json["total"] == 1


def shown(copy: Path) -> list[tuple[str, bytes | None]]:
    """The paths and contents of the files of a database."""
    with closing(sqlite3.connect(copy)) as connection:
        rows = connection.execute("SELECT path, sha256 FROM files ORDER BY path").fetchall()
    paths = [(path, find_bytes(copy, sha256)) for path, sha256 in rows]
    return [(path, None if where is None else where.read_bytes()) for path, where in paths]


@pytest.mark.parametrize("linking", [True, False])
def test_a_backup_contains_the_files_of_runs(
    trackai: Trackai,
    db_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    linking: bool,
) -> None:
    if not linking:
        monkeypatch.setattr(os, "link", Mock(side_effect=OSError(errno.EXDEV, "another disk")))
    monkeypatch.setattr(recorder, "_POLL_SECONDS", 60)
    with sdk.init(project="p") as run:
        for page in ("stored", "same", "same"):
            run.log({page: sdk.Html(page)})
    folder = db_path.with_name(db_path.name + "-files")
    (folder / "00").mkdir()
    (folder / "00" / "unknown").write_text("no run has it")
    copy = tmp_path / "copy.db"
    with sdk.init(project="p") as run:
        run.log({"waits": sdk.Html("waits"), "waits too": sdk.Html("same")})
        answer = trackai("backup", copy, "--json").json
    expected = [("same", b"same"), ("same", b"same"), ("stored", b"stored"),
                ("waits", b"waits"), ("waits too", b"same")]  # fmt: skip
    assert shown(copy) == shown(db_path) == expected
    assert (answer["files"], answer["file_bytes"], answer["missing"]) == (3, 15, 0)
    assert sorted(path.name for path in tmp_path.glob("copy*")) == ["copy.db", "copy.db-files"]
    assert not list(tmp_path.glob("copy.db-files/*/unknown"))
    copied = {path.name: path for path in tmp_path.glob("copy.db-files/*/*")}
    same = [path for path in folder.glob("*/*") if path.name in copied]
    assert all(path.samefile(copied[path.name]) == linking for path in same)
    copy.unlink()
    assert "copy.db-files already exists" in trackai("backup", copy, code=1).err


def test_a_backup_reports_missing_files(trackai: Trackai, db_path: Path, tmp_path: Path) -> None:
    with sdk.init(project="p") as run:
        run.log({"page": sdk.Html("x"), "other": sdk.Html("y")})
    next(db_path.parent.glob("*-files/*/*")).unlink()
    answer = trackai("backup", tmp_path / "copy.db")
    assert "1 file of runs not found" in answer.err
    assert "copy.db-files: 1 file, 1 byte\n" in answer.out
