"""/api/metrics: names, values, order, pages, ranges of steps, comparisons and errors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

import trackai

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server


class Metric:
    """A metric of a run, read over HTTP."""

    def __init__(self, server: Server, run: trackai.Run, path: str) -> None:
        self._server = server
        self._path = f"/api/metrics/runs/{run.id}/metric/{quote(path, safe='')}"

    def page(self, query: str = "") -> dict[str, Any]:
        page: dict[str, Any] = self._server.get(self._path + query)
        assert type(page["has_more"]) is bool
        return page

    def points(self, query: str = "") -> list[tuple[Any, Any]]:
        return [(point["step"], point["value"]) for point in self.page(query)["data"]]

    def steps(self, query: str = "") -> list[Any]:
        return [step for step, _ in self.points(query)]


def test_names_are_sorted_and_a_run_may_have_none(server: Server, db_path: Path) -> None:
    with trackai.init(project="p", name="empty") as empty:
        pass
    with trackai.init(project="p") as run:
        run.log({"b": 1.0, "a/b": 1.0, "Z": 1.0, "ü": 1.0, "a b": 1.0})
        run.log_system({"a": 1.0, "b": 2.0})  # metrics on both axes with the same name
    expected = ["Z", "a", "a b", "a/b", "b", "ü"]
    for slash in ("", "/"):
        assert server.get(f"/api/metrics/runs/{run.id}{slash}") == expected
        assert server.get(f"/api/metrics/runs/{empty.id}{slash}") == []


# Characters that a client can send in a URL without encoding.
RAW = "az-._~!$&'()*+,;=:@/[]|^`{}\"<>\\"


NAMES = [
    "plain", "train/loss", "a/b/c", "a//b", "/leading", "//", ".", "..", "a/../b", "./a",
    "with space", " ", "ünï/✓", "日本/🎉", "50%", "%41", "%2F", "%", "%%", "q?x=1", "x#y",
    "a+b", "a&b=c", "summary", "config", "metric", "loss;drop", "tab\tin", "new\nline", RAW,
]  # fmt: skip


def test_a_metric_of_any_name(server: Server, db_path: Path) -> None:
    with trackai.init(project="p") as run:
        run.log({name: number for number, name in enumerate(NAMES)}, step=3)
    assert server.get(f"/api/metrics/runs/{run.id}") == sorted(NAMES)
    for number, name in enumerate(NAMES):
        # With everything encoded, without slashes, or only what must be.
        for safe in ("", "/", "/" + RAW):
            for slash in ("", "/"):
                address = quote(name, safe=safe) + slash
                if address in NAMES[:number]:
                    continue
                data = server.get(f"/api/metrics/runs/{run.id}/metric/{address}")["data"]
                points = [(point["step"], point["value"]) for point in data]
                assert points == [(3, number)], address
    compared = server.request(
        "POST", "/api/metrics/compare", {"run_ids": [run.id], "metric_paths": NAMES}
    )
    assert compared.json == {
        str(run.id): {name: [{"step": 3, "value": n}] for n, name in enumerate(NAMES)}
    }


def test_names_and_urls_that_end_in_a_slash(server: Server, db_path: Path) -> None:
    with trackai.init(project="p") as run:
        run.log({"end": 1.0, "end/": 2.0, "end//": 3.0, "alone/": 4.0, "plain": 5.0})
    for address, value in (
        ("end", 1.0), ("end/", 2.0), ("end%2F", 2.0), ("end//", 3.0), ("end%2F/", 3.0),
        ("end///", 3.0), ("alone/", 4.0), ("alone//", 4.0), ("plain", 5.0), ("plain/", 5.0),
    ):  # fmt: skip
        data = server.get(f"/api/metrics/runs/{run.id}/metric/{address}")["data"]
        assert [point["value"] for point in data] == [value], address
    for address in ("alone", "plain//", "plain%2F%2F", "end////"):
        answer = server.request("GET", f"/api/metrics/runs/{run.id}/metric/{address}")
        assert (answer.status, list(answer.json)) == (404, ["detail"]), address


def test_values_keep_their_types(server: Server, db_path: Path) -> None:
    logged: dict[str, list[Any]] = {
        "float": [0.1, 1e300, 5e-324, -0.0, 3.0],
        "int": [0, -1, 2**53 + 1, 2**63 - 1, -(2**63)],
        "bool": [True, False, True],
        "text": ["", "NaN", "ü\n", "1"],
        "special": [math.nan, math.inf, -math.inf, 1.5],
        "mixed": [1, 2.5, math.nan, 3],
    }
    shown = {**logged, "special": ["NaN", "Infinity", "-Infinity", 1.5],
             "mixed": [1, 2.5, "NaN", 3]}  # fmt: skip
    with trackai.init(project="p") as run:
        for path, values in logged.items():
            for step, value in enumerate(values):
                run.log({path: value}, step=step)
    for path, expected in shown.items():
        values = [value for _, value in Metric(server, run, path).points()]
        assert values == expected, path
        assert [type(value) for value in values] == [type(value) for value in expected], path


def test_points_are_sorted_by_step(server: Server, db_path: Path) -> None:
    steps = [5, 0.5, -3, 2**62, 0, 0.25, 1, -(2**62)]
    with trackai.init(project="p") as run:
        for number, step in enumerate(steps):
            run.log({"x": number}, step=step)
        run.log({"x": 100}, step=1)  # an equal step: both points are kept, in order of time
    points = Metric(server, run, "x").points()
    assert [step for step, _ in points] == sorted([*steps, 1])
    assert [value for step, value in points if step == 1] == [6, 100]
    assert [type(step) for step, _ in points] == [type(step) for step in sorted([*steps, 1])]
    data = Metric(server, run, "x").page()["data"]
    assert all({"step", "timestamp", "value"} <= point.keys() for point in data)
    assert all(point["timestamp"].endswith("Z") for point in data)


@pytest.fixture
def ten(db_path: Path) -> trackai.Run:
    """A run with "x" at the steps 0 to 9, "s" at no step, and "both"."""
    with trackai.init(project="p") as run:
        for step in range(10):
            run.log({"x": step, "both": step}, step=step)
        for number in range(4):
            run.log_system({"s": number, "both": 10 + number})
    return run


def test_pages_cover_every_point_once(server: Server, ten: trackai.Run) -> None:
    for path, total in (("x", 10), ("s", 4), ("both", 14)):
        metric = Metric(server, ten, path)
        everything = metric.page()
        assert (len(everything["data"]), everything["has_more"]) == (total, False)
        for limit in (1, 3, total - 1, total, total + 1):
            seen: list[Any] = []
            for offset in range(0, total, limit):
                page = metric.page(f"?limit={limit}&offset={offset}")
                seen += page["data"]
                assert page["has_more"] is (len(seen) < total), (path, limit, offset)
            assert seen == everything["data"], (path, limit)
        for offset in (total, 2**63 - 1):
            beyond = metric.page(f"?offset={offset}")
            assert (beyond["data"], beyond["has_more"]) == ([], False)


def test_a_page_is_a_thousand_points_without_a_limit(server: Server, db_path: Path) -> None:
    with trackai.init(project="p") as run:
        for step in range(1001):
            run.log({"x": step}, step=step)
    page = Metric(server, run, "x").page()
    assert ([point["step"] for point in page["data"]], page["has_more"]) == ([*range(1000)], True)
    page = Metric(server, run, "x").page("?limit=1001")
    assert (len(page["data"]), page["has_more"]) == (1001, False)


def test_ranges_of_steps(server: Server, ten: trackai.Run) -> None:
    for query, expected in (
        ("step_min=3", [3, 4, 5, 6, 7, 8, 9]),
        ("step_max=3", [0, 1, 2, 3]),
        ("step_min=3&step_max=5", [3, 4, 5]),
        ("step_min=2.5&step_max=3.5", [3]),
        ("step_min=5&step_max=3", []),
        ("step_min=-1e300&step_max=0", [0]),
        ("step_min=9&step_max=1e300", [9]),
        ("step_min=-9223372036854775808&step_max=9223372036854775807", [*range(10)]),
        ("step_min=inf", []),
        ("step_max=-inf", []),
        ("step_min=&step_max=", [*range(10)]),
        ("step_min=3&step_max=8&limit=2&offset=1", [4, 5]),
    ):
        assert Metric(server, ten, "x").steps("?" + query) == expected, query
    metric = Metric(server, ten, "x")
    assert metric.page("?step_min=3&step_max=5&limit=2")["has_more"] is True
    assert metric.page("?step_min=3&step_max=5&limit=3")["has_more"] is False
    assert metric.page("?step_min=3&step_max=5&limit=2&offset=1")["has_more"] is False


def test_a_system_metric_has_times_instead_of_steps(server: Server, ten: trackai.Run) -> None:
    metric = Metric(server, ten, "s")
    assert metric.points() == [(None, 0), (None, 1), (None, 2), (None, 3)]
    times = [point["timestamp"] for point in metric.page()["data"]]
    assert times == sorted(set(times))
    # System metrics have no steps.
    assert metric.points("?step_min=-1e300") == []
    both = Metric(server, ten, "both")
    assert both.points() == [(n, n) for n in range(10)] + [(None, n) for n in range(10, 14)]
    assert both.points("?step_min=8") == [(8, 8), (9, 9)]


def test_comparisons_leave_out_missing_runs_and_metrics(server: Server, db_path: Path) -> None:
    ids = []
    for number in range(3):
        with trackai.init(project=f"p{number}") as run:
            run.log({"loss": number, "ok": True}, step=0)
            run.log({"loss": math.nan, f"only/{number}": 1.0}, step=0.5)
            run.log_system({"gpu": math.inf})
        ids.append(run.id)

    def compare(run_ids: list[int], paths: list[str], slash: str = "") -> Any:
        answer = server.request(
            "POST",
            f"/api/metrics/compare{slash}",
            {"run_ids": run_ids, "metric_paths": paths},
        )
        assert answer.status == 200, answer
        return answer.json

    assert compare([ids[2], ids[0], 999, 0, -1, 2**70], ["loss", "only/0", "nothing"], "/") == {
        str(ids[0]): {
            "loss": [{"step": 0, "value": 0}, {"step": 0.5, "value": "NaN"}],
            "only/0": [{"step": 0.5, "value": 1.0}],
        },
        str(ids[2]): {"loss": [{"step": 0, "value": 2}, {"step": 0.5, "value": "NaN"}]},
    }
    assert compare([ids[1]], ["gpu", "ok"]) == {
        str(ids[1]): {
            "gpu": [{"step": None, "value": "Infinity"}],
            "ok": [{"step": 0, "value": True}],
        }
    }
    assert compare([ids[1], ids[1]], ["ok", "ok"]) == compare([ids[1]], ["ok"])
    assert compare([ids[0]], ["nothing"]) == compare([ids[0]], []) == {str(ids[0]): {}}
    assert compare([], ["loss"]) == compare([999], ["loss"]) == {}


def test_names_of_several_runs_are_sorted_and_not_repeated(server: Server, db_path: Path) -> None:
    ids = []
    for number in range(3):
        with trackai.init(project=f"p{number}") as run:
            run.log({"loss": number, "word": "text"}, step=0)
            run.log({f"only/{number}": 1.0}, step=0.5)
            run.log_system({"gpu": math.inf, "loss": 1.0})
        ids.append(run.id)
    with trackai.init(project="p0") as empty:
        pass

    def names(run_ids: list[Any], slash: str = "") -> Any:
        answer = server.request("POST", f"/api/metrics/paths{slash}", {"run_ids": run_ids})
        assert answer.status == 200, answer
        return answer.json

    assert names([ids[0]]) == {"paths": ["gpu", "loss", "only/0", "word"]}
    assert names([ids[2], ids[0], ids[2], 999, 0, -1, 2**70], "/") == {
        "paths": ["gpu", "loss", "only/0", "only/2", "word"]
    }
    assert names([empty.id]) == names([]) == names([999]) == {"paths": []}


WRONG_RUN_IDS = [
    (b"", "body"),
    (b"[]", "body"),
    (b"{}", "run_ids"),
    (b'{"run_ids": 1}', "run_ids"),
    (b'{"run_ids": null}', "run_ids"),
    (b'{"run_ids": [1.0]}', "run_ids"),
    (b'{"run_ids": [true]}', "run_ids"),
    (b'{"run_ids": ["1"]}', "run_ids"),
    (b'{"run_ids": [1e400]}', "run_ids"),
    (b'{"run_ids": [' + b"1," * 1000 + b"1]}", "run_ids"),
    (b'{"run_ids": [1], "inherited": 1}', "inherited"),
    (b'{"run_ids": ' + b"[" * 100_000, "run_ids"),
]


def test_invalid_requests_for_names_are_refused(server: Server) -> None:
    for body, named in WRONG_RUN_IDS:
        answer = server.request("POST", "/api/metrics/paths", data=body)
        assert (answer.status, list(answer.json)) == (422, ["detail"]), (body[:80], answer)
        assert named in answer.json["detail"], (body[:80], answer)


WRONG_BODIES = [
    (b"", "body"),
    (b"[]", "body"),
    (b"{}", "metric_paths"),
    (b'{"metric_paths": []}', "run_ids"),
    (b'{"run_ids": [1]}', "metric_paths"),
    (b'{"run_ids": 1, "metric_paths": []}', "run_ids"),
    (b'{"run_ids": null, "metric_paths": []}', "run_ids"),
    (b'{"run_ids": [1.0], "metric_paths": []}', "run_ids"),
    (b'{"run_ids": [true], "metric_paths": []}', "run_ids"),
    (b'{"run_ids": [[1]], "metric_paths": []}', "run_ids"),
    (b'{"run_ids": [1e400], "metric_paths": []}', "run_ids"),
    (b'{"run_ids": [' + b"9" * 5000 + b'], "metric_paths": []}', "run_ids"),
    (b'{"run_ids": [' + b"1," * 1000 + b'1], "metric_paths": []}', "run_ids"),
    (b'{"run_ids": [1], "metric_paths": "loss"}', "metric_paths"),
    (b'{"run_ids": [1], "metric_paths": [1]}', "metric_paths"),
    (b'{"run_ids": [1], "metric_paths": ["\\ud800"]}', "body"),
    (b'{"run_ids": [1], "metric_paths": ["\xff"]}', "body"),
    (b'{"run_ids": ' + b"[" * 100_000, "run_ids"),
]


def test_invalid_comparisons_are_refused(server: Server) -> None:
    for body, named in WRONG_BODIES:
        answer = server.request("POST", "/api/metrics/compare", data=body)
        assert (answer.status, list(answer.json)) == (422, ["detail"]), (body[:80], answer)
        assert named in answer.json["detail"], (body[:80], answer)


INT64 = "9223372036854775808"


def test_invalid_numbers_in_the_query_are_named(server: Server, ten: trackai.Run) -> None:
    path = f"/api/metrics/runs/{ten.id}/metric/"
    nonsense = ("x", "1_0", "0x1", "1e400", "true", "%00", "%EF%BC%91", INT64, "9" * 5000)
    cases = [(name, text) for name in ("limit", "offset") for text in (*nonsense, "-1", "1.5")]
    cases += [("limit", "0"), ("limit", "1000001")]
    cases += [
        (name, text)
        for name in ("step_min", "step_max")
        for text in (*nonsense, "-9223372036854775809", "9" * 400)
    ]
    for metric in ("x", "s", "both"):
        for name, text in cases:
            answer = server.request("GET", f"{path}{metric}?{name}={text}")
            assert (answer.status, list(answer.json)) == (422, ["detail"]), (name, text[:40])
            assert answer.json["detail"].startswith(f"{name}: ")


def test_missing_metrics_are_not_found(server: Server, ten: trackai.Run) -> None:
    path = f"/api/metrics/runs/{ten.id}/metric"
    for address in ("X", "x%20", "x%0A", "%FF", "%", "x/y", "x" * 3000, "", "%00"):
        answer = server.request("GET", f"{path}/{address}")
        assert (answer.status, list(answer.json)) == (404, ["detail"]), address
    # Without a metric, the path is unknown and not redirected.
    assert server.request("GET", path).status == 404
