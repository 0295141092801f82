"""Arrays as histograms. NumPy is imported when it is needed."""

from __future__ import annotations

from typing import Any

from trackai.errors import MissingExtraError


def to_histogram(sequence: Any, bins: int) -> tuple[Any, Any]:
    """Count the finite values of an array of any shape in bins of equal width.

    Returns:
        Counts and edges, as `numpy.histogram`; one bin if the values allow no more.

    Raises:
        ValueError: `bins` is less than 1.
        MissingExtraError: NumPy is not installed.
    """
    np = import_numpy("a histogram of a sequence")
    if hasattr(sequence, "detach"):
        sequence = sequence.detach().cpu()
    values = np.asarray(sequence, dtype=float).ravel()
    values = values[np.isfinite(values)]
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            counts, edges = np.histogram(values, bins=bins)
    except ValueError:
        # The values are so far apart that their difference overflows, or so close together that
        # no number is between them.
        if bins < 1:
            raise
        low, high = values.min(), values.max()
        if low == high:
            low, high = sorted((low, np.nextafter(low, 0)))
        counts, edges = [len(values)], [low, high]
    return counts, edges


def import_numpy(feature: str) -> Any:
    """Import NumPy.

    Raises:
        MissingExtraError: it is not installed; `feature` needs it.
    """
    try:
        import numpy as np
    except ImportError:
        raise MissingExtraError(feature, "media") from None
    return np
