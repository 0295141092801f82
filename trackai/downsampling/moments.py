"""Blocks of neighbouring points from which a moving average is computed without the points.

The weight of a point at a distance u from the middle of its block is exp(a * u), where a depends on
the amount of smoothing and on the range of x of the whole series, which grows while a run logs. The
exponential is a power series, so the sum of weighted values of a block is one too: in a, with the
sums of u ** j * value as coefficients. These moments depend on neither the amount nor the range, so
they are computed once, and answer for all amounts and for every later length of the series.

Blocks are so narrow that the terms that are left out are smaller than the rounding of floats.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from functools import lru_cache
from itertools import compress, count, pairwise, repeat
from operator import mul, ne
from typing import TYPE_CHECKING, NamedTuple

from trackai.downsampling import buckets

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from trackai.values.types import Step, StoredValue

# The number of moments of a block; they are evaluated in fours.
_TERMS = 16
# The largest term that may be left out.
_NEGLIGIBLE = 1e-13
# Powers of larger values may overflow.
_LARGEST = 1e150
# Blocks are at most this share of the range of x, where a block of steps may be wider.
_PARTS = 1024
# How many averages of a series are kept.
_KEPT = 3
_FACTORIALS = [float(math.factorial(power)) for power in range(_TERMS)]


class Blocks(NamedTuple):
    """Blocks of a series in order of step, column by column.

    Attributes:
        level: each block is within a bucket of this level.
        numbers: the bucket that a block is in.
        points: the number of points, finite or not.
        lasts: the highest x up to the end of the block.
        middles: the distances of the middle from that of the block before.
        halves: half of the widths.
        weights: the moments of the number 1 over the finite points, divided by j!.
        values: for each j, the moments of the values, divided by j!.
        known: the averages that were asked for last, by rate and range of x.
    """

    level: int
    numbers: list[int]
    points: list[int]
    lasts: list[Step]
    middles: list[float]
    halves: list[float]
    weights: list[tuple[float, ...]]
    values: list[array[float]]
    known: dict[tuple[float, float], Averages]

    @classmethod
    def none(cls, level: int) -> Blocks:
        """Blocks of a series without points."""
        return cls(level, [], [], [], [], [], [], [array("d") for _ in range(_TERMS)], {})

    def before(self, number: int) -> Blocks:
        """The blocks before a bucket."""
        end = bisect_left(self.numbers, number)
        return Blocks(
            self.level, self.numbers[:end], self.points[:end], self.lasts[:end],
            self.middles[:end], self.halves[:end], self.weights[:end],
            [column[:end] for column in self.values], {},
        )  # fmt: skip


class Builder:
    """Adds points, in order of step, to blocks.

    Args:
        blocks: the blocks before these points; they are changed.
        extent: the range of x if it is time, which does not follow the steps; None for steps.
    """

    def __init__(self, blocks: Blocks, extent: float | None) -> None:
        self._blocks = blocks
        self._widest = None if extent is None else extent / _PARTS
        self._steps: list[Step] = []
        self._times: list[int] = []
        self._values: list[StoredValue] = []

    def add(
        self, steps: Iterable[Step], times: Iterable[int], values: Iterable[StoredValue]
    ) -> None:
        """Add points, of which the last block may be kept until the next call."""
        self._steps += steps
        self._times += times
        self._values += values
        level = self._blocks.level
        numbers = buckets.buckets_of(self._steps, level)
        starts = [0, *compress(count(1), map(ne, numbers, numbers[1:]))]
        for begin, end in pairwise(starts):
            self._add_bucket(numbers[begin], begin, end)
        rest = starts[-1]
        del self._steps[:rest], self._times[:rest], self._values[:rest]

    def finish(self) -> None:
        """Add the last block."""
        if self._steps:
            number = buckets.bucket_of(self._steps[0], self._blocks.level)
            self._add_bucket(number, 0, len(self._steps))
            self._steps, self._times, self._values = [], [], []

    def _add_bucket(self, number: int, begin: int, end: int) -> None:
        if self._widest is None:
            steps = self._steps[begin:end]
            level = self._blocks.level
            start, width = buckets.start(number, level), math.ldexp(1.0, level)
            offsets = tuple([(step - start) / width * 2 - 1 for step in steps])
            numbers = self._blocks.numbers
            middle = (number - numbers[-1]) * width if numbers else 0.0
            self._add_block(number, steps[-1], middle, width / 2, offsets, self._values[begin:end])
            return
        clock = self._blocks.lasts[-1] if self._blocks.lasts else -math.inf
        values = self._values[begin:end]
        xs = [clock := max(clock, time) for time in self._times[begin:end]]
        first = 0
        for place, x in enumerate(xs):
            if x - xs[first] > self._widest:
                self._add_times(number, xs[first:place], values[first:place])
                first = place
        self._add_times(number, xs[first:], values[first:])

    def _add_times(self, number: int, xs: list[Step], values: list[StoredValue]) -> None:
        half = (xs[-1] - xs[0]) / 2
        offsets = tuple([(x - xs[0]) / half - 1 for x in xs]) if half else (0.0,) * len(xs)
        blocks = self._blocks
        middle = 0.0
        if blocks.lasts:
            middle = (xs[0] + half) - (blocks.lasts[-1] - blocks.halves[-1])
        self._add_block(number, xs[-1], middle, half, offsets, values)

    def _add_block(
        self,
        number: int,
        last: Step,
        middle: float,
        half: float,
        offsets: tuple[float, ...],
        values: Sequence[StoredValue],
    ) -> None:
        blocks = self._blocks
        blocks.numbers.append(number)
        blocks.points.append(len(values))
        blocks.lasts.append(last)
        blocks.middles.append(middle)
        blocks.halves.append(half)
        # Text and None are not finite either.
        finite = [
            type(value) in _NUMBERS and -math.inf < value < math.inf  # type: ignore[operator]
            for value in values
        ]
        if not all(finite):
            offsets = tuple(compress(offsets, finite))
            values = list(compress(values, finite))
        powers, weights = _powers(offsets)
        blocks.weights.append(weights)
        for column, row, factorial in zip(blocks.values, powers, _FACTORIALS, strict=True):
            column.append(sum(map(mul, row, values)) / factorial)
        if values and max(map(abs, values)) > _LARGEST:  # type: ignore[arg-type]
            raise OverflowError


_NUMBERS = frozenset({int, float})


@lru_cache(maxsize=8)
def _powers(
    offsets: tuple[float, ...],
) -> tuple[list[list[float]], tuple[float, ...]]:
    """The powers of offsets, and the moments of their number; cached for even steps."""
    powers = [[1.0] * len(offsets)]
    while len(powers) < _TERMS:
        powers.append(list(map(mul, powers[-1], offsets)))
    return powers, tuple(
        sum(row) / factorial for row, factorial in zip(powers, _FACTORIALS, strict=True)
    )


class Averages(NamedTuple):
    """The moving average at the end of each block, and the sum of weights as of its middle."""

    means: list[float]
    weights: list[float]


def averages(blocks: Blocks, rate: float, extent: float) -> Averages | None:
    """Compute the moving average at the end of each block.

    Args:
        rate: the rate at which a weight decays over the whole range of x.
        extent: the range of x, above 0.

    Returns:
        None if a block is too wide for an exact average.
    """
    known = blocks.known.get((rate, extent))
    if known is None and (known := _averages(blocks, rate / extent)) is not None:
        if len(blocks.known) >= _KEPT:
            blocks.known.clear()
        blocks.known[rate, extent] = known
    return known


def _averages(blocks: Blocks, per_x: float) -> Averages | None:
    """Compute averages.

    Args:
        per_x: the rate at which a weight decays.
    """
    halves = blocks.halves
    terms = _terms(per_x * max(halves, default=0.0))
    if terms is None:
        return None
    is_even = halves.count(halves[0]) == len(halves) if halves else False
    steepness = repeat(per_x * halves[0]) if is_even else [per_x * half for half in halves]
    weights = _weights(blocks.weights, steepness, terms, is_even=is_even)
    values = _series(blocks.values[:terms], steepness)
    means: list[float] = []
    totals: list[float] = []
    add_mean, add_total = means.append, totals.append
    mean = total = 0.0
    distance, factor = 0.0, 1.0  # kept, as most blocks are at the same distance
    for middle, weight, value in zip(blocks.middles, weights, values, strict=True):
        if middle != distance:
            distance, factor = middle, math.exp(-per_x * middle)
        total *= factor
        if weight:
            before = mean * total
            total += weight
            mean = (before + value) / total
        add_mean(mean)
        add_total(total)
    return Averages(means, totals)


def _terms(steepness: float) -> int | None:
    """How many terms of the power series to add; None if there are not enough."""
    for terms in range(4, _TERMS + 1, 4):
        if steepness**terms / math.factorial(terms) <= _NEGLIGIBLE:
            return terms
    return None


def _weights(
    moments: Sequence[tuple[float, ...]], steepness: Iterable[float], terms: int, *, is_even: bool
) -> Iterable[float]:
    patterns = {id(weights): weights for weights in moments}  # by id: hashing takes longer
    if not is_even or len(patterns) > len(moments) // 4:
        return _series(_columns(moments, terms), steepness)
    sums = _series(_columns(patterns.values(), terms), steepness)
    known = dict(zip(patterns, sums, strict=True))
    return map(known.__getitem__, map(id, moments))


def _columns(rows: Iterable[tuple[float, ...]], count: int) -> Sequence[Sequence[float]]:
    return [*zip(*rows, strict=True)][:count]


def _series(columns: Sequence[Sequence[float]], steepness: Iterable[float]) -> list[float]:
    """The sums of powers of `steepness` with these coefficients, a column for each power."""
    sums: Iterable[float] = repeat(0.0)
    for first in reversed(range(0, len(columns), 4)):
        c0, c1, c2, c3 = columns[first : first + 4]
        sums = [
            v0 + a * (v1 + a * (v2 + a * (v3 + a * rest)))
            for v0, v1, v2, v3, a, rest in zip(c0, c1, c2, c3, steepness, sums, strict=False)
        ]
    return list(sums)
