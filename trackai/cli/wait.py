"""trackai wait"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from trackai.cli.database import db_option, with_database
from trackai.cli.output import FloatRange, echo, json_option, print_json

if TYPE_CHECKING:
    from trackai.filters.tree import Filter
    from trackai.store.engine.database import Database
    from trackai.structs.records import Run

_POLL_SECONDS = 0.5
_NOT_MET = 4


@click.command()
@click.argument("run")
@click.option("--until", metavar="CONDITION",
              help="Wait for a condition: 'val/acc > 0.9', or a filter of `trackai runs`.",
              )  # fmt: skip
@click.option("--timeout", type=FloatRange(0), metavar="SECONDS",
              help="Stop waiting after this time.")  # fmt: skip
@db_option
@json_option
@click.pass_context
def wait(
    ctx: click.Context,
    run: str,
    until: str | None,
    timeout: float | None,
    db: str | None,
    as_json: bool,
) -> None:
    """Wait until a run ends or meets a condition.

    RUN is an id, a slug, project/slug, a name, or "latest".

    The exit code is 0 if the condition is met (without --until: if the run is completed), and 4
    if the run ends or the timeout expires first.
    """
    condition = None if until is None else _parse_condition(until)

    async def work(database: Database) -> tuple[Run, bool]:
        return await _wait(database, run, condition, timeout)

    record, met = with_database(db, work)
    if as_json:
        print_json(run=record, met=met)
    else:
        echo(f"{record.run_id} (id {record.id}) is {record.state}")
    if not met:
        ctx.exit(_NOT_MET)


def _parse_condition(text: str) -> Filter:
    from trackai.errors import InvalidInputError
    from trackai.filters.parser import parse_filter

    try:
        return parse_filter(text, name="until")
    except InvalidInputError as error:
        try:  # in conditions, the name of a metric needs no prefix
            return parse_filter(f"metric.{text}", name="until")
        except InvalidInputError:
            raise error from None


async def _wait(
    database: Database, name: str, condition: Filter | None, timeout: float | None
) -> tuple[Run, bool]:
    import anyio

    from trackai.filters.tree import And, Attribute, Comparison
    from trackai.ingest.recovery import recover
    from trackai.store.catalogue import run_tables, runs

    async with database.read() as conn:
        run_id = (await runs.resolve(conn, name)).id
    deadline = anyio.current_time() + (float("inf") if timeout is None else timeout)
    this_run = Comparison(Attribute("id"), "=", run_id)
    while True:
        await recover(database)  # ends the run if its process has crashed and no server does so
        async with database.read() as conn:
            run = await runs.get(conn, run_id)
            met = run.state == "completed"
            if condition is not None:
                where = run_tables.RunFilter(tree=And((this_run, condition)))
                met = (await run_tables.list_page(conn, where, limit=1)).total > 0
        if met or run.state != "running" or anyio.current_time() >= deadline:
            return run, met
        await anyio.sleep(min(_POLL_SECONDS, max(0.0, deadline - anyio.current_time())))
