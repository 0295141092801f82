"""Points that are stored as rows: inserting them, and their large values and own steps."""

from __future__ import annotations

import sqlite3
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from trackai.errors import ConflictError
from trackai.store.engine.bulk import execute_columns, placeholders
from trackai.store.points import duplicates, large_values

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trackai.store.engine.connection import Connection
    from trackai.store.points.large_values import LargeValue
    from trackai.store.points.queries import Columns, NewPoints
    from trackai.values.types import Step, Value


_ROWS_PER_STATEMENT = (1024, 256, 64, 16, 4, 1)


async def insert(conn: Connection, new: Sequence[NewPoints]) -> list[Columns] | None:
    changes_before = conn.total_changes
    large = await _insert_points(conn, _insert, new)
    points = sum(len(column.steps) for item in new for _, column in item.columns)
    has_taken_keys = conn.total_changes - changes_before < points
    if large:
        await large_values.insert(conn, large)
    if not has_taken_keys:
        return None
    return [
        [
            (writer_id, await duplicates.move_apart(conn, item.series_id, writer_id, column))
            for writer_id, column in item.columns
        ]
        for item in new
    ]


async def insert_new(conn: Connection, new: Sequence[NewPoints]) -> None:
    try:
        large = await _insert_points(conn, _insert_new, new)
    except sqlite3.IntegrityError:
        raise ConflictError("points: some of them are stored already") from None
    if large:
        await large_values.insert(conn, large)
    await execute_columns(
        conn,
        _insert_steps,
        [
            (item.series_id, column.timestamps, writer_id, column.own_steps)
            for item in new
            for writer_id, column in item.columns
            if column.own_steps is not None
        ],
        width=4,
        sizes=_ROWS_PER_STATEMENT,
    )


async def note_own_steps(
    conn: Connection, series_id: int, writer_id: int, steps: Sequence[tuple[int, Step]]
) -> None:
    await conn.executemany(
        """
        INSERT INTO system_steps (series_id, timestamp, writer_id, step) VALUES (?, ?, ?, ?)
        ON CONFLICT DO NOTHING
        """,
        [(series_id, timestamp, writer_id, step) for timestamp, step in steps],
    )


async def _insert_points(
    conn: Connection, statement: Callable[[int], str], new: Sequence[NewPoints]
) -> list[LargeValue]:
    """Store points; returns the large values, which are stored after them."""
    blocks: list[tuple[Any, ...]] = []
    large: list[LargeValue] = []
    for series_id, _, columns, has_texts in new:
        writer_ids: int | list[int] = columns[0][0]
        if len(columns) > 1:
            # One block, even if many clients sent a point each.
            writer_ids = [writer_id for writer_id, column in columns for _ in column.steps]
        block = (series_id, *joined(columns), writer_ids)
        if has_texts:
            block, large_of_block = _set_apart(block)
            large += large_of_block
        blocks.append(block)
    await execute_columns(conn, statement, blocks, width=5, sizes=_ROWS_PER_STATEMENT)
    return large


def joined(columns: Columns) -> tuple[list[Step], list[int], list[Value]]:
    """The steps, timestamps and values of several columns."""
    if len(columns) == 1:
        _, column = columns[0]
        return column.steps, column.timestamps, column.values
    return (
        [step for _, column in columns for step in column.steps],
        [time for _, column in columns for time in column.timestamps],
        [value for _, column in columns for value in column.values],
    )


def _set_apart(block: tuple[Any, ...]) -> tuple[tuple[Any, ...], list[LargeValue]]:
    """Replace the large values of a block by markers."""
    series_id, steps, times, values, writer_ids = block
    marked, positions = large_values.marked(values)
    if not positions:
        return block, []
    large = [
        (
            series_id, steps[at], times[at],
            writer_ids if isinstance(writer_ids, int) else writer_ids[at],
            values[at],
        )
        for at in positions
    ]  # fmt: skip
    return (series_id, steps, times, marked, writer_ids), large


@lru_cache
def _insert(rows: int) -> str:
    return f"{_insert_new(rows)} ON CONFLICT DO NOTHING"


@lru_cache
def _insert_new(rows: int) -> str:
    # A fifth faster than with a conflict clause.
    return f"""
        INSERT OR FAIL INTO metrics (series_id, step, timestamp, value, writer_id)
        VALUES {placeholders(rows, 5)}
    """


@lru_cache
def _insert_steps(rows: int) -> str:
    return f"""
        INSERT OR FAIL INTO system_steps (series_id, timestamp, writer_id, step)
        VALUES {placeholders(rows, 4)}
    """
