"""Views of the dashboard: names, versions, and what becomes of them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.store.test_migrate import make_older_database
from trackai.errors import ConflictError, NotFoundError
from trackai.store.catalogue import projects, views
from trackai.store.engine.database import Database
from trackai.structs.layouts import Layout, LinesPanel, Section, TextPanel

if TYPE_CHECKING:
    from pathlib import Path

LAYOUT = Layout(
    [
        Section(
            name="Training",
            panels=[
                LinesPanel(id="a", metrics=["loss", "val/loss"], x_metric="epoch", log_y=True),
                TextPanel(id="b", text="# Notes\n'quoted' ü", pinned=True),
            ],
        ),
        Section(name="Later", is_open=False),
    ]
)


async def test_a_view_keeps_its_layout(db: Database) -> None:
    async with db.write() as conn:
        project = await projects.get_or_create(conn, "p", now=1)
        view = await views.create(conn, project.id, "Mine", LAYOUT, now=5)
        assert (view.name, view.version, view.layout) == ("Mine", 1, LAYOUT)
        assert view.created_at.timestamp() == pytest.approx(5e-6)
        assert await views.get(conn, view.id) == view
        [summary] = await views.list_all(conn, project.id)
        assert (summary.id, summary.name, summary.version) == (view.id, "Mine", 1)


async def test_a_change_is_made_from_the_current_version_only(db: Database) -> None:
    async with db.write() as conn:
        project = await projects.get_or_create(conn, "p", now=1)
        view = await views.create(conn, project.id, "Mine", LAYOUT, now=5)
        changed = await views.replace(conn, view.id, "Ours", Layout(), version=1, now=9)
        assert (changed.name, changed.version, changed.layout) == ("Ours", 2, Layout())
        assert changed.updated_at > changed.created_at == view.created_at
        problem = "view 'Ours' was changed by someone else: it has version 2, not 1"
        with pytest.raises(ConflictError, match=problem):
            await views.replace(conn, view.id, "Ours", LAYOUT, version=1, now=10)
        assert await views.get(conn, view.id) == changed
        # A clock that was set back does not move the time of the change back.
        again = await views.replace(conn, view.id, "Ours", LAYOUT, version=2, now=7)
        assert (again.version, again.updated_at) == (3, changed.updated_at)


async def test_names_are_unique_in_a_project(db: Database) -> None:
    async with db.write() as conn:
        one = await projects.get_or_create(conn, "one", now=1)
        two = await projects.get_or_create(conn, "two", now=1)
        first = await views.create(conn, one.id, "a", LAYOUT, now=1)
        second = await views.create(conn, one.id, "B", LAYOUT, now=1)
        await views.create(conn, two.id, "a", LAYOUT, now=1)
        with pytest.raises(ConflictError, match="view 'a' already exists"):
            await views.create(conn, one.id, "a", Layout(), now=1)
        with pytest.raises(ConflictError, match="view 'a' already exists"):
            await views.replace(conn, second.id, "a", LAYOUT, version=1, now=1)
        names = [view.name for view in await views.list_all(conn, one.id)]
        assert names == ["B", "a"]
        # A view may keep its name, and take one that has become free.
        await views.replace(conn, first.id, "a", Layout(), version=1, now=1)
        await views.delete(conn, first.id)
        assert (await views.replace(conn, second.id, "a", LAYOUT, version=1, now=1)).name == "a"


async def test_unknown_views_and_projects(db: Database) -> None:
    async with db.write() as conn:
        for missing in (
            views.get(conn, 1),
            views.replace(conn, 1, "a", LAYOUT, version=1, now=1),
            views.delete(conn, 1),
        ):
            with pytest.raises(NotFoundError, match="view 1 not found"):
                await missing
        with pytest.raises(NotFoundError, match="project 1 not found"):
            await views.create(conn, 1, "a", LAYOUT, now=1)
        with pytest.raises(NotFoundError, match="project 1 not found"):
            await views.list_all(conn, 1)


async def test_a_project_has_a_limited_number_of_views(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MAX_VIEWS", 2)
    async with db.write() as conn:
        project = await projects.get_or_create(conn, "p", now=1)
        for name in "ab":
            await views.create(conn, project.id, name, Layout(), now=1)
        with pytest.raises(ConflictError, match="project 1 has 2 views: delete some of them"):
            await views.create(conn, project.id, "c", Layout(), now=1)


async def test_views_are_deleted_with_their_project(db: Database) -> None:
    async with db.write() as conn:
        project = await projects.get_or_create(conn, "p", now=1)
        view = await views.create(conn, project.id, "a", LAYOUT, now=1)
        await projects.delete(conn, project.id)
        with pytest.raises(NotFoundError):
            await views.get(conn, view.id)
        # Its id is not used again: an old address must not show another view.
        project = await projects.get_or_create(conn, "p", now=1)
        assert (await views.create(conn, project.id, "a", LAYOUT, now=1)).id > view.id


@pytest.mark.sqlite("an older version had only files")
async def test_an_older_database_gets_the_table(db_path: Path) -> None:
    make_older_database(db_path, 18)
    db = Database(db_path)
    await db.open()
    async with db.write() as conn:
        [project] = await projects.list_page(conn, limit=1)
        await views.create(conn, project.id, "a", LAYOUT, now=1)
    await db.close()
    with closing(sqlite3.connect(db_path)) as connection:
        assert connection.execute("SELECT json_valid(layout) FROM views").fetchall() == [(1,)]
