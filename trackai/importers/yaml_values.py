"""YAML files of other trackers. PyYAML comes with the extras that need it."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from pathlib import Path

# libyaml, which is ten times as fast, is not in every build of PyYAML.
_SAFE_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# PyYAML's own, and those of values that are not what their tags say, such as `!!int ""`.
_ERRORS = (
    yaml.YAMLError, RecursionError, ValueError, TypeError, LookupError, AttributeError,
    OverflowError,
)  # fmt: skip
_PYTHON = "tag:yaml.org,2002:python/"
# Aliases let a short file stand for a value that fills the memory, or for an endless one.
_MAX_VALUES = 1_000_000


class _Loader(_SAFE_LOADER):  # type: ignore[misc]
    """Makes plain values of what PyYAML writes for objects of Python; no object is made."""


def _python_value(loader: Any, tag: str, node: yaml.Node) -> Any:
    """Return a list for a tuple, a text for a class or a path, and {class: values} otherwise."""
    kind, _, name = tag.partition(":")
    if kind in ("name", "module"):
        return name
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_object(
            yaml.ScalarNode(loader.resolve(yaml.ScalarNode, node.value, (True, False)), node.value)
        )
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if kind in ("str", "unicode", "bytes"):
        return node.value
    if name.startswith("pathlib.") and isinstance(value, list):
        return "/".join(map(str, value)).replace("//", "/", 1)
    return {name: value} if name else value


_Loader.add_multi_constructor(_PYTHON, _python_value)


_FLOAT = (
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)


class _Loader12(_Loader):
    """Reads texts without quotes as YAML 1.2 does: `yes` is a text, and `1e-05` a number."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - as PyYAML declares it


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+", list("-+0123456789")),
    (
        "float",
        _FLOAT,
        list("-+.0123456789"),
    ),
):
    _Loader12.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first
    )

# PyYAML's own takes a leading 0 for octal.
_Loader12.add_constructor("tag:yaml.org,2002:int", lambda _, node: int(node.value))


def load_yaml(path: Path, *, version: str = "1.1") -> Any:
    """Read a file of plain values.

    Objects of Python are not made: a tuple is a list, a class and a path are texts, and others are
    {class: values}.

    Args:
        version: of YAML, which decides what a text without quotes is. PyYAML writes 1.1, and
            ruamel.yaml 1.2.

    Returns:
        Objects, lists, numbers, texts, booleans, None, dates and times.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not YAML, or has more than a million values.
    """
    loader = _Loader12 if version == "1.2" else _Loader
    try:
        value = yaml.load(path.read_bytes(), loader)  # noqa: S506 - a safe one
    except _ERRORS as error:
        raise ValueError(f"not YAML of plain values: {_line(error)}") from None
    waiting = [value]
    for _ in range(_MAX_VALUES):
        if not waiting:
            return value
        inner = waiting.pop()
        if isinstance(inner, dict):
            waiting += inner.values()
        elif isinstance(inner, list):
            waiting += inner
    raise ValueError("more than a million values")


def plain(value: Any) -> Any:
    """Convert what `load_yaml` returns to values that JSON can hold, but for NaN and infinities."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, set):
        return sorted((plain(item) for item in value), key=str)
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, date):  # a time is a date, too
        return value.isoformat()
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else value


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or "nested too deeply"
