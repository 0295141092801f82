"""Buckets made column by column: the same as those made one by one."""

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
    timestamps = times[: len(steps)] if times else None
    single = thinning.single(steps, values, timestamps).buckets()
    expected: dict[int, buckets.Bucket] = {}
    for bucket in single:
        number = buckets.bucket_of(bucket.first_step, level)
        # Of points at one step, times do not decrease here.
        present = expected.get(number)
        expected[number] = bucket if present is None else buckets.merge(present, bucket)
    columns = thinning.thin(level, steps, values, timestamps)
    thinned = columns.buckets()
    assert len(thinned) == len(expected)
    start = 0
    for bucket, merged, mean in zip(thinned, expected.values(), columns.means(), strict=True):
        assert bucket.points == bucket.finite_points == merged.points
        assert (bucket.nan_points, bucket.infinite_points) == (0, 0)
        assert (bucket.min_value, bucket.max_value) == (merged.min_value, merged.max_value)
        assert (bucket.first_step, bucket.last_step) == (merged.first_step, merged.last_step)
        assert bucket.first_timestamp == merged.first_timestamp
        assert bucket.last_timestamp == merged.last_timestamp
        inside = values[start : start + bucket.points]
        assert (bucket.first_value, bucket.last_value) == (inside[0], inside[-1])
        start += bucket.points
        scale = sum(abs(float(value)) for value in inside)
        assert bucket.sum == pytest.approx(sum(map(float, inside)), rel=1e-9, abs=1e-9 * scale)
        assert mean is not None
        assert float(min(inside)) <= mean <= float(max(inside))
        if scale < 1e300:
            expected_mean = sum(map(float, inside)) / len(inside)
            assert mean == pytest.approx(expected_mean, rel=1e-9, abs=1e-9 * scale)
    assert start == len(steps)
