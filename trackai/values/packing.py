"""Columns of numbers in msgpack: exact, and a fraction of the size of a list.

Floats are 8 little-endian bytes each, integers the first one and the differences to the one
before. Values of several types stay a list.
"""

from __future__ import annotations

import sys
from array import array
from itertools import accumulate
from operator import sub
from typing import TYPE_CHECKING, Annotated

import msgspec

from trackai.errors import InvalidInputError
from trackai.values.types import INT64, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

# The most values of a column.
MAX_LENGTH = 1_000_000
_PerValue = msgspec.Meta(max_length=MAX_LENGTH)


class Deltas(msgspec.Struct, array_like=True, tag=0):
    """Integers: the first one, and the differences to the one before."""

    numbers: Annotated[list[int], _PerValue]


class Floats(msgspec.Struct, array_like=True, tag=1):
    """Floats, as little-endian bytes."""

    data: Annotated[bytes, msgspec.Meta(max_length=8 * MAX_LENGTH)]


class Plain(msgspec.Struct, array_like=True, tag=2):
    """Values of several types."""

    values: Annotated[list[Value], _PerValue]


Packed = Deltas | Floats | Plain


def pack(values: Sequence[Value]) -> Packed:
    """Pack values by their types."""
    types = set(map(type, values))
    if types == {float}:
        numbers = array("d", values)  # type: ignore[type-var]
        if sys.byteorder == "big":
            numbers.byteswap()
        return Floats(numbers.tobytes())
    if types == {int} and max(values) - min(values) < INT64:  # type: ignore[operator]
        return Deltas(differences(values))  # type: ignore[arg-type]
    return Plain(list(values))


def count(packed: Packed) -> int:
    """The number of values, before they are unpacked."""
    if isinstance(packed, Floats):
        return len(packed.data) // 8
    return len(packed.numbers if isinstance(packed, Deltas) else packed.values)


def differences(numbers: Sequence[int]) -> list[int]:
    """The first number, and the differences to the one before."""
    return [*numbers[:1], *map(sub, numbers[1:], numbers)]


def unpack(packed: Packed) -> list[Value]:
    """Return the values that were packed.

    Raises:
        InvalidInputError: floats do not have 8 bytes each.
    """
    if isinstance(packed, Plain):
        return packed.values
    if isinstance(packed, Deltas):
        return list(accumulate(packed.numbers))
    numbers = array("d")
    try:
        numbers.frombytes(packed.data)
    except ValueError:
        raise InvalidInputError("values", "floats must have 8 bytes each") from None
    if sys.byteorder == "big":
        numbers.byteswap()
    return [*numbers]
