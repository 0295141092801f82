"""Blocks of rollups: the figures of up to 16 neighbouring buckets as a few hundred bytes.

SQLite returns a block as one row. As 16 rows, each bucket would cost an object and a turn at
Python's lock, and they would take twice the space. A block is zlib over msgpack of its columns:
the places of the buckets in the block, then the fields of `Bucket`. First and last steps (and
times) are interleaved, and stored as differences if these are exact. So what is equal in all
buckets takes almost no space.
"""

from __future__ import annotations

import zlib
from itertools import accumulate, chain, groupby
from operator import sub
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.downsampling.thinning import BucketColumns, NumberedBuckets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from trackai.downsampling.buckets import Bucket

# A block holds 2 to the power of this many buckets.
_WIDTH = 4
_PLACES = (1 << _WIDTH) - 1
# The number of columns before the steps.
_FIGURES = BucketColumns._fields.index("first_step")

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


def block_of(bucket: int) -> int:
    """The number of the block that holds a bucket."""
    return bucket >> _WIDTH


def first_bucket(block: int) -> int:
    """The number of the first bucket that a block can hold."""
    return block << _WIDTH


def pack(numbered: Iterable[tuple[int, Bucket]]) -> Iterator[tuple[int, bytes]]:
    """Pack buckets, given in order of their numbers, into numbered blocks."""
    for block, items in groupby(numbered, lambda item: block_of(item[0])):
        yield block, _pack(NumberedBuckets.of(items))


def _pack(block: NumberedBuckets) -> bytes:
    columns = block.columns
    steps: list[Any] = list(chain(*zip(columns.first_step, columns.last_step, strict=True)))
    times = list(chain(*zip(columns.first_timestamp, columns.last_timestamp, strict=True)))
    are_integers = all(isinstance(step, int) for step in steps)
    packed = [
        [number & _PLACES for number in block.numbers],
        *columns[:_FIGURES],
        are_integers,
        _differences(steps) if are_integers else steps,
        _differences(times),
        columns.first_value,
        columns.last_value,
    ]
    return zlib.compress(_encode(packed), 1)


def _differences(numbers: Sequence[int]) -> list[int]:
    return [numbers[0], *map(sub, numbers[1:], numbers)]


def unpack(block: int, packed: bytes) -> NumberedBuckets:
    """The buckets of a block."""
    places, *figures, are_integers, steps, times, first_values, last_values = _decode(
        zlib.decompress(packed)
    )
    if are_integers:
        steps = list(accumulate(steps))
    times = list(accumulate(times))
    first = first_bucket(block)
    columns = BucketColumns._make(
        [*figures, steps[::2], steps[1::2], times[::2], times[1::2], first_values, last_values]
    )
    return NumberedBuckets([first + place for place in places], columns)
