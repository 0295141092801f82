"""Ranges of steps for charts: powers of two, so that a wide one is made of narrow ones.

A bucket `b` of level `e` holds the steps with b * 2^e <= step < (b + 1) * 2^e. `e` may be negative.
Everything here is exact, for integers of 64 bits as for fractions.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from trackai.values.types import Step, StoredValue

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Rollups hold no wider range of bucket numbers than this; beyond it, rows are read.
LARGEST_BUCKET = 1 << 60
# And of fractions of steps no wider one than floats can tell apart.
_LARGEST_FRACTION = 1 << 53
LOWEST_LEVEL = -20
HIGHEST_LEVEL = 60
# Widths beyond this cannot be expressed as a float.
_WIDEST = 1022
_MAX_GAPS = 64


class Bucket(msgspec.Struct, gc=False):
    """Figures over the points of a range of steps; its fields are columns of `rollups`.

    `min_value` and `max_value` are over finite numbers and None without any.
    """

    points: int
    finite_points: int
    nan_points: int
    infinite_points: int
    min_value: Step | None
    max_value: Step | None
    sum: float
    first_step: Step
    last_step: Step
    first_timestamp: int
    last_timestamp: int
    first_value: StoredValue
    last_value: StoredValue


class Range(NamedTuple):
    """Steps from `low` up to and including `high`."""

    low: Step
    high: Step


class Span(NamedTuple):
    """Buckets of one level, from `first` up to and including `last`."""

    level: int
    first: int
    last: int


def _largest(level: int) -> int:
    """Below which number the buckets of a level have borders that can be expressed."""
    return LARGEST_BUCKET if level >= 0 else _LARGEST_FRACTION


def bucket_of(step: Step, level: int) -> int:
    """The number of the bucket in which a step lies."""
    if isinstance(step, int):
        return step >> level if level >= 0 else step << -level
    try:
        number = math.floor(math.ldexp(step, -level))
    except OverflowError:  # a float that large is a whole number
        return int(step) << -level
    # A tiny negative step vanishes when it is scaled.
    return -1 if number == 0 and step < 0 else number


def start(bucket: int, level: int) -> Step:
    """The lowest step of a bucket."""
    return bucket << level if level >= 0 else math.ldexp(bucket, level)


def end(bucket: int, level: int) -> Step:
    """The highest step that a bucket can hold."""
    return below(start(bucket + 1, level))


def below(step: Step) -> Step:
    """The highest step that is lower."""
    lower = math.nextafter(_float(step), -math.inf)
    return max(step - 1, lower) if isinstance(step, int) else lower


def _float(step: Step) -> float:
    try:
        return float(step)
    except OverflowError:
        return math.inf if step > 0 else -math.inf


def level_for(low: Step, high: Step, buckets: int) -> int:
    """The finest level at which the steps from `low` to `high` lie in at most so many buckets."""
    level = LOWEST_LEVEL
    # Within a factor of two by computing, then exactly by counting.
    extent = float(high) - float(low)
    if 0 < extent < math.inf:
        level = max(level, math.frexp(extent)[1] - math.frexp(float(buckets))[1] - 2)
    elif extent == math.inf:
        level = _WIDEST - math.frexp(float(buckets))[1]
    while level < _WIDEST:
        first, last = bucket_of(low, level), bucket_of(high, level)
        if last - first < buckets and max(abs(first), abs(last)) < _largest(level):
            break
        level += 1
    return level


def level_holding(steps: Sequence[Step], points: int) -> int:
    """The level at which most buckets hold about so many points, by a sample of sorted steps."""
    gaps = sorted(
        float(later) - float(sooner) for sooner, later in zip(steps, steps[points:], strict=False)
    )
    typical = gaps[len(gaps) // 2] if gaps else 0.0
    if typical <= 0:
        return LOWEST_LEVEL
    return _possible(math.frexp(min(typical, 2.0**100))[1] - 1)


def adjusted_level(level: int, counts: Sequence[int], points: int) -> int:
    """The level at which most points lie in buckets of about so many points.

    Args:
        counts: how many points the buckets of `level` hold, sorted.
    """
    half = sum(counts) / 2
    typical = 0
    for count in counts:
        typical = count
        half -= count
        if half <= 0:
            break
    # A bucket that holds up to twice as many, or half as many, is as good.
    if points // 2 <= typical <= points * 2 or typical == 0:
        return level
    return _possible(level + round(math.log2(points / typical)))


def _possible(level: int) -> int:
    return max(LOWEST_LEVEL, min(HIGHEST_LEVEL, level))


def plan(
    wanted: Range, level: int, base: int, stale: Iterable[Range]
) -> tuple[list[Span], list[Range]]:
    """What to read: rollups of levels from `base` to `level`, and rows for the rest.

    Args:
        stale: ranges in which there are no rollups; they may lie anywhere and overlap.
    """
    lowest, highest = -_largest(base) + 1, _largest(base) - 1
    # The first and last whole bucket of the base level.
    first = max(bucket_of(wanted.low, base), lowest)
    if first <= highest and start(first, base) < wanted.low:
        first += 1
    last = min(bucket_of(wanted.high, base), highest)
    if last >= lowest and end(last, base) > wanted.high:
        last -= 1
    spans: list[Span] = []
    rows: list[Range] = []
    position: Step = wanted.low  # what lies below has been planned

    def take(clean_first: int, clean_last: int) -> None:
        nonlocal position
        if clean_first > clean_last:
            return
        low, high = start(clean_first, base), start(clean_last + 1, base)
        if position < low:
            rows.append(Range(position, end(clean_first - 1, base)))
        spans.extend(_cover(clean_first, clean_last, base, level))
        position = high

    for low, high in _merged(stale, base):
        if high < first:
            continue
        if low > last:
            break
        take(first, low - 1)
        first = high + 1
    take(first, last)
    if position <= wanted.high:
        rows.append(Range(position, wanted.high))
    return spans, rows


def _merged(stale: Iterable[Range], base: int) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, last in sorted((bucket_of(low, base), bucket_of(high, base)) for low, high in stale):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    # Many small gaps would cost more to plan than to read.
    some = math.ceil(len(merged) / _MAX_GAPS)
    if some < 2:
        return merged
    groups = [merged[at : at + some] for at in range(0, len(merged), some)]
    return [(group[0][0], group[-1][1]) for group in groups]


def _cover(first: int, last: int, base: int, level: int) -> list[Span]:
    """The fewest buckets that make up the buckets `first` to `last` of the base level."""
    left: list[Span] = []
    right: list[Span] = []
    at = base
    while at < level and first <= last:
        if first & 1:
            left.append(Span(at, first, first))
            first += 1
        if first <= last and not last & 1:
            right.append(Span(at, last, last))
            last -= 1
        first, last, at = first >> 1, last >> 1, at + 1
    middle = [Span(at, first, last)] if first <= last else []
    return left + middle + right[::-1]


def mean(one: Bucket) -> float | None:
    """The mean of the finite numbers."""
    low, high = one.min_value, one.max_value
    if low is None or high is None:
        return None
    # A sum beyond the largest float is infinite, and rounding may lead past the values.
    return float(max(low, min(high, one.sum / one.finite_points)))


def merge(one: Bucket, other: Bucket) -> Bucket:
    """The figures over the points of both."""
    sooner, later = one, other
    if (other.first_step, other.first_timestamp) < (one.first_step, one.first_timestamp):
        sooner = other
    if (other.last_step, other.last_timestamp) < (one.last_step, one.last_timestamp):
        later = one
    lows = [bucket.min_value for bucket in (one, other) if bucket.min_value is not None]
    highs = [bucket.max_value for bucket in (one, other) if bucket.max_value is not None]
    return Bucket(
        one.points + other.points,
        one.finite_points + other.finite_points,
        one.nan_points + other.nan_points,
        one.infinite_points + other.infinite_points,
        min(lows, default=None),
        max(highs, default=None),
        one.sum + other.sum,
        sooner.first_step,
        later.last_step,
        min(one.first_timestamp, other.first_timestamp),
        max(one.last_timestamp, other.last_timestamp),
        sooner.first_value,
        later.last_value,
    )
