"""Fixtures that call the command line in the test process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from trackai.cli import main

if TYPE_CHECKING:
    from pathlib import Path


class Output(NamedTuple):
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Trackai:
    """Calls `trackai` with arguments, and checks the exit code."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object, code: int = 0) -> Output:
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as exited:
            main(list(map(str, arguments)))
        output = Output(int(exited.value.code or 0), *self._capsys.readouterr())
        assert output.code == code, output
        assert "Traceback" not in output.err
        return output


@pytest.fixture
def trackai(db_path: Path, capsys: pytest.CaptureFixture[str]) -> Trackai:
    """The command, with a new database."""
    return Trackai(capsys)
