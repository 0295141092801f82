"""Load whole runs into a store. Loading a run twice adds only what is new."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.errors import InvalidInputError
from trackai.store.blobs.blob_store import Blob
from trackai.store.catalogue import (
    artifact_versions,
    artifacts,
    configs,
    environments,
    files,
    projects,
    runs,
    slugs,
    tags,
    writers,
)
from trackai.store.catalogue.artifact_versions import NewVersion
from trackai.store.catalogue.files import NewFile
from trackai.store.engine.sql import lock
from trackai.store.points import metrics, series
from trackai.store.points.storage import points_of
from trackai.store.transfer import imports
from trackai.structs.points import Column
from trackai.values.times import microseconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trackai.store.engine.connection import Connection
    from trackai.structs.exchange import (
        ArtifactHead,
        Block,
        NumberedFile,
        Rewind,
        RunHead,
        WriterHead,
    )
    from trackai.values.types import Step


async def begin_run(conn: Connection, head: RunHead) -> tuple[int, bool]:
    """Create a run if it does not exist.

    An existing run keeps its names and notes, and its place in the archive or the trash. A new one
    is running until `end_run`.

    Returns:
        Its row id, and whether it is new.
    """
    run = await runs.find_by_uid(conn, head.uid)
    is_new = run is None
    if run is None:
        project = await projects.get_or_create(
            conn, head.project, slug=head.project_slug, now=head.created_at
        )
        await lock(conn, "projects", [project.id])
        slug = await slugs.keep_if_free(conn, project.id, head.run_id)
        run = await runs.create(
            conn, uid=head.uid, project_id=project.id, slug=slug, name=head.name,
            group_name=head.group_name, now=head.created_at,
        )  # fmt: skip
        if head.fork_uid is not None:
            await runs.set_fork(conn, run.id, head.fork_uid, head.fork_step)
        if head.notes is not None:
            await runs.update(conn, run.id, notes=head.notes)
        if head.archived_at is not None or head.trashed_at is not None:
            await runs.update(
                conn, run.id, archived_at=head.archived_at, trashed_at=head.trashed_at
            )
    await lock(conn, "runs", [run.id])
    for part in head.imports:
        await imports.begin_copy(conn, run.id, part)
    return run.id, is_new


async def end_run(conn: Connection, run_id: int, head: RunHead) -> int:
    """Set the state, group, configuration and tags of a run, after its points have been loaded.

    A run that was created with its id as name gets the name that was read since.

    Returns:
        The number of new configuration keys.
    """
    await lock(conn, "runs", [run_id])
    run = await runs.get(conn, run_id)
    if head.group_name is not None and run.group_name is None:
        await runs.update(conn, run_id, group_name=head.group_name)
    if run.name == head.run_id != head.name:
        await runs.update(conn, run_id, name=head.name)
    added = await _add_config(conn, run_id, head)
    await tags.add(conn, run_id, head.tags)
    for part in head.imports:
        await imports.end_copy(conn, run_id, part)
    if head.updated_at is not None:
        await runs.touch(conn, run_id, now=head.updated_at)
    if head.state == "running":
        return added
    # A run that has ended here may have continued elsewhere, unless it has local writers.
    states = await writers.states(conn, run_id)
    later = head.finished_at is not None and (
        run.finished_at is None or microseconds(run.finished_at) < head.finished_at
    )
    if "running" not in states and (run.state == "running" or (later and not states)):
        ended = head.finished_at or time.time_ns() // 1000
        await runs.set_state(conn, run_id, head.state, now=ended)
    return added


async def _add_config(conn: Connection, run_id: int, head: RunHead) -> int:
    known = await configs.get(conn, run_id)
    new = {key: value for key, value in head.config.items() if key not in known}
    await configs.put(conn, run_id, _json_texts(new))
    await configs.set_types(
        conn, run_id, {key: head.config_types[key] for key in new if key in head.config_types}
    )
    return len(new)


async def add_environment(conn: Connection, run_id: int, head: RunHead) -> int:
    """Add the facts of each attempt that are new.

    Returns:
        The number of new facts.
    """
    known = await environments.of_attempts(conn, run_id) if head.environment else {}
    added = 0
    for attempt, facts in head.environment.items():
        await environments.add(conn, run_id, attempt, _json_texts(facts))
        added += len(facts.keys() - known.get(attempt, {}).keys())
    return added


def _json_texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {key: msgspec.json.encode(value).decode() for key, value in values.items()}


async def writer(conn: Connection, run_id: int, head: WriterHead) -> int:
    """The row id of a writer, which is created if it does not exist.

    Raises:
        InvalidInputError: it belongs to another run.
    """
    known = await _writer_of(conn, run_id, head.uid)
    if known is not None:
        if head.state not in (None, "running") and await writers.is_running(conn, head.uid):
            await writers.end(conn, head.uid, head.state, now=head.ended_at or head.started_at)
        return known
    writer_id = await writers.get_or_create(
        conn, uid=head.uid, run_id=run_id, attempt=head.attempt, rank=head.rank, host=head.host,
        pid=head.pid, state=head.state, first_step=head.first_step, now=head.started_at,
    )  # fmt: skip
    await _writer_of(conn, run_id, head.uid)  # another server may have created it meanwhile
    if head.state is not None and head.ended_at is not None:
        await writers.end(conn, head.uid, head.state, now=head.ended_at)
    if head.part is not None:
        await imports.adopt(conn, run_id, head.part, writer_id)
    return writer_id


async def _writer_of(conn: Connection, run_id: int, uid: str) -> int | None:
    """The row id of a writer of a run; None if it does not exist."""
    place = (await writers.locate(conn, [uid])).get(uid)
    if place is None:
        return None
    if place.run_id != run_id:
        raise InvalidInputError("writer", f"belongs to another run: {uid[:80]!r}")
    return place.writer_id


async def add_points(conn: Connection, run_id: int, block: Block) -> int:
    """Store the points of a block that are new.

    Returns:
        The number of new points.
    """
    await lock(conn, "runs", [run_id])
    writer_id = await writer(conn, run_id, block.writer)
    timestamps = block.timestamps
    if block.follows_start:
        moved = await writers.started_at(conn, writer_id) - block.writer.started_at
        timestamps = [timestamp + moved for timestamp in timestamps] if moved else timestamps
    column = Column(
        block.metric, block.axis, block.steps, timestamps, block.values,
        kind="histogram" if block.kind == "histogram" else "text",
    )  # fmt: skip
    find = _without_stored if block.has_times else _without_equal
    column = await find(conn, run_id, writer_id, column)
    await metrics.append(conn, run_id, writer_id, [column])
    if block.own_steps is not None:
        own_steps: list[tuple[int, Step]] = [
            (timestamp, step)
            for timestamp, step in zip(block.timestamps, block.own_steps, strict=True)
            if step is not None
        ]
        await metrics.note_own_steps(conn, run_id, block.metric, writer_id, own_steps)
    return len(column.steps)


async def add_files(conn: Connection, numbered: Sequence[tuple[int, NumberedFile]]) -> list[bool]:
    """Add files, or the bytes that stored files lack, unless they are stored already.

    Args:
        numbered: row ids of runs, and their files, whose bytes are in the folder of files.

    Returns:
        For each, whether anything changed.
    """
    await lock(conn, "runs", (run_id for run_id, _ in numbered))
    keys: dict[int, list[files.Identity]] = {}
    new_files = []
    for run_id, file in numbered:
        head = file.head
        writer_id = await writer(conn, run_id, head.writer)
        blob = None if head.sha256 is None else Blob(head.size or 0, head.sha256)
        new = NewFile(head.path, head.kind, head.name, head.step, head.timestamp, head.source, blob)
        key = files.identity(writer_id, new)
        keys.setdefault(run_id, []).append(key)
        new_files.append((run_id, writer_id, new, key, file))
    alike = {run_id: await files.alike(conn, run_id, set(keys[run_id])) for run_id in keys}
    return [
        await _add_file(conn, run_id, writer_id, new, alike[run_id][key], file)
        for run_id, writer_id, new, key, file in new_files
    ]


async def _add_file(
    conn: Connection,
    run_id: int,
    writer_id: int,
    new: NewFile,
    alike: list[files.StoredFile],
    file: NumberedFile,
) -> bool:
    """Add a file; `alike` are the stored ones with its identity, and are updated."""
    if new.blob is None:
        same = len(alike)
    else:
        same = sum(stored.sha256 == new.blob.sha256 for stored in alike)
    if same > file.earlier:
        return False
    unread = [stored for stored in alike if stored.sha256 is None]
    if new.blob is not None and len(unread) > file.without_bytes:
        filled_in = unread[file.without_bytes]
        await files.fill_in(conn, filled_in.id, [(new.name, new.blob)])
        alike.remove(filled_in)
    else:
        await files.add(conn, run_id, writer_id, [new])
    alike.append(files.StoredFile(0, None if new.blob is None else new.blob.sha256))
    return True


async def add_artifact(conn: Connection, run_id: int, head: ArtifactHead) -> int | None:
    """Store a version of an artifact that a run has logged, under its number if that is free.

    Returns:
        Its number here; None if a version with the same contents was stored already.
    """
    project = await projects.get_or_create(conn, head.project, now=head.created_at)
    new = NewVersion(
        type=head.artifact_type, name=head.name, files=head.files, aliases=head.aliases,
        tags=head.tags, description=head.description,
        metadata=msgspec.json.encode(head.metadata).decode(), timestamp=head.timestamp,
        created_at=head.created_at, logged_at=head.logged_at,
    )  # fmt: skip
    return await artifact_versions.load(conn, project.id, run_id, new, head.version)


async def add_use(conn: Connection, run_id: int, head: ArtifactHead) -> bool:
    """Record that a run uses a version of an artifact; False if the version does not exist."""
    project = await projects.get_or_create(conn, head.project, now=head.created_at)
    version_id = await artifacts.find_by_digest(
        conn, project.id, head.artifact_type, head.name, head.digest
    )
    if version_id is not None:
        await artifact_versions.use(conn, version_id, run_id, now=head.timestamp)
    return version_id is not None


async def rewound(conn: Connection, run_id: int, item: Rewind) -> list[str]:
    """The metrics with points that may be superseded."""
    return [
        row.path
        for row in await series.list_of_run(conn, run_id)
        if row.axis == "step"
        and item.metric in (None, row.path)
        and row.last_step is not None
        and item.step <= row.last_step
    ]


async def rewind(conn: Connection, run_id: int, item: Rewind, path: str) -> None:
    """Supersede points of earlier attempts in one series, after they have been loaded."""
    await lock(conn, "runs", [run_id])
    writer_id = await writer(conn, run_id, item.writer)
    await metrics.rewind(conn, run_id, writer_id, item.step, path)


async def _without_stored(conn: Connection, run_id: int, writer_id: int, column: Column) -> Column:
    name = (run_id, column.path, column.axis)
    stored = await points_of(conn).keys_of_writer(
        conn, name, writer_id, min(column.steps), max(column.steps)
    )
    if not stored:
        return column
    new = [
        point
        for point in zip(column.steps, column.timestamps, column.values, strict=True)
        if point[:2] not in stored
    ]
    return _with_points(column, new)


async def _without_equal(conn: Connection, run_id: int, writer_id: int, column: Column) -> Column:
    """Leave out points whose steps and values are stored, at whatever time."""
    name = (run_id, column.path, column.axis)
    stored = await points_of(conn).values_of_writer(
        conn, name, writer_id, min(column.steps), max(column.steps)
    )
    points = zip(column.steps, column.timestamps, column.values, strict=True)
    new = [
        (step, time, value)
        for step, time, value in points
        if (step, value if value == value else None) not in stored
        and not (isinstance(value, str) and (step, b"") in stored)  # a large text
    ]
    return _with_points(column, new)


def _with_points(column: Column, points: Sequence[tuple[Step, int, Any]]) -> Column:
    steps, timestamps, values = map(list, zip(*points, strict=True)) if points else ([], [], [])
    return msgspec.structs.replace(column, steps=steps, timestamps=timestamps, values=values)
