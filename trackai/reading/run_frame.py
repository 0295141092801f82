"""A table of runs as a data frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trackai.errors import MissingExtraError
from trackai.reading.history import from_json, is_exact_as_float

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from trackai.reading.stored_run import StoredRun
    from trackai.structs.records import RunValues


def run_frame(runs: Sequence[StoredRun], values: Mapping[int, RunValues]) -> pd.DataFrame:
    """Return a data frame with a row for each run.

    Args:
        values: the configurations and last values by row id; a run without them was deleted.
    """
    try:
        import pandas as pd
    except ImportError:
        raise MissingExtraError("A data frame", "pandas") from None
    runs = [run for run in runs if run.id in values]
    columns: dict[str, Any] = {
        "id": [run.id for run in runs],
        "run_id": [run.run_id for run in runs],
        "project": [run.project for run in runs],
        "name": [run.name for run in runs],
        "state": [run.state for run in runs],
        "group": pd.Series([run.group for run in runs], dtype=object),
        "tags": pd.Series([list(run.tags) for run in runs], dtype=object),
        "notes": pd.Series([run.notes for run in runs], dtype=object),
        "created_at": pd.to_datetime([run.created_at for run in runs], utc=True),
    }
    configs: dict[str, dict[int, Any]] = {}
    metrics: dict[str, dict[int, Any]] = {}
    for row, run in enumerate(runs):
        stored = values[run.id]
        for key, value in stored.config.items():
            configs.setdefault(key, {})[row] = value
        for path, value in stored.metrics.items():
            metrics.setdefault(path, {})[row] = from_json(value)
        for path, text in stored.texts.items():
            metrics.setdefault(path, {})[row] = text
    for prefix, table in (("config", configs), ("summary", metrics)):
        for key in sorted(table):
            columns[f"{prefix}.{key}"] = _column(pd, table[key], len(runs))
    return pd.DataFrame(columns)


def _column(pd: Any, cells: Mapping[int, Any], rows: int) -> Any:
    """Make a column of the cells by row. Integers and booleans stay exact beside missing cells."""
    column = [cells.get(row) for row in range(rows)]
    types = set(map(type, cells.values()))
    if types == {bool}:
        kind = "bool" if len(cells) == rows else "boolean"
    elif types == {int}:
        kind = "int64" if len(cells) == rows else "Int64"
    elif types in ({float}, {int, float}) and all(map(is_exact_as_float, cells.values())):
        kind = "float64"
    else:
        kind = "object"
    try:
        return pd.Series(column, dtype=kind)
    except OverflowError:  # of integers in JSON, which may have any size
        return pd.Series(column, dtype=object)
