"""Converts what the tables of Optuna hold."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from trackai.importers.json_lines import decode
from trackai.importers.source_database import parse_time
from trackai.values.times import microseconds

_NON_FINITE = {"NAN": math.nan, "INF_POS": math.inf, "INF_NEG": -math.inf}


def number(value: Any, value_type: Any) -> float | None:
    """Convert a stored value and its type; None if they are not a number."""
    if isinstance(value_type, str) and value_type in _NON_FINITE:
        return _NON_FINITE[value_type]
    if value is None:
        return math.nan if value_type is None else None  # before Optuna 3.0 had types
    return float(value) if isinstance(value, int | float) else None


def time(value: Any) -> int | None:
    """Convert a time, in UTC if it has no zone, to microseconds since the epoch."""
    return microseconds(value) if isinstance(value, datetime) else parse_time(value)


def parameter(value: Any, distribution: str) -> tuple[Any, Any]:
    """Convert the stored number of a parameter.

    Returns:
        The value that was suggested, and the decoded distribution.

    Raises:
        ValueError: the number or the distribution is invalid.
    """
    decoded, error = decode(distribution)
    if error is not None or not isinstance(decoded, dict):
        raise ValueError("invalid distribution")
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("not a number")
    attributes = decoded.get("attributes")
    if not isinstance(attributes, dict):
        attributes = decoded
    choices = attributes.get("choices")
    if isinstance(choices, list):
        if not (0 <= value < len(choices) and value == int(value)):
            raise ValueError("not the index of a choice")
        return choices[int(value)], decoded
    name = decoded.get("name", decoded.get("type"))
    if isinstance(name, str) and name.lower().startswith("int"):
        return int(value), decoded
    return float(value), decoded
