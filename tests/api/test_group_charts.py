"""/api/metrics/groups, and comparisons by group: mean and deviation by step."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

import trackai

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server

_LENGTHS = {"a": 100, "b": 100, "c": 60, "d": 100}


@pytest.fixture
def run_ids(db_path: Path, server: Server) -> dict[str, int]:
    """Runs of two groups with different lengths and learning rates; one has a NaN."""
    ids = {}
    for number, (name, length) in enumerate(_LENGTHS.items()):
        config = {"lr": 0.1 * (number % 2), "flag": number == 3} if name != "d" else {}
        group = "one" if number < 3 else None
        with trackai.init(project="p", name=name, group=group, config=config) as run:
            for step in range(length):
                value = float("nan") if (name, step) == ("b", 7) else step + 10.0 * number
                run.log({"loss": value, "note": "text"}, step=step)
            run.log_system({"gpu": 1})
        assert run.id is not None
        ids[name] = run.id
    return ids


def _group(server: Server, **query: Any) -> Any:
    return server.get(f"/api/metrics/groups?{urlencode(query)}")


def test_a_group_by_its_name(server: Server, run_ids: dict[str, int]) -> None:
    band = _group(server, project_id=1, group="one", metric="loss", points=1000)
    assert (band["raw"], band["x"], band["runs"]) == (True, "step", 3)
    assert [bucket["step"] for bucket in band["data"]] == list(range(100))
    for step, bucket in enumerate(band["data"]):
        values = [step + 10.0 * number for number in range(3)]
        if step == 7:
            del values[1]
        if step >= 60:
            del values[2]
        assert bucket["step_last"] == step
        assert bucket["runs"] == len(values)
        assert bucket["non_finite"] == (step == 7)
        assert bucket["mean"] == pytest.approx(statistics.fmean(values))
        assert bucket["std"] == pytest.approx(statistics.stdev(values))
        assert (bucket["min"], bucket["max"]) == (min(values), max(values))
        assert "smoothed" not in bucket
        assert "x" not in bucket


def test_a_group_in_few_buckets(server: Server, run_ids: dict[str, int]) -> None:
    query = {"project_id": 1, "group": "one", "metric": "loss", "points": 13}
    band = _group(server, **query, step_min=32, x="relative", smoothing=0.5)
    assert (band["raw"], band["x"], band["smoothed_within"]) == (False, "relative", 0)
    buckets = band["data"]
    assert [(bucket["step"], bucket["step_last"]) for bucket in buckets] == [
        (first, min(first + 7, 99)) for first in range(32, 100, 8)
    ]
    # Each run counts once per bucket, with its mean. The third ends in the fourth bucket.
    assert [bucket["runs"] for bucket in buckets] == [3, 3, 3, 3, 2, 2, 2, 2, 2]
    assert buckets[3]["mean"] == pytest.approx((59.5 + 69.5 + 77.5) / 3)
    assert all(0 <= bucket["x"] <= bucket["x_last"] for bucket in buckets)
    assert all(bucket["min"] - 60 < bucket["smoothed"] < bucket["max"] for bucket in buckets)


def test_a_group_by_a_filter(server: Server, run_ids: dict[str, int]) -> None:
    band = _group(server, project_id=1, filter="config.lr=0", metric="loss")
    assert band["runs"] == 2
    for change in ({"group": "none"}, {"metric": "none"}, {"metric": "note"}, {"metric": "gpu"},
                  {"project_id": 9}):  # fmt: skip
        query = urlencode({"project_id": 1, "metric": "loss", **change})
        answer = server.request("GET", f"/api/metrics/groups?{query}")
        assert answer.status == 404, answer


def test_compare_by_a_config_key(server: Server, run_ids: dict[str, int]) -> None:
    body = {"run_ids": [*run_ids.values(), 999], "metric_paths": ["*"], "points": 1000}

    def compare(field: str) -> Any:
        answer = server.request("POST", "/api/metrics/compare", {**body, "group_by": field})
        assert answer.status == 200, answer
        return answer.json["groups"]

    by_rate = compare("config.lr")
    a, b, c, d = run_ids.values()
    assert [(group["value"], group["run_ids"]) for group in by_rate] == [
        (0.0, [a, c]), (0.1, [b]), (None, [d]),
    ]  # fmt: skip
    assert [list(group["metrics"]) for group in by_rate] == [["loss"]] * 3
    buckets = by_rate[0]["metrics"]["loss"]["data"]
    assert [bucket["runs"] for bucket in buckets] == [2] * 60 + [1] * 40
    assert by_rate[1]["metrics"]["loss"]["data"][0]["std"] is None
    assert [(group["value"], group["run_ids"]) for group in compare("config.flag")] == [
        (False, [a, b, c]), (None, [d]),
    ]  # fmt: skip
    assert [group["value"] for group in compare("group")] == ["one", None]
    (everything,) = compare("all")
    assert (everything["value"], everything["metrics"]["loss"]["runs"]) == (None, 4)
    single = _group(server, project_id=1, filter="group=one", metric="loss", points=1000)
    assert compare("group")[0]["metrics"]["loss"]["data"] == single["data"]


def test_invalid_parameters_are_refused(server: Server, run_ids: dict[str, int]) -> None:
    body = {"run_ids": [1], "metric_paths": ["loss"], "points": 100, "group_by": "group"}
    for wrong in ({"points": None}, {"x": "time"}, {"group_by": "metric.loss"},
                  {"group_by": "config.a b c"}):  # fmt: skip
        answer = server.request("POST", "/api/metrics/compare", {**body, **wrong})
        assert answer.status == 422, answer
    for query in ("metric=loss", "project_id=1"):
        assert server.request("GET", f"/api/metrics/groups?{query}").status == 422
    for parameter in ("x=time", "filter=!", "points=1"):
        query = f"project_id=1&metric=loss&{parameter}"
        assert server.request("GET", f"/api/metrics/groups?{query}").status == 422
