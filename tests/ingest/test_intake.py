"""The intake: groups, overload, failures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from tests.conftest import count_points
from trackai.errors import NotFoundError, OverloadedError, StoreError, TrackAIError
from trackai.ingest import batches
from trackai.ingest import intake as intakes
from trackai.ingest.batches import Batch, BatchRow
from trackai.ingest.intake import Intake, Receipt
from trackai.store.catalogue import projects, runs
from trackai.store.engine.sql import lock
from trackai.structs.points import Column

if TYPE_CHECKING:
    from pathlib import Path

    from trackai.store.engine.store import Store


# No change of a run succeeds between these statements.
_REFUSAL = {
    "sqlite": (
        "CREATE TRIGGER refuse BEFORE UPDATE ON runs BEGIN SELECT RAISE(ABORT, 'no'); END",
        "DROP TRIGGER refuse",
    ),
    "postgresql": (
        "ALTER TABLE runs ADD CONSTRAINT refuse CHECK (false) NOT VALID",
        "ALTER TABLE runs DROP CONSTRAINT refuse",
    ),
}


async def _make_run(db: Store, slug: str) -> int:
    async with db.write() as conn:
        project = await projects.get_or_create(conn, "p", now=1)
        run = await runs.create(
            conn, uid=slug, project_id=project.id, slug=slug, name=None, group_name=None, now=1
        )
    return run.id


def _batch(step: int, batch_id: str | None = None) -> Batch:
    return Batch(rows=[BatchRow({"x": float(step)}, step)], batch_id=batch_id)


async def _count(db: Store, sql: str) -> int:
    async with db.read() as conn:
        ((number,),) = await conn.execute_fetchall(sql)
    return int(number)


async def _put_all(
    intake: Intake, batches: list[tuple[int, Batch]]
) -> list[Receipt | TrackAIError]:
    outcomes: list[Receipt | TrackAIError] = [StoreError("none")] * len(batches)

    async def put(number: int, run: int, batch: Batch) -> None:
        try:
            outcomes[number] = await intake.put(run, batch, host="h")
        except TrackAIError as error:
            outcomes[number] = error

    async with anyio.create_task_group() as tasks:
        for number, (run, batch) in enumerate(batches):
            tasks.start_soon(put, number, run, batch)
    return outcomes


async def test_batches_that_wait_together_are_one_transaction(
    db: Store, db_path: Path | str
) -> None:
    run = await _make_run(db, "r")
    # The block holds what a transaction needs, so that all batches have to wait.
    async with anyio.create_task_group() as tasks, db.write() as conn:
        await lock(conn, "runs", [run])
        before = db.transactions
        tasks.start_soon(_put_all, Intake(db), [(run, _batch(n)) for n in range(100)])
        await anyio.wait_all_tasks_blocked()
    # One with the first batch or all of them, and another one with the others.
    assert 1 <= db.transactions - before <= 2
    assert count_points(db_path) == 100
    assert await _count(db, "SELECT points FROM series") == 100


async def test_a_refused_batch_does_not_affect_the_others_of_its_group(db: Store) -> None:
    run = await _make_run(db, "r")
    first, missing, repeated, last = await _put_all(
        Intake(db),
        [(run, _batch(1, "a")), (run + 1, _batch(2, "b")), (run, _batch(1, "a")), (run, _batch(3))],
    )
    assert first == Receipt(1, False)
    assert isinstance(missing, NotFoundError)
    assert repeated == Receipt(1, True)
    assert last == Receipt(1, False)
    assert await _count(db, "SELECT coalesce(sum(points), 0) FROM series") == 2


async def test_a_failed_transaction_fails_all_batches_of_its_group(db: Store, engine: str) -> None:
    run = await _make_run(db, "r")
    refuse, allow = _REFUSAL[engine]
    async with db.write() as conn:
        await conn.execute(refuse)
    intake = Intake(db)
    outcomes = await _put_all(intake, [(run, _batch(n, str(n))) for n in range(10)])
    assert all(isinstance(outcome, StoreError) for outcome in outcomes)
    assert await _count(db, "SELECT coalesce(sum(points), 0) FROM series") == 0
    async with db.write() as conn:
        await conn.execute(allow)
    assert await intake.put(run, _batch(1, "1"), host="h") == Receipt(1, False)


async def test_bytes_above_the_limit_are_refused(
    db: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intakes, "MAX_WAITING_BYTES", 100)
    intake = Intake(db)
    with intake.room() as take:
        take(10)
        take(50)
        with intake.room() as take_more:
            take_more(30)
            with pytest.raises(OverloadedError):
                take_more(30)
        with intake.room() as take_more:
            take_more(40)
    with intake.room() as take:
        take(100)


@pytest.mark.parametrize("cancelled", [0, 1, 2])
async def test_a_cancelled_client_does_not_block_the_others(
    db: Store, cancelled: int, engine: str
) -> None:
    """The first task stores, the second is next: the others must not wait for a cancelled one."""
    run = await _make_run(db, "r")
    intake = Intake(db)
    outcomes: dict[int, Receipt | TrackAIError] = {}
    scopes = [anyio.CancelScope() for _ in range(4)]

    async def put(number: int) -> None:
        with scopes[number]:
            try:
                outcomes[number] = await intake.put(run, _batch(number, str(number)), host="h")
            except TrackAIError as error:
                outcomes[number] = error

    async with anyio.create_task_group() as tasks, db.write() as conn:
        await lock(conn, "runs", [run])
        for number in range(4):
            tasks.start_soon(put, number)
            await anyio.wait_all_tasks_blocked()
        scopes[cancelled].cancel()
        await anyio.wait_all_tasks_blocked()
    expected = {0, 1, 2, 3} - {cancelled}
    if engine == "postgresql" and cancelled == 0:
        expected.add(0)  # its transaction has begun, and is not interrupted
    assert outcomes.keys() == expected
    assert intake.waiting == 0
    for number in range(4):  # and all can be sent again
        assert isinstance(await intake.put(run, _batch(number, str(number)), host="h"), Receipt)
    assert await _count(db, "SELECT coalesce(sum(points), 0) FROM series") == 4


async def test_a_client_of_a_resumed_run_logs_to_its_latest_attempt(db: Store) -> None:
    from trackai.store.catalogue import writers
    from trackai.store.points import metrics
    from trackai.structs.points import Column

    run = await _make_run(db, "r")
    async with db.write() as conn:
        for attempt in (1, 2):
            writer = await writers.get_or_create(
                conn, uid=f"w{attempt}", run_id=run, attempt=attempt, rank=0, host="h", pid=1, now=1
            )
            column = Column("x", "step", [0, 1], [attempt, attempt], [float(attempt)] * 2)
            await metrics.append(conn, run, writer, [column])
    await Intake(db).put(run, _batch(9), host="h")
    assert await _count(db, "SELECT max(attempt) FROM writers WHERE uid LIKE 'http-%'") == 2
    assert await _count(db, "SELECT points FROM series") == 3


def test_points_at_the_same_time_are_separated_in_linear_time() -> None:
    count = 100_000
    column = Column("gpu", "time", [5] * count, [5] * count, [0.5] * count)
    batches._separate_duplicates(column)
    assert column.timestamps == column.steps == list(range(5, 5 + count))
    column = Column("loss", "step", [1, 1, 1, 2, 1], [5, 6, 5, 5, 5], [0.5] * 5)
    batches._separate_duplicates(column)
    assert column.timestamps == [5, 6, 7, 5, 8]
