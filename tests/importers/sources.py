"""Reads a source without a database."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from trackai.importers.receipt import Receipt
from trackai.structs.exchange import Block, Chunk, FileHead, RunHead

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Run(NamedTuple):
    """A run: its last head, the points of each metric as they come, files and their bytes."""

    head: RunHead
    blocks: list[Block]
    files: dict[str, tuple[FileHead, bytes | None]]

    @property
    def points(self) -> dict[str, list[tuple[Any, Any]]]:
        """Steps and values; NaN, which does not equal itself, is "NaN"."""
        points: dict[str, list[tuple[Any, Any]]] = {}
        for block in self.blocks:
            values = [
                "NaN" if isinstance(value, float) and math.isnan(value) else value
                for value in block.values
            ]
            points.setdefault(block.metric, []).extend(zip(block.steps, values, strict=True))
        return points

    @property
    def times(self) -> dict[str, list[int]]:
        times: dict[str, list[int]] = {}
        for block in self.blocks:
            times.setdefault(block.metric, []).extend(block.timestamps)
        return times


def read_source(source: Callable[..., Any], path: Any) -> tuple[Receipt, dict[str, Run]]:
    """Return the receipt and the runs by id."""
    receipt = Receipt(str(path), "db")
    opened = source(path, receipt=receipt, progress=NoProgress())
    runs: dict[str, Run] = {}
    data: dict[str, bytes] = {}
    for item in opened.read():
        if isinstance(item, RunHead):
            known = runs.get(item.uid)
            runs[item.uid] = Run(item, known.blocks if known else [], known.files if known else {})
        elif isinstance(item, Chunk):
            data[item.sha256] = data.get(item.sha256, b"") + item.data
        elif isinstance(item, Block):
            assert len(item.steps) == len(item.values) == len(item.timestamps)
            runs[item.run_uid].blocks.append(item)
        elif isinstance(item, FileHead):
            found: Path | None = opened.find_bytes(item)
            content = data.get(item.sha256 or "") if found is None else found.read_bytes()
            runs[item.run_uid].files[f"{item.path}|{item.name}"] = (item, content)
    receipt.sum_up()
    return receipt, {run.head.run_id: run for run in runs.values()}


def read_items(source: Callable[..., Any], path: Any) -> tuple[list[Any], Receipt]:
    """Return all items, and the receipt."""
    receipt = Receipt("source", "database")
    return list(source(path, receipt=receipt, progress=NoProgress()).read()), receipt


def logged(items: list[Any]) -> set[tuple[str, Any, str]]:
    """Return the metric, the step and the value of each point that has a step."""
    return {
        (block.metric, step, repr(value))
        for block in items
        if isinstance(block, Block) and block.axis == "step"
        for step, value in zip(block.steps, block.values, strict=True)
    }


def read_points(source: Callable[..., Any], path: Any) -> tuple[set[tuple[str, Any, str]], Receipt]:
    """Return what `logged` does, and the receipt."""
    items, receipt = read_items(source, path)
    return logged(items), receipt


class NoProgress:
    """Only checks that more than all is never read."""

    def share(self, done: int, total: int, unit: str) -> None:
        assert 0 <= done <= total
