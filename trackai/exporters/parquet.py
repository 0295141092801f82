"""Parquet: a row for each point, in full precision; needs pyarrow.

`step` and `value` are doubles for everybody to compute with. What a double cannot hold exactly
stands beside them: `step_int` and `value_int` for integers, `value_text` for texts.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

from trackai.errors import MissingExtraError
from trackai.exporters.csv import type_name
from trackai.structs.exchange import Block, RunHead

if TYPE_CHECKING:
    from trackai.structs.exchange import Item
    from trackai.values.types import Value

_ROWS_PER_GROUP = 500_000


class ParquetWriter:
    """Writes points to a binary file; configuration, tags and files have no place in it."""

    def __init__(self, file: IO[bytes]) -> None:
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError:
            raise MissingExtraError("Parquet", "parquet") from None
        self._pa = pa
        name = pa.dictionary(pa.int32(), pa.string())
        self._schema = pa.schema(
            [
                ("project", name), ("run", name), ("run_uid", name), ("attempt", pa.int64()),
                ("writer", name), ("metric", name), ("axis", name), ("step", pa.float64()),
                ("step_int", pa.int64()), ("timestamp", pa.timestamp("us", tz="UTC")),
                ("type", name), ("value", pa.float64()), ("value_int", pa.int64()),
                ("value_text", pa.string()),
            ]
        )  # fmt: skip
        self._writer = pq.ParquetWriter(file, self._schema)
        self._waiting: list[Any] = []
        self._rows = 0
        self._zeros: Any = []
        self._heads: dict[str, RunHead] = {}

    def write(self, item: Item) -> None:
        """Note a run's head, or write a block of its points."""
        if isinstance(item, RunHead):
            self._heads = {item.uid: item}
        if not isinstance(item, Block):
            return
        self._waiting.append(self._batch(self._heads[item.run_uid], item))
        self._rows += len(item.steps)
        if self._rows >= _ROWS_PER_GROUP:
            self._flush()

    def close(self) -> None:
        """Complete the file, which stays open."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._waiting:
            table = self._pa.Table.from_batches(self._waiting).unify_dictionaries()
            self._writer.write_table(table)
        self._waiting, self._rows = [], 0

    def _batch(self, head: RunHead, block: Block) -> Any:
        pa, rows = self._pa, len(block.steps)
        if len(self._zeros) != rows:
            self._zeros = pa.array([0] * rows, pa.int32())

        def same(text: str) -> Any:
            return pa.DictionaryArray.from_arrays(self._zeros, [text])

        step_types = set(map(type, block.steps))
        return pa.RecordBatch.from_arrays(
            [
                same(head.project),
                same(head.run_id),
                same(head.uid),
                pa.repeat(pa.scalar(block.writer.attempt, pa.int64()), rows),
                same(block.writer.uid),
                same(block.metric),
                same(block.axis),
                *_numbers(pa, block.steps, step_types),
                pa.array(block.timestamps, pa.int64()).cast(pa.timestamp("us", tz="UTC")),
                *self._value_columns(block.values, same),
            ],
            schema=self._schema,
        )

    def _value_columns(self, values: list[Value], same: Any) -> list[Any]:
        pa, rows = self._pa, len(values)
        types = set(map(type, values))
        if types == {float}:
            return [same("float"), *_numbers(pa, values, types), pa.nulls(rows, pa.string())]
        if types == {str}:
            return [
                same("str"), pa.nulls(rows, pa.float64()), pa.nulls(rows, pa.int64()),
                pa.array(values, pa.string()),
            ]  # fmt: skip
        numbers = [None if isinstance(value, str) else value for value in values]
        return [
            pa.array(map(type_name, values), pa.string(), size=rows).dictionary_encode(),
            *_numbers(pa, numbers, types),
            pa.array([v if isinstance(v, str) else None for v in values], pa.string()),
        ]


def _numbers(pa: Any, values: list[Any], types: set[type]) -> tuple[Any, Any]:
    """Numbers as doubles, and those of them that are integers as what they are."""
    if types == {float}:
        return pa.array(values, pa.float64()), pa.nulls(len(values), pa.int64())
    if types == {int}:
        integers = pa.array(values, pa.int64())
        # Not safe: beyond 53 bits a double is but the nearest.
        return integers.cast(pa.float64(), safe=False), integers
    return (
        pa.array([None if v is None else float(v) for v in values], pa.float64()),
        pa.array([int(v) if isinstance(v, int) else None for v in values], pa.int64()),
    )
