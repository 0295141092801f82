"""Databases on PostgreSQL whose settings are not the usual ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from tests import postgres
from trackai.errors import StoreError, StoreUnreachableError
from trackai.store.catalogue import configs, projects, runs
from trackai.store.postgres.database import PostgresDatabase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trackai.store.engine.connection import Connection

CONFIG = {"text": "a \\ 'b' \0 \\u0000", "number": 1e-7, "truth": True}


@pytest.fixture
def url(databases: postgres.Databases) -> Iterator[str]:
    """The URL of an empty database."""
    url = databases.create("template0")
    yield url
    databases.drop(url)


def _alter(databases: postgres.Databases, url: str, **settings: str) -> None:
    for name, value in settings.items():
        databases.execute(f'ALTER DATABASE "{postgres.name_of(url)}" SET {name} = {value}')


async def _create_run(conn: Connection) -> int:
    project = await projects.get_or_create(conn, "p", now=1)
    run = await runs.create(
        conn, uid="u", project_id=project.id, slug="s", name="é \\ '", group_name=None, now=1
    )
    await configs.put(
        conn, run.id, {key: msgspec.json.encode(value).decode() for key, value in CONFIG.items()}
    )
    return run.id


async def test_defaults_of_a_database_change_no_result(
    databases: postgres.Databases, url: str
) -> None:
    _alter(
        databases, url,
        standard_conforming_strings="off", backslash_quote="on", bytea_output="escape",
        default_transaction_isolation="serializable", timezone="'Asia/Kathmandu'",
        datestyle="'German'", client_encoding="latin1", jit_above_cost="0",
    )  # fmt: skip
    store = PostgresDatabase(url)
    run_id = await store.change(_create_run)
    assert await store.look(lambda conn: configs.get(conn, run_id)) == CONFIG

    async def level(conn: Connection) -> str:
        ((name,),) = await conn.execute_fetchall("SHOW transaction_isolation")
        return str(name)

    assert await store.change(level) == "read committed"
    await store.close()


async def test_a_schema_that_is_created_later_hides_nothing(
    databases: postgres.Databases, url: str
) -> None:
    store = PostgresDatabase(url)
    run_id = await store.change(_create_run)
    async with store.write() as conn:
        await conn.execute(f"CREATE SCHEMA {postgres.USER}")  # searched before public
    later = PostgresDatabase(url)
    assert await later.look(lambda conn: configs.get(conn, run_id)) == CONFIG
    await later.close()
    await store.close()


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
async def test_other_encodings_are_refused(databases: postgres.Databases, encoding: str) -> None:
    name = f"test_{encoding.lower()}"
    databases.execute(f"CREATE DATABASE {name} ENCODING {encoding} LOCALE 'C' TEMPLATE template0")
    url = postgres.with_name(databases.create(), name)
    try:
        with pytest.raises(StoreError, match=rf"has the encoding {encoding}, and must have UTF8"):
            await PostgresDatabase(url).open()
    finally:
        databases.drop(url)


async def test_a_search_path_without_a_schema(databases: postgres.Databases, url: str) -> None:
    _alter(databases, url, search_path="absent")
    with pytest.raises(StoreUnreachableError, match=r"cannot be opened \(no schema"):
        await PostgresDatabase(url).open()


async def test_a_database_that_is_read_only_by_default(
    databases: postgres.Databases, url: str
) -> None:
    _alter(databases, url, default_transaction_read_only="on")
    with pytest.raises(StoreUnreachableError, match="unset default_transaction_read_only"):
        await PostgresDatabase(url).open()
