"""Fixtures: the command line with the test's database, and SQL queries to it."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.conftest import trackai as trackai
from tests.conftest import created

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def new_place(
    engine: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[str], Path | str]]:
    """Name an empty database on the engine: a path, or a URL; by a name in the test.

    All on PostgreSQL have their files in one folder.
    """
    if engine == "sqlite":
        yield lambda name: tmp_path / f"{name}.db"
        return
    urls: dict[str, str] = {}
    folder = tmp_path / "postgresql"
    folder.mkdir()
    monkeypatch.setenv("TRACKAI_FILES", str(folder / "files"))
    databases = request.getfixturevalue("databases")
    template = request.getfixturevalue("empty_postgres")
    with ExitStack() as stack:

        def create(name: str) -> str:
            if name not in urls:
                urls[name] = stack.enter_context(created(databases, template, folder))
            return urls[name]

        yield create


@pytest.fixture
def ask(db_path: Path) -> Callable[..., list[tuple[Any, ...]]]:
    """Run an SQL query on the test's database."""

    def answer(sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(db_path)) as connection:
            return connection.execute(sql, values).fetchall()

    return answer
