"""Connections to PostgreSQL that are lost, frozen, refused, or may only read."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import anyio
import asyncpg
import pytest

from tests import postgres
from trackai.api import main
from trackai.api.sessions import BrowserSession, Sessions
from trackai.errors import StoreBusyError, StoreError, StoreUnreachableError
from trackai.store.catalogue import ended_sessions, projects
from trackai.store.engine.sql import lock
from trackai.store.postgres import connection, database
from trackai.store.postgres.database import PostgresDatabase

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from trackai.store.engine.connection import Connection


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[PostgresDatabase]:
    store = PostgresDatabase(postgres_url)
    yield store
    await store.close()


async def _pid(conn: Connection) -> int:
    ((pid,),) = await conn.execute_fetchall("SELECT pg_backend_pid()")
    return int(pid)


async def _create(conn: Connection) -> None:
    await projects.get_or_create(conn, "p", now=1)


@contextmanager
def _frozen(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_a_connection_that_does_not_answer_is_not_used_again(
    store: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with store.read() as first, store.read() as second:
        pids = {await _pid(first), await _pid(second)}
    monkeypatch.setattr(connection, "_STATEMENT_SECONDS", 0.5)
    monkeypatch.setattr(connection, "_CLOSE_SECONDS", 0.5)
    monkeypatch.setattr(database, "_LOST_SECONDS", 0)
    one, other = pids
    with _frozen(one), _frozen(other):
        with pytest.raises(StoreBusyError, match="does not answer"):
            await store.look(_pid)
        # Neither of them is tried again.
        assert await store.look(_pid) not in pids
        await store.change(_create)


async def test_a_transaction_that_cannot_be_ended_is_not_continued(
    store: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with store.read() as conn:
        pid = await _pid(conn)
    monkeypatch.setattr(connection, "_CLOSE_SECONDS", 0.2)

    async def fail(conn: Connection) -> None:
        await _create(conn)
        os.kill(pid, signal.SIGSTOP)
        raise ZeroDivisionError

    try:
        with pytest.raises(ZeroDivisionError):
            await store.change(fail)
    finally:
        os.kill(pid, signal.SIGCONT)

    async def names(conn: Connection) -> list[Any]:
        return list(await conn.execute_fetchall("SELECT name FROM projects"))

    assert await store.change(names) == []
    assert await store.look(names) == []


async def test_a_server_that_freezes_in_a_transaction_loses_its_locks(
    store: PostgresDatabase, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_IDLE_SECONDS", 0.2)
    await store.change(_create)
    frozen, is_frozen = PostgresDatabase(postgres_url), anyio.Event()

    async def freeze() -> None:
        async with frozen.write() as conn:
            await lock(conn, "projects", [1])
            is_frozen.set()
            await anyio.sleep_forever()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(freeze)
        await is_frozen.wait()
        await store.change(lambda conn: projects.rename(conn, 1, "q", now=1))
        tasks.cancel_scope.cancel()
    assert await frozen.look(_pid)
    await frozen.close()


async def test_a_limit_on_the_time_of_statements_is_not_tried_again(
    store: PostgresDatabase,
) -> None:
    tries = 0

    async def wait(conn: Connection) -> None:
        nonlocal tries
        tries += 1
        await conn.execute("SET LOCAL statement_timeout = 50")
        await conn.execute("SELECT pg_sleep(60)")

    with pytest.raises(StoreError, match="statement timeout"):
        await store.change(wait)
    assert tries == 1


async def _cancel_wait_for_standby(url: str) -> None:
    """Do what an administrator does with a transaction that waits for a standby."""
    conn = await asyncpg.connect(url)
    waiting = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    with anyio.fail_after(60):
        while not await conn.fetch(waiting):
            await anyio.sleep(0.01)
    await conn.close()


async def test_a_commit_is_not_confirmed_whose_wait_for_a_standby_was_cancelled() -> None:
    with postgres.running(wal_level="replica", max_wal_senders="1") as server:
        store = PostgresDatabase(server.url)
        await store.open()
        admin = await asyncpg.connect(server.url)
        await admin.execute("ALTER SYSTEM SET synchronous_standby_names = 'absent'")
        await admin.execute("SELECT pg_reload_conf()")
        with anyio.fail_after(60):
            while not await admin.fetchval("SHOW synchronous_standby_names"):
                await anyio.sleep(0.01)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_cancel_wait_for_standby, server.url)
            with pytest.raises(StoreBusyError, match=r"has not confirmed a transaction .* wait"):
                await store.change(_create)
        await admin.execute("ALTER SYSTEM RESET synchronous_standby_names")
        await admin.execute("SELECT pg_reload_conf()")
        await store.change(_create)
        await admin.close()
        await store.close()


async def test_a_transaction_that_was_rolled_back_is_not_confirmed(
    store: PostgresDatabase,
) -> None:
    async def fail_quietly(conn: Connection) -> None:
        with suppress(asyncpg.DivisionByZeroError):
            await conn.execute("SELECT 1 / 0")

    with pytest.raises(StoreBusyError, match="has not confirmed a transaction"):
        await store.change(fail_quietly)
    await store.change(_create)


async def test_reads_that_a_standby_cancels_are_repeated(store: PostgresDatabase) -> None:
    tries = 0

    async def conflict(conn: Connection) -> int:
        nonlocal tries
        tries += 1
        if tries < limit:
            await conn.execute("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$")
        return tries

    async def lose(conn: Connection) -> int:
        nonlocal tries
        tries += 1
        if tries < limit:
            await conn.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return tries

    for work in (conflict, lose):
        tries, limit = 0, 3
        assert await store.look(work) == 3
        tries, limit = 0, 1000
        with pytest.raises(StoreBusyError, match="try again"):
            await store.look(work)
        assert tries < 10


async def test_poolers_may_pass_each_transaction_to_another_connection(
    store: PostgresDatabase,
) -> None:
    """No connection of PostgreSQL has a state that PgBouncer would have to keep for us."""
    await store.change(_create)
    async with store.read() as conn:
        await projects.find(conn, "p")
        prepared = await conn.execute_fetchall("SELECT name FROM pg_prepared_statements")
        locks = await conn.execute_fetchall("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'")
        # asyncpg switches `jit` off and on while it asks for types.
        changed = await conn.execute_fetchall(
            "SELECT name FROM pg_settings WHERE source = 'session' AND name <> 'jit'"
        )
    assert prepared == locks == changed == []


async def test_a_limit_on_the_wait_for_a_lock(store: PostgresDatabase, postgres_url: str) -> None:
    async def wait_shortly(conn: Connection) -> None:
        await conn.execute("SET LOCAL lock_timeout = 50")
        await _create(conn)

    admin = await asyncpg.connect(postgres_url)
    async with admin.transaction():
        await admin.execute("LOCK TABLE projects")
        with pytest.raises(StoreBusyError, match=r"others at the same time .*lock timeout"):
            await store.change(wait_shortly)
    await admin.close()
    await store.change(wait_shortly)


async def test_requests_share_connections_if_postgresql_has_none_left() -> None:
    with postgres.running(
        max_connections="5", superuser_reserved_connections="0", max_worker_processes="0"
    ) as server:
        store = PostgresDatabase(server.url)
        await store.change(_create)
        others: list[asyncpg.Connection] = []
        with suppress(asyncpg.TooManyConnectionsError):
            while True:
                others.append(await asyncpg.connect(server.url))
        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(store.look, _pid)
                tasks.start_soon(store.change, _create)
        late = PostgresDatabase(server.url)
        with pytest.raises(StoreBusyError, match=r"has no connection left .* max_connections"):
            await late.look(_pid)
        for conn in others:
            await conn.close()
        await late.look(_pid)
        await late.close()
        await store.close()


async def test_no_server_of_the_address_is_the_one_asked_for(postgres_url: str) -> None:
    standby = PostgresDatabase(f"{postgres_url}&target_session_attrs=standby")
    with pytest.raises(StoreBusyError, match=r"does not answer .* try again"):
        await standby.look(_pid)


@pytest.fixture
def reader_url(databases: postgres.Databases, postgres_url: str) -> Iterator[str]:
    """The URL of the database for a role that may only read it."""
    role = f"reader_{os.getpid()}"
    databases.execute(f"CREATE ROLE {role} LOGIN")
    databases.execute(f"GRANT pg_read_all_data TO {role}")
    yield postgres_url.replace(f"{postgres.USER}@", f"{role}@")
    databases.execute(f"DROP ROLE {role}")


async def test_a_role_that_may_only_read(store: PostgresDatabase, reader_url: str) -> None:
    await store.change(_create)
    reader = PostgresDatabase(reader_url)
    await reader.open()
    assert reader.is_read_only
    assert not store.is_read_only
    assert (await reader.look(lambda conn: projects.find(conn, "p"))).id == 1
    with pytest.raises(StoreUnreachableError, match="give its role the right"):
        await reader.change(lambda conn: projects.get_or_create(conn, "other", now=1))
    await reader.close()


async def test_sessions_that_another_server_ended_end_where_it_is_only_read(
    store: PostgresDatabase, reader_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main, "_MAINTENANCE_SECONDS", 0.01)
    reader, sessions = PostgresDatabase(reader_url), Sessions("a-secret-of-some-length")
    value = sessions.create()
    session = sessions.find(value)
    assert isinstance(session, BrowserSession)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(main._keep_ended, reader, sessions)
        await store.change(
            lambda conn: ended_sessions.add(conn, session.id, expires=session.expires, now=0)
        )
        with anyio.fail_after(30):
            while sessions.find(value) is not None:
                await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()
    await reader.close()
