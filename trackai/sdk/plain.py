"""Built-in Python and JSON values from what a script passes; valid names, tags and notes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any

import msgspec

from trackai.errors import InvalidInputError
from trackai.values.text import checked_text

SCALARS = (bool, float, int, str)


def checked_tags(tags: Any) -> tuple[str, ...]:
    """Tags as they are given: several, or one.

    Raises:
        TypeError: they are no texts.
        InvalidInputError: one is empty.
    """
    if isinstance(tags, str):
        tags = (tags,)
    if not isinstance(tags, Iterable) or isinstance(tags, bytes | Mapping):
        raise TypeError(f"tags: a list of str is needed, not {type_name(tags)}")
    found = tuple(tags)
    for tag in found:
        check_name("tags", tag)
    return found


def check_name(field: str, text: Any) -> None:
    """Refuse what nothing can be called.

    Raises:
        TypeError: it is no text.
        InvalidInputError: it is empty.
    """
    if not isinstance(text, str):
        raise TypeError(f"{field}: a str is needed, not {type_name(text)}")
    if not checked_text(field, text).strip():
        raise InvalidInputError(field, "it is empty")


def check_notes(notes: Any) -> None:
    """Refuse notes that cannot be stored.

    Raises:
        TypeError: they are no text.
        InvalidInputError: they are none that can be stored.
    """
    if not isinstance(notes, str):
        raise TypeError(f"notes: a str is needed, not {type_name(notes)}")
    checked_text("notes", notes)


def unwrapped(value: Any) -> Any:
    """The built-in value of a scalar or 0-d array of NumPy, PyTorch, JAX and their like."""
    if not isinstance(value, SCALARS) and getattr(value, "shape", None) == ():
        item = getattr(value, "item", None)
        plain = item() if callable(item) else value
        # What Python has no type for, such as a longdouble, is its own item.
        return float(plain) if type(plain) is type(value) and isinstance(plain, Real) else plain
    return value


def config_json(value: Any) -> str:
    """A configuration value as JSON; what JSON cannot express is stored as its repr."""
    try:
        return msgspec.json.encode(jsonable(value)).decode()
    except Exception:
        return msgspec.json.encode(_safe_repr(value)).decode()


def jsonable(value: Any) -> Any:
    """A value made of what JSON has; what it has not becomes a text."""
    value = unwrapped(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    if value is None or type(value) in SCALARS:
        return value
    for kind in (int, float, str):  # of NumPy, of an Enum: as what it is one
        if isinstance(value, kind):
            return getattr(kind, f"__{kind.__name__}__")(value)
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if isinstance(value, set | frozenset):
        return [jsonable(item) for item in sorted(value, key=repr)]
    if hasattr(value, "tolist"):
        return jsonable(value.tolist())
    if hasattr(value, "__fspath__"):
        return str(value)
    try:
        return msgspec.to_builtins(value)
    except Exception:
        return _safe_repr(value)


def _safe_repr(value: Any) -> str:
    try:
        return ascii(value)
    except Exception:
        return f"<{type_name(value)}>"


def type_name(value: Any) -> str:
    kind = type(value)
    name = (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )
    shape = getattr(value, "shape", None)
    return f"{name} of shape {tuple(shape)}" if isinstance(shape, tuple) and shape else name
