"""Runs on a server, read and changed over HTTP."""

from __future__ import annotations

import io
import urllib.parse
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from trackai.client.connection import Answer, Connection, checked_url, detail_of
from trackai.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    ServerRefusedError,
)
from trackai.filters.tree import Metric, field_text
from trackai.reading.history import Curve, curve_of_arrays, from_json, read_images
from trackai.reading.source import check_aliases, check_change
from trackai.settings import Settings
from trackai.store.catalogue import runs, slugs
from trackai.store.points.series import MetricSummary
from trackai.structs.records import (
    AlertPage,
    ArtifactFile,
    ArtifactFilePage,
    ArtifactPage,
    ArtifactVersion,
    BulkProgress,
    ChartData,
    ColumnPage,
    Deleted,
    FileRecord,
    Importance,
    LogPage,
    Point,
    PointPage,
    Project,
    ProjectColumns,
    ProjectSummary,
    Run,
    RunDetails,
    RunPage,
    RunValues,
    RunWithEnvironment,
)
from trackai.values.packing import unpack
from trackai.values.times import microseconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from urllib3 import BaseHTTPResponse

    from trackai.errors import TrackAIError
    from trackai.filters.tree import Field
    from trackai.reading.history import Arrays
    from trackai.store.charts.chart_records import XAxis
    from trackai.structs.points import PointImage
    from trackai.values.types import KeepVerb, Step

T = TypeVar("T")
# A condition by which archived runs and those in the trash match as well.
_ANYWHERE = "(trashed = true or trashed = false)"
# Projects or points a page: mostly all of them.
_PAGE = 1_000_000
_PAGE_OF_ARTIFACTS = 1000
# The statuses whose answers are results, or errors with a meaning of their own.
EXPECTED_STATUSES = frozenset({200, 404, 409, 422})
_MSGPACK = "application/msgpack"
_IMAGES = "application/vnd.trackai.images+msgpack"
_READ_SIZE = 1 << 18
# Metrics of one request for charts, and runs of one for their values.
_MAX_COMPARED = 1000
# All steps are above minus this.
_STEP = 1 << 62
# Servers that are older than this answer with JSON.
_ACCEPT_COLUMNS = {"Accept": f"{_MSGPACK}, application/json;q=0.5"}
_ACCEPT_IMAGES = {"Accept": f"{_IMAGES}, {_MSGPACK};q=0.8, application/json;q=0.5"}


class RemoteSource:
    """A server. See `trackai.reading.source.Source`; all methods also raise TrackAIError."""

    def __init__(self, url: str, api_key: str | None = None, *, timeout: float = 60) -> None:
        """Make a source; nothing is sent yet.

        Args:
            url: the address of the server.
            api_key: the key of the server, if it has one.
            timeout: how long to wait for an answer, in seconds.

        Raises:
            InvalidInputError: the address is not an HTTP URL.
        """
        if not url.startswith(("http://", "https://")):
            raise InvalidInputError("url", f"must start with http:// or https://, got {url!r}")
        if not _is_valid(url):
            raise InvalidInputError("url", f"must be like http://localhost:8000, got {url!r}")
        checked_url(url, "url")
        self.connection = Connection(url, api_key, read_seconds=timeout)
        self.url = self.connection.url
        self._api_key = api_key
        self._timeout = timeout

    def __reduce__(self) -> tuple[Any, ...]:
        # Worker processes get connections of their own.
        return partial(RemoteSource, timeout=self._timeout), (self.url, self._api_key)

    @property
    def place(self) -> str:
        return self.url

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
        cursor: str | None = None,
        columns: str | None = None,
    ) -> RunPage:
        return self._get(
            "/api/runs", RunPage, project_id=project_id, filter=filter, sort_by=sort,
            sort_order="asc" if ascending else "desc", limit=limit, cursor=cursor, columns=columns,
        )  # fmt: skip

    def values(self, run_ids: Sequence[int]) -> list[RunValues]:
        values: list[RunValues] = []
        for start in range(0, len(run_ids), _MAX_COMPARED):
            batch = [*run_ids[start : start + _MAX_COMPARED]]
            values += self._request("POST", "/api/runs/values", list[RunValues], {"run_ids": batch})
        return values

    def list_runs(self, **query: Any) -> RunPage:
        """List a page of runs by the query of GET /api/runs, of which None is left out."""
        return self._get("/api/runs", RunPage, **query)

    def list_alerts(self, **query: Any) -> AlertPage:
        """List the latest alerts by the query of GET /api/alerts, of which None is left out."""
        return self._get("/api/alerts", AlertPage, **query)

    def key_names(self, run_id: int) -> list[str]:
        """List the names of the keys with which a run was logged to the server, sorted."""
        details = self._get(f"/api/runs/{run_id}/details", RunDetails)
        return sorted({process.key for process in details.processes if process.key is not None})

    def has_field(self, field: Field) -> bool:
        """Whether a run has a configuration key or metric."""
        if isinstance(field, Metric):
            field = Metric(field.path, "points")
        condition = f"{field_text(field)} != null"
        return self.list_runs(filter=f"{condition} and {_ANYWHERE}", limit=1).total > 0

    def project_summaries(self) -> list[ProjectSummary]:
        """List all projects with the numbers of their runs, the newest first."""
        return self._get("/api/projects", list[ProjectSummary], counts="true", limit=_PAGE)

    def find_project(self, name: str) -> Project:
        """Return the project with this name or slug; a name takes precedence."""
        existing = self.projects()
        for project in sorted(existing, key=lambda project: project.name != name):
            if name in (project.name, project.project_id):
                return project
        raise NotFoundError(f"project {name!r} not found on the server")

    def run(self, run_id: int) -> Run:
        return self._get(f"/api/runs/{run_id}", Run)

    def resolve(self, text: str) -> Run:
        """Return the run that a text means, with the precedence of `runs.resolve`."""
        project_slugs = {project.id: project.project_id for project in self.projects()}
        for project_id, condition in self._interpretations(text):
            page = self.runs(
                project_id, filter=condition and f"{condition} and {_ANYWHERE}", ascending=False,
                sort="created_at" if condition is None else "id",
                limit=1 if condition is None else 100,
            )  # fmt: skip
            kept = [run for run in page.runs if run.trashed_at is None] or page.runs
            if len(kept) == 1:
                return kept[0]
            if kept:
                names = [
                    (f"{project_slugs.get(run.project_id, '')}/{run.run_id}", run.id)
                    for run in kept
                ]
                raise runs.ambiguous(text, names)
        raise NotFoundError(f"run {text!r} not found on the server")

    def _interpretations(self, text: str) -> Iterator[tuple[int | None, str | None]]:
        """Projects and filters that may find the run, in order of precedence."""
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
        """Return the points of a metric with the highest steps, in order of step.

        Args:
            limit: how many, at most.
        """
        count = sum(metric.points for metric in self.figures(run_id) if metric.path == path)
        offset = max(0, count - limit)
        return self._get(
            _metric_path(run_id, path), PointPage, inherited="false", limit=limit, offset=offset
        ).data

    def config(self, run_id: int) -> dict[str, Any]:
        return self._get(f"/api/runs/{run_id}/config", dict[str, Any])

    def environment(self, run_id: int) -> dict[str, Any]:
        facts = self._get(f"/api/runs/{run_id}", RunWithEnvironment).environment
        return {} if isinstance(facts, msgspec.UnsetType) else facts

    def paths(self, run_id: int) -> list[str]:
        return self._get(f"/api/metrics/runs/{run_id}", list[str])

    def figures(self, run_id: int) -> list[MetricSummary]:
        return self._get(f"/api/runs/{run_id}/figures", list[MetricSummary])

    def points(self, run_id: int, path: str) -> Curve:
        return self._points(run_id, path, _PAGE)[0]

    def arrays(self, run_id: int, path: str) -> Curve | Arrays:
        images: list[PointImage] = []
        curve, _ = self._points(run_id, path, _PAGE, images=images)
        if len({image.axis for image in images}) == 1:
            return self._read_images(images)
        self._add_images(curve, images)
        return curve

    def pages(
        self, run_id: int, starts: Mapping[str, Step | None], step_max: Step | None, limit: int
    ) -> dict[str, tuple[Curve, bool]]:
        pages = {}
        for path, start in starts.items():
            lowest = -_STEP if start is None else start
            page = self._points(run_id, path, limit, True, step_min=lowest, step_max=step_max)
            pages[path] = page
        return pages

    def _points(
        self,
        run_id: int,
        path: str,
        limit: int,
        once: bool = False,
        images: list[PointImage] | None = None,
        **steps: Step | None,
    ) -> tuple[Curve, bool]:
        """Read points of a metric.

        Args:
            limit: points to ask for at once.
            once: stop at `limit` points.
            images: where to add images of all points if the server sends them; None to accept none.
            steps: the range of steps.

        Returns:
            The points, and whether there are more.
        """
        curve = Curve([], [], [])
        run: str | None = None
        is_text: bool | None = None
        query: dict[str, Any] = {"limit": limit, **steps}
        while True:
            accept = _ACCEPT_COLUMNS if images is None else _ACCEPT_IMAGES
            answer = self._send("GET", _with_query(_metric_path(run_id, path), query), None, accept)
            if answer.media_type in (_MSGPACK, _IMAGES):
                page: ColumnPage = self._decode(answer, ColumnPage)
                if run not in (None, page.run):
                    raise NotFoundError(
                        f"run {run_id} was replaced while it was being read; request it again"
                    )
                run = page.run
                if images is not None and not (curve.steps or page.columns):
                    images += page.images
                else:
                    self._move_images(images, curve)
                    self._add_columns(curve, page)
                    self._add_images(curve, page.images)
                cursor = page.next_cursor
            else:  # of a server that is older
                if is_text is None:
                    is_text = path in self._texts(run_id)
                self._move_images(images, curve)
                points: PointPage = self._decode(answer, PointPage)
                _add_points(curve, points.data, is_text=is_text)
                cursor = points.next_cursor or None
            if cursor is None or (once and len(curve.steps) >= limit):
                return curve, cursor is not None
            query["cursor"] = cursor

    def _add_columns(self, curve: Curve, page: ColumnPage) -> None:
        for columns in page.columns:
            try:
                values = unpack(columns.values)
                timestamps: Any = unpack(columns.timestamps)
                steps: Any = [None] * len(values)
                if columns.steps is not None:
                    steps = unpack(columns.steps)
            except InvalidInputError:
                raise _not_trackai(self.url) from None
            if not len(steps) == len(timestamps) == len(values):
                raise _not_trackai(self.url)
            curve.steps.extend(steps)
            curve.timestamps.extend(timestamps)
            curve.values.extend(values)

    def _move_images(self, images: list[PointImage] | None, curve: Curve) -> None:
        """Convert images to lists: pages without images follow, such as those with a text."""
        if images:
            self._add_images(curve, images)
            images.clear()

    def _add_images(self, curve: Curve, images: Sequence[PointImage]) -> None:
        for image in images:
            part = curve_of_arrays(self._read_images([image]))
            curve.steps.extend(part.steps)
            curve.timestamps.extend(part.timestamps)
            curve.values.extend(part.values)

    def _read_images(self, images: Sequence[PointImage]) -> Arrays:
        try:
            return read_images(images)
        except ValueError:
            raise _not_trackai(self.url) from None

    def _texts(self, run_id: int) -> set[str]:
        return {metric.path for metric in self.figures(run_id) if metric.kind == "text"}

    def chart(
        self, run_id: int, path: str, points: int, x: XAxis, smooth: float | None = None
    ) -> ChartData:
        return self._get(
            _metric_path(run_id, path), ChartData, points=points, x=x, smoothing=smooth or None
        )

    def own_charts(self, run_id: int, paths: Sequence[str], points: int) -> dict[str, ChartData]:
        """Return the charts of metrics by name, without what the run inherits."""
        charts: dict[str, ChartData] = {}
        for start in range(0, len(paths), _MAX_COMPARED):
            batch = paths[start : start + _MAX_COMPARED]
            compared = self._request(
                "POST", "/api/metrics/compare", dict[str, dict[str, ChartData]],
                {"run_ids": [run_id], "metric_paths": batch, "inherited": False, "points": points},
            )  # fmt: skip
            charts |= compared.get(str(run_id), {})
        return charts

    def files(self, run_id: int) -> list[FileRecord]:
        return self._get(f"/api/runs/{run_id}/files", list[FileRecord])

    def copy_file(self, file: FileRecord, target: Path) -> None:
        with self.stream(f"/api/files/{file.id}", {}) as response, target.open("wb") as output:
            for chunk in response.stream(_READ_SIZE):
                output.write(chunk)

    def columns(self, project_id: int) -> ProjectColumns:
        return self._get(f"/api/projects/{project_id}/columns", ProjectColumns)

    def importance(self, project_id: int, **query: Any) -> Importance:
        """How much the parameters of runs say about a target; None for no such parameter."""
        return self._get(f"/api/projects/{project_id}/importance", Importance, **query)

    def log(
        self, run_id: int, path: str, search: str | None = None, *, limit: int, offset: int = 0
    ) -> LogPage:
        return self._get(
            f"/api/runs/{run_id}/log", LogPage,
            metric=path, search=search, limit=limit, offset=offset,
        )  # fmt: skip

    def change(self, run_id: int, **fields: Any) -> Run:
        if "project" in fields:
            fields["project_id"] = self._get_or_create_project(fields.pop("project")).id
        run: Run = self._request("PATCH", f"/api/runs/{run_id}", Run, fields)
        return run

    def tag(self, run_id: int, add: Sequence[str], remove: Sequence[str]) -> Run:
        check_change({"tags": [*add]})
        change = {"run_ids": [run_id], "add": add, "remove": remove}
        (run,) = self._request("POST", "/api/runs/tags", list[Run], change)
        return run  # type: ignore[no-any-return]

    def delete_many(self, run_ids: Sequence[int]) -> Deleted:
        """Delete runs with all their points and files; those that do not exist are ignored."""
        deleted: Deleted = self._request(
            "POST", "/api/runs/delete", Deleted, {"run_ids": [*run_ids]}
        )
        return deleted

    def change_matching(
        self, condition: str, action: Mapping[str, Any], cursor: int = 0
    ) -> BulkProgress:
        """Change runs that match a filter, for about a second.

        Args:
            condition: the filter.
            action: a change as in POST /api/runs/bulk.
            cursor: that of the previous call.
        """
        body = {"select": {"filter": condition}, "action": action, "cursor": cursor}
        progress: BulkProgress = self._request("POST", "/api/runs/bulk", BulkProgress, body)
        return progress

    def keep(self, run_id: int, how: KeepVerb) -> Run:
        self.keep_many([run_id], how)
        return self.run(run_id)

    def keep_many(self, run_ids: Sequence[int], how: str) -> list[int]:
        """Archive or trash runs, or undo that; returns the row ids of those that changed."""
        changed: list[int] = []
        cursor: int | None = 0
        while cursor is not None:
            body = {"run_ids": [*run_ids], "action": {"type": how}, "cursor": cursor}
            progress: BulkProgress = self._request("POST", "/api/runs/bulk", BulkProgress, body)
            changed += progress.run_ids or []
            cursor = progress.cursor
        return changed

    def delete(self, run_id: int) -> None:
        self._request("DELETE", f"/api/runs/{run_id}", Any)

    def artifact(
        self, text: str, project: str | None = None, type_: str | None = None
    ) -> ArtifactVersion:
        return self._get(
            "/api/artifacts/resolve", ArtifactVersion, artifact=text, project=project, type=type_
        )

    def artifacts(
        self,
        project_id: int | None,
        *,
        type_: str | None = None,
        name: str | None = None,
        run_id: int | None = None,
        digest: str | None = None,
    ) -> list[ArtifactVersion]:
        versions: list[ArtifactVersion] = []
        cursor: str | None = None
        while True:
            page = self._get(
                "/api/artifacts", ArtifactPage, project_id=project_id, type=type_, name=name,
                run_id=run_id, digest=digest, limit=_PAGE_OF_ARTIFACTS, cursor=cursor,
            )  # fmt: skip
            versions += page.artifacts
            cursor = page.next_cursor
            if cursor is None:
                return versions

    def artifact_files(self, version_id: int) -> list[ArtifactFile]:
        files: list[ArtifactFile] = []
        cursor: str | None = None
        while True:
            page = self._get(
                f"/api/artifacts/{version_id}/files", ArtifactFilePage,
                limit=_PAGE_OF_ARTIFACTS, cursor=cursor,
            )  # fmt: skip
            files += page.files
            cursor = page.next_cursor
            if cursor is None:
                return files

    @contextmanager
    def artifact_bytes(self, version_id: int, name: str, sha256: str) -> Iterator[Iterable[bytes]]:
        path = f"/api/artifacts/{version_id}/files/{urllib.parse.quote(name, safe='')}"
        with self.stream(path, {}) as response:
            yield response.stream(_READ_SIZE)

    def change_artifact(
        self,
        version_id: int,
        *,
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
        description: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> ArtifactVersion:
        check_aliases(add)
        body = {
            "add_aliases": [*add], "remove_aliases": [*remove],
            "description": description, "metadata": metadata,
        }  # fmt: skip
        changed: ArtifactVersion = self._request(
            "PATCH", f"/api/artifacts/{version_id}", ArtifactVersion, body
        )
        return changed

    def export(self, run_id: int) -> Iterator[bytes]:
        """Yield the lines of `trackai export` of a run.

        Raises:
            NotFoundError: the run does not exist.
            ServerUnreachableError: the answer ended early, or there was none.
        """
        with self.stream(f"/api/runs/{run_id}/export", {}) as response:
            # Otherwise the buffer finds it closed at the end.
            response.auto_close = False  # type: ignore[attr-defined]
            yield from io.BufferedReader(response, _READ_SIZE)

    def run_ids(self, project_id: int | None, filter: str | None = None) -> list[int]:  # noqa: A002
        """List the row ids of the runs of a project, or of all projects, in order.

        Without a filter, archived runs are among them.
        """
        ids: dict[int, None] = {}
        cursor: str | None = None
        while True:
            page = self.list_runs(
                project_id=project_id, filter=filter, sort_by="id", sort_order="asc", limit=1000,
                cursor=cursor, archived="true" if filter is None else None,
            )  # fmt: skip
            ids |= dict.fromkeys(run.id for run in page.runs)
            cursor = page.next_cursor
            if cursor is None:
                return [*ids]

    @contextmanager
    def stream(self, path: str, headers: Mapping[str, str]) -> Iterator[BaseHTTPResponse]:
        """Read a long answer while it arrives."""
        # On a connection of its own, as others are made meanwhile.
        connection = Connection(self.url, self._api_key)
        with connection.stream(path, headers=headers, expected=EXPECTED_STATUSES) as response:
            if response.status != 200:
                raise error_of(Answer(self.url, response.status, response.data))
            yield response

    def _get_or_create_project(self, name: str) -> Project:
        existing = self.projects()
        for project in existing:
            if name in (project.name, project.project_id):
                return project
        slug = slugs.first_free(slugs.slugify(name), {project.project_id for project in existing})
        created: Project = self._request(
            "POST", "/api/projects", Project, {"name": name, "project_id": slug}
        )
        return created

    def _get(self, path: str, type_: type[T], **query: Any) -> T:
        answer: T = self._request("GET", _with_query(path, query), type_)
        return answer

    def _request(self, method: str, path: str, type_: Any, body: Any = None) -> Any:
        data = None if body is None else msgspec.json.encode(body)
        headers = {"Content-Type": "application/json"} if data else {}
        return self._decode(self._send(method, path, data, headers), type_)

    def _send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Answer:
        answer = self.connection.request(
            method, path, body, headers=headers, expected=EXPECTED_STATUSES
        )
        if answer.status != 200:
            raise error_of(answer)
        return answer

    def _decode(self, answer: Answer, type_: Any) -> Any:
        packed = answer.media_type in (_MSGPACK, _IMAGES)
        decode = msgspec.msgpack.decode if packed else msgspec.json.decode
        try:
            return decode(answer.data, type=type_)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise _not_trackai(self.url) from None


def default_server(api_key: str | None = None) -> RemoteSource | None:
    """The server of TRACKAI_SERVER_URL; None if it is not set.

    Args:
        api_key: default TRACKAI_API_KEY.

    Raises:
        InvalidInputError: it is not an HTTP URL.
    """
    settings = Settings.from_env()
    if settings.server_url is None:
        return None
    url = checked_url(settings.server_url, "TRACKAI_SERVER_URL")
    return RemoteSource(url, api_key or settings.api_key)


def _with_query(path: str, query: Mapping[str, Any]) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    return f"{path}?{urllib.parse.urlencode(given)}" if given else path


def _is_valid(url: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(url)
        valid = bool(parts.hostname) and parts.port != 0
    except ValueError:  # of a port, or an IPv6 address
        return False
    return valid and url.isascii() and url.isprintable() and " " not in url


def _metric_path(run_id: int, path: str) -> str:
    return f"/api/metrics/runs/{run_id}/metric/{urllib.parse.quote(path, safe='')}"


def _add_points(curve: Curve, points: Sequence[Point], *, is_text: bool) -> None:
    curve.steps.extend(point.step for point in points)
    curve.timestamps.extend(
        microseconds(point.timestamp) if point.timestamp else 0 for point in points
    )
    values = (point.value for point in points)
    curve.values.extend(values if is_text else map(from_json, values))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def error_of(answer: Answer) -> TrackAIError:
    """Return the exception for one of the statuses 404, 409 and 422."""
    detail = detail_of(answer.data)
    if detail is None:
        return _not_trackai(answer.url)
    if answer.status == 409:
        return ConflictError(detail)
    if answer.status == 422:
        field, _, problem = detail.partition(": ")
        return InvalidInputError(field, problem)
    if detail == "Not Found":  # of no path that there is
        return ServerRefusedError(
            f"{answer.url} is not the address of a TrackAI server, or of one that is too old", 404
        )
    return NotFoundError(detail)


def _not_trackai(url: str) -> ServerRefusedError:
    return ServerRefusedError(f"{url} is not the address of a TrackAI server")
