"""Commands that change all runs that match a filter, in a database or on a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import click

from trackai.cli.database import find_server, with_database
from trackai.cli.output import echo, pluralize, print_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from trackai.store.engine.store import Store
    from trackai.store.upkeep.bulk_changes import Change, Deleting
    from trackai.structs.records import BulkProgress, RunRow


def filter_option(text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the option --filter to a command, which gets it as `condition`."""
    return click.option("--filter", "condition", help=f"{text} As in `trackai runs`.")


class Matching(NamedTuple):
    """The newest runs that match, and the number and highest row id of all that match."""

    runs: Sequence[RunRow]
    total: int
    last_id: int


def read_matching(db: str | None, url: str | None, condition: str, *, limit: int) -> Matching:
    """Read the runs that match a filter.

    Raises:
        InvalidInputError: the filter is invalid.
    """
    from trackai.filters.parser import parse_filter
    from trackai.filters.tree import Attribute
    from trackai.store.catalogue import run_tables

    where = run_tables.RunFilter(tree=parse_filter(condition, name="filter"))
    server = find_server(db, url)
    if server is None:

        async def read(database: Store) -> Any:
            async with database.snapshot() as conn:
                return await run_tables.list_page(conn, where, sort_by=Attribute("id"), limit=limit)

        page = with_database(db, read)
    else:
        page = server.list_runs(filter=condition, sort_by="id", limit=limit)
    return Matching(page.runs, page.total, page.runs[0].id if page.runs else 0)


def change_matching(
    db: str | None,
    url: str | None,
    condition: str,
    change: Change | Deleting,
    action: Mapping[str, Any],
) -> tuple[int, int]:
    """Change all runs that match a filter, and show the progress.

    Args:
        change: what to do in a database.
        action: the same for a server.

    Returns:
        The numbers of runs that were changed and of bytes that were freed.

    Raises:
        InvalidInputError: the filter is invalid.
    """
    from trackai.filters.parser import parse_filter
    from trackai.store.catalogue import run_tables
    from trackai.store.upkeep import bulk_changes

    where = run_tables.RunFilter(tree=parse_filter(condition, name="filter"))
    counter = _Counter()
    server = find_server(db, url)
    if server is None:

        async def work(database: Store) -> None:
            after: int | None = 0
            while after is not None:
                after = counter.add(await bulk_changes.change(database, where, change, after=after))

        with_database(db, work)
    else:
        cursor: int | None = 0
        while cursor is not None:
            cursor = counter.add(server.change_matching(condition, action, cursor))
    return counter.runs, counter.bytes


class _Counter:
    """Adds up the steps of a change."""

    def __init__(self) -> None:
        from trackai.cli.progress import ProgressLine

        self.runs = 0
        self.bytes = 0
        self._line = ProgressLine()

    def add(self, progress: BulkProgress) -> int | None:
        """Add a step; returns the cursor of the next one."""
        self.runs += progress.changed
        self.bytes += progress.bytes
        self._line.runs(self.runs, self.runs + progress.remaining)
        return progress.cursor


def print_matching(verb: str, number: int, rest: str = "", *, as_json: bool, **fields: int) -> None:
    """Print how many runs were changed."""
    if as_json:
        print_json(changed=number, **fields)
    elif number == 0:
        echo("no runs match the filter", err=True)
    else:
        echo(f"{verb} {pluralize(number, 'run')}{rest}")
