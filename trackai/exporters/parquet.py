"""Writes Parquet: a row for each point, in full precision; needs pyarrow.

The columns `step` and `value` are doubles. `step_int` and `value_int` hold integers, which a double
may not hold exactly, and `value_text` holds texts.
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
    """Writes points to a binary file, without configuration, tags and files.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """

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
        # With minima and maxima of values, which leave out NaN, DuckDB and pyarrow skip the row
        # groups that a filter for NaN asks for.
        with_statistics = [name for name in self._schema.names if name != "value"]
        self._writer = pq.ParquetWriter(file, self._schema, write_statistics=with_statistics)
        self._batches: list[Any] = []
        self._pending_rows = 0
        self._zeros: Any = []
        self._heads: dict[str, RunHead] = {}

    def write(self, item: Item) -> None:
        """Write a block of points, or keep the head of the run of the next blocks."""
        if isinstance(item, RunHead):
            self._heads = {item.uid: item}
        if not isinstance(item, Block):
            return
        self._batches.append(self._batch(self._heads[item.run_uid], item))
        self._pending_rows += len(item.steps)
        if self._pending_rows >= _ROWS_PER_GROUP:
            self._flush()

    def close(self) -> None:
        """Write the last rows and the footer; the file stays open."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._batches:
            table = self._pa.Table.from_batches(self._batches).unify_dictionaries()
            self._writer.write_table(table)
        self._batches, self._pending_rows = [], 0

    def _batch(self, head: RunHead, block: Block) -> Any:
        pa, rows = self._pa, len(block.steps)
        if len(self._zeros) != rows:
            self._zeros = pa.array([0] * rows, pa.int32())

        def constant(text: str) -> Any:
            return pa.DictionaryArray.from_arrays(self._zeros, [text])

        step_types = set(map(type, block.steps))
        return pa.RecordBatch.from_arrays(
            [
                constant(head.project),
                constant(head.run_id),
                constant(head.uid),
                pa.repeat(pa.scalar(block.writer.attempt, pa.int64()), rows),
                constant(block.writer.uid),
                constant(block.metric),
                constant(block.axis),
                *_numbers(pa, block.steps, step_types),
                pa.array(block.timestamps, pa.int64()).cast(pa.timestamp("us", tz="UTC")),
                *self._value_columns(block.values, constant),
            ],
            schema=self._schema,
        )

    def _value_columns(self, values: list[Value], constant: Any) -> list[Any]:
        pa, rows = self._pa, len(values)
        types = set(map(type, values))
        if types == {float}:
            return [constant("float"), *_numbers(pa, values, types), pa.nulls(rows, pa.string())]
        if types == {str}:
            return [
                constant("str"), pa.nulls(rows, pa.float64()), pa.nulls(rows, pa.int64()),
                pa.array(values, pa.string()),
            ]  # fmt: skip
        numbers = [None if isinstance(value, str) else value for value in values]
        return [
            pa.array(map(type_name, values), pa.string(), size=rows).dictionary_encode(),
            *_numbers(pa, numbers, types),
            pa.array([v if isinstance(v, str) else None for v in values], pa.string()),
        ]


def _numbers(pa: Any, values: list[Any], types: set[type]) -> tuple[Any, Any]:
    """Return numbers as an array of doubles, and the integers among them as an array of integers.

    Args:
        types: the types of all values; numbers of other types are None.
    """
    if types == {float}:
        return pa.array(values, pa.float64()), pa.nulls(len(values), pa.int64())
    if types == {int}:
        integers = pa.array(values, pa.int64())
        # Unsafe, because integers beyond 53 bits are rounded to the nearest double.
        return integers.cast(pa.float64(), safe=False), integers
    return (
        pa.array([None if v is None else float(v) for v in values], pa.float64()),
        pa.array([int(v) if isinstance(v, int) else None for v in values], pa.int64()),
    )
