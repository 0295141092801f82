"""trackai.Api: the same answers from a file and from a server."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

import trackai

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server


@pytest.fixture
def some_runs(db_path: Path) -> None:
    for number in range(3):
        config = {"opt": {"lr": 10.0**-number}, "same": 1}
        with trackai.init(project="My project", name=f"r{number}", config=config) as run:
            for step in range(10):
                run.log({"loss": number + 1 / (step + 1)}, step=step)
            run.log({"odd name/%": math.nan, "flag": True, "text": "NaN"}, step=0.5)
            run.log({"odd name/%": -math.inf}, step=1)
            run.log_system({"gpu": 0.5})


@pytest.fixture(params=["file", "server"])
def api(request: pytest.FixtureRequest, some_runs: None, server: Server) -> trackai.Api:
    return trackai.Api(server.url) if request.param == "server" else trackai.Api()


def test_runs(api: trackai.Api) -> None:
    assert api.projects() == ["My project"]
    runs = api.runs("my-project")
    assert [run.name for run in runs] == ["r2", "r1", "r0"]
    assert (len(runs), runs[0].project, runs[0].state) == (3, "My project", "completed")
    found = api.runs(filter="config.opt/lr < 0.5", sort="metric.loss.min", ascending=True)
    assert [run.name for run in found] == ["r1", "r2"]
    assert api.compare(list(found)) == {"opt/lr": [0.1, 0.01]}
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


def test_frames(api: trackai.Api) -> None:
    history = api.run(1).history(["loss", "flag"])
    frame = history.to_pandas()
    assert list(frame.columns) == ["loss", "flag"]
    assert frame["loss"].dropna().tolist() == history["loss"].values
    table = history.to_arrow()
    assert table.num_rows == 11
    assert table.column_names == ["metric", "step", "timestamp", "value"]


def test_changes(api: trackai.Api) -> None:
    run = api.run(2)
    run.rename("better").tag("b", "a").untag("b")
    assert (api.run(2).name, api.run(2).tags) == ("better", ["a"])
    assert run.delete()
    assert len(api.runs()) == 2


def test_moving(some_runs: None) -> None:
    api = trackai.Api()
    assert api.run(1).move("elsewhere")
    assert [run.name for run in api.runs("elsewhere")] == ["r0"]


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(trackai.TrackAIError, match="is it running"):
        trackai.Api("http://127.0.0.1:9").projects()


async def test_inside_a_running_event_loop(some_runs: None) -> None:
    assert len(trackai.Api().runs()) == 3
