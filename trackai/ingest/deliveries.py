"""Store batches of journals in a transaction, each exactly once.

The transaction that stores a batch also records how far its journal is stored. Whether the journal
is a file on this machine or its batches come over the network makes no difference: a batch that
begins at another position than the recorded one is not stored, and its reader goes back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from trackai.errors import NotFoundError, PermissionDeniedError, TrackAIError
from trackai.store.catalogue import (
    artifact_versions,
    artifacts,
    configs,
    environments,
    files,
    journals,
    projects,
    runs,
    slugs,
    writers,
)
from trackai.store.catalogue.artifact_versions import NewVersion
from trackai.store.catalogue.writers import Place
from trackai.store.engine.sql import lock
from trackai.store.points import metrics, series
from trackai.structs.records import ArtifactFile
from trackai.values.artifact_names import LATEST

if TYPE_CHECKING:
    from trackai.ingest.frames import Filed, Used, Versioned
    from trackai.ingest.reader import Batch
    from trackai.store.catalogue.files import NewFile
    from trackai.store.engine.connection import Connection
    from trackai.values.types import State


class BytesMissingError(TrackAIError):
    """The bytes of a file must be sent before the batch that names it.

    Attributes:
        sha256: the hash of the bytes.
    """

    def __init__(self, sha256: str) -> None:
        super().__init__(f"files: the bytes of {sha256} are not here yet: send them first")
        self.sha256 = sha256


class Remote(msgspec.Struct, frozen=True):
    """The way of a batch over the network.

    Attributes:
        key_name: the name of the key with which it was sent.
        project_id: the row id of the only project that the key may log to; None for all.
        seen_at: when it arrived, microseconds since the epoch.
    """

    key_name: str | None
    project_id: int | None
    seen_at: int


class Delivery(msgspec.Struct):
    """A batch on its way into the database.

    Attributes:
        journal: the name of the journal.
        adopt: takes over the bytes of a logged file.
        remote: how it came over the network; None if its journal is on this machine.
        points: its points, ready to be stored.
    """

    journal: str
    batch: Batch
    adopt: Callable[[Filed], NewFile]
    remote: Remote | None = None
    points: list[metrics.Prepared] | None = None

    def prepare(self) -> list[metrics.Prepared]:
        """Make its points ready to be stored, if they are not; best before the transaction."""
        if self.points is None:
            self.points = metrics.prepare(self.batch.columns())
        return self.points

    def time(self, time: int) -> int:
        """A time of its clock, which may be wrong, as one that is not after its arrival."""
        return time if self.remote is None else min(time, self.remote.seen_at)


class Outcome(msgspec.Struct, frozen=True):
    """What became of a batch.

    Attributes:
        consumed: how many bytes of the journal are stored now; None if the database does not
            know the journal.
        stored: False if the batch did not begin where the stored bytes end.
        run_deleted: True if the batch was dropped because its run has been deleted.
        superseded: True if another process has resumed the run.
    """

    consumed: int | None
    stored: bool = False
    run_deleted: bool = False
    superseded: bool = False


async def store(
    conn: Connection, deliveries: Sequence[Delivery]
) -> list[Outcome | PermissionDeniedError | BytesMissingError]:
    """Store batches, in as few statements as possible; one outcome for each, in their order.

    Args:
        conn: a connection in a transaction.
    """
    known = await writers.locate(conn, {item.batch.opened.writer_uid for item in deliveries})
    # First: other servers may be storing the same batches.
    await lock(conn, "runs", (place.run_id for place in known.values()))
    positions = await journals.positions(conn, {item.journal for item in deliveries})
    outcomes: list[Outcome | PermissionDeniedError | BytesMissingError] = []
    advanced: dict[str, int] = {}
    stored: list[tuple[Delivery, Place]] = []
    for item in deliveries:
        batch, consumed = item.batch, positions.get(item.journal)
        place = known.get(batch.opened.writer_uid)
        try:
            await _check_project(conn, item, place)
            if (consumed or 0) != batch.start:
                outcomes.append(Outcome(consumed))
                continue
            if item.remote is not None:
                for filed in batch.all_files:  # before anything is changed
                    item.adopt(filed)
            if place is None:
                place = await _place(conn, item, is_new=consumed is None)
            if place is not None:
                await _store_details(conn, item, place)
        except (PermissionDeniedError, BytesMissingError) as error:
            outcomes.append(error)
            continue
        positions[item.journal] = advanced[item.journal] = batch.end
        outcomes.append(
            Outcome(
                batch.end,
                stored=True,
                run_deleted=place is None,
                superseded=place is not None and place.is_superseded,
            )
        )
        if place is not None:
            known[batch.opened.writer_uid] = place
            stored.append((item, place))
    await _store_points(conn, stored)
    remote = {item.journal for item in deliveries if item.remote is not None}
    await journals.set_positions(conn, advanced, remote=remote)
    await _note_states(conn, stored)
    return outcomes


async def _check_project(conn: Connection, item: Delivery, place: Place | None) -> None:
    """Check that a batch belongs to the only project of its key, if the key is limited to one.

    The answer is the same for whatever exists in other projects and for what does not exist.

    Raises:
        PermissionDeniedError: it belongs to another one.
    """
    allowed = None if item.remote is None else item.remote.project_id
    if allowed is None:
        return
    opened = item.batch.opened
    project_id: int | None = None
    if place is None and opened.parent is not None:  # whose run it joins
        place = (await writers.locate(conn, [opened.parent])).get(opened.parent)
    if place is not None:
        project_id = await runs.project_of(conn, place.run_id)
    elif (run := await runs.find_by_uid(conn, opened.run_uid)) is not None:
        project_id = run.project_id
    else:
        with suppress(NotFoundError):
            project_id = (await projects.find(conn, opened.project)).id
    parent = None if opened.fork_uid is None else await runs.find_by_uid(conn, opened.fork_uid)
    if project_id != allowed or (parent is not None and parent.project_id != allowed):
        raise await other_project(conn, allowed)


async def other_project(conn: Connection, allowed: int) -> PermissionDeniedError:
    """The error for a key that is limited to the project with the row id `allowed`."""
    project = await projects.get(conn, allowed)
    return PermissionDeniedError(f"this key may only log to project {project.name!r}")


async def _store_points(conn: Connection, stored: Sequence[tuple[Delivery, Place]]) -> None:
    parts: list[metrics.Part] = []
    times: dict[int, int] = {}
    for item, place in stored:
        if item.batch.calls:
            parts.append((place.run_id, place.writer_id, item.prepare()))
            times[place.run_id] = max(
                times.get(place.run_id, 0), item.time(item.batch.last_timestamp)
            )
    if parts:
        await metrics.append_parts(conn, parts)
        await runs.touch_each(conn, times)


async def _note_states(conn: Connection, stored: Sequence[tuple[Delivery, Place]]) -> None:
    """Record that remote writers were heard, and which writers have ended."""
    heard = [
        (item.remote.seen_at, item.remote.key_name, place.writer_id)
        for item, place in stored
        if item.remote is not None
    ]
    if heard:
        await writers.note_heard(conn, heard)
    for item, place in stored:
        opened, ended = item.batch.opened, item.batch.ended
        if ended is not None:
            now = item.time(ended.timestamp)
            # Without content, another process says that this one has died.
            if item.batch.start == item.batch.end and await _is_set_by_user(conn, place.run_id):
                await writers.end(conn, opened.writer_uid, ended.state, now=now)
            else:
                await end_writer(conn, opened.writer_uid, place, ended.state, now=now)
        elif item.remote is not None:
            await revive(conn, opened.writer_uid, place, now=item.remote.seen_at)


async def _is_set_by_user(conn: Connection, run_id: int) -> bool:
    """Whether a user has set the state of a run one of whose writers has not ended."""
    run = await runs.get(conn, run_id)
    return run.state != "running" and not await runs.is_silent(conn, run_id)


async def note_heard(
    conn: Connection, uid: str, place: Place, key_name: str | None, *, now: int
) -> None:
    """Record that a remote writer lives, which may have been silent."""
    await lock(conn, "runs", [place.run_id])
    await writers.note_heard(conn, [(now, key_name, place.writer_id)])
    await revive(conn, uid, place, now=now)


async def revive(conn: Connection, uid: str, place: Place, *, now: int) -> None:
    """Take back that a remote writer has failed, if that is because it was silent."""
    if (
        place.state == "failed"
        and await writers.revive(conn, uid)
        and await runs.is_silent(conn, place.run_id)
    ):
        await _follow(conn, place.run_id, now=now)


async def fail_silent(conn: Connection, *, before: int, now: int) -> None:
    """Record that remote writers failed that are silent, and with them their runs.

    Args:
        before: when they were last heard at most, microseconds since the epoch.
        now: microseconds since the epoch.
    """
    await lock(conn, "runs", await writers.silent_runs(conn, before))
    for run_id, attempt in sorted(await writers.fail_silent(conn, before)):
        if attempt + 1 == await writers.next_attempt(conn, run_id):
            run = await runs.get(conn, run_id)
            if run.state == "running":  # otherwise a user has set its state
                await _follow(conn, run_id, now=now)


async def _follow(conn: Connection, run_id: int, *, now: int) -> None:
    """Give a run the state that the writers of its latest attempt give it."""
    joint = await writers.joint(conn, run_id)
    ended_at = now if joint.is_silent else joint.ended_at or now
    await runs.set_state(
        conn,
        run_id,
        joint.state,
        now=now if joint.state == "running" else ended_at,
        is_silent=joint.state == "failed" and joint.is_silent,
    )


async def _store_details(conn: Connection, item: Delivery, place: Place) -> None:
    """Store configuration, environment, descriptions and files; most batches have none."""
    batch, run_id = item.batch, place.run_id
    if batch.files:
        adopted = [item.adopt(filed) for filed in batch.files]
        await files.add(conn, run_id, place.writer_id, adopted)
    for artifact in batch.artifacts:
        await _store_artifact(conn, item, place, artifact)
    for use in batch.used:
        await _store_use(conn, item, place, use)
    if batch.replaced:
        await configs.remove(conn, run_id, batch.replaced)
    if batch.config:
        await configs.put(conn, run_id, batch.config)
    if batch.environment:
        await environments.add(conn, run_id, place.attempt, batch.environment)
    for described in batch.described:
        await runs.describe(
            conn, run_id, name=described.name, tags=described.tags, notes=described.notes
        )


async def _store_artifact(
    conn: Connection, item: Delivery, place: Place, logged: Versioned
) -> None:
    project_id = await runs.project_of(conn, place.run_id)
    assert project_id is not None  # noqa: S101 - the run exists
    contents = {
        name: ArtifactFile(name=name, reference=uri) for name, uri in logged.references.items()
    }
    for filed in logged.files:
        blob = item.adopt(filed).blob
        contents[filed.name] = ArtifactFile(
            name=filed.name,
            size=None if blob is None else blob.size,
            sha256=None if blob is None else blob.sha256,
        )
    new = NewVersion(
        type=logged.type_, name=logged.name, files=[*contents.values()],
        aliases=[alias for alias in logged.aliases if alias != LATEST], tags=logged.tags,
        description=logged.description, metadata=logged.metadata,
        timestamp=item.time(logged.timestamp),
    )  # fmt: skip
    await artifact_versions.add(conn, project_id, place.run_id, new)


async def _store_use(conn: Connection, item: Delivery, place: Place, use: Used) -> None:
    """Record the use of a version, unless it has been deleted or the sender may not know of it."""
    with suppress(NotFoundError):
        project_id = (await projects.find(conn, use.project)).id
        if item.remote is not None and item.remote.project_id not in (None, project_id):
            return
        version_id = await artifacts.find(conn, project_id, use.type_, use.name, use.version)
        if version_id is not None:
            await artifact_versions.use(
                conn, version_id, place.run_id, now=item.time(use.timestamp)
            )


async def _place(conn: Connection, item: Delivery, *, is_new: bool) -> Place | None:
    """The run and the writer of a batch, which are created if they do not exist.

    Args:
        is_new: whether nothing of the journal has been stored; only then a run is created.

    Returns:
        None if the run has been deleted.
    """
    opened, started_at = item.batch.opened, item.time(item.batch.opened.started_at)
    parent = await _find_parent(conn, item)
    if parent is not None:
        run_id, attempt = parent.run_id, parent.attempt
    else:
        run = await runs.find_by_uid(conn, opened.run_uid)
        if run is None and (not is_new or await _was_deleted(conn, item)):
            return None
        run_id, attempt = run.id if run else await _create_run(conn, item), opened.attempt
    await lock(conn, "runs", [run_id])
    state: State | None = None if opened.parent else "running"
    next_attempt = await writers.next_attempt(conn, run_id)
    resumed_after = None
    if 1 < next_attempt <= attempt:
        resumed_after = await series.last_activity(conn, run_id)
    writer_id = await writers.get_or_create(
        conn,
        uid=opened.writer_uid,
        run_id=run_id,
        attempt=attempt,
        rank=opened.rank,
        host=opened.host,
        pid=opened.pid,
        state=state,
        resumed_after=None if resumed_after is None else min(resumed_after, started_at),
        now=started_at,
    )
    if state == "running" and attempt + 1 >= next_attempt:
        await runs.set_state(conn, run_id, state, now=started_at)
    return Place(run_id, writer_id, attempt, state)


async def _find_parent(conn: Connection, item: Delivery) -> Place | None:
    """The writer that the writer of a batch was forked from; None without any.

    Raises:
        PermissionDeniedError: it belongs to another project than the only one of the sender.
    """
    uid = item.batch.opened.parent
    parent = None if uid is None else (await writers.locate(conn, [uid])).get(uid)
    allowed = None if item.remote is None else item.remote.project_id
    if parent is not None and allowed not in {None, await runs.project_of(conn, parent.run_id)}:
        raise PermissionDeniedError("this key may not log to the project of this run")
    return parent


async def _was_deleted(conn: Connection, item: Delivery) -> bool:
    """Whether the run of a remote writer was deleted: one of its other journals is known."""
    opened = item.batch.opened
    return item.remote is not None and (
        await journals.knows_writer(conn, opened.writer_uid)
        or (opened.parent is not None and await journals.knows_writer(conn, opened.parent))
    )


async def _create_run(conn: Connection, item: Delivery) -> int:
    opened = item.batch.opened
    created_at = item.time(opened.created_at)
    project = await projects.get_or_create(conn, opened.project, now=created_at)
    await lock(conn, "projects", [project.id])
    run = await runs.create(
        conn,
        uid=opened.run_uid,
        project_id=project.id,
        slug=await slugs.for_new_run(conn, project.id, opened.run_slug),
        name=opened.name,
        group_name=opened.group,
        now=created_at,
    )
    if opened.fork_uid is not None:
        await runs.set_fork(conn, run.id, opened.fork_uid, opened.fork_step)
    return run.id


async def end_writer(conn: Connection, uid: str, place: Place, state: State, *, now: int) -> None:
    """Record the end of a writer; its run ends with the last writer of the attempt."""
    if place.state is None or not await writers.end(conn, uid, state, now=now):
        return
    # A late journal must not end a run that has been resumed since.
    if place.attempt + 1 == await writers.next_attempt(conn, place.run_id):
        await _follow(conn, place.run_id, now=now)


async def fail_writer(conn: Connection, uid: str) -> None:
    """Record that a writer died without ending its run, which has failed then."""
    place = (await writers.locate(conn, [uid])).get(uid)
    if place is None or place.state != "running":
        return
    now = time.time_ns() // 1000
    run = await runs.get(conn, place.run_id)
    if run.state == "running":
        await end_writer(conn, uid, place, "failed", now=now)
    else:  # a user has set the state of the run
        await writers.end(conn, uid, "failed", now=now)
