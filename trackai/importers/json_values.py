"""JSON values from sources that may hold NaN and infinities."""

from __future__ import annotations

import math
from typing import Any

from trackai.values.non_finite import json_text
from trackai.values.text import without_surrogates


def json_value(value: Any) -> Any:
    """Replace NaN and infinities, at any depth, by "NaN", "Infinity" and "-Infinity".

    Lone surrogates, which Python's own decoder of JSON lets through, are escaped.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return json_text(value)
    if isinstance(value, str):
        return without_surrogates(value)
    if isinstance(value, dict):
        return {without_surrogates(key): json_value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [json_value(item) for item in value]
    return value
