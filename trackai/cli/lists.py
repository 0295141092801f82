"""trackai projects, trackai runs"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from trackai.cli.output import json_option, print_json, print_table
from trackai.cli.store import db_option, with_store

if TYPE_CHECKING:
    from trackai.store.database import Database
    from trackai.store.runs import SortKey
    from trackai.structs.records import ProjectSummary, RunPage
    from trackai.structs.values import State


@click.command()
@db_option
@json_option
def projects(db: str | None, as_json: bool) -> None:
    """List the projects, the newest first."""
    from trackai.store import projects

    async def work(database: Database) -> list[ProjectSummary]:
        async with database.read() as conn:
            page = await projects.list_page(conn, limit=1_000_000, offset=0)
            return [await projects.get_summary(conn, project.id) for project in page]

    found = with_store(db, work)
    if as_json:
        print_json(projects=found)
        return
    print_table(
        ("project", "name", "runs", "running", "failed", "changed"),
        [
            (one.project_id, one.name, one.total_runs, one.running_runs, one.failed_runs,
             one.updated_at)
            for one in found
        ],
    )  # fmt: skip


@click.command()
@click.argument("project", required=False)
@click.option("--group", help="Only runs of this group.")
@click.option("--state", type=click.Choice(["running", "completed", "failed"]))
@click.option("--search", help="Only runs with this text in their name.")
@click.option(
    "--sort",
    type=click.Choice(["created_at", "updated_at", "name", "run_id", "group_name", "state", "id"]),
    default="created_at",
    show_default=True,
)
@click.option("--asc", is_flag=True, help="The smallest or oldest first.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@click.option("--offset", type=click.IntRange(0), default=0)
@db_option
@json_option
def runs(
    project: str | None,
    group: str | None,
    state: State | None,
    search: str | None,
    sort: SortKey,
    asc: bool,
    limit: int,
    offset: int,
    db: str | None,
    as_json: bool,
) -> None:
    """List runs, of one PROJECT or of all, the latest first."""
    from trackai.store import projects, runs

    async def work(database: Database) -> RunPage:
        async with database.read() as conn:
            project_id = (await projects.find(conn, project)).id if project else None
            return await runs.list_page(
                conn,
                runs.RunFilter(project_id=project_id, group=group, state=state, search=search),
                sort_by=sort,
                sort_order="asc" if asc else "desc",
                limit=limit,
                offset=offset,
            )

    page = with_store(db, work)
    if as_json:
        print_json(runs=page.runs, total=page.total, has_more=page.has_more)
        return
    print_table(
        ("id", "run", "name", "group", "state", "created"),
        [
            (run.id, run.run_id, run.name, run.group_name, run.state, run.created_at)
            for run in page.runs
        ],
    )
    if page.has_more:
        click.echo(f"{page.total} in all: see more with --limit or --offset", err=True)
