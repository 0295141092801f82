"""JSON values from sources that may hold NaN and infinities."""

from __future__ import annotations

import math
from typing import Any


def json_value(value: Any) -> Any:
    """Replace NaN and infinities, at any depth, by "NaN", "Infinity" and "-Infinity"."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: json_value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [json_value(item) for item in value]
    return value
