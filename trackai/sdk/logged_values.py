"""Conversion of what a call of `log` passes to the values, histograms and files it stores."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from enum import Enum
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from trackai.errors import InvalidInputError
from trackai.sdk.builtin_values import (
    ONE_VALUE,
    SCALARS,
    as_number,
    as_text,
    is_array,
    safe_repr,
    type_name,
    unwrapped,
)
from trackai.values.names import path_problem
from trackai.values.text import checked_text
from trackai.values.types import INT64, Value

if TYPE_CHECKING:
    from trackai.sdk.media import Files


T = TypeVar("T")

_LARGE = float(INT64)
# The deepest nesting of mappings.
_MAX_DEPTH = 100
# How much of a name a message quotes.
_NAME_LENGTH = 100


def are_plain_numbers(values: list[Any]) -> bool:
    """Whether all values are built-in numbers of ordinary size; False also means "look closer".

    A sum is the cheapest check of all values at once: it is a float or an int only if every value
    is a number or can be added to one (Decimal, Fraction, arrays), and the encoder refuses the
    latter. Non-finite values and large integers need a closer look.
    """
    # Adding scalars of NumPy is slow, and may warn of an overflow.
    if values and type(values[0]) not in SCALARS:
        return False
    try:
        total = sum(values)
    except Exception:
        if _can_be_added(values):
            raise  # a signal handler raised it, not the values
        return False
    # Bounds of the type of the total: comparing a float with a large int takes three times as
    # long.
    if type(total) is float:
        return -_LARGE < total < _LARGE
    return type(total) is int and -INT64 < total < INT64


def _can_be_added(values: list[Any]) -> bool:
    try:
        sum(values)
    except Exception:
        return False
    return True


class LoggedValues(msgspec.Struct):
    """The content of one call of `log`, by metric; nested names are joined with "/".

    Attributes:
        values: built-in values.
        histograms: histograms as JSON.
        files: images, tables and other media.
        rounded: large integers that are stored as floats, each with a message.
        problems: what cannot be stored, each with the error.
    """

    values: dict[str, Value] = {}
    histograms: dict[str, str] = {}
    files: Files = {}
    rounded: list[tuple[str, str]] = []
    problems: list[tuple[str, Exception]] = []


def flatten(metrics: Any) -> LoggedValues:
    """Check and convert the metrics of one call. A metric that cannot be stored is a problem."""
    logged = LoggedValues()
    if isinstance(metrics, Mapping):
        _flatten(metrics, "", logged, ())
    else:
        message = f"metrics: must be a dict of values by name, got {type_name(metrics)}"
        logged.problems.append(("metrics", TypeError(message)))
    return logged


def _flatten(
    metrics: Mapping[Any, Any], prefix: str, logged: LoggedValues, parents: tuple[int, ...]
) -> None:
    name = named(prefix[:-1]) if prefix else "metrics"
    problem = None
    if id(metrics) in parents:
        problem = "must be a value, got a mapping that contains itself"
    elif len(parents) > _MAX_DEPTH:
        problem = f"must be nested at most {_MAX_DEPTH} levels deep"
    if problem:
        logged.problems.append((name, InvalidInputError(name, problem)))
        return
    try:
        items = list(metrics.items())
    except Exception:
        error = failure(lambda: list(metrics.items()))
        if error is None:
            raise
        logged.problems.append((name, error))
        return
    for key, value in items:
        path = _checked_path(prefix, key, logged)
        if path is None:
            continue
        if type(value) is float:
            logged.values[path] = value
        elif is_mapping := _attempt(path, logged, partial(isinstance, value, Mapping)):
            _flatten(value, f"{path}/", logged, (*parents, id(metrics)))
        elif is_mapping is not None:
            _attempt(path, logged, partial(_add, path, value, logged))


def _attempt(path: str, logged: LoggedValues, action: Callable[[], T]) -> T | None:
    """Call a function of a value; None, and add a problem, if the value raises an exception."""
    try:
        return action()
    except Exception:
        error = failure(action)
        if error is None:
            raise  # a signal handler raised it, not the value
    logged.problems.append((named(path), error))
    return None


def failure(action: Callable[[], object]) -> Exception | None:
    """Call a function that has raised an exception again, and return the exception it raises now.

    Values of other libraries may raise anything. An exception that comes once is a signal
    handler's, and belongs to the program.
    """
    try:
        action()
    except Exception as error:
        return error
    return None


def named(path: str) -> str:
    """Name a metric for an error or a warning."""
    return f"metric {path[:_NAME_LENGTH]!r}{'...' if len(path) > _NAME_LENGTH else ''}"


def _checked_path(prefix: str, key: Any, logged: LoggedValues) -> str | None:
    """Return the path of a metric; None, and add a problem, if it is invalid."""
    if not issubclass(type(key), str):  # isinstance() would ask the key for its class
        name = f"metric {prefix}{safe_repr(key)}"[:_NAME_LENGTH]
        wrong = TypeError(f"{name}: the name must be a str, got {type(key).__qualname__}")
        logged.problems.append((name, wrong))
        return None
    path: str = prefix + key
    if not _is_valid_name(path) and (error := name_error(path)):
        logged.problems.append((named(path), error))
        return None
    if path in logged.values or path in logged.histograms or path in logged.files:
        twice = InvalidInputError(named(path), "two values in this call have this name")
        logged.problems.append((named(path), twice))
        return None
    return path


@lru_cache(maxsize=4096)
def _is_valid_name(path: str) -> bool:
    return name_error(path) is None


def name_error(path: str) -> InvalidInputError | None:
    """Say why a text cannot be the name of a metric or a file, or None."""
    if problem := path_problem(path):
        return InvalidInputError(named(path), f"the name {problem}")
    try:
        checked_text("the name", path)
    except InvalidInputError as error:
        return error
    return None


def _add(path: str, value: Any, logged: LoggedValues) -> None:
    """Add a value that is not a mapping.

    Raises:
        Exception: it cannot be stored; the message names the metric.
    """
    try:
        plain = unwrapped(value)
    except OverflowError as error:
        raise InvalidInputError(named(path), str(error)) from None
    if isinstance(plain, SCALARS):
        logged.values[path] = _plain_value(path, plain, logged)
    elif plain is None and value is not None:
        logged.values[path] = math.nan  # masked, or null
    # Of most values, the type says enough: looking for media imports modules, which takes handles.
    elif isinstance(plain, ONE_VALUE) or not (
        _add_media(path, value, logged) or _add_array(path, value, logged)
    ):
        logged.values[path] = _converted_value(path, plain, logged)


def _add_media(path: str, value: Any, logged: LoggedValues) -> bool:
    """Add a histogram, a text or files; False for other values."""
    from trackai.sdk import histogram, media, table, trace  # few runs log any

    if isinstance(value, histogram.Histogram):
        logged.histograms[path] = value.json()
    elif isinstance(value, media.Markdown):
        logged.values[path] = checked_text(named(path), value.text)
    else:
        files = {name: list(same_name) for name, same_name in logged.files.items()}
        if isinstance(value, trace.Trace):
            logged.values[path] = checked_text(named(path), value.json(path, files))
        elif not table.add_files(path, value, files):
            return False
        logged.files = files
    return True


def _add_array(path: str, value: Any, logged: LoggedValues) -> bool:
    """Add numbers as a histogram, or the number in an array of one; False for other values."""
    if not is_array(value):
        return False
    from trackai.sdk import arrays, histogram

    try:
        array = arrays.plain_array(value, "logging an array")
    except TypeError as error:
        raise TypeError(f"{named(path)}: {error}") from None
    if array.size == 0:
        raise InvalidInputError(named(path), "the array is empty")
    if array.size == 1:
        logged.values[path] = _converted_value(path, unwrapped(array.ravel()[0]), logged)
    elif array.dtype.kind == "c":
        raise TypeError(f"{named(path)}: must hold real numbers, got complex ones")
    else:
        logged.histograms[path] = histogram.Histogram(array).json()
    return True


def _converted_value(path: str, value: Any, logged: LoggedValues) -> Value:
    try:
        plain = as_number(value)
    except OverflowError:
        raise InvalidInputError(named(path), "the number is too large for a float") from None
    if isinstance(plain, Enum):
        plain = plain.name
    if not isinstance(plain, SCALARS):
        plain = None if callable(plain) else as_text(plain)
    if plain is None:
        raise TypeError(f"{named(path)}: must be a number, bool or str, got {type_name(value)}")
    return _plain_value(path, plain, logged)


def _plain_value(path: str, plain: Any, logged: LoggedValues) -> Value:
    if isinstance(plain, bool):
        return plain
    if isinstance(plain, int):
        return int(plain) if -INT64 <= plain < INT64 else _rounded(path, plain, logged)
    if isinstance(plain, float):
        return float(plain)
    return checked_text(named(path), str.__str__(plain))  # of an enum, its value


def _rounded(path: str, value: int, logged: LoggedValues) -> float:
    try:
        number = float(value)
    except OverflowError:
        raise InvalidInputError(named(path), "the int is too large for a float") from None
    if int(number) != value:
        message = f"{named(path)}: {value} does not fit into 64 bits"
        logged.rounded.append((path, f"{message} and is stored as the float {number!r}"))
    return number
