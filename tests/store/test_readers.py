"""What other programs read from the database and from exported files."""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import adbc_driver_sqlite.dbapi
import connectorx
import duckdb
import pandas as pd
import polars as pl
import pyarrow.compute
import pyarrow.csv
import pyarrow.dataset
import pyarrow.parquet
import pytest
import sqlalchemy

import trackai as sdk
from tests.importers.test_round_trip import call

if TYPE_CHECKING:
    from collections.abc import Callable

    Read = Callable[[Path, str], list[tuple[Any, ...]]]

pytestmark = pytest.mark.sqlite("about files that this user cannot write")

STARTED = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fill a database with values that readers have taken for others."""
    path = tmp_path_factory.mktemp("readers") / "store.db"
    with sdk.init(project="p", name="r", config={"lr": 0.1}, db_path=path) as run:
        for step in range(400):
            values: dict[str, Any] = {"mixed": 1 if step < 200 else 1.5}
            if step >= 350:  # begins late
                values |= {"late": 0.1 + 0.2, "late_note": f"step {step}"}
            run.log(values, step=step)
        odd = {"nan": math.nan, "inf": -math.inf, "big": 2**53 + 1, "bool": True, "empty": ""}
        run.log(odd | {"words": 'NA,"null"\r\n'}, step=0)
        run.log({"nan": 0.5, "inf": 0.5, "big": 3, "bool": False}, step=1)
        for step in range(4):
            run.log({"halves": step}, step=step / 2)
    with sdk.init(project="p", name="r", resume="must", db_path=path) as run:
        run.log({"halves": 7}, step=1)
    return path


def duckdb_with(path: Path) -> duckdb.DuckDBPyConnection:
    """Attach a database to DuckDB."""
    [extension] = Path(str(files("duckdb_extension_sqlite_scanner"))).rglob("*.duckdb_extension")
    connection = duckdb.connect()
    connection.execute(f"LOAD '{extension}'")
    connection.execute(f"ATTACH '{path}' AS store (TYPE sqlite, READ_ONLY)")
    connection.execute("USE store")
    return connection


def read_with_duckdb(path: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb_with(path) as connection:
        return connection.sql(query).fetchall()


def read_with_polars(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return pl.read_database(query, connection).rows()


def read_with_connectorx(path: Path, query: str) -> list[tuple[Any, ...]]:
    table = connectorx.read_sql(f"sqlite://{path}", query, return_type="arrow")
    return [tuple(row.values()) for row in table.to_pylist()]


def read_with_adbc(path: Path, query: str) -> list[tuple[Any, ...]]:
    uri = f"file:{path}?mode=ro"
    with (
        adbc_driver_sqlite.dbapi.connect(uri, autocommit=True) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(query)
        return [tuple(row.values()) for row in cursor.fetch_arrow_table().to_pylist()]


def read_with_pandas(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return list(pd.read_sql(query, connection).itertuples(index=False, name=None))


def read_with_sqlalchemy(path: Path, query: str) -> list[tuple[Any, ...]]:
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(sqlalchemy.text(query))]
    engine.dispose()
    return rows


@pytest.fixture(
    params=[
        read_with_adbc, read_with_connectorx, read_with_duckdb, read_with_pandas,
        read_with_polars, read_with_sqlalchemy,
    ]
)  # fmt: skip
def read(request: pytest.FixtureRequest) -> Read:
    """Read the rows of a query with one of the programs."""
    reader: Read = request.param
    return reader


def numbers(rows: list[tuple[Any, ...]]) -> list[tuple[float, ...]]:
    """Convert rows to sorted numbers: DuckDB takes the columns of views for texts."""
    assert all(type(cell) in (float, str) for row in rows for cell in row)
    return sorted(tuple(map(float, row)) for row in rows)


def test_duckdb_lets_sqlite_sort(tmp_path: Path) -> None:
    """DuckDB itself sorts the columns of views as texts."""
    path = tmp_path / "trackai.db"
    for value in (9, 10):
        with sdk.init(project="p", name=f"r{value}", db_path=path) as run:
            run.log({"loss": value})
    query = "SELECT run, max FROM metric_overview ORDER BY {} DESC"
    assert read_with_duckdb(path, query.format("max")) == [("r9", "9"), ("r10", "10")]
    in_sqlite = f"FROM sqlite_query('store', '{query.format('max_number')}')"
    assert [run for run, _ in read_with_duckdb(path, in_sqlite)] == ["r10", "r9"]


def test_integers_before_floats(store: Path, read: Read) -> None:
    rows = read(store, "SELECT step_number, value_number FROM points WHERE metric = 'mixed'")
    assert numbers(rows) == [(step, 1 if step < 200 else 1.5) for step in range(400)]


def test_fractional_steps(store: Path, read: Read) -> None:
    rows = read(store, "SELECT step_number, value_number FROM points WHERE metric = 'halves'")
    assert numbers(rows) == [(0, 0), (0.5, 1), (1, 7)]


def test_overviews(store: Path, read: Read) -> None:
    query = """
        SELECT metric, last_number, min_number, max_number FROM metric_overview
        WHERE metric IN ('mixed', 'bool') ORDER BY metric
    """
    rows = [(name, *map(float, numbers)) for name, *numbers in read(store, query)]
    assert rows == [("bool", 0, 0, 1), ("mixed", 1.5, 1, 1.5)]
    assert read(store, "SELECT run, key, value FROM config_overview") == [("r", "lr", "0.1")]
    [(run, points)] = read(store, "SELECT run, points FROM run_overview")
    assert (run, int(points)) == ("r", 400 + 2 * 50 + 6 + 4 + 3)


def test_times(store: Path, read: Read) -> None:
    query = "SELECT time FROM points WHERE metric = 'mixed' ORDER BY time"
    times = [datetime.fromisoformat(time) for (time,) in read(store, query)]
    assert times == sorted(times)
    assert all(time.tzinfo is not None for time in times)
    assert abs((datetime.now(UTC) - times[0]).total_seconds()) < 3600


def test_programs_convert_the_times(store: Path) -> None:
    query = "SELECT time FROM points WHERE metric = 'mixed' ORDER BY time"
    [(text,), *_] = read_with_polars(store, query)
    expected = datetime.fromisoformat(text)
    with closing(sqlite3.connect(store)) as connection:
        frame = pd.read_sql(query, connection, parse_dates=["time"])
        assert frame["time"][0].to_pydatetime() == expected
        times = pl.col("time").str.to_datetime(time_zone="UTC")
        assert pl.read_database(query, connection).select(times).item(0, 0) == expected
        julian = "SELECT unixepoch(time, 'subsec') FROM points WHERE metric = 'mixed' LIMIT 1"
        if sqlite3.sqlite_version_info >= (3, 42):
            assert connection.execute(julian).fetchone()[0] == pytest.approx(expected.timestamp())
    [(time,)] = read_with_duckdb(store, f"SELECT min(time::TIMESTAMP) FROM ({query})")
    assert time == expected.replace(tzinfo=None)


def test_duckdb_lists_the_tables_and_views(store: Path) -> None:
    with duckdb_with(store) as connection:
        tables = {name for _, _, name, *_ in connection.sql("SHOW ALL TABLES").fetchall()}
        assert {"metrics", "series", "runs"} <= tables
        views = connection.sql("SELECT view_name FROM duckdb_views()").fetchall()
        assert {("points",), ("logged_points",), ("run_overview",)} <= set(views)
        for view in ("points", "logged_points"):
            [(count,)] = connection.sql(f"SELECT COUNT(*) FROM {view}").fetchall()
            assert count > 500


CURVE = [0.5, math.nan, 1, math.inf, -math.inf, 0.1 + 0.2, math.nan]


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export one curve, and everything, as CSV and Parquet."""
    folder = tmp_path_factory.mktemp("exports")
    for name, odd in (("curve", False), ("all", True)):
        store = folder / f"{name}.db"
        with sdk.init(project="p", name="r", db_path=store) as run:
            for step, value in enumerate(CURVE):
                run.log({"curve": value}, step=step)
            if odd:
                run.log({"big": 2**53 + 1, "bool": True, "empty": "", "words": 'NA,"x"\r\n'})
        for suffix in ("csv", "parquet"):
            call("export", "--all", "--db", str(store), "-o", str(folder / f"{name}.{suffix}"))
    return folder


def same(values: Any) -> bool:
    """Return whether these are the values of the curve; NaN equals NaN."""
    return repr([float(value) for value in values]) == repr(list(map(float, CURVE)))


def test_all_programs_take_the_values_of_csv_for_numbers(exports: Path) -> None:
    path = str(exports / "curve.csv")
    assert same(pl.read_csv(path, infer_schema_length=None)["value"])
    assert same(pd.read_csv(path)["value"])
    options = pyarrow.csv.ConvertOptions(null_values=[])  # by default, NaN is null
    assert same(pyarrow.csv.read_csv(path, convert_options=options)["value"].to_pylist())
    with duckdb.connect() as connection:
        query = f"SELECT value FROM read_csv('{path}', sample_size = -1)"
        assert same(value for (value,) in connection.sql(query).fetchall())


def test_texts_and_integers_in_csv(exports: Path) -> None:
    """The columns `type` and `value` as texts have everything."""
    path = str(exports / "all.csv")
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    rows = list(frame[["metric", "type", "value"]].itertuples(index=False, name=None))
    odd = [
        ("big", "int", "9007199254740993"), ("bool", "bool", "True"), ("empty", "str", ""),
        ("words", "str", 'NA,"x"\r\n'),
    ]  # fmt: skip
    assert sorted(row for row in rows if row[0] != "curve") == odd
    table = pl.read_csv(path, infer_schema=False).filter(pl.col("metric") != "curve")
    rows = table.select(pl.col("metric", "type", "value").fill_null("")).rows()
    assert sorted(rows) == odd


@pytest.mark.parametrize("name", ["curve", "all"])
def test_filters_find_nan_and_infinities_in_parquet(exports: Path, name: str) -> None:
    path = str(exports / f"{name}.parquet")
    value, infinite = pl.col("value"), [math.inf, -math.inf]
    assert pl.scan_parquet(path).filter(value.is_nan()).collect().height == 2
    assert pl.scan_parquet(path).filter(value.is_in(infinite)).collect().height == 2
    dataset, field = pyarrow.dataset.dataset(path), pyarrow.compute.field("value")
    assert dataset.to_table(filter=pyarrow.compute.is_nan(field)).num_rows == 2
    assert dataset.to_table(filter=field.isin(infinite)).num_rows == 2
    with duckdb.connect() as connection:
        for condition in ("isnan(value)", "value = 'nan'", "isinf(value)"):
            query = f"SELECT COUNT(*) FROM '{path}' WHERE {condition}"
            assert connection.sql(query).fetchall() == [(2,)]
    # What DuckDB 2.0 and pyarrow 26 skip row groups by.
    columns = pyarrow.parquet.ParquetFile(path).metadata.row_group(0).to_dict()["columns"]
    statistics = {column["path_in_schema"]: column["statistics"] for column in columns}
    assert statistics["value"] is None
    assert statistics["step"] is not None


def test_integers_in_parquet_are_exact(exports: Path) -> None:
    table = pl.read_parquet(exports / "all.parquet").filter(pl.col("metric") == "big")
    assert table["value_int"].to_list() == [2**53 + 1]
