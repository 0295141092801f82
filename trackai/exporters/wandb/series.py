"""Where the series of a run go in wandb, and under which names."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from trackai.exporters.histograms import read_histogram
from trackai.importers.wandb.values import STEP_METRIC

if TYPE_CHECKING:
    from trackai.exporters.summary import RunRemarks
    from trackai.structs.exchange import Block

# In this order in a file: rows of metrics, system metrics, console output.
HISTORY, STATS, CONSOLE = range(3)
STREAMS = {"logs/stderr": 0, "logs/stdout": 1}
_ALERT = re.compile(r"alerts/(info|warn|error)")
# The names of the step and the times of a row.
_RESERVED = ("_step", "_timestamp", "_runtime", STEP_METRIC)
_SYSTEM = "system/"


class Series(NamedTuple):
    """A series: its name in wandb, its lane and kind ("media" for files).

    Attributes:
        level: of the alerts that it holds; None for other series.
    """

    name: str
    lane: int
    kind: str
    level: str | None = None


def series_of(block: Block, remarks: RunRemarks) -> Series | None:
    """Return where the series of a block goes; None if wandb has no place for it."""
    metric = block.metric
    if block.axis == "step":
        if block.kind == "text" and (alert := _ALERT.fullmatch(metric)):
            return Series(metric, HISTORY, "text", alert[1].upper())
        return Series(free_name(metric, remarks), HISTORY, block.kind)
    if block.kind in ("number", "bool"):
        if not metric.startswith(_SYSTEM):
            remarks.add_once(f"the system metric {metric} becomes {_SYSTEM}{metric}")
        return Series(metric.removeprefix(_SYSTEM), STATS, block.kind)
    return Series(metric, CONSOLE, "text") if metric in STREAMS else None


def free_name(metric: str, remarks: RunRemarks) -> str:
    """Return the name of a metric, changed if it is one of wandb's own."""
    if metric not in _RESERVED:
        return metric
    remarks.add_once(f"the metric {metric} becomes {metric}_")
    return f"{metric}_"


def encode(value: Any, kind: str) -> str:
    """Encode a value as JSON, with bare NaN and infinities."""
    if value is None:
        return "NaN"
    if kind == "bool":
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else json.dumps(value)
    if isinstance(value, int):
        return str(value)
    if kind == "histogram":
        return _histogram(value)
    return value if kind == "media" else json.dumps(value)


def _histogram(stored: str) -> str:
    histogram = read_histogram(stored)
    if histogram is None:
        return json.dumps(stored)
    edges, counts = histogram
    return json.dumps({"_type": "histogram", "values": counts, "bins": edges})
