"""Projects: names, slugs, counts, deletion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from trackai.errors import ConflictError, NotFoundError
from trackai.store.catalogue import configs, projects, runs, tags
from trackai.store.catalogue.slugs import first_free, slugify

if TYPE_CHECKING:
    from trackai.store.engine.database import Database


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("My model, v2", "my-model-v2"),
        ("workspace/project", "workspace-project"),
        ("Größe 模型 ①", "grösse-模型-1"),
        ("--a__b.c--", "a__b.c"),
        ("!?", "unnamed"),
        ("x" * 200, "x" * 80),
    ],
)
def test_slugs(name: str, slug: str) -> None:
    assert slugify(name) == slug


def test_a_slug_that_is_taken_is_numbered() -> None:
    assert first_free("a", set()) == "a"
    assert first_free("a", {"a", "a-2", "a-4"}) == "a-3"


async def test_a_project_is_found_by_name_or_slug_and_created_once(db: Database) -> None:
    async with db.write() as conn:
        made = await projects.get_or_create(conn, "My Project", now=5)
        assert (made.name, made.project_id) == ("My Project", "my-project")
        assert made.created_at.timestamp() == pytest.approx(5e-6)
        for name in ("My Project", "my-project"):
            assert await projects.get_or_create(conn, name, now=9) == made
        assert await projects.get(conn, made.id) == made


async def test_different_names_with_one_slug(db: Database) -> None:
    async with db.write() as conn:
        slugs = [
            (await projects.get_or_create(conn, name, now=1)).project_id
            for name in ("a b", "a/b", "A-B!", "a?b")
        ]
    assert slugs == ["a-b", "a-b-2", "a-b-3", "a-b-4"]


async def test_a_name_takes_precedence_over_the_slug_of_another_project(db: Database) -> None:
    async with db.write() as conn:
        await projects.create(conn, "first", "second", now=1)
        second = await projects.create(conn, "second", "third", now=1)
        assert await projects.find(conn, "second") == second


@pytest.mark.parametrize(("name", "slug"), [("a", "new"), ("new", "a"), ("a", "a")])
async def test_names_and_slugs_that_exist_are_refused(db: Database, name: str, slug: str) -> None:
    async with db.write() as conn:
        await projects.create(conn, "a", "a", now=1)
        with pytest.raises(ConflictError, match=name):
            await projects.create(conn, name, slug, now=1)


async def test_missing_projects(db: Database) -> None:
    async with db.write() as conn:
        with pytest.raises(NotFoundError, match="nothing"):
            await projects.find(conn, "nothing")
        for function in (projects.get, projects.get_summary, projects.delete):
            with pytest.raises(NotFoundError, match="7"):
                await function(conn, 7)


async def test_pages_are_newest_first(db: Database) -> None:
    async with db.write() as conn:
        for name, now in (("a", 3), ("b", 1), ("c", 3), ("d", 2)):
            await projects.create(conn, name, name, now=now)
        pages = [
            [project.name for project in await projects.list_page(conn, limit=3, offset=offset)]
            for offset in (0, 3, 9)
        ]
    assert pages == [["c", "a", "d"], ["b"], []]


async def test_a_summary_counts_only_the_runs_of_its_project(db: Database) -> None:
    async with db.write() as conn:
        first = await projects.create(conn, "a", "a", now=1)
        second = await projects.create(conn, "b", "b", now=1)
        for number, state in enumerate(("running", "failed", "failed", "completed", "failed")):
            await runs.create(
                conn, uid=str(number), project_id=first.id if number < 4 else second.id,
                slug=str(number), name=None, group_name=None, state=state, now=1,  # type: ignore[arg-type]
            )  # fmt: skip
        summary = await projects.get_summary(conn, first.id)
        assert (
            summary.total_runs, summary.running_runs, summary.completed_runs, summary.failed_runs
        ) == (4, 1, 1, 2)  # fmt: skip
        summary = await projects.get_summary(conn, second.id)
        assert (summary.total_runs, summary.running_runs, summary.failed_runs) == (1, 0, 1)


async def test_the_time_of_the_last_change_never_decreases(db: Database) -> None:
    async with db.write() as conn:
        project = await projects.create(conn, "a", "a", now=10)
        for now, expected in ((20, 20), (15, 20)):
            await projects.touch(conn, project.id, now=now)
            touched = await projects.get(conn, project.id)
            assert round(touched.updated_at.timestamp() * 1e6) == expected


async def test_a_deleted_project_takes_its_runs_with_it(db: Database) -> None:
    async with db.write() as conn:
        remaining = await projects.create(conn, "kept", "kept", now=1)
        deleted = await projects.create(conn, "gone", "gone", now=1)
        for project in (remaining, deleted):
            run = await runs.create(
                conn, uid=project.name, project_id=project.id, slug="r", name=None,
                group_name=None, now=1,
            )  # fmt: skip
            await configs.put(conn, run.id, {"lr": "1"})
            await tags.add(conn, run.id, ["t"])
        assert await projects.delete(conn, deleted.id) == deleted
        for table in ("projects", "runs", "configs", "tags"):
            assert len(list(await conn.execute_fetchall(f"SELECT * FROM {table}"))) == 1
        recreated = await projects.create(conn, "gone", "gone", now=1)
        assert recreated.id > deleted.id  # ids are not reused
