"""Nested values under flat keys: {"opt": {"lr": 1}} is {"opt/lr": 1}."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")

# A mapping that holds itself ends here, as one long value.
_MAX_DEPTH = 32


def flat(
    values: Mapping[Any, Any], leaf: Callable[[Any], T], prefix: str = "", depth: int = 0
) -> dict[str, T]:
    """Nested values under flat keys, each as `leaf` makes it; an empty mapping is one."""
    found: dict[str, T] = {}
    for key, value in values.items():
        path = prefix + str(key).encode(errors="backslashreplace").decode()
        if isinstance(value, Mapping) and value and depth < _MAX_DEPTH:
            found.update(flat(value, leaf, path + "/", depth + 1))
        else:
            found[path] = leaf(value)
    return found


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Stored keys as they were given: {"opt/lr": 1} is {"opt": {"lr": 1}}."""
    result: dict[str, Any] = {}
    for key, value in flat.items():
        target = result
        *parents, last = key.split("/")
        for part in parents:
            inner = target.setdefault(part, {})
            if not isinstance(inner, dict):  # "opt" has a value of its own
                target, last = result, key
                break
            target = inner
        target[last] = value
    return result
