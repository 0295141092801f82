"""Several servers on one database of PostgreSQL, which start, die and come back at any time."""

from __future__ import annotations

import random
from argparse import Namespace
from typing import TYPE_CHECKING

import anyio
import pytest

from scripts.benchmarks import cluster
from trackai.store.postgres.database import PostgresDatabase
from trackai.store.postgres.migrate import migrations

if TYPE_CHECKING:
    from pathlib import Path

    from tests import postgres


async def test_servers_that_start_at_once_migrate_once(
    databases: postgres.Databases, tmp_path: Path
) -> None:
    url = databases.create()
    stores = [PostgresDatabase(url, files=str(tmp_path)) for _ in range(10)]
    try:
        async with anyio.create_task_group() as tasks:
            for store in stores:
                tasks.start_soon(store.open)
        async with stores[0].read() as conn:
            rows = await conn.execute_fetchall(
                "SELECT version FROM schema_migrations WHERE version > 0 ORDER BY version"
            )
        assert [version for (version,) in rows] == [item.version for item in migrations()]
    finally:
        for store in stores:
            await store.close()
        databases.drop(url)


@pytest.mark.timeout(600)
def test_servers_and_postgresql_are_killed() -> None:
    """Each acknowledged point is stored once, and a follower sees all of them."""
    seed = random.SystemRandom().randrange(1_000_000)
    print("seed", seed)
    report = cluster.run(Namespace(clients=4, kills=4, restarts=1, seed=seed))
    missed = [(figure.name, figure.value) for figure in report.figures if figure.met is False]
    assert missed == [], seed
