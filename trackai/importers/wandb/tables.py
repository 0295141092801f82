"""Converts wandb's tables to those of the SDK."""

from __future__ import annotations

from typing import Any, NamedTuple

from trackai.importers.wandb.values import encode_json, loads


class Cell(NamedTuple):
    """A file in a cell: the metric of its column, and its path below the folder of files."""

    metric: str
    path: str


def converted(metric: str, content: bytes) -> tuple[bytes, list[Cell]]:
    """Return a table as JSON without NaN, and the files in its cells.

    Raises:
        ValueError: it is not a table.
    """
    table = loads(content.decode())
    if not isinstance(table, dict) or not isinstance(table.get("data"), list):
        raise ValueError("not a table")
    columns = table.get("columns")
    columns = columns if isinstance(columns, list) else []
    cells: list[Cell] = []

    def stored(column: int, cell: Any) -> Any:
        if not (isinstance(cell, dict) and "_type" in cell and isinstance(cell.get("path"), str)):
            return cell
        name = columns[column] if column < len(columns) else column
        path = cell["path"]
        cells.append(Cell(f"{metric}/{name}", path))
        return {"file": f"{metric}/{name}", "name": path.rpartition("/")[2]}

    rows = [
        [stored(number, cell) for number, cell in enumerate(row)]
        for row in table["data"]
        if isinstance(row, list)
    ]
    return encode_json({"columns": columns, "data": rows}).encode(), cells
