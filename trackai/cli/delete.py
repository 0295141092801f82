"""trackai delete"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from trackai.cli.database import db_option, find_server, url_option, with_database
from trackai.cli.matching import change_matching, filter_option, print_matching, read_matching
from trackai.cli.output import echo, human_bytes, json_option, pluralize, print_json
from trackai.errors import TrackAIError

if TYPE_CHECKING:
    from trackai.reading.remote_source import RemoteSource
    from trackai.store.engine.store import Store
    from trackai.structs.records import Run

# Runs of a filter that the question lists.
_LISTED = 10


@click.command()
@click.argument("run", nargs=-1)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@filter_option("Delete all runs that match a condition, instead of RUN.")
@url_option
@db_option
@json_option
def delete(
    run: tuple[str, ...],
    yes: bool,
    condition: str | None,
    url: str | None,
    db: str | None,
    as_json: bool,
) -> None:
    """Delete runs and all their data.

    RUN is an id, a slug, project/slug, a name, or "latest".
    """
    from trackai.store.catalogue import runs
    from trackai.store.points import series
    from trackai.store.upkeep import deletion

    if bool(run) == (condition is not None):
        raise click.UsageError("pass either runs or --filter")
    if condition is not None:
        _delete_matching(condition, yes, url, db, as_json=as_json)
        return

    async def read(database: Store) -> list[tuple[Run, int]]:
        async with database.read() as conn:
            resolved = [await runs.resolve(conn, name) for name in run]
            return [
                (record, sum(metric.points for metric in await series.summaries(conn, record.id)))
                for record in resolved
            ]

    server = find_server(db, url)
    selected = _read_server(server, run) if server else with_database(db, read)
    if not yes:
        for record, points in selected:
            echo(f"{record.run_id} (id {record.id}), {pluralize(points, 'point')}", err=True)
        _confirm(f"Delete {pluralize(len(selected), 'run')}? [y/N] ")
    ids = [record.id for record, _ in selected]
    if server is None:
        deleted, freed = with_database(db, lambda database: deletion.delete_runs(database, ids))
    else:
        answer = server.delete_many(ids)
        deleted, freed = answer.deleted, answer.bytes
    if as_json:
        print_json(deleted=deleted, bytes=freed)
    else:
        echo(f"deleted {pluralize(len(deleted), 'run')}, freed {human_bytes(freed)}")


def _delete_matching(
    condition: str, yes: bool, url: str | None, db: str | None, *, as_json: bool
) -> None:
    from trackai.store.upkeep.bulk_changes import Deleting

    page = read_matching(db, url, condition, limit=_LISTED)
    if not yes and page.total > 0:
        for record in page.runs:
            echo(f"{record.run_id} (id {record.id})", err=True)
        if page.total > len(page.runs):
            echo(f"and {pluralize(page.total - len(page.runs), 'more run')}", err=True)
        _confirm(f"Delete {pluralize(page.total, 'run')}? [y/N] ")
    if page.total > 0:
        # Runs that began after the question are not deleted.
        condition = f"({condition}) and id <= {page.last_id}"
    number, freed = change_matching(db, url, condition, Deleting(), {"type": "delete"})
    print_matching("deleted", number, f", freed {human_bytes(freed)}", as_json=as_json, bytes=freed)


def _read_server(source: RemoteSource, names: tuple[str, ...]) -> list[tuple[Run, int]]:
    resolved = [source.resolve(name) for name in names]
    return [(run, sum(metric.points for metric in source.figures(run.id))) for run in resolved]


def _confirm(question: str) -> None:
    echo(question, nl=False, err=True)
    answer = sys.stdin.readline() if sys.stdin else ""
    if not answer:
        echo(err=True)
        raise click.UsageError(
            "cannot ask for confirmation without input: pass --yes", click.get_current_context()
        )
    if answer.strip().lower() not in {"y", "yes"}:
        raise TrackAIError("nothing was deleted")
