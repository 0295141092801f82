"""Journals are stored exactly once, also by several processes and after crashes."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import msgspec
import pytest

from tests.ingest.test_frames import OPENED
from trackai import guard
from trackai.ingest import deliveries, recovery
from trackai.ingest.drain import Drain
from trackai.ingest.frames import Ended
from trackai.ingest.journal import JournalWriter
from trackai.ingest.reader import READ_BYTES
from trackai.ingest.recovery import recover
from trackai.store.catalogue import runs
from trackai.store.engine import transactions
from trackai.store.points import metrics
from trackai.store.upkeep import garbage

if TYPE_CHECKING:
    from trackai.store.engine.database import Database
    from trackai.structs.points import Column

pytestmark = pytest.mark.sqlite("about journals beside a file")


def write(db: Database, calls: int = 100, **fields: Any) -> JournalWriter:
    writer = JournalWriter(db.spool, msgspec.structs.replace(OPENED, **fields), rotate_bytes=300)
    for number in range(calls):
        writer.append_points("step", ("a", "b"), number, number + 1, [float(number), number])
    return writer


def write_calls(db: Database, *, names: int, calls: int) -> JournalWriter:
    writer = JournalWriter(db.spool, OPENED)
    paths = tuple(f"metric/{number}" for number in range(names))
    for step in range(calls):
        writer.append_points("step", paths, step, step + 1, [step / 7] * names)
    return writer


async def counts(db: Database) -> tuple[int, int, int]:
    """The number of points by their rows, of points by the figures of series, and of runs."""
    async with db.read() as conn:
        rows = await conn.execute_fetchall(
            """
            SELECT (SELECT COUNT(*) FROM metrics),
                   (SELECT coalesce(sum(points), 0) FROM series),
                   (SELECT COUNT(*) FROM runs)
            """
        )
        return next(iter(rows))  # type: ignore[return-value]


async def test_storing_again_changes_nothing(db: Database) -> None:
    writer = write(db)
    for _ in range(3):
        for path in writer.paths:
            await Drain(db, path).store_all()
        assert await counts(db) == (200, 200, 1)
    writer.close()


async def test_many_drains_at_once_store_once(db: Database) -> None:
    writer = write(db, 500)
    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            for path in writer.paths:
                tasks.start_soon(Drain(db, path).store_all)
    assert await counts(db) == (1000, 1000, 1)
    writer.close()


async def test_a_failed_transaction_is_retried(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = write(db, 10)
    drain = Drain(db, writer.paths[0])

    async def fails(*_: object) -> None:
        raise OSError("no")

    with monkeypatch.context() as patch:
        patch.setattr("trackai.ingest.deliveries.journals.set_positions", fails)
        with pytest.raises(OSError, match="no"):
            await drain.store_all()
    assert await counts(db) == (0, 0, 0)
    await drain.store_all()
    assert await counts(db) == (20, 20, 1)
    assert await drain.is_stored()
    writer.close()


async def test_a_failed_commit_is_retried_after_the_next_batch_was_read(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = write_calls(db, names=10, calls=8000)
    drain = Drain(db, writer.paths[0])
    assert await drain.store_next()
    commit = transactions.commit

    async def fails(*arguments: Any, **named: Any) -> None:
        await commit(*arguments, **named)
        raise OSError("no")

    async def is_cut(conn: Any, **_: object) -> None:
        raise OSError("no")

    for broken in (is_cut, fails):  # the transaction is rolled back, or its outcome is unknown
        with monkeypatch.context() as patch:
            patch.setattr(transactions, "commit", broken)
            with pytest.raises(OSError, match="no"):
                await drain.store_next()
    await drain.store_all(final=True)
    assert await counts(db) == (80_000, 80_000, 1)
    assert await drain.is_stored()
    writer.close()


async def test_a_call_that_cannot_be_prepared_is_set_aside(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if its batch is read while the one before is committed."""
    writer = write_calls(db, names=10, calls=8000)
    prepare = metrics.prepare

    def fails(columns: list[Column]) -> list[metrics.Prepared]:
        if any(7990 in column.steps for column in columns):
            raise ValueError("no")
        return prepare(columns)

    monkeypatch.setattr(metrics, "prepare", fails)
    monkeypatch.setattr(guard, "reraise", False)
    drain = Drain(db, writer.paths[0])
    await drain.store_all(final=True)
    assert await counts(db) == (79_990, 79_990, 1)
    assert [damage.problem for damage in drain.damages] == ["ValueError('no')"]
    writer.close()


async def test_many_metrics_are_stored_in_few_transactions(db: Database) -> None:
    writer = write_calls(db, names=2000, calls=100)
    # Each transaction seems to take long: without a least number of points, each call has its own.
    drain = Drain(db, writer.paths[0])
    before, batches = db.transactions, 0
    while await drain.store_next(final=True):
        batches += 1
        drain._pace.adapt(1 << 20, 10.0)
    assert await counts(db) == (200_000, 200_000, 1)
    assert db.transactions - before == batches <= 100 * 2000 // (32 * 2000) + 2
    writer.close()


async def test_new_metrics_in_each_call_do_not_make_batches_larger(db: Database) -> None:
    writer = JournalWriter(db.spool, OPENED)
    for number in range(100):
        names = tuple(f"metric/{number}/{at}" for at in range(200))
        writer.append_points("step", names, number, number + 1, [0.5] * 200)
    drain = Drain(db, writer.paths[0])
    sizes = []
    while await drain.store_next(final=True):
        drain._pace.adapt(1 << 20, 10.0)
        sizes.append(drain._size)
    assert max(sizes) <= READ_BYTES
    assert await counts(db) == (20_000, 20_000, 1)
    writer.close()


async def test_a_replaced_database_gets_all_points_again(db: Database) -> None:
    writer = write(db, 10)
    drain = Drain(db, writer.paths[0])
    await drain.store_all()
    db.path.unlink()
    assert not await drain.is_stored()
    writer.append_points("step", ("a", "b"), 10, 11, [10.0, 10])
    await Drain(db, writer.paths[0]).store_all()
    assert await counts(db) == (22, 22, 1)
    writer.close()


async def test_a_restored_copy_of_a_database_gets_the_missing_points(
    db: Database, tmp_path: Path
) -> None:
    """A copy from before the last points replaces the file."""
    writer = write(db, 10)
    await Drain(db, writer.paths[0]).store_all()
    await db.checkpoint()
    shutil.copyfile(db.path, tmp_path / "copy.db")
    for number in range(10, 20):
        writer.append_points("step", ("a", "b"), number, number + 1, [float(number), number])
    for path in writer.paths:
        last = Drain(db, path)
        await last.store_all()
    assert await last.is_stored()
    assert await counts(db) == (40, 40, 1)
    (tmp_path / "copy.db").replace(db.path)
    assert await counts(db) == (20, 20, 1)
    assert not await last.is_stored()
    writer.close()
    await recover(db)
    assert await counts(db) == (40, 40, 1)


# Is killed before the n-th call of SQLite or removal of a file.
RECOVER = """
import asyncio, os, signal, sys
import aiosqlite
from pathlib import Path
from trackai.ingest.recovery import recover
from trackai.store.engine.database import Database

remaining = int(sys.argv[2])

def before(function):
    def count(*args, **kwargs):
        global remaining
        remaining -= 1
        if remaining == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return count

async def main():
    db = Database(Path(sys.argv[1]))
    await db.open()
    aiosqlite.Connection._execute = before(aiosqlite.Connection._execute)
    os.unlink = before(os.unlink)
    await recover(db)
    await db.close()

asyncio.run(main())
"""


def start_recovery(db: Database, calls: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", RECOVER, str(db.path), str(calls)])


async def test_a_kill_at_any_moment_while_journals_are_recovered(db: Database) -> None:
    writer = write(db, 60)
    assert len(writer.paths) > 2
    writer.close()
    for number in range(1, 200, 7):
        if start_recovery(db, number).wait(timeout=60) == 0:
            break
    else:
        pytest.fail("recovery never finished")
    assert number > 7
    assert await counts(db) == (120, 120, 1)
    async with db.read() as conn:
        assert (await runs.get(conn, 1)).state == "failed"
    assert not list(db.spool.glob("*.journal*"))


async def test_four_processes_recover_at_once(db: Database) -> None:
    for number in range(6):
        write(db, 40, writer_uid=f"w{number}", run_uid=f"r{number}", run_slug=f"r{number}").close()
    processes = [start_recovery(db, 1_000_000) for _ in range(4)]
    assert [process.wait(timeout=60) for process in processes] == [0] * 4
    assert await counts(db) == (480, 480, 6)
    assert not list(db.spool.glob("*.journal*"))


async def test_the_journals_of_a_running_process_are_left_alone(db: Database) -> None:
    """The lock of a real process protects its journals until it ends, in whatever way."""
    with subprocess.Popen(
        [sys.executable, "-c", LIVE, str(db.spool)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert await recover(db) == []
        assert await counts(db) == (0, 0, 0)
        process.kill()
    assert len(await recover(db)) > 1
    assert await counts(db) == (200, 200, 1)
    async with db.read() as conn:
        assert (await runs.get(conn, 1)).state == "failed"


LIVE = """
import sys
from pathlib import Path
from tests.ingest.test_frames import OPENED
from trackai.ingest.journal import JournalWriter

writer = JournalWriter(Path(sys.argv[1]), OPENED, rotate_bytes=1000)
for number in range(100):
    writer.append_points("step", ("a", "b"), number, number + 1, [float(number), number])
print("written", flush=True)
sys.stdin.readline()
"""


async def test_the_journals_of_an_open_writer_are_left_alone(db: Database) -> None:
    writer = write(db)
    assert await recover(db) == []
    assert await counts(db) == (0, 0, 0)
    writer.close()
    assert len(await recover(db)) > 5
    assert await counts(db) == (200, 200, 1)
    assert await recover(db) == []
    assert not list(db.spool.glob("*.journal"))


@pytest.mark.parametrize(("ended", "state"), [(True, "completed"), (False, "failed")])
async def test_a_recovered_run_has_the_state_of_its_writer(
    db: Database, ended: bool, state: str
) -> None:
    writer = write(db)
    if ended:
        writer.append(Ended("completed", 5))
    writer.close()
    await recover(db)
    async with db.read() as conn:
        assert (await runs.get(conn, 1)).state == state


async def test_a_run_that_was_deleted_stays_deleted(db: Database) -> None:
    writer = write(db, 10)
    drain = Drain(db, writer.paths[0])
    await drain.store_all()
    async with db.write() as conn:
        await runs.delete(conn, 1)
    writer.append_points("step", ("a", "b"), 10, 11, [10.0, 10])
    await drain.store_all()
    writer.close()
    await recover(db)
    await garbage.collect(db)
    assert await counts(db) == (0, 0, 0)


async def test_a_late_journal_does_not_end_a_run_that_was_resumed(db: Database) -> None:
    late = write(db, 5, writer_uid="first", attempt=1)
    late.close()
    resumed = write(db, 5, writer_uid="second", attempt=2)
    await Drain(db, resumed.paths[0]).store_all()
    await recover(db)
    async with db.read() as conn:
        assert (await runs.get(conn, 1)).state == "running"
    resumed.close()


async def test_an_incomplete_frame_at_the_end_is_dropped(db: Database) -> None:
    writer = write(db, 3)
    [path] = writer.paths
    writer.close()
    with path.open("ab") as file:
        file.write(b"\x20\x00\x00\x00torn")
    await recover(db)
    assert await counts(db) == (6, 6, 1)
    assert not path.exists()


async def test_a_run_has_the_creation_time_of_its_journal(db: Database) -> None:
    now = time.time_ns() // 1000
    writer = write(db, 1, created_at=now, started_at=now)
    await Drain(db, writer.paths[0]).store_all()
    async with db.read() as conn:
        run = await runs.get(conn, 1)
    assert abs(run.created_at.timestamp() - now / 1e6) < 1e-3
    writer.close()


async def test_a_database_that_is_replaced_during_a_recovery_gets_all_points(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await db.open()
    await db.checkpoint()
    shutil.copyfile(db.path, tmp_path / "backup.db")
    write(db, 50).close()
    real, replaced = deliveries.fail_writer, False

    async def replace_before(*arguments: Any) -> None:
        nonlocal replaced
        if not replaced:
            (tmp_path / "backup.db").replace(db.path)
            replaced = True
        await real(*arguments)

    monkeypatch.setattr(recovery, "fail_writer", replace_before)
    await recover(db)
    assert replaced
    assert await counts(db) == (100, 100, 1)
    assert not list(db.spool.glob("*.journal"))
