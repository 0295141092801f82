"""A server on PostgreSQL whose disk is full."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import trackai
from tests.conftest import count_points, execute_sql, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

# The error that PostgreSQL ends a statement with when a file of the table cannot grow.
_FUNCTION = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';
END $$
"""


@contextmanager
def _full(url: str, *tables: str) -> Iterator[None]:
    """Let PostgreSQL report a full disk for rows of these tables."""
    execute_sql(url, _FUNCTION)
    for table in tables:
        execute_sql(
            url,
            f"CREATE TRIGGER refuse BEFORE INSERT ON {table} FOR EACH ROW "
            "EXECUTE FUNCTION refuse()",
        )
    try:
        yield
    finally:
        execute_sql(url, "DROP FUNCTION refuse() CASCADE")


def test_changes_are_answered_507(postgres_url: str) -> None:
    project = {"name": "p", "project_id": "p"}
    batch = {"batch_id": "b", "rows": [{"step": 0, "values": {"loss": 1.0}}]}
    with serving(postgres_url) as server:
        with _full(postgres_url, "projects"):
            answer = server.request("POST", "/api/projects", project)
            assert answer.status == 507
            assert "No space left on device): free space on its disk" in answer.json["detail"]
        created = server.request("POST", "/api/projects", project).json
        run = {"project_id": created["id"], "run_id": "r"}
        number = server.request("POST", "/api/runs", run).json["id"]
        path = f"/api/metrics/runs/{number}"
        with _full(postgres_url, "pieces"):
            assert server.request("POST", path, batch).status == 507
        assert server.request("POST", path, batch).json == {"points": 1, "duplicate": False}


def test_what_a_run_logs_is_sent_again_until_there_is_room(postgres_url: str) -> None:
    with serving(postgres_url) as server:
        refused = 'trackai_journal_batches_refused_total{reason="disk_full"} 0\n'
        assert refused in server.request("GET", "/metrics").json
        run = trackai.init(project="p", server_url=server.url)
        with _full(postgres_url, "pieces"):
            for step in range(100):
                run.log({"loss": 1 / (step + 1)}, step=step)
            deadline = time.monotonic() + 60
            while refused in server.request("GET", "/metrics").json:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            assert count_points(postgres_url) == 0
        run.finish()
        assert count_points(postgres_url) == 100
