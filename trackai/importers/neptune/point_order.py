"""Sorts points as the store holds them: by series, step and time."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from trackai.importers.neptune.messages import Points
from trackai.store.points.figures import Figures, summarize

if TYPE_CHECKING:
    from trackai.values.types import Axis, Kind, Step

# The prefix of metrics that Neptune's client measures itself; they become system metrics, on the
# time axis.
SYSTEM = "monitoring/"
_MILLION = 1_000_000
# Up to here, a step in millionths is an exact float, and dividing it rounds correctly.
_MAX_EXACT = 1 << 53
_KINDS: dict[str, Kind] = {
    "float_series": "number",
    "string_series": "text",
    "histogram_series": "histogram",
}


def exact_step(micro: int) -> Step:
    """Convert a step in millionths to an int, or to the nearest float."""
    integer, rest = divmod(micro, _MILLION)
    return micro / _MILLION if rest else integer


def arrange(
    type_: str, paths: list[str], codes: Any, micro: Any, times: Any, values: Any
) -> list[Points]:
    """Sort points, separated by axis and rank.

    Args:
        type_: the attribute type.
        paths: the paths of the series.
        codes: for each point, the position of its path in `paths`.
        micro: steps in millionths.
        times: microseconds since the epoch.
        values: an array of floats, or a list.
    """
    is_system = np.asarray([path.startswith(SYSTEM) for path in paths], dtype=bool)
    if not is_system.any():
        return _arrange_axis("step", type_, paths, codes, micro, times, values)
    system_points = is_system[codes]
    points = []
    axes: tuple[tuple[Axis, Any], ...] = (("step", ~system_points), ("time", system_points))
    for axis, mask in axes:
        if mask.any():
            points += _arrange_axis(
                axis, type_, paths, codes[mask], micro[mask], times[mask], _pick(values, mask)
            )
    return points


def _pick(values: Any, positions: Any) -> Any:
    """Index an array or a list with an array of positions, or a mask."""
    if not isinstance(values, list):
        return values[positions]
    if positions.dtype == bool:
        positions = np.flatnonzero(positions)
    return [values[position] for position in positions.tolist()]


def _arrange_axis(
    axis: Axis, type_: str, paths: list[str], codes: Any, micro: Any, times: Any, values: Any
) -> list[Points]:
    if not len(codes):
        return []
    steps = micro if axis == "step" else times
    order = _order(codes, steps, times)
    if order is not None:
        codes, micro, times = codes[order], micro[order], times[order]
        steps = micro if axis == "step" else times
        values = _pick(values, order)
    ranks = _ranks(codes, steps, times)
    points = []
    for rank in range(1 if ranks is None else int(ranks.max()) + 1):
        mask: Any = slice(None) if ranks is None else ranks == rank
        rank_values = values if ranks is None else _pick(values, mask)
        bounds = np.flatnonzero(np.diff(codes[mask], prepend=-1, append=-1))
        rank_steps = _steps(micro[mask]) if axis == "step" else times[mask]
        points.append(
            Points(
                type=type_,
                axis=axis,
                rank=rank,
                paths=[paths[code] for code in codes[mask][bounds[:-1]].tolist()],
                bounds=bounds.tolist(),
                steps=rank_steps,
                timestamps=times[mask],
                values=rank_values,
                figures=_figures(_KINDS[type_], bounds, rank_steps, times[mask], rank_values),
                own_steps=_steps(micro[mask]) if axis == "time" else None,
            )
        )
    return points


def _figures(kind: Kind, bounds: Any, *columns: Any) -> list[Figures]:
    """Compute the figures of each series.

    It is done here because workers run in parallel, and the process that stores does not.
    """
    steps, times, values = (
        column if isinstance(column, list) else column.tolist() for column in columns
    )
    return [
        # `summarize` takes the JSON of histograms for texts.
        msgspec.structs.replace(
            summarize(steps[start:end], times[start:end], values[start:end]), kind=kind
        )
        for start, end in pairwise(bounds.tolist())
    ]


def _order(codes: Any, steps: Any, times: Any) -> Any:
    """Return the permutation that sorts the points, or None if they are sorted."""
    if _is_sorted(codes, steps, times):
        return None
    # Rows are mostly in the order of steps, so sorting by series alone, which takes linear time for
    # 16 bits, is usually enough.
    narrow = codes.astype(np.int16) if int(codes.max()) < 1 << 15 else codes
    order = np.argsort(narrow, kind="stable")
    if _is_sorted(codes[order], steps[order], times[order]):
        return order
    return np.lexsort((times, steps, codes))


def _is_sorted(codes: Any, steps: Any, times: Any) -> bool:
    next_series = codes[1:] > codes[:-1]
    same_series = codes[1:] == codes[:-1]
    later = (steps[1:] > steps[:-1]) | ((steps[1:] == steps[:-1]) & (times[1:] >= times[:-1]))
    return bool((next_series | (same_series & later)).all())


def _ranks(codes: Any, steps: Any, times: Any) -> Any:
    """Return the number of duplicates before each point, or None if all points are distinct."""
    duplicate = (codes[1:] == codes[:-1]) & (steps[1:] == steps[:-1]) & (times[1:] == times[:-1])
    if not duplicate.any():
        return None
    positions = np.arange(len(codes))
    firsts = np.maximum.accumulate(np.where(np.concatenate(([False], duplicate)), 0, positions))
    return positions - firsts


def _steps(micro: Any) -> Any:
    """Convert steps in millionths to ints and floats: an array of ints, or a list."""
    integers, rest = np.divmod(micro, _MILLION)
    if not rest.any():
        return integers
    if int(np.abs(micro).max()) >= _MAX_EXACT:
        return [exact_step(step) for step in micro.tolist()]
    mixed = (micro / _MILLION).astype(object)
    mixed[rest == 0] = integers[rest == 0].astype(object)
    return mixed.tolist()
