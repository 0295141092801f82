"""trackai tail"""

from __future__ import annotations

import time
from datetime import datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

import click
import msgspec

from trackai.cli.output import JSON_VERSION, cell, json_option
from trackai.cli.store import db_option, with_store
from trackai.structs.records import Point, Run
from trackai.values.non_finite import json_value
from trackai.values.times import utc
from trackai.values.types import Step, Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from trackai.reading.sources import RemoteSource
    from trackai.store.engine.database import Database
    from trackai.store.points.series import Series
    from trackai.structs.points import PointRow

_POLL_SECONDS = 0.25
# Without a server, nobody else notices that a process has died.
_RECOVER_SECONDS = 2.0
_POINTS = 10_000


class Logged(NamedTuple):
    """One value, as it was logged; `step` is None for a system metric."""

    timestamp: datetime
    step: Step | None
    path: str
    value: Value


class _Line(msgspec.Struct):
    """What was logged in one call: a line of JSON."""

    version: int
    event: str
    step: Step | None
    timestamp: datetime
    values: dict[str, Value]


class _End(msgspec.Struct):
    """How the run stands when nothing more is printed: the last line of JSON."""

    version: int
    event: str
    run: Run


class _Printer:
    """Prints points as they come, those of one call of log() in one line."""

    def __init__(self, patterns: Sequence[str], *, as_json: bool) -> None:
        self._patterns, self._as_json = patterns, as_json

    def wants(self, path: str) -> bool:
        return not self._patterns or any(fnmatchcase(path, one) for one in self._patterns)

    def points(self, points: Iterable[Logged], *, last: int | None = None) -> None:
        """Print points; of their lines only so many, the `last` ones."""
        lines: dict[tuple[datetime, bool, Step], dict[str, Value]] = {}
        for one in sorted(points, key=_place):
            if self.wants(one.path):
                lines.setdefault(_place(one)[:3], {})[one.path] = one.value
        chosen = list(lines.items())
        for (time_, on_steps, step), values in chosen if last is None else chosen[-last:]:
            self._line(time_, step if on_steps else None, values)

    def _line(self, time_: datetime, step: Step | None, values: dict[str, Value]) -> None:
        if self._as_json:
            _print(_Line(JSON_VERSION, "values", step, time_, values))
            return
        when = click.style(time_.astimezone().strftime("%H:%M:%S"), dim=True)
        place = "-" if step is None else f"step {step}"
        click.echo(
            f"{when}  {place}  " + "  ".join(f"{cell(k)} {cell(v)}" for k, v in values.items())
        )

    def end(self, run: Run) -> None:
        if self._as_json:
            _print(_End(JSON_VERSION, "state", run))
        else:
            click.echo(f"{cell(run.run_id)} (id {run.id}) is {run.state}", err=True)


def _place(one: Logged) -> tuple[datetime, bool, Step, str]:
    return one.timestamp, one.step is not None, one.step or 0, one.path


def _print(line: msgspec.Struct) -> None:
    click.echo(msgspec.json.encode(line))


@click.command()
@click.argument("run")
@click.option("--lines", "-n", type=click.IntRange(0, _POINTS), default=10, show_default=True,
              help="Begin with so many lines of what was logged before.")  # fmt: skip
@click.option("--metric", "-m", "patterns", multiple=True, help="Only these: 'val/*'.")
@click.option("--url", help="Of a server, which is asked instead of the file.")
@db_option
@json_option
def tail(
    run: str, lines: int, patterns: tuple[str, ...], url: str | None, db: str | None, as_json: bool
) -> None:
    """Follow a RUN: what is logged to it, line by line, until it ends.

    With --json each line is an object: {"version", "event": "values", "step", "timestamp",
    "values"}, and at the end {"version", "event": "state", "run"}.
    """
    printer = _Printer(patterns, as_json=as_json)
    if url is not None:
        _follow_server(url, run, lines, printer)
        return

    async def work(database: Database) -> None:
        await _follow_file(database, run, lines, printer)

    with_store(db, work)


async def _follow_file(database: Database, text: str, lines: int, printer: _Printer) -> None:
    import anyio

    from trackai.ingest.recovery import recover
    from trackai.store.catalogue import runs
    from trackai.store.points import arrivals, series, tails

    await recover(database)
    async with database.snapshot() as conn:
        run = await runs.resolve(conn, text)
        cursor = await arrivals.last(conn)
        wanted = [one for one in await series.list_of_run(conn, run.id) if printer.wants(one.path)]
        before = await tails.last_points(conn, wanted, lines) if lines else []
    printer.points(_logged(before), last=lines)
    recovered = time.monotonic()
    while run.state == "running":
        await anyio.sleep(_POLL_SECONDS)
        if time.monotonic() - recovered > _RECOVER_SECONDS:
            await recover(database)
            recovered = time.monotonic()
        while True:
            async with database.snapshot() as conn:
                run = await runs.get(conn, run.id)
                news = await arrivals.since(conn, run.id, cursor, limit=_POINTS)
            cursor = news.cursor
            if news.points is None:
                click.echo("some of what was logged is not shown: too much came at once", err=True)
            if not news.points:
                break
            printer.points(_logged(news.points))
    printer.end(run)


def _logged(found: Iterable[tuple[Series, Sequence[PointRow]]]) -> Iterable[Logged]:
    for one, rows in found:
        for step, at, value in rows:
            place = step if one.axis == "step" else None
            yield Logged(utc(at), place, one.path, json_value(value, one.kind))


def _follow_server(url: str, text: str, lines: int, printer: _Printer) -> None:
    from trackai.reading.following import follow
    from trackai.reading.sources import RemoteSource
    from trackai.settings import Settings

    source = RemoteSource(url, Settings.from_env().api_key)
    run_id = source.resolve(text).id
    known: set[Logged] | None = None
    for event in follow(source.url, source.headers, run_id):
        if event.name == "state" and known is None:
            # The events say what comes from here on. What has come meanwhile, they say again.
            known = set(_before(source, run_id, lines, printer))
            printer.points(known, last=lines)
        elif event.name == "points":
            points = {
                one
                for path, rows in event.data["metrics"].items()
                for one in _of_metric(path, msgspec.convert(rows, list[Point]))
            }
            printer.points(points - (known or set()))
        elif event.name == "reset" and not event.data.get("resumed"):
            click.echo("some of what was logged is not shown: too much came at once", err=True)
        if event.name == "state" and event.data["state"] != "running":
            printer.end(source.run(run_id))
            return


def _before(source: RemoteSource, run_id: int, lines: int, printer: _Printer) -> Iterable[Logged]:
    for path in {one.path for one in source.figures(run_id)} if lines else ():
        if printer.wants(path):
            yield from _of_metric(path, source.last_points(run_id, path, lines))


def _of_metric(path: str, points: Iterable[Point]) -> Iterable[Logged]:
    for one in points:
        assert one.timestamp is not None  # noqa: S101 - only a page of points may leave it out
        yield Logged(one.timestamp, one.step, path, one.value)
