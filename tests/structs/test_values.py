"""Points in time, one at a time and many."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from trackai.structs.values import utc, utc_many

YEAR = 366 * 24 * 3600 * 1_000_000


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.integers(-100 * YEAR, 1000 * YEAR), max_size=5))
def test_many_are_the_same_as_one_by_one(times: list[int]) -> None:
    assert utc_many(times) == [utc(time) for time in times]


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.integers(-(1 << 31) * 1_000_000 + 1, (1 << 33) * 1_000_000 - 1), max_size=100))
def test_many_are_exact_to_the_microsecond(times: list[int]) -> None:
    assert [time.microsecond for time in utc_many(times)] == [time % 1_000_000 for time in times]
    assert utc_many(times) == [utc(time) for time in times]
