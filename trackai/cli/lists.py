"""trackai projects, trackai runs"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from trackai.cli.output import json_option, print_json, print_table
from trackai.cli.store import db_option, with_store

if TYPE_CHECKING:
    from trackai.store.engine.database import Database
    from trackai.structs.records import ProjectSummary, RunPage
    from trackai.values.types import State


@click.command()
@db_option
@json_option
def projects(db: str | None, as_json: bool) -> None:
    """List the projects, the newest first."""
    from trackai.store.catalogue import projects

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
@click.option("--filter", "condition", help="Only runs that match: 'config.lr < 0.01 and tag = x'.")
@click.option("--group", help="Only runs of this group.")
@click.option("--state", type=click.Choice(["running", "completed", "failed"]))
@click.option("--search", help="Only runs with this text in their name or slug.")
@click.option("--columns", help="Fields to show: 'config.opt/lr,metric.val/acc.max'.")
@click.option("--sort", default="created_at", show_default=True, help="Any field.")
@click.option("--asc", is_flag=True, help="The smallest or oldest first.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@click.option("--offset", type=click.IntRange(0), default=0)
@db_option
@json_option
def runs(
    project: str | None,
    condition: str | None,
    group: str | None,
    state: State | None,
    search: str | None,
    columns: str | None,
    sort: str,
    asc: bool,
    limit: int,
    offset: int,
    db: str | None,
    as_json: bool,
) -> None:
    """List runs, of one PROJECT or of all, the latest first.

    Filters and fields are those of the HTTP API.
    """
    from trackai.filters.parser import parse_field, parse_fields, parse_filter
    from trackai.store.catalogue import projects, run_tables

    tree = None if condition is None else parse_filter(condition)
    sort_by = parse_field(sort, name="sort")
    fields = parse_fields(columns) if columns else {}

    async def work(database: Database) -> RunPage:
        async with database.read() as conn:
            project_id = None if project is None else (await projects.find(conn, project)).id
            return await run_tables.list_page(
                conn,
                run_tables.RunFilter(
                    project_id=project_id, group=group, state=state, search=search, tree=tree
                ),
                sort_by=sort_by,
                sort_order="asc" if asc else "desc",
                columns=fields,
                limit=limit,
                offset=offset,
            )

    page = with_store(db, work)
    if as_json:
        print_json(runs=page.runs, total=page.total, has_more=page.has_more)
        return
    print_table(
        ("id", "run", "group", "state", "created", "tags", *fields),
        [
            (run.id, run.run_id, run.group_name, run.state, run.created_at, run.tags,
             *((run.values or {}).get(name) for name in fields))
            for run in page.runs
        ],
    )  # fmt: skip
    if page.has_more:
        click.echo(f"{page.total} in all: see more with --limit or --offset", err=True)
