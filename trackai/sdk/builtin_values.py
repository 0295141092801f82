"""Conversion of values of other libraries to built-in Python values and to JSON.

A class of another library is looked up in `sys.modules`: it is not imported for a value that
cannot be of it.
"""

from __future__ import annotations

import functools
import math
import os
import sys
from collections import UserString
from collections.abc import Iterable, Sequence, Set, ValuesView
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from numbers import Real
from types import NoneType
from typing import Any
from uuid import UUID

import msgspec

from trackai.sdk.frames import columns_of, is_frame
from trackai.sdk.structured_values import as_mapping, is_instance, keyed_by_text, list_items
from trackai.values.non_finite import json_text

SCALARS = (bool, float, int, str)
# What has one form in metrics, and is neither media nor an array.
ONE_VALUE = (Decimal, Fraction, Enum, complex, date, time, timedelta, UUID, NoneType)
# The types of NumPy's scalars that have been met, except times: their items are built-in values.
_plain_scalars: set[type] = set()
_BYTES = (bytes, bytearray, memoryview)
# Seconds in the units of NumPy's timedelta64. Years and months have no fixed length.
_SECONDS = {
    "W": Fraction(604_800), "D": Fraction(86_400), "h": Fraction(3600), "m": Fraction(60),
    "s": Fraction(1), "ms": Fraction(1, 10**3), "us": Fraction(1, 10**6),
    "ns": Fraction(1, 10**9), "ps": Fraction(1, 10**12), "fs": Fraction(1, 10**15),
    "as": Fraction(1, 10**18),
}  # fmt: skip


def unwrapped(value: Any) -> Any:
    """Return the built-in value of a scalar or 0-d array of another library; others as is.

    Masked and null scalars become None, times of NumPy become text in ISO 8601.

    Raises:
        OverflowError: the number is too large for a float.
    """
    if value is None or isinstance(value, SCALARS):
        return value
    if type(value) in _plain_scalars:
        return value.item()
    if is_missing(value):
        return None
    if is_instance(value, "pyarrow", "Scalar"):
        return value.as_py()
    if getattr(value, "shape", None) != ():
        return value
    if is_instance(value, "numpy", "datetime64", "timedelta64"):
        return _iso_time(value)
    item = getattr(value, "item", None)
    plain = item() if callable(item) else value
    if isinstance(plain, SCALARS) and is_instance(value, "numpy", "number", "bool"):
        _plain_scalars.add(type(value))
    if getattr(getattr(value, "dtype", None), "kind", None) in ("M", "m"):  # a 0-d array
        return _iso_time(value[()])
    # The item of a type that Python does not have, such as longdouble, is of that type again.
    return _nearest(plain) if is_instance(plain, "numpy", "floating", "complexfloating") else plain


def _nearest(number: Any) -> float | complex:
    if not isinstance(number, Real):
        return complex(number)
    nearest = float(number)
    if math.isinf(nearest) and abs(number) != math.inf:
        raise OverflowError("the number is too large for a float")
    return nearest


def is_missing(value: Any) -> bool:
    """Whether a value is the masked or null scalar of NumPy, pandas or pyarrow."""
    if is_instance(value, "numpy.ma", "MaskedArray"):
        return value.shape == () and bool(value.mask)
    if is_instance(value, "numpy", "datetime64", "timedelta64"):
        return bool(value != value)
    if is_instance(value, "pyarrow", "Scalar"):
        return not value.is_valid
    pandas: Any = sys.modules.get("pandas")
    return pandas is not None and (
        value is getattr(pandas, "NA", pandas) or value is getattr(pandas, "NaT", pandas)
    )


def as_number(value: Any) -> Any:
    """Convert a Decimal, Fraction or duration to a number; return other values as is.

    A whole number becomes an int, others the nearest float. A duration is in seconds.

    Raises:
        OverflowError: the number is too large for a float.
    """
    if isinstance(value, Enum) and isinstance(value.value, SCALARS):
        return value.value
    if (seconds := seconds_of(value)) is not None:
        value = seconds
    if isinstance(value, SCALARS) or not isinstance(value, Decimal | Real):
        return value
    if is_instance(value, "numpy", "timedelta64"):
        return value  # years and months, which have no length
    if isinstance(value, Decimal) and value.is_nan():
        return math.nan
    number = float(value)
    if math.isinf(number) and value not in (math.inf, -math.inf):
        raise OverflowError("the number is too large for a float")
    whole = math.floor(value) if math.isfinite(number) else 0
    return whole if value == whole else number


def seconds_of(value: Any) -> Fraction | None:
    """Return the exact seconds of a duration; None for other values."""
    if is_instance(value, "pandas", "Timedelta"):
        value = value.to_timedelta64()
    if isinstance(value, timedelta):
        microseconds = (value.days * 86_400 + value.seconds) * 10**6 + value.microseconds
        return Fraction(microseconds, 10**6)
    if not is_instance(value, "numpy", "timedelta64"):
        return None
    unit, count = sys.modules["numpy"].datetime_data(value.dtype)
    return int(value.astype("int64")) * count * _SECONDS[unit] if unit in _SECONDS else None


def as_text(value: Any) -> str | None:
    """Return the text of a time, an exact number, a path, a function or a class; else None."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if (seconds := seconds_of(value)) is not None:
        return _iso_duration(seconds)
    if isinstance(value, Decimal | Fraction | UUID | complex | UserString):
        return str(value)
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if isinstance(value, functools.partial):
        arguments = [repr(jsonable(argument)) for argument in value.args]
        arguments += [f"{key}={jsonable(item)!r}" for key, item in value.keywords.items()]
        return f"functools.partial({', '.join([_text_of(value.func), *arguments])})"
    if callable(value) and isinstance(getattr(value, "__qualname__", None), str):
        # The name of list[int] is "list".
        return repr(value) if hasattr(value, "__origin__") else _qualified_name(value)
    if is_instance(value, "pandas", "Period", "Interval"):
        return str(value)
    return None


def config_json(value: Any) -> str:
    """Encode a configuration value as JSON; a value that JSON cannot express becomes its repr."""
    try:
        return msgspec.json.encode(jsonable(value)).decode()
    except Exception:
        return msgspec.json.encode(safe_repr(value)).decode()


def jsonable(value: Any) -> Any:
    """Convert a value to dicts, lists and scalars of JSON, and whatever else to text.

    NaN and the infinities become "NaN", "Infinity" and "-Infinity" (see
    `trackai.values.non_finite`), missing values become None. NumPy scalars and enum members become
    the built-in value they hold, sets become sorted lists, objects with fields become dicts.
    """
    try:
        value = unwrapped(value)
    except OverflowError:
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return json_text(value)
    if value is None or type(value) in SCALARS:
        return value
    if type(value) is list or type(value) is tuple:  # the rows of a table
        return [jsonable(item) for item in value]
    for kind in (int, float, str):  # subclasses: NumPy scalars, enum members
        if isinstance(value, kind):
            return getattr(kind, f"__{kind.__name__}__")(value)
    if isinstance(value, Enum):
        return jsonable(value.value) if isinstance(value.value, SCALARS) else value.name
    if is_frame(value):
        names, columns = columns_of(value)
        return {
            "columns": jsonable(names),
            "data": [jsonable(row) for row in zip(*columns, strict=True)],
        }
    if (mapping := as_mapping(value)) is not None:
        return {key: jsonable(item) for key, item in keyed_by_text(mapping)}
    if (items := _items(value)) is not None:
        return [jsonable(item) for item in items]
    if (text := as_text(value)) is not None:
        return text
    try:
        return msgspec.to_builtins(value)
    except Exception:
        return safe_repr(value)


def is_array(value: Any) -> bool:
    """Whether a value is an array, a tensor, or a list of values."""
    if isinstance(value, (str, *_BYTES, UserString, type)):
        return False
    return (
        isinstance(value, Sequence)
        or is_instance(value, "pyarrow", "Array", "ChunkedArray")
        or (
            isinstance(getattr(value, "shape", None), tuple)
            and value.shape != ()
            and hasattr(value, "__array__")
        )
    )


def _items(value: Any) -> Iterable[Any] | None:
    """The items of an array or collection; None for other values."""
    if isinstance(value, set | frozenset):
        return sorted(value, key=repr)
    if is_instance(value, "numpy", "timedelta64"):
        return None
    if getattr(getattr(value, "dtype", None), "kind", None) in ("M", "m"):
        return list(value)  # tolist() would give integers
    if isinstance(value, (*_BYTES, UserString)):
        return None
    if isinstance(value, Sequence | Set | ValuesView):
        return list_items(value)
    for name in ("tolist", "to_list", "to_pylist"):
        method = getattr(value, name, None)
        if callable(method) and not isinstance(value, type):
            items: Iterable[Any] = method()
            return items
    if hasattr(value, "__array__") and "numpy" in sys.modules and not isinstance(value, type):
        return list(sys.modules["numpy"].asarray(value))
    return None


def _text_of(value: Any) -> str:
    return as_text(value) or safe_repr(value)


def _qualified_name(value: Any) -> str:
    module = getattr(value, "__module__", None)
    name: str = value.__qualname__
    return name if module in (None, "builtins") else f"{module}.{name}"


def _iso_time(value: Any) -> Any:
    """Return a datetime64 or timedelta64 in ISO 8601, with as many digits as it needs."""
    if is_instance(value, "numpy", "datetime64"):
        text = str(value)
        return text.rstrip("0").removesuffix(".") if "." in text else text
    return value


def _iso_duration(seconds: Fraction) -> str:
    sign, seconds = ("-" if seconds < 0 else ""), abs(seconds)
    days, rest = divmod(seconds, 86_400)
    whole, part = divmod(rest, 1)
    digits = f"{int(part * 10**18):018d}".rstrip("0")
    time_part = f"T{whole}{'.' if digits else ''}{digits}S" if rest or not days else ""
    return f"{sign}P{f'{days}D' if days else ''}{time_part}"


def safe_repr(value: Any) -> str:
    """Return the repr in ASCII, or the type if the repr fails or is only an address."""
    if getattr(type(value), "__repr__", None) == object.__repr__:
        return f"<{_qualified_name(type(value))} object>"
    try:
        return ascii(value)
    except Exception:
        return f"<{_qualified_name(type(value))}>"


def type_name(value: Any) -> str:
    """The type of a value for an error message, with the shape of an array."""
    name = _qualified_name(type(value))
    shape = getattr(value, "shape", None)
    return f"{name} of shape {tuple(shape)}" if isinstance(shape, tuple) and shape else name
