"""Pieces: some hundred points of one series and writer, packed into bytes.

A piece is made of columns: steps, timestamps, values and, for imported system metrics, the steps
that they had before. It keeps the type and all bits of each. It is not compressed further, so that
SQL can unpack it too: see the functions in `migrations/postgresql/0002_points.sql`.

All integers are little-endian:

    version (1 byte), 1 if there are own steps else 0 (1 byte), number of points (2 bytes), columns

A column begins with its kind, 1 byte:

    0 integers      the lowest one (8 bytes), words: the differences to it
    1 differences   the start (8), the lowest difference (8), words: the rest of the differences
    2 floats        words: their bits
    3 even          the first integer (8), the difference of all neighbours (8)
    4 floats, some of which are NaN, which the store has as None
    5 mixed         types, a byte each; words: bits, integers or lengths of texts in UTF-8

The texts themselves are bytes of their own, joined. Words are 64 bits each. They are stored by
byte: the lowest bytes of all words, then the second lowest ones. A mask (1 byte) has a bit for each
of the 8 that varies; of the others, one byte is stored. So float32 values take 5 bytes, and times
as many as their jitter needs.
"""

from __future__ import annotations

import math
import struct
import sys
from array import array
from itertools import accumulate, pairwise
from operator import lt, sub
from typing import TYPE_CHECKING, Any, NamedTuple

from trackai.values.types import INT64

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from trackai.values.types import Step, StoredValue

# Two rows of this size fit a page of PostgreSQL.
LARGEST = 3980
# The number of points of a usual piece, and the most. Longer ones need not be smaller per point,
# and a reader of few points unpacks more than it needs.
POINTS, MOST_POINTS = 384, 768
# Pieces with fewer points are small: those in the index `small_pieces`.
SMALL = 192
# Pieces end after texts of this size together, in bytes.
_TEXT_BYTES = 32_768
_VERSION = 1
_HEADER = struct.Struct("<BBH")
_ONE, _TWO = struct.Struct("<q"), struct.Struct("<qq")
_INTEGERS, _DIFFERENCES, _FLOATS, _EVEN, _FLOATS_AND_NAN, _MIXED = range(6)
_NONE, _INTEGER, _FLOAT, _TEXT = range(4)
_IS_BIG_ENDIAN = sys.byteorder == "big"
_INTEGER_TYPES = frozenset({int, bool})


class Points(NamedTuple):
    """Points of one series and writer in order of step and time, as lists of equal length.

    Attributes:
        values: NaN is None, and booleans are 0 and 1.
        own_steps: None without any, also for single points.
    """

    steps: list[Step]
    timestamps: list[int]
    values: list[StoredValue]
    own_steps: list[Step | None] | None = None

    def between(self, start: int, stop: int) -> Points:
        """The points from one position to before another."""
        if start == 0 and stop >= len(self.steps):
            return self
        own_steps = None if self.own_steps is None else self.own_steps[start:stop]
        return Points(
            self.steps[start:stop], self.timestamps[start:stop], self.values[start:stop], own_steps
        )


class Piece(NamedTuple):
    """A piece as it is stored, but for the ids of its series and writer.

    Attributes:
        first_step, last_step: at most the first step, and at least the last one.
        texts: the bytes of all texts; None without any.
    """

    first_step: float
    last_step: float
    first_timestamp: int
    last_timestamp: int
    points: int
    packed: bytes
    texts: bytes | None


class _Head(NamedTuple):
    """The packed steps and timestamps of a piece, and where they begin and end."""

    first_step: float
    last_step: float
    first_timestamp: int
    last_timestamp: int
    packed: bytes


class Packer:
    """Packs points of several series: steps and times that they share are packed once."""

    def __init__(self) -> None:
        # By the ids of the lists, and their part. The lists are kept, so that ids stay theirs.
        self._heads: dict[tuple[int, int, int, int], tuple[list[Step], list[int], _Head]] = {}

    def split(self, points: Points) -> Iterator[Piece]:
        """Pack points into as many pieces as they need, of about the same size."""
        start, size, total = 0, POINTS, len(points.steps)
        has_size = False
        types = set(map(type, points.values))
        may_have_texts = str in types
        floats = _float_bytes(points.values) if types == {float} else None
        while start < total:
            stop = min(start + size, total)
            if may_have_texts:
                stop = _end_of_texts(points.values, start, stop)
            piece = self.pack(points, start, stop, floats)
            length = len(piece.packed)
            if length > LARGEST:
                largest = max(1, (stop - start) * LARGEST // length - 4)
                size = _even_size(total - start, largest)
                continue
            if not has_size and size == POINTS and stop < total:
                has_size = True
                largest = max(POINTS, min(MOST_POINTS, POINTS * LARGEST // length - 4))
                size = _even_size(total - start, largest)
                if not may_have_texts and size != POINTS:
                    continue
            yield piece
            start = stop

    def pack(self, points: Points, start: int, stop: int, floats: bytes | None) -> Piece:
        """Pack a part of points, which are in order of step and time.

        Args:
            floats: the bytes of all values, if they are floats without NaN.
        """
        steps, timestamps, values, own_steps = points
        key = id(steps), id(timestamps), start, stop
        if key not in self._heads:
            self._heads[key] = steps, timestamps, _head(steps[start:stop], timestamps[start:stop])
        head = self._heads[key][2]
        texts: list[bytes] = []
        if floats is not None:
            column = b"%c%b" % (_FLOATS, _pack_bytes(floats[8 * start : 8 * stop]))
        else:
            column = _pack_column(values[start:stop], texts)
        parts = [
            _HEADER.pack(_VERSION, own_steps is not None, stop - start), head.packed, column
        ]  # fmt: skip
        if own_steps is not None:
            parts.append(_pack_column(own_steps[start:stop], texts))
        return Piece(
            *head[:4], stop - start, b"".join(parts), b"".join(texts) if texts else None
        )  # fmt: skip


def split(points: Points) -> Iterator[Piece]:
    """Pack points into as many pieces as they need."""
    return Packer().split(points)


def pack(points: Points) -> Piece:
    """Pack points, which are in order of step and time."""
    return Packer().pack(points, 0, len(points.steps), None)


def _even_size(points: int, largest: int) -> int:
    """The size of pieces, `largest` at most, of which all are about as large."""
    return -(-points // -(-points // largest))


def _head(steps: list[Step], timestamps: list[int]) -> _Head:
    return _Head(
        rounded_down(steps[0]),
        rounded_up(steps[-1]),
        min(timestamps),
        max(timestamps),
        _pack_ordered(steps, []) + _pack_ordered(timestamps, []),
    )


def _float_bytes(values: Sequence[Any]) -> bytes | None:
    """The bytes of floats; None if there may be NaN among them."""
    total = sum(values)
    if total != total:  # the sum of infinities may be NaN, too
        return None
    words = array("d", values)
    if _IS_BIG_ENDIAN:
        words.byteswap()
    return words.tobytes()


def _end_of_texts(values: Sequence[StoredValue], start: int, stop: int) -> int:
    size = 0
    for index in range(start, stop):
        value = values[index]
        if type(value) is str:
            size += len(value)
            if size > _TEXT_BYTES:
                return max(index, start + 1)
    return stop


def unpack(packed: bytes, texts: bytes | None = None) -> Points:
    """Unpack the points of a piece."""
    _, has_own_steps, points = _HEADER.unpack_from(packed)
    reader = _Reader(packed, points, texts or b"")
    steps, timestamps, values = reader.column(), reader.column(), reader.column()
    return Points(steps, timestamps, values, reader.column() if has_own_steps else None)


def unpack_steps(packed: bytes) -> tuple[list[Step], list[int]]:
    """Unpack the steps and timestamps of a piece, which may have texts."""
    _, _, points = _HEADER.unpack_from(packed)
    reader = _Reader(packed, points, b"")
    return reader.column(), reader.column()


def rounded_down(step: Step) -> float:
    """The nearest float that is not above a step."""
    rounded = _float(step)
    return math.nextafter(rounded, -math.inf) if rounded > step else rounded


def rounded_up(step: Step) -> float:
    """The nearest float that is not below a step."""
    rounded = _float(step)
    return math.nextafter(rounded, math.inf) if rounded < step else rounded


def _float(step: Step) -> float:
    try:
        return float(step)
    except OverflowError:
        return math.inf if step > 0 else -math.inf


def _pack_ordered(numbers: Sequence[Any], texts: list[bytes]) -> bytes:
    """Pack a column whose integers are close to their neighbours."""
    first = numbers[0]
    if type(first) is not int or set(map(type, numbers)) != {int}:
        return _pack_column(numbers, texts)
    if len(numbers) == 1:
        return b"%c%b" % (_EVEN, _TWO.pack(first, 0))
    differences = list(map(sub, numbers[1:], numbers))
    lowest = min(differences)
    try:
        if lowest == max(differences):
            return b"%c%b" % (_EVEN, _TWO.pack(first, lowest))
        rest = array("q", [difference - lowest for difference in differences])
        rest.insert(0, 0)
        head = _TWO.pack(first - lowest, lowest)
    except (OverflowError, struct.error):
        return _pack_column(numbers, texts)
    return b"%c%b%b" % (_DIFFERENCES, head, _pack_words(rest))


def _pack_column(values: Sequence[Any], texts: list[bytes]) -> bytes:
    types = set(map(type, values))
    if types == {float}:
        kind = _FLOATS
        # Only then there may be NaN: the sum of infinities may be NaN, too.
        total = sum(values)
        if total != total and any(value != value for value in values):
            kind = _FLOATS_AND_NAN
        return b"%c%b" % (kind, _pack_words(array("d", values)))
    if types <= _INTEGER_TYPES:
        lowest = min(values)
        if max(values) - lowest >= INT64:
            lowest = 0
        words = array("q", [value - lowest for value in values] if lowest else values)
        return b"%c%b%b" % (_INTEGERS, _ONE.pack(lowest), _pack_words(words))
    if types == {float, type(None)}:
        floats = array("d", [math.nan if value is None else value for value in values])
        return b"%c%b" % (_FLOATS_AND_NAN, _pack_words(floats))
    return _pack_mixed(values, texts)


def _pack_mixed(values: Sequence[Any], texts: list[bytes]) -> bytes:
    kinds = bytearray()
    words = array("q")
    for value in values:
        if type(value) is str:
            encoded = value.encode()
            texts.append(encoded)
            kinds.append(_TEXT)
            words.append(len(encoded))
        elif value is None or value != value:
            kinds.append(_NONE)
            words.append(0)
        elif type(value) is float:
            kinds.append(_FLOAT)
            words.frombytes(array("d", [value]).tobytes())
        else:
            kinds.append(_INTEGER)
            words.append(value)
    return b"%c%b%b" % (_MIXED, bytes(kinds), _pack_words(words))


def _pack_words(words: array[Any]) -> bytes:
    if _IS_BIG_ENDIAN:
        words.byteswap()
    return _pack_bytes(words.tobytes())


def _pack_bytes(data: bytes) -> bytes:
    mask = 0
    parts = [b""]
    for place in range(8):
        plane = data[place::8]
        if plane == plane[:1] * len(plane):
            parts.append(plane[:1])
        else:
            mask |= 1 << place
            parts.append(plane)
    parts[0] = bytes((mask,))
    return b"".join(parts)


class _Reader:
    """Reads the columns of a piece, one after the other."""

    def __init__(self, packed: bytes, points: int, texts: bytes) -> None:
        self._packed = packed
        self._points = points
        self._at = _HEADER.size
        self._texts = texts
        self._texts_at = 0

    def column(self) -> list[Any]:
        kind = self._packed[self._at]
        self._at += 1
        if kind == _FLOATS:
            return self._words("d").tolist()
        if kind == _EVEN:
            first, difference = self._numbers(_TWO)
            if not difference:
                return [first] * self._points
            return list(range(first, first + difference * self._points, difference))
        if kind == _DIFFERENCES:
            start, lowest = self._numbers(_TWO)
            rest = self._words("q").tolist()
            sums = accumulate(rest, initial=start)
            next(sums)
            if not lowest:
                return list(sums)
            return [total + lowest * number for number, total in enumerate(sums, 1)]
        if kind == _INTEGERS:
            (lowest,) = self._numbers(_ONE)
            words = self._words("q").tolist()
            return [word + lowest for word in words] if lowest else words
        if kind == _FLOATS_AND_NAN:
            floats = self._words("d")
            return [None if value != value else value for value in floats]
        return self._mixed()

    def _numbers(self, layout: struct.Struct) -> tuple[int, ...]:
        numbers = layout.unpack_from(self._packed, self._at)
        self._at += layout.size
        return numbers

    def _words(self, typecode: str) -> array[Any]:
        packed, points, at = self._packed, self._points, self._at + 1
        mask = packed[self._at]
        data = bytearray(8 * points)
        for place in range(8):
            if mask >> place & 1:
                data[place::8] = packed[at : at + points]
                at += points
            else:
                if packed[at]:
                    data[place::8] = packed[at : at + 1] * points
                at += 1
        self._at = at
        words = array(typecode)
        words.frombytes(data)
        if _IS_BIG_ENDIAN:
            words.byteswap()
        return words

    def _mixed(self) -> list[Any]:
        kinds = self._packed[self._at : self._at + self._points]
        self._at += self._points
        words = self._words("q")
        floats = array("d")
        floats.frombytes(words.tobytes())
        values: list[StoredValue] = []
        for kind, word, number in zip(kinds, words, floats, strict=True):
            if kind == _TEXT:
                end = self._texts_at + word
                values.append(self._texts[self._texts_at : end].decode())
                self._texts_at = end
            else:
                values.append(None if kind == _NONE else number if kind == _FLOAT else word)
        return values


def is_ordered(steps: Sequence[Step], timestamps: Sequence[int]) -> bool:
    """Whether points are in order of step and time, and no two have the same of both."""
    if all(map(lt, steps, steps[1:])):
        return True
    return all(
        preceding < following
        for preceding, following in pairwise(zip(steps, timestamps, strict=True))
    )
