"""trackai alerts"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from trackai.cli.database import db_option, find_server, url_option, with_database
from trackai.cli.output import echo, json_option, pluralize, print_json, print_table

if TYPE_CHECKING:
    from trackai.store.engine.store import Store
    from trackai.structs.records import AlertPage

_MAX_ALERTS = 1000
_LEVELS = ("info", "warn", "error")  # of the SDK; HTTP clients and imports may have others


@click.command()
@click.argument("project", required=False)
@click.option("--run", help="Only alerts of this run: an id, a slug, project/slug or a name.")
@click.option("--level", help="Only alerts of this level: info, warn or error.")
@click.option("--archived", is_flag=True, help="Also list alerts of archived runs.")
@click.option("--limit", type=click.IntRange(1, _MAX_ALERTS), default=50, show_default=True,
              help="Maximum number of alerts.")  # fmt: skip
@url_option
@db_option
@json_option
def alerts(
    project: str | None,
    run: str | None,
    level: str | None,
    archived: bool,
    limit: int,
    url: str | None,
    db: str | None,
    as_json: bool,
) -> None:
    """List alerts, latest first.

    Lists the alerts of the runs of PROJECT, or of all projects.
    """
    from trackai.store.catalogue import projects, runs
    from trackai.store.points import alerts as stored_alerts

    async def work(database: Store) -> AlertPage:
        async with database.snapshot() as conn:
            return await stored_alerts.list_latest(
                conn,
                project_id=None if project is None else (await projects.find(conn, project)).id,
                run_id=None if run is None else (await runs.resolve(conn, run)).id,
                level=level,
                limit=limit,
                archived=archived,
            )

    server = find_server(db, url)
    if server is None:
        page = with_database(db, work)
    else:
        page = server.list_alerts(
            project_id=None if project is None else server.find_project(project).id,
            run_id=None if run is None else server.resolve(run).id,
            level=level,
            limit=limit,
            archived="true" if archived else None,
        )
    if as_json:
        print_json(alerts=page.alerts, total=page.total)
        return
    print_table(
        ("time", "level", "project", "run", "step", "title"),
        [
            (alert.timestamp, alert.level, alert.project, f"{alert.run} (id {alert.run_id})",
             alert.step, alert.title)
            for alert in page.alerts
        ],
    )  # fmt: skip
    if level is not None and level not in _LEVELS and not page.alerts:
        echo(f"No alert has the level {level!r}; alert() logs {', '.join(_LEVELS)}.", err=True)
    if page.total > len(page.alerts):
        shown = f"Showing {len(page.alerts)} of {pluralize(page.total, 'alert')}."
        echo(f"{shown} Use --limit to see more.", err=True)
    if page.archived:
        runs_left_out = pluralize(page.archived_runs, "archived run")
        left_out = f"{pluralize(page.archived, 'alert')} of {runs_left_out}"
        echo(f"Not listed: {left_out}. Use --archived to see them.", err=True)
