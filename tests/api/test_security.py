"""Who may talk to the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from starlette.routing import Route

from trackai.api.main import app

if TYPE_CHECKING:
    from tests.conftest import Server

ROUTES = sorted(
    {
        (method, route.path.replace("{metric_path:path}", "x"))
        for route in app.routes
        if isinstance(route, Route)
        for method in route.methods or ()
    }
)


def test_no_route_answers_under_a_foreign_name(server: Server) -> None:
    """A page may let its own name point to 127.0.0.1; the Host header still tells."""
    assert len(ROUTES) > 30
    for method, path in ROUTES:
        for host in ("evil.example", "localhost.evil.example", "", "127.0.0.1.evil.example"):
            answer = server.request(method, path, headers={"Host": host})
            assert answer.status in (400, 403), (method, path, host)


def test_no_route_changes_anything_for_a_foreign_page(server: Server) -> None:
    for method, path in ROUTES:
        if method in ("GET", "HEAD"):
            continue
        for headers in (
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
        ):
            answer = server.request(method, path, data=b"{}", headers=headers)
            assert answer.status == 403, (method, path, headers)


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1", "[::1]:80"])
def test_this_machine_may(server: Server, host: str) -> None:
    assert server.request("GET", "/health", headers={"Host": host}).status == 200


def test_no_page_may_read_across_origins(server: Server) -> None:
    answer = server.request("GET", "/api/runs", headers={"Origin": "https://evil.example"})
    assert not any(name.lower().startswith("access-control") for name in answer.headers)
