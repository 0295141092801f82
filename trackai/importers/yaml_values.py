"""YAML files of other trackers. PyYAML comes with the extras that need it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from pathlib import Path

# libyaml, which is ten times as fast, is not in every build of PyYAML.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Aliases let a short file stand for a value that fills the memory, or for an endless one.
_MAX_VALUES = 1_000_000


def load_yaml(path: Path) -> Any:
    """Read a file of plain values.

    Returns:
        Objects, lists, numbers, texts, booleans, None, dates and times.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not YAML, or has more than a million values.
    """
    try:
        value = yaml.load(path.read_bytes(), _LOADER)  # noqa: S506 - a safe one
    except (yaml.YAMLError, RecursionError) as error:
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


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or "nested too deeply"
