"""How values of Python are written to columns, and read from them, exactly.

Steps and extremes are integers or floats in SQLite. Here they are `numeric`, which holds both
exactly: an integer has no decimal places, and a float has some. `any_value` is for what may be a
number, a text or bytes; it has the order of SQLite.

The layout of `numeric` on the wire is that of `numeric_send` in PostgreSQL's numeric.c: the number
of digits to the base of 10 000, the exponent of the first one, sign, decimal places, digits.
"""

from __future__ import annotations

import math
import struct
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncpg

    from trackai.values.types import Step

_NUMBER, _TEXT, _BYTES = 0, 1, 2
_HEADER = struct.Struct(">hhHH")
_BASE = 10_000
# The last character of Unicode, which is none: Unicode leaves it to programs.
_ESCAPE = "\U0010ffff"
_POSITIVE, _NEGATIVE, _NAN = 0x0000, 0x4000, 0xC000
_INFINITE = {math.inf: 0xD000, -math.inf: 0xF000}
_INFINITIES = {sign: value for value, sign in _INFINITE.items()}
# `numeric` has no negative zero: it is the only number with two decimal places that are zero.
_NEGATIVE_ZERO = _HEADER.pack(0, 0, _POSITIVE, 2)


async def register(conn: asyncpg.Connection) -> None:
    """Let a new connection encode and decode our types, which must exist."""
    await conn.set_type_codec(
        "text", schema="pg_catalog", encoder=encode_text, decoder=decode_text, format="binary"
    )
    await conn.set_type_codec(
        "numeric", schema="pg_catalog", encoder=encode, decoder=decode, format="binary"
    )
    # Not the current schema: one may have been created that is searched first.
    schema = await conn.fetchval(
        """
        SELECT nspname FROM pg_type JOIN pg_namespace ON pg_namespace.oid = typnamespace
        WHERE pg_type.oid = 'any_value'::regtype
        """
    )
    await conn.set_type_codec(
        "any_value", schema=schema, encoder=_encode_any, decoder=_decode_any, format="tuple"
    )


def escaped(text: str) -> str:
    """A text without U+0000, which PostgreSQL cannot hold; call it for texts in lists."""
    if "\0" in text or _ESCAPE in text:
        return text.replace(_ESCAPE, f"{_ESCAPE}1").replace("\0", f"{_ESCAPE}0")
    return text


def encode_text(text: str) -> bytes:
    """A text as PostgreSQL can hold it."""
    return escaped(text).encode()


def decode_text(data: bytes) -> str:
    """The text before `encode_text`."""
    text = str(data, "utf-8")
    if _ESCAPE in text:
        text = text.replace(f"{_ESCAPE}0", "\0").replace(f"{_ESCAPE}1", _ESCAPE)
    return text


def encode(value: Step) -> bytes:
    """A number as `numeric`."""
    if type(value) is not float:
        return _packed(abs(int(value)), 0, value < 0, 0)
    if math.isinf(value):
        return _HEADER.pack(0, 0, _INFINITE[value], 0)
    if not value and math.copysign(1, value) < 0:
        return _NEGATIVE_ZERO
    _, digits, exponent = Decimal(value).as_tuple()
    assert isinstance(exponent, int)  # noqa: S101 - for mypy
    places = max(1, -exponent)
    # The exponent of the last digit must be a multiple of 4.
    shift = exponent % 4
    number = int("".join(map(str, digits))) * 10**shift
    return _packed(number, (exponent - shift) // 4, value < 0, places)


def _packed(number: int, exponent: int, negative: bool, places: int) -> bytes:
    """The number `number * 10 000 ** exponent`."""
    digits: list[int] = []
    while number:
        number, digit = divmod(number, _BASE)
        digits.append(digit)
    weight = len(digits) - 1 + exponent
    sign = _NEGATIVE if negative else _POSITIVE
    header = _HEADER.pack(len(digits), max(weight, 0) if not digits else weight, sign, places)
    return header + struct.pack(f">{len(digits)}h", *reversed(digits))


def decode(data: bytes) -> Step:
    """The number in a `numeric`: a float if it has decimal places."""
    count, weight, sign, places = _HEADER.unpack_from(data)
    if sign in _INFINITIES:
        return _INFINITIES[sign]
    if sign == _NAN:
        return math.nan
    if not count:
        return -0.0 if data == _NEGATIVE_ZERO else 0.0 if places else 0
    number = 0
    for digit in struct.unpack_from(f">{count}h", data, _HEADER.size):
        number = number * _BASE + digit
    exponent = weight - count + 1
    if sign == _NEGATIVE:
        number = -number
    if not places:
        return int(number * _BASE**exponent)
    # The division of integers is rounded correctly.
    return number / _BASE**-exponent if exponent < 0 else float(number * _BASE**exponent)


def _encode_any(value: Step | str | bytes) -> tuple[int, Step, str]:
    if isinstance(value, str):
        return _TEXT, 0, value
    return (_BYTES, 0, value.hex()) if isinstance(value, bytes) else (_NUMBER, value, "")


def _decode_any(fields: tuple[int, Step, str]) -> Step | str | bytes:
    kind, stored, text = fields
    if kind == _NUMBER:
        return stored
    return text if kind == _TEXT else bytes.fromhex(text)
