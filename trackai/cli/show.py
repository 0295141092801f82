"""trackai show"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import click
import msgspec

from trackai.cli.output import ago, cell, json_option, print_json, print_table
from trackai.cli.store import db_option, with_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trackai.store.engine.database import Database
    from trackai.store.points.series import MetricSummary
    from trackai.structs.records import Run

_SPARKS = "▁▂▃▄▅▆▇█"
_SPARK_WIDTH = 24
_TEXT_WIDTH = 60


class _Shown(msgspec.Struct):
    run: Run
    config: dict[str, Any]
    metrics: list[MetricSummary]
    curves: list[str]


@click.command()
@click.argument("run")
@db_option
@json_option
def show(run: str, db: str | None, as_json: bool) -> None:
    """Show a RUN: its configuration, and the last and best values of its metrics.

    A RUN is an id, a slug, project/slug, a name, or "latest".
    """

    async def work(database: Database) -> _Shown:
        return await _look_up(database, run, with_curves=not as_json)

    shown = with_store(db, work)
    if as_json:
        print_json(run=shown.run, config=shown.config, metrics=shown.metrics)
        return
    head = shown.run
    click.secho(cell(head.name or head.run_id), bold=True, nl=False)
    click.echo(f"  id {head.id}, {head.run_id}, {head.state}, begun {ago(head.created_at)}")
    if shown.config:
        click.echo()
        print_table(("config", "value"), list(shown.config.items()))
    if shown.metrics:
        click.echo()
        print_table(
            ("metric", "last", "at step", "min", "max", "mean", "points", "NaN", ""),
            [
                (one.path, last_value(one), one.last_step, one.min, one.max, one.mean, one.points,
                 one.nan_points, curve)
                for one, curve in zip(shown.metrics, shown.curves, strict=True)
            ],
        )  # fmt: skip


def last_value(one: MetricSummary) -> object:
    """The last value, as far as it fits into a table."""
    if one.kind == "histogram":
        return "a histogram"
    if isinstance(one.last, str) and len(one.last) > _TEXT_WIDTH:
        return one.last[: _TEXT_WIDTH - 1] + "…"
    return one.last


async def _look_up(database: Database, text: str, *, with_curves: bool) -> _Shown:
    from trackai.downsampling import buckets
    from trackai.store.catalogue import configs, runs
    from trackai.store.charts import charts
    from trackai.store.points import series
    from trackai.store.points.lineage import Segment

    async with database.snapshot() as conn:
        run = await runs.resolve(conn, text)
        figures = await series.summaries(conn, run.id)
        config = await configs.get(conn, run.id)
        if not with_curves:
            return _Shown(run, config, figures, [])
        found = {(one.path, one.axis): one for one in await series.list_of_run(conn, run.id)}
        wanted = [[Segment(found[one.path, one.axis], None)] for one in figures]
        # However long the run is: what a chart of that width costs.
        read = await charts.read(conn, wanted, 2 * _SPARK_WIDTH, times=False)
    curves = [sparkline([buckets.mean(one) for one in chart.buckets]) for chart in read]
    return _Shown(run, config, figures, curves)


def sparkline(values: Sequence[Any], width: int = _SPARK_WIDTH) -> str:
    """The course of a metric in a few characters: the mean of each stretch, NaN left out."""
    numbers = [v for v in values if isinstance(v, int | float) and abs(v) < float("inf")]
    if not numbers:
        return cell(None)
    width = min(width, len(numbers))
    ends = [at * len(numbers) // width for at in range(width + 1)]
    parts = [numbers[first:last] for first, last in pairwise(ends)]
    means = [sum(part) / len(part) for part in parts]
    low, span = min(means), max(means) - min(means) or 1.0
    return "".join(_SPARKS[int((mean - low) / span * (len(_SPARKS) - 1))] for mean in means)
