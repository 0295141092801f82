"""Reads a part of an export with pyarrow, in batches that can be stored."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from trackai.importers.neptune.layout import Problem
from trackai.importers.neptune.messages import DAMAGED, Batch, Decode, Header, Inspect
from trackai.importers.neptune.row_splitter import READ_ERRORS, RowSplitter, first_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trackai.importers.neptune.messages import Answer, Request

BATCH_ROWS = 1 << 16
_REQUIRED = ("project_id", "run_id", "attribute_path", "attribute_type")


def answer(request: Request) -> Iterator[Answer]:
    """Yield the answers to a request."""
    if isinstance(request, Inspect):
        yield inspect(request)
    else:
        yield from decode(request)


def inspect(request: Inspect) -> Header | Problem:
    """Read the ids and the number of rows of a part, and compute its fingerprint."""
    try:
        with pq.ParquetFile(request.path) as file:
            missing = [name for name in _REQUIRED if name not in file.schema_arrow.names]
            if missing:
                return Problem(
                    request.name,
                    f"the column {missing[0]!r} is missing; none of its "
                    f"{file.metadata.num_rows} rows can be stored",
                )
            for group in range(file.num_row_groups):
                ids = file.read_row_group(group, columns=["project_id", "run_id"])
                for project, run in zip(*ids.to_pydict().values(), strict=True):
                    if project and run:
                        rows = file.metadata.num_rows
                        return Header(project, run, rows, _fingerprint(request.path))
            return Problem(request.name, "no row has both a project_id and a run_id")
    except READ_ERRORS as error:
        return Problem(request.name, f"cannot be read as Parquet: {first_line(error)}")


def _fingerprint(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def decode(request: Decode) -> Iterator[Batch]:
    """Yield the rows of a part in batches; the last batch ends at the end of the part."""
    with pq.ParquetFile(request.path, read_dictionary=list(_REQUIRED)) as file:
        position = 0
        for groups in _spans(file):
            for table, rows, damage in _read(file, groups):
                end = position + rows
                if end > request.start:
                    skipped = max(0, request.start - position)
                    start = position + skipped
                    if damage is None:
                        yield RowSplitter(request.header, table.slice(skipped), start).split()
                    else:
                        yield _damaged_batch(start, end, damage)
                position = end
    if position == request.start:
        yield Batch(position, position, [], [], [], {}, [])


def _spans(file: Any) -> Iterator[list[int]]:
    """Yield row groups to read together, up to `BATCH_ROWS`: the exporter's may be very small."""
    span: list[int] = []
    rows = 0
    for group in range(file.num_row_groups):
        group_rows = file.metadata.row_group(group).num_rows
        if span and rows + group_rows > BATCH_ROWS:
            yield span
            span, rows = [], 0
        span.append(group)
        rows += group_rows
    if span:
        yield span


def _read(file: Any, groups: list[int]) -> Iterator[tuple[Any, int, str | None]]:
    """Yield record batches of row groups, each with its number of rows and None.

    For damaged rows, the batch is None, and the third item says what is wrong.
    """
    expected = sum(file.metadata.row_group(group).num_rows for group in groups)
    done = 0
    try:
        # Several groups are at most one batch. If one of them is damaged, nothing has been yielded
        # yet, and each can be read separately.
        batches = file.iter_batches(BATCH_ROWS, row_groups=groups, use_threads=False)
        for batch in batches if len(groups) == 1 else _joined(batches):
            batch.validate(full=True)
            done += batch.num_rows
            yield batch, batch.num_rows, None
    except READ_ERRORS as error:
        if done == 0 and len(groups) > 1:
            for group in groups:
                yield from _read(file, [group])
        else:
            yield None, expected - done, first_line(error)


def _joined(batches: Iterator[Any]) -> list[Any]:
    """Join batches, so that they are stored in one transaction."""
    table = pa.Table.from_batches(list(batches)).unify_dictionaries().combine_chunks()
    joined: list[Any] = table.to_batches()
    return joined


def _damaged_batch(start: int, end: int, damage: str) -> Batch:
    batch = Batch(start, end, [], [], [], {}, [])
    counts = batch.counts_of("(unreadable)")
    counts.read = end - start
    counts.refuse(DAMAGED, end - start)
    batch.problems.append(f"rows {start + 1} to {end} cannot be read: {damage}")
    return batch
