"""Several servers change one database at the same time: everything is stored once."""

from __future__ import annotations

import time
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import pytest

from trackai.errors import ConflictError, NotFoundError, TrackAIError
from trackai.ingest.attach import Attach, attach
from trackai.ingest.batches import Batch, BatchRow
from trackai.ingest.intake import Intake, Receipt
from trackai.ingest.launch import Launch, Process
from trackai.ingest.run_request import RunRequest
from trackai.settings import DatabaseUrl
from trackai.store.catalogue import artifact_versions, artifacts, keys, projects, runs, tags
from trackai.store.catalogue.artifact_versions import NewVersion
from trackai.store.catalogue.keys import Grant
from trackai.store.factory import create_store
from trackai.store.upkeep import deletion
from trackai.structs.records import ArtifactFile

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from pathlib import Path

    from trackai.ingest.run_request import Resume
    from trackai.store.engine.connection import Connection
    from trackai.store.engine.store import Store

T = TypeVar("T")

SERVERS = 3
TIMES = 8


@pytest.fixture
async def servers(db: Store, db_path: Path | str) -> AsyncIterator[list[Store]]:
    """The same database, opened by several servers."""
    address = DatabaseUrl(db_path) if isinstance(db_path, str) else db_path
    stores = [create_store(address) for _ in range(SERVERS)]
    yield stores
    for store in stores:
        await store.close()


async def together(
    servers: list[Store], work: Callable[[Store, int], Coroutine[Any, Any, T]]
) -> list[T | TrackAIError]:
    """Do work `TIMES` times in each server, all at the same time; in order of its number."""
    outcomes: list[Any] = [None] * (TIMES * len(servers))

    async def note(number: int) -> None:
        try:
            outcomes[number] = await work(servers[number % len(servers)], number)
        except TrackAIError as error:
            outcomes[number] = error

    async with anyio.create_task_group() as group:
        for number in range(len(outcomes)):
            group.start_soon(note, number)
    return outcomes


async def _make_run(db: Store, slug: str = "r") -> int:
    async def make(conn: Connection) -> int:
        project = await projects.get_or_create(conn, "p", now=1)
        run = await runs.create(
            conn, uid=slug, project_id=project.id, slug=slug, name=None, group_name=None, now=1
        )
        return run.id

    return await db.change(make)


async def _rows(db: Store, query: str) -> list[Any]:
    async with db.read() as conn:
        return list(await conn.execute_fetchall(query))


async def test_a_project_is_created_once(servers: list[Store], db: Store) -> None:
    async def create(server: Store, number: int) -> int:
        name = f"My model {number % 2}!"[: 8 + number % 2]  # one slug, two names
        return await server.change(lambda conn: _id(projects.get_or_create(conn, name, now=number)))

    ids = await together(servers, create)
    assert len(set(ids)) == 2
    assert len(await _rows(db, "SELECT slug FROM projects")) == 2


async def _id(project: Coroutine[Any, Any, Any]) -> int:
    return int((await project).id)


def _message(
    number: int, *, run_id: str | None = None, launch: str | None = None, resume: Resume = "allow"
) -> Attach:
    now = time.time_ns() // 1000
    uid = f"{number:032x}"
    facts = {} if launch is None else {"TRACKAI_RUN_ID": "r", "SLURM_JOB_ID": launch}
    return Attach(
        request=RunRequest(project="p", name="n", group=None, run_id=run_id, resume=resume),
        process=Process(
            writer_uid=uid,
            run_uid=uuid.uuid4().hex,
            pid=number + 1,
            started_at=now,
            launch=Launch(host="h", facts=facts, lineage=frozenset()),
        ),
        journal=f"{now:016x}-{uid}-000000.journal",
        now=now,
        begun_at=now,
    )


async def test_ranks_of_a_launch_share_an_attempt(servers: list[Store], db: Store) -> None:
    async def begin(server: Store, number: int) -> int:
        message = _message(number, run_id="r", launch="9")
        attached = await attach(server, message, Grant("admin"), is_running=lambda _: True)
        return attached.attempt.opened.rank

    ranks = await together(servers, begin)
    assert sorted(ranks) == list(range(len(ranks)))  # type: ignore[type-var]
    assert await _rows(db, "SELECT DISTINCT run_id, attempt FROM writers") == [(1, 1)]


async def test_a_request_that_arrives_at_several_servers_begins_one_attempt(
    servers: list[Store], db: Store
) -> None:
    messages = [_message(rank, run_id="r", launch="9") for rank in range(TIMES)]

    async def begin(server: Store, number: int) -> int:
        message = messages[number // len(servers)]
        attached = await attach(server, message, Grant("admin"), is_running=lambda _: True)
        return attached.attempt.opened.rank

    ranks = await together(servers, begin)
    stored = dict(await _rows(db, "SELECT uid, rank FROM writers"))
    assert sorted(stored.values()) == list(range(TIMES))
    for number, rank in enumerate(ranks):
        assert rank == stored[messages[number // len(servers)].process.writer_uid]


async def test_processes_that_resume_a_run_get_an_attempt_each(
    servers: list[Store], db: Store
) -> None:
    await _make_run(db)

    async def begin(server: Store, number: int) -> int:
        message = _message(number, run_id="r")
        attached = await attach(server, message, Grant("admin"), is_running=lambda _: False)
        return attached.attempt.opened.attempt

    attempts = await together(servers, begin)
    assert sorted(attempts) == list(range(1, len(attempts) + 1))  # type: ignore[type-var]


async def test_new_runs_of_one_name_get_a_slug_each(servers: list[Store], db: Store) -> None:
    async def begin(server: Store, number: int) -> str:
        message = _message(number, resume="never")
        attached = await attach(server, message, Grant("admin"), is_running=lambda _: False)
        return attached.attempt.run.run_id

    slugs = await together(servers, begin)
    numbers = range(2, len(slugs) + 1)
    assert sorted(map(str, slugs)) == sorted(["n", *(f"n-{number}" for number in numbers)])


async def test_a_batch_that_several_servers_receive_is_stored_once(
    servers: list[Store], db: Store
) -> None:
    run_ids = [await _make_run(db, slug) for slug in ("a", "b")]
    intakes = {id(server): Intake(server) for server in servers}

    async def put(server: Store, number: int) -> Receipt:
        step = number // len(servers) // 2
        batch = Batch(rows=[BatchRow({"x": float(step)}, step)], batch_id=f"batch-{step}")
        return await intakes[id(server)].put(run_ids[number % 2], batch, host="h")

    receipts = await together(servers, put)
    assert sum(not receipt.duplicate for receipt in receipts) == TIMES  # type: ignore[union-attr]
    points = await _rows(db, "SELECT points FROM series")
    assert points == [(TIMES // 2,), (TIMES // 2,)]


async def test_points_of_a_run_arrive_at_several_servers(servers: list[Store], db: Store) -> None:
    run_id = await _make_run(db)
    intakes = {id(server): Intake(server) for server in servers}

    async def put(server: Store, number: int) -> Receipt:
        rows = [BatchRow({"x": 1.0, f"y{number}": 1.0}, step) for step in range(10)]
        return await intakes[id(server)].put(
            run_id, Batch(rows=rows, writer=f"w{number}"), host="h"
        )

    receipts = await together(servers, put)
    assert all(isinstance(receipt, Receipt) for receipt in receipts)
    sums = dict(await _rows(db, "SELECT path, points FROM series"))
    assert sums == {"x": 10 * len(receipts)} | {f"y{number}": 10 for number in range(len(receipts))}


async def test_versions_of_an_artifact_are_numbered_once(servers: list[Store], db: Store) -> None:
    run_id = await _make_run(db)

    async def log(server: Store, number: int) -> int:
        contents = number // 2  # each twice
        new = NewVersion(
            type="model",
            name="m",
            files=[ArtifactFile(name="f", size=1, sha256=f"{contents:064x}")],
            aliases=["best"],
            tags=[f"t{number}"],
            timestamp=5,
        )
        return await server.change(lambda conn: artifact_versions.add(conn, 1, run_id, new))

    await together(servers, log)
    rows = await _rows(db, "SELECT version, logged_at FROM artifact_versions ORDER BY version")
    versions = SERVERS * TIMES // 2
    assert [version for version, _ in rows] == list(range(versions))
    assert len({logged_at for _, logged_at in rows}) == versions
    async with db.read() as conn:
        pages = await artifacts.list_page(conn, limit=100)
    assert sorted(tag for page in pages for tag in page.tags) == sorted(
        f"t{number}" for number in range(2 * versions)
    )
    assert sum("best" in page.aliases for page in pages) == 1


async def test_a_name_of_a_key_is_given_once(servers: list[Store], db: Store) -> None:
    async def create(server: Store, number: int) -> keys.Key:
        return await server.change(
            lambda conn: keys.create(
                conn, f"s{number}", name="k", scope="read", project_id=None, expires_at=None, now=1
            )
        )

    outcomes = await together(servers, create)
    assert sum(isinstance(outcome, ConflictError) for outcome in outcomes) == len(outcomes) - 1
    assert await _rows(db, "SELECT name FROM keys") == [("k",)]


async def _tag(conn: Connection, *, run_id: int) -> None:
    await runs.get(conn, run_id)
    await tags.add(conn, run_id, ["t"])


async def test_runs_are_deleted_while_they_are_logged_to(servers: list[Store], db: Store) -> None:
    run_ids = [await _make_run(db, f"r{number}") for number in range(TIMES)]
    intakes = {id(server): Intake(server) for server in servers}

    async def change(server: Store, number: int) -> None:
        run_id = run_ids[number // SERVERS]
        if number % SERVERS == 0:
            await deletion.delete_run(server, run_id)
        elif number % SERVERS == 1:
            await server.change(partial(_tag, run_id=run_id))
        else:
            rows = [BatchRow({f"m{step}": 1.0}, step) for step in range(20)]
            await intakes[id(server)].put(run_id, Batch(rows=rows), host="h")

    outcomes = await together(servers, change)
    for outcome in outcomes:
        assert outcome is None or isinstance(outcome, NotFoundError), outcome
    for table in ("runs", "series", "tags", "writers"):
        assert await _rows(db, f"SELECT COUNT(*) FROM {table}") == [(0,)]
    for server in servers:  # what a collection at the same time has left to another one
        await deletion.delete_runs(server, [])
    assert await _rows(db, "SELECT COUNT(*) FROM deleted_series") == [(0,)]


async def test_a_project_is_deleted_while_runs_are_created(servers: list[Store], db: Store) -> None:
    await _make_run(db, "first")

    async def change(server: Store, number: int) -> None:
        if number == TIMES:
            await deletion.delete_project(server, 1)
        else:
            await attach(server, _message(number), Grant("admin"), is_running=lambda _: False)

    outcomes = await together(servers, change)
    assert not [outcome for outcome in outcomes if outcome is not None]
    # The other runs are in a new project.
    assert await _rows(db, "SELECT id FROM projects WHERE id = 1") == []
