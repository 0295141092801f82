"""What differs between configurations."""

from __future__ import annotations

from trackai.values.comparison import differing, side_by_side


def test_what_looks_alike_to_python_may_differ() -> None:
    one = {"flag": True, "null": None, "same": 1, "list": [1]}
    other = {"flag": 1, "same": 1.0, "list": [1], "more": 0}
    assert differing([one, other]) == {"flag", "null", "more"}
    assert differing([one]) == differing([]) == set()
    assert side_by_side([one, other])["more"] == [None, 0]
