"""Histograms, which are logged as a series like numbers."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec

from trackai.errors import InvalidInputError
from trackai.sdk.arrays import to_histogram
from trackai.sdk.builtin_values import jsonable

_MAX_BINS = 512


class Histogram:
    """A distribution of values: how many fall into each bin.

    Args:
        sequence: the values, an array or sequence of any shape; those that are not finite are left
            out. Needs `trackai[media]`.
        np_histogram: counts and edges, as `numpy.histogram` returns them, instead of `sequence`.
        num_bins: the number of bins for `sequence`, 1 to 512; more are taken for 512.

    Attributes:
        histogram: the counts.
        bins: the edges of the bins, one more than counts.

    Raises:
        InvalidInputError: neither or both of `sequence` and `np_histogram` are passed, there is
            not one more edge than counts, one of them is missing or not finite, edges do not
            ascend, or a count is negative.
        MissingExtraError: NumPy is not installed.

    Example:
        trackai.log({"gradients": trackai.Histogram(model.weight.grad)})
    """

    def __init__(
        self,
        sequence: Any = None,
        np_histogram: tuple[Any, Any] | None = None,
        num_bins: int = 64,
    ) -> None:
        if (sequence is None) == (np_histogram is None):
            raise InvalidInputError("sequence", "pass either this or np_histogram")
        if np_histogram is None:
            np_histogram = to_histogram(sequence, min(num_bins, _MAX_BINS))
        counts, edges = np_histogram
        self.histogram, self.bins = jsonable(list(counts)), jsonable(list(edges))
        if len(self.bins) != len(self.histogram) + 1:
            raise InvalidInputError(
                "np_histogram",
                f"must have one more edge than counts, got {len(self.bins)} edges and "
                f"{len(self.histogram)} counts",
            )
        for number in (*self.histogram, *self.bins):
            if not isinstance(number, int | float):
                raise InvalidInputError("np_histogram", f"must hold finite numbers, got {number!r}")
        if any(low > high for low, high in pairwise(self.bins)):
            raise InvalidInputError("np_histogram", "edges must ascend")
        if any(count < 0 for count in self.histogram):
            raise InvalidInputError("np_histogram", "counts must not be negative")

    def json(self) -> str:
        """Return the histogram as JSON, in the form of Neptune's exports, as it is stored."""
        stored = {"type": "COUNTING", "edges": self.bins, "values": self.histogram}
        return msgspec.json.encode(stored).decode()
