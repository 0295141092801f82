"""Invalid requests to all routes."""

from __future__ import annotations

import http.client
import itertools
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from starlette.routing import Route

from trackai.api.main import app
from trackai.api.requests import MAX_BODY
from trackai.api.routes import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Server

ROUTES = sorted(
    {
        (method, route.path)
        for route in app.routes
        if isinstance(route, Route)
        for method in route.methods or ()
    }
)
PARAMETER = re.compile(r"{(\w+)(?::path)?}")
CHANGING = [(method, path) for method, path in ROUTES if method not in ("GET", "HEAD")]


def filled(path: str, value: str) -> str:
    return PARAMETER.sub(value, path)


def query_of(method: str, path: str) -> str:
    """The parameters of `QUERY` that a route has."""
    names = {
        name
        for operation in OPERATIONS
        if (operation.method, operation.path) == (method.replace("HEAD", "GET"), path.rstrip("/"))
        and operation.query is not None
        for name in operation.query.__struct_fields__
    }
    return "?" + urlencode({name: value for name, value in QUERY.items() if name in names})


# Parameters that some routes with an id require.
QUERY = {"metric": "x", "kind": "min", "by": "state", "target": "metric.x", "columns": "name"}
BODY = b'{"state": "failed", "tags": ["t"]}'
# For routes that refuse unknown fields.
BODIES = {
    "/api/projects/{project_id}": b'{"name": "p"}',
    "/api/projects/{project_id}/views": b'{"name": "v", "layout": {"sections": []}}',
    "/api/views/{view_id}": b'{"name": "v", "layout": {"sections": []}, "version": 1}',
    "/api/runs/{run_id}": b'{"tags": ["t"]}',
    "/api/runs/{run_id}/state": b'{"state": "failed"}',
    "/api/artifacts/{version_id}": b'{"add_aliases": ["t"]}',
    "/api/runs/{run_id}/tags": b'{"tags": ["t"]}',
    "/api/metrics/runs/{run_id}": b'{"rows": [{"step": 0, "values": {"x": 1.0}}]}',
}
MEDIA_TYPES = {
    "/api/journals/{journal}": "application/octet-stream",
    "/api/blobs/{sha256}": "application/octet-stream",
    "/api/import": "application/octet-stream",
}
PROTOCOL = {"TrackAI-Protocol": "1"}


def is_refused(answer: Any, *statuses: int) -> bool:
    """Whether the response is one of these errors, with a detail (or no body, after HEAD)."""
    if answer.status not in statuses:
        return False
    return answer.json is None or (
        list(answer.json) == ["detail"] and isinstance(answer.json["detail"], str)
    )


@pytest.fixture
def state(server: Server) -> Iterator[Any]:
    """A project with a run and a point, which must be unchanged after the test."""
    project = server.request("POST", "/api/projects", {"name": "p", "project_id": "p"})
    run = server.request("POST", "/api/runs", {"project_id": project.json["id"], "run_id": "r"})
    path = f"/api/metrics/runs/{run.json['id']}"
    points = {"rows": [{"step": 0, "values": {"x": 1.0}}]}
    assert server.request("POST", path, points).status == 200

    def look() -> list[Any]:
        paths = ("/api/projects", "/api/runs", f"/api/runs/{run.json['id']}/summary",
                 f"{path}/metric/x")  # fmt: skip
        return [server.get(path) for path in paths]

    before = look()
    yield
    assert look() == before


@pytest.mark.usefixtures("state")
def test_ids_that_are_not_integers_are_named(server: Server) -> None:
    with_ids = [(method, path) for method, path in ROUTES if "_id}" in path]
    assert len(with_ids) > 20
    for method, path in with_ids:
        [name] = [name for name in PARAMETER.findall(path) if name.endswith("_id")]
        for text in ("abc", "1.0", "1e0", "1_0", "0x1", "--1", "%D9%A1", "1%00", "%201", "%FF"):
            data = None if method in ("GET", "HEAD") else BODIES.get(path.rstrip("/"), BODY)
            answer = server.request(method, filled(path, text) + query_of(method, path), data=data)
            assert is_refused(answer, 422), (method, path, text, answer)
            assert answer.json is None or answer.json["detail"].startswith(f"{name}: ")


@pytest.mark.usefixtures("state")
def test_unknown_query_parameters_are_named(server: Server) -> None:
    for operation in OPERATIONS:
        if operation.query is None or operation.method == "PATCH":
            continue
        path = filled(operation.path, "1")
        answer = server.request(operation.method, path + "?nonsense=1")
        assert is_refused(answer, 422), (path, answer)
        assert "nonsense: unknown query parameter; known are " in answer.json["detail"]
    for path, parameter, close in (
        ("/api/runs", "filters", "filter"),
        ("/api/runs", "offsett", "offset"),
        ("/api/runs", "sort", "sort_by"),
        ("/api/projects", "Limit", "limit"),
        ("/api/metrics/runs/1/metric/x", "point", "points"),
        ("/api/metrics/runs/1/metric/x", "step_minimum", "step_min"),
    ):
        answer = server.request("GET", f"{path}?{parameter}=1")
        detail = f"{parameter}: unknown query parameter; did you mean {close}?"
        assert (answer.status, answer.json) == (422, {"detail": detail})


@pytest.mark.usefixtures("state")
def test_errors_are_in_plain_words(server: Server) -> None:
    for method, path, body, detail in (
        ("GET", "/api/runs?limit=x", None, "limit: must be an integer, got a string"),
        ("GET", "/api/runs?limit=0", None, "limit: must be an integer >= 1"),
        ("POST", "/api/projects", {"name": 5, "project_id": "x"},
         "name: must be a string, got an integer"),
        ("POST", "/api/projects", {"name": "x"}, "project_id: missing"),
        ("POST", "/api/runs/1/tags", {"tags": "x"}, "tags: must be a list, got a string"),
        ("POST", "/api/runs/1/tags", {"tags": ["x"] * 101}, "tags: must have at most 100 items"),
        ("PATCH", "/api/runs/1", {"nope": 1}, "nope: unknown field"),
        ("PATCH", "/api/runs/1/state", {"state": "x"}, "state: invalid value 'x'"),
        ("POST", "/api/metrics/runs/1", {"rows": [{"values": {"a\0": 1}}]},
         "rows[0].values: must not contain the character U+0000"),
        ("POST", "/api/metrics/runs/1", {"rows": [{"values": {"": 1}}]},
         "rows[0].values: must not be empty"),
    ):  # fmt: skip
        answer = server.request(method, path, body)
        assert (answer.status, answer.json) == (422, {"detail": detail})


@pytest.mark.usefixtures("state")
def test_unknown_ids_are_not_found(server: Server) -> None:
    for method, path in ROUTES:
        if "_id}" not in path:
            continue
        for text in ("0", "-1", "999", "9223372036854775807", "9223372036854775808",
                     "-9223372036854775809", "9" * 30, "9" * 3000):  # fmt: skip
            data = None if method in ("GET", "HEAD") else BODIES.get(path.rstrip("/"), BODY)
            answer = server.request(method, filled(path, text) + query_of(method, path), data=data)
            assert is_refused(answer, 404), (method, path, text[:40], answer)


@pytest.mark.usefixtures("state")
def test_no_body_causes_an_internal_error(server: Server) -> None:
    deep = b"[" * 50_000
    bodies = [
        b"", b"{", b"null", b"1", b'"x"', b"\x00", b"\xff\xfe", b"{}x", b"NaN", b"[{}]", deep,
        b'{"x": ' + deep + b"]" * 50_000 + b"}", b'{"x": "\\ud800"}', b'{"\\ud800": 1}',
    ]  # fmt: skip
    for method, path in CHANGING:
        if method == "DELETE":
            continue  # takes no body
        for body in bodies:
            headers = {
                "Content-Type": MEDIA_TYPES.get(path.rstrip("/"), "application/json"),
                **PROTOCOL,
            }
            answer = server.request(method, filled(path, "999"), data=body, headers=headers)
            assert is_refused(answer, 404, 422), (method, path, body[:40], answer)


@pytest.mark.usefixtures("state")
def test_other_media_types_are_refused(server: Server) -> None:
    for method, path in CHANGING:
        if method == "DELETE":
            continue
        for media_type in ("text/plain", "application/x-www-form-urlencoded", "", "json",
                           "multipart/form-data; boundary=x", "text/json"):  # fmt: skip
            answer = server.request(
                method, filled(path, "999"), data=b"{}", headers={"Content-Type": media_type}
            )
            assert is_refused(answer, 415), (method, path, media_type, answer)
    body = {"name": "", "project_id": ""}
    for media_type in ("application/json; charset=utf-8", "APPLICATION/JSON", "application/json;"):
        headers = {"Content-Type": media_type}
        assert server.request("POST", "/api/projects", body, headers=headers).status == 422


@pytest.mark.usefixtures("state")
def test_unsupported_methods_are_refused(server: Server) -> None:
    for path in sorted({path for _, path in ROUTES}):
        for method in {"PUT", "TRACE", "OPTIONS"} - {own for own, known in ROUTES if known == path}:
            answer = server.request(method, filled(path, "1"), data=b"")
            assert is_refused(answer, 405), (method, path, answer)
        answer = server.request("ODD", filled(path, "1"), data=b"")  # not a method of HTTP
        assert is_refused(answer, 400), (path, answer)


def exchange(server: Server, path: str) -> tuple[int, bytes]:
    """Send a GET request without following redirects."""
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=20)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_no_path_redirects(server: Server) -> None:
    for path in sorted({path for _, path in ROUTES}):
        for ending in ("", "/", "//"):
            status, _ = exchange(server, filled(path, "1").rstrip("/") + ending or "/")
            assert not 300 <= status < 400, (path, ending)
    # Without the name of a metric, it is not the metric without a name.
    for path in ("/api/metrics/runs/1/metric", "/api/projects//", "/api//projects", "/api", "//"):
        status, body = exchange(server, path)
        assert (status, list(json.loads(body))) == (404, ["detail"]), path


@pytest.mark.usefixtures("state")
@pytest.mark.parametrize("path", ["/api/projects", "/api/runs", "/api/metrics/compare"])
def test_too_large_bodies_are_refused(server: Server, path: str) -> None:
    for size in (MAX_BODY + 1, 3 * MAX_BODY):
        answer = server.request("POST", path, data=b" " * size)
        assert is_refused(answer, 413), answer
        assert str(MAX_BODY) in answer.json["detail"]
    # Without a Content-Length, in chunks.
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=20)
    connection.request(
        "POST", path, body=itertools.repeat(b" " * (1 << 20), 2 * MAX_BODY >> 20),
        headers={"Content-Type": "application/json"}, encode_chunked=True,
    )  # fmt: skip
    response = connection.getresponse()
    assert (response.status, list(json.loads(response.read()))) == (413, ["detail"])
    connection.close()


def test_bodies_of_the_maximum_size_are_read(server: Server) -> None:
    body = b'{"name": "p", "project_id": "p"}'
    answer = server.request("POST", "/api/projects", data=body.rjust(MAX_BODY))
    assert answer.status == 200
