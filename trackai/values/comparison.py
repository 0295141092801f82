"""Configurations, or other mappings, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def side_by_side(columns: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """For each key the value in each of the mappings, None where one does not have it."""
    keys = sorted({key for column in columns for key in column})
    return {key: [column.get(key) for column in columns] for key in keys}


def differing(columns: Sequence[Mapping[str, Any]]) -> set[str]:
    """The keys that have not the same value everywhere."""
    found = set()
    for key, values in side_by_side(columns).items():
        # To Python a true is a one, and what is not there may look like a null.
        marked = [(isinstance(value, bool), value) for value in values]
        if any(one != marked[0] for one in marked) or not all(key in column for column in columns):
            found.add(key)
    return found
