"""Pieces keep the type and all bits of their points."""

from __future__ import annotations

import math
import random
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackai.store.points import piece
from trackai.store.points.piece import Points
from trackai.values.types import INT64

integers = st.integers(-INT64, INT64 - 1)
floats = st.floats(allow_nan=False)
texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.one_of(integers, floats, st.none(), texts)
steps = st.one_of(integers, floats.filter(math.isfinite))


def bits(value: Any) -> Any:
    """What tells 1 from 1.0 and 0.0 from -0.0."""
    return (type(value), struct.pack("<d", value) if type(value) is float else value)


def exact(points: Points) -> list[Any]:
    columns = [list(map(bits, column)) for column in points if column is not None]
    assert len({len(column) for column in columns}) == 1
    return columns


def joined(pieces: list[Points]) -> Points:
    own_steps: list[Any] = [step for part in pieces for step in part.own_steps or ()]
    return Points(
        [step for part in pieces for step in part.steps],
        [time for part in pieces for time in part.timestamps],
        [value for part in pieces for value in part.values],
        own_steps or None,
    )


def check(points: Points) -> list[piece.Piece]:
    pieces = list(piece.split(points))
    unpacked = [piece.unpack(item.packed, item.texts) for item in pieces]
    assert exact(joined(unpacked)) == exact(points)
    for item, part in zip(pieces, unpacked, strict=True):
        assert piece.unpack_steps(item.packed) == (part.steps, part.timestamps)
        assert item.points == len(part.steps)
        assert item.first_step <= part.steps[0] <= part.steps[-1] <= item.last_step
        assert item.first_timestamp == min(part.timestamps)
        assert item.last_timestamp == max(part.timestamps)
        assert len(item.packed) <= piece.LARGEST
    return pieces


@st.composite
def points(draw: st.DrawFn) -> Points:
    count = draw(st.integers(1, 60))

    def column(*kinds: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(draw(st.sampled_from(kinds)), min_size=count, max_size=count))

    near = st.integers(10**15, 10**15 + 10**6)
    return Points(
        sorted(column(integers, st.integers(0, 9), floats.filter(math.isfinite), steps)),
        column(integers, near),
        column(values, floats, integers, st.booleans().map(int), texts, st.sampled_from([0.0, 1])),
        draw(st.none() | st.just(column(st.none() | steps))),
    )


@given(points())
def test_points_are_kept_exactly(points: Points) -> None:
    check(points)


def test_booleans_become_integers_and_nan_becomes_none() -> None:
    item = piece.pack(Points([0, 1], [0, 1], [True, False]))
    assert exact(piece.unpack(item.packed))[2] == [(int, 1), (int, 0)]
    for number in (1, 1.0):
        item = piece.pack(Points([0, 1], [0, 1], [number, math.nan]))
        assert exact(piece.unpack(item.packed))[2] == [bits(number), bits(None)]
    infinities = [math.inf, -math.inf]
    item = piece.pack(Points([0, 1], [0, 1], [*infinities]))
    assert piece.unpack(item.packed).values == infinities


def test_many_points_are_split() -> None:
    generator = random.Random(7)
    count = 5000
    times = [10**15 + 10**5 * step + generator.randrange(20_000) for step in range(count)]
    noise: list[Any] = [generator.random() for _ in range(count)]
    pieces = check(Points(list(range(count)), times, noise))
    assert sum(len(item.packed) for item in pieces) < 10.1 * count
    assert all(item.points > 380 for item in pieces[:-1])
    single = [struct.unpack("<f", struct.pack("<f", value))[0] for value in noise]
    pieces = check(Points(list(range(count)), times, single))
    assert sum(len(item.packed) for item in pieces) < 7.1 * count
    same: list[Any] = [0.001] * count
    pieces = check(Points(list(range(count)), list(range(count)), same))
    assert len(pieces) == math.ceil(count / piece.MOST_POINTS)


@pytest.mark.parametrize("size", [10, 1000, 10**6])
def test_texts_are_apart(size: int) -> None:
    lines: list[Any] = [f"{number:08}ä\0" + "x" * (size - 10) for number in range(40)]
    pieces = check(Points(list(range(40)), list(range(40)), lines))
    assert len(pieces) == (1 if size == 10 else 2 if size == 1000 else 40)


def test_bounds_contain_integers_that_no_float_is_equal_to() -> None:
    large = 2**62 + 1
    check(Points([-large, large], [0, 0], [1.0, 2.0]))
    assert piece.rounded_down(large) < large < piece.rounded_up(large)
    assert piece.rounded_down(0.1) == piece.rounded_up(0.1) == 0.1


def test_order() -> None:
    assert piece.is_ordered([1, 2, 2.5], [5, 1, 0])
    assert piece.is_ordered([1, 1, 2], [5, 6, 0])
    assert not piece.is_ordered([1, 1.0], [5, 5])
    assert not piece.is_ordered([2, 1], [5, 6])
