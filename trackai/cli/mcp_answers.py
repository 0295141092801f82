"""Answers to agents: JSON of bounded length."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.values.non_finite import json_text
from trackai.values.text import escaped_json

if TYPE_CHECKING:
    from collections.abc import Mapping

# Characters of an answer, and of a text in it.
MAX_LENGTH = 20_000
_MAX_TEXT = 2000


def plain(value: Any) -> Any:
    """Convert a value to JSON, with NaN and infinities as in the HTTP API. Cut long texts."""
    match value:
        case float():
            return value if math.isfinite(value) else json_text(value)
        case str():
            return _cut(value)
        case datetime():
            return value.isoformat(timespec="seconds")
        case dict():
            return {_cut(str(key)): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case msgspec.Struct():
            return plain(msgspec.structs.asdict(value))
    return value


def _cut(text: str) -> str:
    if len(text) <= _MAX_TEXT:
        return text
    return f"{text[:_MAX_TEXT]}… (cut, {len(text)} characters)"


def encoded(answer: Mapping[str, Any]) -> str:
    """Encode a plain answer, with control characters escaped."""
    return escaped_json(msgspec.json.encode(answer)).decode()


def fits(answer: Mapping[str, Any]) -> bool:
    """Whether a plain answer is short enough."""
    return len(encoded(answer)) <= MAX_LENGTH


def bounded(answer: dict[str, Any], hints: Mapping[str, str]) -> dict[str, Any]:
    """Cut the lists and objects of an answer until it fits.

    Args:
        answer: a plain answer.
        hints: the fields that may be cut, with the way to get the rest.

    Returns:
        The answer; the field "cut" says what is missing and how to get it.
    """
    answer = dict(answer)
    notes: dict[str, str] = {}
    totals = {field: len(answer[field]) for field in hints}
    while not fits({**answer, "cut": notes}):
        longest = max(hints, key=lambda field: len(encoded({field: answer[field]})))
        items = answer[longest]
        shown = len(items) // 2
        answer[longest] = _first(items, shown)
        notes[longest] = f"{shown} of {totals[longest]} shown; {hints[longest]}"
        if not shown and not any(answer[field] for field in hints):
            break
    return {**answer, "cut": notes} if notes else answer


def _first(items: Any, count: int) -> Any:
    return dict([*items.items()][:count]) if isinstance(items, dict) else items[:count]
