"""JSON values from sources that may hold NaN and infinities."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from trackai.values.nesting import flat
from trackai.values.non_finite import json_text
from trackai.values.text import without_surrogates

if TYPE_CHECKING:
    from collections.abc import Mapping


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


def non_finite_types(config: Mapping[Any, Any]) -> dict[str, str]:
    """Return "float" for the flat key of each number of a configuration that JSON cannot hold."""
    values = flat(config, lambda value: value)
    return {
        key: "float"
        for key, value in values.items()
        if isinstance(value, float) and not math.isfinite(value)
    }
