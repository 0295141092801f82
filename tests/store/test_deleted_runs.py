"""Deleting runs deletes all rows that refer to them, on both engines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from trackai.store.catalogue import (
    artifact_versions,
    batches,
    configs,
    environments,
    projects,
    runs,
    tags,
    writers,
)
from trackai.store.points import metrics
from trackai.store.upkeep import deletion
from trackai.structs.points import Column
from trackai.structs.records import ArtifactFile

if TYPE_CHECKING:
    from trackai.store.engine.connection import Connection
    from trackai.store.engine.store import Store

_TABLES = (
    "runs", *runs.RUN_TABLES, *runs.SERIES_TABLES, "artifact_versions",
    *artifact_versions.VERSION_TABLES, "deleted_series",
)  # fmt: skip


async def _fill(conn: Connection, project: str, number: int) -> list[int]:
    """Runs with rows in every table."""
    project_id = (await projects.get_or_create(conn, project, now=1)).id
    ids = []
    for at in range(number):
        name = f"{project}-{at}"
        run = await runs.create(
            conn, uid=name, project_id=project_id, slug=name, name=None, group_name=None, now=1
        )
        await configs.put(conn, run.id, {"lr": "1", "seed": "2"})
        await environments.add(conn, run.id, 1, {"gpu": '"A100"'})
        await tags.add(conn, run.id, ["good"])
        await batches.add(conn, [((run.id, "b"), 1)], now=1)
        for attempt in (1, 2):
            writer = await writers.get_or_create(
                conn, uid=f"{name}-{attempt}", run_id=run.id, attempt=attempt, rank=0, host="h",
                pid=1, now=1,
            )  # fmt: skip
            columns = [Column("loss", "step", [0, 1], [attempt, 2 + attempt], [1.0, 2.0])]
            await metrics.append(conn, run.id, writer, columns)
        await conn.execute(
            """
            INSERT INTO files (run_id, writer_id, path, kind, name, source)
            VALUES (?, ?, 'f', 'file', 'f', 's')
            """,
            (run.id, writer),
        )
        await conn.execute(
            "INSERT INTO imports (run_id, part, fingerprint) VALUES (?, 'p', 'f')", (run.id,)
        )
        for artifact in (name, "shared"):
            await artifact_versions.add(
                conn,
                project_id,
                run.id,
                artifact_versions.NewVersion(
                    name=artifact,
                    type="model",
                    aliases=("best",),
                    files=[ArtifactFile(name="w", size=1, sha256="0" * 64)],
                    timestamp=1,
                ),
            )
        ids.append(run.id)
    return ids


async def _rows(db: Store) -> dict[str, int]:
    async with db.read() as conn:
        return {
            table: count
            for table in _TABLES
            for (count,) in await conn.execute_fetchall(f"SELECT COUNT(*) FROM {table}")
        }


async def test_nothing_is_left_of_deleted_runs(db: Store) -> None:
    async with db.write() as conn:
        kept = await _fill(conn, "kept", 3)
    before = await _rows(db)
    assert all(count for table, count in before.items() if table != "deleted_series")
    async with db.write() as conn:
        some = await _fill(conn, "some", 50)
        await _fill(conn, "all", 50)
        project = (await projects.find(conn, "all")).id
    deleted, _ = await deletion.delete_runs(db, [*some, 10**6])
    assert deleted == some
    await deletion.delete_project(db, project)
    assert await _rows(db) == before
    async with db.read() as conn:
        assert await runs.existing(conn, [*kept, *some]) == kept


@pytest.mark.sqlite("PostgreSQL always deletes rows that refer to deleted ones")
async def test_a_deletion_knows_all_tables_that_refer_to_its_rows(db: Store) -> None:
    await db.open()
    async with db.read() as conn:
        references = await conn.execute_fetchall(
            """
            SELECT name, "table" FROM sqlite_master, pragma_foreign_key_list(name)
            WHERE type = 'table'
            """
        )
    by_parent: dict[str, set[str]] = {}
    for table, parent in references:
        by_parent.setdefault(parent, set()).add(table)
    assert by_parent["runs"] == set(runs.RUN_TABLES)
    assert by_parent["series"] == set(runs.SERIES_TABLES)
    assert by_parent["artifact_versions"] == set(artifact_versions.VERSION_TABLES)
    assert by_parent["writers"] <= set(runs.RUN_TABLES)
    assert by_parent.keys() == {
        "projects", "runs", "series", "writers", "artifacts", "artifact_versions",
    }  # fmt: skip
