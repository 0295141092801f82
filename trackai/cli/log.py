"""trackai log"""

from __future__ import annotations

import time
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from trackai.cli.database import store_option, with_database
from trackai.cli.output import echo, json_option, print_json
from trackai.errors import NotFoundError
from trackai.settings import Settings
from trackai.values.names import name_problem, path_problem, refuse
from trackai.values.uids import new_uid

if TYPE_CHECKING:
    from trackai.store.engine.connection import Connection
    from trackai.structs.records import Run
    from trackai.values.types import State, Step, Value


@click.command()
@click.argument("values", nargs=-1, metavar="NAME=VALUE...")
@click.option(
    "--run", "name", required=True, help="Name or id of the run; a new name creates a run."
)
@click.option("--project", default="shell", show_default=True, help="Project of the run.")
@click.option("--step", type=float,
              help="Step of the values.  [default: one after the highest step]")  # fmt: skip
@click.option("--config", "config", multiple=True, metavar="NAME=VALUE",
              help="Configuration value to set; repeatable.")  # fmt: skip
@click.option("--finish", type=click.Choice(["completed", "failed"]),
              help="End the run with this state.")  # fmt: skip
@store_option
@json_option
def log(
    values: tuple[str, ...],
    name: str,
    project: str,
    step: float | None,
    config: tuple[str, ...],
    finish: State | None,
    db: str | None,
    as_json: bool,
) -> None:
    """Log values to a run from a shell script.

    Prints the id of the run. Its state is "running" until --finish is used.
    """
    from trackai.sdk.config import flat_json
    from trackai.sdk.left_out import LeftOut
    from trackai.sdk.steps import plain_step
    from trackai.store.catalogue import configs, runs

    if not (values or config or finish):
        raise click.UsageError("pass NAME=VALUE, --config or --finish")
    if db is None and Settings.from_env().server_url is not None:
        raise click.UsageError(
            "trackai log writes to a file, and TRACKAI_SERVER_URL is set: pass --db for the file, "
            "or log with trackai.init() in Python"
        )
    refuse("--run", name_problem(name))
    refuse("--project", name_problem(project))
    metric_values = _parse_pairs(values)
    config_values = _parse_pairs(config)
    exact_step = None if step is None else plain_step(int(step) if step.is_integer() else step)

    async def store(conn: Connection) -> Run:
        now = time.time_ns() // 1000
        run = await _find_or_create(conn, project, name, now=now)
        await configs.put(conn, run.id, flat_json(config_values, LeftOut(strict=True)))
        if metric_values:
            await _append(conn, run, metric_values, exact_step, now=now)
        await runs.touch(conn, run.id, now=now)
        return await runs.set_state(conn, run.id, finish or "running", now=now)

    run = with_database(db, lambda database: database.change(store), create=True)
    if as_json:
        print_json(run=run)
    else:
        echo(run.id)


def _parse_pairs(texts: tuple[str, ...]) -> dict[str, Value]:
    from trackai.importers.csv_cells import infer_value

    pairs: dict[str, Value] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise click.UsageError(f"must be NAME=VALUE, got {text!r}")
        refuse(f"name {key[:80]!r}", path_problem(key))
        if key in pairs:
            raise click.UsageError(f"{key[:80]} must have one value, got two")
        pairs[key] = infer_value(value)
    return pairs


async def _find_or_create(conn: Connection, project: str, name: str, *, now: int) -> Run:
    from trackai.store.catalogue import projects, runs, slugs

    project_id = (await projects.get_or_create(conn, project, now=now)).id
    run = await runs.find_latest(conn, project_id, name)
    if run is not None:
        return run
    if name.isascii() and name.isdigit() and len(name) < 19:
        with suppress(NotFoundError):
            return await runs.get(conn, int(name))
    return await runs.create(
        conn,
        uid=new_uid(),
        project_id=project_id,
        slug=await slugs.for_new_run(conn, project_id, name),
        name=name,
        group_name=None,
        now=now,
    )


async def _append(
    conn: Connection, run: Run, values: dict[str, Value], step: Step | None, *, now: int
) -> None:
    from trackai.store.catalogue import runs, writers
    from trackai.store.points import metrics, series
    from trackai.structs.points import Column
    from trackai.values.steps import step_after

    if step is None:
        step = step_after(await series.last_step(conn, run.id))
    # All calls share one writer: each call is a new process, but not a new attempt of the run.
    run_uid = await runs.get_uid(conn, run.id)
    attempts = await writers.latest_attempts(conn, [run.id])
    writer_id = await writers.get_or_create(
        conn,
        uid=uuid.uuid5(uuid.UUID(run_uid), "trackai log").hex,
        run_id=run.id,
        attempt=attempts.get(run.id, 1),
        rank=0,
        host="shell",
        pid=0,
        now=now,
    )
    columns = [Column(path, "step", [step], [now], [value]) for path, value in values.items()]
    await metrics.append(conn, run.id, writer_id, columns)
