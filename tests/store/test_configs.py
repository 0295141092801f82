"""Configurations of runs: any key and any JSON value is returned unchanged."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from trackai.errors import StoreError
from trackai.store.catalogue import configs, projects, runs

if TYPE_CHECKING:
    from trackai.store.engine.connection import Connection
    from trackai.store.engine.database import Database

VALUES: dict[str, Any] = {
    "opt/lr": 0.1,
    "": "",
    "a b/ü/'\"": None,
    "big": 2**63,
    "flag": True,
    "list": [1, [2.5, {"x": "y"}]],
    "text": "line\nline 模型",
    "tiny": 5e-324,
    "zero": 0,
}


async def new_run(conn: Connection, slug: str) -> int:
    project = await projects.get_or_create(conn, "p", now=1)
    run = await runs.create(
        conn, uid=slug, project_id=project.id, slug=slug, name=None, group_name=None, now=1
    )
    return run.id


async def test_values_are_returned_sorted_by_key(db: Database) -> None:
    async with db.write() as conn:
        first, second = await new_run(conn, "a"), await new_run(conn, "b")
        await configs.put(conn, first, {key: json.dumps(value) for key, value in VALUES.items()})
        stored = await configs.get(conn, first)
        assert stored == VALUES
        assert list(stored) == sorted(VALUES)
        assert [type(stored[key]) for key in VALUES] == [type(value) for value in VALUES.values()]
        assert await configs.get(conn, second) == {}


async def test_a_key_that_is_set_again_is_changed(db: Database) -> None:
    async with db.write() as conn:
        run_id = await new_run(conn, "a")
        await configs.put(conn, run_id, {"a": "1", "b": "2"})
        await configs.put(conn, run_id, {"b": '"three"', "c": "4"})
        await configs.put(conn, run_id, {})
        assert await configs.get(conn, run_id) == {"a": 1, "b": "three", "c": 4}


@pytest.mark.parametrize("value", ["NaN", '"\\u0000', "[" + "1, " * 500, ""])
async def test_values_that_are_not_json_are_refused_together(db: Database, value: str) -> None:
    async with db.write() as conn:
        run_id = await new_run(conn, "a")
    with pytest.raises(StoreError, match=r"malformed JSON|json_valid"):
        async with db.write() as conn:
            await configs.put(conn, run_id, {"a": "1", "b": value})
    async with db.read() as conn:
        assert await configs.get(conn, run_id) == {}
