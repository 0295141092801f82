"""Read images of points (`store/points/images.py`) with NumPy, without a Python object for a point.

An image has the file format of SQLite (https://sqlite.org/fileformat.html): the pages of a tree,
whose leaves have a cell for each row. A cell is the length of its payload, the row id, and the
payload: the length of its header, a byte for the type of each value, and the values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from trackai.structs.points import PointImage

    Places = NDArray[np.int64]

_LEAF, _BRANCH = 13, 5
_HEADER = 4  # of a row with three values
# The types of values: nothing, integers of 1 to 8 bytes, floats, and the integers 0 and 1.
_NULL, _FLOAT, _ZERO, _ONE = 0, 7, 8, 9
_SIZES = np.array([0, 1, 2, 3, 4, 6, 8, 8, 0, 0])


def read(images: Sequence[PointImage]) -> list[NDArray[Any]]:
    """Return the steps, timestamps and values of images that follow each other.

    Returns:
        Arrays of int64, float64 or bool; of objects where a column has values of several types.

    Raises:
        ValueError: one is not an image.
    """
    try:
        parts = [_read(image) for image in images]
    except (IndexError, TypeError, OverflowError) as error:  # TypeError: NumPy, of short data
        raise ValueError("not an image of points") from error
    return [_joined(columns) for columns in zip(*parts, strict=True)]


def _joined(columns: Sequence[NDArray[Any]]) -> NDArray[Any]:
    # An empty part has no types.
    columns = [column for column in columns if len(column)] or columns
    if len({column.dtype for column in columns}) > 1:
        columns = [column.astype(object) for column in columns]
    return np.concatenate(columns)


def _read(image: PointImage) -> list[NDArray[Any]]:
    data = image.data
    cells = _cells(data, image.root)
    pages = np.frombuffer(data, np.uint8)
    if (pages[cells] >= 0x80).any():
        raise ValueError("the row of an image is too long")
    # A row id has 7 bits in each byte, of which all but the last have the highest bit.
    header = cells + 1
    for _ in range(3):
        header += pages[header] >= 0x80
    header += 1
    types = [pages[header + place] for place in (1, 2, 3)]
    if (pages[header] != _HEADER).any() or any((kinds > _ONE).any() for kinds in types):
        raise ValueError("the row of an image must have three numbers")
    start = header + _HEADER
    columns = []
    for kinds in types:
        start = start + _SIZES[kinds]
        columns.append(_column(data, kinds, start))
    if image.are_bools:
        columns[-1] = _bools(columns[-1])
    return columns


def _cells(data: bytes, root: int) -> Places:
    """The places of all cells of a table, in order."""
    size = int.from_bytes(data[16:18], "big")
    leaves = list(_leaves(data, 65536 if size == 1 else size, root))
    starts = np.array(leaves, np.int64)
    integers = np.ndarray((max(len(data) - 1, 0),), ">u2", data, strides=(1,))
    counts = integers[starts + 3].astype(np.int64)
    rows = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    pages = np.repeat(starts, counts)
    cells: Places = pages + integers[pages + 8 + 2 * rows]
    return cells


def _leaves(data: bytes, size: int, page: int, depth: int = 0) -> Iterator[int]:
    """The places of the leaves below a page, in order."""
    start = (page - 1) * size
    if start <= 0 or depth > 20:
        raise ValueError("the tree of an image is damaged")
    kind = data[start]
    if kind == _LEAF:
        yield start
    elif kind == _BRANCH:
        count = int.from_bytes(data[start + 3 : start + 5], "big")
        for place in range(start + 12, start + 12 + 2 * count, 2):
            cell = start + int.from_bytes(data[place : place + 2], "big")
            child = int.from_bytes(data[cell : cell + 4], "big")
            yield from _leaves(data, size, child, depth + 1)
        child = int.from_bytes(data[start + 8 : start + 12], "big")
        yield from _leaves(data, size, child, depth + 1)
    else:
        raise ValueError("the tree of an image is damaged")


def _column(data: bytes, kinds: NDArray[np.uint8], ends: Places) -> NDArray[Any]:
    """Read the values of these types that end at these places."""
    present = np.flatnonzero(np.bincount(kinds, minlength=10))
    if len(ends) and (ends.max() > len(data) or ends.min() < 8):
        raise ValueError("an image is incomplete")
    are_floats = (kinds == _FLOAT) | (kinds == _NULL)
    if not len(present) or not are_floats.any():
        return _integers(data, kinds, ends)
    floats = np.ndarray((len(data) - 7,), ">f8", data, strides=(1,))[ends - 8].astype(np.float64)
    if _NULL in present:
        floats[kinds == _NULL] = np.nan
    if are_floats.all():
        return floats
    mixed = _integers(data, kinds, ends).astype(object)
    mixed[are_floats] = floats[are_floats]
    return mixed


def _integers(data: bytes, kinds: NDArray[np.uint8], ends: Places) -> NDArray[np.int64]:
    """Read integers: the eight bytes before their ends, of which the first are others'."""
    longest = np.ndarray((max(len(data) - 7, 0),), ">i8", data, strides=(1,))
    numbers = longest[ends - 8].astype(np.int64)
    shift = 64 - 8 * _SIZES[kinds]
    shift[shift == 64] = 0  # of types without bytes
    numbers <<= shift
    numbers >>= shift
    numbers[kinds == _ZERO] = 0
    numbers[kinds == _ONE] = 1
    return numbers


def _bools(values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype == np.int64:
        return values.astype(bool)
    missing = np.array([value != value for value in values])
    bools = np.array([bool(value) for value in values], object)
    bools[missing] = np.nan
    return bools
