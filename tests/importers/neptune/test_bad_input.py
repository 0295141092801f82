"""The receipt names the problems of an export, and the rest of it is imported."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from trackai.errors import InvalidInputError, StoreBusyError
from trackai.locks import exclusive
from trackai.store.catalogue import files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.importers.neptune.conftest import Import, Write
    from trackai.store.engine.database import Database

    Ask = Callable[..., list[tuple[Any, ...]]]


def _named(receipt: Any, file: str) -> str:
    """Return the only problem that the receipt has with a file."""
    (problem,) = [item.problem for item in receipt.problems if file in item.file]
    return str(problem)


async def test_what_an_interrupted_exporter_left(
    write_part: Write, import_: Import, make: Any
) -> None:
    part = write_part([make.point("m", 1, 5, 1.0)])
    part.with_name("r-0123_part_1.parquet.tmp").write_bytes(b"PAR1half")
    receipt = await import_()
    assert receipt.ok
    assert [item.file for item in receipt.remarks] == ["data/w_p/r-0123_part_1.parquet.tmp"]


@pytest.mark.parametrize("length", [0, 3, 100, -1])
async def test_a_part_that_was_cut_off(
    write_part: Write, import_: Import, make: Any, rows: Ask, length: int
) -> None:
    write_part([make.point("m", 1, 5, 1.0)], run="good")
    intact = write_part([make.point("m", 1, 5, 1.0)], number=0)
    cut = write_part([make.point("m", 2, 6, 1.0)], number=1)
    data = cut.read_bytes()
    cut.write_bytes(data[:length])
    receipt = await import_()
    assert not receipt.ok
    assert "cannot be read as Parquet" in _named(receipt, cut.name)
    # The readable part is stored, and the run does not look complete.
    states = "SELECT slug, state FROM runs ORDER BY slug"
    assert rows(states) == [("good", "completed"), ("r", "failed")]
    assert not receipt.projects["w/p"].runs["r"].complete
    # Once the part is restored, the run is complete.
    cut.write_bytes(data)
    assert intact.exists()
    assert (await import_(verify=True)).ok
    assert rows(states) == [("good", "completed"), ("r", "completed")]
    assert rows("SELECT COUNT(*) FROM metrics") == [(3,)]


async def test_a_part_with_a_damaged_page(
    write_part: Write, import_: Import, make: Any, rows: Ask
) -> None:
    good = [make.point("m", step, 5, step / 7) for step in range(5000)]
    path = write_part(good, [make.point("n", step, 5, step / 3) for step in range(5000)], good[:10])
    data = bytearray(path.read_bytes())
    intact = bytes(data)
    middle = len(data) // 2
    data[middle : middle + 2000] = os.urandom(2000)
    path.write_bytes(data)
    receipt = await import_()
    assert receipt.adds_up
    assert not receipt.ok
    lost = receipt.totals.not_stored["the file is damaged"]
    assert 0 < lost < receipt.rows_in_files == 10_010
    assert rows("SELECT COUNT(*) FROM metrics") == [(10_010 - lost,)]
    assert rows("SELECT state FROM runs") == [("failed",)]
    assert "cannot be read" in _named(receipt, path.name)
    again = await import_()
    assert again.totals.not_stored == receipt.totals.not_stored
    assert not again.ok
    # An intact copy replaces the file.
    path.write_bytes(intact)
    assert (await import_(verify=True)).ok
    assert rows("SELECT COUNT(*) FROM metrics") == [(10_010,)]
    assert rows("SELECT sum(points), (SELECT state FROM runs) FROM series") == [
        (10_010, "completed")
    ]


async def test_a_missing_part(write_part: Write, import_: Import, make: Any, rows: Ask) -> None:
    write_part([make.point("m", 1, 5, 1.0)], number=1)
    receipt = await import_()
    assert "the part is missing" in _named(receipt, "r-0123_part_0.parquet")
    assert rows("SELECT state FROM runs") == [("failed",)]
    write_part([make.param("sys/name", "string", "late")], number=0)
    assert (await import_()).ok
    assert rows("SELECT state, name FROM runs") == [("completed", "late")]


@pytest.mark.parametrize(
    ("column", "stored"), [("histogram_value", 2), ("float_value", 1), ("timestamp", 1)]
)
async def test_a_missing_column(
    write_part: Write, import_: Import, make: Any, column: str, stored: int, rows: Ask
) -> None:
    histogram = {"type": "COUNTING", "edges": [0.0, 1.0], "values": [1.0]}
    path = write_part(
        [
            make.param("name", "string", "x"),
            make.point("m", 1, 5, 1.0),
            make.point("h", 1, 5, histogram, "histogram_series"),
        ],
        without=column,
    )
    receipt = await import_()
    assert receipt.adds_up
    assert receipt.totals.stored >= stored
    assert receipt.totals.not_stored[f"the column {column!r} is missing"] >= 1
    assert any(path.name in item.file and column in item.problem for item in receipt.problems)
    assert rows("SELECT state FROM runs") == [("failed",)]  # it must not look complete


@pytest.mark.parametrize("column", ["project_id", "run_id", "attribute_path", "attribute_type"])
async def test_a_part_that_does_not_say_whose_it_is(
    write_part: Write, import_: Import, make: Any, column: str, rows: Ask
) -> None:
    path = write_part([make.point("m", 1, 5, 1.0)], without=column)
    receipt = await import_()
    assert not receipt.ok
    assert f"the column {column!r} is missing" in _named(receipt, path.name)
    assert rows("SELECT COUNT(*) FROM runs") == [(0,)]


async def test_rows_that_cannot_be_placed(write_part: Write, import_: Import, make: Any) -> None:
    point = make.point("m", 1, 5, 1.0)
    write_part(
        [
            point,
            {**point, "step": None},
            {**point, "timestamp": None},
            {**point, "attribute_path": None},
            {**point, "attribute_type": None},
            {**point, "attribute_type": "tensor_series"},
            {**point, "run_id": "another"},
            {**point, "project_id": None},
            make.param("p", "int", 1),
            make.param("p", "string", "1"),
            make.param("p", "int", 1),
        ]
    )
    receipt = await import_()
    assert receipt.adds_up
    assert not receipt.ok
    assert receipt.totals.stored == 3
    assert receipt.totals.not_stored == {
        "no step": 1,
        "no timestamp": 1,
        "no attribute path": 1,
        "no attribute type": 1,
        "unknown attribute type 'tensor_series'": 1,
        "the row belongs to another run than its file": 2,
        "the parameter already has a different value": 1,
    }
    assert sum("tensor_series" in item.problem for item in receipt.problems) == 1


async def test_files_that_are_not_where_they_should_be(
    db: Database, write_part: Write, import_: Import, make: Any, rows: Ask, tmp_path: Path
) -> None:
    root = tmp_path / "export" / "files" / "w_p"
    (root / "folder").mkdir(parents=True)
    (root / "here").write_text("here")
    (tmp_path / "secret").write_text("secret")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "set").mkdir()
    (root / "set" / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(root / "pipe")
    sources = ["../../../secret", str(tmp_path / "secret"), "link", "set", "", ".", "a\0b"]
    write_part(
        [
            *(make.file(f"bad/{n}", source) for n, source in enumerate(sources)),
            make.file("good", "here"),
            make.file("gone", "not/there"),
            make.file("empty", "folder", "file_set"),
            make.file("pipe", "pipe"),
            make.file("long", "x" * 300),
            make.file("says nothing", None),
        ]
    )
    receipt = await import_()
    assert receipt.adds_up
    assert receipt.types["file"].stored == 1
    assert receipt.totals.null == 1
    assert receipt.totals.not_stored == {
        "its path is outside the files folder": len(sources),
        "its file is missing": 1,
        "its folder is empty": 1,
        "its file cannot be read": 2,
    }
    assert len(receipt.problems) == len(sources) + 4
    differences = (await import_(verify=True)).verification.differences
    assert [text.partition(": ")[2].partition(" (")[0] for text in differences] == [
        *(f"1 file(s) 'bad/{n}'" for n in range(len(sources))),
        "1 file(s) 'long'",
    ]
    assert all("secret" not in path.read_text() for path in files.folder(db.path).rglob("*")
               if path.is_file())  # fmt: skip
    assert rows("SELECT path, sha256 IS NULL FROM files ORDER BY path") == [
        ("gone", 1),
        ("good", 0),
    ]
    # The bytes are added later.
    (root / "not").mkdir()
    (root / "not" / "there").write_text("found")
    again = await import_()
    assert again.types["file"].already_there == 1
    assert again.types["file"].stored == 1
    assert "its file is missing" not in again.totals.not_stored
    assert rows("SELECT size FROM files WHERE path = 'gone'") == [(5,)]
    third = await import_()
    assert third.types["file"].already_there == 2
    assert third.adds_up


async def test_what_is_no_export(import_: Import, tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(InvalidInputError):
            await import_(path)
    (tmp_path / "export" / "data").mkdir(parents=True)
    receipt = await import_()
    assert not receipt.ok
    assert _named(receipt, "data") == "no Parquet files found"
    (tmp_path / "export" / "data" / "w_p").mkdir()
    (tmp_path / "export" / "data" / "w_p" / "notes.parquet").write_bytes(b"")
    receipt = await import_()
    assert "_part_<number>" in _named(receipt, "notes.parquet")


async def test_one_import_at_a_time(
    db: Database, write_part: Write, import_: Import, make: Any
) -> None:
    write_part([make.point("m", 1, 5, 1.0)])
    async with exclusive(db.spool / "import.lock"):
        with pytest.raises(StoreBusyError):
            await import_()
    assert (await import_()).ok


async def test_verify_finds_what_differs(
    db: Database, write_part: Write, import_: Import, make: Any, tmp_path: Path
) -> None:
    root = tmp_path / "export" / "files" / "w_p"
    root.mkdir(parents=True)
    (root / "f").write_text("bytes")
    write_part(
        [
            make.point("m", 1, 5, 1.0),
            make.point("n", 1, 5, 1.0),
            make.point("monitoring/c", 1, 5, 1.0),
            make.param("p", "int", 1),
            make.file("f", "f"),
        ]
    )
    assert (await import_(verify=True)).ok
    (blob,) = [path for path in files.folder(db.path).rglob("*") if path.is_file()]
    blob.write_text("other")
    assert not (await import_(verify=True)).ok
    blob.unlink()
    assert not (await import_(verify=True)).ok
    blob.write_text("bytes")
    assert (await import_(verify=True)).ok
    of = "WHERE series_id = (SELECT id FROM series WHERE path = '{}')"
    for change, named in (
        (f"UPDATE metrics SET value = 1.0000000000000002 {of.format('m')}", "m"),
        (f"UPDATE metrics SET timestamp = 5001 {of.format('m')}", "m"),
        (f"DELETE FROM metrics {of.format('n')}", "n"),
        ("UPDATE system_steps SET step = 1.5", "monitoring/c"),
        ("UPDATE configs SET value = '1.0'", "p"),
        ("UPDATE files SET path = 'g'", "f"),
    ):
        async with db.write() as conn:
            await conn.execute("SAVEPOINT s")
            await conn.execute(change)
        receipt = await import_(verify=True)
        assert not receipt.ok
        differences = receipt.verification.differences
        assert any(repr(named) in text for text in differences), (change, differences)


async def test_names_that_cannot_be_stored(
    write_part: Write, import_: Import, make: Any, rows: Ask
) -> None:
    """Each is a problem in the receipt, and the rest of the run is stored, with its exact names."""
    control = "a\tb\x1b[31m\n"
    part = write_part(
        [
            make.param("p\0", "string", "lost"), make.param("", "int", 5),
            make.param(control, "string", "v\0w"), make.param("sys/name", "string", "n\0ame"),
            make.param("sys/tags", "string_set", ["t\x07", "fine"]),
            make.point("m\0", 1, 5, 1.0), make.point("m\0", 2, 5, 1.0), make.point("m", 1, 5, 1.0),
            make.point("s" * 1025, 1, 5, "x", "string_series"),
            make.point("text", 1, 5, "x\0y", "string_series"), make.file("f\0", "some/file"),
        ],
        run="r",
        project="w/p\x1b[0m",
    )  # fmt: skip
    receipt = await import_(verify=True)
    assert receipt.adds_up
    assert not receipt.complete
    assert receipt.verification.differences == []
    nul = "the name must not contain the character U+0000"
    assert receipt.totals.not_stored == {
        nul: 1 + 2 + 1, "the name must not be empty": 1,
        "the name must have at most 1024 characters": 1,
    }  # fmt: skip
    assert f"2 rows of float_series 'm\\x00' are not stored: {nul}" in [
        item.problem
        for item in receipt.problems
        if item.file == f"data/{part.parent.name}/{part.name}"
    ]
    assert [remark.problem for remark in receipt.remarks] == [
        r"name 'n\x00ame' is stored as 'n\\x00ame'",
        r"tag 't\x07' is stored as 't\\x07'",
    ]
    assert rows("SELECT path FROM series ORDER BY path") == [("m",), ("text",)]
    assert rows("SELECT value FROM metrics WHERE typeof(value) = 'text'") == [("x\0y",)]
    assert rows("SELECT value FROM configs WHERE key = ?", control) == [('"v\\u0000w"',)]
    assert rows("SELECT name, state FROM runs") == [("n\\x00ame", "completed")]
    again = await import_(verify=True)
    assert again.totals.stored == 0
    assert again.totals.not_stored == receipt.totals.not_stored
