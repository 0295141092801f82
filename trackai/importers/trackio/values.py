"""What a logged object of trackio has in it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trackai.values.types import Kind, Value

_NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Point(NamedTuple):
    """A value of a metric."""

    metric: str
    kind: Kind
    value: Value


class Media(NamedTuple):
    """A file of a metric, below trackio's folder of media."""

    metric: str
    path: str
    caption: str | None = None


class Table(NamedTuple):
    """A table of a metric, as the JSON of its columns and rows."""

    metric: str
    json: bytes


class Nothing(NamedTuple):
    """A metric without a value."""

    metric: str


Content = Point | Media | Table | Nothing


def contents(logged: dict[str, Any], prefix: str = "") -> Iterator[Content]:
    """What there is in an object that was logged; nested names are joined by "/"."""
    for key, value in logged.items():
        yield from _of(prefix + key, value)


def flat(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Configuration with nested names joined by "/"."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, dict) and value:
            found |= flat(value, f"{prefix}{key}/")
        else:
            found[prefix + key] = value
    return found


def _of(metric: str, value: Any) -> Iterator[Content]:
    if value is None:
        yield Nothing(metric)
    elif isinstance(value, str) and value in _NUMBERS:
        # JSON has no others; trackio reads them back like this as well.
        yield Point(metric, "number", _NUMBERS[value])
    elif isinstance(value, str):
        yield Point(metric, "text", value)
    elif isinstance(value, bool | int | float):
        yield Point(metric, "number", value)
    elif isinstance(value, dict) and "_type" not in value:
        yield from contents(value, f"{metric}/")
    elif isinstance(value, dict):
        yield from _typed(metric, value)
    else:
        yield Point(metric, "text", _json(value))


def _typed(metric: str, value: dict[str, Any]) -> Iterator[Content]:
    if value["_type"] == "trackio.histogram":
        histogram = {
            "type": "COUNTING",
            "edges": value.get("bins", []),
            "values": value.get("values", []),
        }
        yield Point(metric, "histogram", _json(histogram))
    elif isinstance(value.get("file_path"), str):
        caption = value.get("caption")
        yield Media(metric, value["file_path"], None if caption is None else str(caption))
    elif value["_type"] == "trackio.table" and isinstance(value.get("_value"), list):
        yield _table(metric, value["_value"])
        for path in _paths(value["_value"]):
            yield Media(metric, path)
    elif isinstance(value.get("_value"), str):  # Markdown
        yield Point(metric, "text", value["_value"])
    else:  # whatever comes: as it is
        yield Point(metric, "text", _json(value.get("_value", value)))


def _table(metric: str, rows: list[Any]) -> Table:
    """A table as this program keeps its own; trackio has a mapping for each row."""
    some = [row if isinstance(row, dict) else {"0": row} for row in rows]
    columns = list(dict.fromkeys(column for row in some for column in row))
    data = [[row.get(column) for column in columns] for row in some]
    return Table(metric, msgspec.json.encode({"columns": columns, "data": data}))


def _paths(value: Any) -> Iterator[str]:
    """The media in the cells of a table."""
    if isinstance(value, dict):
        if isinstance(value.get("file_path"), str) and "_type" in value:
            yield value["file_path"]
        else:
            for one in value.values():
                yield from _paths(one)
    elif isinstance(value, list):
        for one in value:
            yield from _paths(one)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
