"""trackai tag, rename, move"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from trackai.cli.database import db_option, find_server, url_option, with_database
from trackai.cli.output import echo, json_option, print_json
from trackai.settings import Settings

if TYPE_CHECKING:
    from trackai.store.engine.store import Store
    from trackai.structs.records import Run


@click.command()
@click.argument("run")
@click.argument("tags", nargs=-1)
@click.option("--remove", is_flag=True, help="Remove the tags instead.")
@url_option
@db_option
@json_option
def tag(
    run: str,
    tags: tuple[str, ...],
    remove: bool,
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

    if not remove:
        check_change({"tags": list(tags)})

    async def work(database: Store) -> tuple[Run, list[str]]:
        async with database.write() as conn:
            record = await runs.resolve(conn, run)
            await (store_tags.remove if remove else store_tags.add)(conn, record.id, tags)
            return record, await store_tags.get(conn, record.id)

    server = find_server(db, url)
    if server is None:
        record, all_tags = with_database(db, work)
    else:
        record = server.resolve(run)
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
@click.argument("run")
@click.argument("project")
@url_option
@db_option
@json_option
def move(run: str, project: str, url: str | None, db: str | None, as_json: bool) -> None:
    """Move a run to another project.

    RUN is an id, a slug, project/slug, a name, or "latest". PROJECT is
    created if it does not exist.
    """
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
