"""Runs on a server, read and changed over HTTP."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from trackai.errors import ConflictError, InvalidInputError, NotFoundError, TrackAIError
from trackai.reading.history import Curve, from_json
from trackai.reading.source import check_change
from trackai.store.catalogue import runs, slugs
from trackai.store.points.series import MetricSummary
from trackai.structs.records import ChartData, Point, PointPage, Project, Run, RunPage
from trackai.values.times import microseconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from trackai.store.charts.chart_records import XAxis

T = TypeVar("T")
# Projects or points a page: mostly all of them.
_PAGE = 1_000_000


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
        cursor: str | None = None,
    ) -> RunPage:
        return self._get(
            "/api/runs", RunPage, project_id=project_id, filter=filter, sort_by=sort,
            sort_order="asc" if ascending else "desc", limit=limit, cursor=cursor,
        )  # fmt: skip

    def run(self, run_id: int) -> Run:
        return self._get(f"/api/runs/{run_id}", Run)

    def resolve(self, text: str) -> Run:
        """Return the run that a text means, with the precedence of `runs.resolve`."""
        project_slugs = {project.id: project.project_id for project in self.projects()}
        for project_id, condition in self._interpretations(text):
            page = self.runs(
                project_id, filter=condition, sort="created_at", ascending=False,
                limit=1 if condition is None else 100,
            )  # fmt: skip
            if len(page.runs) == 1:
                return page.runs[0]
            if page.runs:
                names = [
                    (f"{project_slugs[run.project_id]}/{run.run_id}", run.id) for run in page.runs
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

    def paths(self, run_id: int) -> list[str]:
        return self._get(f"/api/metrics/runs/{run_id}", list[str])

    def figures(self, run_id: int) -> list[MetricSummary]:
        return self._get(f"/api/runs/{run_id}/figures", list[MetricSummary])

    def points(self, run_id: int, path: str) -> Curve:
        kinds = {metric.path: metric.kind for metric in self.figures(run_id)}
        is_text = kinds.get(path) == "text"
        curve = Curve([], [], [])
        cursor: str | None = None
        while True:
            page = self._get(_metric_path(run_id, path), PointPage, limit=_PAGE, cursor=cursor)
            curve.steps.extend(point.step for point in page.data)
            curve.timestamps.extend(
                microseconds(point.timestamp) if point.timestamp else 0 for point in page.data
            )
            values = (point.value for point in page.data)
            curve.values.extend(values if is_text else map(from_json, values))
            if not page.next_cursor:
                return curve
            cursor = page.next_cursor

    def chart(
        self, run_id: int, path: str, points: int, x: XAxis, smooth: float | None = None
    ) -> ChartData:
        return self._get(
            _metric_path(run_id, path), ChartData, points=points, x=x, smoothing=smooth or None
        )

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

    def delete(self, run_id: int) -> None:
        self._request("DELETE", f"/api/runs/{run_id}", Any)

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
        query = {name: value for name, value in query.items() if value is not None}
        answer: T = self._request("GET", f"{path}?{urllib.parse.urlencode(query)}", type_)
        return answer

    def _request(self, method: str, path: str, type_: Any, body: Any = None) -> Any:
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
            raise TrackAIError(
                f"{self.url} does not answer ({reason_of(error)}): is it running?"
            ) from None
        except http.client.IncompleteRead:
            raise TrackAIError(f"the answer of {self.url} ended early: request it again") from None
        except (http.client.HTTPException, msgspec.MsgspecError):
            raise TrackAIError(f"{self.url} is not the address of a TrackAI server") from None


def _is_valid(url: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(url)
        valid = bool(parts.hostname) and parts.port != 0
    except ValueError:  # of a port, or an IPv6 address
        return False
    return valid and url.isascii() and url.isprintable() and " " not in url


def _metric_path(run_id: int, path: str) -> str:
    return f"/api/metrics/runs/{run_id}/metric/{urllib.parse.quote(path, safe='')}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def reason_of(error: OSError | http.client.HTTPException) -> str:
    """The reason of a failed connection, without the number of the error and its class."""
    reason = getattr(error, "reason", error)
    return str(getattr(reason, "strerror", None) or reason or type(reason).__name__)


def error_of(status: int, body: bytes) -> TrackAIError:
    """Return the exception for the answer of a server.

    Args:
        status: the HTTP status, 400 or higher.
        body: JSON with the key "detail".
    """
    try:
        detail = str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        detail = f"the server answered with the HTTP status {status}"
    if status == 404:
        return NotFoundError(detail)
    if status == 409:
        return ConflictError(detail)
    if status == 422:
        field, _, problem = detail.partition(": ")
        return InvalidInputError(field, problem)
    return TrackAIError(detail)
