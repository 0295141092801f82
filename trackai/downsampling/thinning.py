"""Points put into buckets, column by column.

Working on whole lists, without an object for each bucket, takes a third of the time. A chart has
thousands of buckets.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from functools import lru_cache
from itertools import accumulate, compress, count
from math import isfinite
from operator import add, gt, itemgetter, lt, ne, sub, truediv
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from trackai.downsampling import buckets
from trackai.downsampling.buckets import Bucket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from trackai.values.types import Step, StoredValue

# Buckets of equal size, up to this one, are computed from a list for each place in a bucket.
_FEW = 8


class BucketColumns(NamedTuple):
    """Buckets in order of step, as a column for each field of `Bucket`."""

    points: Sequence[int]
    finite_points: Sequence[int]
    nan_points: Sequence[int]
    infinite_points: Sequence[int]
    min_value: Sequence[Step | None]
    max_value: Sequence[Step | None]
    sum: Sequence[float]
    first_step: Sequence[Step]
    last_step: Sequence[Step]
    first_timestamp: Sequence[int]
    last_timestamp: Sequence[int]
    first_value: Sequence[StoredValue | bytes]
    last_value: Sequence[StoredValue | bytes]

    def buckets(self) -> list[Bucket]:
        """The buckets as objects."""
        return list(map(Bucket, *self))

    def means(self) -> list[float | None]:
        """The means of the finite values of the buckets, as `buckets.mean` computes them."""
        means = list(map(truediv, self.sum, self.points))
        all_finite = self.finite_points is self.points
        # The mean of one or two numbers is between them unless their sum is infinite.
        if all_finite and max(self.points, default=0) <= 2 and isfinite(sum(means)):
            return means
        if (
            self.finite_points != self.points
            or _any(gt, means, self.max_value)
            or _any(lt, means, self.min_value)
        ):
            return [buckets.mean(bucket) for bucket in self.buckets()]
        return means


class NumberedBuckets(NamedTuple):
    """Buckets of one level with their numbers, in order."""

    numbers: list[int]
    columns: BucketColumns

    @classmethod
    def of(cls, items: Iterable[tuple[int, Bucket]]) -> NumberedBuckets:
        """Make columns of buckets that are in order of their numbers."""
        numbers: list[int] = []
        rows = []
        for number, bucket in items:
            numbers.append(number)
            rows.append(msgspec.structs.astuple(bucket))
        columns = (
            map(list, zip(*rows, strict=True)) if rows else ([] for _ in BucketColumns._fields)
        )
        return cls(numbers, BucketColumns._make(columns))

    def items(self) -> Iterator[tuple[int, Bucket]]:
        """Pairs of a number and its bucket."""
        return zip(self.numbers, map(Bucket, *self.columns), strict=True)

    def between(self, first: int, last: int) -> NumberedBuckets:
        """The buckets whose numbers are from `first` up to and including `last`."""
        begin, end = bisect_left(self.numbers, first), bisect_right(self.numbers, last)
        if end - begin == len(self.numbers):
            return self
        columns = BucketColumns._make(column[begin:end] for column in self.columns)
        return NumberedBuckets(self.numbers[begin:end], columns)


def join(parts: Iterable[NumberedBuckets]) -> NumberedBuckets:
    """Join parts that follow each other."""
    numbers: list[int] = []
    columns: list[list[Any]] = [[] for _ in BucketColumns._fields]
    for part in parts:
        numbers += part.numbers
        for column, part_column in zip(columns, part.columns, strict=True):
            column += part_column
    return NumberedBuckets(numbers, BucketColumns._make(columns))


def _any(compare: Callable[[Any, Any], bool], left: Sequence[Any], right: Sequence[Any]) -> bool:
    return any(map(compare, left, right))


def single(
    steps: Sequence[Step], values: Sequence[Step], times: Sequence[int] | None
) -> BucketColumns:
    """Make each point a bucket; all values must be finite numbers.

    Args:
        times: the timestamps; if None, those of the buckets are 0.
    """
    counts, zeros = [1] * len(steps), [0] * len(steps)
    times = zeros if times is None else times
    sums = list(map(float, values))
    return BucketColumns(
        counts, counts, zeros, zeros, values, values, sums,
        steps, steps, times, times, values, values,
    )  # fmt: skip


def thin(
    level: int, steps: Sequence[Step], values: Sequence[Step], times: Sequence[int] | None
) -> BucketColumns:
    """Put points, in order of step, into buckets of a level; all values must be finite numbers.

    Args:
        times: the timestamps; if None, those of the buckets are 0.
    """
    layout = _layout(level, steps)
    sizes = layout.sizes
    zeros = [0] * len(sizes)
    lows, highs, sums = _figures(values, layout)
    return BucketColumns(
        sizes, sizes, zeros, zeros, lows, highs, sums,
        layout.firsts(steps),
        layout.lasts(steps),
        # Times may decrease where steps do not.
        zeros if times is None else [min(times[part]) for part in layout.slices()],
        zeros if times is None else [max(times[part]) for part in layout.slices()],
        layout.firsts(values),
        layout.lasts(values),
    )  # fmt: skip


class _Even:
    """Buckets over a sequence of points that all have `size` points, but the first and last.

    Attributes:
        first: the number of points of the first bucket.
        rest: the number of buckets after the first.
        sizes: the number of points of each bucket.
    """

    def __init__(self, first: int, size: int, number: int) -> None:
        self.first, self.size = first, size
        self.rest = len(range(first, number, size))
        self.sizes = [min(first, number)]
        if self.rest:
            inner = self.rest - 1
            self.sizes += [*[size] * inner, number - first - size * inner]

    def firsts(self, column: Sequence[Any]) -> Sequence[Any]:
        """The first item of each bucket."""
        return [column[0], *column[self.first :: self.size]]

    def lasts(self, column: Sequence[Any]) -> Sequence[Any]:
        """The last item of each bucket."""
        last = self.first - 1
        return [*column[last : last + self.size * self.rest : self.size], column[-1]]

    def slices(self) -> Iterable[slice]:
        """The items of each bucket."""
        ends = list(accumulate(self.sizes))
        return map(slice, [0, *ends], ends)


class _Uneven:
    """Buckets over a sequence of points, by the indexes at which they begin."""

    def __init__(self, starts: Sequence[int], number: int) -> None:
        self.starts, self.ends = starts, [*starts[1:], number]
        self.sizes = list(map(sub, self.ends, starts))

    def firsts(self, column: Sequence[Any]) -> Sequence[Any]:
        """The first item of each bucket."""
        return _items(self.starts)(column)

    def lasts(self, column: Sequence[Any]) -> Sequence[Any]:
        """The last item of each bucket."""
        return _items(self.ends)([None, *column])

    def slices(self) -> Iterable[slice]:
        """The items of each bucket."""
        return map(slice, self.starts, self.ends)


def _items(indexes: Sequence[int]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """A function that takes the items at these indexes from a sequence."""
    # With a single index, itemgetter would not return a sequence.
    return itemgetter(*indexes) if len(indexes) > 1 else lambda column: [column[indexes[0]]]


def _layout(level: int, steps: Sequence[Step]) -> _Even | _Uneven:
    """How the buckets of a level divide points with these steps."""
    even = _even_layout(level, steps)
    if even is not None:
        return even
    numbers = buckets.buckets_of(steps, level)
    uneven = _Uneven([0, *compress(count(1), map(ne, numbers, numbers[1:]))], len(steps))
    first, *inner = uneven.sizes
    size = inner[0] if inner else 0
    if size and inner[:-1].count(size) == len(inner) - 1 and inner[-1] <= size:
        return _Even(first, size, len(steps))
    return uneven


def _even_layout(level: int, steps: Sequence[Step]) -> _Even | None:
    """The layout of integer steps at a constant distance that divides the width of a bucket."""
    first, number = steps[0], len(steps)
    stride = steps[1] - first if number > 1 else 0
    if level < 0 or not (isinstance(first, int) and isinstance(stride, int)) or stride <= 0:
        return None
    width = 1 << level
    # Checked before a list is made that may be far too long.
    if width % stride or steps[-1] - first != stride * (number - 1):
        return None
    if steps != _regular(first, stride, number):
        return None
    return _Even(-(-(width - first % width) // stride), width // stride, number)


@lru_cache(maxsize=2)
def _regular(first: int, stride: int, number: int) -> list[int]:
    """Steps at a constant distance; cached, as compared series mostly have the same steps."""
    return list(range(first, first + stride * number, stride))


def _figures(
    values: Sequence[Step], layout: _Even | _Uneven
) -> tuple[list[Step], list[Step], list[float]]:
    """The lowest value, the highest value and the sum of each bucket."""
    if not isinstance(layout, _Even) or not 1 < layout.size <= _FEW or layout.rest < 2:
        parts = [values[part] for part in layout.slices()]
        return list(map(min, parts)), list(map(max, parts)), list(map(sum, parts))
    begin, end = layout.first, layout.first + layout.size * (layout.rest - 1)
    head, tail = values[:begin], values[end:]
    lows, highs, sums = _even_figures(values[begin:end], layout.size)
    return (
        [min(head), *lows, min(tail)],
        [max(head), *highs, max(tail)],
        [sum(head), *sums, sum(tail)],
    )


def _even_figures(
    values: Sequence[Step], size: int
) -> tuple[Iterable[Step], Iterable[Step], Iterable[float]]:
    """`_figures` of buckets that all have `size` values."""
    parts = [values[place::size] for place in range(size)]
    if size == 2:
        left, right = parts
        lows = [a if a < b else b for a, b in zip(left, right, strict=True)]
        highs = [a if a > b else b for a, b in zip(left, right, strict=True)]
        return lows, highs, map(add, left, right)
    sums: Iterable[float] = parts[0]
    for part in parts[1:]:
        sums = map(add, sums, part)
    return map(min, *parts), map(max, *parts), sums
