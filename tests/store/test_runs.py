"""Runs: creation, lookup, changes, deletion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from trackai.errors import ConflictError, InvalidInputError, NotFoundError
from trackai.store.catalogue import configs, projects, runs, slugs, tags

if TYPE_CHECKING:
    from datetime import datetime

    from trackai.store.engine.connection import Connection
    from trackai.store.engine.database import Database
    from trackai.structs.records import Run


async def make(
    conn: Connection, slug: str, project: str = "p", name: str | None = None, now: int = 1
) -> Run:
    project_id = (await projects.get_or_create(conn, project, now=1)).id
    return await runs.create(
        conn, uid=f"{project}/{slug}", project_id=project_id, slug=slug, name=name,
        group_name="g", now=now,
    )  # fmt: skip


def microseconds(time: datetime | None) -> int:
    assert time is not None
    return round(time.timestamp() * 1e6)


async def test_a_created_run_is_found(db: Database) -> None:
    async with db.write() as conn:
        run = await make(conn, "r", name="R", now=7)
        assert (run.run_id, run.name, run.group_name, run.state) == ("r", "R", "g", "running")
        assert (microseconds(run.created_at), run.finished_at) == (7, None)
        assert run.created_at == run.updated_at
        assert await runs.get(conn, run.id) == run
        assert await runs.find_by_uid(conn, "p/r") == run
        assert await runs.get_uid(conn, run.id) == "p/r"
        assert await runs.find_by_uid(conn, "r") is None


async def test_a_slug_is_unique_in_its_project(db: Database) -> None:
    async with db.write() as conn:
        first = await make(conn, "r")
        await make(conn, "r", project="other")
        with pytest.raises(ConflictError, match="r"):
            await runs.create(
                conn, uid="x", project_id=first.project_id, slug="r", name=None, group_name=None,
                now=1,
            )  # fmt: skip
        assert await slugs.for_new_run(conn, first.project_id, "r") == "r-2"
        await make(conn, "r-2")
        assert await slugs.for_new_run(conn, first.project_id, "R!") == "r-3"
        assert await slugs.for_new_run(conn, first.project_id, "r-3") == "r-3"
        assert await runs.count(conn, first.project_id) == 2


async def test_a_slug_is_not_used_as_a_pattern(db: Database) -> None:
    """A slug that was imported unchanged may contain wildcards of GLOB and LIKE."""
    async with db.write() as conn:
        project = (await make(conn, "*")).project_id
        assert await slugs.for_new_run(conn, project, "*") == "unnamed"
        await make(conn, "a%-2")
        assert await slugs.for_new_run(conn, project, "a") == "a"


async def test_the_latest_run_of_a_name(db: Database) -> None:
    async with db.write() as conn:
        for slug, now in (("a", 2), ("b", 3), ("c", 3), ("d", 1)):
            run = await make(conn, slug, name="same", now=now)
        await make(conn, "e", project="other", name="same", now=9)
        latest = await runs.find_latest(conn, run.project_id, "same")
        assert latest is not None
        assert latest.run_id == "c"
        assert await runs.find_latest(conn, run.project_id, "none") is None


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("latest", "late"),
        ("1", "first"),  # an id before a slug
        ("p/1", "1"),
        ("P One/1", "1"),
        ("p-one/1", "1"),
        ("first", "first"),
        ("p/late", "late"),
        ("Only", "late"),
    ],
)
async def test_resolving_the_text_of_a_user(db: Database, text: str, slug: str) -> None:
    async with db.write() as conn:
        await make(conn, "first", name="Twice")
        await make(conn, "1", project="P One")
        await make(conn, "late", name="Only", now=5)
        await make(conn, "twin", name="Twice")
        await make(conn, "twin", project="P One")
        if text in {"p/1"}:
            with pytest.raises(NotFoundError, match="p/1"):
                await runs.resolve(conn, text)
        else:
            assert (await runs.resolve(conn, text)).run_id == slug


async def test_ambiguous_and_unknown_texts(db: Database) -> None:
    async with db.write() as conn:
        with pytest.raises(NotFoundError, match="latest"):
            await runs.resolve(conn, "latest")
        await make(conn, "a", name="Twice")
        await make(conn, "a", project="q", name="Twice")
        for text in ("a", "Twice"):
            with pytest.raises(InvalidInputError, match=r"q/a \(id 2\), p/a \(id 1\)"):
                await runs.resolve(conn, text)
        with pytest.raises(NotFoundError, match="99"):
            await runs.resolve(conn, "99")


async def test_states(db: Database) -> None:
    async with db.write() as conn:
        run = await make(conn, "r", now=10)
        ended = await runs.set_state(conn, run.id, "failed", now=30)
        assert (ended.state, microseconds(ended.finished_at)) == ("failed", 30)
        assert microseconds(ended.updated_at) == 30
        again = await runs.set_state(conn, run.id, "running", now=20)
        assert (again.state, again.finished_at) == ("running", None)
        assert microseconds(again.updated_at) == 30
        with pytest.raises(NotFoundError, match="99"):
            await runs.set_state(conn, 99, "failed", now=1)


async def test_a_change_sets_all_fields_or_nothing(db: Database) -> None:
    async with db.write() as conn:
        run, second = await make(conn, "r"), await make(conn, "taken")
        target = await projects.get_or_create(conn, "q", now=1)
        fields: dict[str, Any] = {
            "slug": "new", "name": "N", "group_name": None, "notes": "note",
            "project_id": target.id, "now": 50,
        }  # fmt: skip
        changed = await runs.change(conn, run.id, **fields)
        assert (changed.run_id, changed.name, changed.group_name, changed.notes) == (
            "new", "N", None, "note",
        )  # fmt: skip
        assert changed.project_id == target.id
        assert await runs.change(conn, run.id, **fields) == changed
        with pytest.raises(ConflictError, match="new"):
            await runs.change(conn, second.id, **fields)
        with pytest.raises(NotFoundError, match="99"):
            await runs.change(conn, 99, **{**fields, "slug": "x"})
        assert await runs.get(conn, second.id) == second


async def test_functions_that_take_many_runs(db: Database) -> None:
    async with db.write() as conn:
        created = [await make(conn, str(number), now=10) for number in range(3)]
        elsewhere = await make(conn, "x", project="q")
        ids = [run.id for run in created]
        project_id = created[0].project_id
        assert await runs.existing(conn, [99, ids[2], ids[0], ids[0]]) == [ids[0], ids[2]]
        assert await runs.ids_of_project(conn, project_id) == ids
        assert await runs.list_ids(conn, None) == [*ids, elsewhere.id]
        assert await runs.list_ids(conn, project_id) == ids
        assert await runs.uids(conn, [ids[1], 99]) == {ids[1]: "p/1"}
        await runs.touch(conn, *ids[:2], now=20)
        await runs.touch(conn, ids[2], now=5)
        times = [microseconds((await runs.get(conn, run_id)).updated_at) for run_id in ids]
        assert times == [20, 20, 10]


async def test_missing_runs(db: Database) -> None:
    async with db.write() as conn:
        for function in (runs.get, runs.get_uid, runs.delete):
            with pytest.raises(NotFoundError, match="99"):
                await function(conn, 99)


async def test_a_deleted_run_takes_its_rows_with_it(db: Database) -> None:
    async with db.write() as conn:
        for slug in ("kept", "gone"):
            run = await make(conn, slug)
            await configs.put(conn, run.id, {"lr": "1"})
            await tags.add(conn, run.id, ["t"])
        assert (await runs.delete(conn, run.id)).run_id == "gone"
        for table in ("runs", "configs", "tags"):
            assert len(list(await conn.execute_fetchall(f"SELECT * FROM {table}"))) == 1
        assert (await make(conn, "gone")).id > run.id


async def test_tags_are_a_sorted_set(db: Database) -> None:
    async with db.write() as conn:
        run = await make(conn, "r")
        await tags.add(conn, run.id, ["b", "a", "b", "ü ,'\""])
        await tags.add(conn, run.id, ["a"])
        assert await tags.get(conn, run.id) == ["a", "b", "ü ,'\""]
        assert (await runs.get(conn, run.id)).tags == ["a", "b", "ü ,'\""]
        await tags.remove(conn, run.id, ["a", "never there"])
        await tags.add(conn, run.id, [])
        assert await tags.get(conn, run.id) == ["b", "ü ,'\""]
        await runs.update(conn, run.id, notes="line\nline")
        assert (await runs.get(conn, run.id)).notes == "line\nline"
