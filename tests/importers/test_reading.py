"""Sources that a process of their own reads."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.importers.test_wandb_rows import history, write
from trackai.errors import InvalidInputError, TrackAIError
from trackai.importers import reading
from trackai.importers.receipt import Receipt
from trackai.importers.wandb.messages import Record
from trackai.structs.exchange import FileHead

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Trackai

    Ask = Callable[..., list[tuple[Any, ...]]]

ALL = """
    SELECT series.path, kind, step, timestamp, value FROM metrics
    JOIN series ON series.id = series_id ORDER BY series.path, step, timestamp
"""


class Reports:
    """Progress that is remembered."""

    def __init__(self) -> None:
        self.shares: list[tuple[int, int, str]] = []

    def share(self, done: int, total: int, unit: str) -> None:
        self.shares.append((done, total, unit))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run with a file, and with a value that cannot be stored."""
    folder = tmp_path / "wandb" / "offline-run-x"
    (folder / "files").mkdir(parents=True)
    (folder / "files" / "notes.txt").write_text("notes")
    image = '{"_type": "image-file", "path": "missing.png"}'
    rows = [history([(["loss"], str(step / 4)), (["text"], '"a"')], step, step)
            for step in range(200)]  # fmt: skip
    odd = history([(["picture"], image), (["none"], "null")], 200, 200)
    write(folder / "run-r.wandb", [*rows, odd, Record(exit={"exit_code": 0, "runtime": 1})])
    return folder.parent


@pytest.fixture
def all_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_LARGE_BYTES", 0)


def open_both(path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Yield what a source yields in this process, and in another one."""
    for size in (1 << 40, 0):
        monkeypatch.setattr(reading, "_LARGE_BYTES", size)
        receipt, reports = Receipt("source", "database"), Reports()
        with reading.reading("wandb", path, receipt=receipt, progress=reports) as source:
            items = list(source.read())
            files = [source.find_bytes(item) for item in items if isinstance(item, FileHead)]
        # In one process, the first head is the object that is completed later.
        yield items[1:], files, receipt, reports.shares[-1]


def test_another_process_reads_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = open_both(folder, monkeypatch)
    assert here == there
    _, files, receipt, _ = here
    assert files == [(folder / "offline-run-x" / "files" / "notes.txt").resolve()]
    assert receipt.types["metrics"].null == 1
    assert receipt.problems


def test_a_large_source_is_imported(
    folder: Path, trackai: Trackai, ask: Ask, all_are_large: None
) -> None:
    receipt = trackai("import", "wandb", folder, "--json", code=4).json
    assert receipt["stored"] == 400
    assert [row[4] for row in ask(ALL) if row[0] == "loss"] == [step / 4 for step in range(200)]
    assert trackai("import", "wandb", folder, "--json", code=4).json["stored"] == 0


def test_errors_of_a_source_are_raised_here(tmp_path: Path, all_are_large: None) -> None:
    path = tmp_path / "run-x.wandb"
    path.write_bytes(b"something else")
    receipt = Receipt("source", "database")
    with (
        reading.reading("wandb", path, receipt=receipt, progress=Reports()) as source,
        pytest.raises(InvalidInputError, match="not a record file") as error,
    ):
        list(source.read())
    assert error.value.field == str(path)


@pytest.mark.skipif(sys.platform == "win32", reason="it has other signals")
def test_a_reader_that_dies_is_an_error(folder: Path, all_are_large: None) -> None:
    receipt = Receipt("source", "database")
    with reading.reading("wandb", folder, receipt=receipt, progress=Reports()) as source:
        [child] = multiprocessing.active_children()
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        with pytest.raises(TrackAIError, match="has died"):
            list(source.read())
