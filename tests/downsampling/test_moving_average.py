"""Smoothing: averages are those of the published formula."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackai.downsampling.moving_average import Average

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trackai.values.types import StoredValue


def published(
    xs: Sequence[float], ys: Sequence[StoredValue], smoothing: float, extent: float
) -> list[float | None]:
    """The formula as Weights & Biases documents it, over the finite points."""
    weight = min(math.sqrt(smoothing), 0.999)
    last_y, debias = 0.0, 0.0
    previous: float | None = None
    smoothed: list[float | None] = []
    for x, y in zip(xs, ys, strict=True):
        x = x if previous is None else max(x, previous)
        change = 0.0 if previous is None or not extent else (x - previous) / extent * 1000
        adjusted = weight**change
        previous = x
        last_y, debias = last_y * adjusted, debias * adjusted
        if isinstance(y, int | float) and math.isfinite(y):
            last_y, debias = last_y + y, debias + 1
            smoothed.append(last_y / debias)
        else:
            smoothed.append(None)
    return smoothed


_points = st.lists(
    st.tuples(
        st.integers(-1000, 1000) | st.floats(-1000, 1000),
        st.floats(-1e6, 1e6)
        | st.integers(-9, 9)
        | st.sampled_from([None, math.inf, -math.inf, "text"]),
    ),
    min_size=1,
    max_size=40,
)
_amounts = st.floats(0.01, 0.99999)


@given(points=_points, amount=_amounts, ordered=st.booleans(), cut=st.integers(0, 40))
def test_averages_are_those_of_the_formula(
    points: list[tuple[float, StoredValue]], amount: float, ordered: bool, cut: int
) -> None:
    if ordered:
        points.sort(key=lambda point: point[0])
    xs, ys = [x for x, _ in points], [y for _, y in points]
    extent = float(max(xs) - min(xs))
    average = Average(amount, extent)
    averages = average.add(xs[:cut], ys[:cut]) + average.add(xs[cut:], ys[cut:])
    expected = published(xs, ys, amount, extent)
    assert [value is None for value in averages] == [value is None for value in expected]
    largest = max(
        (abs(y) for y in ys if isinstance(y, int | float) and math.isfinite(y)), default=1
    )
    for value, exact in zip(averages, expected, strict=True):
        if value is not None and exact is not None:
            # The smallest floats have few digits.
            assert value == pytest.approx(exact, rel=1e-9, abs=max(1e-9 * largest, 1e-300))
    assert average.within == 0


@given(
    values=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=200),
    gaps=st.lists(st.floats(0, 3), min_size=200, max_size=200),
    amount=_amounts,
    size=st.integers(1, 12),
)
def test_the_error_of_batches_is_at_most_as_stated(
    values: list[float], gaps: list[float], amount: float, size: int
) -> None:
    xs = [sum(gaps[: place + 1]) for place in range(len(values))]
    extent = xs[-1] - xs[0]
    one_by_one, in_batches = Average(amount, extent), Average(amount, extent)
    exact = one_by_one.add(xs, values)
    spread = max(values) - min(values)
    for begin in range(0, len(values), size):
        batch, batch_xs = values[begin : begin + size], xs[begin : begin + size]
        average = in_batches.add_many(
            batch_xs[0], batch_xs[-1], len(batch), sum(batch) / len(batch)
        )
        expected = exact[begin + len(batch) - 1]
        assert expected is not None
        assert abs(average - expected) <= in_batches.within * spread + 1e-6


def test_large_values_do_not_overflow() -> None:
    smoother = Average(0.9, 2.0)
    averages = smoother.add([0, 1, 2], [1.7e308, -1.7e308, 1.7e308])
    assert all(value is not None and math.isfinite(value) for value in averages)
    assert Average(0.5, math.inf).add([-1e308, 1e308], [1.0, 3.0]) == [1.0, 3.0]


def test_a_range_of_x_may_be_tiny() -> None:
    xs, values = [-2.225073858507e-311, 0.0], [1.0, 0.0]
    expected = published(xs, values, 0.97, xs[1] - xs[0])
    averages = Average(0.97, xs[1] - xs[0]).add(xs, values)
    assert averages == pytest.approx(expected, rel=1e-6, abs=0)
