"""Conversion of NumPy, PyTorch and other values to built-in Python values and to JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

import msgspec

SCALARS = (bool, float, int, str)


def unwrapped(value: Any) -> Any:
    """Return the built-in value of a NumPy, PyTorch or JAX scalar or 0-d array; others as is."""
    if not isinstance(value, SCALARS) and getattr(value, "shape", None) == ():
        item = getattr(value, "item", None)
        plain = item() if callable(item) else value
        # The item of a type that Python does not have, such as longdouble, is of that type again.
        return float(plain) if type(plain) is type(value) and isinstance(plain, Real) else plain
    return value


def config_json(value: Any) -> str:
    """Encode a configuration value as JSON; a value that JSON cannot express becomes its repr."""
    try:
        return msgspec.json.encode(jsonable(value)).decode()
    except Exception:
        return msgspec.json.encode(_safe_repr(value)).decode()


def jsonable(value: Any) -> Any:
    """Convert a value to dicts, lists and scalars of JSON, and whatever else to text.

    NaN and the infinities become "NaN", "Infinity" and "-Infinity" (see
    `trackai.values.non_finite`); NumPy scalars and enum members become the built-in value they
    hold, sets become sorted lists.
    """
    value = unwrapped(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    if value is None or type(value) in SCALARS:
        return value
    for kind in (int, float, str):  # subclasses: NumPy scalars, enum members
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
    """The type of a value for an error message, with the shape of an array."""
    kind = type(value)
    name = (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )
    shape = getattr(value, "shape", None)
    return f"{name} of shape {tuple(shape)}" if isinstance(shape, tuple) and shape else name
