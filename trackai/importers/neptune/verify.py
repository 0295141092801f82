"""Reading the store back against the export.

It shares no code with the import: rows are read as plain Python values, one by one, and steps as
decimals. That is slow, and would find a mistake in what is fast.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from anyio.to_thread import run_sync

from trackai.importers.neptune.receipt import Verification
from trackai.store.catalogue import files, runs
from trackai.store.transfer import imports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trackai.importers.neptune.layout import Part
    from trackai.store.engine.database import Database
    from trackai.store.transfer.imports import ImportedPart

_SERIES = ("float_series", "string_series", "histogram_series")
_FILES = ("file", "file_series", "file_set", "artifact")
_BATCH = 20_000


class _Contents:
    """What a part should have brought, or has: points as sums of hashes, by series.

    A sum does not depend on the order, holds every repetition, and takes no room.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.points: dict[str, tuple[int, int]] = {}
        self.params: dict[str, Any] = {}
        self.files: Counter[tuple[Any, ...]] = Counter()

    def add_point(self, path: str, step: Any, time: int, value: Any) -> None:
        # hash() of a float and of an int that are equal is equal; their types must be, too.
        if isinstance(value, float):
            value = None if value != value else struct.pack("d", value)
        count, total = self.points.get(path, (0, 0))
        one = hash((step, type(step) is int, time, value))
        self.points[path] = (count + 1, (total + one) & 0xFFFF_FFFF_FFFF_FFFF)


async def verify(db: Database, parts: list[tuple[str, Part]]) -> Verification:
    """Compare each part with what the store has of it.

    Args:
        parts: each with the identity of its run.
    """
    result = Verification()
    for uid, part in parts:
        async with db.read() as conn:
            run = await runs.find_by_uid(conn, uid)
            records = [] if run is None else await imports.list_of_run(conn, run.id)
        record = next((one for one in records if one.part == part.path.name), None)
        if record is None:
            result.differences.append(f"{part.name}: the store does not have it")
            continue
        try:
            expected = await run_sync(_read_part, part)
        except (OSError, ValueError) as error:  # ArrowInvalid is a ValueError
            result.differences.append(f"{part.name}: it cannot be read: {error}")
            continue
        found = await _read_store(db, record)
        result.rows += expected.rows
        result.differences += [
            f"{part.name}: {difference}" for difference in _differences(expected, found)
        ]
    return result


def _differences(expected: _Contents, found: _Contents) -> Iterator[str]:
    for path in sorted(expected.points.keys() | found.points.keys()):
        want, got = expected.points.get(path, (0, 0)), found.points.get(path, (0, 0))
        if want[0] != got[0]:
            yield f"the series {path!r} has {want[0]} points, the store {got[0]}"
        elif want != got:
            yield f"the series {path!r} has points that differ"
    for path, value in expected.params.items():
        if path not in found.params:
            yield f"the parameter {path!r} is not in the store"
        elif repr(found.params[path]) != repr(value):
            yield f"the parameter {path!r} is {value!r}, in the store {found.params[path]!r}"
    for file, count in ((expected.files - found.files) + (found.files - expected.files)).items():
        where = "the store" if found.files[file] < expected.files[file] else "the export"
        yield f"{count} files {file[0]!r} ({file[3]!r}) are not in {where}"


def _read_part(part: Part) -> _Contents:
    import pyarrow.parquet as pq

    contents = _Contents()
    with pq.ParquetFile(part.path) as file:
        for batch in file.iter_batches(_BATCH):
            for row in batch.to_pylist():
                contents.rows += 1
                _read_row(contents, part, row)
    return contents


def _read_row(contents: _Contents, part: Part, row: dict[str, Any]) -> None:
    type_, path = row["attribute_type"], row["attribute_path"]
    if type_ in _SERIES:
        if row["step"] is None or row["timestamp"] is None:
            return
        value = row.get(type_.replace("_series", "_value"))
        if value is None and type_ != "float_series":
            return
        if type_ == "histogram_series":
            value = json.dumps(_jsonable(value))
        contents.add_point(path, _step(row["step"]), _microseconds(row["timestamp"]), value)
    elif type_ in _FILES:
        if row["file_value"] is not None and row["file_value"]["path"] is not None:
            step = None if row["step"] is None else _step(row["step"])
            time = None if row["timestamp"] is None else _microseconds(row["timestamp"])
            source = row["file_value"]["path"]
            for sha256 in _hashes(part.files / source, part.files):
                contents.files[path, step, time, source, sha256] += 1
    else:
        value = row.get(f"{type_}_value")
        if type_ == "datetime" and value is not None:
            value = (
                "datetime",
                value.strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03}Z",
            )
        if type_ == "string_set" and value is not None:
            value = ("string_set", sorted(value))
        if value is not None:
            contents.params[path] = value


def _step(text: Any) -> int | float:
    step = Decimal(text)
    whole = int(step)
    return whole if step == whole else float(step)


def _microseconds(time: Any) -> int:
    milliseconds: int = round(time.timestamp() * 1000)
    return milliseconds * 1000


def _jsonable(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: _jsonable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_jsonable(item) for item in value]
    return value


def _hashes(path: Path, root: Path) -> Iterator[str | None]:
    """Of a file, or of the files of a folder; None for what is missing, or not below `root`."""
    top = root.resolve()
    try:
        there = top in path.resolve().parents and path.exists()
    except (OSError, ValueError):  # a name that is too long, a zero byte
        there = False
    if not there:
        yield None
        return
    for one in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if not one.resolve().is_relative_to(top):
            yield None
        elif one.is_file():
            with one.open("rb") as file:
                yield hashlib.file_digest(file, "sha256").hexdigest()


async def _read_store(db: Database, record: ImportedPart) -> _Contents:
    contents = _Contents()
    async with db.read() as conn:
        async for point in imports.points(conn, record):
            value = (
                json.dumps(json.loads(str(point.value)))
                if point.kind == "histogram"
                else point.value
            )
            contents.add_point(point.path, point.step, point.timestamp, value)
        for path, (text, type_) in (await imports.params(conn, record.run_id)).items():
            param = json.loads(text)
            if type_ in {"datetime", "string_set"}:
                param = (type_, param)
            elif type_ == "float":
                param = float(param)
            contents.params[path] = param
        stored = await imports.stored_files(conn, record)
    for one in stored:
        # The bytes themselves are read, not what the row says about them.
        sha256 = None
        if one.sha256 is not None:
            blob = files.blob_path(db.path, one.sha256)
            sha256 = next(_hashes(blob, blob.parent)) or "its bytes are gone"
        contents.files[one.path, one.step, one.timestamp, one.source, sha256] += 1
    return contents
