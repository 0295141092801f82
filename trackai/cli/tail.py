"""trackai tail"""

from __future__ import annotations

import time
from datetime import datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

import click
import msgspec

from trackai.cli.database import db_option, find_server, url_option, with_database
from trackai.cli.output import JSON_VERSION, cell, echo, json_option, print_json_line
from trackai.structs.records import Point, Run
from trackai.values.non_finite import json_value
from trackai.values.times import utc
from trackai.values.types import Step, Value

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from trackai.reading.remote_source import RemoteSource
    from trackai.store.engine.store import Store
    from trackai.store.points.series import Series
    from trackai.structs.points import PointRow

_POLL_SECONDS = 0.25
# Between recoveries of journals, which end the runs of crashed processes.
_RECOVER_SECONDS = 2.0
_MAX_POINTS = 10_000
_SKIPPED = "warning: points were logged too fast to follow, some are not shown"


class LoggedValue(NamedTuple):
    """A value of a metric; `step` is None for a system metric."""

    timestamp: datetime
    step: Step | None
    path: str
    value: Value


class _ValuesEvent(msgspec.Struct):
    """The values of one call of log(), as a line of JSON."""

    version: int
    event: str
    step: Step | None
    timestamp: datetime
    values: dict[str, Value]


class _StateEvent(msgspec.Struct):
    """The final state of the run, as the last line of JSON."""

    version: int
    event: str
    run: Run


class _Printer:
    """Prints logged values, one line for each call of log().

    Args:
        patterns: names of the metrics to print, with wildcards; all if empty.
    """

    def __init__(self, patterns: Sequence[str], *, as_json: bool) -> None:
        self._patterns, self._as_json = patterns, as_json

    def includes(self, path: str) -> bool:
        return not self._patterns or any(
            path == pattern or fnmatchcase(path, pattern) for pattern in self._patterns
        )

    def warn_if_unknown(self, paths: Collection[str]) -> None:
        """Warn if the run has no metric to print yet; `paths` are those to print."""
        if self._patterns and not paths:
            patterns = " or ".join(map(repr, self._patterns))
            echo(f"warning: the run has no metric that matches {patterns} yet", err=True)

    def values(self, values: Iterable[LoggedValue], *, last: int | None = None) -> None:
        """Print values; with `last`, only the last lines of them."""
        calls: dict[tuple[datetime, bool, Step], dict[str, Value]] = {}
        for logged in sorted(values, key=_order):
            if self.includes(logged.path):
                calls.setdefault(_order(logged)[:3], {})[logged.path] = logged.value
        lines = list(calls.items())
        for (timestamp, has_step, step), call in lines if last is None else lines[-last:]:
            self._line(timestamp, step if has_step else None, call)

    def _line(self, timestamp: datetime, step: Step | None, values: dict[str, Value]) -> None:
        if self._as_json:
            print_json_line(_ValuesEvent(JSON_VERSION, "values", step, timestamp, values))
            return
        local_time = timestamp.astimezone().strftime("%H:%M:%S")
        step_text = "-" if step is None else f"step {step}"
        fields = "  ".join(f"{cell(path)} {cell(value)}" for path, value in values.items())
        echo(local_time, nl=False, dim=True)
        echo(f"  {step_text}  {fields}")

    def end(self, run: Run) -> None:
        """Print the final state of the run."""
        if self._as_json:
            print_json_line(_StateEvent(JSON_VERSION, "state", run))
        else:
            echo(f"{cell(run.run_id)} (id {run.id}) is {run.state}", err=True)


def _order(logged: LoggedValue) -> tuple[datetime, bool, Step, str]:
    return logged.timestamp, logged.step is not None, logged.step or 0, logged.path


@click.command()
@click.argument("run")
@click.option("--lines", "-n", type=click.IntRange(0, _MAX_POINTS), default=10, show_default=True,
              help="Number of earlier lines to print first.")  # fmt: skip
@click.option("--metric", "-m", "patterns", multiple=True, metavar="PATTERN",
              help="Metrics to print: 'val/*'; repeatable.  [default: all]")  # fmt: skip
@url_option
@db_option
@json_option
def tail(
    run: str, lines: int, patterns: tuple[str, ...], url: str | None, db: str | None, as_json: bool
) -> None:
    """Follow the values that are logged to a run until it ends.

    RUN is an id, a slug, project/slug, a name, or "latest".

    With --json, each line is an object: {"version", "event": "values", "step", "timestamp",
    "values"}; the last one is {"version", "event": "state", "run"}.
    """
    printer = _Printer(patterns, as_json=as_json)
    server = find_server(db, url)
    if server is not None:
        _follow_server(server, run, lines, printer)
        return

    async def work(database: Store) -> None:
        await _follow_database(database, run, lines, printer)

    with_database(db, work)


async def _follow_database(database: Store, name: str, lines: int, printer: _Printer) -> None:
    import anyio

    from trackai.ingest.recovery import recover
    from trackai.store.catalogue import runs
    from trackai.store.points import arrivals, series, tails

    await recover(database)
    async with database.snapshot() as conn:
        run = await runs.resolve(conn, name)
        cursor = await arrivals.last(conn, run.id)
        selected = [
            row for row in await series.list_of_run(conn, run.id) if printer.includes(row.path)
        ]
        earlier = await tails.last_points(conn, selected, lines) if lines else []
    printer.warn_if_unknown({row.path for row in selected})
    printer.values(_logged_values(earlier), last=lines)
    last_recovery = time.monotonic()
    while run.state == "running":
        await anyio.sleep(_POLL_SECONDS)
        if time.monotonic() - last_recovery > _RECOVER_SECONDS:
            await recover(database)
            last_recovery = time.monotonic()
        while True:
            async with database.snapshot() as conn:
                run = await runs.get(conn, run.id)
                news = await arrivals.since(conn, run.id, cursor, limit=_MAX_POINTS)
            cursor = news.cursor
            if news.points is None:
                echo(_SKIPPED, err=True)
            if not news.points:
                break
            printer.values(_logged_values(news.points))
    printer.end(run)


def _logged_values(
    points: Iterable[tuple[Series, Sequence[PointRow]]],
) -> Iterable[LoggedValue]:
    for series, rows in points:
        for step, timestamp, value in rows:
            yield LoggedValue(
                utc(timestamp),
                step if series.axis == "step" else None,
                series.path,
                json_value(value, series.kind),
            )


def _follow_server(source: RemoteSource, name: str, lines: int, printer: _Printer) -> None:
    from trackai.reading.following import follow

    run_id = source.resolve(name).id
    printed: set[LoggedValue] | None = None
    for event in follow(source, run_id):
        if event.name == "state" and printed is None:
            # Events cover what is logged from now on. Values logged between this event and the
            # next request are in both, and are printed once.
            printed = set(_earlier_values(source, run_id, lines, printer))
            printer.values(printed, last=lines)
        elif event.name == "points":
            values = {
                value
                for path, rows in event.data["metrics"].items()
                for value in _values_of_metric(path, msgspec.convert(rows, list[Point]))
            }
            printer.values(values - (printed or set()))
        elif event.name == "reset" and not event.data.get("resumed"):
            echo(_SKIPPED, err=True)
        if event.name == "state" and event.data["state"] != "running":
            printer.end(source.run(run_id))
            return


def _earlier_values(
    source: RemoteSource, run_id: int, lines: int, printer: _Printer
) -> Iterable[LoggedValue]:
    paths = {metric.path for metric in source.figures(run_id) if printer.includes(metric.path)}
    printer.warn_if_unknown(paths)
    for path in paths if lines else ():
        yield from _values_of_metric(path, source.last_points(run_id, path, lines))


def _values_of_metric(path: str, points: Iterable[Point]) -> Iterable[LoggedValue]:
    for point in points:
        assert point.timestamp is not None  # noqa: S101 - missing only in comparisons
        yield LoggedValue(point.timestamp, point.step, path, point.value)
