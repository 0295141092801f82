"""Decodes the values of wandb's records: JSON by nested name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from trackai.importers.json_values import json_value
from trackai.values.types import INT64

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from trackai.values.types import Kind, Value

# The metric with the steps of a run that TrackAI has exported, if wandb's step counts rows.
STEP_METRIC = "trackai_step"


class Point(NamedTuple):
    """A value of a metric."""

    metric: str
    kind: Kind
    value: Value


class Media(NamedTuple):
    """A file of a metric; `path` is relative to the folder of files."""

    metric: str
    path: str
    caption: str | None
    is_table: bool


class Null(NamedTuple):
    """A metric without a value."""

    metric: str


class Invalid(NamedTuple):
    """A value that is not JSON."""

    metric: str


Content = Point | Media | Null | Invalid


def name_of(item: Any) -> list[str]:
    """Return the parts of the name of an item; flat names are one part, also with "/"."""
    return list(item.nested_key) or [item.key]


def decode(items: Iterable[Any]) -> Iterator[Content]:
    """Yield the contents of the items of a record; nested names are joined by "/"."""
    trees: dict[str, Any] = {}
    for item in items:
        text = item.value_json
        key = item.nested_key
        if len(key) == 1 or not key:
            yield from decode_text(key[0] if key else item.key, text)
            continue
        try:
            value = _number(text)
            _insert(trees, list(key), loads(text) if value is None else value)
        except ValueError:
            yield Invalid("/".join(key))
    for name, tree in trees.items():
        yield from _contents(name, tree)


def loads(text: str) -> Any:
    """Decode JSON that may hold NaN and infinities.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _number(text: str) -> int | float | None:
    """Convert the text of a number; None for other values."""
    first = text[:1]
    if not (first.isdigit() or first in ("-", "N", "I")):
        return None
    try:
        number = int(text)
    except ValueError:
        pass
    else:
        if number == 0 and first == "-":
            return -0.0
        # An integer beyond 64 bits is a float that wandb has written in full.
        return number if -INT64 <= number < INT64 else float(text)
    try:
        return float(text)
    except ValueError:
        return None


def _insert(trees: dict[str, Any], parts: list[str], value: Any) -> None:
    tree = trees
    for part in parts[:-1]:
        inner = tree.setdefault(part, {})
        if not isinstance(inner, dict):
            inner = tree[part] = {"": inner}
        tree = inner
    tree[parts[-1]] = value


def decode_text(name: str, text: str) -> Iterator[Content]:
    """Yield the contents of a value, which is a number in most cases."""
    number = _number(text)
    if number is None:
        yield from decode_json(name, text)
    else:
        yield Point(name, "number", number)


def decode_json(name: str, text: str) -> Iterator[Content]:
    """Yield the contents of a value."""
    try:
        value = loads(text)
    except ValueError:
        yield Invalid(name)
        return
    yield from _contents(name, value)


def _contents(name: str, value: Any) -> Iterator[Content]:
    match value:
        case None:
            yield Null(name)
        case bool():
            yield Point(name, "number", value)
        case int():
            yield Point(name, "number", value if -INT64 <= value < INT64 else float(value))
        case float():
            yield Point(name, "number", value)
        case str():
            yield Point(name, "text", value)
        case {"_type": "histogram", "values": [*counts], "bins": [*edges]}:
            stored = {"type": "COUNTING", "edges": edges, "values": counts}
            yield Point(name, "histogram", encode_json(stored))
        case {"_type": "images/separated", "filenames": [*paths], **rest}:
            captions = rest.get("captions")
            captions = captions if isinstance(captions, list) else []
            for number, path in enumerate(paths):
                caption = captions[number] if number < len(captions) else None
                yield Media(name, str(path), _caption(caption), is_table=False)
        case {"_type": str(kind), "path": str(path), **rest}:
            caption = _caption(rest.get("caption"))
            yield Media(name, path, caption, is_table=kind == "table-file")
        case dict() if "_type" not in value and value:
            for key, inner in value.items():
                yield from _contents(f"{name}/{key}" if key else name, inner)
        case _:
            yield Point(name, "text", encode_json(value))


def _caption(caption: Any) -> str | None:
    return caption if isinstance(caption, str) and caption else None


def encode_json(value: Any) -> str:
    """Encode a value that may hold NaN and infinities, which become texts."""
    return msgspec.json.encode(json_value(value)).decode()
