"""Transactions are as large as fits a fifth of a second."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import pytest

import trackai
from trackai.importers import storing
from trackai.importers.loader import load_runs
from trackai.importers.receipt import Receipt
from trackai.ingest.batches import Batch, BatchColumn
from trackai.ingest.intake import Intake
from trackai.store.catalogue import projects, runs
from trackai.store.engine.database import Database
from trackai.store.engine.pace import Pace
from trackai.store.upkeep import deletion
from trackai.structs.exchange import Block, RunHead, WriterHead

if TYPE_CHECKING:
    from pathlib import Path


def test_the_next_amount_follows_from_the_time_of_the_last() -> None:
    pace = Pace(1000, smallest=100, largest=4000)
    pace.adapt(1000, 0.001)
    assert pace.size == 2000  # at most twice as much
    pace.adapt(10, 0.001)
    assert pace.size == 2000  # a small transaction tells nothing
    pace.adapt(2000, 0.24)
    assert pace.size == 1500
    pace.adapt(10, 0.8)
    assert pace.size == 750  # at most by half
    for _ in range(9):
        pace.adapt(pace.size, 0.4)
    assert pace.size == 100
    for _ in range(9):
        pace.adapt(pace.size, 0.001)
    assert pace.size == 4000
    pace.adapt(1_000_000, 0.2)  # one large item
    assert pace.size == 4000


class Transactions:
    """Counts the transactions of all databases, each of which seems to take a second."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        change = Database.change

        async def counting(db: Database, work: Any, *, bulk: bool = False) -> Any:
            self.count += 1
            result = await change(db, work, bulk=bulk)
            db.held_seconds = 1.0
            return result

        monkeypatch.setattr(Database, "change", counting)


@pytest.mark.sqlite("only one transaction at a time can write to a file")
def test_a_backlog_is_stored_in_many_transactions(
    db_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transactions = Transactions(monkeypatch)
    with trackai.init(project="p") as run:
        for step in range(50):
            run.log({"text": f"{step}" * 200_000}, step=step)
    assert transactions.count >= 50  # each text alone


@pytest.mark.sqlite("only one transaction at a time can write to a file")
async def test_a_group_of_batches_is_limited(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    transactions = Transactions(monkeypatch)
    async with db.write() as conn:
        project = await projects.get_or_create(conn, "p", now=1)
        run = await runs.create(
            conn, uid="u", project_id=project.id, slug="r", name=None, group_name=None, now=1
        )
    intake = Intake(db)
    transactions.count = 0
    async with anyio.create_task_group() as tasks:
        for step in range(30):
            batch = Batch(columns=[BatchColumn("text", ["x" * 1_000_000], [step])])
            tasks.start_soon(partial(intake.put, run.id, batch, host="h"))
    assert transactions.count > 4


@pytest.mark.sqlite("only one transaction at a time can write to a file")
async def test_an_import_is_stored_in_short_transactions(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "_SECONDS", 0.0)
    transactions = Transactions(monkeypatch)
    writer = WriterHead(uid="w", host="h", pid=1, attempt=1, rank=0, started_at=1)
    numbers = list(range(100))
    values = ["x" * 100_000 if number % 2 else float(number) for number in numbers]
    head = RunHead(uid="u", project="p", run_id="r", state="completed", created_at=1)
    block = Block(
        run_uid="u", metric="m", kind="number", writer=writer, steps=[*numbers],
        timestamps=numbers, values=values,
    )  # fmt: skip
    receipt = Receipt("", "")
    await load_runs(db, [head, block], receipt)
    assert receipt.stored == 100
    # One begins the run, one ends it; the others store a million characters each.
    assert transactions.count == 1 + 5 + 1
    async with db.read() as conn:
        rows = await conn.execute_fetchall("SELECT value FROM points ORDER BY step")
    assert [value for (value,) in rows] == values


@pytest.mark.sqlite("only one transaction at a time can write to a file")
async def test_many_runs_are_deleted_in_short_transactions(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion, "_SECONDS", 0.0)
    transactions = Transactions(monkeypatch)
    async with db.write() as conn:
        project = await projects.get_or_create(conn, "p", now=1)
        ids = [
            (
                await runs.create(
                    conn, uid=f"u{number}", project_id=project.id, slug=f"r{number}", name=None,
                    group_name=None, now=1,
                )
            ).id
            for number in range(12)
        ]  # fmt: skip
    deleted = await deletion.delete_runs(db, [*ids[:5], 99])
    assert deleted.runs == ids[:5]
    assert transactions.count >= 5
    project, _ = await deletion.delete_project(db, project.id)
    assert project.name == "p"
    async with db.read() as conn:
        assert await runs.existing(conn, ids) == []
