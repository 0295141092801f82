"""Data frames as columns of cells, each of its own type.

A conversion of a whole frame to one array would make floats of integers, and integers of times.
"""

from __future__ import annotations

from typing import Any

from trackai.sdk.structured_values import is_instance


def is_frame(value: Any) -> bool:
    """Whether a value is a data frame of pandas or polars, or a table of pyarrow."""
    return (
        is_instance(value, "pandas", "DataFrame")
        or is_instance(value, "polars", "DataFrame", "LazyFrame")
        or is_instance(value, "pyarrow", "Table", "RecordBatch")
    )


def columns_of(frame: Any) -> tuple[list[Any], list[list[Any]]]:
    """Return the names and the cells of the columns of a data frame.

    The levels of an index of pandas that have names are the first columns. Missing cells are None.
    """
    if not is_frame(frame) and hasattr(frame, "to_pandas"):  # cuDF, Modin, Ibis
        frame = frame.to_pandas()
    if is_instance(frame, "pandas", "DataFrame"):
        index = frame.index
        levels = [index.get_level_values(number) for number in range(index.nlevels)]
        named = [(level.name, level) for level in levels if level.name is not None]
        named += [(name, frame.iloc[:, at]) for at, name in enumerate(frame.columns)]
        return [_flat(name) for name, _ in named], [_pandas_cells(column) for _, column in named]
    if is_instance(frame, "polars", "LazyFrame"):
        frame = frame.collect()
    if is_instance(frame, "polars", "DataFrame"):
        return list(frame.columns), [column.to_list() for column in frame.get_columns()]
    if is_instance(frame, "pyarrow", "Table", "RecordBatch"):
        return list(frame.schema.names), [column.to_pylist() for column in frame.columns]
    rows = frame.to_numpy().tolist()
    return list(frame.columns), [list(column) for column in zip(*rows, strict=True)]


def _pandas_cells(column: Any) -> list[Any]:
    cells: list[Any] = column.tolist()
    if getattr(column.dtype, "kind", "O") == "f":
        return cells
    # Only in a column of floats may NaN be a value.
    return [None if isinstance(cell, float) and cell != cell else cell for cell in cells]


def _flat(name: Any) -> Any:
    """Join the parts of a name of several levels: ("loss", "mean") is "loss/mean"."""
    if not isinstance(name, tuple):
        return name
    return "/".join(str(part) for part in name if part != "")
