"""NaN and the infinities in SQLite, JSON and Python: the one rule for all of TrackAI.


=============  =================  ====================  ==================
value          SQLite             JSON                  msgpack, Python
=============  =================  ====================  ==================
NaN            NULL               ``"NaN"``             NaN
+Infinity      REAL +Inf          ``"Infinity"``        +Infinity
-Infinity      REAL -Inf          ``"-Infinity"``       -Infinity
bool           INTEGER 0 or 1     true, false           bool
=============  =================  ====================  ==================

SQLite turns a NaN into NULL by itself, and has no booleans: the kind of a series says that its
ones and zeros are booleans.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trackai.values.types import Kind, StoredValue, Value


def json_value(stored: StoredValue, kind: Kind) -> Value:
    """A value as the database holds it, as JSON shows it."""
    if stored is None:
        return "NaN"
    if kind == "bool":
        return bool(stored)
    if isinstance(stored, float) and math.isinf(stored):
        return "Infinity" if stored > 0 else "-Infinity"
    return stored


def python_value(stored: StoredValue, kind: Kind) -> Value:
    """A value as the database holds it, as Python computes with it."""
    if stored is None:
        return math.nan
    return bool(stored) if kind == "bool" else stored


def python_values(stored: list[StoredValue], kind: Kind) -> list[Value]:
    """`python_value` of each, at no cost where they are the same."""
    if kind == "bool" or None in stored:
        return [python_value(value, kind) for value in stored]
    return stored  # type: ignore[return-value]
