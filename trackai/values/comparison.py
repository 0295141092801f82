"""Comparing configurations, or other mappings, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def side_by_side(columns: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """List the values of each key, one for each mapping; None if it does not have the key."""
    keys = sorted({key for column in columns for key in column})
    return {key: [column.get(key) for column in columns] for key in keys}


def differing(columns: Sequence[Mapping[str, Any]]) -> set[str]:
    """The keys whose values are not equal in all mappings, or that are missing in some."""
    keys = set()
    for key, values in side_by_side(columns).items():
        # True equals 1 in Python, but differs here. A missing key differs from None.
        typed = [(isinstance(value, bool), value) for value in values]
        if any(pair != typed[0] for pair in typed) or not all(key in column for column in columns):
            keys.add(key)
    return keys
