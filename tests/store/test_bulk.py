"""Bulk statements: each row once, in as few statements as the sizes allow."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests.store.test_writers import new_run, new_writer
from trackai.errors import DiskFullError, StoreError
from trackai.store.catalogue import runs
from trackai.store.engine.bulk import execute_columns, execute_rows, placeholders
from trackai.store.points import metrics
from trackai.structs.points import Column

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from trackai.store.engine.connection import Connection
    from trackai.store.engine.database import Database


def test_placeholders() -> None:
    assert placeholders(2, 3) == "(?, ?, ?), (?, ?, ?)"


@pytest.mark.parametrize(
    ("count", "statements"), [(0, []), (1, [1]), (8, [8]), (9, [8, 1]), (31, [16, 8, 1])]
)
async def test_every_row_once(db: Database, count: int, statements: list[int]) -> None:
    used = []

    def insert(size: int) -> str:
        used.append(size)
        return f"INSERT INTO journals (name, consumed) VALUES {placeholders(size, 2)}"

    rows = [(f"j{number:02}", number) for number in range(count)]
    async with db.write() as conn:
        await execute_rows(conn, insert, iter(rows), width=2, sizes=(16, 8, 1))
        stored = await conn.execute_fetchall("SELECT name, consumed FROM journals ORDER BY name")
    assert list(stored) == rows
    assert used == statements


@pytest.mark.parametrize("lengths", [[1, 1, 1], [1, 2, 1], [3], []])
async def test_columns_become_rows(db: Database, lengths: list[int]) -> None:
    """Columns are lists, or one value for all rows of a block; a block may have one row."""

    def insert(size: int) -> str:
        return f"INSERT INTO journals (name, consumed) VALUES {placeholders(size, 2)}"

    names = [[f"{block}.{row}" for row in range(length)] for block, length in enumerate(lengths)]
    blocks = [(column, block) for block, column in enumerate(names)]
    async with db.write() as conn:
        await execute_columns(conn, insert, blocks, width=2, sizes=(4, 1))
        stored = await conn.execute_fetchall("SELECT name, consumed FROM journals ORDER BY name")
    assert list(stored) == [(name, block) for column, block in blocks for name in column]


@pytest.mark.sqlite("about the files of SQLite")
@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
async def test_statements_do_not_copy_pages_to_a_file(db: Database) -> None:
    """The points are on as many pages as series, more than SQLite would copy in memory."""
    async with db.write() as conn:
        run = await new_run(conn, "a")
        writer = await new_writer(conn, run, "w")
        columns = [
            Column(f"m{number}", "step", list(range(200)), [1] * 200, [0.5] * 200)
            for number in range(100)
        ]
        await metrics.append(conn, run, writer, columns)
    temporary: set[str] = set()
    async with db.write() as conn:
        for step in (200, 201):
            new = [Column(f"m{number}", "step", [step], [1], [0.5]) for number in range(100)]
            await metrics.append(conn, run, writer, new)
            temporary.update(name for name in open_files() if "etilqs" in name)
    assert not temporary


@pytest.mark.sqlite("limits the pages of the file")
async def test_a_statement_that_fails_half_way_changes_nothing(db: Database) -> None:
    async with db.write() as conn:
        run = await new_run(conn, "a")
        writer = await new_writer(conn, run, "w")
    columns = [
        Column(f"m{number}", "step", list(range(200)), [1] * 200, [0.5] * 200)
        for number in range(100)
    ]

    async def store(conn: Connection) -> None:
        await metrics.append(conn, run, writer, columns)

    async def touch(conn: Connection) -> None:
        await runs.touch(conn, run, now=7)

    async def limit_pages(conn: Connection, more: int) -> None:
        for (pages,) in await conn.execute_fetchall("PRAGMA page_count"):
            await conn.execute(f"PRAGMA max_page_count = {pages + more}")

    await db.change(partial(limit_pages, more=20))
    results: dict[str, object] = {}

    async def change(name: str, work: Callable[[Connection], Coroutine[Any, Any, None]]) -> None:
        try:
            results[name] = await db.change(work)
        except StoreError as error:
            results[name] = type(error)

    async with anyio.create_task_group() as tasks:  # which share a transaction
        tasks.start_soon(change, "before", touch)
        tasks.start_soon(change, "store", store)
        tasks.start_soon(change, "after", touch)
    assert results == {"before": None, "store": DiskFullError, "after": None}
    async with db.read() as conn:
        for table in ("series", "metrics"):
            assert list(await conn.execute_fetchall(f"SELECT count(*) FROM {table}")) == [(0,)]
        assert list(await conn.execute_fetchall("SELECT updated_at FROM runs")) == [(7,)]
    await db.change(partial(limit_pages, more=10_000))
    await db.change(store)
    async with db.read() as conn:
        assert list(await conn.execute_fetchall("SELECT count(*) FROM metrics")) == [(20_000,)]


def open_files() -> set[str]:
    """The names of the files that this process has open."""
    names = set()
    for descriptor in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names, not paths
        with suppress(FileNotFoundError):  # that of the listing itself
            names.add(os.readlink(f"/proc/self/fd/{descriptor}"))  # noqa: PTH115
    return names
