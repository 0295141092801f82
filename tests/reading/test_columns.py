"""Points over HTTP as packed columns: as exact as a file, and as JSON."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

import trackai
from trackai.client.connection import Answer
from trackai.reading import remote_points
from trackai.reading.remote_source import RemoteSource
from trackai.structs.records import ColumnPage, PointColumns
from trackai.values.packing import Deltas, Floats, Plain, pack, unpack

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server

BIG = 2**53 + 1
MSGPACK = "application/msgpack"
VALUES: dict[str, list[Any]] = {
    "float": [0.1, -0.0, 5e-324, 1.7976931348623157e308],
    "non-finite": [math.nan, math.inf, -math.inf, 1.0],
    "integer": [BIG, -(2**63), 2**63 - 1, 0],
    "mixed": [BIG, 0.5, math.nan, -3],
    "bool": [True, False, False, True],
    "text": ["NaN", "Infinity", "", "é\n"],
}


def test_packed_values_are_exact() -> None:
    decode = msgspec.msgpack.Decoder(Floats | Deltas | Plain).decode
    for values in VALUES.values():
        again = unpack(decode(msgspec.msgpack.encode(pack(values))))
        assert list(map(repr, again)) == list(map(repr, values))


@pytest.fixture
def odd_run(db_path: Path) -> int:
    """A run of odd values, steps and series, resumed once."""
    with trackai.init(project="p", name="odd") as run:
        for index in range(4):
            row = {name: values[index] for name, values in VALUES.items()}
            run.log({**row, "both": index}, step=[-2.5, 0, 7, BIG][index])
            run.log_system({"both": index / 2})
        run.log({"big text": "x" * 5000, "same": 1}, step=1)
        run.log({"same": 2}, step=1)
    with trackai.init(project="p", name="odd", resume_from="odd?_step=1") as again:
        again.log({"integer": 5, "float": 1.5}, step=2)
    return run.id


def read(source: str, run_id: int) -> dict[str, tuple[str, ...]]:
    history = trackai.Api(source).run(run_id).history()
    return {
        path: (repr(curve.steps), repr(curve.timestamps), repr(curve.values))
        for path, curve in history.items()
    }


@pytest.mark.parametrize("page", [1, 2, 1_000_000])
def test_columns_and_json_equal_the_file(
    odd_run: int, db_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    file = read(str(db_path), odd_run)
    assert set(file) >= VALUES.keys()
    monkeypatch.setattr(remote_points, "_PAGE", page)
    assert read(server.url, odd_run) == file
    summaries = [trackai.Api(source).run(odd_run).summary for source in (db_path, server.url)]
    assert repr(summaries[0]) == repr(summaries[1])
    monkeypatch.setattr(remote_points, "_ACCEPT_COLUMNS", {})  # as of an older server
    assert read(server.url, odd_run) == file


def test_an_older_server_answers_with_json(
    odd_run: int, db_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    media_types = []
    decode = RemoteSource.decode

    def spy(self: RemoteSource, answer: Answer, type_: object) -> object:
        media_types.append(answer.media_type)
        return decode(self, answer, type_)

    monkeypatch.setattr(RemoteSource, "decode", spy)
    source = RemoteSource(server.url)
    columns = source.points(odd_run, "text")
    assert media_types == [MSGPACK]
    monkeypatch.setattr(remote_points, "_ACCEPT_COLUMNS", {"Accept": "*/*"})
    assert source.points(odd_run, "text") == columns
    assert set(media_types[1:]) == {"application/json"}


def test_a_page_has_at_most_100_000_points(db_path: Path, server: Server) -> None:
    with trackai.init(project="p") as run:
        for step in range(100_001):
            run.log({"x": step / 7}, step=step)
    source = RemoteSource(server.url)
    path = f"/api/metrics/runs/{run.id}/metric/x?limit=1000000"
    answer = source.connection.request("GET", path, headers={"Accept": MSGPACK})
    page = msgspec.msgpack.decode(answer.data, type=ColumnPage)
    assert sum(len(unpack(part.values)) for part in page.columns) == 100_000
    assert page.next_cursor is not None
    assert len(answer.data) < 11 * 100_000
    curve = source.points(run.id, "x")
    assert curve.steps == list(range(100_001))
    assert curve.values == [step / 7 for step in range(100_001)]


def test_the_query_selects_points_as_for_json(odd_run: int, server: Server) -> None:
    def points(query: str, accept: str) -> list[object]:
        url = f"/api/metrics/runs/{odd_run}/metric/mixed?{query}"
        answer = RemoteSource(server.url).connection.request("GET", url, headers={"Accept": accept})
        assert answer.media_type == accept
        if accept == MSGPACK:
            page = msgspec.msgpack.decode(answer.data, type=ColumnPage)
            return [step for part in page.columns for step in unpack(part.steps or Plain([]))]
        return [point["step"] for point in msgspec.json.decode(answer.data)["data"]]

    for query in ("step_min=0", "step_max=7&limit=2", "offset=1", "attempt=1", "attempt=all"):
        assert points(query, MSGPACK) == points(query, "application/json") != []


def test_errors_are_json(odd_run: int, server: Server) -> None:
    headers = {"Accept": MSGPACK}
    base = f"/api/metrics/runs/{odd_run}/metric"
    for path, status, text in (
        (f"{base}/nope", 404, "nope"),
        (f"{base}/float?limit=0", 422, "limit"),
        (f"{base}/float?cursor=!", 422, "cursor"),
        ("/api/metrics/runs/99/metric/float", 404, "run 99"),
    ):
        answer = server.request("GET", path, headers=headers)
        assert answer.status == status
        assert text in answer.json["detail"]


def stub(monkeypatch: pytest.MonkeyPatch, *pages: bytes) -> RemoteSource:
    answers = iter(pages)

    def send(*arguments: object) -> Answer:
        return Answer("http://tracker", 200, next(answers), MSGPACK)

    monkeypatch.setattr(RemoteSource, "send", send)
    return RemoteSource("http://tracker")


def test_a_run_that_is_replaced_while_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    part = PointColumns(pack([1]), pack([1]), pack([0.5]))
    pages = [ColumnPage("a", [part], "next"), ColumnPage("b", [part])]
    source = stub(monkeypatch, *map(msgspec.msgpack.encode, pages))
    with pytest.raises(trackai.NotFoundError, match="run 1 was replaced while it was being read"):
        source.points(1, "x")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        msgspec.msgpack.encode({"run": "a", "columns": [{"steps": 5}]}),
        msgspec.msgpack.encode(
            ColumnPage("a", [PointColumns(pack([1]), pack([1]), Floats(b"1234567"))])
        ),
        msgspec.msgpack.encode(
            ColumnPage("a", [PointColumns(pack([1]), pack([1]), pack([1, 2]))])
        ),
    ],
)  # fmt: skip
def test_answers_of_other_programs(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    with pytest.raises(trackai.TrackAIError, match="not the address of a TrackAI server"):
        stub(monkeypatch, data).points(1, "x")
