"""Decodes the objects that trackio logs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trackai.values.types import Kind, Value

_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Point(NamedTuple):
    """A value of a metric."""

    metric: str
    kind: Kind
    value: Value


class Media(NamedTuple):
    """A file of a metric; `path` is relative to trackio's folder of media."""

    metric: str
    path: str
    caption: str | None = None


class Table(NamedTuple):
    """A table of a metric, as the JSON of its columns and rows."""

    metric: str
    json: bytes


class Null(NamedTuple):
    """A metric without a value."""

    metric: str


Content = Point | Media | Table | Null


def decode(logged: dict[str, Any], prefix: str = "") -> Iterator[Content]:
    """Yield the values and files of a logged object; nested names are joined by "/"."""
    for key, value in logged.items():
        yield from _decode_value(prefix + key, value)


def flatten(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten a configuration; nested names are joined by "/"."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, dict) and value:
            flat |= flatten(value, f"{prefix}{key}/")
        else:
            flat[prefix + key] = value
    return flat


def _decode_value(metric: str, value: Any) -> Iterator[Content]:
    if value is None:
        yield Null(metric)
    elif isinstance(value, str) and value in _NON_FINITE:
        # trackio writes these numbers as strings, and reads the strings as numbers.
        yield Point(metric, "number", _NON_FINITE[value])
    elif isinstance(value, str):
        yield Point(metric, "text", value)
    elif isinstance(value, bool | int | float):
        yield Point(metric, "number", value)
    elif isinstance(value, dict) and "_type" not in value:
        yield from decode(value, f"{metric}/")
    elif isinstance(value, dict):
        yield from _decode_typed(metric, value)
    else:
        yield Point(metric, "text", _encode_json(value))


def _decode_typed(metric: str, value: dict[str, Any]) -> Iterator[Content]:
    """Yield the content of one of trackio's data types, which `_type` names."""
    if value["_type"] == "trackio.histogram":
        histogram = {
            "type": "COUNTING",
            "edges": value.get("bins", []),
            "values": value.get("values", []),
        }
        yield Point(metric, "histogram", _encode_json(histogram))
    elif isinstance(value.get("file_path"), str):
        caption = value.get("caption")
        yield Media(metric, value["file_path"], None if caption is None else str(caption))
    elif value["_type"] == "trackio.table" and isinstance(value.get("_value"), list):
        yield _convert_table(metric, value["_value"])
        for path in _media_paths(value["_value"]):
            yield Media(metric, path)
    elif isinstance(value.get("_value"), str):  # Markdown
        yield Point(metric, "text", value["_value"])
    else:  # an unknown type
        yield Point(metric, "text", _encode_json(value.get("_value", value)))


def _convert_table(metric: str, rows: list[Any]) -> Table:
    """Convert trackio's table, a mapping for each row, to the form of the SDK's tables."""
    mappings = [row if isinstance(row, dict) else {"0": row} for row in rows]
    columns = list(dict.fromkeys(column for row in mappings for column in row))
    data = [[row.get(column) for column in columns] for row in mappings]
    return Table(metric, msgspec.json.encode({"columns": columns, "data": data}))


def _media_paths(value: Any) -> Iterator[str]:
    """Yield the paths of the media in the cells of a table."""
    if isinstance(value, dict):
        if isinstance(value.get("file_path"), str) and "_type" in value:
            yield value["file_path"]
        else:
            for item in value.values():
                yield from _media_paths(item)
    elif isinstance(value, list):
        for item in value:
            yield from _media_paths(item)


def _encode_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
