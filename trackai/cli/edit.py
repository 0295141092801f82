"""trackai tag, rename, move"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from trackai.cli.database import db_option, find_server, url_option, with_database
from trackai.cli.matching import change_matching, filter_option, print_matching
from trackai.cli.output import echo, json_option, print_json
from trackai.settings import Settings

if TYPE_CHECKING:
    from trackai.store.engine.connection import Connection
    from trackai.store.engine.store import Store
    from trackai.structs.records import Run


@click.command()
@click.argument("run", required=False)
@click.argument("tags", nargs=-1)
@click.option("--remove", is_flag=True, help="Remove the tags instead.")
@filter_option("Tag all runs that match a condition, instead of RUN.")
@url_option
@db_option
@json_option
def tag(
    run: str | None,
    tags: tuple[str, ...],
    remove: bool,
    condition: str | None,
    url: str | None,
    db: str | None,
    as_json: bool,
) -> None:
    """Add tags to a run, and print all its tags.

    RUN is an id, a slug, project/slug, a name, or "latest".
    """
    from trackai.reading.source import check_change
    from trackai.store.catalogue import runs
    from trackai.store.catalogue import tags as store_tags
    from trackai.store.upkeep.bulk_changes import Tagging

    if condition is not None:
        tags = (*([] if run is None else [run]), *tags)
        if not tags:
            raise click.UsageError("pass one or more tags")
    elif run is None:
        raise click.UsageError("pass a run, or --filter")
    name = run or ""
    if not remove:
        check_change({"tags": list(tags)})
    if condition is not None:
        add, removed = ((), tags) if remove else (tags, ())
        action = {"type": "tag", "add": add, "remove": removed}
        changed, _ = change_matching(db, url, condition, Tagging(add, removed), action)
        print_matching("untagged" if remove else "tagged", changed, as_json=as_json)
        return

    async def change(conn: Connection) -> tuple[Run, list[str]]:
        record = await runs.resolve(conn, name)
        await (store_tags.remove if remove else store_tags.add)(conn, record.id, tags)
        return record, await store_tags.get(conn, record.id)

    server = find_server(db, url)
    if server is None:
        record, all_tags = with_database(db, lambda database: database.change(change))
    else:
        record = server.resolve(name)
        all_tags = server.tag(record.id, () if remove else tags, tags if remove else ()).tags
    if as_json:
        print_json(run=record, tags=all_tags)
    elif all_tags:
        echo(" ".join(all_tags))
    else:
        echo(f"run {record.run_id} (id {record.id}) has no tags", err=True)


@click.command()
@click.argument("run")
@click.argument("name")
@url_option
@db_option
@json_option
def rename(run: str, name: str, url: str | None, db: str | None, as_json: bool) -> None:
    """Rename a run; its slug does not change.

    RUN is an id, a slug, project/slug, a name, or "latest".
    """
    changed = _change(db, url, run, name=name)
    _print_change(changed, f"renamed to {name!r}", as_json=as_json)


@click.command()
@click.argument("run", metavar="[RUN]")
@click.argument("project", required=False, metavar="PROJECT")
@filter_option("Move all runs that match a condition, instead of RUN.")
@url_option
@db_option
@json_option
def move(
    run: str,
    project: str | None,
    condition: str | None,
    url: str | None,
    db: str | None,
    as_json: bool,
) -> None:
    """Move a run to another project.

    RUN is an id, a slug, project/slug, a name, or "latest". PROJECT is
    created if it does not exist.
    """
    from trackai.reading.source import check_change
    from trackai.store.upkeep.bulk_changes import Moving

    if project is None:
        # With --filter, the only argument is the project.
        if condition is None:
            raise click.UsageError("pass a run and a project, or --filter and a project")
        project = run
        check_change({"project": project})
        action = {"type": "move", "project": project}
        number, _ = change_matching(db, url, condition, Moving(project), action)
        print_matching("moved", number, f" to project {project!r}", as_json=as_json)
        return
    if condition is not None:
        raise click.UsageError("pass either a run or --filter")
    changed = _change(db, url, run, project=project)
    _print_change(changed, f"moved to project {project!r}", as_json=as_json)


def _change(db: str | None, url: str | None, run_name: str, **fields: str) -> Run:
    from trackai.reading.local_source import LocalSource
    from trackai.store.catalogue import runs

    server = find_server(db, url)
    if server is not None:
        return server.change(server.resolve(run_name).id, **fields)

    async def work(database: Store) -> Run:
        async with database.read() as conn:
            return await runs.resolve(conn, run_name)

    run = with_database(db, work)
    return LocalSource(Settings.from_env(database=db).database).change(run.id, **fields)


def _print_change(run: Run, change: str, *, as_json: bool) -> None:
    if as_json:
        print_json(run=run)
    else:
        echo(f"run {run.run_id} (id {run.id}) {change}")
