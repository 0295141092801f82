"""Versions of charts: what a client makes of the answers is what a full answer says."""

from __future__ import annotations

import json
import math
import random
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackai.api import chart_versions
from trackai.structs.records import ChartBucket, ChartData

if TYPE_CHECKING:
    from tests.conftest import Server

_ADDED = ("version", "kept", "smoothed")


def _merged(known: Any, answer: Any) -> Any:
    """What a client keeps after an answer: the answer with all buckets."""
    kept = answer.get("kept", 0)
    assert kept <= len(known["data"] if known else [])
    return {**answer, "data": (known["data"][:kept] if kept else []) + answer["data"]}


def _plain(chart: Any) -> Any:
    """What a client shows: the full chart."""
    shown = {name: value for name, value in chart.items() if name not in _ADDED}
    if (column := chart.get("smoothed")) is not None:
        shown["data"] = [
            {**bucket, "smoothed": average}
            for bucket, average in zip(shown["data"], column, strict=True)
        ]
    return shown


def _are_close(value: Any, expected: Any) -> bool:
    if isinstance(value, float) and isinstance(expected, float):
        return math.isclose(value, expected, rel_tol=1e-9)
    return bool(value == expected)


_buckets = st.lists(st.tuples(st.integers(0, 3), st.floats(0, 1)), max_size=100)


@given(
    states=st.lists(
        st.tuples(_buckets, st.booleans(), st.integers(0, 100), st.booleans()), max_size=6
    ),
    noise=st.text("0123456789.,abcdef", max_size=30),
)
def test_a_client_has_the_full_chart_after_each_answer(states: list[Any], noise: str) -> None:
    """Each state keeps a beginning of the one before, and may be smoothed."""
    rows: list[Any] = []
    known: Any = None
    for new, is_raw, kept, is_smoothed in states:
        rows = rows[:kept] + new

        def chart(smoothed: bool = is_smoothed, raw: bool = is_raw) -> ChartData:
            data = [ChartBucket(step, step, 1, 0, v, v, v, v, v) for step, v in rows]  # noqa: B023
            record = ChartData(data, raw, "step", 7)
            if smoothed:
                record.smoothed_within = 0.0
                for place, bucket in enumerate(record.data):
                    bucket.smoothed = None if place % 7 == 3 else place / 3
            return record

        full = json.loads(msgspec.json.encode(chart()))
        for version in (None, noise, known and known["version"]):
            record = chart()
            chart_versions.shorten(record, version)
            answer = json.loads(msgspec.json.encode(record))
            if version != (known and known["version"]):
                continue
            known = _merged(known, answer)
        assert _plain(known) == full


def test_what_has_not_changed_is_not_sent() -> None:
    def chart(count: int) -> ChartData:
        data = [ChartBucket(n, n, 1, 0, n, n, n, n, n) for n in range(count)]
        return ChartData(data, True, "step", 7)

    first, second, third = chart(500), chart(503), chart(503)
    chart_versions.shorten(first, None)
    chart_versions.shorten(second, str(first.version))
    assert second.kept == 500
    assert len(json.loads(bytes(second.data))) == 3  # type: ignore[arg-type]
    chart_versions.shorten(third, str(second.version))
    assert (third.kept, bytes(third.data)) == (503, b"[]")  # type: ignore[arg-type]


def _log(server: Server, run: int, points: list[tuple[float, Any]], **more: Any) -> None:
    rows = [{"step": step, "values": {"loss": value}} for step, value in points]
    answer = server.request("POST", f"/api/metrics/runs/{run}", {"rows": rows, **more})
    assert answer.status == 200, answer


@pytest.mark.parametrize("smoothing", [None, 0.6])
@pytest.mark.parametrize("group_by", [None, "all"])
def test_deltas_of_live_runs(server: Server, smoothing: float | None, group_by: str | None) -> None:
    project = server.request("POST", "/api/projects", {"name": "p", "project_id": "p"}).json["id"]
    runs = [
        server.request("POST", "/api/runs", {"project_id": project, "run_id": f"r{n}"}).json["id"]
        for n in range(2)
    ]
    body = {"run_ids": runs, "metric_paths": ["loss"], "points": 100, "smoothing": smoothing}
    if group_by:
        body["group_by"] = group_by

    def ask(**more: Any) -> dict[str, Any]:
        answer = server.request("POST", "/api/metrics/compare", {**body, **more})
        assert answer.status == 200, answer
        charts = answer.json
        if group_by:
            charts = {str(n): group["metrics"] for n, group in enumerate(charts["groups"])}
        return {key: metrics["loss"] for key, metrics in charts.items() if "loss" in metrics}

    generator = random.Random(5)
    known: dict[str, Any] = {}
    sent: list[int] = []

    def poll() -> None:
        versions = {key: {"loss": chart["version"]} for key, chart in known.items()}
        answers = ask(versions=versions)
        sent.append(sum(len(chart["data"]) for chart in answers.values()))
        merged = {key: _merged(known.get(key), chart) for key, chart in answers.items()}
        known.clear()
        known.update(merged)
        full = ask()
        assert known.keys() == full.keys()
        for key, chart in known.items():
            shown = _plain(chart)
            assert shown.keys() == full[key].keys()
            for bucket, expected in zip(shown["data"], full[key]["data"], strict=True):
                # Rollups may have been refreshed in between, whose sums are rounded differently.
                assert bucket.keys() == expected.keys()
                assert all(map(_are_close, bucket.values(), expected.values())), expected

    poll()  # without any point
    for begin in (*range(0, 90, 30), *range(90, 9000, 2970)):
        end = begin + (30 if begin < 90 else 2970)
        for run in runs:
            _log(server, run, [(step, generator.random()) for step in range(begin, end)])
            poll()
    for step in range(9000, 9010):
        _log(server, runs[0], [(step, 1.0)])
        poll()
    # The last bucket; more when rollups were refreshed in between.
    assert min(sent[-10:]) <= 2 * len(known)
    _log(server, runs[0], [(17, 5.0)])  # late
    poll()
    _log(server, runs[1], [(9001, "NaN"), (9002, "Infinity")])
    poll()
    assert server.request("DELETE", f"/api/runs/{runs[1]}").status == 200
    poll()
    assert known


def test_versions_require_a_chart(server: Server) -> None:
    body = {"run_ids": [1], "metric_paths": ["loss"], "versions": {}}
    answer = server.request("POST", "/api/metrics/compare", body)
    assert answer.status == 422
    assert "versions" in answer.json["detail"]
