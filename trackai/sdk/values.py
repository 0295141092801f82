"""What may be logged, and how it is brought into the plain form that the journal holds."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.errors import InvalidInputError
from trackai.sdk.plain import SCALARS, type_name, unwrapped
from trackai.values.text import checked_text
from trackai.values.types import INT64, Step, Value

if TYPE_CHECKING:
    from trackai.sdk.media import Files

logger = logging.getLogger("trackai")

_LARGE = float(INT64)
# There must be room to count on from a step; others than the SDK may store up to 63 bits.
STEP_LIMIT = 1 << 62
_LAST_STEP = STEP_LIMIT + (1 << 61)
# Mappings of metrics that lie deeper hold themselves.
_MAX_DEPTH = 100


def are_plain_numbers(values: list[Any]) -> bool:
    """Whether all values are built-in numbers of ordinary size; False also means "look closer".

    A sum is the cheapest question that can be asked of all values at once: it is a float or an
    int only if everything in it was a number, and the encoder refuses whatever else can be added
    to one (Decimal, Fraction, arrays). Non-finite values and large integers are looked at closer.
    """
    try:
        total = sum(values)
    except Exception:
        if _can_be_added(values):
            raise  # it was none of theirs: the handler of a signal has raised it
        return False
    # Each with bounds of its own type: to compare a float with a large int takes three times as
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


def plain_step(step: Any) -> Step:
    """A step as a built-in number.

    Raises:
        TypeError: it is no number.
        InvalidInputError: it is not finite, or beyond 62 bits.
    """
    plain = unwrapped(step)
    if isinstance(plain, bool) or not isinstance(plain, int | float):
        raise TypeError(f"step: an int or a float is needed, not {type_name(step)}")
    if not -STEP_LIMIT <= plain <= STEP_LIMIT:  # also true of NaN
        raise InvalidInputError("step", f"{plain} is no finite number within 62 bits")
    return float(plain) if isinstance(plain, float) else int(plain)


def step_after(last: Step | None) -> int:
    """The step at which a run goes on that has logged up to `last`.

    Raises:
        InvalidInputError: there is no room left to count on.
    """
    if last is None:
        return 0
    if not -_LAST_STEP <= last <= _LAST_STEP:
        raise InvalidInputError(
            "step", f"the run has logged up to {last}, and nothing can be counted on from there: "
            "begin another run",
        )  # fmt: skip
    return math.floor(last) + 1


class Logged(msgspec.Struct):
    """What one call logs, with nested names joined by "/": built-in values, and all that is more.

    Attributes:
        histograms: as JSON.
    """

    values: dict[str, Value] = {}
    histograms: dict[str, str] = {}
    files: Files = {}


def flatten(metrics: Mapping[str, Any]) -> Logged:
    """What a call logs.

    Raises:
        TypeError: a name or a value cannot be logged; the metric is named.
        InvalidInputError: a text is none that can be stored, or a mapping holds itself.
    """
    logged = Logged()
    _flatten(metrics, "", logged, 0)
    return logged


def _flatten(metrics: Mapping[str, Any], prefix: str, logged: Logged, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise InvalidInputError(
            f"metric {prefix.partition('/')[0]!r}", "it is nested too deeply, or holds itself"
        )
    for key, value in metrics.items():
        if not isinstance(key, str):
            raise TypeError(f"metric {prefix}{key!r}: a name is a str, not {type_name(key)}")
        path = checked_text("the name", prefix + key)
        if path in logged.values or path in logged.histograms or path in logged.files:
            raise InvalidInputError(f"metric {path!r}", "two values of one call have this name")
        if isinstance(value, Mapping):
            _flatten(value, f"{path}/", logged, depth + 1)
        elif isinstance(plain := unwrapped(value), SCALARS) or not _is_rich(path, value, logged):
            logged.values[path] = _plain_value(path, plain)


def _is_rich(path: str, value: Any, logged: Logged) -> bool:
    """Whether a value is more than a number or a text; if so, it is put where it belongs."""
    from trackai.sdk import media  # few runs log any

    if isinstance(value, media.Histogram):
        logged.histograms[path] = value.json()
    elif isinstance(value, media.Markdown):
        logged.values[path] = checked_text(f"metric {path!r}", value.text)
    else:
        return media.add_files(path, value, logged.files)
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
        f"metric {path!r}: a number, bool or str is needed, not {type_name(value)}"
        + (": log a single value of it" if hasattr(value, "shape") else "")
    )


def _rounded(path: str, value: int) -> float:
    try:
        number = float(value)
    except OverflowError:
        raise InvalidInputError(
            f"metric {path!r}", "the integer is too large for a float"
        ) from None
    if int(number) != value:
        logger.warning(
            "metric %r: %d does not fit into 64 bits, it is stored as the float %r",
            path, value, number,
        )  # fmt: skip
    return number
