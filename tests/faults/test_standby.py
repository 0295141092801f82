"""A primary of PostgreSQL that is killed, and its standby, which becomes the primary."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import anyio
import asyncpg
import pytest

from tests import postgres
from trackai.errors import StoreUnreachableError
from trackai.store.catalogue import projects
from trackai.store.postgres.database import PostgresDatabase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trackai.store.engine.connection import Connection

_STANDBY = "standby"


@contextmanager
def _primary() -> Iterator[postgres.Postgres]:
    with postgres.running(
        wal_level="replica", max_wal_senders="4", wal_receiver_timeout="5s", hot_standby="on"
    ) as server:
        yield server


async def _synchronous(server: postgres.Postgres) -> None:
    """Let commits wait for the standby, once it is connected."""
    admin = await asyncpg.connect(server.url)
    await admin.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{_STANDBY}'")
    await admin.execute("SELECT pg_reload_conf()")
    with anyio.fail_after(60):
        while "sync" not in [
            state for (state,) in await admin.fetch("SELECT sync_state FROM pg_stat_replication")
        ]:
            await anyio.sleep(0.02)
    await admin.close()


async def _replayed(server: postgres.Postgres) -> None:
    """Wait until the standby shows what has been confirmed, which is only on its disk at first."""
    admin = await asyncpg.connect(server.url)
    with anyio.fail_after(60):
        while not await admin.fetchval(
            "SELECT pg_current_wal_lsn() <= min(replay_lsn) FROM pg_stat_replication"
        ):
            await anyio.sleep(0.02)
    await admin.close()


async def _names(store: PostgresDatabase) -> list[Any]:
    async def names(conn: Connection) -> list[Any]:
        return [name for (name,) in await conn.execute_fetchall("SELECT name FROM projects")]

    return sorted(await store.look(names))


async def _create(store: PostgresDatabase, name: str) -> None:
    await store.change(lambda conn: projects.get_or_create(conn, name, now=1))


async def test_a_standby_that_becomes_the_primary() -> None:
    with _primary() as primary, primary.standby(_STANDBY) as standby:
        hosts = ",".join(quote(str(server.folder)) for server in (primary, standby))
        store = PostgresDatabase(
            f"postgresql://{postgres.USER}@/postgres?host={hosts}"
            f"&port={primary.port},{standby.port}&target_session_attrs=read-write"
        )
        await store.open()
        await _synchronous(primary)
        await _create(store, "before")
        await _replayed(primary)
        reader = PostgresDatabase(standby.url)
        await reader.open()
        assert await _names(reader) == ["before"]
        with pytest.raises(StoreUnreachableError, match="as a standby is"):
            await _create(reader, "refused")
        primary.kill()
        admin = await asyncpg.connect(standby.url)
        assert await admin.fetchval("SELECT pg_promote()")
        await admin.close()
        await _create(store, "after")
        await _create(reader, "by the reader")
        assert not reader.is_read_only
        assert await _names(store) == await _names(reader) == ["after", "before", "by the reader"]
        await store.close()
        await reader.close()
