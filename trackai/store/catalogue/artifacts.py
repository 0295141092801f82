"""Artifacts: named sets of files, in versions that are numbered when they are stored.

The same contents are the same version. The bytes of the files are those of `files`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from trackai.errors import InvalidInputError, NotFoundError
from trackai.store.engine.sql import json_array, lock
from trackai.structs.records import ArtifactFile, ArtifactVersion
from trackai.values.artifact_names import LATEST, digest, references, version_number
from trackai.values.times import utc

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from trackai.store.engine.connection import Connection
    from trackai.values.artifact_names import ArtifactRef

_IS_LATEST = """
    NOT EXISTS (
        SELECT 1 FROM artifact_versions AS later
        WHERE later.artifact_id = artifact_versions.artifact_id
          AND later.logged_at > artifact_versions.logged_at
    )
"""
_SELECT = f"""
    SELECT
        artifact_versions.id, artifacts.project_id, projects.name, artifacts.type, artifacts.name,
        artifact_versions.version,
        (
            SELECT json_group_array(alias) FROM (
                SELECT alias FROM artifact_aliases
                WHERE version_id = artifact_versions.id
                UNION ALL
                SELECT '{LATEST}' WHERE {_IS_LATEST}
                ORDER BY alias
            ) AS sorted
        ),
        artifact_versions.tags, artifact_versions.digest, artifact_versions.description,
        artifact_versions.metadata, artifact_versions.created_at,
        (SELECT COUNT(*) FROM artifact_files WHERE version_id = artifact_versions.id),
        (SELECT coalesce(sum(size), 0) FROM artifact_files
         WHERE version_id = artifact_versions.id),
        (
            SELECT run_id FROM artifact_runs
            WHERE version_id = artifact_versions.id AND role = 'logged'
            ORDER BY timestamp, run_id LIMIT 1
        ),
        (
            SELECT json_group_array(run_id) FROM artifact_runs
            WHERE version_id = artifact_versions.id AND role = 'used'
        )
    FROM artifact_versions
    JOIN artifacts ON artifacts.id = artifact_versions.artifact_id
    JOIN projects ON projects.id = artifacts.project_id
"""
# Tables with rows of a version: all that `release` deletes.
VERSION_TABLES = ("artifact_files", "artifact_aliases", "artifact_runs")
# The names in an error about an artifact that was not found.
_MAX_HINTS = 10


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
    last = await _value(
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
        taken = await _value(
            conn,
            "SELECT 1 FROM artifact_versions WHERE artifact_id = ? AND version = ?",
            artifact_id, version,
        )  # fmt: skip
        number = await _take_number(conn, artifact_id, None if taken else version)
        logged_at = new.timestamp if new.logged_at is None else new.logged_at
        while await _value(
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


async def find(
    conn: Connection, project_id: int, type_: str, name: str, version: int
) -> int | None:
    """The row id of a version; None if it does not exist."""
    return await _value(
        conn,
        """
        SELECT artifact_versions.id FROM artifact_versions
        JOIN artifacts ON artifacts.id = artifact_versions.artifact_id
        WHERE project_id = ? AND type = ? AND name = ? AND version = ?
        """,
        project_id, type_, name, version,
    )  # fmt: skip


async def get(conn: Connection, version_id: int) -> ArtifactVersion:
    """The version with this row id.

    Raises:
        NotFoundError: it does not exist.
    """
    rows = await conn.execute_fetchall(f"{_SELECT} WHERE artifact_versions.id = ?", (version_id,))
    for row in rows:
        return _version(row)
    raise NotFoundError(f"artifact version {version_id} not found")


async def resolve(
    conn: Connection, text: str, *, project: str | None = None, type_: str | None = None
) -> ArtifactVersion:
    """The version that a text such as "project/name:alias" means.

    Args:
        project: the name or slug of the project of a text that has none; None for any.
        type_: only artifacts of this type.

    Raises:
        NotFoundError: it does not exist.
        InvalidInputError: there are several; they are listed.
    """
    for ref in references(text, project):
        found = await _matching(conn, ref, type_)
        if len(found) == 1:
            return found[0]
        if found:
            names = sorted(f"{each.project}/{each.name} ({each.type or '-'})" for each in found)
            raise InvalidInputError(
                "artifact",
                f"{text!r} is ambiguous: {', '.join(names[:_MAX_HINTS])}; "
                "pass the project or the type",
            )
    raise NotFoundError(await _not_found(conn, text, project, type_))


async def list_page(
    conn: Connection,
    *,
    project_id: int | None = None,
    type_: str | None = None,
    name: str | None = None,
    run_id: int | None = None,
    digest: str | None = None,
    limit: int,
    before: int | None = None,
) -> list[ArtifactVersion]:
    """The versions with these properties, the newest first.

    Args:
        run_id: only versions that this run has logged or used.
        before: the row id of the last version of the previous page.
    """
    rows = await conn.execute_fetchall(
        f"""
        {_SELECT}
        WHERE artifacts.project_id = coalesce(?1, artifacts.project_id)
          AND artifacts.type = coalesce(?2, artifacts.type)
          AND artifacts.name = coalesce(?3, artifacts.name)
          AND artifact_versions.digest = coalesce(?4, artifact_versions.digest)
          AND (artifact_versions.id < ?5 OR ?5 IS NULL)
          AND (artifact_versions.id IN (
              SELECT version_id FROM artifact_runs WHERE artifact_runs.run_id = ?6
          ) OR ?6 IS NULL)
        ORDER BY artifact_versions.id DESC
        LIMIT ?7
        """,
        (project_id, type_, name, digest, before, run_id, limit),
    )
    return [_version(row) for row in rows]


async def list_files(
    conn: Connection, version_id: int, *, limit: int = -1, after: str | None = None
) -> list[ArtifactFile]:
    """The files of a version, sorted by name.

    Args:
        after: the name of the last file of the previous page.
    """
    rows = await conn.execute_fetchall(
        """
        SELECT name, size, sha256, reference FROM artifact_files
        WHERE version_id = ? AND name > coalesce(?, '')
        ORDER BY name
        LIMIT ?
        """,
        (version_id, after, limit),
    )
    return [_file(row) for row in rows]


async def get_file(conn: Connection, version_id: int, name: str) -> ArtifactFile:
    """A file of a version.

    Raises:
        NotFoundError: the version does not exist, or has no such file.
    """
    rows = await conn.execute_fetchall(
        """
        SELECT name, size, sha256, reference FROM artifact_files
        WHERE version_id = ? AND name = ?
        """,
        (version_id, name),
    )
    for row in rows:
        return _file(row)
    version = await get(conn, version_id)
    raise NotFoundError(f"artifact {version.name}:v{version.version} has no file {name!r}")


class RunVersion(NamedTuple):
    """A version that a run has logged or used.

    Attributes:
        role: "logged" or "used".
        timestamp: when, microseconds since the epoch.
        logged_at: when any run has logged it last, microseconds since the epoch.
    """

    role: Any
    timestamp: int
    logged_at: int
    version: ArtifactVersion


async def list_of_run(conn: Connection, run_id: int) -> list[RunVersion]:
    """The versions that a run has logged or used, in their order."""
    rows = await conn.execute_fetchall(
        """
        SELECT role, timestamp, logged_at, version_id
        FROM artifact_runs JOIN artifact_versions ON artifact_versions.id = version_id
        WHERE run_id = ? ORDER BY version_id, role
        """,
        (run_id,),
    )
    return [
        RunVersion(role, timestamp, logged_at, await get(conn, version_id))
        for role, timestamp, logged_at, version_id in rows
    ]


async def find_by_digest(
    conn: Connection, project_id: int, type_: str, name: str, digest: str
) -> int | None:
    """The row id of the version with these contents; None if it does not exist."""
    return await _value(
        conn,
        """
        SELECT artifact_versions.id FROM artifact_versions
        JOIN artifacts ON artifacts.id = artifact_versions.artifact_id
        WHERE project_id = ? AND type = ? AND name = ? AND digest = ?
        """,
        project_id, type_, name, digest,
    )  # fmt: skip


async def _get_or_create(conn: Connection, project_id: int, type_: str, name: str) -> int:
    await conn.execute(
        "INSERT INTO artifacts (project_id, type, name) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (project_id, type_, name),
    )
    artifact_id = await _value(
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
        number = await _value(conn, "SELECT next_version FROM artifacts WHERE id = ?", artifact_id)
        assert number is not None  # noqa: S101 - for mypy
    await conn.execute(
        "UPDATE artifacts SET next_version = max(next_version, ?) WHERE id = ?",
        (number + 1, artifact_id),
    )
    return number


async def _find_equal(conn: Connection, artifact_id: int, digest: str) -> int | None:
    return await _value(
        conn,
        "SELECT id FROM artifact_versions WHERE artifact_id = ? AND digest = ?",
        artifact_id, digest,
    )  # fmt: skip


async def _insert(
    conn: Connection, artifact_id: int, version: int, new: NewVersion, *, logged_at: int
) -> int:
    version_id = await _value(
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


async def _matching(conn: Connection, ref: ArtifactRef, type_: str | None) -> list[ArtifactVersion]:
    """The versions that a reference means, of several types or projects."""
    rows = await conn.execute_fetchall(
        f"""
        {_SELECT}
        WHERE artifacts.name = ?1
          AND artifacts.type = coalesce(?2, artifacts.type)
          AND (artifacts.project_id = (
              SELECT id FROM projects WHERE name = ?3 OR slug = ?3 ORDER BY name != ?3 LIMIT 1
          ) OR ?3 IS NULL)
          AND CASE
              WHEN ?4/*pg: ::bigint */ IS NOT NULL THEN artifact_versions.version = ?4
              WHEN ?5 = '{LATEST}' THEN {_IS_LATEST}
              ELSE artifact_versions.id = (
                  SELECT version_id FROM artifact_aliases
                  WHERE artifact_id = artifacts.id AND alias = ?5
              )
          END
        """,
        (ref.name, type_, ref.project, version_number(ref.selector), ref.selector),
    )
    return [_version(row) for row in rows]


async def _not_found(conn: Connection, text: str, project: str | None, type_: str | None) -> str:
    """Say that an artifact does not exist, or which versions and aliases it has instead."""
    for ref in references(text, project):
        if latest := await _matching(conn, ref._replace(selector=LATEST), type_):
            versions = await list_page(
                conn, project_id=latest[0].project_id, type_=latest[0].type, name=ref.name,
                limit=_MAX_HINTS,
            )  # fmt: skip
            names = [name for each in versions for name in (f"v{each.version}", *each.aliases)]
            return (
                f"artifact {ref.name!r} has no version or alias {ref.selector!r}; "
                f"it has {', '.join(names)}"
            )
    where = f" in project {project!r}" if project is not None else ""
    kind = f" of type {type_!r}" if type_ is not None else ""
    return f"artifact {text!r}{kind} not found{where}"


async def _value(conn: Connection, query: str, *values: Any) -> int | None:
    """The integer that a query returns; None without a row."""
    for (value,) in await conn.execute_fetchall(query, values):
        return None if value is None else int(value)
    return None


def _json_text(values: list[str]) -> str:
    return msgspec.json.encode(values).decode()


def _version(row: Any) -> ArtifactVersion:
    (
        id_, project_id, project, type_, name, version, aliases, tags, digest_, description,
        metadata, created_at, files, size, run_id, used_by,
    ) = row  # fmt: skip
    return ArtifactVersion(
        id=id_,
        project_id=project_id,
        project=project,
        type=type_,
        name=name,
        version=version,
        aliases=msgspec.json.decode(aliases),
        tags=msgspec.json.decode(tags),
        digest=digest_,
        description=description,
        metadata=msgspec.json.decode(metadata),
        created_at=utc(created_at),
        files=files,
        size=size,
        run_id=run_id,
        used_by=msgspec.json.decode(used_by),
    )


def _file(row: Any) -> ArtifactFile:
    name, size, sha256, reference = row
    return ArtifactFile(name=name, size=size, sha256=sha256, reference=reference)
