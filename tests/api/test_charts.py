"""Charts over HTTP: exact figures in a limited number of buckets."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

import trackai
from tests.conftest import execute_sql
from tests.downsampling.test_moving_average import published

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server

_LENGTH = 20_000


@pytest.fixture
def run_id(db_path: Path, server: Server) -> int:
    """A run with a long metric that contains NaN and infinities."""
    with trackai.init(project="p", name="long") as run:
        for step in range(_LENGTH):
            value = math.nan if step % 1000 == 7 else math.inf if step % 5000 == 8 else step / 8
            run.log({"loss": value}, step=step)
        run.log({"note": "begun", "short/a": 1, "short/b": True}, step=3)
        run.log({"note": "ended"}, step=9)
        run.log_system({"gpu": 0.5})
    assert run.id is not None
    return run.id


def _chart(server: Server, run_id: int, path: str, **query: Any) -> Any:
    return server.get(f"/api/metrics/runs/{run_id}/metric/{path}?{urlencode(query)}")


def _check(chart: Any, first: int, last: int, count: int) -> None:
    """Check that the buckets have the figures of the points from `first` to `last`."""
    assert 0 < len(chart["data"]) <= count
    assert [chart["data"][0]["step"], chart["data"][-1]["step_last"]] == [first, last]
    assert sum(bucket["count"] for bucket in chart["data"]) == last - first + 1
    for bucket in chart["data"]:
        steps = range(bucket["step"], bucket["step_last"] + 1)
        finite = [step / 8 for step in steps if step % 1000 != 7 and step % 5000 != 8]
        assert bucket["count"] == len(steps)
        assert bucket["non_finite"] == len(steps) - len(finite)
        assert (bucket["min"], bucket["max"]) == (finite[0], finite[-1])
        assert bucket["mean"] == pytest.approx(sum(finite) / len(finite))


def test_a_long_series_in_few_buckets(server: Server, run_id: int) -> None:
    for _ in range(2):  # from points or from rollups, with equal results
        chart = _chart(server, run_id, "loss", points=100)
        assert (chart["raw"], chart["x"]) == (False, "step")
        _check(chart, 0, _LENGTH - 1, 100)
        chart = _chart(server, run_id, "loss", points=50, step_min=1234, step_max=15_678.5)
        _check(chart, 1234, 15_678, 50)


def test_short_ranges_have_the_points_themselves(server: Server, run_id: int) -> None:
    chart = _chart(server, run_id, "loss", points=100, step_min=1000, step_max=1009)
    assert chart["raw"] is True
    assert [bucket["first"] for bucket in chart["data"]][6:10] == [125.75, "NaN", 126.0, 126.125]
    assert [bucket["count"] for bucket in chart["data"]] == [1] * 10
    assert chart["data"][7]["non_finite"] == 1
    assert chart["data"][7]["mean"] is None
    empty = _chart(server, run_id, "loss", points=100, step_min=_LENGTH)
    assert (empty["data"], empty["raw"], empty["x"]) == ([], True, "step")


def test_other_axes_and_kinds(server: Server, run_id: int) -> None:
    began = server.get(f"/api/runs/{run_id}")["created_at"]
    first = _chart(server, run_id, "loss", points=100, x="time")["data"][0]
    assert began <= first["x"] <= first["x_last"]
    relative = _chart(server, run_id, "loss", points=100, x="relative")["data"]
    assert 0 <= relative[0]["x"] <= relative[0]["x_last"] <= relative[-1]["x_last"] < 100
    system = _chart(server, run_id, "gpu", points=100)
    assert (system["x"], system["data"][0]["step"]) == ("time", None)
    assert _chart(server, run_id, "gpu", points=100, time_min="2100-01-01T00:00:00Z")["data"] == []
    notes = _chart(server, run_id, "note", points=100)["data"]
    assert [(note["first"], note["min"], note["mean"]) for note in notes] == [
        ("begun", None, None),
        ("ended", None, None),
    ]
    assert _chart(server, run_id, "short/b", points=100)["data"][0]["last"] is True


def test_the_first_nan_infinity_minimum_and_maximum(server: Server, run_id: int) -> None:
    first = f"/api/metrics/runs/{run_id}/first?metric=loss&kind="
    points = {kind: server.get(first + kind) for kind in ("nan", "inf", "min", "max")}
    assert {kind: (point["step"], point["value"]) for kind, point in points.items()} == {
        "nan": (7, "NaN"),
        "inf": (8, "Infinity"),
        "min": (0, 0.0),
        "max": (_LENGTH - 1, (_LENGTH - 1) / 8),
    }
    nothing = f"/api/metrics/runs/{run_id}/first?metric=note&kind="
    for kind in ("nan", "min"):
        assert server.request("GET", nothing + kind).status == 404
    assert server.request("GET", first + "other").status == 422


def test_compare_in_buckets(server: Server, run_id: int) -> None:
    body = {"run_ids": [run_id, 999], "metric_paths": ["lo*", "short/*"], "points": 64}
    answer = server.request("POST", "/api/metrics/compare", body)
    assert answer.status == 200
    assert list(answer.json) == [str(run_id)]
    charts = answer.json[str(run_id)]
    assert sorted(charts) == ["loss", "short/a", "short/b"]
    _check(charts["loss"], 0, _LENGTH - 1, 64)
    assert charts["short/a"]["raw"] is True
    gpu = {"run_ids": [run_id], "metric_paths": ["gpu"], "points": 64}
    (bucket,) = server.request("POST", "/api/metrics/compare", gpu).json[str(run_id)]["gpu"]["data"]
    assert (bucket["step"], bucket["x"][:2]) == (None, "20")
    for bounds in ({"step_min": 0}, {"step_max": 100}):  # system metrics have no steps
        compared = server.request("POST", "/api/metrics/compare", {**gpu, **bounds})
        assert compared.json[str(run_id)]["gpu"]["data"] == []
        assert _chart(server, run_id, "gpu", points=100, **bounds)["data"] == []
    del body["points"]
    bounded = {**body, "metric_paths": ["loss", "gpu"], "step_min": 2.5, "step_max": 7}
    points = server.request("POST", "/api/metrics/compare", bounded).json[str(run_id)]
    assert [point["step"] for point in points["loss"]] == [3, 4, 5, 6, 7]
    assert points["gpu"] == []
    points = server.request("POST", "/api/metrics/compare", body).json[str(run_id)]
    assert len(points["loss"]) == _LENGTH


def test_comparisons_without_buckets_are_limited(
    server: Server, run_id: int, db_path: Path
) -> None:
    execute_sql(db_path, "UPDATE series SET points = 1000001 WHERE path = 'loss'")
    body: dict[str, Any] = {"run_ids": [run_id], "metric_paths": ["loss"]}
    refused = server.request("POST", "/api/metrics/compare", body)
    assert (refused.status, refused.json["detail"][:7]) == (422, "points:")
    body["metric_paths"] = ["short/a"]
    assert server.request("POST", "/api/metrics/compare", body).status == 200


def test_smoothing_is_over_all_points(server: Server, run_id: int) -> None:
    values = [None if step % 1000 == 7 or step % 5000 == 8 else step / 8 for step in range(_LENGTH)]
    expected = published(range(_LENGTH), values, 0.9, _LENGTH - 1)
    for window in ({}, {"step_min": 5000, "step_max": 9000}, {"step_min": 1000, "step_max": 1009}):
        chart = _chart(server, run_id, "loss", points=100, smoothing=0.9, **window)
        assert chart["smoothed_within"] == 0
        for bucket in chart["data"]:
            at = [value for value in expected[bucket["step"] : bucket["step_last"] + 1] if value]
            assert bucket["smoothed"] == (pytest.approx(at[-1]) if at else None)
    body = {"run_ids": [run_id], "metric_paths": ["loss", "note"], "points": 100, "smoothing": 0.9}
    charts = server.request("POST", "/api/metrics/compare", body).json[str(run_id)]
    assert charts["loss"]["data"][-1]["smoothed"] == pytest.approx(expected[-1])
    assert [bucket["smoothed"] for bucket in charts["note"]["data"]] == [None, None]
    over_time = _chart(server, run_id, "loss", points=100, smoothing=0.9, x="time")["data"]
    assert over_time[-1]["smoothed"] != charts["loss"]["data"][-1]["smoothed"]
    without = _chart(server, run_id, "loss", points=100, smoothing=0)
    assert "smoothed" not in without["data"][0]
    assert "smoothed_within" not in without


def test_invalid_parameters_are_refused(server: Server, run_id: int) -> None:
    for query in ("points=9", "points=10001", "points=100&x=y", "points=many", "smoothing=0.5",
                  "points=100&smoothing=1", "points=9&step_min=nan", "step_max=-NaN"):  # fmt: skip
        answer = server.request("GET", f"/api/metrics/runs/{run_id}/metric/loss?{query}")
        assert answer.status == 422, answer
    body = {"run_ids": [run_id], "metric_paths": ["loss"]}
    for invalid in ({"step_max": 10**400}, {"step_min": 2**63}, {"metric_paths": ["*" * 5000]}):
        answer = server.request("POST", "/api/metrics/compare", {**body, **invalid})
        assert (answer.status, next(iter(invalid)) in answer.json["detail"]) == (422, True)
    path = f"/api/metrics/runs/{run_id}/metric/none?points=100"
    assert server.request("GET", path).status == 404


def test_charts_are_smoothed_at_once_if_that_is_known(server: Server, run_id: int) -> None:
    body = {"run_ids": [run_id], "metric_paths": ["loss"], "points": 100, "smoothing": 0.8}

    def ask(**more: Any) -> Any:
        return server.request("POST", "/api/metrics/compare", body | more).json[str(run_id)]["loss"]

    unknown = ask(smoothed_if_known=True)
    assert "smoothed_within" not in unknown
    assert "smoothed" not in unknown["data"][0]
    smoothed = ask()
    assert smoothed["smoothed_within"] == 0
    known = ask(smoothed_if_known=True)
    assert [bucket["smoothed"] for bucket in known["data"]] == [
        bucket["smoothed"] for bucket in smoothed["data"]
    ]
