"""Blocks of rollups: the figures of up to 16 neighbouring buckets as a few hundred bytes.

SQLite hands over a block as one row, where 16 rows would each cost an object and a turn at
Python's lock, and it takes half of their space. A block is zlib over msgpack of its columns:
where in it the buckets lie, then the fields of `Bucket`, of which firsts and lasts are interleaved,
as differences where these are exact. What is alike in all buckets then costs next to nothing.
"""

from __future__ import annotations

import zlib
from itertools import accumulate, chain, groupby
from operator import sub
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.downsampling.thinning import Columns, Numbered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from trackai.downsampling.buckets import Bucket

# A block holds 2 to the power of this many buckets.
_WIDTH = 4
_PLACES = (1 << _WIDTH) - 1
# How many columns come before the steps.
_FIGURES = Columns._fields.index("first_step")

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


def block_of(bucket: int) -> int:
    """The number of the block in which a bucket lies."""
    return bucket >> _WIDTH


def first_bucket(block: int) -> int:
    """The number of the first bucket that a block can hold."""
    return block << _WIDTH


def pack(found: Iterable[tuple[int, Bucket]]) -> Iterator[tuple[int, bytes]]:
    """Blocks, each with its number, of buckets in order of theirs."""
    for block, some in groupby(found, lambda one: block_of(one[0])):
        yield block, _pack(Numbered.of(some))


def _pack(some: Numbered) -> bytes:
    found = some.columns
    steps: list[Any] = list(chain(*zip(found.first_step, found.last_step, strict=True)))
    times = list(chain(*zip(found.first_timestamp, found.last_timestamp, strict=True)))
    whole = all(isinstance(step, int) for step in steps)
    packed = [
        [number & _PLACES for number in some.numbers],
        *found[:_FIGURES],
        whole,
        _differences(steps) if whole else steps,
        _differences(times),
        found.first_value,
        found.last_value,
    ]
    return zlib.compress(_encode(packed), 1)


def _differences(numbers: Sequence[int]) -> list[int]:
    return [numbers[0], *map(sub, numbers[1:], numbers)]


def unpack(block: int, packed: bytes) -> Numbered:
    """The buckets of a block."""
    places, *figures, whole, steps, times, first_values, last_values = _decode(
        zlib.decompress(packed)
    )
    if whole:
        steps = list(accumulate(steps))
    times = list(accumulate(times))
    first = first_bucket(block)
    columns = Columns._make(
        [*figures, steps[::2], steps[1::2], times[::2], times[1::2], first_values, last_values]
    )
    return Numbered([first + place for place in places], columns)
