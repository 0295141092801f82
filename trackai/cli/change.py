"""trackai tag, rename, move, delete: what people change about runs afterwards."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from trackai.cli.output import human_bytes, json_option, print_json
from trackai.cli.store import db_option, with_store
from trackai.errors import TrackAIError
from trackai.settings import Settings

if TYPE_CHECKING:
    from trackai.store.engine.database import Database
    from trackai.structs.records import Run


@click.command()
@click.argument("run")
@click.argument("tags", nargs=-1)
@click.option("--remove", is_flag=True, help="Take the tags away.")
@db_option
@json_option
def tag(run: str, tags: tuple[str, ...], remove: bool, db: str | None, as_json: bool) -> None:
    """Tag a RUN; without TAGS, list those it has."""
    from trackai.reading.sources import check_change
    from trackai.store.catalogue import runs
    from trackai.store.catalogue import tags as store_tags

    if not remove:
        check_change({"tags": list(tags)})

    async def work(database: Database) -> tuple[Run, list[str]]:
        async with database.write() as conn:
            found = await runs.resolve(conn, run)
            await (store_tags.remove if remove else store_tags.add)(conn, found.id, tags)
            return found, await store_tags.get(conn, found.id)

    found, now = with_store(db, work)
    if as_json:
        print_json(run=found, tags=now)
    else:
        click.echo(" ".join(now))


@click.command()
@click.argument("run")
@click.argument("name")
@db_option
@json_option
def rename(run: str, name: str, db: str | None, as_json: bool) -> None:
    """Give a RUN another NAME; its slug stays."""
    changed = _change(db, run, name=name)
    _say(changed, f"is called {name!r} now", as_json=as_json)


@click.command()
@click.argument("run")
@click.argument("project")
@db_option
@json_option
def move(run: str, project: str, db: str | None, as_json: bool) -> None:
    """Move a RUN into another PROJECT, which is made if there is none."""
    changed = _change(db, run, project=project)
    _say(changed, f"is in the project {project!r} now", as_json=as_json)


def _change(db: str | None, text: str, **fields: str) -> Run:
    from trackai.reading.sources import LocalSource
    from trackai.store.catalogue import runs

    async def find(database: Database) -> Run:
        async with database.read() as conn:
            return await runs.resolve(conn, text)

    found = with_store(db, find)
    return LocalSource(Settings.from_env(db).db_path).change(found.id, **fields)


def _say(run: Run, what: str, *, as_json: bool) -> None:
    if as_json:
        print_json(run=run)
    else:
        click.echo(f"the run {run.run_id} (id {run.id}) {what}")


@click.command()
@click.argument("run", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@db_option
@json_option
def delete(run: tuple[str, ...], yes: bool, db: str | None, as_json: bool) -> None:
    """Delete RUNS with all their points; say how much space that gave back."""
    from trackai.store.catalogue import runs
    from trackai.store.points import series
    from trackai.store.upkeep import deletion

    async def look_up(database: Database) -> list[tuple[Run, int]]:
        async with database.read() as conn:
            found = [await runs.resolve(conn, text) for text in run]
            return [
                (one, sum(metric.points for metric in await series.summaries(conn, one.id)))
                for one in found
            ]

    found = with_store(db, look_up)
    if not yes:
        for one, points in found:
            click.echo(f"{one.run_id} (id {one.id}), {points} points", err=True)
        _confirm(f"Delete {len(found)} run(s)? [y/N] ")
    wanted = [one.id for one, _ in found]
    gone, freed = with_store(db, lambda database: deletion.delete_runs(database, wanted))
    if as_json:
        print_json(deleted=[one.id for one in gone], bytes=freed)
    else:
        click.echo(f"deleted {len(gone)} run(s), {human_bytes(freed)} given back")


def _confirm(question: str) -> None:
    click.echo(question, nl=False, err=True)
    answer = sys.stdin.readline() if sys.stdin else ""
    if not answer:
        click.echo(err=True)
        raise click.UsageError("nobody answers: say --yes", click.get_current_context())
    if answer.strip().lower() not in {"y", "yes"}:
        raise TrackAIError("nothing was deleted")
