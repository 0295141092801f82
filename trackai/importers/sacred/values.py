"""Decodes Sacred's JSON: plain values, with objects as jsonpickle writes them.

jsonpickle would make any object that a file names. Here, tuples, sets, and NumPy's arrays and
numbers become lists and numbers, and everything else stays the text that the file has.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from trackai.values.text import without_surrogates

if TYPE_CHECKING:
    from collections.abc import Callable

_DECODER = json.JSONDecoder()
_WHITE = " \t\r\n"
_LISTS = ("py/tuple", "py/set")
_NAMES = ("py/type", "py/function")
# Before a key that was no text, and here is its JSON.
_KEY = "json://"


def members(text: str) -> tuple[dict[str, Any], bool]:
    """Decode an object, up to where it ends.

    Returns:
        The members that are complete, and whether the object is.
    """
    found: dict[str, Any] = {}
    at = _after(text, 0, "{")
    try:
        while at:
            if _after(text, at, "}"):
                return found, True
            key, at = _DECODER.raw_decode(text, _white(text, at))
            at = _after(text, at, ":")
            if not at or not isinstance(key, str):
                break
            value, end = _DECODER.raw_decode(text, _white(text, at))
            # A number at the end of a file may lack digits.
            at = _after(text, end, ",") or (end if _after(text, end, "}") else 0)
            if at:
                found[without_surrogates(key)] = value
    except (ValueError, RecursionError):
        pass
    return found, False


def _white(text: str, at: int) -> int:
    while text[at : at + 1] in _WHITE and at < len(text):
        at += 1
    return at


def _after(text: str, at: int, character: str) -> int:
    """Return the position after a character; 0 if another one follows."""
    at = _white(text, at)
    return at + 1 if text[at : at + 1] == character else 0


def plain(value: Any, unknown: Callable[[], None]) -> Any:
    """Convert the objects of jsonpickle, at any depth.

    Args:
        unknown: called for each object that has no plain value, and becomes the text of its JSON.
    """
    if isinstance(value, list):
        return [plain(item, unknown) for item in value]
    if not isinstance(value, dict):
        return value
    for name in _LISTS:
        if isinstance(value.get(name), list) and len(value) == 1:
            return plain(value[name], unknown)
    for name in _NAMES:
        if isinstance(value.get(name), str) and len(value) == 1:
            return value[name]
    kind = value.get("py/object")
    if isinstance(kind, str) and kind.startswith("numpy."):
        content = value.get("value", value.get("values"))
        # A longer array is compressed bytes.
        if isinstance(content, list | int | float):
            return content
    if any(key.startswith("py/") for key in value):
        unknown()
        return json.dumps(value)
    return {key.removeprefix(_KEY): plain(item, unknown) for key, item in value.items()}
