"""Many points as images of a table: as exact as lists, in a file and over HTTP."""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

import trackai
from trackai.client.connection import Answer
from trackai.reading import history, image_reader, remote_points
from trackai.reading.history import Curve
from trackai.reading.local_source import LocalSource
from trackai.reading.remote_source import RemoteSource
from trackai.store.engine import access
from trackai.store.engine.database import Database
from trackai.store.engine.direct import Direct
from trackai.store.points import curves, images, lineage
from trackai.structs.points import PointImage
from trackai.structs.records import ColumnPage, PointColumns
from trackai.values.packing import pack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tests.conftest import Server

IMAGES = "application/vnd.trackai.images+msgpack"
INT64 = 2**63
integers = st.integers(-INT64, INT64 - 1) | st.integers(-300, 300)
floats = st.floats(allow_nan=False)
rows = st.tuples(
    integers | floats,
    st.integers(0, INT64 - 1),
    st.sampled_from([None, 0, 1]) | integers | floats,
)


@pytest.fixture(scope="module")
def conn() -> Iterator[Direct]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE points (step, timestamp, value)")
    yield Direct(connection)
    connection.close()


async def copied(conn: Direct, points: Sequence[tuple[Any, ...]]) -> PointImage:
    await conn.execute("DELETE FROM points")
    await conn.executemany("INSERT INTO points VALUES (?, ?, ?)", points)
    await conn.execute("BEGIN")
    result = await images.copy(conn, "SELECT * FROM points ORDER BY rowid", ())
    assert result is not None
    root, data, count, last, _ = result
    assert count == len(points)
    assert last == (points[-1][:2] if points else None)
    await conn.rollback()
    await conn.execute("PRAGMA query_only = OFF")
    return PointImage("step", are_bools=False, root=root, data=data)


def run(coroutine: Any) -> Any:
    """Run a coroutine that waits for nothing."""
    with pytest.raises(StopIteration) as stopped:
        coroutine.send(None)
    return stopped.value.value


@given(points=st.lists(rows, max_size=300), repeated=st.integers(1, 40))
def test_an_image_is_exact(conn: Direct, points: list[Any], repeated: int) -> None:
    points *= repeated
    arrays = history.read_images([run(copied(conn, points))])
    curve = history.curve_of_arrays(arrays)
    columns = [list(column) for column in zip(*points, strict=True)] or [[], [], []]
    columns[2] = [math.nan if value is None else value for value in columns[2]]
    assert repr([curve.steps, curve.timestamps, curve.values]) == repr(columns)


def test_an_image_as_large_as_possible(conn: Direct) -> None:
    points = [(step, INT64 - 1, step / 7) for step in range(images.MOST)]
    image = run(copied(conn, points))
    # The cache of a temporary database is 2 MB by default.
    assert len(image.data) < 1_500_000
    steps, _, values = image_reader.read([image])
    assert steps.dtype == np.int64
    assert values.dtype == np.float64
    assert steps.tolist() == list(range(images.MOST))
    assert values.tolist() == [step / 7 for step in range(images.MOST)]


def test_sqlite_opens_an_image(conn: Direct) -> None:
    points = [(step, step + 0.5, None if step % 2 else 0.1) for step in range(1000)]
    image = run(copied(conn, points))
    with closing(sqlite3.connect(":memory:")) as opened:
        opened.deserialize(image.data)
        assert opened.execute("SELECT * FROM image ORDER BY rowid").fetchall() == points


@given(data=st.data())
def test_a_damaged_image(conn: Direct, data: st.DataObject) -> None:
    image = run(copied(conn, [(step, step, step / 3) for step in range(400)]))
    pages = bytearray(image.data)
    for _ in range(data.draw(st.integers(1, 20))):
        pages[data.draw(st.integers(0, len(pages) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(pages)))
    root = data.draw(st.integers(-1, 10))
    damaged = PointImage("step", are_bools=False, root=root, data=bytes(pages[:end]))
    try:
        columns = image_reader.read([damaged])
    except ValueError:
        return
    assert len({len(column) for column in columns}) == 1


KINDS: dict[str, Callable[[int], Any]] = {
    "float": lambda step: step / 7,
    "integer": lambda step: 2**62 - step,
    "bool": lambda step: step % 3 == 0,
    "mixed": lambda step: step if step % 2 else step / 2,
    "non-finite": lambda step: (math.nan, math.inf, -math.inf, 0.5, -0.0)[step % 5],
    "text": lambda step: "NaN" if step % 2 else "x",
    "number and text": lambda step: "y" * 2000 if step == 77 else step,
}


@pytest.fixture
def long_run(db_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """A run of 130 points of each kind, resumed once; an image has 25 of them."""
    monkeypatch.setattr(images, "MOST", 25)
    monkeypatch.setattr(images, "_FEW", 100)
    with trackai.init(project="p", name="long") as run:
        for step in range(120):
            run.log({name: value(step) for name, value in KINDS.items()}, step=step)
            run.log_system({"gpu": step / 3, "float": -step / 2})
        for _ in range(30):
            run.log({"same": 1.5, "same float": 0.5}, step=2.5)
    with trackai.init(project="p", name="long", resume_from="long?_step=99") as again:
        for step in range(100, 130):
            again.log({name: value(-step) for name, value in KINDS.items()}, step=step)
    return run.id


def lists(source: LocalSource | RemoteSource, run_id: int) -> dict[str, str]:
    return {path: repr(source.points(run_id, path)) for path in source.paths(run_id)}


def arrays(source: LocalSource | RemoteSource, run_id: int) -> dict[str, str]:
    return {path: repr(curve_of(source.arrays(run_id, path))) for path in source.paths(run_id)}


def curve_of(points: Curve | history.Arrays) -> Curve:
    return points if isinstance(points, Curve) else history.curve_of_arrays(points)


def test_arrays_of_a_file_equal_lists(long_run: int, db_path: Path) -> None:
    source = LocalSource(db_path)
    assert arrays(source, long_run) == lists(source, long_run)
    dtypes = {}
    for path in ("float", "integer", "bool", "non-finite", "gpu"):
        points = source.arrays(long_run, path)
        if isinstance(points, history.Arrays):
            dtypes[path] = str(np.asarray(points.values).dtype)
    assert dtypes == {"integer": "int64", "bool": "bool", "non-finite": "float64", "gpu": "float64"}


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"], indirect=True)
def test_arrays_of_a_server_equal_lists(
    server: Server, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    with trackai.init(project="p", server_url=server.url) as run:
        for step in range(12_000):
            run.log({name: value(step) for name, value in KINDS.items()}, step=step)
        run.log_system({"float": 0.5})
    source = RemoteSource(server.url)
    expected = lists(source, run.id)
    for page in (5000, 12_000, 1_000_000):
        monkeypatch.setattr(remote_points, "_PAGE", page)
        assert arrays(source, run.id) == expected
    points = source.arrays(run.id, "integer")
    assert isinstance(points, Curve if engine == "postgresql" else history.Arrays)


def test_the_query_selects_points_as_for_json(long_run: int, db_path: Path, server: Server) -> None:
    with trackai.init(project="p", name="queries") as run:
        for step in range(11_000):
            run.log({"x": step}, step=step // 3)
    source = RemoteSource(server.url)

    def steps(query: str, accept: str) -> list[Any]:
        url = f"/api/metrics/runs/{run.id}/metric/x?{query}"
        answer = source.connection.request("GET", url, headers={"Accept": accept})
        assert answer.media_type == accept
        if accept == "application/json":
            return [point["value"] for point in msgspec.json.decode(answer.data)["data"]]
        page = msgspec.msgpack.decode(answer.data, type=ColumnPage)
        assert page.columns == []
        return [*image_reader.read(page.images)[2].tolist()] if page.images else []

    for query in (
        "limit=1000000", "step_min=100&limit=40000", "step_max=7", "offset=10990&limit=7",
        "limit=1", "attempt=all&limit=50", "step_min=1000000",
    ):  # fmt: skip
        assert steps(query, IMAGES) == steps(query, "application/json")


def test_pages_of_images_follow_each_other(db_path: Path, server: Server) -> None:
    with trackai.init(project="p") as run:
        for number in range(10_000):
            run.log({"x": number}, step=number // 4_000)
    source = RemoteSource(server.url)
    values: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        query = f"limit=1234&cursor={cursor}" if cursor else "limit=1234"
        url = f"/api/metrics/runs/{run.id}/metric/x?{query}"
        answer = source.connection.request("GET", url, headers={"Accept": IMAGES})
        page = msgspec.msgpack.decode(answer.data, type=ColumnPage)
        values += image_reader.read(page.images)[2].tolist()
        cursor = page.next_cursor
    assert values == list(range(10_000))


def test_pages_of_several_kinds(conn: Direct, monkeypatch: pytest.MonkeyPatch) -> None:
    image = run(copied(conn, [(1, 10, 0.5), (2, 20, 3)]))
    gpu = PointImage("time", are_bools=False, root=image.root, data=image.data)
    columns = PointColumns(pack([3]), pack([30]), pack(["text"]))
    point = {"step": 4, "timestamp": "1970-01-01T00:00:00.00004Z", "value": 7}
    answers: Iterator[tuple[object, str]] = iter(
        [
            (ColumnPage("a", [], "1", [image]), IMAGES),
            (ColumnPage("a", [columns], "2"), IMAGES),
            (ColumnPage("a", [], "3", [image, gpu]), IMAGES),
            ({"data": [point], "has_more": False}, "application/json"),
        ]
    )

    def send(*arguments: object) -> Answer:
        page, media_type = next(answers)
        encoder = msgspec.msgpack if media_type == IMAGES else msgspec.json
        return Answer("http://tracker", 200, encoder.encode(page), media_type)

    monkeypatch.setattr(RemoteSource, "send", send)
    monkeypatch.setattr(remote_points, "_texts", lambda *arguments: set())
    assert RemoteSource("http://tracker").arrays(1, "x") == Curve(
        [1, 2, 3, 1, 2, None, None, 4],
        [10, 20, 30, 10, 20, 10, 20, 40],
        [0.5, 3, "text", 0.5, 3, 0.5, 3, 7],
    )


def test_images_of_other_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    page = ColumnPage("a", [], images=[PointImage("step", are_bools=False, root=2, data=b"x")])

    def send(*arguments: object) -> Answer:
        return Answer("http://tracker", 200, msgspec.msgpack.encode(page), IMAGES)

    monkeypatch.setattr(RemoteSource, "send", send)
    with pytest.raises(trackai.TrackAIError, match="not the address of a TrackAI server"):
        RemoteSource("http://tracker").arrays(1, "x")


def test_frames_and_tables_equal_those_of_lists(
    long_run: int, db_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trackai.Api(db_path).run(long_run)
    keys = [key for key in run.history() if key not in ("same", "same float", "gpu")]
    fast = run.history(keys)
    monkeypatch.setattr(images, "_FEW", 1_000_000)
    slow = run.history(keys)
    assert repr(dict(fast)) == repr(dict(slow))
    for index in ("step", "time"):
        pandas.testing.assert_frame_equal(fast.to_pandas(index), slow.to_pandas(index))
    assert repr(fast.to_arrow().to_pydict()) == repr(slow.to_arrow().to_pydict())


def test_images_of_a_file_that_cannot_be_written(
    long_run: int, db_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = lists(LocalSource(db_path), long_run)
    monkeypatch.setattr(access, "of", lambda path: "frozen")
    assert arrays(LocalSource(db_path), long_run) == expected


async def test_a_reader_cannot_write_after_a_copy(long_run: int, db_path: Path) -> None:
    database = Database(db_path)
    await database.open()
    try:
        async with database.snapshot() as conn:
            series = await lineage.find(conn, long_run, "integer")
            assert await curves.read_images(conn, series[0])
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                await conn.execute("DELETE FROM metrics")
        async with database.snapshot() as conn:
            tables = await conn.execute_fetchall("SELECT name FROM temp.sqlite_schema")
            assert list(tables) == []
    finally:
        await database.close()
