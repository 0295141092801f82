"""/openapi.json describes every route, and responses conform to it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from starlette.routing import Route

import trackai
from trackai.api.main import app
from trackai.api.routes import OPERATIONS

if TYPE_CHECKING:
    from tests.conftest import Server

CHECKS = ",".join(
    """
    not_a_server_error status_code_conformance content_type_conformance
    response_schema_conformance
    """.split()
)


@pytest.fixture
def server(own_server: Server) -> Server:
    """A new server, which has counted no requests of other tests."""
    return own_server


def test_every_route_is_described(server: Server) -> None:
    document = server.get("/openapi.json")
    assert document["openapi"].startswith("3.1")
    described = {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations
    }
    routed = {
        (method, route.path.replace(":path}", "}").rstrip("/") or "/")
        for route in app.routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert described == routed
    names = [
        operation["operationId"]
        for path in document["paths"].values()
        for operation in path.values()
    ]
    assert len(set(names)) == len(names)
    for path in document["paths"].values():
        for operation in path.values():
            assert operation["summary"]
    listed = document["paths"]["/api/runs"]["get"]["parameters"]
    assert {"filter", "columns", "cursor", "sort_by"} <= {parameter["name"] for parameter in listed}


def test_docs_list_every_request() -> None:
    reference = Path(__file__).parents[2].joinpath("docs", "http.md").read_text(encoding="utf-8")
    named = {
        (method, re.sub("{[^}]*}", "{}", path.partition("?")[0]))
        for method, path in re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/[^ `]*)`", reference)
    }
    served = {
        (operation.method, re.sub("{[^}]*}", "{}", operation.path)) for operation in OPERATIONS
    }
    assert named == served


@pytest.mark.parametrize("ids", ["any", "those that exist"])
def test_responses_conform_to_the_schema(
    server: Server, tmp_path: Path, db_path: Path, ids: str
) -> None:
    with trackai.init(project="p", name="r", config={"lr": 0.1, "n": float("inf")}) as run:
        run.log({"loss": float("nan"), "acc": 0.5, "text": "x", "ok": True}, step=0)
        run.log_system({"gpu": 1.0})
    # Excludes event streams, which never end.
    options = ["--exclude-path-regex", "/events"]
    if ids != "any":
        names = {"project_id": 1, "run_id": run.id, "metric_path": "acc"}
        config = [f'"path.{name}" = {json.dumps(value)}' for name, value in names.items()]
        (tmp_path / "schemathesis.toml").write_text("\n".join(["[parameters]", *config]))
        options += ["--exclude-method", "DELETE"]
        options += ["--exclude-path", "/api/runs/delete", "--exclude-path", "/api/runs/bulk"]
    result = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json",
            "--checks", CHECKS,
            "--phases", "examples,coverage,fuzzing",
            "--max-examples", "5",
            "--seed", "1",
            "--max-failures", "5",
            "--request-timeout", "20",
            *options,
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
    answered = server.request("GET", "/metrics").json
    assert 'route="/api/runs",status="200"' in answered
    if ids != "any":
        summary = 'method="GET",route="/api/runs/{run_id}/summary",status="200"'
        assert summary in answered, "no request was for an existing run"
