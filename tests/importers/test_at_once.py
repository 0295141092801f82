"""Several processes import the same source into one database on PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import trackai as sdk
from tests.conftest import count_points, created, execute_sql
from tests.importers.test_round_trip import EXPORT, call

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgres import Databases

PROCESSES = 4
TABLES = {
    "runs": "SELECT uid, slug, name, group_name, state FROM runs",
    "projects": "SELECT name, slug FROM projects",
    "series": "SELECT path, axis, kind, points, nan_points, first_step, last_step, sum FROM series",
    "configs": "SELECT key, value, type FROM configs",
    "tags": "SELECT tag FROM tags",
    "files": "SELECT path, kind, name, step, timestamp, size, sha256 FROM files",
    "writers": "SELECT uid, attempt, rank, state FROM writers",
    "versions": "SELECT version, digest FROM artifact_versions",
    "aliases": "SELECT alias FROM artifact_aliases",
    "uses": "SELECT role, timestamp FROM artifact_runs",
    "imports": "SELECT part, fingerprint, consumed, complete, counts FROM imports",
}


@pytest.fixture
def second_url(databases: Databases, empty_postgres: str, tmp_path: Path) -> Iterator[str]:
    """The URL of another empty database."""
    with created(databases, empty_postgres, tmp_path) as url:
        yield url


def contents(url: str) -> dict[str, Any]:
    rows = {name: sorted(execute_sql(url, sql), key=repr) for name, sql in TABLES.items()}
    return {**rows, "points": count_points(url)}


def source(kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """The command that imports a source of a kind, which is created."""
    if kind == "neptune":
        return "import", "neptune", str(EXPORT), "--jobs", "0"
    monkeypatch.setenv("TRACKAI_DB_PATH", str(folder / "source.db"))
    for number in range(10):
        with sdk.init(project="p", name=f"r{number}", config={"a": number}, tags=["t"]) as run:
            for step in range(20):
                run.log({f"m{series}": float(step) for series in range(20)})
            file = folder / f"file-{number}"
            file.write_text(str(number // 2))  # some are equal
            run.save(file)
            model = sdk.Artifact("model", "model")
            model.add_file(file)
            run.log_artifact(model, aliases=[f"a{number}"])
            run.use_artifact("model:v0")
    sdk.finish()
    if kind == "merge":
        return "merge", str(folder / "source.db")
    call("export", "--all", "-o", str(folder / "out.jsonl"))
    return "import", "jsonl", str(folder / "out.jsonl")


@pytest.mark.parametrize("kind", ["jsonl", "merge", "neptune"])
def test_several_imports_store_what_one_does(
    kind: str,
    postgres_url: str,
    second_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = source(kind, tmp_path, monkeypatch)
    monkeypatch.setenv("TRACKAI_FILES", str(tmp_path / "files"))
    call(*command, *place(kind, postgres_url))
    expected = contents(postgres_url)
    monkeypatch.setenv("TRACKAI_FILES", str(tmp_path / "others"))
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "trackai.cli", *command, *place(kind, second_url)],
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env={**os.environ},
        )
        for _ in range(PROCESSES)
    ]  # fmt: skip
    codes = []
    for process in processes:
        _, errors = process.communicate(timeout=300)
        codes.append(process.returncode)
        if process.returncode != 0:
            assert kind == "neptune"
            assert "is running; retry when it is done" in errors.splitlines()[-1], errors
    assert 0 in codes
    assert contents(second_url) == expected
    call(*command, *place(kind, second_url))  # changes nothing
    assert contents(second_url) == expected


def place(kind: str, url: str) -> tuple[str, str]:
    return ("--into" if kind == "merge" else "--db"), url
