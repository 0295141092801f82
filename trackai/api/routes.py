"""The routes: every operation of the HTTP API, listed once.

Routing, the OpenAPI document and tests are all derived from `OPERATIONS`. The functions that
respond are in `endpoints/`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.middleware import Middleware
from starlette.routing import Route

from trackai.api.endpoints import (
    artifacts,
    bulk,
    compare,
    details,
    events,
    exports,
    files,
    imports,
    ingest,
    journals,
    metric_groups,
    metrics,
    projects,
    runs,
    search,
    server,
    session,
    sweeps,
    tags,
    views,
)
from trackai.api.responses import JSON, MSGPACK
from trackai.api.security import ScopeMiddleware
from trackai.importers.target import Stored
from trackai.ingest.attach import Attach, Attached
from trackai.ingest.batches import Batch
from trackai.ingest.deliveries import Outcome
from trackai.ingest.intake import Receipt
from trackai.store.blobs.blob_store import Received
from trackai.store.points.series import MetricSummary
from trackai.structs.records import (
    AlertPage,
    ArtifactFilePage,
    ArtifactPage,
    ArtifactVersion,
    BandData,
    BulkProgress,
    ChartData,
    ComparedGroups,
    ComparedPoint,
    Deleted,
    FilePath,
    FileRecord,
    FilesOfRun,
    FileSteps,
    Freed,
    GroupedRuns,
    HistogramPage,
    Importance,
    LogPage,
    Message,
    MetricPaths,
    Point,
    PointNews,
    PointPage,
    Project,
    ProjectColumns,
    ProjectSummary,
    Run,
    RunColumns,
    RunDetails,
    RunGroupPage,
    RunPage,
    RunSummary,
    RunValues,
    RunWithEnvironment,
    SearchResults,
    SharedFilePaths,
    View,
    ViewSummary,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from trackai.store.catalogue.keys import Scope

    Endpoint = Callable[[Request], Awaitable[Response]]

JSON_LINES = "application/x-ndjson"
BYTES = "application/octet-stream"
TEXT = "text/plain"
HTML = "text/html"
EVENTS = "text/event-stream"
MEDIA = (
    "image/png", "image/jpeg", "image/gif", "image/webp", "audio/wav", "audio/flac", "audio/ogg",
    "audio/mpeg", "audio/mp4", "video/mp4", "video/webm",
)  # fmt: skip


class _MultilinePathConvertor(PathConvertor):
    """The rest of a path, including line breaks, which names of metrics and tags may contain."""

    regex = "(?s:.*)"


register_url_convertor("path", _MultilinePathConvertor())


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path.

    Attributes:
        path: in Starlette's syntax; parameters whose name ends in `_id` are row ids.
        endpoint: the function that responds; the first line of its docstring is the summary.
        scope: the scope that a key needs; by default "read" for GET, and "admin" for the rest.
        query: a struct whose fields are the query parameters.
        body: the type of the body, in any of the media types `body_types`.
        response: the type of a 200 response, with the media type `response_type`.
        or_responses, or_types: alternatives to these, for the same status.
        errors: error statuses besides those that follow from the other attributes.
    """

    method: str
    path: str
    endpoint: Any
    scope: Any
    query: Any = None
    body: Any = None
    body_types: tuple[str, ...] = (JSON,)
    body_required: bool = True
    response: Any = None
    or_responses: tuple[Any, ...] = ()
    response_type: str = JSON
    or_types: tuple[str, ...] = ()
    errors: tuple[int, ...] = ()

    @property
    def has_row_id(self) -> bool:
        """Whether the path contains a row id."""
        return "_id}" in self.path

    @property
    def statuses(self) -> list[int]:
        """All statuses that a client may receive, sorted."""
        statuses = {200, 401, 403, 414, 429, 503, *self.errors}
        if self.has_row_id:
            statuses |= {404, 422}
        if self.query is not None:
            statuses |= {422}
        if self.scope != "read" and self.method != "GET":
            statuses |= {507}
        if self.body is not None:
            statuses |= {413, 415, 422}
        return sorted(statuses)


def _op(
    method: str, path: str, endpoint: Endpoint, *, scope: Scope | None = None, **fields: Any
) -> Operation:
    scope = scope or ("read" if method == "GET" else "admin")
    return Operation(method=method, path=path, endpoint=endpoint, scope=scope, **fields)


# The statuses of Starlette's responses to the header Range.
_RANGE_STATUSES = (206, 400, 416)

OPERATIONS: Sequence[Operation] = [
    # Routes are matched in this order: first the most frequent request of a busy server.
    _op("POST", "/api/metrics/runs/{run_id}", ingest.log_points, scope="write",
        body=Batch, body_types=(JSON, MSGPACK), response=Receipt),
    _op("POST", "/api/journals/{journal}", journals.store_batch, scope="write",
        body=bytes, body_types=(BYTES,), response=Outcome,
        errors=(403, 409, 426)),
    _op("POST", "/api/runs/attach", journals.attach_run, scope="write",
        body=Attach, response=Attached, errors=(404, 409, 426)),
    _op("POST", "/api/runs", runs.create_run, scope="write",
        body=runs.NewRun, response=Run, errors=(404, 409)),
    _op("POST", "/api/writers/alive", journals.note_alive, scope="write",
        body=journals.Heard, response=journals.Known, errors=(426,)),
    _op("POST", "/api/import", imports.store_import, scope="write",
        body=bytes, body_types=(BYTES,), response=list[Stored], errors=(409, 426)),
    _op("POST", "/api/import/lacking", imports.list_lacking, scope="write",
        body=imports.Blobs, response=list[str]),
    _op("GET", "/api/blobs/{sha256}", journals.get_blob, scope="write",
        query=journals.UploadQuery, response=Received, errors=(404,)),
    _op("PUT", "/api/blobs/{sha256}", journals.put_blob, scope="write",
        query=journals.UploadQuery, body=bytes, body_types=(BYTES,), response=Received,
        errors=(404, 409)),
    _op("GET", "/", server.root, response=dict[str, str]),
    _op("GET", "/health", server.health, response=dict[str, str]),
    _op("GET", "/metrics", server.prometheus, response=str, response_type=TEXT),
    _op("GET", "/openapi.json", server.openapi, response=dict[str, Any]),
    _op("POST", "/api/session", session.sign_in,
        body=session.SignIn, response=session.Session),
    _op("GET", "/api/session", session.get_session, response=session.Session),
    _op("DELETE", "/api/session", session.sign_out, scope="read",
        response=session.Session),
    _op("GET", "/api/projects", projects.list_projects,
        query=projects.ProjectQuery, response=list[Project], or_responses=(list[ProjectSummary],)),
    _op("POST", "/api/projects", projects.create_project, scope="write",
        body=projects.NewProject, response=Project, errors=(409,)),
    _op("GET", "/api/projects/{project_id}", projects.get_project, response=ProjectSummary),
    _op("PATCH", "/api/projects/{project_id}", projects.change_project,
        body=projects.ProjectChange, response=Project, errors=(409,)),
    _op("DELETE", "/api/projects/{project_id}", projects.delete_project, response=Freed),
    _op("GET", "/api/projects/{project_id}/columns", projects.list_columns,
        response=ProjectColumns),
    _op("GET", "/api/projects/{project_id}/groups", projects.list_groups,
        query=projects.GroupQuery, response=RunGroupPage),
    _op("GET", "/api/projects/{project_id}/values", sweeps.list_values,
        query=sweeps.ColumnsQuery, response=RunColumns),
    _op("GET", "/api/projects/{project_id}/importance", sweeps.get_importance,
        query=sweeps.ImportanceQuery, response=Importance),
    _op("GET", "/api/projects/{project_id}/views", views.list_views,
        response=list[ViewSummary]),
    _op("POST", "/api/projects/{project_id}/views", views.create_view,
        body=views.NewView, response=View, errors=(409,)),
    _op("GET", "/api/views/{view_id}", views.get_view, response=View),
    _op("PUT", "/api/views/{view_id}", views.replace_view,
        body=views.ChangedView, response=View, errors=(409,)),
    _op("DELETE", "/api/views/{view_id}", views.delete_view, response=Message),
    _op("GET", "/api/runs", runs.list_runs, query=runs.RunQuery, response=RunPage),
    _op("POST", "/api/runs/delete", runs.delete_runs, body=runs.Deletion, response=Deleted),
    _op("POST", "/api/runs/bulk", bulk.change_matching, body=bulk.BulkChange,
        response=BulkProgress, errors=(404,)),
    _op("GET", "/api/runs/export", exports.export_matching, query=exports.ExportQuery,
        response=bytes, response_type=JSON_LINES, errors=(404,)),
    _op("POST", "/api/runs/tags", tags.change_many_tags,
        body=tags.TagChange, response=list[Run], errors=(404,)),
    _op("POST", "/api/runs/groups", runs.group_runs, scope="read",
        body=runs.Grouping, response=GroupedRuns),
    _op("POST", "/api/runs/values", runs.get_values, scope="read",
        body=runs.ValuesQuery, response=list[RunValues]),
    _op("GET", "/api/runs/{run_id}", runs.get_run,
        response=RunWithEnvironment),
    _op("PATCH", "/api/runs/{run_id}", runs.change_run, scope="write",
        body=runs.RunChange, response=Run, errors=(409,)),
    _op("DELETE", "/api/runs/{run_id}", runs.delete_run, response=Freed),
    _op("POST", "/api/runs/{run_id}/tags", tags.add_tags, scope="write",
        body=tags.NewTags, response=Run),
    _op("DELETE", "/api/runs/{run_id}/tags/{tag:path}", tags.remove_tag, response=Run),
    _op("GET", "/api/runs/{run_id}/summary", runs.get_summary, response=RunSummary),
    _op("GET", "/api/runs/{run_id}/config", runs.get_config, response=dict[str, Any]),
    _op("GET", "/api/runs/{run_id}/figures", runs.get_figures, response=list[MetricSummary]),
    _op("PATCH", "/api/runs/{run_id}/state", runs.set_state, scope="write",
        query=runs.StateQuery, body=runs.NewState, body_required=False, response=Run),
    _op("GET", "/api/runs/{run_id}/events", events.follow,
        query=events.EventQuery, response=str, response_type=EVENTS),
    _op("GET", "/api/runs/{run_id}/export", exports.export_run,
        response=bytes, response_type=JSON_LINES),
    _op("GET", "/api/runs/{run_id}/details", details.get_details, response=RunDetails),
    _op("GET", "/api/runs/{run_id}/log", details.get_log, query=details.LogQuery, response=LogPage),
    _op("GET", "/api/runs/{run_id}/histograms", details.get_histograms,
        query=details.HistogramQuery, response=HistogramPage),
    _op("GET", "/api/runs/{run_id}/files", files.list_files,
        query=files.FileQuery, response=list[FileRecord]),
    _op("GET", "/api/runs/{run_id}/file-paths", files.list_file_paths,
        query=files.FilePathQuery, response=list[FilePath]),
    _op("POST", "/api/files/paths", files.list_paths_of_runs, scope="read",
        body=files.SharedPathQuery, response=SharedFilePaths),
    _op("POST", "/api/files/steps", files.list_steps_of_runs, scope="read",
        body=files.StepQuery, response=FileSteps),
    _op("POST", "/api/files/compare", files.compare_files, scope="read",
        body=files.FileComparison, response=list[FilesOfRun]),
    _op("GET", "/api/files/{file_id}", files.download,
        response=bytes, response_type=BYTES, errors=_RANGE_STATUSES),
    _op("GET", "/api/files/{file_id}/preview", files.preview,
        response=bytes, response_type=TEXT, or_types=MEDIA, errors=_RANGE_STATUSES),
    _op("GET", "/api/files/{file_id}/page", files.page, response=bytes, response_type=HTML),
    _op("GET", "/api/artifacts", artifacts.list_artifacts,
        query=artifacts.ArtifactQuery, response=ArtifactPage),
    _op("GET", "/api/artifacts/resolve", artifacts.resolve,
        query=artifacts.ResolveQuery, response=ArtifactVersion, errors=(404,)),
    _op("GET", "/api/artifacts/{version_id}", artifacts.get_artifact, response=ArtifactVersion),
    _op("PATCH", "/api/artifacts/{version_id}", artifacts.change_artifact,
        body=artifacts.ArtifactChange, response=ArtifactVersion),
    _op("GET", "/api/artifacts/{version_id}/files", artifacts.list_artifact_files,
        query=artifacts.ArtifactFileQuery, response=ArtifactFilePage),
    _op("GET", "/api/artifacts/{version_id}/files/{file_name:path}",
        artifacts.download_artifact_file,
        response=bytes, response_type=BYTES, errors=_RANGE_STATUSES),
    _op("GET", "/api/metrics/runs/{run_id}", metrics.list_metrics,
        query=metrics.NameQuery, response=list[str]),
    _op("GET", "/api/metrics/runs/{run_id}/metric/{metric_path:path}", metrics.get_points,
        query=metrics.PointQuery, response=PointPage, or_responses=(ChartData, PointNews),
        or_types=(MSGPACK,)),
    _op("POST", "/api/metrics/paths", metrics.list_metrics_of_runs, scope="read",
        body=metrics.PathsQuery, response=MetricPaths),
    _op("GET", "/api/metrics/runs/{run_id}/first", metrics.get_first,
        query=metrics.FirstQuery, response=Point),
    _op("POST", "/api/metrics/compare", compare.compare, scope="read",
        body=compare.Comparison, response=dict[str, dict[str, list[ComparedPoint]]],
        or_responses=(dict[str, dict[str, ChartData]], ComparedGroups)),
    _op("GET", "/api/metrics/groups", metric_groups.get_group,
        query=metric_groups.GroupQuery, response=BandData, errors=(404,)),
    _op("GET", "/api/alerts", search.list_alerts, query=search.AlertQuery, response=AlertPage),
    _op("GET", "/api/search", search.find, query=search.SearchQuery, response=SearchResults),
]  # fmt: skip


def routes(operations: Sequence[Operation] = OPERATIONS) -> list[Route]:
    """Create the routes of operations, for each path with and without a trailing slash."""
    result = []
    for operation in operations:
        path, endpoint, methods = operation.path, operation.endpoint, [operation.method]
        middleware = [Middleware(ScopeMiddleware, needed=operation.scope)]
        result.append(Route(path, endpoint, methods=methods, middleware=middleware))
        if not path.endswith(("/", ":path}")):
            result.append(Route(path + "/", endpoint, methods=methods, middleware=middleware))
    return result
