"""Dump whole runs from a store, in the records that `trackai.store.transfer.load` reads."""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING, Any

from trackai.errors import NotFoundError
from trackai.store.catalogue import artifacts, configs, environments, tags
from trackai.store.points import series
from trackai.store.points.storage import points_of
from trackai.store.transfer import imports
from trackai.structs.exchange import (
    ArtifactHead,
    Block,
    FileHead,
    ImportHead,
    Rewind,
    RunHead,
    WriterHead,
)
from trackai.values.non_finite import python_values
from trackai.values.times import microseconds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from trackai.store.engine.connection import Connection
    from trackai.store.points.series import Series
    from trackai.structs.exchange import Item

_Writers = dict[int, WriterHead]


async def dump(conn: Connection, run_id: int) -> AsyncIterator[Item]:
    """Yield a run: its head, files, artifacts, and all its points, including superseded ones.

    Raises:
        NotFoundError: the run does not exist.
    """
    head = await _head(conn, run_id)
    yield head
    heads = await _writers(conn, run_id)
    async for file in _files(conn, run_id, head.uid, heads):
        yield file
    for artifact in await _artifacts(conn, run_id, head.uid):
        yield artifact
    for row in await series.list_of_run(conn, run_id):
        async for block in _blocks(conn, head.uid, row, heads):
            yield block
        for rewind in await _rewinds(conn, head.uid, row, heads):
            yield rewind


async def _head(conn: Connection, run_id: int) -> RunHead:
    rows = await conn.execute_fetchall(
        """
        SELECT
            runs.uid, projects.name, projects.slug, runs.slug, runs.name, group_name, state,
            runs.created_at, runs.updated_at, finished_at, notes, archived_at, trashed_at,
            fork_uid, fork_step
        FROM runs JOIN projects ON projects.id = runs.project_id
        WHERE runs.id = ?
        """,
        (run_id,),
    )
    fields: Any = next(iter(rows), None)
    if fields is None:
        raise NotFoundError(f"run {run_id} not found")
    names = (
        "uid", "project", "project_slug", "run_id", "name", "group_name", "state",
        "created_at", "updated_at", "finished_at", "notes", "archived_at", "trashed_at",
        "fork_uid", "fork_step",
    )  # fmt: skip
    return RunHead(
        **dict(zip(names, fields, strict=True)),
        tags=await tags.get(conn, run_id),
        config=await configs.get(conn, run_id),
        config_types=await configs.types(conn, run_id),
        environment=await environments.of_attempts(conn, run_id),
        imports=[
            ImportHead(
                part=part.part,
                fingerprint=part.fingerprint,
                consumed=part.consumed,
                complete=bool(part.complete),
                counts=part.counts,
            )
            for part in await imports.list_of_run(conn, run_id)
        ],
    )


async def _writers(conn: Connection, run_id: int) -> _Writers:
    rows = await conn.execute_fetchall(
        """
        SELECT
            writers.id, uid, attempt, rank, host, pid, started_at, state, first_step, ended_at, part
        FROM writers
        LEFT JOIN imports ON imports.id = import_id
        WHERE writers.run_id = ?
        """,
        (run_id,),
    )
    names = (
        "uid", "attempt", "rank", "host", "pid", "started_at", "state", "first_step", "ended_at",
        "part",
    )  # fmt: skip
    return {id_: WriterHead(**dict(zip(names, fields, strict=True))) for id_, *fields in rows}


async def _files(
    conn: Connection, run_id: int, run_uid: str, heads: _Writers
) -> AsyncIterator[FileHead]:
    names = ("path", "kind", "name", "step", "timestamp", "size", "sha256", "source")
    rows = await conn.execute_fetchall(
        f"SELECT writer_id, {', '.join(names)} FROM files WHERE run_id = ? ORDER BY id", (run_id,)
    )
    for writer_id, *fields in rows:
        yield FileHead(
            run_uid=run_uid, writer=heads[writer_id], **dict(zip(names, fields, strict=True))
        )


async def _artifacts(conn: Connection, run_id: int, run_uid: str) -> list[ArtifactHead]:
    return [
        ArtifactHead(
            run_uid=run_uid,
            role=role,
            project=version.project,
            artifact_type=version.type,
            name=version.name,
            version=version.version,
            digest=version.digest,
            timestamp=timestamp,
            created_at=microseconds(version.created_at),
            logged_at=logged_at,
            description=version.description,
            metadata=version.metadata,
            tags=version.tags,
            aliases=version.aliases,
            files=await artifacts.list_files(conn, version.id) if role == "logged" else [],
        )
        for role, timestamp, logged_at, version in await artifacts.list_of_run(conn, run_id)
    ]


async def _blocks(
    conn: Connection, run_uid: str, row: Series, heads: _Writers
) -> AsyncIterator[Block]:
    async for rows in points_of(conn).dump(conn, row.id):
        for writer_id, columns in _by_writer(rows):
            steps, timestamps, values, own_steps = columns
            yield Block(
                run_uid=run_uid,
                metric=row.path,
                axis=row.axis,
                kind=row.kind,
                writer=heads[writer_id],
                steps=steps,
                timestamps=timestamps,
                values=python_values(values, row.kind),
                own_steps=None if own_steps.count(None) == len(own_steps) else own_steps,
            )


def _by_writer(rows: list[Any]) -> Iterator[tuple[int, list[list[Any]]]]:
    """Split rows by writer: the writer's row id and its columns. Most series have one writer."""
    steps, timestamps, values, writer_ids, own_steps = map(list, zip(*rows, strict=True))
    present = dict.fromkeys(writer_ids)
    if len(present) == 1:
        yield writer_ids[0], [steps, timestamps, values, own_steps]
        return
    for selected in present:
        mask = [writer_id == selected for writer_id in writer_ids]
        yield (
            selected,
            [list(compress(column, mask)) for column in (steps, timestamps, values, own_steps)],
        )


async def _rewinds(conn: Connection, run_uid: str, row: Series, heads: _Writers) -> list[Rewind]:
    """The attempts that supersede points before the first step that they logged themselves."""
    rows = await points_of(conn).find_rewinds(conn, row.id)
    return [
        Rewind(run_uid=run_uid, writer=heads[writer_id], step=step, metric=row.path)
        for writer_id, step in rows
    ]
