"""Access control: hosts, origins, API keys and sessions."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING

import pytest
from starlette.routing import Route

from tests.conftest import KEY, serving
from trackai.api.main import app
from trackai.api.security import SecurityMiddleware
from trackai.errors import InvalidInputError
from trackai.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import Message, Receive, Scope, Send

    from tests.conftest import Server

ROUTES = sorted(
    {
        (method, route.path.replace("{metric_path:path}", "x").replace("{tag:path}", "x"))
        for route in app.routes
        if isinstance(route, Route)
        for method in route.methods or ()
    }
)


def test_no_route_answers_a_foreign_host(server: Server) -> None:
    """A page may resolve its own domain to 127.0.0.1, but still sends it as Host."""
    assert len(ROUTES) > 30
    for method, path in ROUTES:
        for host in ("evil.example", "localhost.evil.example", "", "127.0.0.1.evil.example"):
            answer = server.request(method, path, headers={"Host": host})
            assert answer.status in (400, 403), (method, path, host)


def test_no_route_lets_other_origins_make_changes(server: Server) -> None:
    for method, path in ROUTES:
        if method in ("GET", "HEAD"):
            continue
        for headers in (
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://localhost:1"},  # another port of this machine is another origin
            {"Origin": "http://127.0.0.1"},
            {"Origin": f"ftp://{server.url.removeprefix('http://')}"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
        ):
            answer = server.request(method, path, data=b"{}", headers=headers)
            assert answer.status == 403, (method, path, headers)


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "127.0.0.1", "127.0.0.2", "[::1]:80"]
)
def test_names_of_this_machine_are_allowed_hosts(server: Server, host: str) -> None:
    assert server.request("GET", "/health", headers={"Host": host}).status == 200


def test_no_cors_headers_are_sent(server: Server) -> None:
    answer = server.request("GET", "/api/runs", headers={"Origin": "https://evil.example"})
    assert not any(name.lower().startswith("access-control") for name in answer.headers)


def test_the_same_origin_may_make_changes(server: Server) -> None:
    for number, headers in enumerate(
        ({"Origin": server.url, "Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {})
    ):
        body = {"name": f"p{number}", "project_id": f"p{number}"}
        answer = server.request("POST", "/api/projects", body, headers=headers)
        assert answer.status == 200, headers


def test_every_route_sends_security_headers(server: Server) -> None:
    for method, path in ROUTES:
        headers = server.request(method, path, data=b"{}").headers
        assert headers["x-content-type-options"] == "nosniff", (method, path)
        assert headers["cross-origin-resource-policy"] == "same-origin", (method, path)
        assert headers["cache-control"] == "no-store", (method, path)


def test_too_long_urls_are_refused(server: Server) -> None:
    for path in ("/api/metrics/runs/1/metric/" + "x" * 17_000, "/api/runs?search=" + "x" * 50_000):
        assert server.request("GET", path).status == 414


def test_with_a_key_only_health_answers_without_it(guarded: Server) -> None:
    for method, path in ROUTES:
        if path.startswith("/health"):
            assert guarded.request(method, path).status == 200
            continue
        if (method, path.rstrip("/")) == ("POST", "/api/session"):
            continue  # signing in is open, see below
        for key in (None, "", "Bearer", "Bearer x", f"Bearer {KEY}x", f"Bearer {KEY[:-1]}",
                    f"Basic {KEY}", KEY, f"Bearer {KEY}\xff"):  # fmt: skip
            headers = {} if key is None else {"Authorization": key}
            answer = guarded.request(method, path, data=b"{}", headers=headers)
            assert answer.status == 401, (method, path, key)
            assert answer.headers["www-authenticate"] == "Bearer"


def sign_in(server: Server, key: str, **headers: str) -> tuple[int, str]:
    """Sign in; returns the status and the header Set-Cookie."""
    answer = server.request("POST", "/api/session", {"key": key}, headers=headers)
    return answer.status, answer.headers.get("set-cookie", "")


def test_a_browser_signs_in_and_out(guarded: Server) -> None:
    for wrong in ("", "x", KEY[:-1], f"{KEY}x", "ключ"):
        assert sign_in(guarded, wrong) == (401, "")
    status, cookie = sign_in(guarded, KEY)
    assert status == 200
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/"} <= attributes
    assert "secure" not in attributes  # the server does not use TLS
    assert KEY not in cookie
    own = {"Cookie": "other=1; " + cookie.partition(";")[0]}
    for method, path in ROUTES:
        if method == "GET":
            assert guarded.request(method, path, headers=own).status != 401, path
    body = {"name": "p", "project_id": "p"}
    page = {**own, "Origin": guarded.url, "Sec-Fetch-Site": "same-origin"}
    assert guarded.request("POST", "/api/projects", body, headers=page).status == 200
    out = guarded.request("DELETE", "/api/session", headers=page)
    assert out.status == 200
    assert "max-age=0" in out.headers["set-cookie"].lower()
    assert guarded.request("GET", "/api/runs", headers=own).status == 401


def test_signing_out_ends_the_session_for_good(db_path: Path) -> None:
    options = ("--host", "0.0.0.0")
    with serving(db_path, *options, TRACKAI_API_KEY=KEY) as server:
        first, second = ({"Cookie": sign_in(server, KEY)[1].partition(";")[0]} for _ in range(2))
        for path, body in (
            ("/api/projects", {"name": "p", "project_id": "p"}),
            ("/api/runs", {"project_id": 1, "run_id": "r"}),
        ):
            assert server.request("POST", path, body, headers=first).status == 200
        request = urllib.request.Request(f"{server.url}/api/runs/1/events", headers=first)
        with urllib.request.urlopen(request, timeout=20) as events:
            assert events.readline().startswith(b"id:")
            assert server.request("DELETE", "/api/session", headers=first).status == 200
            events.read()  # what the session follows ends, too
        assert server.request("GET", "/api/runs", headers=first).status == 401
        assert server.request("GET", "/api/runs", headers=second).status == 200
    with serving(db_path, *options, TRACKAI_API_KEY=KEY) as server:
        assert server.request("GET", "/api/runs", headers=first).status == 401
        assert server.request("GET", "/api/runs", headers=second).status == 200


def test_invalid_session_cookies_are_refused(guarded: Server) -> None:
    cookie = sign_in(guarded, KEY)[1].partition(";")[0]
    name, _, value = cookie.partition("=")
    until, _, signature = value.partition(".")
    for wrong in (
        "", "x", ".", until, f".{signature}", f"{int(until) + 1}.{signature}", f"{until}.",
        f"{until}.{signature[:-1]}", f"{until}.{signature.upper()}", f"x.{signature}", KEY,
    ):  # fmt: skip
        headers = {"Cookie": f"{name}={wrong}"}
        assert guarded.request("GET", "/api/runs", headers=headers).status == 401, wrong
    headers = {"Cookie": f"other={value}"}
    assert guarded.request("GET", "/api/runs", headers=headers).status == 401


def test_other_origins_cannot_use_a_session(guarded: Server) -> None:
    """Another port of this host is the same site, so the browser sends it the cookie."""
    own = {"Cookie": sign_in(guarded, KEY)[1].partition(";")[0]}
    for site in ("same-site", "cross-site"):
        headers = {**own, "Sec-Fetch-Site": site}
        assert guarded.request("GET", "/api/runs", headers=headers).status == 401
    for origin in ("http://localhost:1", "https://evil.example", "null"):
        headers = {**own, "Origin": origin}
        body = {"name": "p", "project_id": "p"}
        assert guarded.request("POST", "/api/projects", body, headers=headers).status == 403
        assert sign_in(guarded, KEY, Origin=origin) == (403, "")


def test_behind_a_tls_proxy_the_cookie_is_secure(guarded: Server) -> None:
    host = {"Host": "trackai.example", "Origin": "https://trackai.example"}
    status, cookie = sign_in(guarded, KEY, **host)
    assert status == 200
    assert "; secure" in cookie.lower()


def test_the_printed_link_works_once(guarded: Server) -> None:
    code = guarded.link.partition("#code=")[2]
    assert len(code) >= 32
    assert KEY not in guarded.link
    assert sign_in(guarded, code[:-1])[0] == 401
    assert sign_in(guarded, code)[0] == 200
    assert sign_in(guarded, code)[0] == 401
    assert sign_in(guarded, KEY)[0] == 200


def test_the_dashboard_page_is_open_and_its_data_is_not(guarded: Server) -> None:
    page = {"Accept": "text/html"}
    assert guarded.request("GET", "/", headers=page).status == 200
    assert guarded.request("GET", "/assets/none.js").status == 404
    for path in ("/assets/../api/runs", "/assets/%2e%2e/api/runs", "//api/runs"):
        assert guarded.request("GET", path, headers=page).status in (401, 404), path
    for path in ("/api/runs", "/openapi.json", "/metrics", "/assets"):
        assert guarded.request("GET", path, headers=page).status == 401, path


def test_without_a_key_signing_in_does_nothing(server: Server) -> None:
    assert sign_in(server, KEY) == (200, "")


def test_requests_with_the_key_are_allowed(guarded: Server) -> None:
    headers = {"Authorization": f"Bearer {KEY}", "Host": "trackai.example:8000"}
    body = {"name": "p", "project_id": "p"}
    assert guarded.request("POST", "/api/projects", body, headers=headers).status == 200
    foreign = {**headers, "Origin": "https://evil.example"}
    assert guarded.request("POST", "/api/projects", body, headers=foreign).status == 403


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "*"])
def test_serving_other_machines_requires_a_key(host: str, db_path: Path | str) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "trackai.cli", "serve", "--host", host, "--port", "0",
         "--db", str(db_path)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "TRACKAI_API_KEY" in result.stderr
    assert isinstance(db_path, str) or not db_path.exists()


@pytest.mark.parametrize("key", ["short", "fünfzehn-zeichen-und-mehr"])
def test_invalid_keys_are_refused(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKAI_API_KEY", key)
    with pytest.raises(InvalidInputError, match="token_urlsafe"):
        Settings.from_env()


@pytest.mark.parametrize(
    ("server_address", "status"),
    [(("192.0.2.1", 80), 403), (("127.0.0.1", 80), 200), (("::ffff:127.0.0.1", 80), 200),
     (("::1", 80), 200), (("/run/trackai.sock", None), 200)],
)  # fmt: skip
async def test_the_listening_address_is_checked_in_every_request(
    server_address: tuple[str, int | None], status: int
) -> None:
    """`uvicorn --host 0.0.0.0 trackai.api.main:app` starts without a key."""
    statuses: list[int] = []

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Message) -> None:
        statuses.extend([message["status"]] if "status" in message else [])

    async def receive() -> Message:
        raise AssertionError

    scope = {
        "type": "http", "method": "GET", "path": "/", "raw_path": b"/", "query_string": b"",
        "headers": [(b"host", b"localhost")], "server": server_address,
    }  # fmt: skip
    await SecurityMiddleware(answer)(scope, receive, send)
    assert statuses == [status]
