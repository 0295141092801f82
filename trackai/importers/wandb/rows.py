"""Gathers rows of the history, to be converted by column."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from google.protobuf.message import DecodeError

from trackai.importers.wandb.items import Splitter, name_parts
from trackai.importers.wandb.messages import History

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# The values that are kept until they are converted.
_MAX_VALUES = 50_000
_ROWS_TOGETHER = 500
_TIMESTAMP, _RUNTIME = b"\x12\x0a_timestamp", b"\x12\x08_runtime"


class Row(NamedTuple):
    """A row of the history; `timestamp` and `runtime` are in seconds, if it has them."""

    step: int
    timestamp: float | None
    runtime: float | None
    values: dict[bytes, bytes]


class Column(NamedTuple):
    """The values of a metric, as JSON. Columns of all rows share the steps and times."""

    metric: str
    steps: list[int]
    times: list[int]
    values: list[bytes]


class Rows:
    """Splits rows into the values of metrics, and gathers them."""

    def __init__(self) -> None:
        self._splitter = Splitter()
        # By the name as it is encoded; None if its values cannot be converted by column.
        self._metrics: dict[bytes, str | None] = {}
        self._taken: set[str] = set()
        self._names: Iterable[bytes] = ()
        self._steps: list[int] = []
        self._times: list[int] = []
        # Rows that are not in the columns yet, because their names may differ.
        self._rows: list[dict[bytes, bytes]] = []
        self._columns: dict[bytes, list[bytes]] = {}
        self._size = 0

    def split(self, message: bytes) -> Row | None:
        """Split a row; None if it cannot be converted by column, such as with media."""
        parts = self._splitter.split(message)
        if parts is None:
            return None
        values, rest = parts
        try:
            step = History.FromString(rest)
            timestamp, runtime = _seconds(values, _TIMESTAMP), _seconds(values, _RUNTIME)
        except (DecodeError, ValueError):
            return None
        if step.item or step.own_time or not self._are_plain(values):
            return None
        return Row(step.step.num, timestamp, runtime, values)

    @property
    def are_many(self) -> bool:
        """Whether it is time to take the columns."""
        return self._size >= _MAX_VALUES

    def add(self, step: int, time: int, values: dict[bytes, bytes]) -> None:
        """Add a row."""
        self._steps.append(step)
        self._times.append(time)
        self._rows.append(values)
        self._size += len(values) + 1
        if len(self._rows) == _ROWS_TOGETHER:
            self._fold()

    def take(self) -> Iterator[Column]:
        """Yield the columns of the rows added since the last call."""
        if self._rows:
            self._fold()
        steps, times, rows, columns = self._steps, self._times, self._rows, self._columns
        self._steps, self._times, self._rows, self._columns, self._size = [], [], [], {}, 0
        start = len(steps) - len(rows)
        if columns:
            shared = steps[:start], times[:start]
            for name, texts in columns.items():
                yield Column(self._metric(name), *shared, texts)
        numbers: dict[bytes, list[int]] = defaultdict(list)
        for number, row in enumerate(rows):
            for name in row:
                numbers[name].append(number)
        for name, at in numbers.items():
            yield Column(
                self._metric(name), [steps[start + number] for number in at],
                [times[start + number] for number in at], [rows[number][name] for number in at],
            )  # fmt: skip

    def _fold(self) -> None:
        """Move rows into columns if all have the same names.

        This is done before there are too many for the processor's cache.
        """
        names = (self._columns or self._rows[0]).keys()
        if all(row.keys() == names for row in self._rows):
            for name in names:
                texts = [row[name] for row in self._rows]
                self._columns.setdefault(name, []).extend(texts)
            self._rows = []

    def _metric(self, name: bytes) -> str:
        metric = self._metrics[name]
        assert metric is not None  # noqa: S101 - see `_are_plain`
        return metric

    def _are_plain(self, values: dict[bytes, bytes]) -> bool:
        """Return whether all values belong to metrics of their own."""
        if values.keys() != self._names:
            for name in values.keys() - self._metrics.keys():
                self._metrics[name] = self._learn(name)
            if None in map(self._metrics.get, values):
                return False
            self._names = dict.fromkeys(values).keys()
        return True

    def _learn(self, name: bytes) -> str | None:
        parts = name_parts(name)
        metric = "/".join(parts)
        # Media and histograms are made of several values, and two names may be of one metric.
        is_nested = len(parts) > 1
        if metric in self._taken or (is_nested and ("_type" in parts or "" in parts)):
            return None
        self._taken.add(metric)
        return metric


def _seconds(values: dict[bytes, bytes], name: bytes) -> float | None:
    text = values.pop(name, None)
    return None if text is None else float(text)
