"""Versions of artifacts: stored with a number of their own, changed, and deleted with their runs.

The same contents are the same version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from trackai.store.engine.sql import fetch_integer, json_array, lock
from trackai.structs.records import ArtifactFile  # noqa: TC001 - for msgspec
from trackai.values.artifact_names import LATEST, digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from trackai.store.engine.connection import Connection


# Tables with rows of a version: all that `release` deletes.
VERSION_TABLES = ("artifact_files", "artifact_aliases", "artifact_runs")


class NewVersion(msgspec.Struct, kw_only=True):
    """A version to store.

    Attributes:
        type: "" for an artifact without a type.
        aliases: without "latest".
        description, metadata: None to keep those of a version with the same contents.
        metadata: a JSON object.
        timestamp: when it was logged, microseconds since the epoch.
        created_at, logged_at: when it was logged first and last in another database.
    """

    type: str
    name: str
    files: list[ArtifactFile]
    aliases: Sequence[str] = ()
    tags: Sequence[str] = ()
    description: str | None = None
    metadata: str | None = None
    timestamp: int
    created_at: int | None = None
    logged_at: int | None = None

    @property
    def digest(self) -> str:
        """The digest of its contents."""
        return digest((file.name, file.reference or file.sha256) for file in self.files)


async def add(conn: Connection, project_id: int, run_id: int, new: NewVersion) -> int:
    """Store a version that a run has logged, which becomes the latest one.

    If the artifact has a version with the same contents, that gets the aliases and tags, and the
    description and metadata if there are any.

    Returns:
        The row id of the version.
    """
    artifact_id = await _get_or_create(conn, project_id, new.type, new.name)
    await lock(conn, "artifacts", [artifact_id])
    last = await fetch_integer(
        conn, "SELECT max(logged_at) FROM artifact_versions WHERE artifact_id = ?", artifact_id
    )
    logged_at = new.timestamp if last is None else max(new.timestamp, last + 1)
    version_id = await _find_equal(conn, artifact_id, new.digest)
    if version_id is None:
        version = await _take_number(conn, artifact_id)
        version_id = await _insert(conn, artifact_id, version, new, logged_at=logged_at)
    else:
        await _update(conn, version_id, new, logged_at=logged_at)
    await set_aliases(conn, version_id, add=new.aliases)
    await _note_run(conn, version_id, "logged", run_id, new.timestamp)
    return version_id


async def load(
    conn: Connection, project_id: int, run_id: int, new: NewVersion, version: int
) -> int | None:
    """Store a version of another database, under its number if that is free.

    What is here stays: aliases, and the description of a version with the same contents.

    Returns:
        The number of the version here; None if it was here already.
    """
    artifact_id = await _get_or_create(conn, project_id, new.type, new.name)
    await lock(conn, "artifacts", [artifact_id])
    version_id = await _find_equal(conn, artifact_id, new.digest)
    number = None
    if version_id is None:
        taken = await fetch_integer(
            conn,
            "SELECT 1 FROM artifact_versions WHERE artifact_id = ? AND version = ?",
            artifact_id, version,
        )  # fmt: skip
        number = await _take_number(conn, artifact_id, None if taken else version)
        logged_at = new.timestamp if new.logged_at is None else new.logged_at
        while await fetch_integer(
            conn,
            "SELECT 1 FROM artifact_versions WHERE artifact_id = ? AND logged_at = ?",
            artifact_id, logged_at,
        ):  # fmt: skip
            logged_at += 1
        version_id = await _insert(conn, artifact_id, number, new, logged_at=logged_at)
    await conn.executemany(
        """
        INSERT INTO artifact_aliases (artifact_id, alias, version_id) VALUES (?, ?, ?)
        ON CONFLICT DO NOTHING
        """,
        [(artifact_id, alias, version_id) for alias in new.aliases if alias != LATEST],
    )
    await _note_run(conn, version_id, "logged", run_id, new.timestamp)
    return number


async def use(conn: Connection, version_id: int, run_id: int, *, now: int) -> None:
    """Record that a run uses a version."""
    await _note_run(conn, version_id, "used", run_id, now)


async def set_aliases(
    conn: Connection, version_id: int, *, add: Iterable[str] = (), remove: Iterable[str] = ()
) -> None:
    """Give aliases to a version, which other versions of the artifact lose, and remove others."""
    await conn.executemany(
        "DELETE FROM artifact_aliases WHERE version_id = ? AND alias = ?",
        [(version_id, alias) for alias in remove],
    )
    await conn.executemany(
        """
        INSERT INTO artifact_aliases (artifact_id, alias, version_id)
        SELECT artifact_id, ?/*pg: ::text */, id FROM artifact_versions WHERE id = ?
        ON CONFLICT (artifact_id, alias) DO UPDATE SET version_id = excluded.version_id
        """,
        [(alias, version_id) for alias in add if alias != LATEST],
    )


async def describe(
    conn: Connection, version_id: int, *, description: str | None, metadata: str | None
) -> None:
    """Change the description and the metadata of a version; None for no change."""
    await conn.execute(
        """
        UPDATE artifact_versions
        SET description = coalesce(?, description), metadata = coalesce(?, metadata)
        WHERE id = ?
        """,
        (description, metadata, version_id),
    )


async def release(conn: Connection, run_ids: Sequence[int]) -> None:
    """Delete the versions that no other run has logged; call it before runs are deleted."""
    ids = json_array(run_ids)
    logged = await conn.execute_fetchall(
        """
        SELECT DISTINCT artifact_id FROM artifact_versions
        JOIN artifact_runs ON version_id = artifact_versions.id
        WHERE run_id IN (SELECT value FROM json_each(?)) AND role = 'logged'
        """,
        (ids,),
    )
    await lock(conn, "artifacts", [artifact_id for (artifact_id,) in logged])
    released = await conn.execute_fetchall(
        """
        SELECT id FROM artifact_versions
        WHERE id IN (
            SELECT version_id FROM artifact_runs
            WHERE run_id IN (SELECT value FROM json_each(?1)) AND role = 'logged'
        ) AND NOT EXISTS (
            SELECT 1 FROM artifact_runs
            WHERE version_id = artifact_versions.id AND role = 'logged'
              AND run_id NOT IN (SELECT value FROM json_each(?1))
        )
        """,
        (ids,),
    )
    versions = json_array(version_id for (version_id,) in released)
    for table, column, values in (
        *((table, "version_id", versions) for table in VERSION_TABLES),
        ("artifact_versions", "id", versions),
        ("artifact_runs", "run_id", ids),
    ):
        await conn.execute(
            f"DELETE FROM {table} WHERE {column} IN (SELECT value FROM json_each(?))", (values,)
        )


async def _get_or_create(conn: Connection, project_id: int, type_: str, name: str) -> int:
    await conn.execute(
        "INSERT INTO artifacts (project_id, type, name) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (project_id, type_, name),
    )
    artifact_id = await fetch_integer(
        conn,
        "SELECT id FROM artifacts WHERE project_id = ? AND type = ? AND name = ?",
        project_id, type_, name,
    )  # fmt: skip
    assert artifact_id is not None  # noqa: S101 - for mypy
    return artifact_id


async def _take_number(conn: Connection, artifact_id: int, version: int | None = None) -> int:
    """The next number of an artifact, or `version`; it is not given again."""
    number = version
    if number is None:
        number = await fetch_integer(
            conn, "SELECT next_version FROM artifacts WHERE id = ?", artifact_id
        )
        assert number is not None  # noqa: S101 - for mypy
    await conn.execute(
        "UPDATE artifacts SET next_version = max(next_version, ?) WHERE id = ?",
        (number + 1, artifact_id),
    )
    return number


async def _find_equal(conn: Connection, artifact_id: int, digest: str) -> int | None:
    return await fetch_integer(
        conn,
        "SELECT id FROM artifact_versions WHERE artifact_id = ? AND digest = ?",
        artifact_id, digest,
    )  # fmt: skip


async def _insert(
    conn: Connection, artifact_id: int, version: int, new: NewVersion, *, logged_at: int
) -> int:
    version_id = await fetch_integer(
        conn,
        """
        INSERT INTO artifact_versions (
            artifact_id, version, digest, description, metadata, tags, created_at, logged_at
        )
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        RETURNING id
        """,
        artifact_id, version, new.digest, new.description, new.metadata or "{}",
        _json_text(list(dict.fromkeys(new.tags))),
        new.timestamp if new.created_at is None else new.created_at, logged_at,
    )  # fmt: skip
    assert version_id is not None  # noqa: S101 - for mypy
    await conn.executemany(
        """
        INSERT INTO artifact_files (version_id, name, size, sha256, reference)
        VALUES (?, ?, ?, ?, ?)
        """,
        [(version_id, file.name, file.size, file.sha256, file.reference) for file in new.files],
    )
    return version_id


async def _update(conn: Connection, version_id: int, new: NewVersion, *, logged_at: int) -> None:
    rows = await conn.execute_fetchall(
        "SELECT tags FROM artifact_versions WHERE id = ?", (version_id,)
    )
    tags = {tag for (stored,) in rows for tag in msgspec.json.decode(stored)}
    await conn.execute(
        """
        UPDATE artifact_versions SET
            description = coalesce(?, description), metadata = coalesce(?, metadata),
            tags = ?, logged_at = ?
        WHERE id = ?
        """,
        (
            new.description, new.metadata, _json_text(sorted(tags.union(new.tags))), logged_at,
            version_id,
        ),
    )  # fmt: skip


async def _note_run(
    conn: Connection, version_id: int, role: str, run_id: int, timestamp: int
) -> None:
    await conn.execute(
        """
        INSERT INTO artifact_runs (version_id, role, run_id, timestamp) VALUES (?, ?, ?, ?)
        ON CONFLICT DO NOTHING
        """,
        (version_id, role, run_id, timestamp),
    )


def _json_text(values: list[str]) -> str:
    return msgspec.json.encode(values).decode()
