"""Batches of a journal on their way to a server."""

from __future__ import annotations

import math
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackai.errors import InvalidInputError
from trackai.ingest import wire
from trackai.ingest.frames import Configured, Described, Ended, Filed, Keys, Opened
from trackai.ingest.reader import Batch, Calls, JournalReader

if TYPE_CHECKING:
    from pathlib import Path

    from trackai.values.types import Value

OPENED = Opened(
    run_uid="0" * 32, writer_uid="1" * 32, project="p", run_slug="s", name="n", group=None,
    attempt=1, rank=0, host="h", pid=1, created_at=1, started_at=2,
)  # fmt: skip
INTEGERS = st.integers(-(1 << 63), (1 << 63) - 1)
STEPS = INTEGERS | st.floats(-(2.0**62), 2.0**62)
VALUES = INTEGERS | st.floats() | st.booleans() | st.text(st.characters(exclude_categories=["Cs"]))
TIMES = st.integers(0, 1 << 52)


@st.composite
def calls(draw: st.DrawFn) -> Calls:
    """Calls with one to three metrics."""
    length = draw(st.integers(1, 5))
    paths = draw(st.lists(st.sampled_from(["a", "b/c", "é"]), min_size=1, max_size=3, unique=True))
    columns = st.sampled_from([VALUES, INTEGERS, st.floats()]).flatmap(
        lambda values: st.lists(values, min_size=length, max_size=length)
    )
    return Calls(
        Keys(0, draw(st.sampled_from(["step", "time"])), tuple(paths)),
        draw(st.lists(STEPS, min_size=length, max_size=length)),
        draw(st.lists(TIMES, min_size=length, max_size=length)),
        [draw(columns) for _ in paths],
    )


def batch(**changes: Any) -> Batch:
    fields: dict[str, Any] = {
        "opened": OPENED, "start": 0, "end": 10, "frames": 2, "calls": [], "config": {},
        "replaced": set(), "described": [], "files": [], "ended": None,
    }  # fmt: skip
    return Batch(**{**fields, **changes})


def exact(value: Value) -> object:
    """A value with its type, and a float by its bits."""
    return struct.pack("<d", value) if type(value) is float else (type(value), value)


@given(st.lists(calls(), max_size=4))
def test_points_arrive_exactly(sent: list[Calls]) -> None:
    received = wire.unpack(wire.pack(batch(calls=sent)))
    assert [each.keys for each in received.calls] == [each.keys for each in sent]
    for before, after in zip(sent, received.calls, strict=True):
        assert list(map(exact, after.steps)) == list(map(exact, before.steps))
        assert after.timestamps == before.timestamps
        for column_before, column_after in zip(before.values, after.values, strict=True):
            assert list(map(exact, column_after)) == list(map(exact, column_before))


def test_everything_else_arrives() -> None:
    sent = batch(
        start=5,
        config={"lr": "0.1"},
        replaced={"opt"},
        described=[Described("name", ["tag"], "")],
        files=[Filed("model", "artifact", "sub/a.pt", None, 7, "/a.pt", 3, "0" * 64, "x.bytes")],
        ended=Ended("failed", 9),
        environment={"git/commit": '"abc"'},
    )
    assert wire.unpack(wire.pack(sent)) == sent


def test_a_client_without_facts_and_a_server_without_them_are_understood() -> None:
    sent = batch(config={"lr": "0.1"}, environment={"host": '"h"'})
    *fields, facts, artifacts, used = msgspec.msgpack.decode(wire.pack(sent))
    assert (facts, artifacts, used) == ({"host": '"h"'}, [], [])
    older = wire.unpack(msgspec.msgpack.encode(fields))
    assert older == msgspec.structs.replace(sent, environment={})
    # What an older server does with what a newer client sends: it ignores what it does not know.
    newer = [*msgspec.msgpack.decode(wire.pack(sent)), {"of": "the future"}]
    assert wire.unpack(msgspec.msgpack.encode(newer)) == sent


def test_a_point_takes_little_more_than_its_value() -> None:
    times = [1_760_000_000_000_000 + 1000 * number for number in range(1000)]
    sent = Calls(
        Keys(0, "step", tuple(f"metric{number}" for number in range(10))),
        list(range(1000)), times, [[0.1 * number for number in range(1000)]] * 10,
    )  # fmt: skip
    assert len(wire.pack(batch(calls=[sent]))) / 10_000 < 8.6


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"end": -1}, None),
        ({"start": 11}, "end"),
        ({"calls": [Calls(Keys(0, "step", ("",)), [0], [0], [[1.0]])]}, "metric ''"),
        ({"calls": [Calls(Keys(0, "step", ("a\0b",)), [0], [0], [[1.0]])]}, r"metric 'a\x00b'"),
        ({"calls": [Calls(Keys(0, "step", ("a", "b")), [0], [0], [[1.0]])]}, "calls"),
        ({"calls": [Calls(Keys(0, "step", ("a",)), [0, 1], [0], [[1.0]])]}, "calls"),
        ({"calls": [Calls(Keys(0, "step", ("a",)), [], [], [[]])]}, "calls"),
        ({"calls": [Calls(Keys(0, "step", ("a",)), [math.nan], [0], [[1.0]])]}, "steps"),
        ({"calls": [Calls(Keys(0, "step", ("a",)), [math.inf], [0], [[1.0]])]}, "steps"),
        ({"calls": [Calls(Keys(0, "step", ("a",)), [0], [1 << 60], [[1.0]])]}, "timestamps"),
        ({"calls": [Calls(Keys(0, "step", ("a",)), [0], [0], [[1 << 63]])]}, "values"),
        ({"config": {"": "1"}}, "config key ''"),
        ({"config": {"a": "{"}}, "config key 'a'"),
        ({"environment": {"a\0b": "1"}}, r"environment key 'a\x00b'"),
        ({"environment": {"a": "{"}}, "environment key 'a'"),
        ({"environment": {str(number): "1" for number in range(wire.MAX_ITEMS + 1)}}, None),
        ({"described": [Described(tags=["\x1b[2J"])]}, "tags"),
        ({"described": [Described(name="x" * 513)]}, "name"),
        ({"ended": Ended("failed", 1 << 60)}, "ended"),
        ({"files": [Filed("a", "file", "a", None, 0, "", 1, "../x", "b")]}, "files"),
        ({"files": [Filed("a", "file", "", None, 0, "", 1, "0" * 64, "b")]}, "file 'a'"),
        ({"opened": msgspec.structs.replace(OPENED, run_uid="../x")}, "run_uid"),
        ({"opened": msgspec.structs.replace(OPENED, run_slug="Not A Slug")}, "run_slug"),
        ({"opened": msgspec.structs.replace(OPENED, project=" ")}, "project"),
        ({"opened": msgspec.structs.replace(OPENED, pid=1 << 63)}, "pid"),
        ({"opened": msgspec.structs.replace(OPENED, attempt=(1 << 63) - 1)}, "attempt"),
        ({"opened": msgspec.structs.replace(OPENED, rank=-1)}, "rank"),
        ({"opened": msgspec.structs.replace(OPENED, fork_uid="../x")}, "fork_uid"),
        ({"opened": msgspec.structs.replace(OPENED, fork_step=math.nan)}, "fork_step"),
        ({"opened": msgspec.structs.replace(OPENED, fork_step=(1 << 64) - 1)}, "fork_step"),
        ({"frames": (1 << 64) - 1}, "frames"),
        ({"calls": [Calls(Keys(0, "step", ()), [0], [0], [])] * 1_000_001}, None),
        ({"calls": [Calls(Keys(0, "step", ("a", "b")), [0], [0], [[1.0], [1.0, 2.0]])]}, "calls"),
        ({"config": {"a": "[" * 300 + "]" * 300}}, "config key 'a'"),
        ({"config": {"a": "[" * 3000 + "]" * 3000}}, "config key 'a'"),
        ({"config": {"a": f'"{"x" * wire.MAX_CONFIG_VALUE}"'}}, "config key 'a'"),
        ({"config": {str(number): "1" for number in range(wire.MAX_ITEMS + 1)}}, None),
        ({"replaced": {str(number) for number in range(wire.MAX_ITEMS + 1)}}, None),
        ({"described": [Described(tags=["x"] * 1001)]}, None),
        ({"files": [Filed("a", "file", "../../x", None, 0, "", 1, "0" * 64, "b")]}, "file 'a'"),
        ({"files": [Filed("a", "file", "..", None, 0, "", 1, "0" * 64, "b")]}, "file 'a'"),
    ],
)
def test_what_cannot_be_stored_is_refused_by_name(
    changes: dict[str, Any], field: str | None
) -> None:
    with pytest.raises((InvalidInputError, msgspec.ValidationError)) as caught:
        wire.unpack(wire.pack(batch(**changes)))
    if field is not None:
        assert isinstance(caught.value, InvalidInputError)
        assert caught.value.field == field


@pytest.mark.parametrize(
    ("steps", "columns"),
    [(1_000_001, 1), (1000, 1001), (1_000_001, 0)],
)
def test_points_are_counted_before_they_are_unpacked(steps: int, columns: int) -> None:
    """One byte a point, in a batch of a million."""
    paths = tuple(map(str, range(columns)))
    numbers: list[Any] = [0] * steps
    sent = Calls(Keys(0, "step", paths), numbers, numbers, [numbers] * columns)
    with pytest.raises((InvalidInputError, msgspec.ValidationError), match="1000000"):
        wire.unpack(wire.pack(batch(calls=[sent])))


@given(st.binary(max_size=200))
def test_bytes_that_are_no_batch_are_refused(data: bytes) -> None:
    with pytest.raises((InvalidInputError, msgspec.MsgspecError)):
        wire.unpack(data)


@given(st.data())
def test_a_damaged_batch_is_refused_or_decoded(data: st.DataObject) -> None:
    packed = bytearray(wire.pack(batch(calls=[Calls(Keys(0, "step", ("a",)), [0], [0], [[1.0]])])))
    packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    with suppress(InvalidInputError, msgspec.MsgspecError):
        wire.unpack(bytes(packed))


def test_batches_of_a_journal_arrive(tmp_path: Path) -> None:
    from trackai.ingest.journal import JournalWriter

    writer = JournalWriter(tmp_path, OPENED)
    writer.append_points("step", ("a", "b"), 0, 10, [1.0, "x"])
    writer.append_points("step", ("b", "a"), 1.5, 11, [True, 2])
    writer.append(Configured({"k": "1"}))
    sent = JournalReader(writer.paths[0]).read()
    writer.close()
    assert sent is not None
    assert wire.unpack(wire.pack(sent)).columns() == sent.columns()
