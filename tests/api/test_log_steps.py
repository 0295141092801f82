"""/api/runs/{id}/log: the steps at which lines were printed, and lines at a step or a time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

import trackai

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.conftest import Server

# Microseconds since the epoch.
START = 1_700_000_000_000_000
SECOND = 1_000_000


def _send(server: Server, run: int, *columns: dict[str, Any]) -> None:
    answer = server.request("POST", f"/api/metrics/runs/{run}", {"columns": columns})
    assert answer.status == 200, answer


def _metric(path: str, points: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """Points of a metric: pairs of a step, and seconds after the start."""
    steps, times = zip(*points, strict=True)
    return {
        "path": path, "steps": steps, "timestamps": [START + int(at * SECOND) for at in times],
        "values": [0.5] * len(points),
    }  # fmt: skip


def _output(times: Sequence[float]) -> dict[str, Any]:
    """Lines of output without steps."""
    return {
        "path": "logs/stdout", "values": [f"printed at {at}" for at in times],
        "timestamps": [START + int(at * SECOND) for at in times],
    }  # fmt: skip


def _run(server: Server) -> int:
    server.request("POST", "/api/projects", {"name": "p", "project_id": "p"})
    answer = server.request("POST", "/api/runs", {"project_id": 1, "run_id": "r", "name": "r"})
    assert answer.status == 200, answer
    return int(answer.json["id"])


def _steps(server: Server, run: int, query: str = "") -> list[float | None]:
    page = server.get(f"/api/runs/{run}/log?metric=logs/stdout&run_steps=true{query}")
    assert all(line["step"] is None for line in page["lines"])
    return [line["run_step"] for line in page["lines"]]


def test_lines_have_the_latest_step_before_them(server: Server) -> None:
    run = _run(server)
    times = [-1, 0, 0.5, 1, 7.2, 7.3, 500.5, 998, 999, 5000]
    _send(server, run, _output(times), _metric("loss", [(at, at) for at in range(1000)]))
    assert _steps(server, run) == [None, 0, 0, 1, 7, 7, 500, 998, 999, 999]
    assert _steps(server, run, "&limit=2&offset=6") == [500, 998]
    assert _steps(server, run, "&search=500.5") == [500]
    # Only on demand: others need no more time than before.
    page = server.get(f"/api/runs/{run}/log?metric=logs/stdout")
    assert {line["run_step"] for line in page["lines"]} == {None}


def test_steps_that_are_not_even_in_time(server: Server) -> None:
    run = _run(server)
    # Fast, then slow, then fast; with large gaps between steps, and fractions.
    points: list[tuple[float, float]] = [(step * 1000, step * 0.001) for step in range(2000)]
    points += [(2_000_000 + step / 2, 10 + step * 60) for step in range(50)]
    points += [(2_000_100 + 2.0**40 * step, 4000 + step * 0.01) for step in range(2000)]
    times = [at + 0.0005 for _, at in points[::37]]
    _send(server, run, _metric("loss", points), _output(times))
    assert _steps(server, run) == [step for step, _ in points[::37]]


def test_the_metric_that_was_logged_at_the_time_counts(server: Server) -> None:
    run = _run(server)
    _send(
        server,
        run,
        _metric("pretrain/loss", [(step, step) for step in range(200)]),
        _metric("val", [(step, step + 0.5) for step in range(0, 300, 50)]),
        _metric("finetune/loss", [(step, 300 + step) for step in range(300, 400)]),
        _output([100.2, 220.0, 260.0, 650.5, 800]),
    )
    assert _steps(server, run) == [100, 200, 250, 350, 399]


def test_lines_of_a_superseded_attempt_have_its_steps(server: Server, db_path: Any) -> None:
    def attempt(steps: range, **arguments: Any) -> int:
        with trackai.init(project="p", name="r", **arguments) as run:
            for step in steps:
                run.log({"loss": 1.0}, step=step)
                run.log_system({"logs/stdout": f"at {step}"})
        return run.id

    run = attempt(range(90))
    attempt(range(40, 60), resume="must")
    assert _steps(server, run) == [*range(90), *range(40, 60)]


def test_a_run_without_steps(server: Server) -> None:
    run = _run(server)
    _send(server, run, _output([1, 2]))
    assert _steps(server, run) == [None, None]


def test_a_page_begins_at_a_step_or_a_time(server: Server) -> None:
    run = _run(server)
    texts = {"path": "alerts/warn", "steps": [1, 5, 5, 9], "values": ["a", "b", "c", "d"]}
    _send(server, run, texts, _output([1, 2, 3, 4]))

    def first(metric: str, query: str) -> tuple[int, str]:
        page = server.get(f"/api/runs/{run}/log?metric={metric}&limit=1&{query}")
        assert page["total"] == 4
        return page["lines"][0]["number"], page["lines"][0]["text"]

    assert first("alerts/warn", "from_step=5") == (2, "c")
    assert first("alerts/warn", "from_step=8.5") == (2, "c")
    assert first("alerts/warn", "from_step=0") == (0, "a")
    assert first("alerts/warn", "from_step=100") == (3, "d")
    assert first("logs/stdout", "from_time=2023-11-14T22:13:23.5Z") == (2, "printed at 3")
    assert first("logs/stdout", "from_time=2020-01-01T00:00:00Z") == (0, "printed at 1")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("metric=logs/stdout&from_step=1", "from_step"),
        ("metric=alerts/warn&from_time=2023-11-14T22:13:23Z", "from_time"),
        ("metric=alerts/warn&from_step=1&search=a", "search"),
        ("metric=alerts/warn&run_steps=true&limit=1001", "run_steps"),
        ("metric=alerts/warn&from_step=nan", "from_step"),
        ("metric=logs/stdout&from_time=yesterday", "from_time"),
    ],
)
def test_a_page_is_refused_by_the_name_of_the_field(server: Server, query: str, field: str) -> None:
    run = _run(server)
    texts = {"path": "alerts/warn", "steps": [1], "values": ["a"]}
    _send(server, run, texts, _output([1]))
    answer = server.request("GET", f"/api/runs/{run}/log?{query}")
    assert answer.status == 422
    assert field in answer.json["detail"]


def test_a_search_is_not_limited_by_uneven_times(server: Server) -> None:
    run = _run(server)
    # Steps without order in time still end the search.
    points = [(step, 1000 * math.sin(step)) for step in range(3000)]
    _send(server, run, _metric("loss", points), _output([-900.0, 0, 900.0]))
    assert len(_steps(server, run)) == 3
