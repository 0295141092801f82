"""Store batches of journals in a transaction, each exactly once.

The transaction that stores a batch also records how far its journal is stored. Whether the journal
is a file on this machine or its batches come over the network makes no difference: a batch that
begins at another position than the recorded one is not stored, and its reader goes back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from trackai.store.catalogue import configs, files, journals, projects, runs, slugs, writers
from trackai.store.points import metrics

if TYPE_CHECKING:
    from aiosqlite import Connection

    from trackai.ingest.frames import Filed, Opened
    from trackai.ingest.reader import Batch
    from trackai.store.catalogue.files import NewFile
    from trackai.values.types import State


class Delivery(msgspec.Struct):
    """A batch on its way into the database.

    Attributes:
        journal: the name of the journal.
        adopt: takes over the bytes of a logged file.
        key_name: the name of the key with which it came over the network.
    """

    journal: str
    batch: Batch
    adopt: Callable[[Filed], NewFile]
    key_name: str | None = None


class Outcome(msgspec.Struct, frozen=True):
    """What became of a batch.

    Attributes:
        consumed: how many bytes of the journal are stored now; None if the database does not
            know the journal.
        stored: False if the batch did not begin where the stored bytes end.
        run_deleted: True if the batch was dropped because its run has been deleted.
    """

    consumed: int | None
    stored: bool = False
    run_deleted: bool = False


# The row ids of a run and of one of its writers.
_Ids = tuple[int, int]


async def store(conn: Connection, deliveries: Sequence[Delivery]) -> list[Outcome]:
    """Store batches, in as few statements as possible; one outcome for each, in their order.

    Args:
        conn: a connection in a transaction.
    """
    positions = await journals.positions(conn, {item.journal for item in deliveries})
    known = await writers.locate(conn, {item.batch.opened.writer_uid for item in deliveries})
    outcomes: list[Outcome] = []
    advanced: dict[str, int] = {}
    parts: list[metrics.Part] = []
    touched: dict[int, int] = {}
    for item in deliveries:
        batch, consumed = item.batch, positions.get(item.journal)
        if (consumed or 0) != batch.start:
            outcomes.append(Outcome(consumed))
            continue
        ids = known.get(batch.opened.writer_uid)
        if ids is None:
            ids = await _writer(conn, item, is_new=consumed is None)
        positions[item.journal] = advanced[item.journal] = batch.end
        outcomes.append(Outcome(batch.end, stored=True, run_deleted=ids is None))
        if ids is None:
            continue
        known[batch.opened.writer_uid] = ids
        run_id, writer_id = ids
        await _describe(conn, item, ids)
        if batch.calls:
            parts.append((run_id, writer_id, batch.columns()))
            touched[run_id] = max(touched.get(run_id, 0), batch.last_timestamp)
    if parts:
        await metrics.append_parts(conn, parts)
    await runs.touch_each(conn, touched)
    await journals.set_positions(conn, advanced)
    for item, outcome in zip(deliveries, outcomes, strict=True):
        ended = item.batch.ended
        if ended is not None and outcome.stored and not outcome.run_deleted:
            run_id, _ = known[item.batch.opened.writer_uid]
            await end_writer(conn, run_id, item.batch.opened, ended.state, now=ended.timestamp)
    return outcomes


async def _describe(conn: Connection, item: Delivery, ids: _Ids) -> None:
    """Store configuration, descriptions and files of a batch; most batches have none."""
    batch, (run_id, writer_id) = item.batch, ids
    if batch.replaced:
        await configs.remove(conn, run_id, batch.replaced)
    if batch.config:
        await configs.put(conn, run_id, batch.config)
    for described in batch.described:
        await runs.describe(
            conn, run_id, name=described.name, tags=described.tags, notes=described.notes
        )
    if batch.files:
        await files.add(conn, run_id, writer_id, [item.adopt(filed) for filed in batch.files])


async def _writer(conn: Connection, item: Delivery, *, is_new: bool) -> _Ids | None:
    """The run and the writer of a batch, which are created if they do not exist.

    Args:
        is_new: whether nothing of the journal has been stored; only then a run is created.

    Returns:
        None if the run has been deleted.
    """
    opened = item.batch.opened
    run = await runs.find_by_uid(conn, opened.run_uid)
    if run is None and not is_new:
        return None
    run_id = run.id if run is not None else await _create_run(conn, opened)
    writer_id = await writers.get_or_create(
        conn,
        uid=opened.writer_uid,
        run_id=run_id,
        attempt=opened.attempt,
        rank=opened.rank,
        host=opened.host,
        pid=opened.pid,
        state=None if opened.parent else "running",
        now=opened.started_at,
    )
    return run_id, writer_id


async def _create_run(conn: Connection, opened: Opened) -> int:
    project = await projects.get_or_create(conn, opened.project, now=opened.created_at)
    run = await runs.create(
        conn,
        uid=opened.run_uid,
        project_id=project.id,
        slug=await slugs.for_new_run(conn, project.id, opened.run_slug),
        name=opened.name,
        group_name=opened.group,
        now=opened.created_at,
    )
    if opened.fork_uid is not None:
        await runs.set_fork(conn, run.id, opened.fork_uid, opened.fork_step)
    return run.id


async def end_writer(
    conn: Connection, run_id: int, opened: Opened, state: State, *, now: int
) -> None:
    """Record the end of a writer; its run ends with the last writer of the attempt."""
    if opened.parent is not None:
        return
    await writers.end(conn, opened.writer_uid, state, now=now)
    # A late journal must not end a run that has been resumed since.
    if opened.attempt + 1 == await writers.next_attempt(conn, run_id):
        joint = await writers.joint_state(conn, run_id, opened.attempt)
        await runs.set_state(conn, run_id, joint, now=now)
