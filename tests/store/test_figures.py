"""Figures of a batch of points: those that brute force computes."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.store.test_metrics import steps, times, values
from trackai.store.points.figures import summarize


@given(
    st.lists(st.tuples(steps, times, values), min_size=1, max_size=12),
)
def test_the_figures_of_a_batch_are_those_of_its_points(points: list[tuple[Any, int, Any]]) -> None:
    logged: Any = map(list, zip(*points, strict=True))
    figures = summarize(*logged)
    finite = [
        (step, value)
        for step, _, value in points
        if not isinstance(value, str) and (isinstance(value, int) or math.isfinite(value))
    ]
    assert figures.points == len(points)
    assert figures.finite_points == len(finite)
    assert figures.nan_points == sum(1 for *_, value in points if value != value)
    assert (figures.first_step, figures.last_step) == (
        min(p[0] for p in points),
        max(p[0] for p in points),
    )
    in_order = sorted(points, key=lambda point: point[:2])
    assert figures.last_value is in_order[-1][2]
    if not finite:
        assert (figures.min_value, figures.max_value, figures.total) == (None, None, 0)
    else:
        assert figures.min_value == min(value for _, value in finite)
        assert figures.max_value == max(value for _, value in finite)
        assert figures.min_step == min(step for step, value in finite if value == figures.min_value)
        assert figures.max_step == min(step for step, value in finite if value == figures.max_value)
        assert not math.isnan(figures.total)


@pytest.mark.parametrize(
    ("values", "kind", "low", "high"),
    [
        ([1.0, 2], "number", 1.0, 2),
        ([True, False], "bool", False, True),
        ([True, 0.5], "number", 0.5, True),
        (["a", "b"], "text", None, None),
        (["a", 1.5], "number", 1.5, 1.5),
        ([math.nan, math.inf], "number", None, None),
        ([1e308, 1e308], "number", 1e308, 1e308),
        ([2**62, -(2**62)], "number", -(2**62), 2**62),
    ],
)
def test_summarize(values: list[Any], kind: str, low: Any, high: Any) -> None:
    figures = summarize(range(len(values)), range(len(values)), values)
    assert (figures.kind, figures.min_value, figures.max_value) == (kind, low, high)


def test_the_last_value_is_that_of_the_highest_step_and_then_the_latest() -> None:
    assert summarize([3, 1, 2], [1, 2, 3], [30.0, 10.0, 20.0]).last_value == 30.0
    assert summarize([3, 3, 1], [5, 6, 7], [1.0, 2.0, 3.0]).last_value == 2.0
