"""Several servers on one database of PostgreSQL, which start, die and come back at any time."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import anyio
import pytest

from scripts.benchmarks.harness import ROOT
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
    options = ["--clients", "4", "--kills", "4", "--restarts", "1", "--json"]
    result = subprocess.run(
        [sys.executable, "scripts/bench.py", "cluster", *options],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    report = json.loads(result.stdout)
    goals = [figure for figure in report["figures"] if "met" in figure]
    assert len(goals) == 5
    assert [figure for figure in goals if not figure["met"]] == [], report["title"]
