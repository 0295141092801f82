"""Comparing configurations."""

from __future__ import annotations

from trackai.values.comparison import differing, side_by_side


def test_values_that_are_equal_in_python_may_differ() -> None:
    left = {"flag": True, "null": None, "same": 1, "list": [1]}
    right = {"flag": 1, "same": 1.0, "list": [1], "more": 0}
    assert differing([left, right]) == {"flag", "null", "more"}
    assert differing([left]) == differing([]) == set()
    assert side_by_side([left, right])["more"] == [None, 0]
