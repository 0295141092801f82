"""Blocks: packing and unpacking buckets does not change them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from trackai.downsampling import blocks, thinning
from trackai.downsampling.buckets import Bucket

if TYPE_CHECKING:
    from trackai.values.types import Step

_INT64 = st.integers(-(2**63), 2**63 - 1)
_floats = st.floats(allow_nan=False)
_numbers = st.none() | _INT64 | st.floats(allow_nan=False, allow_infinity=False)
_steps = st.lists(_INT64, min_size=80, max_size=80) | st.lists(
    _INT64 | st.floats(allow_nan=False, allow_infinity=False), min_size=80, max_size=80
)
_times = st.lists(st.integers(-(2**61), 2**61), min_size=80, max_size=80)
_figures = st.tuples(
    st.integers(1, 2**40), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9),
    _numbers, _numbers, _floats, _numbers | st.text(), _floats | _INT64 | st.text(),
)  # fmt: skip


@given(
    numbers=st.sets(st.integers(-40, 40) | st.integers(-(2**60), 2**60), max_size=40),
    steps=_steps,
    times=_times,
    figures=st.lists(_figures, min_size=40, max_size=40),
)
def test_unpacking_reverses_packing(
    numbers: set[int], steps: list[Step], times: list[int], figures: list[Any]
) -> None:
    steps.sort()  # like those of buckets; times may decrease
    by_number = {
        number: Bucket(
            *figures[at][:7], *steps[2 * at : 2 * at + 2], *times[2 * at : 2 * at + 2],
            *figures[at][7:],
        )
        for at, number in enumerate(sorted(numbers))
    }  # fmt: skip
    packed = list(blocks.pack(by_number.items()))
    assert all(left < right for (left, _), (right, _) in pairwise(packed))
    unpacked = thinning.join(blocks.unpack(*block) for block in packed)
    assert repr(dict(unpacked.items())) == repr(by_number)
    for first, last in ((-5, 5), (-(2**60), 2**60), (3, 2)):
        part = {number: bucket for number, bucket in by_number.items() if first <= number <= last}
        assert repr(dict(unpacked.between(first, last).items())) == repr(part)


def test_a_bucket_of_a_regular_series_takes_half_the_space_of_a_row() -> None:
    by_number = {
        number: Bucket(
            32, 32, 0, 0, 0.1 * number, 0.3 * number + 1, 1 / (number + 1), 32 * number,
            32 * number + 31, 10**15 + 32 * number, 10**15 + 32 * number + 31, 0.2, 0.25,
        )
        for number in range(160)
    }  # fmt: skip
    packed = list(blocks.pack(by_number.items()))
    assert len(packed) == 10
    assert sum(len(block) for _, block in packed) < 160 * 45
