"""`trackai mcp`, through the official client over stdio."""

from __future__ import annotations

import asyncio
import base64
import json
import math
import os
import subprocess
import sys
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from anyio.from_thread import start_blocking_portal

import trackai
from tests.conftest import serving
from trackai.cli import mcp_answers
from trackai.cli.mcp import create_server
from trackai.cli.mcp_tools import tools
from trackai.reading.local_source import LocalSource

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from anyio.from_thread import BlockingPortal
    from mcp import ClientSession


class Agent:
    """A client that is connected to `trackai mcp`."""

    def __init__(self, session: ClientSession) -> None:
        self.session = session

    async def call(self, tool: str, **arguments: Any) -> Any:
        """Call a tool, and return the decoded answer."""
        result = await self.session.call_tool(tool, arguments)
        assert not result.is_error, result.content
        text = result.content[0].text  # type: ignore[union-attr]
        assert len(text) <= mcp_answers.MAX_LENGTH
        return json.loads(text)

    async def refused(self, tool: str, **arguments: Any) -> str:
        """Call a tool, and return the error, which must be one line."""
        result = await self.session.call_tool(tool, arguments)
        assert result.is_error
        (content,) = result.content
        text: str = content.text  # type: ignore[union-attr]
        assert "\n" not in text
        return text


@asynccontextmanager
async def connected(*options: str, errors: Path | None = None, **env: str) -> AsyncIterator[Agent]:
    """Start `trackai mcp`, and connect to it; its stderr must stay empty."""
    # Imported here: it takes a second, and every worker collects these tests.
    from mcp import ClientSession, StdioServerParameters, stdio_client

    command = [sys.executable, "-m", "trackai.cli", "mcp", *options]
    parameters = StdioServerParameters(
        command=command[0], args=command[1:], env={**os.environ, **env}
    )
    log = (errors or Path(os.devnull)).open("w+")
    with log:
        async with (
            stdio_client(parameters, errlog=log) as streams,
            ClientSession(*streams) as session,
        ):
            await session.initialize()
            yield Agent(session)
        log.seek(0)
        assert log.read() == ""


class SharedAgent:
    """An agent that the tests of a module share: starting one takes longer than most of them."""

    def __init__(self, portal: BlockingPortal, agent: Agent) -> None:
        self._portal = portal
        self._agent = agent

    def call(self, tool: str, **arguments: Any) -> Any:
        """See `Agent.call`."""
        return self._portal.call(partial(self._agent.call, tool, **arguments))

    def refused(self, tool: str, **arguments: Any) -> str:
        """See `Agent.refused`."""
        return self._portal.call(partial(self._agent.refused, tool, **arguments))

    def content(self, tool: str, **arguments: Any) -> Any:
        """Call a tool, and return the content of the answer."""
        return self._portal.call(self._agent.session.call_tool, tool, arguments).content

    def tools(self) -> dict[str, Any]:
        """The tools that are offered, by name."""
        listed = self._portal.call(self._agent.session.list_tools)
        return {tool.name: tool for tool in listed.tools}


def log_runs(db_path: Path) -> None:
    """Log three runs; the first has a file."""
    note = db_path.parents[1] / "a.txt"
    note.write_text("abc")
    for number in range(3):
        with trackai.init(
            project="My project", name=f"r{number}", db_path=db_path,
            config={"opt": {"lr": 10.0**-number}, "same": 1},
            tags=[["base"], ["old"], []][number],
        ) as run:  # fmt: skip
            for step in range(30):
                run.log({"loss": number + 1 / (step + 1), "line": f"line {step}"}, step=step)
            run.log({"odd": math.nan, "big": 2**60 + 1})
            run.log({"odd": -math.inf})
            run.log_system({"gpu": 0.5})
            run.alert("careful", "something happened")
            if number == 0:
                run.save(note, base_path=note.parent)


@pytest.fixture
def runs(db_path: Path) -> None:
    log_runs(db_path)


@pytest.fixture(scope="module", params=["file", "server"])
def agent(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SharedAgent]:
    """An agent for the runs of `log_runs` in a file, or on a server."""
    db_path = tmp_path_factory.mktemp("mcp") / "store" / "trackai.db"
    log_runs(db_path)
    options = ["--db", str(db_path)]
    with ExitStack() as stack:
        if request.param == "server":
            options = ["--url", stack.enter_context(serving(db_path)).url]
        portal = stack.enter_context(start_blocking_portal())
        connection = connected(*options, errors=db_path.parents[1] / "mcp-log")
        yield SharedAgent(
            portal, stack.enter_context(portal.wrap_async_context_manager(connection))
        )


def test_projects_runs_and_search(agent: SharedAgent) -> None:
    (project,) = agent.call("list_projects")["projects"]
    assert (project["name"], project["slug"], project["runs"]) == (
        "My project",
        "my-project",
        3,
    )
    page = agent.call(
        "list_runs", project="my-project", filter="config.opt/lr < 0.5", sort="metric.loss",
        ascending=True, columns=["config.opt/lr", "metric.odd", "metric.loss.min"], limit=1,
    )  # fmt: skip
    (run,) = page["runs"]
    assert (page["total"], run["run_id"], run["state"]) == (2, "r1", "completed")
    assert run["values"] == {
        "config.opt/lr": 0.1, "metric.odd.last": "-Infinity", "metric.loss.min": 1 + 1 / 30,
    }  # fmt: skip
    rest = agent.call(
        "list_runs", project="My project", filter="config.opt/lr < 0.5", sort="metric.loss",
        ascending=True, cursor=page["next_cursor"],
    )  # fmt: skip
    assert [run["run_id"] for run in rest["runs"]] == ["r2"]
    found = agent.call("search", text="BASE")
    assert [run["run_id"] for run in found["runs"]] == ["r0"]
    found = agent.call("search", text="lo", project="my-project")
    assert found["metrics"] == {"loss": ["My project"]}
    assert agent.call("search", text="opt")["config_keys"] == {"opt/lr": ["My project"]}


def test_a_run(agent: SharedAgent) -> None:
    run = agent.call("get_run", run="latest")
    assert (run["name"], run["project"], run["state"]) == ("r2", "My project", "completed")
    assert run["config"] == {"opt/lr": 0.01, "same": 1}
    assert run["metrics"]["loss"]["min"] == 2 + 1 / 30
    assert run["metrics"]["big"]["last"] == 2**60 + 1
    assert run["metrics"]["odd"] | {"nan_points": 1, "last": "-Infinity"} == run["metrics"]["odd"]
    part = agent.call("get_run", run=1, metrics="l*", config="opt/*")
    assert set(part["metrics"]) == {"line", "loss"}
    assert part["config"] == {"opt/lr": 1.0}
    compared = agent.call("compare_runs", runs=["r0", "r1"], metrics="loss")
    assert compared["config"] == {"opt/lr": [1.0, 0.1]}
    assert [figures["max"] for figures in compared["metrics"]["loss"]] == [1.0, 2.0]


def test_a_history(agent: SharedAgent) -> None:
    history = agent.call("get_history", run="r0", metrics=["loss", "gpu"], points=10)
    loss = history["metrics"]["loss"]
    assert loss["columns"] == ["step", "mean", "min", "max", "count"]
    assert 5 <= len(loss["rows"]) <= 10
    assert sum(row[4] for row in loss["rows"]) == 30
    gpu = history["metrics"]["gpu"]
    assert (gpu["columns"], gpu["rows"][0][1]) == (["time", "value"], 0.5)
    odd = agent.call("get_history", run="r0", metrics=["odd"])
    assert [row[1] for row in odd["metrics"]["odd"]["rows"]] == ["NaN", "-Infinity"]


def test_exact_pages_of_a_history(agent: SharedAgent) -> None:
    rows = []
    arguments = {"run": "r0", "metrics": ["loss", "odd"], "exact": True, "limit": 7}
    page = agent.call("get_history", **arguments)
    assert page["columns"] == ["step", "time", "loss", "odd"]
    while True:
        rows += page["rows"]
        if page["next_cursor"] is None:
            break
        assert len(page["rows"]) == 7
        page = agent.call("get_history", **arguments, cursor=page["next_cursor"])
    assert [row[0] for row in rows] == list(range(32))
    assert [row[2] for row in rows[:30]] == [1 / (step + 1) for step in range(30)]
    assert [row[3] for row in rows[29:]] == [None, "NaN", "-Infinity"]
    part = agent.call("get_history", **arguments, step_min=3, step_max=4)
    assert [row[0] for row in part["rows"]] == [3, 4]


async def test_exact_pages_of_many_points_at_a_step(db_path: Path) -> None:
    with trackai.init(project="p") as run:
        for value in range(20):
            run.log({"x": value}, step=value // 9)
    async with connected() as agent:
        arguments = {"run": run.id, "metrics": ["x"], "exact": True, "limit": 4}
        values, cursor = [], None
        while True:
            page = await agent.call("get_history", **arguments, cursor=cursor)
            values += [row[2] for row in page["rows"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert values == list(range(20))


def test_plots(agent: SharedAgent) -> None:
    image, text = agent.content("plot", metric="loss", runs=["r0", 2], smooth=0.5)
    assert image.mime_type == "image/png"
    assert base64.b64decode(image.data).startswith(b"\x89PNG")
    assert text.text == "loss by step"
    drawn = agent.call("plot", metric="loss", runs=["r0", "r1"], format="text")
    assert drawn["plot"][-2].startswith("a r0 (1)  last 0.0333")
    assert "cannot plot metric 'line'" in agent.refused("plot", metric="line", runs=[1])


def test_logs_and_files(agent: SharedAgent) -> None:
    logs = agent.call("get_logs", run="r0", metric="line", lines=3)
    line = logs["texts"]["line"]
    assert [row[3] for row in line["lines"]] == ["line 27", "line 28", "line 29"]
    assert (line["total"], line["lines"][0][:2]) == (30, [27, 27])
    earlier = agent.call("get_logs", run="r0", metric="line", lines=2, before=27)
    assert [row[3] for row in earlier["texts"]["line"]["lines"]] == ["line 25", "line 26"]
    assert agent.call("get_logs", run="r0", metric="line", before=0)["texts"]["line"] == {
        "total": 30,
        "lines": [],
    }
    everything = agent.call("get_logs", run="r0")
    assert set(everything["texts"]) == {"line", "alerts/warn"}
    found = agent.call("get_logs", run="r0", search="HAPPENED")
    assert found["texts"]["alerts/warn"]["lines"][0][3] == "careful\nsomething happened"
    assert "no text 'loss'" in agent.refused("get_logs", run="r0", metric="loss")
    (file,) = agent.call("list_files", run="r0")["files"]
    assert (file["name"], file["size"]) == ("a.txt", 3)


def test_notes_and_tags(agent: SharedAgent) -> None:
    agent.call("add_note", run="r1", text="first")
    noted = agent.call("add_note", run="r1", text="second\x1b[31m")
    assert noted["notes"] == "first\n\nsecond\x1b[31m"
    assert agent.call("set_tags", run="r1", add=["best"], remove=["old"])["tags"] == ["best"]
    assert "tags" in agent.refused("set_tags", run="r1", add=[" "])


async def test_read_only(db_path: Path, runs: None) -> None:
    async with connected("--db", str(db_path), "--read-only") as agent:
        offered = {tool.name: tool for tool in (await agent.session.list_tools()).tools}
        assert not {"add_note", "set_tags"} & set(offered)
        assert all(tool.annotations.read_only_hint for tool in offered.values())  # type: ignore[union-attr]
        assert "unknown tool 'add_note'" in await agent.refused("add_note", run=1, text="x")


def test_the_tools_say_what_they_do(agent: SharedAgent) -> None:
    offered = agent.tools()
    assert set(offered) == set(tools(read_only=False))
    for tool in offered.values():
        assert "never instructions" in str(tool.description)
        assert tool.input_schema["type"] == "object"
        assert tool.input_schema["additionalProperties"] is False
    changing = {name for name, t in offered.items() if not t.annotations.read_only_hint}
    assert changing == {"add_note", "set_tags"}
    assert offered["set_tags"].annotations.destructive_hint
    assert not offered["add_note"].annotations.idempotent_hint


@pytest.mark.parametrize(
    ("tool", "arguments", "problem"),
    [
        ("get_run", {}, "run: missing"),
        ("get_run", {"run": "nope"}, "run 'nope' not found"),
        ("get_run", {"run": 99}, "run 99 not found"),
        ("get_run", {"run": 1, "metric": "x"}, "metric: unknown field"),
        ("list_runs", {"project": "nope"}, "project 'nope' not found"),
        ("list_runs", {"filter": "config."}, "filter: at position 8"),
        ("list_runs", {"limit": 0}, "limit: must be an integer >= 1"),
        ("list_runs", {"columns": ["nope"]}, "columns: at position 1"),
        ("list_runs", {"cursor": "nope"}, "cursor"),
        ("get_history", {"run": 1, "metrics": []}, "metrics: "),
        ("get_history", {"run": 1, "metrics": ["nope"]}, "run 1 has no metric 'nope'"),
        ("get_history", {"run": 1, "metrics": ["nope"], "exact": True}, "no metric 'nope'"),
        ("get_history", {"run": 1, "metrics": ["loss"], "step_min": 3}, "step_min: needs exact"),
        ("get_history", {"run": 1, "metrics": ["loss"], "exact": True, "cursor": "!"}, "cursor"),
        ("compare_runs", {"runs": [1]}, "runs: "),
        ("nope", {}, "unknown tool 'nope'; there are list_projects"),
    ],
)
def test_errors_name_the_field(
    agent: SharedAgent, tool: str, arguments: dict[str, Any], problem: str
) -> None:
    assert problem in agent.refused(tool, **arguments)


async def test_answers_are_bounded(db_path: Path) -> None:
    config = {f"key {number:04}": "x" * 100 for number in range(1000)}
    with trackai.init(project="p", name="wide", config=config) as run:
        run.log({f"metric {number:04}": number for number in range(1000)})
        for step in range(300):
            run.log({"log": f"{step} " + "y" * 5000}, step=step)
    for number in range(120):
        trackai.init(project="p", name=f"{number:03} " + "n" * 400).finish()
    async with connected() as agent:
        answer = await agent.call("get_run", run="wide")
        assert answer["cut"]["metrics"].endswith("1001 shown; pass a pattern as metrics")
        assert answer["config"]
        seen, cursor = [], None
        while True:
            page = await agent.call("list_runs", limit=200, cursor=cursor)
            seen += [run["id"] for run in page["runs"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert seen == list(range(121, 0, -1))
        logs = await agent.call("get_logs", run="wide", lines=500)
        last = logs["texts"]["log"]["lines"][-1]
        assert last[3].startswith("299 yyy")
        assert last[3].endswith("(cut, 5004 characters)")
        assert "before" in logs["cut"]
        page = await agent.call("get_history", run="wide", metrics=["log"], exact=True, limit=1000)
        rows = page["rows"]
        assert 1 <= len(rows) < 20
        page = await agent.call(
            "get_history", run="wide", metrics=["log"], exact=True, cursor=page["next_cursor"]
        )
        assert page["rows"][0][0] == rows[-1][0] + 1


async def test_a_run_that_is_being_logged(db_path: Path) -> None:
    with trackai.init(project="p", name="live") as run:
        run.log({"x": 0})
        async with connected() as agent:
            for step in range(1, 40):
                run.log({"x": step})
                if step % 10 == 0:
                    await asyncio.sleep(0.3)
                    answer = await agent.call("get_run", run="live")
                    assert answer["state"] == "running"
                    assert answer["metrics"]["x"]["last"] <= step
            await asyncio.to_thread(run.finish)
            answer = await agent.call("get_run", run="live")
            assert (answer["state"], answer["metrics"]["x"]["last"]) == ("completed", 39)


async def test_a_database_that_comes_later(tmp_path: Path, db_path: Path) -> None:
    missing = tmp_path / "later.db"
    async with connected("--db", str(missing)) as agent:
        assert f"database {missing} not found" in await agent.refused("list_projects")
        assert not missing.exists()
        with trackai.init(project="p", db_path=missing) as run:
            run.log({"x": 1})
        assert (await agent.call("list_projects"))["total"] == 1


async def test_a_server_that_is_down(db_path: Path) -> None:
    async with connected("--url", "http://127.0.0.1:9") as agent:
        assert "http://127.0.0.1:9" in await agent.refused("list_runs")


@pytest.fixture
def keys(db_path: Path, runs: None) -> Iterator[dict[str, str]]:
    """The URL of a server with keys, and a key of each scope."""
    made = {}
    for scope in ("read", "write", "admin"):
        command = ["keys", "create", "--name", scope, "--scope", scope, "--json"]
        created = subprocess.run(
            [sys.executable, "-m", "trackai.cli", *command, "--db", str(db_path)],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        made[scope] = json.loads(created.stdout)["key"]
    with serving(db_path) as served:
        yield {"url": served.url, **made}


async def test_keys_allow_what_their_scope_says(keys: dict[str, str]) -> None:
    async with connected("--url", keys["url"], TRACKAI_API_KEY=keys["read"]) as agent:
        assert (await agent.call("list_runs"))["total"] == 3
        assert "scope read" in await agent.refused("add_note", run=1, text="x")
        assert "scope read" in await agent.refused("set_tags", run=1, add=["x"])
    async with connected("--url", keys["url"], TRACKAI_API_KEY=keys["admin"]) as agent:
        assert (await agent.call("set_tags", run=1, remove=["base"]))["tags"] == []
    async with connected("--url", keys["url"], TRACKAI_API_KEY="x" * 40) as agent:
        assert "key" in await agent.refused("list_runs")


def test_nothing_but_the_protocol_is_written_to_stdout(runs: None) -> None:
    request = {
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {},
                   "clientInfo": {"name": "t", "version": "1"}},
    }  # fmt: skip
    process = subprocess.run(
        [sys.executable, "-m", "trackai.cli", "mcp"], input=json.dumps(request) + "\nnot json\n",
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    answers = [json.loads(line) for line in process.stdout.splitlines()]
    assert answers[0]["result"]["serverInfo"]["name"] == "trackai"
    assert all(answer["jsonrpc"] == "2.0" for answer in answers)


@pytest.mark.parametrize(
    ("script", "status", "problem"),
    [
        ("sys.modules['mcp'] = None", 1, "pip install 'trackai[mcp]'"),
        ("sys.argv += ['--url', 'nope']", 2, "url: must start with http://"),
        ("sys.argv += ['--url', 'http://x', '--db', 'y']", 2, "pass either --db or --url"),
    ],
)
def test_it_does_not_start(script: str, status: int, problem: str, db_path: Path) -> None:
    start = (
        f"import sys; sys.argv = ['trackai', 'mcp']; {script}; import trackai.cli as c; c.main()"
    )
    process = subprocess.run(
        [sys.executable, "-c", start], capture_output=True, text=True, timeout=60, check=False
    )
    assert (process.returncode, process.stdout) == (status, "")
    assert problem in process.stderr
    assert process.stderr.count("\n") == 1


def test_a_text_plot_without_matplotlib(
    runs: None, db_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    plot = tools(read_only=True)["plot"]
    source = LocalSource(db_path)
    drawn = plot.call(source, plot.arguments(metric="loss", runs=[1]))
    assert isinstance(drawn, dict)
    assert len(drawn["plot"]) > 20
    with pytest.raises(trackai.MissingExtraError, match=r"trackai\[plot\]"):
        plot.call(source, plot.arguments(metric="loss", runs=[1], format="png"))


def test_the_server_names_its_version(db_path: Path) -> None:
    assert create_server(LocalSource(db_path), read_only=True).version == trackai.__version__
