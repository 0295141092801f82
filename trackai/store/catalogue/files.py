"""Files of runs: a row for each in the database, and their bytes in a folder next to it.

The folder is addressed by content: runs with the same file share one copy. Bytes are written before
the row that refers to them, and removed after the last such row. After a crash the folder may hold
unreferenced bytes, but no row refers to missing ones.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import time
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from trackai.errors import NotFoundError
from trackai.store.engine.sql import json_array
from trackai.structs.records import FilePath, FileRecord
from trackai.values.times import utc
from trackai.values.types import FileKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    from trackai.store.engine.connection import Connection
    from trackai.store.engine.database import Database
    from trackai.values.types import Step

_COLUMNS = "id, run_id, path, kind, name, step, timestamp, size, sha256"
_CHUNK_BYTES = 1 << 20
# Removing so many takes a few milliseconds.
_FILES_PER_TRANSACTION = 50
# Seconds without a write after which a partial copy belongs to a crashed process.
_ABANDONED_AFTER = 3600.0


class Blob(msgspec.Struct, frozen=True):
    """The bytes of a file: their number, and their SHA-256 in hex."""

    size: int
    sha256: str


class NewFile(msgspec.Struct, frozen=True):
    """A file to add to a run.

    Attributes:
        path: the name under which it was logged.
        name: its file name.
        timestamp: microseconds since the epoch.
        source: the path that it was copied from.
        blob: None if its bytes are not stored.
    """

    path: str
    kind: FileKind
    name: str
    step: Step | None
    timestamp: int | None
    source: str
    blob: Blob | None


def folder(db_path: Path) -> Path:
    """The folder with the bytes of the files of a database."""
    return db_path.with_name(db_path.name + "-files")


def blob_path(db_path: Path, sha256: str) -> Path:
    """The path of the bytes with this hash, which may not exist.

    Raises:
        NotFoundError: the hash is invalid; a path made from it could be outside the folder.
    """
    if not re.fullmatch("[0-9a-f]{64}", sha256):
        raise NotFoundError(f"{sha256[:80]!r} is not a SHA-256")
    return folder(db_path) / sha256[:2] / sha256[2:]


def keep(db_path: Path, source: Path) -> Blob:
    """Copy a file into the folder, unless it has the same bytes already.

    Raises:
        OSError: the file cannot be read or the copy cannot be written.
    """
    incoming = Incoming(db_path)
    try:
        with source.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                incoming.write(chunk)
        return incoming.keep()
    finally:
        incoming.discard()


def adopt(db_path: Path, source: Path, blob: Blob) -> bool:
    """Move a file into the folder.

    Call it inside the transaction that adds the row: `forget` cannot remove the bytes meanwhile.

    Args:
        blob: the bytes of the file.

    Returns:
        False if the bytes are neither at `source` nor in the folder.

    Raises:
        OSError: the file cannot be moved.
    """
    path = blob_path(db_path, blob.sha256)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.replace(source, path)  # noqa: PTH105
    except FileNotFoundError:
        return has(db_path, blob)  # moved before by a transaction that failed
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        keep(db_path, source)
        source.unlink()
    return True


class Incoming:
    """A file that is being received in chunks, to be kept or discarded at the end."""

    def __init__(self, db_path: Path) -> None:
        self._db_path = db_path
        self._digest = hashlib.sha256()
        self._size = 0
        root = folder(db_path)
        root.mkdir(parents=True, exist_ok=True)
        # Not by `tempfile`, whose files only their owner can read.
        self._path = root / f"new-{uuid.uuid4().hex}"
        self._copy = self._path.open("xb")

    def write(self, chunk: bytes) -> None:
        """Append a chunk."""
        self._digest.update(chunk)
        self._size += len(chunk)
        self._copy.write(chunk)

    @property
    def sha256(self) -> str:
        """The hash of the chunks so far, in hex."""
        return self._digest.hexdigest()

    def keep(self) -> Blob:
        """Flush the complete file to disk, and move it into the folder."""
        self._copy.flush()
        os.fsync(self._copy.fileno())
        path = blob_path(self._db_path, self._digest.hexdigest())
        path.parent.mkdir(exist_ok=True)
        os.replace(self._path, path)  # noqa: PTH105
        return Blob(self._size, self._digest.hexdigest())

    def discard(self) -> None:
        """Remove the file if it was not kept."""
        self._copy.close()
        with suppress(FileNotFoundError):
            os.unlink(self._path)  # noqa: PTH108


def sweep(db_path: Path) -> None:
    """Remove partial copies of processes that crashed."""
    for path in folder(db_path).glob("new-*"):
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _ABANDONED_AFTER:
                path.unlink()


def in_folder(db_path: Path) -> list[Blob]:
    """All bytes in the folder, whether a row refers to them or not."""
    blobs = []
    for path in folder(db_path).glob("[0-9a-f][0-9a-f]/*"):
        with suppress(FileNotFoundError):
            blobs.append(Blob(path.stat().st_size, path.parent.name + path.name))
    return [blob for blob in blobs if re.fullmatch("[0-9a-f]{64}", blob.sha256)]


def find_bytes(db_path: Path, sha256: str | None) -> Path | None:
    """The path of the bytes with this hash; None if they are not in the folder."""
    path = None if sha256 is None else blob_path(db_path, sha256)
    return path if path is not None and path.is_file() else None


def has(db_path: Path, blob: Blob) -> bool:
    """Whether the folder has these bytes, judged by their size."""
    try:
        return blob_path(db_path, blob.sha256).stat().st_size == blob.size
    except FileNotFoundError:
        return False


async def add(conn: Connection, run_id: int, writer_id: int, files: Iterable[NewFile]) -> None:
    """Add files to a run, whose bytes must be in the folder already."""
    await conn.executemany(
        """
        INSERT INTO files (
            run_id, writer_id, path, kind, name, step, timestamp, source, size, sha256
        )
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
        [
            (
                run_id, writer_id, file.path, file.kind, file.name, file.step, file.timestamp,
                file.source,
                *((file.blob.size, file.blob.sha256) if file.blob else (None, None)),
            )
            for file in files
        ],
    )  # fmt: skip


# Writer, path, kind, name, step, time and source: together unique in a run.
Identity = tuple[int, str, str, str, "Step | None", int | None, str]


class StoredFile(NamedTuple):
    """A file of a run in the database."""

    id: int
    sha256: str | None


def identity(writer_id: int, file: NewFile) -> Identity:
    """What distinguishes a file from the others of its run."""
    return (writer_id, file.path, file.kind, file.name, file.step, file.timestamp, file.source)


async def alike(
    conn: Connection, run_id: int, keys: Collection[Identity]
) -> dict[Identity, list[StoredFile]]:
    """The files of a run with these identities, in the order in which they were added."""
    steps = [step for *_, step, _, _ in keys if step is not None]
    rows = await conn.execute_fetchall(
        """
        SELECT id, sha256, writer_id, path, kind, name, step, timestamp, source
        FROM files
        WHERE run_id = ? AND path IN (SELECT value FROM json_each(?))
          AND (step IS NULL OR step BETWEEN ? AND ?)
        ORDER BY id
        """,
        (
            run_id, json_array({path for _, path, *_ in keys}),
            min(steps, default=None), max(steps, default=None),
        ),
    )  # fmt: skip
    result: dict[Identity, list[StoredFile]] = {key: [] for key in keys}
    for id_, sha256, *key in rows:
        if tuple(key) in result:
            result[tuple(key)].append(StoredFile(id_, sha256))
    return result


async def fill_in(conn: Connection, file_id: int, blobs: Sequence[tuple[str, Blob]]) -> None:
    """Replace a file without bytes by files with bytes.

    Args:
        blobs: the name and the bytes of each.
    """
    await conn.executemany(
        """
        INSERT INTO files (
            run_id, writer_id, path, kind, name, step, timestamp, source, size, sha256
        )
        SELECT
            run_id, writer_id, path, kind, ?/*pg: ::text */, step, timestamp, source,
            ?/*pg: ::bigint */, ?/*pg: ::text */
        FROM files WHERE id = ?
        """,
        [(name, blob.size, blob.sha256, file_id) for name, blob in blobs],
    )
    await conn.execute("DELETE FROM files WHERE id = ?", (file_id,))


# Path, step, microseconds since the epoch, name and row id of a file: the order of lists.
FileKey = tuple[str, "Step | None", int | None, str, int]
# NULL comes first in an order, and compares with nothing.
_ORDER = "path, ifnull(step, -9e999), ifnull(timestamp, -9e999), name, id"
_KEY = "?, ifnull(?, -9e999), ifnull(?, -9e999), ?, ?"


async def list_of_run(
    conn: Connection,
    run_id: int,
    *,
    path: str | None = None,
    limit: int = -1,
    offset: int = 0,
    after: FileKey | None = None,
) -> list[FileRecord]:
    """The files of a run, sorted by path, step, time and name.

    Args:
        path: only files with this path.
        after: the key of the last file of the previous page, in place of an offset.
    """
    beyond = "TRUE" if after is None else f"({_ORDER}) > ({_KEY})"
    rows = await conn.execute_fetchall(
        f"""
        SELECT {_COLUMNS} FROM files
        WHERE run_id = ? AND path = coalesce(?, path) AND {beyond}
        ORDER BY path, step NULLS FIRST, timestamp NULLS FIRST, name, id
        LIMIT ? OFFSET ?
        """,
        (run_id, path, *(after or ()), limit, 0 if after else offset),
    )
    return [_file(*row) for row in rows]


async def list_paths(
    conn: Connection,
    run_id: int,
    *,
    search: str | None,
    limit: int,
    offset: int = 0,
    after: str | None = None,
) -> list[FilePath]:
    """The paths under which a run has files, sorted.

    Args:
        search: only paths that contain this text, in upper or lower case.
        after: the last path of the previous page, in place of an offset.
    """
    rows = await conn.execute_fetchall(
        """
        SELECT path, min(kind), COUNT(*), sum(size), min(step), max(step)
        FROM files
        WHERE run_id = ? AND instr(casefold(path), ?) > 0 AND path > coalesce(?, '')
        GROUP BY path
        ORDER BY path
        LIMIT ? OFFSET ?
        """,
        (run_id, (search or "").casefold(), after, limit, 0 if after else offset),
    )
    return [FilePath(*row) for row in rows]


async def get(conn: Connection, file_id: int) -> FileRecord:
    """The file with this row id.

    Raises:
        NotFoundError: the file does not exist.
    """
    rows = await conn.execute_fetchall(f"SELECT {_COLUMNS} FROM files WHERE id = ?", (file_id,))
    for row in rows:
        return _file(*row)
    raise NotFoundError(f"file {file_id} not found")


async def hashes(conn: Connection, run_ids: Sequence[int]) -> set[str]:
    """The hashes of the files of runs, and of the artifacts that they have logged."""
    rows = await conn.execute_fetchall(
        """
        SELECT sha256 FROM files
        WHERE run_id IN (SELECT value FROM json_each(?1)) AND sha256 IS NOT NULL
        UNION
        SELECT sha256 FROM artifact_files
        WHERE sha256 IS NOT NULL AND version_id IN (
            SELECT version_id FROM artifact_runs
            WHERE role = 'logged' AND run_id IN (SELECT value FROM json_each(?1))
        )
        """,
        (json_array(run_ids),),
    )
    return {sha256 for (sha256,) in rows}


async def hashes_of_artifacts(conn: Connection, project_id: int) -> set[str]:
    """The hashes of the files of the artifacts of a project."""
    rows = await conn.execute_fetchall(
        """
        SELECT DISTINCT sha256 FROM artifact_files
        JOIN artifact_versions ON artifact_versions.id = artifact_files.version_id
        JOIN artifacts ON artifacts.id = artifact_versions.artifact_id
        WHERE project_id = ? AND sha256 IS NOT NULL
        """,
        (project_id,),
    )
    return {sha256 for (sha256,) in rows}


async def is_in_project(conn: Connection, sha256: str, project_id: int) -> bool:
    """Whether a run or an artifact of a project has a file with these bytes."""
    rows = await conn.execute_fetchall(
        """
        SELECT 1 FROM files JOIN runs ON runs.id = files.run_id
        WHERE sha256 = ?1 AND project_id = ?2
        UNION ALL
        SELECT 1 FROM artifact_files
        JOIN artifact_versions ON artifact_versions.id = artifact_files.version_id
        JOIN artifacts ON artifacts.id = artifact_versions.artifact_id
        WHERE sha256 = ?1 AND project_id = ?2
        LIMIT 1
        """,
        (sha256, project_id),
    )
    return bool(list(rows))


async def blobs(conn: Connection) -> list[Blob]:
    """The distinct bytes of all files of all runs and artifacts."""
    rows = await conn.execute_fetchall(
        """
        SELECT max(size), sha256 FROM (
            SELECT size, sha256 FROM files WHERE sha256 IS NOT NULL
            UNION ALL
            SELECT size, sha256 FROM artifact_files WHERE sha256 IS NOT NULL
        ) AS stored
        GROUP BY sha256
        """
    )
    return [Blob(*row) for row in rows]


async def forget(db: Database, hashes: Collection[str]) -> int:
    """Remove bytes that no row refers to, after the deletion of rows has been committed.

    Runs in write transactions, so that no other process can add a row for them meanwhile.

    Args:
        hashes: those of the deleted rows.

    Returns:
        The number of bytes removed.
    """
    freed, remaining = 0, sorted(hashes)
    while remaining:
        chunk, remaining = remaining[:_FILES_PER_TRANSACTION], remaining[_FILES_PER_TRANSACTION:]
        async with db.write() as conn:
            rows = await conn.execute_fetchall(
                """
                SELECT value FROM json_each(?)
                WHERE NOT EXISTS (SELECT 1 FROM files WHERE sha256 = value)
                  AND NOT EXISTS (SELECT 1 FROM artifact_files WHERE sha256 = value)
                """,
                (json_array(chunk),),
            )
            for (sha256,) in rows:
                freed += _remove_bytes(blob_path(db.path, sha256))
    return freed


def _remove_bytes(path: Path) -> int:
    freed = 0
    with suppress(FileNotFoundError):
        freed = path.stat().st_size
        path.unlink()
    with suppress(OSError):  # not empty
        path.parent.rmdir()
    return freed


def _file(
    id_: int,
    run_id: int,
    path: str,
    kind: str,
    name: str,
    step: Step | None,
    timestamp: int | None,
    size: int | None,
    sha256: str | None,
) -> FileRecord:
    return FileRecord(
        id=id_,
        run_id=run_id,
        path=path,
        kind=kind,
        name=name,
        step=step,
        timestamp=None if timestamp is None else utc(timestamp),
        size=size,
        sha256=sha256,
    )
