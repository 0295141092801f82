"""Artifacts: named sets of files in numbered versions, found and listed.

`artifact_versions` stores them. The bytes of the files are those of `files`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from trackai.errors import InvalidInputError, NotFoundError
from trackai.store.engine.sql import fetch_integer
from trackai.structs.records import ArtifactFile, ArtifactVersion
from trackai.values.artifact_names import LATEST, references, version_number
from trackai.values.times import utc

if TYPE_CHECKING:
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
# The names in an error about an artifact that was not found.
_MAX_HINTS = 10


async def find(
    conn: Connection, project_id: int, type_: str, name: str, version: int
) -> int | None:
    """The row id of a version; None if it does not exist."""
    return await fetch_integer(
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
        versions = await _matching(conn, ref, type_)
        if len(versions) == 1:
            return versions[0]
        if versions:
            names = sorted(f"{each.project}/{each.name} ({each.type or '-'})" for each in versions)
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
    return await fetch_integer(
        conn,
        """
        SELECT artifact_versions.id FROM artifact_versions
        JOIN artifacts ON artifacts.id = artifact_versions.artifact_id
        WHERE project_id = ? AND type = ? AND name = ? AND digest = ?
        """,
        project_id, type_, name, digest,
    )  # fmt: skip


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
