"""Gathering points into blocks, one by one and by column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from trackai.importers import block_builder
from trackai.importers.block_builder import BlockBuilder
from trackai.structs.exchange import WriterHead

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trackai.structs.exchange import Block

# Steps and times that repeat and go back.
POINTS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6)), min_size=1, max_size=8)
ORDERED = st.lists(st.integers(0, 30), min_size=1, max_size=8, unique=True).map(
    lambda times: [(time, time) for time in sorted(times)]
)
COLUMNS = st.lists(st.tuples(st.sampled_from(["a", "b"]), st.one_of(POINTS, ORDERED)), max_size=8)


def by_writer(blocks: Iterable[Block]) -> dict[tuple[str, str], list[Any]]:
    points: dict[tuple[str, str], list[Any]] = {}
    for block in blocks:
        new = zip(block.steps, block.timestamps, block.values, strict=True)
        points.setdefault((block.writer.uid, block.metric), []).extend(new)
    return points


@given(columns=COLUMNS, long=st.integers(1, 5), full=st.integers(2, 8), pending=st.integers(3, 12))
def test_columns_are_like_points(columns: list[Any], long: int, full: int, pending: int) -> None:
    one_by_one, together = (BlockBuilder("run", WriterHead(uid="writer")) for _ in range(2))
    blocks: list[Block] = []
    expected: list[Block] = []
    with (
        mock.patch.object(block_builder, "_LONG_COLUMN", long),
        mock.patch.object(block_builder, "_POINTS_PER_BLOCK", full),
        mock.patch.object(block_builder, "_MAX_PENDING_POINTS", pending),
    ):
        for number, (metric, points) in enumerate(columns):
            steps, times = map(list, zip(*points, strict=True))
            values = [number + index / 10 for index in range(len(points))]
            blocks += together.add_column(metric, "step", "number", steps, times, values)
            for point in zip(steps, times, values, strict=True):
                expected += one_by_one.add(metric, "step", "number", *point)
    blocks += together.flush()
    expected += one_by_one.flush()
    assert by_writer(blocks) == by_writer(expected)
    keys = [
        (block.writer.uid, block.metric, *key)
        for block in blocks
        for key in zip(block.steps, block.timestamps, strict=True)
    ]
    assert len(set(keys)) == len(keys) == sum(len(points) for _, points in columns)
