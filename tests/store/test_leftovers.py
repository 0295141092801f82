"""What a process leaves that is killed while it deletes runs: doctor sees it, upkeep removes it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

import trackai
from tests.conftest import serving
from trackai.store.blobs.folder import FolderBlobs
from trackai.store.catalogue import files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.sqlite("about `trackai doctor` and the size of a file")

KILLED = """
import os, signal, sys
from trackai.store.catalogue import files
from trackai.store.upkeep import garbage

async def die(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)

module, name = sys.argv[1].split(".")
setattr({"files": files, "garbage": garbage}[module], name, die)
from trackai.cli import main
main(["delete", "r", "--yes", "--db", sys.argv[2]])
"""


def doctor(path: Path, *options: str) -> tuple[int, list[str]]:
    result = subprocess.run(
        [sys.executable, "-m", "trackai.cli", "doctor", "--json", *options, "--db", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    findings: list[dict[str, Any]] = json.loads(result.stdout)["findings"]
    return result.returncode, [finding["what"] for finding in findings]


@pytest.fixture(scope="module")
def store_of_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a database with a long run "r" that has a file, and a run "kept"."""
    folder = tmp_path_factory.mktemp("leftovers")
    (folder / "file").write_bytes(os.urandom(50_000))
    db_path = folder / "store" / "trackai.db"
    with trackai.init(project="p", name="r", db_path=db_path) as run:
        for step in range(60_000):
            run.log({"a": step, "b": step / 2}, step=step)
        run.save(str(folder / "file"))
    with trackai.init(project="p", name="kept", db_path=db_path) as run:
        run.log({"a": 1})
    return db_path.parent


def interrupt_deletion(db_path: Path, store_of_runs: Path, at: str) -> None:
    shutil.copytree(store_of_runs, db_path.parent)
    arguments = [sys.executable, "-c", KILLED, at, str(db_path)]
    killed = subprocess.run(arguments, check=False, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr


MOMENTS = ["files.forget", "garbage.collect", "garbage._vacuum"]


@pytest.mark.parametrize("at", MOMENTS)
def test_doctor_completes_an_interrupted_deletion(
    db_path: Path, store_of_runs: Path, at: str
) -> None:
    interrupt_deletion(db_path, store_of_runs, at)
    code, findings = doctor(db_path)
    assert code == 4
    assert any("belong to no run" in what for what in findings) == (at == "files.forget")
    in_file = "of the file are free space" if at == "garbage._vacuum" else "are not deleted yet"
    assert any(in_file in what for what in findings)
    assert doctor(db_path, "--fix") == (0, [])
    check_clean(db_path)


@pytest.mark.parametrize("at", MOMENTS)
def test_a_server_completes_an_interrupted_deletion(
    db_path: Path, store_of_runs: Path, at: str
) -> None:
    interrupt_deletion(db_path, store_of_runs, at)
    with serving(db_path):
        deadline = time.monotonic() + 30
        while db_path.stat().st_size > 500_000 or list(FolderBlobs.beside(db_path).all_blobs()):
            assert time.monotonic() < deadline, doctor(db_path)
            time.sleep(0.1)
    assert doctor(db_path) == (0, [])
    check_clean(db_path)


def check_clean(db_path: Path) -> None:
    assert FolderBlobs.beside(db_path).all_blobs() == []
    with closing(sqlite3.connect(db_path)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM metrics").fetchall() == [(1,)]
        assert connection.execute("PRAGMA freelist_count").fetchone()[0] < 256
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_files_of_runs_are_kept(
    db_path: Path, tmp_path: Path, run_python: Callable[..., Any]
) -> None:
    (tmp_path / "file").write_text("kept")
    run = trackai.init(project="p", name="r")
    trackai.save(str(tmp_path / "file"))
    run.finish()
    unused = files.blob_path(db_path, "ab" * 32)
    unused.parent.mkdir(exist_ok=True)
    unused.write_text("unused")
    assert doctor(db_path)[1][0].startswith("1 file in ")
    assert doctor(db_path, "--fix") == (0, [])
    assert [blob.size for blob in FolderBlobs.beside(db_path).all_blobs()] == [4]
