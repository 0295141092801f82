"""The first NaN, infinity, minimum and maximum: those that brute force over the points finds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store import histories
from trackai.store.points import extremes

if TYPE_CHECKING:
    import pytest

    from trackai.store.points.extremes import Kind
    from trackai.structs.points import PointRow


def _expected(points: list[PointRow], kind: Kind) -> PointRow | None:
    """The first point of a kind in order of step."""
    numbers = [
        value for *_, value in points if isinstance(value, int | float) and math.isfinite(value)
    ]
    kinds: dict[Kind, list[Any]] = {
        "nan": [None],
        "inf": [math.inf, -math.inf],
        "min": [min(numbers, default="")],
        "max": [max(numbers, default="")],
    }
    return next((row for row in points if row[2] in kinds[kind] and row[2] != ""), None)


@settings(max_examples=40)
@given(actions=histories.histories(), fork_step=st.integers(-40, 200))
async def test_the_first_point_of_each_kind(
    new_store: histories.NewStore,
    monkeypatch: pytest.MonkeyPatch,
    actions: list[Any],
    fork_step: int,
) -> None:
    histories.make_small(monkeypatch)
    async with histories.family(new_store, fork_step) as family:
        for action in actions:
            await family.apply(action)
            for name in family.ids:
                async with family.db.snapshot() as conn:
                    segments = await family.segments(conn, name)
                    if segments is None:
                        continue
                    points = await histories.rows(conn, segments)
                    for kind in get_args(extremes.Kind):
                        row = await extremes.find(conn, segments, kind)
                        assert row == _expected(points, kind)
