"""Rows of wandb's history that are converted by column, beside those read as messages."""

from __future__ import annotations

import json
import math
import struct
import zlib
from typing import TYPE_CHECKING, Any
from unittest import mock
from unittest.mock import ANY

from google.protobuf.message import DecodeError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.importers.sources import NoProgress
from trackai.importers.receipt import Receipt
from trackai.importers.wandb import reader, values
from trackai.importers.wandb.folders import HEADER
from trackai.importers.wandb.items import Splitter, decode_numbers, name_parts
from trackai.importers.wandb.messages import History, Item, Items, Record
from trackai.importers.wandb.rows import Rows
from trackai.structs.exchange import Block

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

STARTED_AT = 1_700_000_000
NUMBERS = st.one_of(
    st.integers().map(str),
    st.floats().map(json.dumps),
    st.sampled_from(
        ["0", "-0", "-0.0", "-0e5", "1e999", "18446744073709551615", "01", "1_0", "1 "]
    ),
)
TEXTS = st.one_of(
    NUMBERS,
    NUMBERS,
    st.sampled_from(["null", "true", '"text"', "[1, 2]", '{"a": 1}', "{", "", "1,2", "\n1", "é"]),
    st.text(max_size=150).map(json.dumps),
)
NAMES = st.one_of(
    st.sampled_from([["loss"], ["acc"], ["loss"], ["a/b"], ["a", "b"], ["a", ""], [""], ["é"]]),
    st.sampled_from(
        [["_step"], ["_timestamp"], ["_runtime"], ["_own"], ["h", "_type"], ["h", "x"]]
    ),
    st.lists(st.text(max_size=3), min_size=1, max_size=3),
    st.text(min_size=110, max_size=130).map(lambda name: [name]),
)
ITEMS = st.lists(st.tuples(NAMES, TEXTS), max_size=5)


def item(names: list[str], text: str) -> Any:
    return Item(nested_key=names, value_json=text)


def write(path: Path, records: list[Any]) -> None:
    run = Record(run={"run_id": "r", "project": "p", "start_time": {"seconds": STARTED_AT}})
    content = HEADER
    for record in [run, *records]:
        payload = record.SerializeToString()
        if len(content) % 32768 + 7 + len(payload) > 32768:
            content += bytes(-len(content) % 32768)
        checksum = zlib.crc32(b"\1" + payload)
        content += struct.pack("<IHB", checksum, len(payload), 1) + payload
    path.write_bytes(content)


def read(path: Path) -> tuple[Any, ...]:
    """The points of each writer and metric, the other items, and what the receipt says."""

    receipt = Receipt("source", "database")
    points: dict[tuple[str, ...], list[Any]] = {}
    others = []
    for found in reader.Source(path, receipt=receipt, progress=NoProgress()).read():
        if isinstance(found, Block):
            key = (found.metric, found.axis, found.kind, found.writer.uid)
            points.setdefault(key, []).extend(
                zip(found.steps, found.timestamps, map(repr, found.values), strict=True)
            )
        else:
            others.append(found)
    return points, others, receipt.types, receipt.problems


def history(items: list[tuple[list[str], str]], step: int, time: float) -> Any:
    own = [item(["_timestamp"], repr(STARTED_AT + time))]
    row = History(item=own + [item(*pair) for pair in items])
    row.step.num = step
    return Record(history=row.SerializeToString())


def summary(items: list[tuple[list[str], str]], removed: list[list[str]]) -> Any:
    message = Items(
        update=[item(*pair) for pair in items], remove=[Item(nested_key=name) for name in removed]
    )
    return Record(summary=message.SerializeToString())


@settings(max_examples=100)
@given(
    rows=st.lists(
        st.tuples(ITEMS, ITEMS, st.sampled_from([0, 0, 0, 1, 60]), st.lists(NAMES, max_size=1)),
        max_size=8,
    ),
    batch=st.sampled_from([1, 10, 50_000]),
)
@example(rows=[([(["a/b"], "1"), (["a", "b"], "2")], [], 0, [])] * 2, batch=50_000)
@example(rows=[([(["h", "_type"], '"x"'), (["h", "x"], "2")], [], 0, [])] * 2, batch=50_000)
@example(rows=[([(["n"], "1")], [(["n"], "2")], 0, [["n"]])], batch=50_000)
@example(rows=[([(["_step"], '{"a": 1}')], [], 0, [])], batch=50_000)
def test_columns_are_like_messages(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any], batch: int
) -> None:
    path = tmp_path_factory.mktemp("rows") / "run-r.wandb"
    records = []
    for step, (logged, figures, pause, removed) in enumerate(rows):
        records.append(summary(logged + figures, removed))
        records.append(history(logged, step, step - pause))
    write(path, [*records, Record(exit={"exit_code": 0, "runtime": 1})])
    with mock.patch.object(Rows, "split", return_value=None):
        expected = read(path)
    with mock.patch("trackai.importers.wandb.rows._MAX_VALUES", batch):
        assert read(path) == expected


@given(
    rows=st.lists(st.sets(st.sampled_from("abcdef")), max_size=30),
    changes=st.lists(st.integers(0, 3), min_size=30, max_size=30),
)
def test_the_last_figure_of_each_name_counts(
    tmp_path_factory: pytest.TempPathFactory, rows: list[set[str]], changes: list[int]
) -> None:
    path = tmp_path_factory.mktemp("summary") / "run-r.wandb"
    expected: dict[str, str] = {}
    records = []
    for number, (names, change) in enumerate(zip(rows, changes, strict=False)):
        figures = [([name], str(number + 1)) for name in sorted(names)]
        removed = [[name] for name in "abc"[:change]] if number % 7 == 3 else []
        records.append(summary(figures, removed))
        expected |= {name: text for [name], text in figures}
        for [name] in removed:
            expected.pop(name, None)
    write(path, [*records, Record(exit={"exit_code": 0, "runtime": 1})])
    points, *_ = read(path)
    found = {metric: value for (metric, *_), [(_, _, value)] in points.items()}
    assert found == expected


@given(items=ITEMS, damage=st.lists(st.tuples(st.integers(0, 10_000), st.binary(max_size=2))))
def test_split_items_are_those_of_the_message(items: list[Any], damage: list[Any]) -> None:
    message = bytearray(History(item=[item(*pair) for pair in items]).SerializeToString())
    message += b"\x12\x02\x08\x05"
    for at, replacement in damage:
        at %= len(message)
        message[at : at + 1] = replacement or b""
        if not message:
            return
    try:
        decoded = History.FromString(bytes(message))
    except DecodeError:
        return
    parts = Splitter().split(bytes(message))
    if parts is None:
        return
    texts, rest = parts
    rejoined = [
        (name_parts(name), text.decode(errors="surrogateescape")) for name, text in texts.items()
    ]
    tail = History.FromString(rest)
    rejoined += [(values.name_of(other), other.value_json) for other in tail.item]
    assert rejoined == [(values.name_of(other), other.value_json) for other in decoded.item]
    assert tail.step.num == decoded.step.num


@given(texts=st.lists(st.one_of(NUMBERS, TEXTS), min_size=1, max_size=4))
@example(texts=["-0", "1"])
@example(texts=["1,2", ""])
@example(texts=["[1", "2]"])
@example(texts=[str(2**63)])
def test_columns_of_numbers_are_decoded_like_single_ones(texts: list[str]) -> None:
    numbers = decode_numbers([text.encode() for text in texts])
    single = [content for text in texts for content in values.decode_text("x", text)]
    if numbers is not None:
        expected = [getattr(content, "value", None) for content in single]
        assert list(map(repr, numbers)) == list(map(repr, expected))
        assert all(map(math.isfinite, numbers))


def test_rows_of_numbers_are_converted_by_column(tmp_path: Path) -> None:
    path = tmp_path / "run-r.wandb"
    logged = [([name], str(number)) for number, name in enumerate(["a", "b/c", "é"])]
    nested = [(["d", "e"], "0.5")]
    write(path, [history(logged + nested * (step % 2), step, step) for step in range(100)])
    with mock.patch.object(reader._Session, "_read_row", side_effect=AssertionError):
        points, *_ = read(path)
    assert {metric: len(found) for (metric, *_), found in points.items()} == {
        "a": 100, "b/c": 100, "é": 100, "d/e": 50
    }  # fmt: skip


def test_summaries_of_alternating_names_are_compared_and_not_merged(tmp_path: Path) -> None:
    """Before the summary of each row, wandb writes one of its own figures."""
    path = tmp_path / "run-r.wandb"
    records = []
    for step in range(50):
        own = Items(update=[item(["_wandb", "runtime"], "1"), Item(key="_runtime", value_json="1")])
        records.append(Record(summary=own.SerializeToString()))
        records.append(summary([(["loss"], str(step)), (["_runtime"], "0.5")], []))
        records.append(history([(["loss"], str(step))], step, step))
    set_by_script = Items(update=[Item(key="loss", value_json="0.125")])
    records.append(Record(summary=set_by_script.SerializeToString()))
    write(path, [*records, Record(exit={"exit_code": 0, "runtime": 1})])
    merge = reader._Session._merge_summaries
    with mock.patch.object(reader._Session, "_merge_summaries", autospec=True) as merged:
        merged.side_effect = merge
        points, *_ = read(path)
    assert merged.call_count == 2  # where the script has set a value, and at the end
    assert [found for (metric, *_), found in points.items() if metric == "summary/loss"] == [
        [(49, ANY, "0.125")]
    ]


def test_a_metric_may_have_the_name_that_exports_use_for_steps(tmp_path: Path) -> None:
    path = tmp_path / "run-r.wandb"
    rows = [history([(["trackai_step"], str(7 * step))], step, step) for step in range(3)]
    write(path, [*rows, Record(exit={"exit_code": 0, "runtime": 1})])
    points, *_ = read(path)
    assert [
        [(step, value) for step, _, value in found]
        for (metric, *_), found in points.items()
        if metric == "trackai_step"
    ] == [[(0, "0"), (1, "7"), (2, "14")]]
