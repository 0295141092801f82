"""Where `Api` reads: a database file, or a server."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeVar

import msgspec
from anyio.from_thread import start_blocking_portal

from trackai.errors import ConflictError, InvalidInputError, NotFoundError, TrackAIError
from trackai.filters.parser import parse_field, parse_filter
from trackai.reading.history import Curve, number
from trackai.store.catalogue import configs, projects, run_tables, runs, slugs, tags
from trackai.store.charts import chart_records, charts
from trackai.store.charts.smoothing import Smoothing
from trackai.store.engine.database import Database
from trackai.store.points import arrivals, curves, lineage, series
from trackai.store.points.series import MetricSummary
from trackai.store.upkeep import deletion
from trackai.structs.records import ChartData, Point, PointPage, Project, Run, RunPage
from trackai.values.text import checked_text
from trackai.values.times import microseconds

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from pathlib import Path

    from aiosqlite import Connection

    from trackai.store.charts.chart_records import XAxis
    from trackai.store.points.curves import Columns

T = TypeVar("T")
_PAGE = 1_000_000
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
_Tag = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class _Change(msgspec.Struct):
    """What may be changed about a run in a file; the server has the same borders."""

    project: _Name = "-"
    name: _Name | None = None
    notes: Annotated[str, msgspec.Meta(max_length=100_000)] | None = None
    tags: Annotated[list[_Tag], msgspec.Meta(max_length=100)] = []


class Source(Protocol):
    """What can be asked about runs, and changed about them; ids are row ids."""

    def projects(self) -> list[Project]: ...

    def runs(
        self,
        project_id: int | None,
        *,
        filter: str | None,  # noqa: A002
        sort: str,
        ascending: bool,
        limit: int,
        offset: int,
    ) -> RunPage: ...

    def run(self, run_id: int) -> Run: ...
    def resolve(self, text: str) -> Run: ...
    def config(self, run_id: int) -> dict[str, Any]: ...
    def figures(self, run_id: int) -> list[MetricSummary]: ...
    def points(self, run_id: int, path: str) -> Curve: ...
    def chart(
        self, run_id: int, path: str, points: int, x: XAxis, smooth: float | None = None
    ) -> ChartData: ...
    def change(self, run_id: int, **fields: Any) -> Run: ...
    def tag(self, run_id: int, add: Sequence[str], remove: Sequence[str]) -> Run: ...
    def delete(self, run_id: int) -> None: ...


class LocalSource:
    """A database file; opened for each question, so that nothing stays open in a notebook.

    Args:
        make: make the file where there is none, as for the database that runs are logged to.
    """

    def __init__(self, path: Path, *, make: bool = True) -> None:
        self._path = path
        self._make = make

    def projects(self) -> list[Project]:
        return self._read(lambda conn: projects.list_page(conn, limit=_PAGE, offset=0))

    def runs(
        self,
        project_id: int | None,
        *,
        filter: str | None,  # noqa: A002
        sort: str,
        ascending: bool,
        limit: int,
        offset: int,
    ) -> RunPage:
        tree = None if filter is None else parse_filter(filter)
        return self._read(
            lambda conn: run_tables.list_page(
                conn,
                run_tables.RunFilter(project_id=project_id, tree=tree),
                sort_by=parse_field(sort, name="sort"),
                sort_order="asc" if ascending else "desc",
                limit=limit,
                offset=offset,
            )
        )

    def run(self, run_id: int) -> Run:
        return self._read(lambda conn: runs.get(conn, run_id))

    def resolve(self, text: str) -> Run:
        return self._read(lambda conn: runs.resolve(conn, text))

    def config(self, run_id: int) -> dict[str, Any]:
        return self._read(lambda conn: configs.get(conn, run_id))

    def figures(self, run_id: int) -> list[MetricSummary]:
        return self._read(lambda conn: series.summaries(conn, run_id))

    def points(self, run_id: int, path: str) -> Curve:
        async def work(conn: Connection) -> Curve:
            curve = Curve([], [], [])
            for segments in await lineage.find(conn, run_id, path):
                one = await curves.read(conn, segments)
                # A million points, three times: they are not copied without need.
                curve = _joined(curve, one) if curve.steps else _curve(one)
            return curve

        return self._read(work)

    def chart(
        self, run_id: int, path: str, points: int, x: XAxis, smooth: float | None = None
    ) -> ChartData:
        async def inside(db: Database) -> ChartData:
            async with db.snapshot() as conn:
                run = await runs.get(conn, run_id)
                segments, *_ = await lineage.find(conn, run_id, path)
                cursor = await arrivals.last(conn)
                (found,) = await charts.read(conn, [segments], points)
                if smooth:
                    how = Smoothing(smooth, over_time=x != "step")
                    await charts.smooth(conn, [segments], [found], how)
            return chart_records.show(found, lineage.as_one(segments), x, run.created_at, cursor)

        return self._call(inside)

    def change(self, run_id: int, **fields: Any) -> Run:
        check_change(fields)

        async def work(conn: Connection) -> Run:
            now = time.time_ns() // 1000
            run = await runs.get(conn, run_id)
            project_id = run.project_id
            if "project" in fields:
                project_id = (await projects.get_or_create(conn, fields["project"], now=now)).id
            return await runs.change(
                conn,
                run_id,
                slug=await slugs.keep_if_free(conn, project_id, run.run_id, run_id=run.id),
                name=fields.get("name", run.name),
                group_name=run.group_name,
                notes=fields.get("notes", run.notes),
                project_id=project_id,
                now=now,
            )

        return self._write(work)

    def tag(self, run_id: int, add: Sequence[str], remove: Sequence[str]) -> Run:
        check_change({"tags": [*add]})

        async def work(conn: Connection) -> Run:
            await runs.get(conn, run_id)
            await tags.remove(conn, run_id, remove)
            await tags.add(conn, run_id, add)
            await runs.touch(conn, run_id, now=time.time_ns() // 1000)
            return await runs.get(conn, run_id)

        return self._write(work)

    def delete(self, run_id: int) -> None:
        self._call(lambda db: deletion.delete_run(db, run_id))

    def _read(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        async def inside(db: Database) -> T:
            async with db.read() as conn:
                return await work(conn)

        return self._call(inside)

    def _write(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        async def inside(db: Database) -> T:
            async with db.write() as conn:
                return await work(conn)

        return self._call(inside)

    def _call(self, work: Callable[[Database], Awaitable[T]]) -> T:
        if not self._make and not self._path.exists():
            raise NotFoundError(f"there is no database {self._path}")

        async def main() -> T:
            db = Database(self._path)
            try:
                return await work(db)
            finally:
                await db.close()

        # A loop of its own: the caller may be in one already, as in a notebook.
        with start_blocking_portal() as portal:
            return portal.call(main)


class RemoteSource:
    """A server, by its URL; it has `timeout` seconds for each answer."""

    def __init__(self, url: str, api_key: str | None = None, *, timeout: float = 60) -> None:
        self._timeout = timeout
        self.url = url.rstrip("/")
        self.headers = {"Content-Type": "application/json"}
        if api_key:
            self.headers["Authorization"] = f"Bearer {api_key}"

    def projects(self) -> list[Project]:
        return self._get("/api/projects", list[Project], limit=_PAGE)

    def runs(
        self,
        project_id: int | None,
        *,
        filter: str | None,  # noqa: A002
        sort: str,
        ascending: bool,
        limit: int,
        offset: int,
    ) -> RunPage:
        return self._get(
            "/api/runs", RunPage, project_id=project_id, filter=filter, sort_by=sort,
            sort_order="asc" if ascending else "desc", limit=limit, offset=offset,
        )  # fmt: skip

    def run(self, run_id: int) -> Run:
        return self._get(f"/api/runs/{run_id}", Run)

    def resolve(self, text: str) -> Run:
        """The run that a person means, found as `runs.resolve` finds it in a file."""
        slugs = {one.id: one.project_id for one in self.projects()}
        for project_id, condition in self._meanings(text):
            page = self.runs(
                project_id, filter=condition, sort="created_at", ascending=False,
                limit=1 if condition is None else 100, offset=0,
            )  # fmt: skip
            if len(page.runs) == 1:
                return page.runs[0]
            if page.runs:
                names = [(f"{slugs[one.project_id]}/{one.run_id}", one.id) for one in page.runs]
                raise runs.ambiguous(text, names)
        raise NotFoundError(f"run {text!r} not found on the server")

    def _meanings(self, text: str) -> Iterator[tuple[int | None, str | None]]:
        """Projects and filters, one after the other, that may find it."""
        if text == "latest":
            yield None, None
        if text.isascii() and text.isdigit() and len(text) < 19:
            yield None, f"id = {text}"
        for project in self.projects():
            for prefix in (f"{project.project_id}/", f"{project.name}/"):
                if text.startswith(prefix):
                    yield project.id, f"run_id = {_quoted(text.removeprefix(prefix))}"
        yield None, f"run_id = {_quoted(text)}"
        yield None, f"name = {_quoted(text)}"

    def last_points(self, run_id: int, path: str, limit: int) -> list[Point]:
        """The points of a metric with the highest steps, at most so many, in order of step."""
        count = sum(one.points for one in self.figures(run_id) if one.path == path)
        where = f"/api/metrics/runs/{run_id}/metric/{urllib.parse.quote(path, safe='')}"
        offset = max(0, count - limit)
        return self._get(where, PointPage, inherited="false", limit=limit, offset=offset).data

    def config(self, run_id: int) -> dict[str, Any]:
        return self._get(f"/api/runs/{run_id}/config", dict[str, Any])

    def figures(self, run_id: int) -> list[MetricSummary]:
        return self._get(f"/api/runs/{run_id}/figures", list[MetricSummary])

    def points(self, run_id: int, path: str) -> Curve:
        kinds = {one.path: one.kind for one in self.figures(run_id)}
        is_text = kinds.get(path) == "text"
        where = f"/api/metrics/runs/{run_id}/metric/{urllib.parse.quote(path, safe='')}"
        curve = Curve([], [], [])
        while True:
            page = self._get(where, PointPage, limit=_PAGE, offset=len(curve.steps))
            curve.steps.extend(point.step for point in page.data)
            curve.timestamps.extend(
                microseconds(point.timestamp) if point.timestamp else 0 for point in page.data
            )
            values = (point.value for point in page.data)
            curve.values.extend(values if is_text else map(number, values))
            if not page.has_more:
                return curve

    def chart(
        self, run_id: int, path: str, points: int, x: XAxis, smooth: float | None = None
    ) -> ChartData:
        where = f"/api/metrics/runs/{run_id}/metric/{urllib.parse.quote(path, safe='')}"
        return self._get(where, ChartData, points=points, x=x, smoothing=smooth or None)

    def change(self, run_id: int, **fields: Any) -> Run:
        if "project" in fields:
            name = fields.pop("project")
            found = [one for one in self.projects() if name in (one.name, one.project_id)]
            project = found[0] if found else self._make_project(name)
            fields["project_id"] = project.id
        run: Run = self._ask("PATCH", f"/api/runs/{run_id}", Run, fields)
        return run

    def tag(self, run_id: int, add: Sequence[str], remove: Sequence[str]) -> Run:
        check_change({"tags": [*add]})
        change = {"run_ids": [run_id], "add": add, "remove": remove}
        (run,) = self._ask("POST", "/api/runs/tags", list[Run], change)
        return run  # type: ignore[no-any-return]

    def _make_project(self, name: str) -> Project:
        slug = slugs.first_free(slugs.slugify(name), {one.project_id for one in self.projects()})
        made: Project = self._ask(
            "POST", "/api/projects", Project, {"name": name, "project_id": slug}
        )
        return made

    def delete(self, run_id: int) -> None:
        self._ask("DELETE", f"/api/runs/{run_id}", Any)

    def _get(self, path: str, type_: type[T], **query: Any) -> T:
        given = {name: value for name, value in query.items() if value is not None}
        answer: T = self._ask("GET", f"{path}?{urllib.parse.urlencode(given)}", type_)
        return answer

    def _ask(self, method: str, path: str, type_: Any, body: Any = None) -> Any:
        data = None if body is None else msgspec.json.encode(body)
        request = urllib.request.Request(  # noqa: S310 - the URL is the caller's own
            self.url + path, data, self.headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as response:  # noqa: S310
                return msgspec.json.decode(response.read(), type=type_)
        except urllib.error.HTTPError as error:
            with error:
                raise error_of(error.code, error.read()) from None
        except OSError as error:
            raise TrackAIError(f"{self.url} does not answer ({error}): is it running?") from None


def check_change(fields: dict[str, Any]) -> None:
    """Refuse what the server would.

    Args:
        fields: those of a run that are to be changed: project, name, notes, tags.

    Raises:
        InvalidInputError: one cannot be stored; it is named.
    """
    for name, value in fields.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str):
                checked_text(name, one)
    try:
        msgspec.convert(fields, _Change)
    except msgspec.ValidationError as error:
        problem, _, where = str(error).partition(" - at ")
        raise InvalidInputError(where.strip("`").removeprefix("$."), problem) from None


def _curve(one: Columns) -> Curve:
    steps: list[Any] = one.steps if one.axis == "step" else [None] * len(one.steps)
    return Curve(steps, one.timestamps, one.values)


def _joined(curve: Curve, other: Columns) -> Curve:
    more = _curve(other)
    return Curve(
        curve.steps + more.steps, curve.timestamps + more.timestamps, curve.values + more.values
    )


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def error_of(status: int, body: bytes) -> TrackAIError:
    """What an answer that is no success means."""
    try:
        detail = str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        detail = f"the server answered with the status {status}"
    if status == 404:
        return NotFoundError(detail)
    if status == 409:
        return ConflictError(detail)
    if status == 422:
        field, _, problem = detail.partition(": ")
        return InvalidInputError(field, problem)
    return TrackAIError(detail)
