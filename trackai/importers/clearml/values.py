"""Converts the texts of ClearML's parameters to their types."""

from __future__ import annotations

from typing import Any

from trackai.importers.json_lines import decode

# The iteration of a value that is reported without one.
SINGLE_VALUE = -(1 << 31)
_MONITOR = ":monitor:"
_GENERAL = "General"


def parameter(text: Any, type_: Any) -> tuple[Any, bool]:
    """Convert the text of a parameter to its type.

    Returns:
        The value, and whether it has the type. Otherwise it is the text.
    """
    if not isinstance(text, str):
        return text, True
    if not type_:
        return (text or None), True
    try:
        return _converted(text, str(type_).partition("/")[0]), True
    except ValueError:
        return text, False


def _converted(text: str, type_: str) -> Any:
    match type_:
        case "bool" if text in ("True", "False"):
            return text == "True"
        case "int":
            return int(text)
        case "float":
            return float(text)
        case "NoneType" if text in ("", "None"):
            return None
        case "list" | "tuple" | "dict":
            value, error = decode(text)
            if error is not None or isinstance(value, list) != (type_ != "dict"):
                raise ValueError(text)
            return value
        case "bool" | "NoneType":
            raise ValueError(text)
    return text


def key(section: str, name: str) -> str:
    """Return the key of a parameter in the configuration."""
    return name if section == _GENERAL else f"{section}/{name}"


def metric(title: str, series: str) -> str:
    """Return the name of a metric. A series without a name has that of its title."""
    if series in ("", title):
        return title or "unnamed"
    return f"{title}/{series}" if title else series


def system_metric(title: str, series: str) -> str | None:
    """Return the name of a metric of the machine; None for others."""
    if not title.startswith(_MONITOR):
        return None
    return f"system/{title.removeprefix(_MONITOR)}/{series}"
