"""The command line on a database of the test, and that database."""

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
    """Ask the database itself."""

    def answer(sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(db_path)) as connection:
            return connection.execute(sql, values).fetchall()

    return answer
