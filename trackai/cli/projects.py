"""trackai projects"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from trackai.cli.database import db_option, find_server, url_option, with_database
from trackai.cli.output import json_option, print_json, print_table

if TYPE_CHECKING:
    from trackai.store.engine.store import Store
    from trackai.structs.records import ProjectSummary

_LIMIT = 1_000_000


@click.command()
@url_option
@db_option
@json_option
def projects(url: str | None, db: str | None, as_json: bool) -> None:
    """List projects, newest first."""
    from trackai.store.catalogue import projects

    async def work(database: Store) -> list[ProjectSummary]:
        async with database.snapshot() as conn:
            page = await projects.list_page(conn, limit=_LIMIT)
            return [await projects.get_summary(conn, project.id) for project in page]

    server = find_server(db, url)
    summaries = server.project_summaries() if server else with_database(db, work)
    if as_json:
        print_json(projects=summaries)
        return
    print_table(
        ("project", "name", "runs", "running", "failed", "updated"),
        [
            (project.project_id, project.name, project.total_runs, project.running_runs,
             project.failed_runs, project.updated_at)
            for project in summaries
        ],
    )  # fmt: skip
