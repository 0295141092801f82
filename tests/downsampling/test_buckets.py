"""Levels of buckets, and dividing a range of steps into rollups and points."""

from __future__ import annotations

from trackai.downsampling import buckets
from trackai.downsampling.buckets import Range


def test_levels() -> None:
    assert buckets.level_for(0, 999, 1000) == 0
    assert buckets.level_for(0, 1000, 1000) == 1
    assert buckets.level_for(0, 0.5, 1000) == -10
    assert buckets.level_holding(list(range(1000)), 64) == 6
    assert buckets.level_holding([1] * 1000, 64) == buckets.LOWEST_LEVEL
    assert buckets.adjusted_level(6, [1, 1, 64], 64) == 6
    assert buckets.adjusted_level(6, [1, 1, 1024], 64) == 2
    # For steps beyond the buckets of rollups, points are read.
    for far in (Range(1e308, 1.1e308), Range(-1.1e308, -1e308)):
        assert buckets.plan(far, 5, -20, []) == ([], [far])
