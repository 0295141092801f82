"""SQL expressions and values that more than one wing of the store uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

# Over columns of `series`. A sum beyond the largest float is infinite, its mean is not.
MEAN = """
    CASE WHEN finite_points > 0 THEN max(min_value, min(max_value, sum / finite_points)) END
"""


def json_array(values: Iterable[int | str]) -> str:
    """Encode values as the JSON array that `IN (SELECT value FROM json_each(?))` takes.

    One parameter for a list of any length: SQLite limits how many parameters a statement has, and
    caches the statement only if its text stays the same.
    """
    return msgspec.json.encode(list(values)).decode()
