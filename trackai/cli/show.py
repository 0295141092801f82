"""trackai show"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import click
import msgspec

from trackai.cli.database import db_option, find_server, url_option, with_database
from trackai.cli.output import ago, cell, echo, json_option, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trackai.reading.remote_source import RemoteSource
    from trackai.store.engine.store import Store
    from trackai.store.points.series import MetricSummary
    from trackai.structs.records import Run

_SPARKS = "▁▂▃▄▅▆▇█"
# A power of two. The sum and the difference of larger floats may be larger than any float.
_SAFE = 2.0**500
_SPARK_WIDTH = 24
_TEXT_WIDTH = 60


class _RunView(msgspec.Struct):
    """A run with its configuration and metrics; `sparklines` has one for each metric.

    `keys` are the names of the keys with which it was logged to a server.
    """

    run: Run
    config: dict[str, Any]
    metrics: list[MetricSummary]
    sparklines: list[str]
    keys: list[str] = []
    environment: dict[str, Any] = {}


@click.command()
@click.argument("run")
@url_option
@db_option
@json_option
def show(run: str, url: str | None, db: str | None, as_json: bool) -> None:
    """Show the configuration, metrics and environment of a run.

    RUN is an id, a slug, project/slug, a name, or "latest".
    """

    async def work(database: Store) -> _RunView:
        return await _read(database, run, with_sparklines=not as_json)

    server = find_server(db, url)
    if server is None:
        view = with_database(db, work)
    else:
        view = _read_server(server, run, with_sparklines=not as_json)
    if as_json:
        print_json(run=view.run, config=view.config, metrics=view.metrics, keys=view.keys,
                   environment=view.environment)  # fmt: skip
        return
    head = view.run
    echo(cell(head.name or head.run_id), bold=True, nl=False)
    echo(f"  id {head.id}, {head.run_id}, {head.state}, started {ago(head.created_at)}")
    if view.keys:
        echo(f"  logged with key {', '.join(view.keys)}")
    if view.config:
        echo()
        print_table(("config", "value"), list(view.config.items()))
    if view.metrics:
        echo()
        print_table(
            ("metric", "last", "last_step", "min", "max", "mean", "points", "nans", ""),
            [
                (metric.path, last_value(metric), metric.last_step, metric.min, metric.max,
                 metric.mean, metric.points, metric.nan_points, line)
                for metric, line in zip(view.metrics, view.sparklines, strict=True)
            ],
        )  # fmt: skip
    if view.environment:
        echo()
        rows = [(key, shortened(value)) for key, value in view.environment.items()]
        print_table(("environment", "value"), rows)


def shortened(value: object) -> object:
    """A value that fits into a table."""
    is_long = isinstance(value, str) and len(value) > _TEXT_WIDTH
    return f"{str(value)[: _TEXT_WIDTH - 1]}…" if is_long else value


def last_value(metric: MetricSummary) -> object:
    """The last value of a metric, shortened to fit into a table."""
    if metric.kind == "histogram":
        return "(histogram)"
    return shortened(metric.last)


async def _read(database: Store, name: str, *, with_sparklines: bool) -> _RunView:
    from trackai.downsampling import buckets
    from trackai.store.catalogue import configs, details, environments, runs
    from trackai.store.charts import charts
    from trackai.store.points import series
    from trackai.store.points.lineage import Segment

    async with database.snapshot() as conn:
        run = await runs.resolve(conn, name)
        metrics = await series.summaries(conn, run.id)
        config = await configs.get(conn, run.id)
        keys = await details.key_names(conn, run.id)
        facts = await environments.get(conn, run.id)
        if not with_sparklines:
            return _RunView(run, config, metrics, [], keys, facts)
        by_key = {(row.path, row.axis): row for row in await series.list_of_run(conn, run.id)}
        segments = [[Segment(by_key[metric.path, metric.axis], None)] for metric in metrics]
        # As charts, which cost the same for runs of any length.
        read = await charts.read(conn, segments, 2 * _SPARK_WIDTH, times=False)
    lines = [sparkline([buckets.mean(bucket) for bucket in chart.buckets]) for chart in read]
    return _RunView(run, config, metrics, lines, keys, facts)


def _read_server(source: RemoteSource, name: str, *, with_sparklines: bool) -> _RunView:
    run = source.resolve(name)
    metrics = source.figures(run.id)
    lines: list[str] = []
    if with_sparklines:
        paths = sorted({metric.path for metric in metrics})
        charts = source.own_charts(run.id, paths, 2 * _SPARK_WIDTH)
        for metric in metrics:
            chart = charts.get(metric.path)
            # Of a name with two series, a server has the chart of the one with steps.
            is_other = chart is None or chart.x != metric.axis
            buckets = [] if chart is None or is_other else chart.data
            lines.append(sparkline([bucket.mean for bucket in buckets]))
    return _RunView(
        run, source.config(run.id), metrics, lines, source.key_names(run.id),
        source.environment(run.id),
    )  # fmt: skip


def sparkline(values: Sequence[Any], width: int = _SPARK_WIDTH) -> str:
    """Draw a metric with at most `width` characters: the mean of each part, without NaN."""
    numbers = [v for v in values if isinstance(v, int | float) and abs(v) < float("inf")]
    if not numbers:
        return cell(None)
    width = min(width, len(numbers))
    ends = [index * len(numbers) // width for index in range(width + 1)]
    parts = [numbers[start:stop] for start, stop in pairwise(ends)]
    if max(map(abs, numbers)) > _SAFE:
        parts = [[number / _SAFE for number in part] for part in parts]
    means = [sum(part) / len(part) for part in parts]
    low, span = min(means), max(means) - min(means) or 1.0
    return "".join(_SPARKS[int((mean - low) / span * (len(_SPARKS) - 1))] for mean in means)
