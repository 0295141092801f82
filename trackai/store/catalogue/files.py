"""Files of runs: a row for each in the database; see `trackai.store.blobs` for their bytes.

Bytes are written before the row that refers to them, and removed after the last such row.
"""

from __future__ import annotations

import time
import uuid
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from trackai.errors import NotFoundError
from trackai.store.blobs.blob_store import ASIDE_SECONDS, Blob
from trackai.store.blobs.folder import FolderBlobs
from trackai.store.blobs.threads import in_thread
from trackai.store.engine.sql import json_array
from trackai.structs.records import FilePath, FileRecord
from trackai.values.times import utc
from trackai.values.types import FileKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    from trackai.store.engine.connection import Connection
    from trackai.store.engine.store import Store
    from trackai.values.types import Step

COLUMNS = "id, run_id, path, kind, name, step, timestamp, size, sha256"
# Removing so many takes a few milliseconds.
_FILES_PER_TRANSACTION = 50


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
    """The folder with the bytes of the files of a database file."""
    return FolderBlobs.beside(db_path).folder


def blob_path(db_path: Path, sha256: str) -> Path:
    """The path of the bytes with this hash in the folder of a database file; may not exist.

    Raises:
        NotFoundError: the hash is invalid.
    """
    return FolderBlobs.beside(db_path).path(sha256)


def find_bytes(db_path: Path, sha256: str | None) -> Path | None:
    """The path of the bytes with this hash in the folder of a database file; None if not there."""
    return FolderBlobs.beside(db_path).find(sha256)


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
        SELECT {COLUMNS} FROM files
        WHERE run_id = ? AND path = coalesce(?, path) AND {beyond}
        ORDER BY path, step NULLS FIRST, timestamp NULLS FIRST, name, id
        LIMIT ? OFFSET ?
        """,
        (run_id, path, *(after or ()), limit, 0 if after else offset),
    )
    return [record(*row) for row in rows]


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
    rows = await conn.execute_fetchall(f"SELECT {COLUMNS} FROM files WHERE id = ?", (file_id,))
    for row in rows:
        return record(*row)
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


async def forget(db: Store, hashes: Collection[str]) -> int:
    """Remove bytes that no row refers to, after the deletion of rows has been committed.

    In a write transaction, if that keeps other processes from adding a row for them meanwhile.

    In a shared place they are set aside first. Those who add a row look for its bytes after the
    commit, and then either does not find them, and they are sent again; or they are set aside only
    afterwards, and the row is seen here.

    Args:
        hashes: those of the deleted rows.

    Returns:
        The number of bytes removed.
    """
    freed, remaining = 0, sorted(hashes)
    while remaining:
        chunk, remaining = remaining[:_FILES_PER_TRANSACTION], remaining[_FILES_PER_TRANSACTION:]
        if db.blobs.is_shared:
            freed += await _forget_shared(db, chunk)
            continue
        async with db.write() as conn:
            for sha256 in await _without_rows(conn, chunk):
                freed += db.blobs.remove(sha256)
    return freed


async def _forget_shared(db: Store, hashes: Sequence[str]) -> int:
    async with db.read() as conn:
        hashes = await _without_rows(conn, hashes)
    if not hashes:
        return 0
    token, deadline = uuid.uuid4().hex, time.monotonic() + ASIDE_SECONDS / 2
    await in_thread(db.blobs.set_aside, hashes, token)
    async with db.read() as conn:
        unused = await _without_rows(conn, hashes)
    await in_thread(db.blobs.put_back, {*hashes} - {*unused}, token)
    return await in_thread(partial(db.blobs.remove_aside, unused, token, deadline=deadline))


async def _without_rows(conn: Connection, hashes: Collection[str]) -> list[str]:
    rows = await conn.execute_fetchall(
        """
        SELECT sha256 FROM files WHERE sha256 IN (SELECT value FROM json_each(?1))
        UNION
        SELECT sha256 FROM artifact_files WHERE sha256 IN (SELECT value FROM json_each(?1))
        """,
        (json_array(hashes),),
    )
    return sorted({*hashes} - {sha256 for (sha256,) in rows})


async def forget_set_aside(db: Store) -> None:
    """Finish the removals of servers that were killed meanwhile."""
    for token, hashes in (await in_thread(db.blobs.left_aside)).items():
        await in_thread(db.blobs.put_back, hashes, token)
        await forget(db, hashes)


def record(
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
    """The file in a row of `COLUMNS`."""
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
