"""Converts the cells of CSV files: numbers, steps, times and missing values."""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import TYPE_CHECKING

from trackai.values.times import FIRST_TIME, LAST_TIME, microseconds
from trackai.values.types import INT64

if TYPE_CHECKING:
    from trackai.values.types import Step, Value

_INTEGER = re.compile(r"[+-]?[0-9]+")
_DECIMAL_COMMA = re.compile(r"[+-]?(?:[0-9]*,[0-9]+|[0-9]+,)(?:e[+-]?[0-9]+)?", re.IGNORECASE)
_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:,[0-9]{3})+")
# In characters. Longer ones become floats: converting them takes quadratic time.
_LONGEST_INTEGER = 99
_SIGNS = ("+", "-")
_BOOLS = {"True": True, "False": False}
# What keras, pandas, R and spreadsheets write where there is no value, in lower case. NaN is not
# among them: it is a value that a metric can have.
_MISSING = frozenset({"", "-", "na", "n/a", "#n/a", "<na>", "nat", "null", "none"})


def is_missing(text: str) -> bool:
    """Return whether a cell of a column of numbers has no value."""
    return text.strip().lower() in _MISSING


def is_decimal_comma(text: str) -> bool:
    """Return whether a text is a number like 0,5."""
    return _DECIMAL_COMMA.fullmatch(text) is not None


def is_unclear_comma(text: str) -> bool:
    """Return whether a text is a number like 1,500, in which commas may separate thousands."""
    return _THOUSANDS.fullmatch(text) is not None


def infer_value(text: str) -> Value:
    """Convert a text to the number or bool that it looks like; return other texts unchanged."""
    number = parse_number(text)
    if number is not None:
        return number
    return _BOOLS.get(text.strip().capitalize(), text)


def parse_number(text: str) -> int | float | None:
    """Return the number in a text, or None; integers beyond 64 bits become floats."""
    text = text.strip()
    # int() and float() also accept "2024_01" and digits of other scripts.
    if "_" in text or not text.isascii():
        return None
    digits = text[1:] if text[:1] in _SIGNS else text
    if digits.isdigit() and len(text) < _LONGEST_INTEGER:
        integer = int(text)
        return integer if -INT64 <= integer < INT64 else float(text)
    try:
        return float(text)
    except ValueError:
        return None


def is_inexact(text: str, value: Value) -> bool:
    """Return whether a number in a text was rounded: an integer beyond 64 bits, or an overflow."""
    if not isinstance(value, float) or value != value:
        return False
    if abs(value) < INT64 and len(text) < _LONGEST_INTEGER:
        return False  # integers this small are exact
    if math.isinf(value):
        return "inf" not in text.lower()
    return _INTEGER.fullmatch(text.strip()) is not None and int(text) != value


def parse_step(text: str, column: str) -> Step:
    """Convert a cell to a step.

    Raises:
        ValueError: the text is not a finite number within 64 bits.
    """
    step = parse_number(text)
    if step is None or not -INT64 <= step < INT64:  # also true of NaN
        raise ValueError(f"column {column}: must be a finite number within 64 bits, got {text!r}")
    return step


def parse_int(text: str, column: str) -> int:
    """Convert a cell to an integer.

    Raises:
        ValueError: the text is not an integer within 64 bits.
    """
    number = parse_number(text)
    if not isinstance(number, int):
        raise ValueError(f"column {column}: must be an integer within 64 bits, got {text!r}")
    return number


def parse_time(text: str, column: str) -> int:
    """Convert seconds since the epoch, or an ISO 8601 time, to microseconds.

    Raises:
        ValueError: the text is neither.
    """
    # A date takes longer to be refused as a number than to be read.
    if text[4:5] == "-" and (time := _parse_date(text)) is not None:
        return time
    seconds = parse_number(text)
    if seconds is None:
        time = _parse_date(text)
        if time is None:
            raise ValueError(
                f"column {column}: must be a time like 2026-01-31T12:00:00 or seconds since the "
                f"epoch, got {text!r}"
            )
        return time
    if not FIRST_TIME <= seconds * 1e6 <= LAST_TIME:
        raise ValueError(
            f"column {column}: must be seconds since the epoch in the years 1 to 9999, got "
            f"{text!r}; convert milliseconds to seconds"
        )
    return round(seconds * 1_000_000)


def _parse_date(text: str) -> int | None:
    try:
        return microseconds(datetime.fromisoformat(text))
    except ValueError:
        return None


def parse_value(type_: str, text: str) -> Value:
    """Convert a cell to a value of a type: float, int, bool or str.

    Raises:
        ValueError: the text is not a value of this type, or the type is unknown.
    """
    if type_ == "float" and (number := parse_number(text)) is not None:
        return float(text) if isinstance(number, int) else number
    if type_ == "str":
        return text
    if type_ == "int":
        return parse_int(text, "value")
    if type_ == "bool" and text in _BOOLS:
        return _BOOLS[text]
    if type_ not in ("float", "bool"):
        raise ValueError(f"column type: must be float, int, bool or str, got {type_!r}")
    raise ValueError(f"column value: must be a {type_}, got {text!r}")
