"""Runs on a server, read and changed over HTTP."""

from __future__ import annotations

import io
import urllib.parse
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.client.connection import checked_url
from trackai.errors import NotFoundError
from trackai.filters.tree import Metric, field_text
from trackai.reading import remote_points
from trackai.reading.remote_points import metric_path
from trackai.reading.server_client import ServerClient
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

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from trackai.filters.tree import Field
    from trackai.reading.history import Arrays, Curve
    from trackai.store.charts.chart_records import XAxis
    from trackai.values.types import KeepVerb, Step

# A condition by which archived runs and those in the trash match as well.
_ANYWHERE = "(trashed = true or trashed = false)"
# Projects of a page: mostly all of them.
_PAGE = 1_000_000
_PAGE_OF_ARTIFACTS = 1000
_READ_SIZE = 1 << 18
# Metrics of one request for charts, and runs of one for their values.
_MAX_COMPARED = 1000


class RemoteSource(ServerClient):
    """A server. See `trackai.reading.source.Source`; all methods also raise TrackAIError."""

    @property
    def place(self) -> str:
        return self.url

    def projects(self) -> list[Project]:
        return self.get("/api/projects", list[Project], limit=_PAGE)

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
        return self.get(
            "/api/runs", RunPage, project_id=project_id, filter=filter, sort_by=sort,
            sort_order="asc" if ascending else "desc", limit=limit, cursor=cursor, columns=columns,
        )  # fmt: skip

    def values(self, run_ids: Sequence[int]) -> list[RunValues]:
        values: list[RunValues] = []
        for start in range(0, len(run_ids), _MAX_COMPARED):
            batch = [*run_ids[start : start + _MAX_COMPARED]]
            values += self.request("POST", "/api/runs/values", list[RunValues], {"run_ids": batch})
        return values

    def list_runs(self, **query: Any) -> RunPage:
        """List a page of runs by the query of GET /api/runs, of which None is left out."""
        return self.get("/api/runs", RunPage, **query)

    def list_alerts(self, **query: Any) -> AlertPage:
        """List the latest alerts by the query of GET /api/alerts, of which None is left out."""
        return self.get("/api/alerts", AlertPage, **query)

    def key_names(self, run_id: int) -> list[str]:
        """List the names of the keys with which a run was logged to the server, sorted."""
        details = self.get(f"/api/runs/{run_id}/details", RunDetails)
        return sorted({process.key for process in details.processes if process.key is not None})

    def has_field(self, field: Field) -> bool:
        """Whether a run has a configuration key or metric."""
        if isinstance(field, Metric):
            field = Metric(field.path, "points")
        condition = f"{field_text(field)} != null"
        return self.list_runs(filter=f"{condition} and {_ANYWHERE}", limit=1).total > 0

    def project_summaries(self) -> list[ProjectSummary]:
        """List all projects with the numbers of their runs, the newest first."""
        return self.get("/api/projects", list[ProjectSummary], counts="true", limit=_PAGE)

    def find_project(self, name: str) -> Project:
        """Return the project with this name or slug; a name takes precedence."""
        existing = self.projects()
        for project in sorted(existing, key=lambda project: project.name != name):
            if name in (project.name, project.project_id):
                return project
        raise NotFoundError(f"project {name!r} not found on the server")

    def run(self, run_id: int) -> Run:
        return self.get(f"/api/runs/{run_id}", Run)

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
        return self.get(
            metric_path(run_id, path), PointPage, inherited="false", limit=limit, offset=offset
        ).data

    def config(self, run_id: int) -> dict[str, Any]:
        return self.get(f"/api/runs/{run_id}/config", dict[str, Any])

    def environment(self, run_id: int) -> dict[str, Any]:
        facts = self.get(f"/api/runs/{run_id}", RunWithEnvironment).environment
        return {} if isinstance(facts, msgspec.UnsetType) else facts

    def paths(self, run_id: int) -> list[str]:
        return self.get(f"/api/metrics/runs/{run_id}", list[str])

    def figures(self, run_id: int) -> list[MetricSummary]:
        return self.get(f"/api/runs/{run_id}/figures", list[MetricSummary])

    def points(self, run_id: int, path: str) -> Curve:
        return remote_points.read(self, run_id, path)

    def arrays(self, run_id: int, path: str) -> Curve | Arrays:
        return remote_points.read_arrays(self, run_id, path)

    def pages(
        self, run_id: int, starts: Mapping[str, Step | None], step_max: Step | None, limit: int
    ) -> dict[str, tuple[Curve, bool]]:
        return {
            path: remote_points.read_page(self, run_id, path, limit, step_min, step_max)
            for path, step_min in starts.items()
        }

    def chart(
        self, run_id: int, path: str, points: int, x: XAxis, smooth: float | None = None
    ) -> ChartData:
        return self.get(
            metric_path(run_id, path), ChartData, points=points, x=x, smoothing=smooth or None
        )

    def own_charts(self, run_id: int, paths: Sequence[str], points: int) -> dict[str, ChartData]:
        """Return the charts of metrics by name, without what the run inherits."""
        charts: dict[str, ChartData] = {}
        for start in range(0, len(paths), _MAX_COMPARED):
            batch = paths[start : start + _MAX_COMPARED]
            compared = self.request(
                "POST", "/api/metrics/compare", dict[str, dict[str, ChartData]],
                {"run_ids": [run_id], "metric_paths": batch, "inherited": False, "points": points},
            )  # fmt: skip
            charts |= compared.get(str(run_id), {})
        return charts

    def files(self, run_id: int) -> list[FileRecord]:
        return self.get(f"/api/runs/{run_id}/files", list[FileRecord])

    def copy_file(self, file: FileRecord, target: Path) -> None:
        with self.stream(f"/api/files/{file.id}", {}) as response, target.open("wb") as output:
            for chunk in response.stream(_READ_SIZE):
                output.write(chunk)

    def columns(self, project_id: int) -> ProjectColumns:
        return self.get(f"/api/projects/{project_id}/columns", ProjectColumns)

    def importance(self, project_id: int, **query: Any) -> Importance:
        """How much the parameters of runs say about a target; None for no such parameter."""
        return self.get(f"/api/projects/{project_id}/importance", Importance, **query)

    def log(
        self, run_id: int, path: str, search: str | None = None, *, limit: int, offset: int = 0
    ) -> LogPage:
        return self.get(
            f"/api/runs/{run_id}/log", LogPage,
            metric=path, search=search, limit=limit, offset=offset,
        )  # fmt: skip

    def change(self, run_id: int, **fields: Any) -> Run:
        if "project" in fields:
            fields["project_id"] = self._get_or_create_project(fields.pop("project")).id
        run: Run = self.request("PATCH", f"/api/runs/{run_id}", Run, fields)
        return run

    def tag(self, run_id: int, add: Sequence[str], remove: Sequence[str]) -> Run:
        check_change({"tags": [*add]})
        change = {"run_ids": [run_id], "add": add, "remove": remove}
        (run,) = self.request("POST", "/api/runs/tags", list[Run], change)
        return run  # type: ignore[no-any-return]

    def delete_many(self, run_ids: Sequence[int]) -> Deleted:
        """Delete runs with all their points and files; those that do not exist are ignored."""
        deleted: Deleted = self.request(
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
        progress: BulkProgress = self.request("POST", "/api/runs/bulk", BulkProgress, body)
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
            progress: BulkProgress = self.request("POST", "/api/runs/bulk", BulkProgress, body)
            changed += progress.run_ids or []
            cursor = progress.cursor
        return changed

    def delete(self, run_id: int) -> None:
        self.request("DELETE", f"/api/runs/{run_id}", Any)

    def artifact(
        self, text: str, project: str | None = None, type_: str | None = None
    ) -> ArtifactVersion:
        return self.get(
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
            page = self.get(
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
            page = self.get(
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
        changed: ArtifactVersion = self.request(
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

    def _get_or_create_project(self, name: str) -> Project:
        existing = self.projects()
        for project in existing:
            if name in (project.name, project.project_id):
                return project
        slug = slugs.first_free(slugs.slugify(name), {project.project_id for project in existing})
        created: Project = self.request(
            "POST", "/api/projects", Project, {"name": name, "project_id": slug}
        )
        return created


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


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
