"""Thinning in columns: the same buckets as one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackai.downsampling import buckets, thinning

if TYPE_CHECKING:
    from trackai.values.types import Step

_steps = st.one_of(
    st.lists(st.integers(-300, 300), min_size=1, max_size=60),
    st.lists(st.integers(-40, 40).map(lambda number: number / 8), min_size=1, max_size=60),
    st.builds(
        lambda first, length, stride: list(range(first, first + length * stride, stride)),
        st.integers(-70, 70),
        st.integers(1, 60),
        st.integers(1, 9),
    ),
    st.lists(st.sampled_from([2**62, -(2**63), 1e300, 5e-324, 0]), min_size=1, max_size=9),
)
_values = st.floats(-1e6, 1e6) | st.integers(-9, 9) | st.sampled_from([2**63 - 1, 1.7e308, -0.0])


@given(
    steps=_steps,
    values=st.lists(_values, min_size=60, max_size=60),
    times=st.none() | st.lists(st.integers(0, 99), min_size=60, max_size=60),
    level=st.integers(-4, 6),
)
def test_buckets_are_those_of_the_points(
    steps: list[Step], values: list[Step], times: list[int] | None, level: int
) -> None:
    steps.sort()
    values = values[: len(steps)]
    when = times[: len(steps)] if times else None
    single = thinning.single(steps, values, when).buckets()
    expected: dict[int, buckets.Bucket] = {}
    for one in single:
        number = buckets.bucket_of(one.first_step, level)
        # Times do not go back where the order of points is by step and time.
        other = expected.get(number)
        expected[number] = one if other is None else buckets.merge(other, one)
    columns = thinning.thin(level, steps, values, when)
    found = columns.buckets()
    assert len(found) == len(expected)
    at = 0
    for bucket, other, mean in zip(found, expected.values(), columns.means(), strict=True):
        assert bucket.points == bucket.finite_points == other.points
        assert (bucket.nan_points, bucket.infinite_points) == (0, 0)
        assert (bucket.min_value, bucket.max_value) == (other.min_value, other.max_value)
        assert (bucket.first_step, bucket.last_step) == (other.first_step, other.last_step)
        assert bucket.first_timestamp == other.first_timestamp
        assert bucket.last_timestamp == other.last_timestamp
        mine = values[at : at + bucket.points]
        assert (bucket.first_value, bucket.last_value) == (mine[0], mine[-1])
        at += bucket.points
        scale = sum(abs(float(value)) for value in mine)
        assert bucket.sum == pytest.approx(sum(map(float, mine)), rel=1e-9, abs=1e-9 * scale)
        assert mean is not None
        assert float(min(mine)) <= mean <= float(max(mine))
        if scale < 1e300:
            expected_mean = sum(map(float, mine)) / len(mine)
            assert mean == pytest.approx(expected_mean, rel=1e-9, abs=1e-9 * scale)
    assert at == len(steps)
