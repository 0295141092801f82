"""trackai wait"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from trackai.cli.database import db_option, find_server, url_option, with_database
from trackai.cli.output import FloatRange, echo, json_option, print_json
from trackai.errors import ServerUnreachableError

if TYPE_CHECKING:
    from trackai.filters.tree import Filter
    from trackai.reading.remote_source import RemoteSource
    from trackai.store.engine.store import Store
    from trackai.structs.records import Run

_POLL_SECONDS = 0.5
# How long a server may not answer.
_UNREACHABLE_SECONDS = 30.0
_NOT_MET = 4


@click.command()
@click.argument("run")
@click.option("--until", metavar="CONDITION",
              help="Wait for a condition: 'val/acc > 0.9', or a filter of `trackai runs`.",
              )  # fmt: skip
@click.option("--timeout", type=FloatRange(0), metavar="SECONDS",
              help="Stop waiting after this time.")  # fmt: skip
@url_option
@db_option
@json_option
@click.pass_context
def wait(
    ctx: click.Context,
    run: str,
    until: str | None,
    timeout: float | None,
    url: str | None,
    db: str | None,
    as_json: bool,
) -> None:
    """Wait until a run ends or meets a condition.

    RUN is an id, a slug, project/slug, a name, or "latest".

    The exit code is 0 if the condition is met (without --until: if the run is completed), and 4
    if the run ends or the timeout expires first.
    """
    from trackai.filters.parser import parse_filter

    text = None if until is None else _condition_text(until)
    condition = None if text is None else parse_filter(text)

    async def work(database: Store) -> tuple[Run, bool]:
        return await _wait(database, run, condition, timeout)

    server = find_server(db, url)
    if server is None:
        record, met = with_database(db, work)
    else:
        record, met = _wait_on_server(server, run, text, timeout)
    if as_json:
        print_json(run=record, met=met)
    else:
        missed = f", and {until} is not met" if until is not None and not met else ""
        echo(f"{record.run_id} (id {record.id}) is {record.state}{missed}")
    if not met:
        ctx.exit(_NOT_MET)


def _condition_text(text: str) -> str:
    """Return a condition as a filter, in which a name without a prefix is that of a metric.

    The metric need not exist yet.
    """
    from trackai.filters.parser import parse_field, parse_filter
    from trackai.filters.tree import Field, Metric, Named, field_text, filter_text, replaced

    def metric(named: Named) -> Field:
        text = field_text(named)
        return parse_field(f"metric.{text}", name="until") if text[0] != '"' else Metric(named.name)

    return filter_text(replaced(parse_filter(text, name="until"), metric))


def _wait_on_server(
    source: RemoteSource, name: str, condition: str | None, timeout: float | None
) -> tuple[Run, bool]:
    run = source.resolve(name)
    deadline = time.monotonic() + (float("inf") if timeout is None else timeout)
    answered_at = time.monotonic()
    while True:
        try:
            run = source.run(run.id)
            met = run.state == "completed"
            if condition is not None:
                # Also if it is archived or in the trash.
                this_run = f"id = {run.id} and (trashed = true or trashed = false)"
                this_run = f"{this_run} and ({condition})"
                met = source.list_runs(filter=this_run, limit=1).total > 0
            answered_at = time.monotonic()
            if met or run.state != "running" or time.monotonic() >= deadline:
                return run, met
        except ServerUnreachableError:  # it may be restarting
            if time.monotonic() >= min(answered_at + _UNREACHABLE_SECONDS, deadline):
                raise
        time.sleep(min(_POLL_SECONDS, max(0.0, deadline - time.monotonic())))


async def _wait(
    database: Store, name: str, condition: Filter | None, timeout: float | None
) -> tuple[Run, bool]:
    import anyio

    from trackai.ingest.recovery import recover
    from trackai.store.catalogue import run_tables, runs

    async with database.read() as conn:
        run_id = (await runs.resolve(conn, name)).id
    deadline = anyio.current_time() + (float("inf") if timeout is None else timeout)
    while True:
        await recover(database)  # ends the run if its process has crashed and no server does so
        async with database.read() as conn:
            run = await runs.get(conn, run_id)
            met = run.state == "completed"
            if condition is not None:
                where = run_tables.RunFilter(ids=(run_id,), tree=condition)
                met = (await run_tables.list_page(conn, where, limit=1)).total > 0
        if met or run.state != "running" or anyio.current_time() >= deadline:
            return run, met
        await anyio.sleep(min(_POLL_SECONDS, max(0.0, deadline - anyio.current_time())))
