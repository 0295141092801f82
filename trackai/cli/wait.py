"""trackai wait"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from trackai.cli.output import json_option, print_json
from trackai.cli.store import db_option, with_store

if TYPE_CHECKING:
    from trackai.filters.tree import Filter
    from trackai.store.engine.database import Database
    from trackai.structs.records import Run

_POLL_SECONDS = 0.5
_NOT_MET = 4


@click.command()
@click.argument("run")
@click.option("--until", help="A condition like 'val/acc > 0.9', or any filter of trackai runs.")
@click.option("--timeout", type=click.FloatRange(0), help="Give up after so many seconds.")
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
    """Wait for a RUN to end, or until a condition on it is met.

    The exit code is 0 if it was met (without --until: if the run was completed), 4 if the run
    ended or the time was up before that.
    """
    condition = None if until is None else _condition(until)

    async def work(database: Database) -> tuple[Run, bool]:
        return await _wait(database, run, condition, timeout)

    found, met = with_store(db, work)
    if as_json:
        print_json(run=found, met=met)
    else:
        click.echo(f"{found.run_id} (id {found.id}) is {found.state}")
    if not met:
        ctx.exit(_NOT_MET)


def _condition(text: str) -> Filter:
    from trackai.errors import InvalidInputError
    from trackai.filters.parser import parse_filter

    try:
        return parse_filter(text, name="until")
    except InvalidInputError as error:
        try:  # a bare name is a metric here
            return parse_filter(f"metric.{text}", name="until")
        except InvalidInputError:
            raise error from None


async def _wait(
    database: Database, text: str, condition: Filter | None, timeout: float | None
) -> tuple[Run, bool]:
    import anyio

    from trackai.filters.tree import Attribute, Comparison, Every
    from trackai.ingest.recovery import recover
    from trackai.store.catalogue import run_tables, runs

    async with database.read() as conn:
        run_id = (await runs.resolve(conn, text)).id
    deadline = anyio.current_time() + (float("inf") if timeout is None else timeout)
    this_run = Comparison(Attribute("id"), "=", run_id)
    while True:
        await recover(database)  # without a server, nobody else notices that a process has died
        async with database.read() as conn:
            run = await runs.get(conn, run_id)
            met = run.state == "completed"
            if condition is not None:
                where = run_tables.RunFilter(tree=Every((this_run, condition)))
                met = (await run_tables.list_page(conn, where, limit=1)).total > 0
        if met or run.state != "running" or anyio.current_time() >= deadline:
            return run, met
        await anyio.sleep(min(_POLL_SECONDS, max(0.0, deadline - anyio.current_time())))
