"""CSV: a row for each point, in full precision."""

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
    """Writes points to a binary file; configuration, tags and files have no place in it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        self._rows = csv.writer(self._text)
        self._rows.writerow(COLUMNS)
        self._heads: dict[str, RunHead] = {}

    def write(self, item: Item) -> None:
        """Note a run's head, or write a block of its points."""
        if isinstance(item, RunHead):
            self._heads = {item.uid: item}
        if not isinstance(item, Block):
            return
        head = self._heads[item.run_uid]
        first = (
            head.project, head.run_id, head.uid, item.writer.attempt, item.writer.uid,
            item.metric, item.axis,
        )  # fmt: skip
        self._rows.writerows(
            (*first, repr(step), utc(time).isoformat(), type_name(value), _text(value))
            for step, time, value in zip(item.steps, item.timestamps, item.values, strict=True)
        )

    def close(self) -> None:
        """Complete the file, which stays open."""
        self._text.flush()
        self._text.detach()


def type_name(value: Value) -> str:
    """What kind of value it is: float, int, bool or str."""
    return type(value).__name__


def _text(value: Value) -> str:
    return value if isinstance(value, str) else repr(value)
