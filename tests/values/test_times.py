"""Times: microseconds and datetimes, one by one and many at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import msgspec
from hypothesis import given
from hypothesis import strategies as st

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
