"""Slugs: the short names of projects and runs in addresses and on command lines.

The slug of a project is unique in the database, that of a run in its project.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from trackai.store.engine.connection import Connection

MAX_LENGTH = 80
_DIGEST_DIGITS = 8
# The slug itself, and those that continue it after a hyphen, which a full stop follows in ASCII.
_ALIKE = "slug = ?1 OR (slug > ?1 || '-' AND slug < ?1 || '.')"


def slugify(name: str) -> str:
    """Turn a name into a slug: lower case, with Unicode letters, at most `MAX_LENGTH` characters.

    >>> slugify("My model, v2")
    'my-model-v2'
    """
    name = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"[^\w.]+", "-", name).strip("-")[:MAX_LENGTH] or "unnamed"


def from_run_id(run_id: str) -> str:
    """The slug of the run that processes share under `run_id`; different ids have different slugs.

    An id that is not a slug itself gets a digest of the id at its end.
    """
    slug = slugify(run_id)
    if slug == run_id:
        return slug
    digest = hashlib.sha256(run_id.encode()).hexdigest()[:_DIGEST_DIGITS]
    return f"{slug[: MAX_LENGTH - 1 - _DIGEST_DIGITS].rstrip('-')}-{digest}"


def first_free(slug: str, taken: Collection[str]) -> str:
    """`slug` itself, or the first of `slug-2`, `slug-3` and so on that is not in `taken`."""
    if slug not in taken:
        return slug
    number = 2
    while f"{slug}-{number}" in taken:
        number += 1
    return f"{slug}-{number}"


async def for_new_project(conn: Connection, slug: str) -> str:
    """`slug`, numbered if another project has it."""
    rows = await conn.execute_fetchall(f"SELECT slug FROM projects WHERE {_ALIKE}", (slug,))
    return first_free(slug, {slug for (slug,) in rows})


async def for_new_run(conn: Connection, project_id: int, name: str) -> str:
    """A slug made from `name`, numbered if another run of the project has it."""
    slug = slugify(name)
    rows = await conn.execute_fetchall(
        f"SELECT slug FROM runs WHERE project_id = ?2 AND ({_ALIKE})", (slug, project_id)
    )
    return first_free(slug, {slug for (slug,) in rows})


async def keep_if_free(
    conn: Connection, project_id: int, slug: str, *, run_id: int | None = None
) -> str:
    """`slug` unchanged, or a new slug made from it if another run of the project has it.

    Args:
        run_id: the row id of the run itself; None if it does not exist yet.
    """
    if await run_exists(conn, project_id, slug, except_id=run_id):
        return await for_new_run(conn, project_id, slug)
    return slug


async def run_exists(
    conn: Connection, project_id: int, slug: str, *, except_id: int | None = None
) -> bool:
    """Whether the project has a run with exactly this slug.

    Args:
        except_id: the row id of a run to ignore.
    """
    rows = await conn.execute_fetchall(
        "SELECT 1 FROM runs WHERE project_id = ? AND slug = ? AND id IS NOT ?",
        (project_id, slug, except_id),
    )
    return bool(list(rows))
