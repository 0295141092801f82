"""Fixtures: the command line with the test's database, and SQL queries to it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.conftest import trackai as trackai

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def ask(db_path: Path) -> Callable[..., list[tuple[Any, ...]]]:
    """Run an SQL query on the test's database."""

    def answer(sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(db_path)) as connection:
            return connection.execute(sql, values).fetchall()

    return answer
