"""Writes CSV: a row for each point, in full precision."""

from __future__ import annotations

import csv
import io
from typing import IO, TYPE_CHECKING

from trackai.structs.exchange import Block, RunHead
from trackai.values.times import utc

if TYPE_CHECKING:
    from trackai.structs.exchange import Item
    from trackai.values.types import Value

COLUMNS = (
    "project", "run", "run_uid", "attempt", "writer", "metric", "axis", "step", "timestamp",
    "type", "value",
)  # fmt: skip


class CsvWriter:
    """Writes points to a binary file, without configuration, tags and files."""

    def __init__(self, file: IO[bytes]) -> None:
        self._text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        self._rows = csv.writer(self._text)
        self._rows.writerow(COLUMNS)
        self._heads: dict[str, RunHead] = {}

    def write(self, item: Item) -> None:
        """Write a block of points, or keep the head of the run of the next blocks."""
        if isinstance(item, RunHead):
            self._heads = {item.uid: item}
        if not isinstance(item, Block):
            return
        head = self._heads[item.run_uid]
        series = (
            head.project, head.run_id, head.uid, item.writer.attempt, item.writer.uid,
            item.metric, item.axis,
        )  # fmt: skip
        self._rows.writerows(
            (*series, repr(step), utc(time).isoformat(), type_name(value), _text(value))
            for step, time, value in zip(item.steps, item.timestamps, item.values, strict=True)
        )

    def close(self) -> None:
        """Write what is buffered; the file stays open."""
        self._text.flush()
        self._text.detach()


def type_name(value: Value) -> str:
    """Return the type of a value: float, int, bool or str."""
    return type(value).__name__


def _text(value: Value) -> str:
    if isinstance(value, str):
        return value
    # Of the spellings that Python reads, polars takes only this one for a number.
    return "NaN" if value != value else repr(value)
