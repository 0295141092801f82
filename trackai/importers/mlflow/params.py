"""Guesses the types of parameters, which MLflow stores as the text of `str(value)`."""

from __future__ import annotations

import ast
import math
import re
import warnings
from typing import Any

_CONSTANTS = {"True": True, "False": False, "None": None}
_NON_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
# Without leading zeros: a text such as "007" is kept.
_INTEGER = re.compile("0|-?[1-9][0-9]{0,99}", re.ASCII)
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]*(?:e[+-]?[0-9]+)?|e[+-]?[0-9]+)", re.ASCII)
# Longer texts and deeper values would take long to parse, or much stack.
_MAX_CHARACTERS = 100_000
_MAX_DEPTH = 50


def guess(text: str) -> Any:
    """Return the value whose text this is; the text itself if it looks like none."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text in _NON_FINITE:
        return _NON_FINITE[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    if text[:1] + text[-1:] in ("{}", "[]", "()") and len(text) <= _MAX_CHARACTERS:
        return _collection(text)
    return text


def _collection(text: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd literals
            value = ast.literal_eval(text)
        return _plain(value, _MAX_DEPTH)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _plain(value: Any, depth: int) -> Any:
    """Convert tuples to lists.

    Raises:
        ValueError: JSON has no such value, or it is nested too deeply.
    """
    match value:
        case None | bool() | float() | str():
            return value
        case int() if abs(value) < 10**100:
            return value
        case list() | tuple() if depth:
            return [_plain(item, depth - 1) for item in value]
        case dict() if depth and len({str(key) for key in value}) == len(value):
            return {str(key): _plain(item, depth - 1) for key, item in value.items()}
    raise ValueError
