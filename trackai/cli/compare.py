"""trackai compare"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from trackai.cli.output import json_option, print_json, print_table
from trackai.cli.show import last_value
from trackai.cli.store import db_option, with_store

if TYPE_CHECKING:
    from trackai.store.database import Database
    from trackai.store.series import MetricSummary
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
        print_json(runs=found, config=_by_key(configs), metrics=_by_key(lasts))
        return
    shown = [{path: last_value(one) for path, one in column.items()} for column in metrics]
    names = [f"{one.run_id} ({one.id})" for one in found]
    for title, columns in (("config", configs), ("metric, last", shown)):
        rows = [
            (key, *values)
            for key, values in _by_key(columns).items()
            if everything or any(value != values[0] for value in values)
        ]
        if rows:
            print_table((title, *names), rows)
            click.echo()


async def _look_up(database: Database, texts: tuple[str, ...]) -> _Compared:
    from trackai.store import configs, runs, series

    async with database.read() as conn:
        found = [await runs.resolve(conn, text) for text in texts]
        return (
            found,
            [await configs.get(conn, run.id) for run in found],
            [{one.path: one for one in await series.summaries(conn, run.id)} for run in found],
        )


def _by_key(columns: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """For each key the value in each of the runs, None where a run does not have it."""
    keys = sorted({key for column in columns for key in column})
    return {key: [column.get(key) for column in columns] for key in keys}
