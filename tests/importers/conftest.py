"""The command line on a database of the test, and that database."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from trackai.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Output(NamedTuple):
    """What a command printed."""

    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Trackai:
    """Calls `trackai` with the arguments."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object, code: int = 0) -> Output:
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as exited:
            main(list(map(str, arguments)))
        output = Output(*self._capsys.readouterr())
        assert (exited.value.code or 0) == code, output
        assert "Traceback" not in output.err
        return output


@pytest.fixture
def trackai(db_path: Path, capsys: pytest.CaptureFixture[str]) -> Trackai:
    """The command, on a database of this test."""
    return Trackai(capsys)


@pytest.fixture
def ask(db_path: Path) -> Callable[..., list[tuple[Any, ...]]]:
    """Ask the database itself."""

    def answer(sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(db_path)) as connection:
            return connection.execute(sql, values).fetchall()

    return answer
