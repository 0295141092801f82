"""Smoothing: the time-weighted exponential moving average, with debiasing.

The definition is that of Weights & Biases, whose users know it as "TWEMA" (in its documentation:
"Smooth line plots", "Time weighted exponential moving average"): a point's weight decays by
`min(sqrt(smoothing), 0.999)` for each thousandth of the range of x that lies behind it, and the
average is over the sum of the weights, so that the first points are not drawn towards zero.

Here the range is that of the whole series, not of the part that is shown: zooming in changes no
line. Values that are not finite are left out. Where x goes back, as times may, it stands still.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trackai.values.types import Step, StoredValue

_LARGEST_WEIGHT = 0.999
# Into how many parts the range of x is divided; the weight decays once for each.
_PARTS = 1000
_FARTHEST = 1.7976931348623157e308


def decay_rate(smoothing: float, extent: float) -> float:
    """How fast a weight decays: it is exp(-rate * distance in x).

    Args:
        smoothing: from 0, exclusive, to 1.
        extent: the range of x over the whole series; without one, all weights are the same.
    """
    if extent <= 0:
        return 0.0
    weight = min(math.sqrt(smoothing), _LARGEST_WEIGHT)
    return -math.log(weight) * _PARTS / min(extent, _FARTHEST)


class Average:
    """The moving average over the points that it was given, in order.

    Attributes:
        within: no average is off by more than this share of the difference between the highest
            and the lowest value: 0 as long as points came one by one.
    """

    __slots__ = ("_clock", "_mean", "_rate", "_weight", "within")

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._clock: Step = -math.inf
        self._weight = 0.0
        self._mean = 0.0
        self.within = 0.0

    def add(self, xs: Iterable[Step], values: Iterable[StoredValue]) -> list[float | None]:
        """Go on with points: the average at each, None if it is not finite."""
        rate, clock, weight, mean = -self._rate, self._clock, self._weight, self._mean
        exp = math.exp
        averages: list[float | None] = []
        append = averages.append
        distance, factor = -1.0, 1.0  # the last ones: most points lie evenly
        for x, value in zip(xs, values, strict=True):
            if x > clock:
                if weight:
                    if x - clock != distance:
                        distance = x - clock
                        factor = exp(rate * distance) if rate else 1.0
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

    def add_many(self, first: Step, last: Step, points: int, mean: float) -> float:
        """Go on with points that lie close together, given by the mean of those that are finite.

        All of them weigh as if they lay in the middle between the first and the last x, so each
        weight is off by a factor of at most exp(rate * width / 2), either way. An average of
        values with such weights is off by at most tanh(rate * width / 2) of their range.
        """
        first, last = max(first, self._clock), max(last, self._clock)
        half = (last - first) / 2
        self.within = max(self.within, self.off_by(last - first))
        if self._weight:
            self._weight *= self._factor(first - self._clock + half)
        if points:
            self._weight += points
            share = points / self._weight
            self._mean = self._mean * (1.0 - share) + mean * share
        self._weight *= self._factor(half)
        self._clock = last
        return self._mean

    def off_by(self, width: float) -> float:
        """What an average is off by at most if points over that width are added at once."""
        return math.tanh(self._rate * width / 2)

    def _factor(self, distance: float) -> float:
        return math.exp(-self._rate * distance) if self._rate else 1.0


_NUMBERS = frozenset({int, float})
