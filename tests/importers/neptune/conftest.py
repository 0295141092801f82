"""Fixtures: a real export of neptune-exporter, and exports that tests write."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trackai.importers.neptune.importer import Options, import_export

if TYPE_CHECKING:
    from trackai.importers.neptune.receipt import Receipt
    from trackai.store.engine.database import Database

DATA = Path(__file__).parents[2] / "data" / "neptune"
SCHEMA = pa.schema(
    {
        "project_id": pa.string(),
        "run_id": pa.string(),
        "attribute_path": pa.string(),
        "attribute_type": pa.string(),
        "step": pa.decimal128(18, 6),
        "timestamp": pa.timestamp("ms", "UTC"),
        "int_value": pa.int64(),
        "float_value": pa.float64(),
        "string_value": pa.string(),
        "bool_value": pa.bool_(),
        "datetime_value": pa.timestamp("ms", "UTC"),
        "string_set_value": pa.list_(pa.string()),
        "file_value": pa.struct({"path": pa.string()}),
        "histogram_value": pa.struct(
            {
                "type": pa.string(),
                "edges": pa.list_(pa.float64()),
                "values": pa.list_(pa.float64()),
            }
        ),
    }
)
Row = dict[str, Any]
Write = Callable[..., Path]
Import = Callable[..., Any]


class Quiet:
    """Ignores the progress of an import."""

    def files(self, done: int, total: int) -> None: ...

    def rows(self, done: int, total: int) -> None: ...


@pytest.fixture(scope="session")
def real_export() -> Path:
    """An export of invented data, written by the real exporter's code."""
    return DATA / "export"


@pytest.fixture(scope="session")
def manifest() -> Any:
    """The expected counts of the real export."""
    return json.loads((DATA / "manifest.json").read_text())


def point(path: str, step: str | int, time: int, value: Any, type_: str = "float_series") -> Row:
    """Build a row of a series; the time is in milliseconds."""
    column = type_.replace("_series", "_value")
    return {
        "attribute_path": path, "attribute_type": type_, "step": Decimal(step),
        "timestamp": time, column: value,
    }  # fmt: skip


def param(path: str, type_: str, value: Any) -> Row:
    """Build a row of a parameter."""
    return {"attribute_path": path, "attribute_type": type_, f"{type_}_value": value}


def file(path: str, source: str | None, type_: str = "file", **columns: Any) -> Row:
    """Build a row of a file."""
    value = None if source is None else {"path": source}
    return {"attribute_path": path, "attribute_type": type_, "file_value": value, **columns}


@pytest.fixture
def write_part(tmp_path: Path) -> Write:
    """Write a part of an export in `tmp_path / "export"`; each argument is a row group."""

    def write(
        *groups: Iterable[Row],
        run: str = "r",
        project: str = "w/p",
        number: int = 0,
        without: str | None = None,
    ) -> Path:
        folder = tmp_path / "export" / "data" / project.replace("/", "_")
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{run}-0123_part_{number}.parquet"
        schema = pa.schema([field for field in SCHEMA if field.name != without])
        with pq.ParquetWriter(path, schema, compression="snappy") as writer:
            for rows in groups:
                full = [{"project_id": project, "run_id": run, **row} for row in rows]
                for row in full:
                    row.pop(without or "", None)
                writer.write_table(pa.Table.from_pylist(full, schema=schema))
        return path

    return write


@pytest.fixture
def import_(db: Database, tmp_path: Path) -> Import:
    """Import an export, by default the one in `tmp_path`, into the test's database."""

    async def run(path: Path | None = None, **options: Any) -> Receipt:
        path = path or tmp_path / "export"
        return await import_export(
            db, path, str(db.path), Options(**{"jobs": 0, **options}), Quiet()
        )

    return run


@pytest.fixture
def rows(db_path: Path) -> Callable[..., list[tuple[Any, ...]]]:
    """Run an SQL query on the test's database."""

    def ask(sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(db_path)) as connection:
            return connection.execute(sql, values).fetchall()

    return ask


@pytest.fixture
def make() -> Any:
    """The functions that build rows."""

    class Make:
        point = staticmethod(point)
        param = staticmethod(param)
        file = staticmethod(file)

    return Make
