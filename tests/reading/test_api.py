"""`trackai.Api`: a file and a server return the same."""

from __future__ import annotations

import copy
import math
import pickle
import socketserver
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

import trackai
import trackai.reading.history

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server


def test_runs(api: trackai.Api) -> None:
    assert api.projects() == ["My project"]
    runs = api.runs("my-project")
    assert [run.name for run in runs] == ["r2", "r1", "r0"]
    assert (len(runs), runs[0].project, runs[0].state) == (3, "My project", "completed")
    matches = api.runs(filter="config.opt/lr < 0.5", sort="metric.loss.min", ascending=True)
    assert [run.name for run in matches] == ["r1", "r2"]
    assert api.compare(list(matches)) == {"opt/lr": [0.1, 0.01]}
    with pytest.raises(TypeError, match="runs: must be runs of this Api, got int"):
        api.compare([1, 2])  # type: ignore[list-item]
    with pytest.raises(trackai.NotFoundError, match="nope"):
        api.runs("nope")
    with pytest.raises(trackai.NotFoundError, match="99"):
        api.run(99)
    with pytest.raises(trackai.InvalidInputError, match="filter"):
        len(api.runs(filter="config."))


def test_a_run(api: trackai.Api) -> None:
    run = api.run(1)
    assert run.config == {"opt": {"lr": 1.0}, "same": 1}
    loss = run.summary["loss"]
    assert (loss.last, loss.last_step, loss.min, loss.min_step, loss.max) == (0.1, 9, 0.1, 9, 1.0)
    history = run.history()
    assert set(history) == {"loss", "odd name/%", "flag", "text", "gpu"}
    assert history["loss"].values == [1 / (step + 1) for step in range(10)]
    assert history["loss"].steps == list(range(10))
    odd = history["odd name/%"]
    assert math.isnan(float(odd.values[0]))
    assert odd.values[1] == -math.inf
    assert odd.steps == [0.5, 1]
    assert history["flag"].values == [True]
    assert history["text"].values == ["NaN"]
    assert history["gpu"].steps == [None]
    assert list(run.history("loss")) == ["loss"]
    with pytest.raises(trackai.NotFoundError, match="nope"):
        run.history("nope")


def test_a_run_is_found_by_id_slug_path_or_name(api: trackai.Api) -> None:
    for text in ("2", "r1", "my-project/r1", "My project/r1"):
        assert api.run(text).id == 2
    assert api.run("latest").id == 3
    api.run(2).rename('odd "name" \\')
    assert api.run('odd "name" \\').id == 2
    api.run(3).rename("r0")
    assert api.run("r0").id == 1  # slugs take precedence over names
    api.run(1).rename("same")
    api.run(2).rename("same")
    with pytest.raises(trackai.InvalidInputError, match=r"my-project/r1 \(id 2\), my-project/r0"):
        api.run("same")
    with pytest.raises(trackai.NotFoundError, match="nope"):
        api.run("nope")


def test_summaries_hold_numbers(api: trackai.Api) -> None:
    summary = api.run(1).summary
    assert summary["odd name/%"].last == -math.inf
    assert summary["text"].last == "NaN"
    assert (summary["loss"].min_step, summary["loss"].max_step) == (9, 0)


def test_a_downsampled_history(api: trackai.Api) -> None:
    with trackai.init(project="Long") as run:
        for step in range(1000):
            run.log({"x": float(step), "nan": math.nan}, step=step)
    curve = api.run(run.id).history("x", points=10)["x"]
    assert 5 <= len(curve.steps) <= 10
    assert curve.low is not None
    assert curve.high is not None
    assert (curve.steps[0], curve.low[0], curve.high[-1]) == (0, 0.0, 999.0)
    assert curve.timestamps == sorted(curve.timestamps)
    assert curve.values[0] == (curve.low[0] + curve.high[0]) / 2  # type: ignore[operator]
    everything = api.run(run.id).history(points=1000)
    assert everything["x"].values == [float(step) for step in range(1000)]
    assert everything["x"].timestamps == api.run(run.id).history()["x"].timestamps
    assert everything["x"].low is None
    few = api.run(1).history(points=10)
    assert (few["odd name/%"].values[1], few["text"].values) == (-math.inf, ["NaN"])
    assert few["gpu"].steps == [None]
    assert all(math.isnan(v) for v in api.run(run.id).history("nan", points=10)["nan"].values)  # type: ignore[arg-type]
    for points in (9, 10_001):
        with pytest.raises(trackai.InvalidInputError, match="between 10 and 10000"):
            api.run(1).history("x", points=points)
    with pytest.raises(trackai.NotFoundError, match="nope"):
        api.run(1).history("nope", points=10)


def test_data_frames(api: trackai.Api) -> None:
    history = api.run(1).history(["loss", "flag", "odd name/%", "gpu"])
    frame = history.to_pandas()
    assert list(frame.columns) == ["loss", "flag", "odd name/%"]  # gpu has no steps
    assert frame.index.name == "step"
    assert frame.index.tolist() == [0, 0.5, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert frame["loss"].dropna().tolist() == history["loss"].values
    assert frame.loc[1, "odd name/%"] == -math.inf
    times = history.to_pandas(index="time")
    assert (times.index.name, str(times.index.tz)) == ("time", "UTC")
    assert times["gpu"].dropna().tolist() == [0.5]
    assert times["loss"].dropna().tolist() == history["loss"].values
    assert api.run(1).history("gpu").to_pandas().index.name == "time"


def test_of_a_step_logged_twice_a_frame_has_the_latest_value(db_path: Path) -> None:
    with trackai.init(project="p") as run:
        for value in (1.0, 2.0, 3.0):
            run.log({"x": value}, step=5)
        run.log({"x": 4.0, "y": 1}, step=4)
    history = trackai.Api().run(run.id).history()
    assert history["x"].values == [4.0, 1.0, 2.0, 3.0]
    assert history.to_pandas()["x"].to_dict() == {4: 4.0, 5: 3.0}


def test_arrow(api: trackai.Api) -> None:
    history = api.run(1).history(["flag", "odd name/%", "text", "gpu"])
    table = history.to_arrow()
    assert table.column_names == [
        "metric", "step", "timestamp", "value", "text", "step_int", "value_int",
    ]  # fmt: skip
    rows = table.to_pylist()
    assert [row["metric"] for row in rows] == ["flag", "odd name/%", "odd name/%", "text", "gpu"]
    assert [row["step"] for row in rows] == [0.5, 0.5, 1.0, 0.5, None]
    assert [row["text"] for row in rows] == [None, None, None, "NaN", None]
    assert (rows[0]["value"], rows[2]["value"], rows[3]["value"]) == (1.0, -math.inf, None)
    assert math.isnan(rows[1]["value"])
    assert table["timestamp"].cast("int64").to_pylist() == [
        time for curve in history.values() for time in curve.timestamps
    ]
    assert trackai.reading.history.History({}).to_arrow().column_names == table.column_names


def test_large_integers_are_exact(db_path: Path, server: Server) -> None:
    big, flag = 2**53 + 1, [True, False]
    with trackai.init(project="p") as run:
        for step, number in ((big, big), (big + 1, -(2**63)), (big + 2, 3)):
            run.log({"big": number, "mixed": number, "loss": 0.5, "text": "x"}, step=step)
        run.log({"mixed": 0.5, "loss": 1.5, "flag": True}, step=big + 3)
        run.log({"loss": 1.0, "nan": math.nan}, step=0)
        run.log({"nan": big, "flag": False}, step=1)
    for api in (trackai.Api(), trackai.Api(server.url)):
        history = api.run(run.id).history()
        assert history["big"].values == [big, -(2**63), 3]
        assert history["mixed"].values == [big, -(2**63), 3, 0.5]
        frame = history.to_pandas()
        steps = [0, 1, big, big + 1, big + 2, big + 3]
        assert frame.index.tolist() == steps
        assert frame["big"].dtype == "Int64"
        assert frame["big"].isna().tolist() == [True, True, False, False, False, True]
        assert frame["big"].dropna().tolist() == [big, -(2**63), 3]
        assert frame["flag"].dtype == "boolean"
        assert sorted(frame["flag"].dropna()) == sorted(flag)
        assert frame["mixed"].dropna().tolist() == [big, -(2**63), 3, 0.5]
        assert frame["nan"].dropna().tolist() == [big]
        assert frame["loss"].dtype == "float64"
        alone = api.run(run.id).history("big").to_pandas()
        assert (alone["big"].dtype, alone.index.dtype) == ("int64", "int64")
        arrow = history.to_arrow().to_pylist()
        rows = [(row["step_int"], row["value_int"]) for row in arrow if row["metric"] == "mixed"]
        assert rows == [(big, big), (big + 1, -(2**63)), (big + 2, 3), (big + 3, None)]
        assert {row["value_int"] for row in arrow if row["metric"] == "text"} == {None}
        times = history.to_pandas(index="time")
        assert times["big"].dropna().tolist() == [big, -(2**63), 3]


def test_large_integer_steps_beside_fractions_are_exact(db_path: Path) -> None:
    big = 2**53 + 1
    with trackai.init(project="p") as run:
        run.log({"x": 1}, step=big)
        run.log({"y": 2}, step=0.5)
        run.log({"x": 3, "y": 4}, step=big + 1)
    frame = trackai.Api().run(run.id).history().to_pandas()
    assert frame.index.tolist() == [0.5, big, big + 1]
    assert frame["x"].dtype == "Int64"
    assert frame["x"].dropna().to_dict() == {big: 1, big + 1: 3}


def test_scripts_for_trackio(api: trackai.Api) -> None:
    """All calls that trackio documents for its `Api`."""
    runs = api.runs("My project")
    assert repr(runs) == "<Runs project=My project count=3>"
    assert (len(runs), [run.name for run in runs]) == (3, ["r2", "r1", "r0"])
    run = runs[0]
    assert repr(run) == "<Run r2 in project My project>"
    assert (run.project, run.name, run.config["same"]) == ("My project", "r2", 1)
    assert run.alerts(level="warn", since="2026-01-01") == []
    assert run.rename("new") is run
    assert run.name == "new"
    assert run.delete() is True
    with pytest.raises(ValueError, match="nope"):
        api.runs("nope")


def test_an_error_of_a_file_has_a_short_traceback(tmp_path: Path) -> None:
    trackai.init(project="p", db_path=tmp_path / "trackai.db").finish()
    with pytest.raises(trackai.NotFoundError) as caught:
        trackai.Api(tmp_path / "trackai.db").run("nope")
    assert len(caught.traceback) < 9
    assert caught.value.__suppress_context__


def test_alerts(api: trackai.Api) -> None:
    with trackai.init(project="My project", name="loud") as run:
        run.log({"loss": 1.0}, step=6)
        run.alert("low", "very\nlow", level="info")
        run.alert("NaN", level=trackai.AlertLevel.ERROR)
    latest, first = api.run("loud").alerts()
    assert (first["run"], first["title"], first["text"]) == ("loud", "low", "very\nlow")
    assert (latest["title"], latest["text"], latest["level"]) == ("NaN", None, "error")
    assert latest["step"] == first["step"]
    assert api.alerts("My project", level="info") == [first]
    assert api.alerts("My project", run="loud") == [latest, first]
    assert api.alerts("My project", run="r2") == []
    assert api.run("loud").alerts(since=first["timestamp"]) == [latest]
    assert api.run("loud").alerts(since="2020-01-01") == [latest, first]
    with pytest.raises(trackai.InvalidInputError, match="since"):
        api.run("loud").alerts(since="yesterday")


def test_changes(api: trackai.Api) -> None:
    run = api.run(2)
    run.rename("better").tag("b", "a").untag("b")
    assert (api.run(2).name, api.run(2).tags) == ("better", ["a"])
    same = api.run(2)  # a second object does not undo changes of the first
    run.tag("b")
    same.tag("c").untag("a", "none")
    assert same.tags == api.run(2).tags == ["b", "c"]
    assert run.delete()
    assert len(api.runs()) == 2


def test_moving(api: trackai.Api) -> None:
    assert api.run(1).move("Else where")
    assert api.run(2).move("else-where")  # by its slug: no second project is created
    assert sorted(api.projects()) == ["Else where", "My project"]
    assert [run.name for run in api.runs("Else where")] == ["r1", "r0"]
    with trackai.init(project="My project", name="r0") as again:
        again.log({"x": 1})
    moved = api.run(again.id)
    assert moved.move("else-where")
    assert (moved.run_id, moved.project) == ("r0-2", "Else where")


def test_a_missing_file_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(trackai.NotFoundError, match=r"database .*typo\.db not found"):
        trackai.Api(tmp_path / "typo.db").projects()
    assert not list(tmp_path.iterdir())


def test_a_server_that_is_not_running() -> None:
    with pytest.raises(trackai.TrackAIError, match="is it running"):
        trackai.Api("http://127.0.0.1:9").projects()


def test_copies_and_threads(api: trackai.Api, caplog: pytest.LogCaptureFixture) -> None:
    run = api.run(1)
    copies = [pickle.loads(pickle.dumps(run)), copy.deepcopy(run)]
    for other in copies:
        assert other.history("loss")["loss"] == run.history("loss")["loss"]
    with ThreadPoolExecutor(8) as pool:
        curves = list(pool.map(lambda _: run.history("loss")["loss"].values, range(40)))
    assert all(values == curves[0] for values in curves)
    assert caplog.text == ""


async def test_inside_a_running_event_loop(some_runs: None) -> None:
    assert len(trackai.Api().runs()) == 3


def test_invalid_changes_are_refused(api: trackai.Api) -> None:
    run = api.run(1)
    for change, field in (
        (lambda: run.rename(""), "name"),
        (lambda: run.rename("x" * 513), "name"),
        (lambda: run.rename(5), "name"),  # type: ignore[arg-type]
        (lambda: run.tag("a", ""), "tags"),
        (lambda: run.tag("x" * 257), "tags"),
        (lambda: run.tag(*map(str, range(101))), "tags"),
        (lambda: run.move(""), "name|project"),
    ):
        with pytest.raises(trackai.InvalidInputError, match=f"^({field})"):
            change()
    same = api.run(1)
    assert (same.name, same.tags, same.project) == ("r0", [], "My project")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", "not the address of a TrackAI"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "not the address of a TrackAI"),
        (b"SSH-2.0-OpenSSH\r\n", "not the address of a TrackAI server"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[", "ended early: request it again"),
    ],
)
def test_answers_of_other_programs_and_cut_ones_are_public_errors(
    answer: bytes, message: str
) -> None:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            self.request.sendall(answer)

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        with pytest.raises(trackai.TrackAIError, match=message):
            trackai.Api(f"http://127.0.0.1:{server.server_address[1]}").projects()


@pytest.mark.parametrize("url", ["http://", "http://local host", "http://[::1", "http://x:99999"])
def test_the_address_of_a_server_must_be_valid(url: str) -> None:
    with pytest.raises(trackai.InvalidInputError, match="url: must be like http://localhost:8000"):
        trackai.Api(url)
