"""Garbage collection: deleted runs disappear at once, their points and disk space later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

import trackai
from trackai.store.catalogue import runs
from trackai.store.engine.database import Database
from trackai.store.points import rollups
from trackai.store.upkeep import garbage

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server

_TABLES = (
    "series", "metrics", "large_values", "system_steps", "rollups", "stale_rollups",
    "deleted_series",
)  # fmt: skip


def _log(steps: int) -> int:
    with trackai.init(project="p") as run:
        for step in range(steps):
            run.log({"loss": step / 7, "again": step})
        run.log_system({"gpu": 1})
        run.log({"text": "x" * 1000})
    assert run.id is not None
    return run.id


async def _rows(db: Database) -> list[int]:
    async with db.read() as conn:
        return [
            count
            for table in _TABLES
            for (count,) in await conn.execute_fetchall(f"SELECT COUNT(*) FROM {table}")
        ]


@pytest.mark.sqlite("about SQLite's tables of points, and pages of a file")
async def test_space_is_returned_to_the_file_system(db: Database) -> None:
    kept_id = _log(10)
    await db.checkpoint()
    before = db.path.stat().st_size
    run_id = _log(20_000)
    await db.checkpoint()
    large = db.path.stat().st_size
    assert large > before + 500_000
    async with db.write() as conn:
        await runs.delete(conn, run_id)
    assert (await _rows(db))[0] == 4  # the series of the other run; the points still exist
    freed = await garbage.collect(db)
    assert db.path.stat().st_size == large - freed
    assert freed > (large - before) * 0.9
    assert await _rows(db) == [4, 22, 1, 0, 0, 0, 0]
    async with db.read() as conn:
        assert (await runs.get(conn, kept_id)).id == kept_id


@pytest.mark.sqlite("about SQLite's tables of points, and pages of a file")
async def test_a_transaction_deletes_one_chunk(db: Database) -> None:
    run_id = _log(20_000)
    async with db.write() as conn:
        while (series_id := await rollups.next_stale(conn)) is not None:
            await rollups.refresh(conn, series_id)
        await runs.delete(conn, run_id)
    chunk_rows = {"metrics": 3000, "large_values": 1, "system_steps": 3000, "rollups": 40}
    chunks: dict[str, int] = {}
    table: str | None = ""
    while table is not None:
        async with db.write() as conn:
            before = conn.total_changes
            table = await garbage._delete_chunk(conn, chunk_rows=chunk_rows)
            # A chunk, and before it the last rows of other tables and series.
            assert conn.total_changes - before <= 2 * chunk_rows["metrics"]
            if table:
                chunks[table] = chunks.get(table, 0) + 1
    assert chunks["metrics"] >= 12
    assert chunks["rollups"] > 2
    assert await _rows(db) == [0] * len(_TABLES)


@pytest.mark.sqlite("about SQLite's tables of points, and pages of a file")
async def test_many_short_series_share_transactions(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with trackai.init(project="p", name="r") as run:
        run.log({f"m{number}": 1.0 for number in range(1000)})
    assert run.id is not None
    async with db.write() as conn:
        await runs.delete(conn, run.id)
    pauses = []

    async def pause(_: Database, seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(garbage, "pause", pause)
    await garbage.collect(db)
    assert 0 < len(pauses) < 200
    assert await _rows(db) == [0] * len(_TABLES)


@pytest.mark.sqlite("about SQLite's tables of points, and pages of a file")
async def test_space_of_many_pages_is_returned_to_the_file_system(db: Database) -> None:
    run_id = _log(1)
    async with db.write() as conn:
        await conn.execute(
            """
            INSERT INTO metrics (series_id, step, timestamp, value, writer_id)
            WITH RECURSIVE steps (step) AS (
                SELECT 1 UNION ALL SELECT step + 1 FROM steps WHERE step < 300000
            )
            SELECT 1, step, step, step / 3.0, 1 FROM steps
            """
        )
        # Pages at the end of the file, which have to be moved.
        await conn.execute("CREATE TABLE last AS SELECT zeroblob(3000) FROM metrics LIMIT 200")
        await conn.execute("INSERT INTO last SELECT zeroblob(3000) FROM last")
    await db.checkpoint()
    large = db.path.stat().st_size
    async with db.write() as conn:
        await runs.delete(conn, run_id)
    freed = await garbage.collect(db)
    assert freed > 7_000_000
    assert db.path.stat().st_size == large - freed
    async with db.read() as conn:
        assert list(await conn.execute_fetchall("PRAGMA freelist_count")) == [(0,)]
        assert list(await conn.execute_fetchall("PRAGMA integrity_check")) == [("ok",)]
        assert list(await conn.execute_fetchall("SELECT COUNT(*) FROM last")) == [(400,)]


@pytest.mark.sqlite("about SQLite's tables of points, and pages of a file")
async def test_other_connections_see_progress_in_between(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = _log(5_000)
    monkeypatch.setattr(garbage, "_SECONDS", 0.0)  # as if every transaction took too long
    async with db.write() as conn:
        await runs.delete(conn, run_id)
    counts: list[int] = []
    observer = Database(db.path)

    async def watch() -> None:
        while True:
            counts.append((await _rows(observer))[1])
            await anyio.sleep(0)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        await garbage.collect(db)
        tasks.cancel_scope.cancel()
    await observer.close()
    assert len(set(counts)) > 10
    assert counts == sorted(counts, reverse=True)


@pytest.mark.sqlite("about SQLite's tables of points, and pages of a file")
async def test_an_interrupted_collection_is_continued(db: Database, server: Server) -> None:
    run_id = _log(100)
    async with db.write() as conn:
        await runs.delete(conn, run_id)
    other_id = _log(100)
    answer = server.request("DELETE", f"/api/runs/{other_id}")
    assert answer.status == 200
    assert answer.json["bytes"] >= 0
    assert (await _rows(db)) == [0] * len(_TABLES)


def test_several_runs_are_deleted_at_once(db_path: Path, server: Server) -> None:
    answer = server.request("POST", "/api/runs/delete", {"run_ids": [_log(50), _log(50), 999]})
    assert answer.status == 200
    assert len(answer.json["deleted"]) == 2
    assert "bytes" in answer.json
