"""trackai runs"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from trackai.cli.database import db_option, find_server, url_option, with_database
from trackai.cli.output import echo, json_option, pluralize, print_json, print_table
from trackai.values.types import INT64

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trackai.filters.tree import Field, Named
    from trackai.reading.remote_source import RemoteSource
    from trackai.store.engine.store import Store
    from trackai.structs.records import RunPage
    from trackai.values.types import State


_MAX_SERVER_PAGE = 1_000_000


@click.command()
@click.argument("project", required=False)
@click.option("--filter", "condition",
              help="Filter runs by a condition: 'config.lr < 0.01 and tag = x'.")  # fmt: skip
@click.option("--group", help="Filter by group.")
@click.option(
    "--state", type=click.Choice(["running", "completed", "failed"]), help="Filter by state."
)
@click.option("--search", help="Filter by text in the name or slug.")
@click.option("--archived", is_flag=True, help="List archived runs, too.")
@click.option("--trash", is_flag=True, help="List the runs in the trash.")
@click.option("--columns", help="Fields to add as columns: 'config.opt/lr,metric.val/acc.max'.")
@click.option("--sort", default="created_at", show_default=True, help="Field to sort by.")
@click.option("--asc", is_flag=True, help="Sort in ascending order (smallest or oldest first).")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True,
              help="Maximum number of runs.")  # fmt: skip
@click.option("--offset", type=click.IntRange(0), default=0, show_default=True,
              help="Number of runs to skip.")  # fmt: skip
@click.option("--cursor", help="Start after the previous page: the cursor that it printed.")
@url_option
@db_option
@json_option
def runs(
    project: str | None,
    condition: str | None,
    group: str | None,
    state: State | None,
    search: str | None,
    archived: bool,
    trash: bool,
    columns: str | None,
    sort: str,
    asc: bool,
    limit: int,
    offset: int,
    cursor: str | None,
    url: str | None,
    db: str | None,
    as_json: bool,
) -> None:
    """List runs, newest first.

    Lists the runs of PROJECT, or of all projects. Filters and fields have the syntax of the HTTP
    API.
    """
    from trackai.filters.parser import parse_field, parse_fields, parse_filter
    from trackai.filters.tree import fields_of
    from trackai.store.catalogue import projects, run_tables, run_values

    tree = None if condition is None else parse_filter(condition)
    sort_by = parse_field(sort, name="sort")
    fields = parse_fields(columns) if columns else {}

    used = [*(fields_of(tree) if tree else ()), sort_by, *fields.values()]

    async def work(database: Store) -> tuple[RunPage, list[Field]]:
        async with database.snapshot() as conn:
            missing = await run_values.missing_fields(conn, used)
            project_id = None if project is None else (await projects.find(conn, project)).id
            page = await run_tables.list_page(
                conn,
                run_tables.RunFilter(
                    project_id=project_id,
                    group=group,
                    state=state,
                    search=search,
                    tree=tree,
                    archived=archived,
                    trashed=trash,
                ),
                sort_by=sort_by,
                sort_order="asc" if asc else "desc",
                columns=fields,
                limit=min(limit, INT64 // 2),  # SQLite refuses more
                offset=min(offset, INT64 // 2),
                cursor=cursor,
            )
            return page, missing

    server = find_server(db, url)
    if server is None:
        page, missing = with_database(db, work)
    else:
        missing = _missing_on_server(server, used)
        page = server.list_runs(
            project_id=None if project is None else server.find_project(project).id,
            filter=condition, group=group, state=state, search=search, columns=columns,
            archived="true" if archived else None, trashed="true" if trash else None,
            sort_by=sort, sort_order="asc" if asc else "desc",
            limit=min(limit, _MAX_SERVER_PAGE), offset=min(offset, INT64 // 2), cursor=cursor,
        )  # fmt: skip
    for warning in dict.fromkeys(map(_missing_text, missing)):
        echo(f"warning: {warning}", err=True)
    if as_json:
        print_json(
            runs=page.runs,
            total=page.total,
            has_more=page.has_more,
            next_cursor=page.next_cursor,
        )
    else:
        _print_page(page, fields)


def _missing_text(field: Field) -> str:
    """What no run has, and the figures of metrics: a wrong one is read as a part of the name."""
    from trackai.filters.tree import FIGURES, Metric, field_text

    if not isinstance(field, Metric):
        return f"no run has {field_text(field)}"
    text = f"no run has {field_text(Metric(field.path)).removesuffix('.last')}"
    if field.figure == "last" and "." in field.path:
        text += f"; the figures of a metric are {', '.join(FIGURES)}"
    return text


def _print_page(page: RunPage, fields: Mapping[str, Field]) -> None:
    print_table(
        ("id", "run", "group", "state", "created", "tags", *fields),
        [
            (run.id, run.run_id, run.group_name, run.state, run.created_at, run.tags,
             *(_cell_value((run.values or {}).get(name), field) for name, field in fields.items()))
            for run in page.runs
        ],
    )  # fmt: skip
    if page.has_more:
        shown = f"Showing {len(page.runs)} of {pluralize(page.total, 'run')}."
        echo(
            f"{shown} Use --limit to see more, or --cursor {page.next_cursor} for the next page.",
            err=True,
        )


def _cell_value(value: Any, field: Field) -> Any:
    """The value of a column; a server sends times as text."""
    from trackai.filters.tree import TIMES, Attribute

    is_time = isinstance(field, Attribute) and field.name in TIMES
    return datetime.fromisoformat(value) if is_time and isinstance(value, str) else value


def _missing_on_server(source: RemoteSource, fields: Iterable[Field | Named]) -> list[Field]:
    from trackai.filters.tree import Attribute, Named

    return [
        field
        for field in dict.fromkeys(fields)
        if not isinstance(field, Attribute | Named) and not source.has_field(field)
    ]
