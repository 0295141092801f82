"""Compares the store with the export.

It shares no code with the import, so that it finds mistakes there: rows are read one by one as
Python values, and steps as decimals. That is slow.
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
from trackai.store.catalogue import runs
from trackai.store.transfer import imports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trackai.importers.neptune.layout import Part
    from trackai.store.blobs.blob_store import Readable
    from trackai.store.engine.store import Store
    from trackai.store.transfer.imports import ImportedPart

_SERIES_TYPES = ("float_series", "string_series", "histogram_series")
_FILE_TYPES = ("file", "file_series", "file_set", "artifact")
_ROWS_PER_BATCH = 20_000


class _Contents:
    """The contents of a part in the export or in the store.

    Attributes:
        points: by series, the number of points and the sum of their hashes. A sum does not depend
            on the order, counts duplicates, and takes constant space.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.points: dict[str, tuple[int, int]] = {}
        self.params: dict[str, Any] = {}
        self.files: Counter[tuple[Any, ...]] = Counter()

    def add_point(self, path: str, step: Any, time: int, value: Any) -> None:
        # Equal numbers of different types have the same hash, so the type is added.
        if isinstance(value, float):
            value = None if value != value else struct.pack("d", value)
        count, total = self.points.get(path, (0, 0))
        point_hash = hash((step, type(step) is int, time, value))
        self.points[path] = (count + 1, (total + point_hash) & 0xFFFF_FFFF_FFFF_FFFF)


async def verify(db: Store, parts: list[tuple[str, Part]]) -> Verification:
    """Compare parts of an export with the store.

    Args:
        parts: the parts, each with the uid of its run.
    """
    result = Verification()
    for uid, part in parts:
        async with db.read() as conn:
            run = await runs.find_by_uid(conn, uid)
            records = [] if run is None else await imports.list_of_run(conn, run.id)
        record = next((record for record in records if record.part == part.path.name), None)
        if record is None:
            result.differences.append(f"{part.name}: the part is not in the store")
            continue
        try:
            expected = await run_sync(_read_part, part)
        except (OSError, ValueError) as error:  # ArrowInvalid is a ValueError
            result.differences.append(f"{part.name}: the part cannot be read: {error}")
            continue
        stored = await _read_store(db, record)
        result.rows += expected.rows
        result.differences += [
            f"{part.name}: {difference}" for difference in _differences(expected, stored)
        ]
    return result


def _differences(expected: _Contents, stored: _Contents) -> Iterator[str]:
    for path in sorted(expected.points.keys() | stored.points.keys()):
        count, total = expected.points.get(path, (0, 0))
        stored_count, stored_total = stored.points.get(path, (0, 0))
        if count != stored_count:
            yield f"series {path!r}: {count} points in the export, {stored_count} in the store"
        elif total != stored_total:
            yield f"series {path!r}: points differ"
    for path, value in expected.params.items():
        if path not in stored.params:
            yield f"parameter {path!r}: not in the store"
        elif repr(stored.params[path]) != repr(value):
            stored_value = stored.params[path]
            yield f"parameter {path!r}: {value!r} in the export, {stored_value!r} in the store"
    for file, count in ((expected.files - stored.files) + (stored.files - expected.files)).items():
        where = "store" if stored.files[file] < expected.files[file] else "export"
        yield f"{count} file(s) {file[0]!r} ({file[3]!r}) not in the {where}"


def _read_part(part: Part) -> _Contents:
    import pyarrow.parquet as pq

    contents = _Contents()
    with pq.ParquetFile(part.path) as file:
        for batch in file.iter_batches(_ROWS_PER_BATCH):
            for row in batch.to_pylist():
                contents.rows += 1
                if not _is_refused(row["attribute_path"]):
                    _read_row(contents, part, row)
    return contents


def _is_refused(path: str | None) -> bool:
    """Return whether rows are not stored because of their path."""
    return path is not None and (not 0 < len(path) <= 1024 or "\0" in path)


def _read_row(contents: _Contents, part: Part, row: dict[str, Any]) -> None:
    type_, path = row["attribute_type"], row["attribute_path"]
    if type_ in _SERIES_TYPES:
        if row["step"] is None or row["timestamp"] is None:
            return
        value = row.get(type_.replace("_series", "_value"))
        if value is None and type_ != "float_series":
            return
        if type_ == "histogram_series":
            value = json.dumps(_jsonable(value))
        contents.add_point(path, _step(row["step"]), _microseconds(row["timestamp"]), value)
    elif type_ in _FILE_TYPES:
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
    integer = int(step)
    return integer if step == integer else float(step)


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
    """Yield the SHA-256 of a file, or of each file of a folder.

    Yields None for a file that is missing or outside `root`.
    """
    top = root.resolve()
    try:
        exists = top in path.resolve().parents and path.exists()
    except (OSError, ValueError):  # a name that is too long, a zero byte
        exists = False
    if not exists:
        yield None
        return
    for file_path in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if not file_path.resolve().is_relative_to(top):
            yield None
        elif file_path.is_file():
            with file_path.open("rb") as file:
                yield hashlib.file_digest(file, "sha256").hexdigest()


def _hash(stored: Readable | None) -> str:
    if stored is None:
        return "missing"
    with stored.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


async def _read_store(db: Store, record: ImportedPart) -> _Contents:
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
        stored_files = await imports.stored_files(conn, record)
    for file in stored_files:
        # Computed from the bytes, not taken from the row.
        sha256 = None
        if file.sha256 is not None:
            sha256 = await run_sync(_hash, db.blobs.find(file.sha256))
        contents.files[file.path, file.step, file.timestamp, file.source, sha256] += 1
    return contents
