"""NaN and the infinities in SQLite, JSON and Python: one rule for all of TrackAI.

=============  =================  ====================  ==================
value          SQLite             JSON                  msgpack, Python
=============  =================  ====================  ==================
NaN            NULL               ``"NaN"``             NaN
+Infinity      REAL +Inf          ``"Infinity"``        +Infinity
-Infinity      REAL -Inf          ``"-Infinity"``       -Infinity
bool           INTEGER 0 or 1     true, false           bool
=============  =================  ====================  ==================

SQLite stores NaN as NULL and has no booleans; a series of the kind "bool" contains ones and zeros.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from trackai.values.types import Kind, StoredValue, Value


def json_text(value: float) -> str:
    """Convert NaN or an infinity to its text in JSON."""
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def shown_text(stored: float | str) -> str:
    """Convert a stored value to the text that searches look for: a number is as in JSON."""
    if isinstance(stored, float):
        return json_text(stored) if math.isinf(stored) else msgspec.json.encode(stored).decode()
    return str(stored)


def json_value(stored: StoredValue, kind: Kind) -> Value:
    """Convert a stored value of a series of this kind to its JSON value."""
    if stored is None:
        return json_text(math.nan)
    if kind == "bool":
        return bool(stored)
    if isinstance(stored, float) and math.isinf(stored):
        return json_text(stored)
    return stored


def python_value(stored: StoredValue, kind: Kind) -> Value:
    """Convert a stored value of a series of this kind to a Python value."""
    if stored is None:
        return math.nan
    return bool(stored) if kind == "bool" else stored


def python_values(stored: list[StoredValue], kind: Kind) -> list[Value]:
    """Convert stored values like `python_value`; returns the same list if none changes."""
    if kind == "bool" or None in stored:
        return [python_value(value, kind) for value in stored]
    return stored  # type: ignore[return-value]
