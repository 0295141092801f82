"""Journals that are damaged, deleted, or cannot be written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ingest.test_frames import OPENED
from trackai import guard, locks
from trackai.ingest import frames, journal
from trackai.ingest.drain import Drain
from trackai.ingest.frames import Keys, Points, encode
from trackai.ingest.journal import JournalWriter
from trackai.ingest.reader import READ_BYTES, JournalReader
from trackai.ingest.recovery import recover
from trackai.locks import try_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from trackai.store.engine.database import Database


def write(folder: Path, calls: int, **options: Any) -> JournalWriter:
    writer = JournalWriter(folder, OPENED, **options)
    for step in range(calls):
        writer.append_points("step", ("a",), step, step + 1, [step / 2])
    return writer


async def steps(db: Database) -> list[int]:
    async with db.read() as conn:
        rows = await conn.execute_fetchall("SELECT step FROM metrics ORDER BY step")
        return [step for (step,) in rows]


def ends(path: Path) -> list[int]:
    """The offsets at which the frames of a journal end."""
    return [end for _, end in frames.decode(path.read_bytes())[0]]


@pytest.mark.parametrize("part", ["length", "checksum", "payload"])
async def test_one_damaged_frame_costs_one_call(
    db: Database, caplog: pytest.LogCaptureFixture, part: str
) -> None:
    writer = write(db.spool, 100)
    [path] = writer.paths
    writer.close()
    data = bytearray(path.read_bytes())
    begin = ends(path)[50]  # after the opening frame, the names and 49 calls
    data[begin + {"length": 1, "checksum": 5, "payload": 12}[part]] ^= 0x10
    path.write_bytes(data)
    [report] = await recover(db)
    assert await steps(db) == [step for step in range(100) if step != 49]
    assert (report.points, report.ended, len(report.damages)) == (99, False, 1)
    assert f"at byte {begin} " in report.damages[0]
    renamed = path.with_name(path.name + ".damaged")
    assert renamed.read_bytes() == data
    assert str(renamed) in caplog.text
    assert f"at byte {begin} " in caplog.text
    assert not path.exists()
    assert await recover(db) == []


async def test_a_damaged_first_frame_is_replaced_by_the_database(db: Database) -> None:
    writer = write(db.spool, 10)
    [path] = writer.paths
    drain = Drain(db, path)
    await drain.store_next()
    for step in range(10, 20):
        writer.append_points("step", ("a",), step, step + 1, [1.0])
    writer.close()
    data = bytearray(path.read_bytes())
    data[10] ^= 1
    path.write_bytes(data)
    [report] = await recover(db)
    assert report.run == OPENED.run_slug
    assert await steps(db) == list(range(20))


async def test_damaged_names_are_not_guessed(db: Database) -> None:
    writer = write(db.spool, 10)
    writer.append_points("step", ("b",), 10, 11, [1.0])
    [path] = writer.paths
    writer.close()
    data = bytearray(path.read_bytes())
    data[ends(path)[0] + 9] ^= 1  # the names of the first calls
    path.write_bytes(data)
    [report] = await recover(db)
    assert await steps(db) == [10]
    assert "without names" in " ".join(report.damages)


@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=20),
    st.data(),
    st.binary(min_size=1, max_size=60),
)
def test_bytes_between_frames_are_skipped(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], data: st.DataObject, noise: bytes
) -> None:
    encoded = [encode(OPENED), encode(Keys(0, "step", ("a",)))]
    encoded += [encode(Points(0, step, step, ["x" * size])) for step, size in enumerate(sizes)]
    position = data.draw(st.integers(2, len(encoded)))
    path = tmp_path_factory.mktemp("journal") / "j"
    path.write_bytes(b"".join([*encoded[:position], noise, *encoded[position:]]))
    reader = JournalReader(path)
    read: list[float] = []
    while (batch := reader.read(50, final=True)) is not None:
        read += [step for column in batch.columns() for step in column.steps]
    assert read == list(range(len(sizes)))


@pytest.mark.parametrize("size", [1, READ_BYTES + 1000])
async def test_a_call_that_cannot_be_stored_does_not_block_others(
    db: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, size: int
) -> None:
    monkeypatch.setattr(guard, "reraise", False)
    writer = JournalWriter(db.spool, OPENED)
    writer.append_points("step", ("text",), 0, 1, ["x" * size])  # read again each time
    for step in range(1, 200):
        writer.append_points("step", ("a",), step, step + 1, [1.0])
    writer.append_points("step", ("a",), 1 << 63, 1000, [1.0])  # too large for SQLite
    for step in range(200, 300):
        writer.append_points("step", ("a",), step, step + 2000, [1.0])
    writer.close()
    with anyio.fail_after(60):
        [report] = await recover(db)
    assert await steps(db) == list(range(300))
    assert "OverflowError" in report.damages[0]
    assert "please report" in caplog.text
    assert report.kept is not None


async def test_a_deleted_journal_is_recreated(db: Database) -> None:
    writer = write(db.spool, 100, rotate_bytes=1000)
    paths = writer.paths
    assert len(paths) > 2
    for path in paths:
        path.unlink()
    assert writer.restore() == paths
    assert writer.restore() == []
    assert await recover(db) == [], "they are locked"
    writer.append_points("step", ("a",), 100, 101, [1.0])
    writer.close()
    await recover(db)
    assert await steps(db) == list(range(101))


async def test_only_old_files_are_removed_as_abandoned(db: Database) -> None:
    db.spool.mkdir(parents=True, exist_ok=True)
    newborn = db.spool / "1-w-000000.journal.new"  # created, and about to be locked
    newborn.touch()
    await recover(db)
    with newborn.open("rb+") as file:
        assert try_lock(file.fileno())
    two_hours_ago = time.time() - 7200
    os.utime(newborn, (two_hours_ago, two_hours_ago))
    with newborn.open("rb+") as file:
        assert try_lock(file.fileno())
        await recover(db)
        assert newborn.exists()
    await recover(db)
    assert not newborn.exists()


async def test_bytes_of_files_that_no_journal_refers_to_are_removed(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.spool.mkdir(parents=True, exist_ok=True)
    kept = [db.spool / f"1-damaged-{number}.bytes" for number in range(2)]
    abandoned = [db.spool / f"1-killed{number % 3}-{number}.bytes" for number in range(50)]
    recent = db.spool / "1-killed0-recent.bytes"
    (db.spool / "1-damaged-000000.journal.damaged").touch()
    for path in (*kept, *abandoned, recent):
        path.touch()
    for path in (*kept, *abandoned):
        os.utime(path, (1, 1))
    glob, patterns = type(db.spool).glob, []

    def counting_glob(folder: Path, pattern: str) -> Iterator[Path]:
        patterns.append(pattern)
        return glob(folder, pattern)

    monkeypatch.setattr(type(db.spool), "glob", counting_glob)
    await recover(db)
    assert len(patterns) < 10, "the folder is not listed for each file"
    assert sorted(db.spool.glob("*.bytes")) == sorted([*kept, recent])


async def test_calls_above_the_limit_of_memory_are_dropped_and_counted(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = write(db.spool, 10, held_bytes=2000)

    def full(fd: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("trackai.ingest.journal.write", full)
        for step in range(10, 500):
            writer.append_points("step", ("b",), step, step + 1, [1.0])
        assert not writer.retry()
        assert writer.failure is not None
    held = 490 - writer.dropped
    assert 10 < held < 200
    assert writer.retry()
    for step in range(500, 510):
        writer.append_points("step", ("b",), step, step + 1, [1.0])
    writer.close()
    await recover(db)
    assert await steps(db) == [*range(10 + held), *range(500, 510)]


async def test_a_failed_flush_to_disk_is_retried(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = write(db.spool, 10, rotate_bytes=1000, sync_each=True)

    def fails(fd: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("trackai.ingest.journal.sync", fails)
        for step in range(10, 200):
            writer.append_points("step", ("a",), step, step + 1, [1.0])
        assert len(writer.paths) > 2
        assert not writer.retry()
        assert "Input/output error" in str(writer.failure)
    assert writer.retry()
    writer.close()
    await recover(db)
    assert await steps(db) == list(range(200))


async def test_a_partial_write_is_truncated(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = write(db.spool, 10)

    def half(fd: int, data: bytes) -> int:
        return os.write(fd, data[: len(data) // 2])

    with monkeypatch.context() as patch:
        patch.setattr("trackai.ingest.journal.write", half)
        for step in range(10, 20):
            writer.append_points("step", ("a",), step, step + 1, [1.0])
        assert not writer.retry()
    assert writer.retry()
    [path] = writer.paths
    assert ends(path)[-1] == path.stat().st_size
    writer.close()
    await recover(db)
    assert await steps(db) == list(range(20))


# A limit on the size of the database, and a full disk for the journal, which no new file can help.
FULL_DISK = """
    import os, resource, time, trackai
    from trackai.ingest import journal

    def write(fd, data):
        if -1 < space < os.fstat(fd).st_size + len(data):
            raise OSError(28, "No space left on device")
        return os.write(fd, data)

    def limit(size):
        global space
        space = size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, -1))

    space, journal.write = -1, write
    run = trackai.init(project="p", name="r")
    for step in range(100):
        run.log({"x": step})
    time.sleep(0.5)
    limit(20_000)
    for step in range(100, 1300):
        run.log({"x": step})
    time.sleep(0.5)
"""


def test_training_continues_while_the_disk_is_full(
    db_path: Path, run_python: Callable[..., Any]
) -> None:
    result = run_python(FULL_DISK + "    limit(-1)\n    run.log({'x': 1300})\n    run.finish()")
    assert result.stderr.count("cannot be written") <= 2, result.stderr
    assert "held in memory" in result.stderr
    assert "can be written again" in result.stderr
    assert stored(db_path) == list(range(1301))


def test_a_full_disk_is_reported_once(db_path: Path, run_python: Callable[..., Any]) -> None:
    result = run_python(
        """
        import time, trackai
        from trackai.ingest import journal
        from trackai.sdk import recorder

        turns = 0
        store_pending = recorder.Recorder._store_pending

        async def counted(self):
            global turns
            await store_pending(self)
            turns += 1

        def wait():
            until = turns + 3
            while turns < until:
                time.sleep(0.01)

        def full(fd, data):
            raise OSError(28, "No space left on device")

        recorder._POLL_SECONDS = 0.01
        recorder.Recorder._store_pending = counted
        journal.JournalWriter.__init__.__kwdefaults__["held_bytes"] = 1000
        run = trackai.init(project="p", name="r")
        run.log({"x": 0})
        write, journal.write = journal.write, full
        for step in range(1, 100):
            run.log({"x": step})
        wait()
        journal.write = write
        wait()
        run.log({"x": 100})
        wait()
        run.finish()
        """
    )
    messages = [line.partition(":")[0] for line in result.stderr.splitlines()]
    assert messages[0] == "the journal cannot be written, points are held in memory for now"
    assert messages[1].startswith("no more points can be held in memory")
    assert messages[2] == "the journal can be written again"
    assert messages[3].endswith("calls of log() could not be stored")
    assert len(messages) == 4, result.stderr
    assert "None" not in result.stderr
    assert 100 in stored(db_path)


def test_points_that_a_full_disk_cannot_take_are_written_elsewhere(
    db_path: Path, tmp_path: Path, run_python: Callable[..., Any]
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    result = run_python(FULL_DISK + "    limit(90_000)\n    run.finish()", TMPDIR=str(elsewhere))
    # The journal fits in again, the database does not.
    assert "not all points could be stored" in result.stderr, result.stderr
    shown = trackai("recover", "--json", db=db_path)
    assert shown["recovered"][0]["ended"] is True
    assert stored(db_path) == list(range(1300))
    db_path.unlink()
    result = run_python(FULL_DISK + "    run.finish()", TMPDIR=str(elsewhere))
    [rescued] = elsewhere.glob("*.journal")
    assert f"trackai recover {rescued}" in result.stderr
    assert "can be written again" not in result.stderr
    trackai("recover", "--json", db=db_path)
    assert len(stored(db_path)) < 1300
    trackai("recover", "--json", str(rescued), db=db_path)
    assert stored(db_path) == list(range(1300))
    assert not rescued.exists()


LIMITED = """
    import resource, trackai
    run = trackai.init(project="p", name="r")
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, -1))
    for step in range(20_000):
        run.log({"x": step} if step % 3 else {"x": step, f"y{step % 7}": step}, step=step)
"""


def test_a_call_that_is_larger_than_the_size_limit(
    db_path: Path, run_python: Callable[..., Any]
) -> None:
    large = """
    run.log({"text": "x" * 200_000})
    run.log({"x": 20_000}, step=20_000)
    run.finish()
"""
    messages = run_python(LIMITED + large).stderr.splitlines()
    reason = "larger than the file-size limit (ulimit -f)"
    assert f"a call of log() was {reason}: it is lost" in messages
    assert f"1 calls of log() could not be stored: {reason}" in messages
    trackai("recover", "--json", db=db_path)
    assert 20_000 in stored(db_path)


@pytest.mark.parametrize("end", ["run.finish()", "import os; os._exit(1)"])
def test_a_journal_continues_in_a_next_file_at_the_size_limit(
    db_path: Path, run_python: Callable[..., Any], end: str
) -> None:
    """Nothing is held in memory: the calls survive a crash."""
    result = run_python(LIMITED + f"    {end}", check=False)
    assert "held in memory" not in result.stderr
    assert "could not be stored: " not in result.stderr
    journals = list(db_path.with_name(db_path.name + "-spool").glob("*.journal"))
    assert len(journals) > 3
    assert all(path.stat().st_size <= 100_000 for path in journals)
    trackai("recover", "--json", db=db_path)
    assert sorted({value for value in stored(db_path) if value >= 0}) == list(range(20_000))


async def test_held_calls_continue_in_next_files(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit is met while calls are written that were held, and by a call above the limit."""
    writer = write(db.spool, 10)
    create = locks.create_locked

    def refuse(fd: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    def limited(fd: int, data: bytes) -> int:
        if room := max(0, 600 - os.fstat(fd).st_size):
            return os.write(fd, data[:room])
        raise OSError(27, "File too large")

    def create_limited(path: Path, content: bytes) -> int:
        if len(content) > 600:
            raise OSError(27, "File too large")
        return create(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(journal, "write", refuse)
        for step in range(10, 200):
            writer.append_points("step", ("b",), step, step + 1, [step / 2])
        writer.append_points("step", ("text",), 0, 1, ["x" * 700])
        patch.setattr(journal, "write", limited)
        patch.setattr(journal, "create_locked", create_limited)
        assert writer.retry()
        assert (writer.held, writer.dropped) == (0, 1)
        for step in range(200, 400):
            writer.append_points("step", ("b",), step, step + 1, [step / 2])
    assert len(writer.paths) > 10
    writer.close()
    reports = await recover(db)
    assert not any(report.damages for report in reports)
    assert await steps(db) == list(range(400))


async def test_a_rescued_journal_has_nothing_left_to_write(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = write(db.spool, 10)

    def refuse(fd: int, data: bytes) -> int:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(journal, "write", refuse)
    for step in range(10, 20):
        writer.append_points("step", ("a",), step, step + 1, [1.0])
    assert not writer.retry()
    [rescued] = writer.rescue(tmp_path)
    assert (writer.held, writer.failure) == (0, None)
    writer.close()
    await recover(db)
    await recover(db, [rescued])
    assert await steps(db) == list(range(20))


@pytest.mark.parametrize("what", ["trackai.db-spool", "."])
def test_folders_that_are_deleted_while_logging(
    db_path: Path, run_python: Callable[..., Any], what: str
) -> None:
    result = run_python(
        f"""
        import shutil, time, trackai
        run = trackai.init(project="p", name="r")
        for step in range(1000):
            run.log({{"x": step}})
        time.sleep(0.5)
        shutil.rmtree({str(db_path.parent / what)!r})
        for step in range(1000, 2000):
            run.log({{"x": step}})
        time.sleep(0.5)
        run.log({{"x": 2000}})
        run.finish()
        """
    )
    assert "has been recreated" in result.stderr
    assert stored(db_path) == list(range(2001))


def stored(path: Path) -> list[int]:
    import sqlite3

    connection = sqlite3.connect(path)
    try:
        points = connection.execute("SELECT value FROM points ORDER BY value").fetchall()
        [(counted,)] = connection.execute("SELECT sum(points) FROM series").fetchall()
        assert counted == len(points)
        return [value for (value,) in points]
    finally:
        connection.close()


def trackai(*arguments: str, db: Path) -> Any:
    result = subprocess.run(
        [sys.executable, "-m", "trackai.cli", *arguments, "--db", str(db)],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(result.stdout)
