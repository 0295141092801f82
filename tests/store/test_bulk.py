"""Bulk statements: each row once, in as few statements as the sizes allow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from trackai.store.engine.bulk import execute_rows, placeholders

if TYPE_CHECKING:
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
