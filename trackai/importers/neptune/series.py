"""Bringing rows of series into the order of the store: by series, step and time."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from trackai.importers.neptune.batches import Points
from trackai.store.points.figures import Figures, summarize

if TYPE_CHECKING:
    from trackai.values.types import Axis, Kind, Step

# What Neptune's client measures by itself: on the time axis, like other system metrics.
SYSTEM = "monitoring/"
_MILLION = 1_000_000
# Up to here a step in millionths is an exact float, and so dividing it rounds correctly.
_EXACT = 1 << 53
_KINDS: dict[str, Kind] = {
    "float_series": "number",
    "string_series": "text",
    "histogram_series": "histogram",
}


def exact_step(micro: int) -> Step:
    """A step in millionths as the number it stands for: an int, or the nearest float."""
    whole, rest = divmod(micro, _MILLION)
    return micro / _MILLION if rest else whole


def arrange(
    type_: str, paths: list[str], codes: Any, micro: Any, times: Any, values: Any
) -> list[Points]:
    """Sort points by series, step and time, system metrics apart, and those alike by rank.

    Args:
        codes: for each point, the position of its path in `paths`.
        micro: steps in millionths.
        times: microseconds since the epoch.
        values: an array of floats, or a list.
    """
    is_system = np.asarray([path.startswith(SYSTEM) for path in paths], dtype=bool)
    if not is_system.any():
        return _on_axis("step", type_, paths, codes, micro, times, values)
    here = is_system[codes]
    points = []
    axes: tuple[tuple[Axis, Any], ...] = (("step", ~here), ("time", here))
    for axis, mask in axes:
        if mask.any():
            points += _on_axis(
                axis, type_, paths, codes[mask], micro[mask], times[mask], _pick(values, mask)
            )
    return points


def _pick(values: Any, positions: Any) -> Any:
    if not isinstance(values, list):
        return values[positions]
    if positions.dtype == bool:
        positions = np.flatnonzero(positions)
    return [values[position] for position in positions.tolist()]


def _on_axis(
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
        some: Any = slice(None) if ranks is None else ranks == rank
        some_values = values if ranks is None else _pick(values, some)
        bounds = np.flatnonzero(np.diff(codes[some], prepend=-1, append=-1))
        placed = _steps(micro[some]) if axis == "step" else times[some]
        points.append(
            Points(
                type=type_,
                axis=axis,
                rank=rank,
                paths=[paths[code] for code in codes[some][bounds[:-1]].tolist()],
                bounds=bounds.tolist(),
                steps=placed,
                timestamps=times[some],
                values=some_values,
                figures=_figures(_KINDS[type_], bounds, placed, times[some], some_values),
                own_steps=_steps(micro[some]) if axis == "time" else None,
            )
        )
    return points


def _figures(kind: Kind, bounds: Any, *columns: Any) -> list[Figures]:
    """The figures of each series: here the processor is free, where points are stored it is not."""
    steps, times, values = (
        column if isinstance(column, list) else column.tolist() for column in columns
    )
    return [
        # A histogram's text does not say by itself what it is.
        msgspec.structs.replace(
            summarize(steps[start:end], times[start:end], values[start:end]), kind=kind
        )
        for start, end in pairwise(bounds.tolist())
    ]


def _order(codes: Any, steps: Any, times: Any) -> Any:
    """Which permutation sorts the points; None if they are sorted."""
    if _is_sorted(codes, steps, times):
        return None
    # Rows mostly come in order of step: sorting by series alone, in linear time, will often do.
    small = codes.astype(np.int16) if int(codes.max()) < 1 << 15 else codes
    order = np.argsort(small, kind="stable")
    if _is_sorted(codes[order], steps[order], times[order]):
        return order
    return np.lexsort((times, steps, codes))


def _is_sorted(codes: Any, steps: Any, times: Any) -> bool:
    after = codes[1:] > codes[:-1]
    same = codes[1:] == codes[:-1]
    later = (steps[1:] > steps[:-1]) | ((steps[1:] == steps[:-1]) & (times[1:] >= times[:-1]))
    return bool((after | (same & later)).all())


def _ranks(codes: Any, steps: Any, times: Any) -> Any:
    """How many points before each one are its like; None if all differ."""
    alike = (codes[1:] == codes[:-1]) & (steps[1:] == steps[:-1]) & (times[1:] == times[:-1])
    if not alike.any():
        return None
    positions = np.arange(len(codes))
    firsts = np.maximum.accumulate(np.where(np.concatenate(([False], alike)), 0, positions))
    return positions - firsts


def _steps(micro: Any) -> Any:
    whole, rest = np.divmod(micro, _MILLION)
    if not rest.any():
        return whole
    if int(np.abs(micro).max()) >= _EXACT:
        return [exact_step(one) for one in micro.tolist()]
    mixed = (micro / _MILLION).astype(object)
    mixed[rest == 0] = whole[rest == 0].astype(object)
    return mixed.tolist()
