"""Resuming from an older checkpoint: the curve is continuous, and superseded points are kept."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

import trackai
from trackai.errors import InvalidInputError
from trackai.store.points import reads

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server


def log(steps: range, value: float, **metrics: float) -> None:
    with trackai.init(project="p", name="r", resume="allow") as run:
        for step in steps:
            run.log({"loss": value, **metrics}, step=step)


def figures(path: Path) -> Any:
    connection = sqlite3.connect(path)
    [row] = connection.execute(
        "SELECT points, first_step, last_step, last_value, min_value, max_value, sum"
        " FROM series WHERE path = 'loss'"
    ).fetchall()
    connection.close()
    return row


def values(server: Server, query: str = "") -> list[float]:
    page = server.get(f"/api/metrics/runs/1/metric/loss?{query}")
    assert [point["step"] for point in page["data"]] == sorted(
        point["step"] for point in page["data"]
    )
    return [point["value"] for point in page["data"]]


def test_the_latest_attempt_supersedes_points_from_its_first_step_on(
    db_path: Path, server: Server
) -> None:
    log(range(100), 1.0)
    log(range(50, 70), 2.0)
    assert values(server) == [1.0] * 50 + [2.0] * 20
    assert figures(db_path) == (70, 0, 69, 2.0, 1.0, 2.0, 90.0)
    log(range(60, 80), 3.0)
    assert values(server) == [1.0] * 50 + [2.0] * 10 + [3.0] * 20
    assert figures(db_path) == (80, 0, 79, 3.0, 1.0, 3.0, 130.0)
    log(range(40, 41), 4.0)
    assert values(server) == [1.0] * 40 + [4.0]
    assert figures(db_path) == (41, 0, 40, 4.0, 1.0, 4.0, 44.0)


def test_superseded_points_are_returned_on_request(db_path: Path, server: Server) -> None:
    log(range(100), 1.0)
    log(range(50, 60), 2.0)
    assert values(server, "attempt=1") == [1.0] * 100
    assert values(server, "attempt=2") == [2.0] * 10
    assert len(values(server, "attempt=all")) == 110
    compared = server.request(
        "POST", "/api/metrics/compare", {"run_ids": [1], "metric_paths": ["loss"]}
    )
    assert [point["value"] for point in compared.json["1"]["loss"]] == [1.0] * 50 + [2.0] * 10
    connection = sqlite3.connect(db_path)
    assert connection.execute("SELECT COUNT(*) FROM metrics").fetchone() == (110,)
    connection.close()


def test_a_metric_that_is_not_logged_again_is_not_superseded(db_path: Path, server: Server) -> None:
    log(range(10), 1.0, only=5.0)
    log(range(5, 10), 2.0)
    assert len(server.get("/api/metrics/runs/1/metric/only")["data"]) == 10


def test_resuming_after_the_last_step_supersedes_nothing(db_path: Path, server: Server) -> None:
    log(range(10), 1.0)
    log(range(10, 20), 2.0)
    assert values(server) == [1.0] * 10 + [2.0] * 10
    assert figures(db_path) == (20, 0, 19, 2.0, 1.0, 2.0, 30.0)


def test_the_views_have_the_current_and_the_superseded_points(db_path: Path) -> None:
    log(range(10), 1.0)
    log(range(5, 7), 2.0)
    log(range(6, 8), 3.0)
    connection = sqlite3.connect(db_path)
    curve = connection.execute("SELECT step, value FROM points ORDER BY step").fetchall()
    superseded = "SELECT step, attempt, value FROM logged_points WHERE superseded ORDER BY 2, 1"
    everything = connection.execute("SELECT COUNT(*) FROM logged_points").fetchall()
    before = connection.execute(superseded).fetchall()
    connection.close()
    assert curve == [(0, 1), (1, 1), (2, 1), (3, 1), (4, 1), (5, 2), (6, 3), (7, 3)]
    assert before == [(step, 1, 1) for step in range(5, 10)] + [(6, 2, 2)]
    assert everything == [(14,)]


@pytest.mark.parametrize("last", [2**62, 2**62 + 2**61, -(2**62)])
def test_a_run_with_large_steps_is_resumed(db_path: Path, server: Server, last: int) -> None:
    log(range(1), 1.0)
    server.request("POST", "/api/metrics/runs/1", {"rows": [{"step": last, "values": {"loss": 2}}]})
    with trackai.init(project="p", name="r", resume="must") as run:
        run.log({"loss": 3.0})
    assert figures(db_path)[0] == 3
    assert figures(db_path)[2] == max(last, 0) + 1


@pytest.mark.parametrize("last", [2**63 - 1, -(2**63), 9e18])
def test_a_run_whose_steps_are_too_large_is_not_resumed(
    db_path: Path, server: Server, last: float
) -> None:
    trackai.init(project="p", name="r").finish()
    server.request("POST", "/api/metrics/runs/1", {"rows": [{"step": last, "values": {"loss": 2}}]})
    with pytest.raises(InvalidInputError, match="start a new run"):
        trackai.init(project="p", name="r", resume="must")
    assert trackai.Api().run(1).state == "completed"


def test_a_long_run_is_resumed_in_short_transactions(
    db_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []
    pages = reads.pages

    async def counting(*args: Any, **bounds: Any) -> Any:
        async for rows in pages(*args, **bounds):
            counted.append(len(rows))
            yield rows

    monkeypatch.setattr(reads, "pages", counting)
    for start, sign in ((0, 1), (20_000, -1)):
        with trackai.init(project="p", name="r", id="r", resume="allow") as run:
            for step in range(start, 30_000):
                run.log({"loss": sign * step / 2, "again": sign * step}, step=step)
    # Of 40 000 points before the resume, those that fill no bucket of the rollups.
    assert sum(counted) < 2_000
    with closing(sqlite3.connect(db_path)) as connection:
        assert connection.execute(
            """
            SELECT path, points, first_step, last_step, last_value, min_value, min_step,
                   max_value, max_step, sum
            FROM series ORDER BY path DESC
            """
        ).fetchall() == [
            (path, 30_000, 0, 29_999, -29_999 * by, -29_999 * by, 29_999, 19_999 * by, 19_999,
             (sum(range(20_000)) - sum(range(20_000, 30_000))) * by)
            for path, by in (("loss", 0.5), ("again", 1))
        ]  # fmt: skip
