"""Points in time, one at a time and many; values as they are stored, shown and computed with."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackai.values.non_finite import json_value, python_value
from trackai.values.times import microseconds, utc, utc_many

YEAR = 366 * 24 * 3600 * 1_000_000


@given(st.lists(st.integers(-100 * YEAR, 1000 * YEAR), max_size=5))
def test_many_are_the_same_as_one_by_one(times: list[int]) -> None:
    assert utc_many(times) == [utc(time) for time in times]


@given(st.lists(st.integers(-(1 << 31) * 1_000_000 + 1, (1 << 33) * 1_000_000 - 1), max_size=100))
def test_many_are_exact_to_the_microsecond(times: list[int]) -> None:
    assert [time.microsecond for time in utc_many(times)] == [time % 1_000_000 for time in times]
    assert utc_many(times) == [utc(time) for time in times]


@given(st.integers(microseconds(datetime.min.replace(tzinfo=UTC)), 253402300799999999))
def test_there_and_back(time: int) -> None:
    assert microseconds(utc(time)) == time


def test_times_of_other_zones() -> None:
    time = datetime(2026, 1, 1, 1, 30, tzinfo=timezone(timedelta(hours=1)))
    assert utc(microseconds(time)) == datetime(2026, 1, 1, 0, 30, tzinfo=UTC)
    assert msgspec.json.encode(utc(1)) == b'"1970-01-01T00:00:00.000001Z"'


@pytest.mark.parametrize(
    ("stored", "kind", "shown", "computed"),
    [
        (None, "number", "NaN", math.nan),
        (math.inf, "number", "Infinity", math.inf),
        (-math.inf, "number", "-Infinity", -math.inf),
        (1, "bool", True, True),
        (0, "bool", False, False),
        (1, "number", 1, 1),
        (0.1, "number", 0.1, 0.1),
        ("NaN", "text", "NaN", "NaN"),
        ("a", "number", "a", "a"),
    ],
)
def test_the_one_rule(stored: Any, kind: Any, shown: Any, computed: Any) -> None:
    assert json_value(stored, kind) == shown
    assert type(json_value(stored, kind)) is type(shown)
    assert repr(python_value(stored, kind)) == repr(computed)
    # Every value is one that strict JSON has.
    assert json.dumps(json_value(stored, kind), allow_nan=False)
