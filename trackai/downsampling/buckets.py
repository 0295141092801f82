"""Buckets for charts: ranges of steps whose widths are powers of two, so that they nest.

The bucket `b` of level `e` holds the steps with b * 2^e <= step < (b + 1) * 2^e; `e` may be
negative. All functions are exact for integers of 64 bits and for floats.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from trackai.values.types import Step, StoredValue

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Rollups only have buckets with numbers below this; for steps beyond, points are read.
LARGEST_BUCKET = 1 << 60
# Buckets narrower than a step have borders that are floats, which are exact up to here.
_LARGEST_FRACTION = 1 << 53
LOWEST_LEVEL = -20
HIGHEST_LEVEL = 60
# The highest level whose width can be a float.
_WIDEST = 1022
# The largest number of gaps between rollups that are planned one by one.
_MAX_GAPS = 64


class Bucket(msgspec.Struct, gc=False):
    """Figures over the points of a bucket; `blocks` stores the fields.

    `min_value` and `max_value` are over the finite values and None without any. Times are
    microseconds since the epoch.
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
    first_value: StoredValue | bytes
    last_value: StoredValue | bytes


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
    """The limit of bucket numbers of a level: below it, borders of buckets are exact."""
    return LARGEST_BUCKET if level >= 0 else _LARGEST_FRACTION


def bucket_of(step: Step, level: int) -> int:
    """The number of the bucket that holds a step."""
    if isinstance(step, int):
        return step >> level if level >= 0 else step << -level
    try:
        number = math.floor(math.ldexp(step, -level))
    except OverflowError:  # a float that large is an integer
        return int(step) << -level
    # Scaling can round a tiny negative step to zero.
    return -1 if number == 0 and step < 0 else number


def buckets_of(steps: Sequence[Step], level: int) -> list[int]:
    """The numbers of the buckets that hold steps."""
    try:
        return [step >> level for step in steps]  # type: ignore[operator]
    except (TypeError, ValueError):  # floats, or buckets narrower than a step
        return [bucket_of(step, level) for step in steps]


def start(bucket: int, level: int) -> Step:
    """The lowest step of a bucket."""
    return bucket << level if level >= 0 else math.ldexp(bucket, level)


def end(bucket: int, level: int) -> Step:
    """The highest step that a bucket can hold, an integer or a float."""
    return below(start(bucket + 1, level))


def below(step: Step) -> Step:
    """The highest step below another one."""
    lower = math.nextafter(_float(step), -math.inf)
    return max(step - 1, lower) if isinstance(step, int) else lower


def _float(step: Step) -> float:
    try:
        return float(step)
    except OverflowError:
        return math.inf if step > 0 else -math.inf


def level_for(low: Step, high: Step, buckets: int) -> int:
    """The lowest level at which at most `buckets` buckets hold the steps from `low` to `high`."""
    level = LOWEST_LEVEL
    # A lower bound by logarithms, then the exact level by counting.
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
    """The level at which most buckets hold about `points` points.

    Args:
        steps: a sample of the steps, sorted.
    """
    gaps = sorted(
        float(later) - float(sooner) for sooner, later in zip(steps, steps[points:], strict=False)
    )
    typical = gaps[len(gaps) // 2] if gaps else 0.0
    if typical <= 0:
        return LOWEST_LEVEL
    return _clamped(math.frexp(min(typical, 2.0**100))[1] - 1)


def adjusted_level(level: int, counts: Sequence[int], points: int) -> int:
    """The level at which most points are in buckets of about `points` points.

    Args:
        level: the present level, which is kept if it is within a factor of two.
        counts: the numbers of points of its buckets, sorted.
    """
    half = sum(counts) / 2
    typical = 0
    for count in counts:
        typical = count
        half -= count
        if half <= 0:
            break
    if points // 2 <= typical <= points * 2 or typical == 0:
        return level
    return _clamped(level + round(math.log2(points / typical)))


def _clamped(level: int) -> int:
    return max(LOWEST_LEVEL, min(HIGHEST_LEVEL, level))


def plan(
    steps: Range, level: int, base: int, stale: Iterable[Range]
) -> tuple[list[Span], list[Range]]:
    """Divide a range of steps into rollups and points to read.

    Args:
        steps: the range to read.
        level: the highest level of rollups to use.
        base: the lowest level that has rollups.
        stale: ranges without valid rollups; they may overlap and exceed `steps`.

    Returns:
        The rollups, and the ranges of steps in which to read points.
    """
    lowest, highest = -_largest(base) + 1, _largest(base) - 1
    # The first and the last bucket of the base level that are completely inside of the range.
    first = max(bucket_of(steps.low, base), lowest)
    if first <= highest and start(first, base) < steps.low:
        first += 1
    last = min(bucket_of(steps.high, base), highest)
    if last >= lowest and end(last, base) > steps.high:
        last -= 1
    spans: list[Span] = []
    rows: list[Range] = []
    position: Step = steps.low  # the steps below are planned

    def use_rollups(clean_first: int, clean_last: int) -> None:
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
        use_rollups(first, low - 1)
        first = high + 1
    use_rollups(first, last)
    if position <= steps.high:
        rows.append(Range(position, steps.high))
    return spans, rows


def _merged(stale: Iterable[Range], base: int) -> list[tuple[int, int]]:
    """The first and last buckets of stale ranges, in order and without overlaps."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted((bucket_of(low, base), bucket_of(high, base)) for low, high in stale):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    # Planning many small gaps costs more than reading the points between them.
    size = math.ceil(len(merged) / _MAX_GAPS)
    if size < 2:
        return merged
    groups = [merged[index : index + size] for index in range(0, len(merged), size)]
    return [(group[0][0], group[-1][1]) for group in groups]


def _cover(first: int, last: int, base: int, level: int) -> list[Span]:
    """The fewest buckets, up to a level, that cover buckets of the base level exactly."""
    left: list[Span] = []
    right: list[Span] = []
    current = base
    while current < level and first <= last:
        if first & 1:
            left.append(Span(current, first, first))
            first += 1
        if first <= last and not last & 1:
            right.append(Span(current, last, last))
            last -= 1
        first, last, current = first >> 1, last >> 1, current + 1
    middle = [Span(current, first, last)] if first <= last else []
    return left + middle + right[::-1]


def mean(bucket: Bucket) -> float | None:
    """The mean of the finite values of a bucket; None without any."""
    low, high = bucket.min_value, bucket.max_value
    if low is None or high is None:
        return None
    # The sum may exceed the largest float, and rounding may move the mean beyond the values.
    return float(max(low, min(high, bucket.sum / bucket.finite_points)))


def merge(left: Bucket, right: Bucket) -> Bucket:
    """The figures over the points of both buckets."""
    first, last = left, right
    if (right.first_step, right.first_timestamp) < (left.first_step, left.first_timestamp):
        first = right
    if (right.last_step, right.last_timestamp) < (left.last_step, left.last_timestamp):
        last = left
    lows = [bucket.min_value for bucket in (left, right) if bucket.min_value is not None]
    highs = [bucket.max_value for bucket in (left, right) if bucket.max_value is not None]
    return Bucket(
        left.points + right.points,
        left.finite_points + right.finite_points,
        left.nan_points + right.nan_points,
        left.infinite_points + right.infinite_points,
        min(lows, default=None),
        max(highs, default=None),
        left.sum + right.sum,
        first.first_step,
        last.last_step,
        min(left.first_timestamp, right.first_timestamp),
        max(left.last_timestamp, right.last_timestamp),
        first.first_value,
        last.last_value,
    )
