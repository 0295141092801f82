"""Every operation of the API, once: what is routed, documented and tested comes from this list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.routing import Route

from trackai.api.routes import (
    compare,
    details,
    events,
    files,
    ingest,
    metrics,
    projects,
    runs,
    server,
    session,
)
from trackai.ingest.batches import Batch
from trackai.ingest.intake import Receipt
from trackai.store.points.series import MetricSummary
from trackai.structs.records import (
    BandData,
    ChartData,
    ComparedGroups,
    ComparedPoint,
    Deleted,
    FilePath,
    FileRecord,
    Freed,
    HistogramPage,
    LogPage,
    Point,
    PointNews,
    PointPage,
    Project,
    ProjectColumns,
    ProjectSummary,
    Run,
    RunDetails,
    RunGroupPage,
    RunPage,
    RunSummary,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    Endpoint = Callable[[Request], Awaitable[Response]]

JSON = "application/json"
MSGPACK = "application/msgpack"
BYTES = "application/octet-stream"
TEXT = "text/plain"
EVENTS = "text/event-stream"
IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")


class _AnyText(PathConvertor):
    """The rest of a path: names of metrics and tags may hold line breaks, too."""

    regex = "(?s:.*)"


register_url_convertor("path", _AnyText())


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path.

    Attributes:
        path: as Starlette writes it; parameters whose name ends in `_id` are row ids.
        query: a struct whose fields are the query parameters.
        body, body_types: what the body holds, and the media types in which it may come.
        answer, answer_type: what a 200 holds, and its media type; or_answers, or_types: what else.
        errors: statuses besides those that follow from the above.
    """

    method: str
    path: str
    endpoint: Any
    query: Any = None
    body: Any = None
    body_types: tuple[str, ...] = (JSON,)
    body_required: bool = True
    answer: Any = None
    or_answers: tuple[Any, ...] = ()
    answer_type: str = JSON
    or_types: tuple[str, ...] = ()
    errors: tuple[int, ...] = ()

    @property
    def ids(self) -> bool:
        """Whether the path names a row."""
        return "_id}" in self.path

    @property
    def statuses(self) -> list[int]:
        """All statuses that a client may get."""
        found = {200, 401, 403, 414, 503, *self.errors}
        if self.ids:
            found |= {404, 422}
        if self.query is not None:
            found |= {422}
        if self.body is not None:
            found |= {413, 415, 422}
        return sorted(found)


def _op(method: str, path: str, endpoint: Endpoint, **more: Any) -> Operation:
    return Operation(method=method, path=path, endpoint=endpoint, **more)


# What Starlette's answer to a `Range` of a file may be.
_RANGES = (206, 400, 416)

OPERATIONS: Sequence[Operation] = [
    # First: batches are most of the requests of a busy server.
    _op("POST", "/api/metrics/runs/{run_id}", ingest.log_points,
        body=Batch, body_types=(JSON, MSGPACK), answer=Receipt),
    _op("GET", "/", server.root, answer=dict[str, str]),
    _op("GET", "/health", server.health, answer=dict[str, str]),
    _op("GET", "/metrics", server.prometheus, answer=str, answer_type=TEXT),
    _op("GET", "/openapi.json", server.openapi, answer=dict[str, Any]),
    _op("POST", "/api/session", session.sign_in, body=session.SignIn, answer=session.Session),
    _op("DELETE", "/api/session", session.sign_out, answer=session.Session),
    _op("GET", "/api/projects", projects.list_projects,
        query=projects.ProjectQuery, answer=list[Project], or_answers=(list[ProjectSummary],)),
    _op("POST", "/api/projects", projects.create_project,
        body=projects.NewProject, answer=Project, errors=(409,)),
    _op("GET", "/api/projects/{project_id}", projects.get_project, answer=ProjectSummary),
    _op("DELETE", "/api/projects/{project_id}", projects.delete_project, answer=Freed),
    _op("GET", "/api/projects/{project_id}/columns", projects.list_columns, answer=ProjectColumns),
    _op("GET", "/api/projects/{project_id}/groups", projects.list_groups,
        query=projects.GroupQuery, answer=RunGroupPage),
    _op("GET", "/api/runs", runs.list_runs, query=runs.RunQuery, answer=RunPage),
    _op("POST", "/api/runs", runs.create_run, body=runs.NewRun, answer=Run, errors=(404, 409)),
    _op("POST", "/api/runs/delete", runs.delete_runs, body=runs.Deletion, answer=Deleted),
    _op("POST", "/api/runs/tags", runs.change_many_tags,
        body=runs.TagChange, answer=list[Run], errors=(404,)),
    _op("GET", "/api/runs/{run_id}", runs.get_run, answer=Run),
    _op("PATCH", "/api/runs/{run_id}", runs.change_run,
        body=runs.RunChange, answer=Run, errors=(409,)),
    _op("DELETE", "/api/runs/{run_id}", runs.delete_run, answer=Freed),
    _op("POST", "/api/runs/{run_id}/tags", runs.add_tags, body=runs.NewTags, answer=Run),
    _op("DELETE", "/api/runs/{run_id}/tags/{tag:path}", runs.remove_tag, answer=Run),
    _op("GET", "/api/runs/{run_id}/summary", runs.get_summary, answer=RunSummary),
    _op("GET", "/api/runs/{run_id}/config", runs.get_config, answer=dict[str, Any]),
    _op("GET", "/api/runs/{run_id}/figures", runs.get_figures, answer=list[MetricSummary]),
    _op("PATCH", "/api/runs/{run_id}/state", runs.set_state,
        query=runs.StateQuery, body=runs.NewState, body_required=False, answer=Run),
    _op("GET", "/api/runs/{run_id}/events", events.follow,
        query=events.EventQuery, answer=str, answer_type=EVENTS),
    _op("GET", "/api/runs/{run_id}/details", details.get_details, answer=RunDetails),
    _op("GET", "/api/runs/{run_id}/log", details.get_log, query=details.LogQuery, answer=LogPage),
    _op("GET", "/api/runs/{run_id}/histograms", details.get_histograms,
        query=details.HistogramQuery, answer=HistogramPage),
    _op("GET", "/api/runs/{run_id}/files", files.list_files,
        query=files.FileQuery, answer=list[FileRecord]),
    _op("GET", "/api/runs/{run_id}/file-paths", files.list_file_paths,
        query=files.FilePathQuery, answer=list[FilePath]),
    _op("GET", "/api/files/{file_id}", files.download,
        answer=bytes, answer_type=BYTES, errors=_RANGES),
    _op("GET", "/api/files/{file_id}/preview", files.preview,
        answer=bytes, answer_type=TEXT, or_types=IMAGES, errors=_RANGES),
    _op("GET", "/api/metrics/runs/{run_id}", metrics.list_metrics,
        query=metrics.NameQuery, answer=list[str]),
    _op("GET", "/api/metrics/runs/{run_id}/metric/{metric_path:path}", metrics.get_points,
        query=metrics.PointQuery, answer=PointPage, or_answers=(ChartData, PointNews)),
    _op("GET", "/api/metrics/runs/{run_id}/first", metrics.get_first,
        query=metrics.FirstQuery, answer=Point),
    _op("POST", "/api/metrics/compare", compare.compare,
        body=compare.Comparison, answer=dict[str, dict[str, list[ComparedPoint]]],
        or_answers=(dict[str, dict[str, ChartData]], ComparedGroups)),
    _op("GET", "/api/metrics/groups", compare.get_group,
        query=compare.GroupQuery, answer=BandData, errors=(404,)),
]  # fmt: skip


def routes(operations: Sequence[Operation] = OPERATIONS) -> list[Route]:
    """The routes of operations, each path with and without a slash at its end."""
    found = []
    for one in operations:
        found.append(Route(one.path, one.endpoint, methods=[one.method]))
        if not one.path.endswith(("/", ":path}")):
            found.append(Route(one.path + "/", one.endpoint, methods=[one.method]))
    return found
