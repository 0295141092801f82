"""Files of runs: a row for each in the database, the bytes in a folder beside it.

The folder is addressed by content: two runs with the same file share one copy. Bytes come before
the row that names them, and go after the last row that did; what a crash leaves in between is a
copy that nothing names.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import tempfile
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from trackai.errors import NotFoundError
from trackai.structs.records import FilePath, FileRecord
from trackai.values.times import utc
from trackai.values.types import FileKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    from aiosqlite import Connection

    from trackai.store.engine.database import Database
    from trackai.values.types import Step

_COLUMNS = "id, run_id, path, kind, name, step, timestamp, size, sha256"
_CHUNK = 1 << 20
_ABANDONED_AFTER = 3600.0


class Blob(msgspec.Struct, frozen=True):
    """Bytes in the folder: their number and SHA-256 in hex."""

    size: int
    sha256: str


class NewFile(msgspec.Struct, frozen=True):
    """A file to note; without a blob, only that it existed."""

    path: str
    kind: FileKind
    name: str
    step: Step | None
    timestamp: int | None
    source: str
    blob: Blob | None


def folder(db_path: Path) -> Path:
    """Where the bytes of a database's files lie."""
    return db_path.with_name(db_path.name + "-files")


def blob_path(db_path: Path, sha256: str) -> Path:
    """Where the bytes with that hash lie.

    Raises:
        NotFoundError: it is no hash; a path made from it could lead anywhere.
    """
    if not re.fullmatch("[0-9a-f]{64}", sha256):
        raise NotFoundError(f"{sha256[:80]!r} is no SHA-256")
    return folder(db_path) / sha256[:2] / sha256[2:]


def keep(db_path: Path, source: Path) -> Blob:
    """Copy a file's bytes into the folder, once.

    Raises:
        OSError: the file cannot be read, or the copy not written.
    """
    incoming = Incoming(db_path)
    try:
        with source.open("rb") as read:
            while chunk := read.read(_CHUNK):
                incoming.write(chunk)
        return incoming.keep()
    finally:
        incoming.discard()


def adopt(db_path: Path, source: Path, blob: Blob) -> bool:
    """Move a file whose bytes these are into the folder; False if it is in neither place.

    It belongs into the transaction that names them: nobody removes them meanwhile.

    Raises:
        OSError: it cannot be moved.
    """
    path = blob_path(db_path, blob.sha256)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.replace(source, path)  # noqa: PTH105
    except FileNotFoundError:
        return has(db_path, blob)  # a transaction that failed has moved it
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        keep(db_path, source)
        source.unlink()
    return True


class Incoming:
    """Bytes that come in pieces: they are kept, or discarded at the end."""

    def __init__(self, db_path: Path) -> None:
        self._db_path = db_path
        self._digest = hashlib.sha256()
        self._size = 0
        root = folder(db_path)
        root.mkdir(parents=True, exist_ok=True)
        self._copy = tempfile.NamedTemporaryFile(dir=root, prefix="new-", delete=False)  # noqa: SIM115

    def write(self, chunk: bytes) -> None:
        """Add bytes to those that are there."""
        self._digest.update(chunk)
        self._size += len(chunk)
        self._copy.write(chunk)

    @property
    def sha256(self) -> str:
        """The hash of what has come so far."""
        return self._digest.hexdigest()

    def keep(self) -> Blob:
        """Put the bytes, which are complete, in their place."""
        self._copy.flush()
        os.fsync(self._copy.fileno())
        path = blob_path(self._db_path, self._digest.hexdigest())
        path.parent.mkdir(exist_ok=True)
        os.replace(self._copy.name, path)  # noqa: PTH105
        return Blob(self._size, self._digest.hexdigest())

    def discard(self) -> None:
        """Leave nothing behind of what was not kept."""
        self._copy.close()
        with suppress(FileNotFoundError):
            os.unlink(self._copy.name)  # noqa: PTH108


def sweep(db_path: Path) -> None:
    """Remove bytes of which half were copied when somebody was killed."""
    for path in folder(db_path).glob("new-*"):
        with suppress(FileNotFoundError):
            # Whoever is still copying has written something meanwhile.
            if time.time() - path.stat().st_mtime > _ABANDONED_AFTER:
                path.unlink()


def find_bytes(db_path: Path, sha256: str | None) -> Path | None:
    """Where the bytes with that hash lie; None if they are not there."""
    path = None if sha256 is None else blob_path(db_path, sha256)
    return path if path is not None and path.is_file() else None


def has(db_path: Path, blob: Blob) -> bool:
    """Whether the folder holds these bytes, by their size."""
    try:
        return blob_path(db_path, blob.sha256).stat().st_size == blob.size
    except FileNotFoundError:
        return False


async def add(conn: Connection, run_id: int, writer_id: int, new: Iterable[NewFile]) -> None:
    """Note files of a run; their bytes are in the folder already."""
    await conn.executemany(
        """
        INSERT INTO files (
            run_id, writer_id, path, kind, name, step, timestamp, source, size, sha256
        )
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
        [
            (
                run_id, writer_id, one.path, one.kind, one.name, one.step, one.timestamp,
                one.source,
                *((one.blob.size, one.blob.sha256) if one.blob else (None, None)),
            )
            for one in new
        ],
    )  # fmt: skip


# What makes files of a run the same: writer, path, kind, name, step, time and source.
Identity = tuple[int, str, str, str, "Step | None", int | None, str]


class StoredFile(NamedTuple):
    """A file that is noted already."""

    id: int
    identity: Identity
    sha256: str | None


def identity(writer_id: int, new: NewFile) -> Identity:
    """What tells a file of a run from the others."""
    return (writer_id, new.path, new.kind, new.name, new.step, new.timestamp, new.source)


async def stored(conn: Connection, run_id: int) -> list[StoredFile]:
    """The files of a run, as they are told from others."""
    rows = await conn.execute_fetchall(
        """
        SELECT id, sha256, writer_id, path, kind, name, step, timestamp, source
        FROM files WHERE run_id = ? ORDER BY id
        """,
        (run_id,),
    )
    return [StoredFile(id_, tuple(key), sha256) for id_, sha256, *key in rows]


async def fill_in(conn: Connection, file_id: int, blobs: Sequence[tuple[str, Blob]]) -> None:
    """Put the bytes that have turned up, with their names, in the place of a file without any."""
    await conn.executemany(
        """
        INSERT INTO files (
            run_id, writer_id, path, kind, name, step, timestamp, source, size, sha256
        )
        SELECT run_id, writer_id, path, kind, ?, step, timestamp, source, ?, ?
        FROM files WHERE id = ?
        """,
        [(name, blob.size, blob.sha256, file_id) for name, blob in blobs],
    )
    await conn.execute("DELETE FROM files WHERE id = ?", (file_id,))


async def list_of_run(
    conn: Connection, run_id: int, *, path: str | None = None, limit: int = -1, offset: int = 0
) -> list[FileRecord]:
    """The files of a run, or those of one path, sorted by path, step and name."""
    rows = await conn.execute_fetchall(
        f"""
        SELECT {_COLUMNS} FROM files
        WHERE run_id = ? AND path = coalesce(?, path)
        ORDER BY path, step, timestamp, name, id
        LIMIT ? OFFSET ?
        """,
        (run_id, path, limit, offset),
    )
    return [_file(*row) for row in rows]


async def list_paths(
    conn: Connection, run_id: int, *, search: str | None, limit: int, offset: int
) -> list[FilePath]:
    """The names under which a run has files, sorted; with `search`, those that hold it."""
    rows = await conn.execute_fetchall(
        """
        SELECT path, min(kind), COUNT(*), sum(size), min(step), max(step) FROM files
        WHERE run_id = ? AND instr(casefold(path), ?)
        GROUP BY path
        ORDER BY path
        LIMIT ? OFFSET ?
        """,
        (run_id, (search or "").casefold(), limit, offset),
    )
    return [FilePath(*row) for row in rows]


async def get(conn: Connection, file_id: int) -> FileRecord:
    """The file with that row id.

    Raises:
        NotFoundError: there is none.
    """
    rows = await conn.execute_fetchall(f"SELECT {_COLUMNS} FROM files WHERE id = ?", (file_id,))
    for row in rows:
        return _file(*row)
    raise NotFoundError(f"there is no file with the id {file_id}")


async def hashes(conn: Connection, run_ids: Sequence[int]) -> set[str]:
    """The hashes of the bytes of these runs' files."""
    rows = await conn.execute_fetchall(
        """
        SELECT DISTINCT sha256 FROM files
        WHERE run_id IN (SELECT value FROM json_each(?)) AND sha256 IS NOT NULL
        """,
        (msgspec.json.encode(run_ids).decode(),),
    )
    return {sha256 for (sha256,) in rows}


async def blobs(conn: Connection) -> list[Blob]:
    """The bytes of all files of all runs, each once."""
    rows = await conn.execute_fetchall(
        "SELECT max(size), sha256 FROM files WHERE sha256 IS NOT NULL GROUP BY sha256"
    )
    return [Blob(*row) for row in rows]


async def forget(db: Database, candidates: Collection[str]) -> int:
    """Remove those bytes that no row names any more, after the rows are gone for good.

    In a write transaction of its own: nobody can then be about to name them again.

    Returns:
        How many bytes that gives back to the file system.
    """
    if not candidates:
        return 0
    freed = 0
    async with db.write() as conn:
        rows = await conn.execute_fetchall(
            """
            SELECT value FROM json_each(?)
            WHERE value NOT IN (SELECT sha256 FROM files WHERE sha256 IS NOT NULL)
            """,
            (msgspec.json.encode(sorted(candidates)).decode(),),
        )
        for (sha256,) in rows:
            path = blob_path(db.path, sha256)
            with suppress(FileNotFoundError):
                size = path.stat().st_size
                path.unlink()
                freed += size
            with suppress(OSError):  # others lie there
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
