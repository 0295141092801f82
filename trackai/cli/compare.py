"""trackai compare"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from trackai.cli.output import json_option, print_json, print_table
from trackai.cli.show import last_value
from trackai.cli.store import db_option, with_store
from trackai.values.comparison import differing, side_by_side

if TYPE_CHECKING:
    from trackai.store.engine.database import Database
    from trackai.store.points.series import MetricSummary
    from trackai.structs.records import Run

_Compared = tuple[list["Run"], list[dict[str, Any]], list[dict[str, "MetricSummary"]]]


@click.command()
@click.argument("run", nargs=-1, required=True)
@click.option("--all", "everything", is_flag=True, help="Also show what is the same in all runs.")
@db_option
@json_option
def compare(run: tuple[str, ...], everything: bool, db: str | None, as_json: bool) -> None:
    """Compare RUNs: what differs in their configurations, and the last values of their metrics."""

    async def work(database: Database) -> _Compared:
        return await _look_up(database, run)

    found, configs, metrics = with_store(db, work)
    if as_json:
        lasts = [{path: one.last for path, one in column.items()} for column in metrics]
        print_json(runs=found, config=side_by_side(configs), metrics=side_by_side(lasts))
        return
    shown = [{path: last_value(one) for path, one in column.items()} for column in metrics]
    names = [f"{one.run_id} ({one.id})" for one in found]
    same = True
    for title, columns in (("config", configs), ("metric, last", shown)):
        rows = side_by_side(columns)
        keys = rows if everything else sorted(differing(columns))
        if keys:
            print_table((title, *names), [(key, *rows[key]) for key in keys])
            click.echo()
            same = False
    if same:
        click.echo("nothing differs: --all shows what is the same", err=True)


async def _look_up(database: Database, texts: tuple[str, ...]) -> _Compared:
    from trackai.store.catalogue import configs, runs
    from trackai.store.points import series

    async with database.read() as conn:
        found = [await runs.resolve(conn, text) for text in texts]
        return (
            found,
            [await configs.get(conn, run.id) for run in found],
            [{one.path: one for one in await series.summaries(conn, run.id)} for run in found],
        )
