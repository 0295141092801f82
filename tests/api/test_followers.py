"""Followers of a run share one reader; slow ones take no more memory than a bound."""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING, Any

import anyio
import pytest

import trackai
from trackai import guard
from trackai.api import followers as followers_module
from trackai.api.followers import MAX_FOLLOWERS, Follower, Followers, TooManyFollowersError
from trackai.errors import NotFoundError
from trackai.store.catalogue import projects, runs, writers
from trackai.store.points import metrics
from trackai.structs.points import Column

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.conftest import Server
    from trackai.store.engine.database import Database


async def _create_run(db: Database) -> int:
    async with db.write() as conn:
        project = await projects.create(conn, "p", "p", now=1)
        run = await runs.create(
            conn, uid="u", project_id=project.id, slug="r", name=None, group_name=None, now=1
        )
    return run.id


async def _log(db: Database, run_id: int, steps: range) -> None:
    async with db.write() as conn:
        writer_id = await writers.get_or_create(
            conn, uid="w", run_id=run_id, attempt=1, rank=0, host="h", pid=1, now=1
        )
        values: list[Any] = [float(step) for step in steps]
        column = Column("loss", "step", [*steps], [*map(int, steps)], values)
        await metrics.append(conn, run_id, writer_id, [column])


def _parse(events: bytes) -> list[tuple[str, Any]]:
    parsed = []
    for event in events.decode().split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in event.splitlines())
        parsed.append((fields["event"], json.loads(fields["data"])))
    return parsed


async def _steps(events: AsyncIterator[bytes], number: int) -> list[float]:
    """Read events until they have had so many points."""
    steps: list[float] = []
    with anyio.fail_after(20):
        while len(steps) < number:
            for name, data in _parse(await anext(events)):
                if name == "points":
                    steps += [point["step"] for point in data["metrics"]["loss"]]
    return steps


async def test_one_reader_serves_all_followers(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await _create_run(db)
    all_followers = Followers(db)
    followers = [await all_followers.add(run_id, None) for _ in range(200)]
    streams = [follower.events() for follower in followers]
    for stream in streams:
        assert [name for name, _ in _parse(await anext(stream))] == ["state"]
    reads = 0
    look = db.look

    async def counted(work: Any) -> Any:
        nonlocal reads
        reads += 1
        return await look(work)

    monkeypatch.setattr(db, "look", counted)
    over = False
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(all_followers.send_changes, lambda: over)
        await _log(db, run_id, range(100))
        chunks = [await anext(stream) for stream in streams]
        assert all(chunk is chunks[0] for chunk in chunks)
        assert reads <= 10
        async with db.write() as conn:
            await runs.set_state(conn, run_id, "completed", now=5)
        names = [_parse(await anext(stream)) for stream in streams]
        assert all(events[-1][1]["state"] == "completed" for events in names)
        over = True
    for stream in streams:
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
    late = await all_followers.add(run_id, None)  # the server is shutting down
    with pytest.raises(StopAsyncIteration):
        await anext(late.events())


async def test_a_slow_follower_is_bounded_and_misses_nothing(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followers_module, "_POLL_SECONDS", 0.005)
    monkeypatch.setattr(followers_module, "MAX_QUEUE", 20_000)
    monkeypatch.setattr(followers_module, "_MAX_POINTS", 250)  # one event is shorter than that
    run_id = await _create_run(db)
    all_followers = Followers(db)
    follower = await all_followers.add(run_id, None)
    stream = follower.events()
    await anext(stream)
    over = False
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(all_followers.send_changes, lambda: over)
        for first in range(0, 5000, 50):
            await _log(db, run_id, range(first, first + 50))
            await anyio.sleep(0.003)
            assert follower._queued_bytes <= 20_000
        assert follower._is_behind
        assert await _steps(stream, 5000) == list(range(5000))
        await _log(db, run_id, range(5000, 5010))
        assert await _steps(stream, 10) == list(range(5000, 5010))
        over = True


async def test_a_follower_with_a_cursor_gets_what_it_missed_before_the_state(db: Database) -> None:
    run_id = await _create_run(db)
    all_followers = Followers(db)
    first = await all_followers.add(run_id, None)
    cursor = first.feed.cursor
    await _log(db, run_id, range(10))
    second = await all_followers.add(run_id, cursor)
    await _log(db, run_id, range(10, 20))
    stream = second.events()
    # What is stored after it has joined comes once, and not with what it has missed.
    assert await _steps(stream, 10) == list(range(10))
    assert [name for name, _ in _parse(await anext(stream))] == ["state"]
    await second.feed.poll()
    assert await _steps(stream, 10) == list(range(10, 20))


async def test_the_end_of_a_run_or_session_ends_the_events(db: Database) -> None:
    run_id = await _create_run(db)
    all_followers = Followers(db)
    ended: list[Follower] = []
    followers = [await all_followers.add(run_id, None) for _ in range(2)]
    followers.append(await all_followers.add(run_id, None, lambda: bool(ended)))
    streams = [follower.events() for follower in followers]
    for stream in streams:
        await anext(stream)
    ended.append(followers[2])
    await followers[0].feed.poll()
    with pytest.raises(StopAsyncIteration):
        await anext(streams[2])
    async with db.write() as conn:
        await runs.delete(conn, run_id)
    with pytest.raises(NotFoundError):
        await all_followers.add(run_id, None)
    for stream in streams[:2]:
        assert _parse(await anext(stream)) == [("state", {"state": "deleted"})]
        with pytest.raises(StopAsyncIteration):
            await anext(stream)


async def test_a_run_that_cannot_be_read_ends_only_its_own_events(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "reraise", False)
    run_id = await _create_run(db)
    all_followers = Followers(db)
    fine = await all_followers.add(run_id, None)
    broken = Follower(followers_module._Feed(db, anyio.Semaphore(1), fine.feed.run, 0), 0, bool)
    broken.feed.followers.add(broken)

    async def fail() -> None:
        raise RuntimeError

    monkeypatch.setattr(broken.feed, "poll", fail)
    all_followers._feeds = {run_id: fine.feed, run_id + 1: broken.feed}
    stream = fine.events()
    await anext(stream)
    over = False
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(all_followers.send_changes, lambda: over)
        await _log(db, run_id, range(10))
        assert await _steps(stream, 10) == list(range(10))
        with anyio.fail_after(20):
            while broken.feed.followers:
                await anyio.sleep(0.01)
        over = True


async def test_there_is_a_largest_number_of_followers(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followers_module, "MAX_FOLLOWERS", 3)
    run_id = await _create_run(db)
    all_followers = Followers(db)
    followers = [await all_followers.add(run_id, None) for _ in range(3)]
    for _ in range(3):
        with pytest.raises(TooManyFollowersError):
            await all_followers.add(run_id, None)
    all_followers.remove(followers[0])
    with pytest.raises(NotFoundError):
        await all_followers.add(run_id + 1, None)
    await all_followers.add(run_id, None)


def test_further_followers_are_refused_until_others_leave(own_server: Server) -> None:
    with trackai.init(project="p") as run:
        run.log({"loss": 1.0}, step=0)
    path = f"/api/runs/{run.id}/events"
    address = ("127.0.0.1", int(own_server.url.rpartition(":")[2]))
    sockets = []
    for _ in range(MAX_FOLLOWERS):
        connection = socket.create_connection(address, timeout=20)
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        sockets.append(connection)
    for connection in sockets:
        assert connection.recv(12) == b"HTTP/1.1 200"
    refused = own_server.request("GET", path)
    assert (refused.status, refused.headers["retry-after"]) == (503, "5")
    assert "too many followers" in refused.json["detail"]
    assert own_server.get(f"/api/runs/{run.id}")["id"] == run.id
    for connection in sockets:
        connection.close()
    deadline = time.monotonic() + 20
    while _first_bytes(address, path) != b"HTTP/1.1 200":
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _first_bytes(address: tuple[str, int], path: str) -> bytes:
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return connection.recv(12)
