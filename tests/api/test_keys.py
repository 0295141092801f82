"""Keys of the database: what each scope allows, and how soon a change takes effect."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING

import pytest
from starlette.routing import Route

from tests.api.test_security import sign_in
from tests.cli.conftest import Trackai
from tests.conftest import KEY, Server, execute_sql, serving
from trackai.api.keyring import Keyring
from trackai.api.main import app
from trackai.api.routes import OPERATIONS
from trackai.api.security import session_grant
from trackai.api.sessions import Sessions
from trackai.errors import InvalidInputError
from trackai.store.catalogue import keys, projects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from trackai.store.engine.database import Database

    Create = Callable[..., dict[str, str]]


def create_key(db_path: Path | str, name: str, scope: str, *options: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "trackai.cli", "keys", "create", "--name", name, "--scope", scope,
         "--db", str(db_path), *options],
        capture_output=True, text=True, check=True, timeout=60,
    ).stdout.strip()  # fmt: skip


def revoke_key(db_path: Path, name: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "trackai.cli", "keys", "revoke", name, "--db", str(db_path)],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "nothing has changed"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def keyed(module_address: Path) -> Iterator[Server]:
    """A server with the shared key, a project, a run, and no other keys."""
    with serving(module_address, "--host", "0.0.0.0", TRACKAI_API_KEY=KEY) as server:
        for path, body in (
            ("/api/projects", {"name": "p", "project_id": "p"}),
            ("/api/projects", {"name": "q", "project_id": "q"}),
            ("/api/runs", {"project_id": 1, "run_id": "r"}),
            ("/api/runs", {"project_id": 2, "run_id": "other"}),
        ):
            assert server.request("POST", path, body, headers=bearer(KEY)).status == 200
        yield server


@pytest.fixture(scope="module")
def headers(keyed: Server) -> dict[str, dict[str, str]]:
    """The headers with a key of each scope."""
    secrets = {
        scope: create_key(keyed.db_path, scope, scope) for scope in ("read", "write", "admin")
    }
    secrets["p"] = create_key(keyed.db_path, "p", "write", "--project", "p")
    return {name: bearer(secret) for name, secret in secrets.items()}


LOGGING = {
    ("POST", "/api/metrics/runs/{run_id}"), ("POST", "/api/journals/{journal}"),
    ("POST", "/api/writers/alive"), ("POST", "/api/runs/attach"), ("GET", "/api/blobs/{sha256}"),
    ("PUT", "/api/blobs/{sha256}"), ("POST", "/api/import/lacking"), ("POST", "/api/import"),
    ("POST", "/api/projects"), ("POST", "/api/runs"),
    ("PATCH", "/api/runs/{run_id}"), ("POST", "/api/runs/{run_id}/tags"),
    ("PATCH", "/api/runs/{run_id}/state"),
}  # fmt: skip
ASKING = {
    ("POST", "/api/runs/groups"), ("POST", "/api/runs/values"), ("POST", "/api/metrics/paths"),
    ("POST", "/api/files/paths"), ("POST", "/api/files/steps"), ("POST", "/api/files/compare"),
    ("POST", "/api/metrics/compare"), ("DELETE", "/api/session"),
}  # fmt: skip


def needed_scope(method: str, path: str) -> str:
    if (method, path) in LOGGING:
        return "write"
    return "read" if method == "GET" or (method, path) in ASKING else "admin"


def test_every_operation_needs_the_scope_that_its_effect_needs() -> None:
    for operation in OPERATIONS:
        assert operation.scope == needed_scope(operation.method, operation.path), operation.path


def test_a_key_allows_only_what_its_scope_says(
    keyed: Server, headers: dict[str, dict[str, str]]
) -> None:
    """Over all routes; what is allowed answers anything but 401 and 403."""
    for operation in OPERATIONS:
        if operation.path.endswith("/events") or operation.endpoint.__name__.startswith("delete"):
            continue
        if operation.path in ("/health", "/api/session"):
            continue
        path = operation.path
        for part in ("{project_id}", "{run_id}", "{file_id}"):
            path = path.replace(part, "99")
        path = path.replace("{metric_path:path}", "x").replace("{tag:path}", "x")
        for scope in ("read", "write", "admin"):
            answer = keyed.request(operation.method, path, data=b"{}", headers=headers[scope])
            is_allowed = scope in (operation.scope, "admin")
            assert (answer.status == 403) != is_allowed, (operation.method, path, scope)
            assert answer.status != 401
            if not is_allowed:
                assert f"has the scope {scope}" in answer.json["detail"]
                assert f"needs {operation.scope}" in answer.json["detail"]


def test_deleting_needs_admin(keyed: Server, headers: dict[str, dict[str, str]]) -> None:
    for method, path, body in (
        ("DELETE", "/api/runs/1", None),
        ("DELETE", "/api/projects/1", None),
        ("POST", "/api/runs/delete", {"run_ids": [1]}),
        ("POST", "/api/runs/tags", {"run_ids": [1], "remove": ["x"]}),
        ("DELETE", "/api/runs/1/tags/x", None),
    ):
        for scope in ("read", "write", "p"):
            assert keyed.request(method, path, body, headers=headers[scope]).status == 403
    assert keyed.request("GET", "/api/runs/1", headers=headers["read"]).status == 200


def test_a_write_key_logs_and_does_not_read(
    keyed: Server, headers: dict[str, dict[str, str]]
) -> None:
    own = headers["write"]
    assert keyed.request("POST", "/api/projects", {"name": "w", "project_id": "w"}, headers=own)
    points = {"rows": [{"step": 1, "values": {"loss": 1.0}}]}
    for method, path, body in (
        ("POST", "/api/metrics/runs/1", points),
        ("PATCH", "/api/runs/1/state", {"state": "completed"}),
        ("PATCH", "/api/runs/1", {"config": {"lr": 1}, "notes": "n"}),
        ("POST", "/api/runs/1/tags", {"tags": ["t"]}),
    ):
        assert keyed.request(method, path, body, headers=own).status == 200, path
    for route in app.routes:
        if isinstance(route, Route) and "GET" in (route.methods or ()):
            path = route.path.replace("{run_id}", "1").replace("{metric_path:path}", "loss")
            if route.path.rstrip("/") not in ("/api/blobs/{sha256}", "/health"):
                for method in ("GET", "HEAD"):
                    assert keyed.request(method, path, headers=own).status == 403, path
    for change in ({"project_id": 2}, {"run_id": "x"}):
        answer = keyed.request("PATCH", "/api/runs/1", change, headers=own)
        assert answer.status == 403
        assert "scope admin" in answer.json["detail"]


def test_a_key_of_a_project_reaches_nothing_of_another(
    keyed: Server, headers: dict[str, dict[str, str]]
) -> None:
    """A run of another project answers like one that does not exist."""
    own = headers["p"]
    points = {"rows": [{"step": 1, "values": {"loss": 1.0}}]}
    for method, path, body in (
        ("POST", "/api/metrics/runs/{id}", points),
        ("PATCH", "/api/runs/{id}/state", {"state": "failed"}),
        ("PATCH", "/api/runs/{id}", {"config": {"lr": 1}}),
        ("POST", "/api/runs/{id}/tags", {"tags": ["t"]}),
    ):
        foreign, missing = (
            keyed.request(method, path.format(id=run_id), body, headers=own) for run_id in (2, 999)
        )
        assert foreign.status == missing.status == 404, path
        assert foreign.json["detail"] == missing.json["detail"].replace("999", "2")
        assert keyed.request(method, path.format(id=1), body, headers=own).status == 200
    foreign, missing = (
        keyed.request("POST", "/api/runs", {"project_id": id_, "run_id": "x"}, headers=own)
        for id_ in (2, 999)
    )
    assert foreign.status == missing.status == 404
    assert foreign.json["detail"] == missing.json["detail"].replace("999", "2")
    for name in ("p", "q", "new"):
        body = {"name": name, "project_id": name}
        answer = keyed.request("POST", "/api/projects", body, headers=own)
        assert (answer.status, answer.json["detail"]) == (
            403,
            "this key may only log to project 'p'",
        )
    assert keyed.request("GET", "/api/runs/2", headers=headers["admin"]).json["tags"] == []


def test_the_key_of_a_client_is_kept_and_shown(
    keyed: Server, headers: dict[str, dict[str, str]]
) -> None:
    body = {"project_id": 1, "run_id": "by-key"}
    run = keyed.request("POST", "/api/runs", body, headers=headers["p"]).json["id"]
    points = {"rows": [{"step": 1, "values": {"loss": 1.0}}]}
    keyed.request("POST", f"/api/metrics/runs/{run}", points, headers=headers["p"])
    details = keyed.request("GET", f"/api/runs/{run}/details", headers=headers["read"]).json
    assert [process["key"] for process in details["processes"]] == ["p"]
    shown = subprocess.run(
        [sys.executable, "-m", "trackai.cli", "show", str(run), "--db", str(keyed.db_path)],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert "logged with key p" in shown.stdout


def test_a_new_key_is_valid_at_once_and_a_revoked_one_is_not(keyed: Server) -> None:
    own = bearer(create_key(keyed.db_path, "short", "read"))
    assert keyed.request("GET", "/api/runs", headers=own).status == 200
    cookie = {"Cookie": sign_in(keyed, own["Authorization"].split()[1])[1].partition(";")[0]}
    assert keyed.request("GET", "/api/runs", headers=cookie).status == 200
    streams = [
        urllib.request.urlopen(
            urllib.request.Request(f"{keyed.url}/api/runs/1/events", headers=each), timeout=20
        )
        for each in (own, cookie)
    ]
    for stream in streams:
        assert stream.readline().startswith(b"id:")
    revoke_key(keyed.db_path, "short")
    until(lambda: keyed.request("GET", "/api/runs", headers=own).status == 401)
    assert keyed.request("GET", "/api/runs", headers=cookie).status == 401
    for stream in streams:
        with stream:
            stream.read()  # ends


def test_an_expired_key_is_refused_and_ends_its_session(keyed: Server) -> None:
    secret = create_key(keyed.db_path, "expiring", "read", "--expires", "1m")
    assert keyed.request("GET", "/api/runs", headers=bearer(secret)).status == 200
    cookie = {"Cookie": sign_in(keyed, secret)[1].partition(";")[0]}
    execute_sql(
        keyed.db_path,
        "UPDATE keys SET expires_at = ? WHERE name = 'expiring'",
        [(time.time_ns() + 2_000_000_000) // 1000],
    )
    until(lambda: keyed.request("GET", "/api/runs", headers=bearer(secret)).status == 401)
    assert keyed.request("GET", "/api/runs", headers=cookie).status == 401
    detail = keyed.request("GET", "/api/runs", headers=bearer(secret)).json["detail"]
    assert "expired" in detail


def test_a_read_session_reads_and_signs_out(
    keyed: Server, headers: dict[str, dict[str, str]]
) -> None:
    secret = headers["read"]["Authorization"].split()[1]
    status, cookie = sign_in(keyed, secret)
    assert status == 200
    assert secret not in cookie
    own = {"Cookie": cookie.partition(";")[0]}
    assert keyed.request("GET", "/api/session", headers=own).json == {
        "signed_in": True,
        "scope": "read",
    }
    assert keyed.request("DELETE", "/api/runs/1", headers=own).status == 403
    assert keyed.request("POST", "/api/metrics/runs/1", {}, headers=own).status == 403
    assert keyed.request("DELETE", "/api/session", headers=own).status == 200
    assert keyed.request("GET", "/api/runs", headers=own).status == 401


def test_a_write_key_cannot_sign_in(keyed: Server, headers: dict[str, dict[str, str]]) -> None:
    secret = headers["write"]["Authorization"].split()[1]
    answer = keyed.request("POST", "/api/session", {"key": secret})
    assert answer.status == 403
    assert "set-cookie" not in answer.headers
    assert "read or admin" in answer.json["detail"]


def test_the_use_of_a_key_is_recorded(keyed: Server, headers: dict[str, dict[str, str]]) -> None:
    keyed.request("GET", "/api/runs", headers=headers["read"])

    def used() -> object:
        sql = "SELECT last_used_at FROM keys WHERE name = 'read'"
        return execute_sql(keyed.db_path, sql)[0][0]

    until(lambda: used() is not None)
    first = used()
    for _ in range(3):  # at most once a minute
        keyed.request("GET", "/api/runs", headers=headers["read"])
        time.sleep(0.5)
    assert used() == first


def test_a_running_server_becomes_protected_by_its_first_key(db_path: Path) -> None:
    with serving(db_path) as server:
        assert server.request("GET", "/api/runs").status == 200
        assert server.request("GET", "/api/session").json == {"signed_in": False, "scope": "admin"}
        events = f"{server.url}/api/runs/1/events"
        for path, body in (
            ("/api/projects", {"name": "p", "project_id": "p"}),
            ("/api/runs", {"project_id": 1, "run_id": "r"}),
        ):
            assert server.request("POST", path, body).status == 200
        stream = urllib.request.urlopen(events, timeout=20)
        secret = create_key(db_path, "first", "read")
        until(lambda: server.request("GET", "/api/runs").status == 401)
        with stream:
            stream.read()  # ends
        assert server.request("GET", "/api/runs", headers=bearer(secret)).status == 200
        cookie = {"Cookie": sign_in(server, secret)[1].partition(";")[0]}
        revoke_key(db_path, "first")  # it stays protected
        until(lambda: server.request("GET", "/api/runs", headers=bearer(secret)).status == 401)
        assert server.request("GET", "/api/runs").status == 401
        other = create_key(db_path, "second", "admin")
        cookie = {"Cookie": sign_in(server, other)[1].partition(";")[0]}
    with serving(db_path) as server:
        assert server.request("GET", "/api/runs").status == 401
        assert server.request("GET", "/api/runs", headers=cookie).status == 200  # after a restart


def test_serving_other_machines_with_a_key_of_the_database(db_path: Path) -> None:
    secret = create_key(db_path, "admin", "admin")
    with serving(db_path, "--host", "0.0.0.0", TRACKAI_API_KEY="") as server:
        assert server.request("GET", "/api/runs").status == 401
        assert server.request("GET", "/api/runs", headers=bearer(secret)).status == 200
        code = server.link.partition("#code=")[2]
        assert sign_in(server, code)[0] == 200
    revoke_key(db_path, "admin")
    done = subprocess.run(
        [sys.executable, "-m", "trackai.cli", "serve", "--host", "0.0.0.0", "--port", "0",
         "--db", str(db_path)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "trackai keys create" in done.stderr


def test_the_shared_key_must_not_be_one_of_the_database(
    db_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a machine that logs with it, it would become a key that allows everything."""
    monkeypatch.setenv("TRACKAI_API_KEY", create_key(db_path, "node7", "write"))
    output = Trackai(capsys)("serve", "--port", 0, "--db", db_path, code=2)
    assert "must not be the key 'node7'" in output.err


async def test_a_key_of_the_database_is_never_more_than_it_says(db: Database) -> None:
    secret = keys.new_secret()
    async with db.write() as conn:
        await keys.create(
            conn, secret, name="n", scope="write", project_id=None, expires_at=None, now=1
        )
    keyring = Keyring(secret)
    await keyring.refresh(db)
    found = keyring.find(secret.encode())
    assert found is not None
    assert found.scope == "write"
    with pytest.raises(InvalidInputError):
        keyring.check_shared()
    async with db.write() as conn:
        await keys.revoke(conn, "n", now=2)
    await keyring.refresh(db)
    assert keyring.find(secret.encode()) is None


async def test_deleting_the_project_of_the_only_key_opens_nothing(db: Database) -> None:
    async with db.write() as conn:
        project = await projects.create(conn, "p", "p", now=1)
        await keys.create(
            conn,
            keys.new_secret(),
            name="n",
            scope="write",
            project_id=project.id,
            expires_at=None,
            now=1,
        )
    async with db.write() as conn:
        await conn.execute("DELETE FROM projects")
        assert await keys.list_all(conn) == []
    keyring = Keyring()
    await keyring.refresh(db)
    assert keyring.is_protected


@pytest.mark.sqlite("about a file that is restored")
async def test_a_session_does_not_pass_to_another_key_of_a_restored_database(db: Database) -> None:
    async def add(scope: keys.Scope) -> keys.Grant:
        secret = keys.new_secret()
        async with db.write() as conn:
            await keys.create(
                conn, secret, name=scope, scope=scope, project_id=None, expires_at=None, now=1
            )
        await keyring.refresh(db)
        granted = keyring.find(secret.encode())
        assert granted is not None
        return granted

    keyring, sessions = Keyring(), Sessions()
    read = await add("read")
    cookie = sessions.create(read.fingerprint)
    assert session_grant(sessions, keyring, cookie) == read
    assert keyring.allows(read)
    async with db.write() as conn:
        await conn.execute("DELETE FROM keys")
        await conn.execute("DELETE FROM sqlite_sequence WHERE name = 'keys'")
    admin = await add("admin")
    assert admin.key_id == read.key_id
    assert session_grant(sessions, keyring, cookie) is None
    assert not keyring.allows(read)
    assert keyring.is_protected
