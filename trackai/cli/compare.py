"""trackai compare"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from trackai.cli.database import db_option, find_server, url_option, with_database
from trackai.cli.output import echo, json_option, print_json, print_table
from trackai.cli.show import last_value
from trackai.values.comparison import differing, side_by_side

if TYPE_CHECKING:
    from trackai.reading.remote_source import RemoteSource
    from trackai.store.engine.store import Store
    from trackai.store.points.series import MetricSummary
    from trackai.structs.records import Run

    _Compared = tuple[list[Run], list[dict[str, Any]], list[dict[str, MetricSummary]]]


@click.command()
@click.argument("run", nargs=-1, required=True)
@click.option("--all", "show_all", is_flag=True, help="Also show values that are equal.")
@url_option
@db_option
@json_option
def compare(
    run: tuple[str, ...], show_all: bool, url: str | None, db: str | None, as_json: bool
) -> None:
    """Compare the configuration and last metric values of runs.

    RUN is an id, a slug, project/slug, a name, or "latest".
    """

    async def work(database: Store) -> _Compared:
        return await _read(database, run)

    server = find_server(db, url)
    runs, configs, metrics = _read_server(server, run) if server else with_database(db, work)
    if as_json:
        lasts = [{path: metric.last for path, metric in column.items()} for column in metrics]
        print_json(runs=runs, config=side_by_side(configs), metrics=side_by_side(lasts))
        return
    cells = [{path: last_value(metric) for path, metric in column.items()} for column in metrics]
    names = [f"{run.run_id} ({run.id})" for run in runs]
    is_same = True
    for title, columns in (("config", configs), ("metric (last value)", cells)):
        rows = side_by_side(columns)
        keys = rows if show_all else sorted(differing(columns))
        if keys:
            print_table((title, *names), [(key, *rows[key]) for key in keys])
            echo()
            is_same = False
    if is_same:
        echo("No differences. Use --all to show equal values.", err=True)


def _read_server(source: RemoteSource, names: tuple[str, ...]) -> _Compared:
    compared = [source.resolve(name) for name in names]
    return (
        compared,
        [source.config(run.id) for run in compared],
        [{metric.path: metric for metric in source.figures(run.id)} for run in compared],
    )


async def _read(database: Store, names: tuple[str, ...]) -> _Compared:
    from trackai.store.catalogue import configs, runs
    from trackai.store.points import series

    async with database.read() as conn:
        compared = [await runs.resolve(conn, name) for name in names]
        return (
            compared,
            [await configs.get(conn, run.id) for run in compared],
            [
                {metric.path: metric for metric in await series.summaries(conn, run.id)}
                for run in compared
            ],
        )
