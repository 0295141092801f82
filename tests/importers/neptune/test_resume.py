"""Importing again: unchanged, after an interruption, and after the export has grown."""

from __future__ import annotations

import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Server
    from tests.importers.neptune.conftest import Import, Write

    Ask = Callable[..., list[tuple[Any, ...]]]


def _command(db_path: Path, *arguments: str) -> list[str]:
    return [
        sys.executable, "-m", "trackai.cli", "import", "neptune", *arguments,
        "--db", str(db_path), "--json",
    ]  # fmt: skip


def _contents(db_path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return the contents of all tables, except for the times of the import and random numbers."""
    with closing(sqlite3.connect(db_path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        tables = connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        )
        contents = {}
        for (table,) in tables.fetchall():
            cursor = connection.execute(f"SELECT * FROM {table}")
            ignored = {"started_at", "applied_at", "nonce"}
            if table == "projects":
                ignored |= {"created_at", "updated_at"}
            keep = [
                position for position, (name, *_) in enumerate(cursor.description)
                if name not in ignored
            ]  # fmt: skip
            contents[table] = sorted(
                (tuple(row[position] for position in keep) for row in cursor), key=repr
            )
    return contents


async def test_importing_again_changes_nothing(
    import_: Import, real_export: Path, db_path: Path
) -> None:
    first = await import_(real_export)
    before = _contents(db_path)
    again = await import_(real_export)
    assert again.ok
    assert again.totals.stored == 0
    assert again.totals.already_there == first.totals.stored
    assert again.totals.null == first.totals.null
    assert _contents(db_path) == before


async def test_what_people_have_changed_since_stays(
    import_: Import, real_export: Path, server: Server, rows: Ask
) -> None:
    await import_(real_export)
    run_id = 1
    changes = {"name": "mine", "notes": "better", "tags": ["x"]}
    assert server.request("PATCH", f"/api/runs/{run_id}", changes).status == 200
    state = rows("SELECT * FROM runs"), rows("SELECT * FROM tags")
    await import_(real_export)
    assert (rows("SELECT * FROM runs"), rows("SELECT * FROM tags")) == state
    # A deleted run is imported again.
    assert server.request("DELETE", f"/api/runs/{run_id}").status == 200
    receipt = await import_(real_export, verify=True)
    assert receipt.verification.differences == []
    assert receipt.ok
    assert receipt.totals.stored == 7781


async def test_a_grown_export(write_part: Write, import_: Import, make: Any, rows: Ask) -> None:
    write_part([make.point("m", 1, 5, 1.0)], run="a")
    assert (await import_()).ok
    write_part(
        [make.point("m", 2, 6, 2.0), make.param("sys/name", "string", "A")], run="a", number=1
    )
    write_part([make.point("m", 1, 5, 1.0)], run="b")
    receipt = await import_(verify=True)
    assert receipt.ok
    assert (receipt.totals.stored, receipt.totals.already_there) == (3, 1)
    assert rows("SELECT slug, name, state FROM runs") == [
        ("a", "A", "completed"), ("b", None, "completed"),
    ]  # fmt: skip
    assert rows("SELECT points, last_value, sum FROM series ORDER BY id") == [
        (2, 2.0, 3.0), (1, 1.0, 1.0),
    ]  # fmt: skip


async def test_a_part_that_has_changed_replaces_the_old_one(
    write_part: Write, import_: Import, make: Any, rows: Ask
) -> None:
    write_part([make.point("m", 1, 5, 1.0), make.point("old", 1, 5, 1.0)])
    write_part([make.point("m", 2, 6, 2.0)], number=1)
    await import_()
    write_part([make.point("m", 1, 5, 3.0), make.param("p", "int", 1)])
    receipt = await import_(verify=True)
    assert receipt.ok
    assert "changed since the last import" in receipt.remarks[0].problem
    assert rows("SELECT path, points, sum FROM series") == [("m", 2, 5.0)]
    assert rows("SELECT step, value FROM metrics ORDER BY step") == [(1, 3.0), (2, 2.0)]


async def test_a_dry_run_stores_nothing(
    import_: Import, real_export: Path, db_path: Path, tmp_path: Path
) -> None:
    before = _contents(db_path)
    dry = await import_(real_export, dry_run=True)
    assert _contents(db_path) == before
    assert not db_path.with_name("trackai.db-files").exists()
    assert dry.adds_up
    assert dry.totals == (await import_(real_export)).totals
    # It does not create a database.
    nowhere = tmp_path / "nowhere" / "x.db"
    done = subprocess.run(
        _command(nowhere, str(real_export), "--dry-run"), capture_output=True, check=True
    )
    assert json.loads(done.stdout)["totals"]["stored"] == dry.totals.stored
    assert not nowhere.parent.exists()


def test_killed_at_any_instant_it_ends_as_in_one_go(
    tmp_path: Path, real_export: Path, write_part: Write, make: Any
) -> None:
    export = tmp_path / "export"
    shutil.copytree(real_export, export)
    # A part of more than one batch, with duplicate points.
    points = [make.point(f"m/{n % 7}", n // 14, n // 14, float(n)) for n in range(135_000)]
    write_part(points, points[:20])
    at_once, killed = tmp_path / "at_once.db", tmp_path / "killed.db"
    began = time.monotonic()
    done = subprocess.run(_command(at_once, str(export)), capture_output=True, text=True)
    seconds = time.monotonic() - began
    assert done.returncode == 0, done.stderr

    seed = random.SystemRandom().randrange(1 << 32)
    instants = random.Random(seed)
    interrupted = half_done = 0
    for _ in range(5):
        with subprocess.Popen(
            _command(killed, str(export)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            time.sleep(instants.uniform(0.2, 0.9) * seconds)
            too_late = process.poll() is not None
            process.send_signal(signal.SIGKILL)
        interrupted += not too_late
        if not interrupted:  # the import was done before the kill: kill the next one earlier
            seconds /= 2
            for path in killed.parent.glob("killed.db*"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        if killed.exists() and killed.stat().st_size:
            with closing(sqlite3.connect(killed)) as connection:
                if connection.execute(
                    "SELECT 1 FROM sqlite_schema WHERE name = 'imports'"
                ).fetchone():
                    # No incomplete run looks complete.
                    wrongly_complete = connection.execute(
                        """
                        SELECT COUNT(*) FROM runs WHERE state <> 'running'
                        AND EXISTS (SELECT 1 FROM imports WHERE run_id = runs.id AND NOT complete)
                        """
                    ).fetchone()
                    assert wrongly_complete == (0,), f"seed {seed}"
                    (count,) = connection.execute("SELECT COUNT(*) FROM imports").fetchone()
                    half_done += count > 0
    assert interrupted, "no import was interrupted, so nothing was tested"
    done = subprocess.run(_command(killed, str(export), "--verify"), capture_output=True, text=True)
    assert done.returncode == 0, f"seed {seed}: {done.stdout} {done.stderr}"
    assert _contents(killed) == _contents(at_once), f"seed {seed}"
    for folder in (at_once, killed):
        blobs = folder.with_name(folder.name + "-files")
        named = {path.parent.name + path.name for path in blobs.glob("??/*")}
        assert len(named) == len({row[-2] for row in _contents(folder)["files"]})
