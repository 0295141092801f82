"""Conversion of what a call of `log` passes to the values, histograms and files it stores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.errors import InvalidInputError
from trackai.sdk.builtin_values import SCALARS, type_name, unwrapped
from trackai.values.logger import logger
from trackai.values.text import checked_text
from trackai.values.types import INT64, Value

if TYPE_CHECKING:
    from trackai.sdk.media import Files


_LARGE = float(INT64)
# Metrics that are nested deeper are taken for a mapping that contains itself.
_MAX_DEPTH = 100


def are_plain_numbers(values: list[Any]) -> bool:
    """Whether all values are built-in numbers of ordinary size; False also means "look closer".

    A sum is the cheapest check of all values at once: it is a float or an int only if every value
    is a number or can be added to one (Decimal, Fraction, arrays), and the encoder refuses the
    latter. Non-finite values and large integers need a closer look.
    """
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
    """

    values: dict[str, Value] = {}
    histograms: dict[str, str] = {}
    files: Files = {}


def flatten(metrics: Mapping[str, Any]) -> LoggedValues:
    """Check and convert the metrics of one call.

    Raises:
        TypeError: a name or a value is of a type that cannot be logged; the metric is named.
        InvalidInputError: text is not valid Unicode, a name occurs twice, or a mapping contains
            itself.
    """
    logged = LoggedValues()
    _flatten(metrics, "", logged, 0)
    return logged


def _flatten(metrics: Mapping[str, Any], prefix: str, logged: LoggedValues, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise InvalidInputError(
            f"metric {prefix.partition('/')[0]!r}",
            f"nested more than {_MAX_DEPTH} levels deep, or contains itself",
        )
    for key, value in metrics.items():
        if not isinstance(key, str):
            raise TypeError(f"metric {prefix}{key!r}: the name must be a str, got {type_name(key)}")
        path = checked_text("the name", prefix + key)
        if path in logged.values or path in logged.histograms or path in logged.files:
            raise InvalidInputError(f"metric {path!r}", "two values in this call have this name")
        if isinstance(value, Mapping):
            _flatten(value, f"{path}/", logged, depth + 1)
        elif isinstance(plain := unwrapped(value), SCALARS) or not _add_media(path, value, logged):
            logged.values[path] = _plain_value(path, plain)


def _add_media(path: str, value: Any, logged: LoggedValues) -> bool:
    """Add a histogram, a text or files; False for other values."""
    from trackai.sdk import histogram, media, table  # few runs log any

    if isinstance(value, histogram.Histogram):
        logged.histograms[path] = value.json()
    elif isinstance(value, media.Markdown):
        logged.values[path] = checked_text(f"metric {path!r}", value.text)
    else:
        return table.add_files(path, value, logged.files)
    return True


def _plain_value(path: str, value: Any) -> Value:
    plain = unwrapped(value)
    if isinstance(plain, bool):
        return plain
    if isinstance(plain, int):
        return int(plain) if -INT64 <= plain < INT64 else _rounded(path, plain)
    if isinstance(plain, float):
        return float(plain)
    if isinstance(plain, str):
        return checked_text(f"metric {path!r}", str.__str__(plain))  # of an enum, its value
    raise TypeError(
        f"metric {path!r}: must be a number, bool or str, got {type_name(value)}"
        + ("; log one element of it, or a Histogram" if hasattr(value, "shape") else "")
    )


def _rounded(path: str, value: int) -> float:
    try:
        number = float(value)
    except OverflowError:
        raise InvalidInputError(f"metric {path!r}", "the int is too large for a float") from None
    if int(number) != value:
        logger.warning(
            "metric %r: %d does not fit into 64 bits and is stored as the float %r",
            path, value, number,
        )  # fmt: skip
    return number
