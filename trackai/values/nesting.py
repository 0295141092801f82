"""Nested values and flat keys: {"opt": {"lr": 1}} is stored as {"opt/lr": 1}."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")

# Deeper mappings, such as a mapping that contains itself, are stored as values.
_MAX_DEPTH = 32
# Of values that a server stores. The stack that is left decides how many levels a decoder takes, so
# a client may fail to read what a server has accepted.
MAX_LEVELS = 200


def flat(
    values: Mapping[Any, Any], leaf: Callable[[Any], T], prefix: str = "", depth: int = 0
) -> dict[str, T]:
    """Flatten nested values.

    Args:
        values: the values; empty mappings are values, too.
        leaf: converts a value.
        prefix: the beginning of all keys.
        depth: the number of mappings around `values`.
    """
    flattened: dict[str, T] = {}
    for key, value in values.items():
        path = prefix + str(key).encode(errors="backslashreplace").decode()
        if isinstance(value, Mapping) and value and depth < _MAX_DEPTH:
            flattened.update(flat(value, leaf, path + "/", depth + 1))
        else:
            flattened[path] = leaf(value)
    return flattened


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Nest values by their flat keys, as they were before `flat`."""
    result: dict[str, Any] = {}
    for key, value in flat.items():
        target = result
        *parents, last = key.split("/")
        for part in parents:
            inner = target.setdefault(part, {})
            if not isinstance(inner, dict):  # "opt" is a key with a value, too
                target, last = result, key
                break
            target = inner
        target[last] = value
    return result


def is_deeper(value: Any, depth: int) -> bool:
    """Whether lists and mappings are nested more than `depth` levels deep."""
    level = [value]
    for _ in range(depth + 1):
        level = [
            item
            for parent in level
            if isinstance(parent, list | dict)
            for item in (parent.values() if isinstance(parent, dict) else parent)
        ]
        if not level:
            return False
    return True
