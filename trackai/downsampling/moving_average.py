"""Smoothing: the time-weighted exponential moving average, with debiasing.

The definition is that of Weights & Biases ("TWEMA"; see "Smooth line plots", "Time weighted
exponential moving average" in its documentation): the weight of a point decays by
`min(sqrt(smoothing), 0.999)` for each thousandth of the range of x behind it, and the average is
divided by the sum of the weights, so that the first points are not drawn towards zero.

Here the range is that of the whole series, not of the part that is shown, so zooming does not
change the curve. Values that are not finite are skipped. Where x decreases, as times may, it
counts as unchanged.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trackai.values.types import Step, StoredValue

_LARGEST_WEIGHT = 0.999
# The weight decays once for each of this many parts of the range of x.
_PARTS = 1000
_FARTHEST = 1.7976931348623157e308


def decay_rate(smoothing: float) -> float:
    """The rate at which a weight decays: over the whole range of x, it is exp(-rate).

    Args:
        smoothing: above 0 and below 1.
    """
    return -math.log(min(math.sqrt(smoothing), _LARGEST_WEIGHT)) * _PARTS


class Average:
    """The moving average over points, which are added in order.

    Args:
        smoothing: above 0 and below 1.
        extent: the range of x over the whole series; if it is 0, all weights are equal.

    Attributes:
        within: the largest error of an average so far, as a share of the difference between the
            highest and the lowest value; 0 as long as all points were added one by one.
    """

    __slots__ = ("_clock", "_extent", "_mean", "_rate", "_weight", "within")

    def __init__(self, smoothing: float, extent: float) -> None:
        self._rate = decay_rate(smoothing) if extent > 0 else 0.0
        self._extent = min(extent, _FARTHEST) if extent > 0 else 1.0
        self._clock: Step = -math.inf
        self._weight = 0.0
        self._mean = 0.0
        self.within = 0.0

    def add(self, xs: Iterable[Step], values: Iterable[StoredValue]) -> list[float | None]:
        """Add points, and get the average at each; None at those that are not finite."""
        rate, extent = -self._rate, self._extent
        clock, weight, mean = self._clock, self._weight, self._mean
        exp = math.exp
        averages: list[float | None] = []
        append = averages.append
        distance, factor = -1.0, 1.0  # kept, as most points are evenly spaced
        for x, value in zip(xs, values, strict=True):
            if x > clock:
                if weight:
                    if x - clock != distance:
                        distance = x - clock
                        factor = exp(rate * (distance / extent)) if rate else 1.0
                    weight *= factor
                clock = x
            # None and text are not finite either.
            if type(value) not in _NUMBERS or not -_FARTHEST <= value <= _FARTHEST:  # type: ignore[operator]
                append(None)
                continue
            weight += 1.0
            share = 1.0 / weight
            mean = mean * (1.0 - share) + value * share  # type: ignore[operator]
            append(mean)
        self._clock, self._weight, self._mean = clock, weight, mean
        return averages

    def resume(self, x: Step, distance: float, weight: float, mean: float) -> None:
        """Continue after points whose average is known.

        Args:
            x: the last x.
            distance: from the x as of which `weight` is, to the last one; it may be negative.
            weight: the sum of the weights of the points.
            mean: their average.
        """
        self._clock, self._mean = x, mean
        self._weight = weight * self._factor(distance)

    def add_many(self, first: Step, last: Step, points: int, mean: float) -> float:
        """Add neighbouring points at once, and get the average at the last one.

        All of them weigh as if they were in the middle between the first and the last x, so each
        weight is wrong by a factor of at most exp(rate * width / 2), either way. The error of an
        average with such weights is at most tanh(rate * width / 2) of the values' range.

        Args:
            first, last: the lowest and the highest x.
            points: the number of finite values.
            mean: the mean of the finite values.
        """
        first, last = max(first, self._clock), max(last, self._clock)
        half = (last - first) / 2
        self.within = max(self.within, self.error(last - first))
        if self._weight:
            self._weight *= self._factor(first - self._clock + half)
        if points:
            self._weight += points
            share = points / self._weight
            self._mean = self._mean * (1.0 - share) + mean * share
        self._weight *= self._factor(half)
        self._clock = last
        return self._mean

    def error(self, width: float) -> float:
        """The largest error of an average if points over a width of x are added at once."""
        return math.tanh(self._rate * (width / self._extent) / 2)

    def _factor(self, distance: float) -> float:
        return math.exp(-self._rate * (distance / self._extent)) if self._rate else 1.0


_NUMBERS = frozenset({int, float})
