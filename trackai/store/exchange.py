"""Runs as a whole: out of a store, and into one, where they may be already."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.store import configs, metrics, projects, runs, series, tags, writers
from trackai.store.figures import summarize
from trackai.structs.columns import Column
from trackai.structs.exchange import Block, RunHead, WriterHead
from trackai.structs.values import python_value

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiosqlite import Connection

    from trackai.store.series import Series
    from trackai.structs.values import Step

_PAGE = 20_000


async def dump(conn: Connection, run_id: int) -> AsyncIterator[RunHead | Block]:
    """A run: its head, then all its points, superseded ones too."""
    head = await _head(conn, run_id)
    yield head
    rows = await conn.execute_fetchall(
        "SELECT id, uid, attempt, rank, host, pid, started_at FROM writers WHERE run_id = ?",
        (run_id,),
    )
    heads = {
        id_: WriterHead(
            uid=uid, attempt=attempt, rank=rank, host=host, pid=pid, started_at=started_at
        )
        for id_, uid, attempt, rank, host, pid, started_at in rows
    }
    for one in await series.list_of_run(conn, run_id):
        async for block in _blocks(conn, head.uid, one, heads):
            yield block


async def _head(conn: Connection, run_id: int) -> RunHead:
    rows = await conn.execute_fetchall(
        """
        SELECT
            runs.uid, projects.name, runs.slug, runs.name, group_name, state,
            runs.created_at, finished_at, notes, fork_uid, fork_step
        FROM runs JOIN projects ON projects.id = runs.project_id
        WHERE runs.id = ?
        """,
        (run_id,),
    )
    fields: Any = next(iter(rows))
    names = (
        "uid", "project", "run_id", "name", "group_name", "state",
        "created_at", "finished_at", "notes", "fork_uid", "fork_step",
    )  # fmt: skip
    return RunHead(
        **dict(zip(names, fields, strict=True)),
        tags=await tags.get(conn, run_id),
        config=await configs.get(conn, run_id),
    )


async def _blocks(
    conn: Connection, run_uid: str, one: Series, heads: dict[int, WriterHead]
) -> AsyncIterator[Block]:
    after: tuple[Step, int, int] = (-math.inf, 0, 0)
    while True:
        rows: list[Any] = list(
            await conn.execute_fetchall(
                f"""
                SELECT step, timestamp, value, writer_id FROM metrics
                WHERE series_id = ? AND (step, timestamp, writer_id) > (?, ?, ?)
                ORDER BY step, timestamp, writer_id
                LIMIT {_PAGE}
                """,
                (one.id, *after),
            )
        )
        if not rows:
            return
        by_writer: dict[int, list[Any]] = {}
        for step, timestamp, value, writer_id in rows:
            by_writer.setdefault(writer_id, []).append((step, timestamp, value))
        for writer_id, points in by_writer.items():
            steps, timestamps, values = map(list, zip(*points, strict=True))
            yield Block(
                run_uid=run_uid,
                metric=one.path,
                axis=one.axis,
                kind=one.kind,
                writer=heads[writer_id],
                steps=steps,
                timestamps=timestamps,
                values=[python_value(value, one.kind) for value in values],
            )
        step, timestamp, _, writer_id = rows[-1]
        after = (step, timestamp, writer_id)


async def load_head(conn: Connection, head: RunHead) -> int:
    """Make a run, or add to one that is there what it does not have; its row id.

    What a run that is there says about itself stays as it is.
    """
    run = await runs.find_by_uid(conn, head.uid)
    if run is None:
        project = await projects.get_or_create(conn, head.project, now=head.created_at)
        run = await runs.create(
            conn,
            uid=head.uid,
            project_id=project.id,
            slug=await _slug(conn, project.id, head.run_id),
            name=head.name,
            group_name=head.group_name,
            now=head.created_at,
        )
        if head.fork_uid is not None:
            await runs.set_fork(conn, run.id, head.fork_uid, head.fork_step)
        if head.state != "running":
            ended = head.finished_at or time.time_ns() // 1000
            await runs.set_state(conn, run.id, head.state, now=ended)
        if head.notes is not None:
            await runs.set_notes(conn, run.id, head.notes)
    known = await configs.get(conn, run.id)
    await configs.put(
        conn,
        run.id,
        {
            key: msgspec.json.encode(value).decode()
            for key, value in head.config.items()
            if key not in known
        },
    )
    await tags.add(conn, run.id, head.tags)
    return run.id


async def _slug(conn: Connection, project_id: int, slug: str) -> str:
    taken = await conn.execute_fetchall(
        "SELECT 1 FROM runs WHERE project_id = ? AND slug = ?", (project_id, slug)
    )
    return await runs.unused_slug(conn, project_id, slug) if list(taken) else slug


async def load_block(conn: Connection, run_id: int, block: Block) -> int:
    """Store the points of a block that are not there yet; how many that were."""
    writer_id = await writers.get_or_create(
        conn,
        uid=block.writer.uid,
        run_id=run_id,
        attempt=block.writer.attempt,
        rank=block.writer.rank,
        host=block.writer.host,
        pid=block.writer.pid,
        now=block.writer.started_at,
    )
    column = Column(block.metric, block.axis, block.steps, block.timestamps, block.values)
    column = await _without_known(conn, run_id, writer_id, column)
    if block.kind == "histogram" and column.steps:
        # To append() it would be a text like any other.
        figures = summarize(column.steps, column.timestamps, column.values)
        figures = msgspec.structs.replace(figures, kind=block.kind)
        await metrics.append_new(conn, run_id, writer_id, [column], [figures])
    else:
        await metrics.append(conn, run_id, writer_id, [column])
    return len(column.steps)


async def _without_known(conn: Connection, run_id: int, writer_id: int, column: Column) -> Column:
    rows = await conn.execute_fetchall(
        """
        SELECT step, timestamp FROM metrics
        WHERE series_id = (SELECT id FROM series WHERE run_id = ? AND path = ? AND axis = ?)
          AND step BETWEEN ? AND ? AND writer_id = ?
        """,
        (run_id, column.path, column.axis, min(column.steps), max(column.steps), writer_id),
    )
    known = set(rows)
    if not known:
        return column
    new = [
        point
        for point in zip(column.steps, column.timestamps, column.values, strict=True)
        if point[:2] not in known
    ]
    steps, timestamps, values = map(list, zip(*new, strict=True)) if new else ([], [], [])
    return msgspec.structs.replace(column, steps=steps, timestamps=timestamps, values=values)
