"""trackai archive, unarchive, trash, restore"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from trackai.cli.database import db_option, find_server, url_option, with_database
from trackai.cli.matching import change_matching, filter_option, print_matching, read_matching
from trackai.cli.output import echo, json_option, pluralize, print_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from trackai.store.engine.store import Store
    from trackai.structs.records import BulkProgress, Run
    from trackai.values.types import KeepVerb


def _arguments(verb: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the arguments and options that the four commands share."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        for decorator in (
            json_option,
            db_option,
            url_option,
            filter_option(f"{verb} all runs that match a condition, instead of RUN."),
            click.argument("run", nargs=-1),
        ):
            function = decorator(function)
        return function

    return add


@click.command()
@_arguments("Archive")
def archive(**arguments: Any) -> None:
    """Archive runs: lists, tables, charts and counts leave them out.

    RUN is an id, a slug, project/slug, a name, or "latest".
    """
    _keep("archive", "archived", **arguments)


@click.command()
@_arguments("Take out")
def unarchive(**arguments: Any) -> None:
    """Take runs out of the archive.

    RUN is an id, a slug, project/slug, or a name. A --filter is about archived runs.
    """
    _keep("unarchive", "unarchived", **arguments)


@click.command()
@_arguments("Move")
def trash(**arguments: Any) -> None:
    """Move runs to the trash, from which `trackai restore` takes them.

    RUN is an id, a slug, project/slug, a name, or "latest".
    """
    _keep("trash", "moved to the trash:", **arguments)


@click.command()
@_arguments("Restore")
def restore(**arguments: Any) -> None:
    """Take runs out of the trash.

    RUN is an id, a slug, project/slug, or a name. A --filter is about runs in the trash.
    """
    _keep("restore", "restored", **arguments)


# The filters of these commands are about runs that a filter leaves out.
_ALREADY: dict[KeepVerb, str] = {"unarchive": "archived = true", "restore": "trashed = true"}


def _keep(
    how: KeepVerb,
    verb: str,
    *,
    run: tuple[str, ...],
    condition: str | None,
    url: str | None,
    db: str | None,
    as_json: bool,
) -> None:
    from trackai.store.upkeep.bulk_changes import KEEPING

    if bool(run) == (condition is not None):
        raise click.UsageError("pass either runs or --filter")
    if condition is not None:
        if how in _ALREADY:
            # An error has the position in what was passed.
            read_matching(db, url, condition, limit=1)
            condition = f"({condition}) and {_ALREADY[how]}"
        changed, _ = change_matching(db, url, condition, KEEPING[how], {"type": how})
        print_matching(verb, changed, as_json=as_json)
        return
    ids = _change(how, run, url, db)
    if as_json:
        print_json(changed=len(ids), run_ids=ids)
    else:
        echo(f"{verb} {pluralize(len(ids), 'run')}")


def _change(how: KeepVerb, names: tuple[str, ...], url: str | None, db: str | None) -> list[int]:
    """Change named runs; returns the row ids of those that were not there already."""
    from trackai.store.catalogue import run_tables, runs
    from trackai.store.upkeep import bulk_changes

    server = find_server(db, url)
    if server is not None:
        return server.keep_many([server.resolve(name).id for name in names], how)

    async def resolve(database: Store) -> list[Run]:
        async with database.read() as conn:
            return [await runs.resolve(conn, name) for name in names]

    async def work(database: Store) -> list[int]:
        ids = tuple(record.id for record in await resolve(database))
        where = run_tables.RunFilter(ids=ids)
        changed: list[int] = []
        after: int | None = 0
        while after is not None:
            progress: BulkProgress = await bulk_changes.change(
                database, where, bulk_changes.KEEPING[how], after=after
            )
            changed += progress.run_ids or []
            after = progress.cursor
        return changed

    return with_database(db, work)
