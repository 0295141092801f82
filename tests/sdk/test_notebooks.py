"""Runs and the dashboard in notebooks, with a real kernel."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from jupyter_client.manager import start_new_kernel

import trackai
from trackai.reading import html
from trackai.reading.local_source import LocalSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Server


class Output(NamedTuple):
    """An output of a cell: its kind, whether it belongs to the cell that ran, and its content."""

    kind: str
    is_own: bool
    content: dict[str, Any]

    @property
    def html(self) -> str:
        return str(self.content["data"]["text/html"])


class Notebook:
    """A kernel that runs cells."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def run(self, code: str) -> list[Output]:
        """Run a cell, and return the outputs that arrive meanwhile; an exception fails the test."""
        cell = self.client.execute(code)
        outputs: list[Output] = []
        while True:
            message = self.client.get_iopub_msg(timeout=60)
            kind, parent = message["msg_type"], message["parent_header"].get("msg_id")
            assert kind != "error", message["content"]["traceback"]
            if kind == "status" and parent == cell:
                if message["content"]["execution_state"] == "idle":
                    return outputs
            elif kind in ("display_data", "update_display_data", "execute_result", "stream"):
                outputs.append(Output(kind, parent == cell, message["content"]))

    def run_until(self, text: str, code: str) -> list[Output]:
        """Run a cell, and return outputs until HTML with a text arrives: a card updates in time."""
        outputs = self.run(code)
        deadline = time.monotonic() + 60
        while not any(text in output.html for output in outputs if output.kind != "stream"):
            assert time.monotonic() < deadline, outputs
            outputs += self.run("time.sleep(0.2)")
        return outputs


@pytest.fixture
def notebook(db_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    manager, client = start_new_kernel(
        kernel_name="python3", cwd=str(tmp_path), stderr=subprocess.DEVNULL
    )
    try:
        notebook = Notebook(client)
        notebook.run("import time, trackai")
        yield notebook
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=False)


def test_the_card_of_a_live_run_updates(notebook: Notebook) -> None:
    (shown,) = notebook.run("run = trackai.init(project='p', name='<b>', config={'lr': 0.5}); run")
    assert (shown.kind, shown.is_own) == ("display_data", True)
    assert "&lt;b&gt;" in shown.html
    assert ">0.5<" in shown.html
    assert shown.content["data"]["text/plain"] == "<trackai.Run '<b>' of 'p'>"
    code = "for i in range(30): run.log({'loss': 1 / (i + 1)}); time.sleep(0.1)"
    updates = notebook.run_until("<svg", code)
    assert len(updates) <= 4
    assert {update.kind for update in updates} == {"update_display_data"}
    ids = {output.content["transient"]["display_id"] for output in (shown, *updates)}
    assert len(ids) == 1
    last = notebook.run_until("completed", "run.finish()")[-1]
    assert last.kind == "update_display_data"
    assert ">0.0333333<" in last.html
    (after,) = notebook.run("run")
    assert (after.kind, "completed" in after.html) == ("execute_result", True)
    code = """
import threading
cards = [thread for thread in threading.enumerate() if thread.name == "trackai-card"]
for thread in cards: thread.join(60)
print([thread for thread in cards if thread.is_alive()])
"""
    (alive,) = notebook.run(code)
    assert alive.content["text"] == "[]\n"


def test_an_idle_card_is_left_alone(notebook: Notebook) -> None:
    notebook.run("trackai.init(project='p')")
    notebook.run_until("<svg", "trackai.log({'x': 1}); trackai.log({'x': 2})")
    for _ in range(20):
        if notebook.run("time.sleep(3)") == []:
            break
    else:
        pytest.fail("the card is updated all the time")
    notebook.run_until(">3<", "trackai.log({'x': 3})")
    notebook.run("trackai.finish()")


def test_a_run_that_is_shown_in_a_loop(notebook: Notebook) -> None:
    notebook.run("run = trackai.init(project='p')")
    shown = notebook.run("from IPython.display import display\nfor i in range(9): display(run)")
    assert [output.kind for output in shown].count("display_data") == 9
    last = [output for output in notebook.run("run.finish()") if output.kind != "stream"][-4:]
    ids = {output.content["transient"]["display_id"] for output in shown[-4:]}
    assert {output.content["transient"]["display_id"] for output in last} <= ids
    (threads,) = notebook.run("import threading; print(threading.active_count())")
    assert int(threads.content["text"]) < 20


def test_a_deleted_run_and_a_lost_file_break_no_cell(notebook: Notebook, db_path: Path) -> None:
    notebook.run("run = trackai.init(project='p'); run.log({'x': 1})")
    notebook.run("run")
    trackai.Api().run("latest").delete()
    updates = notebook.run_until("<code>", "run.log({'x': 2}); run.finish()")
    assert updates[-1].html.startswith("<code>&lt;trackai.Run")


def test_a_server_that_is_down_holds_up_no_cell(notebook: Notebook) -> None:
    code = "run = trackai.init(project='p', name='away', server_url='http://127.0.0.1:9')"
    notebook.run(code)
    started = time.monotonic()
    notebook.run("run")
    assert time.monotonic() - started < 15
    notebook.run_until("away", "run")


def test_the_card_of_a_run_on_a_server(notebook: Notebook, server: Server) -> None:
    notebook.run(f"run = trackai.init(project='p', name='there', server_url={server.url!r})")
    notebook.run_until(f'href="{server.url}/?run=1"', "run.log({'x': 1})\nrun")
    notebook.run_until("completed", "run.finish()")


def test_show_displays_the_dashboard(notebook: Notebook, db_path: Path) -> None:
    trackai.init(project="p").finish()
    outputs = notebook.run("shown = trackai.show('p', server_port=0)")
    (printed,) = [output.content["text"] for output in outputs if output.kind == "stream"]
    (frame,) = [output.html for output in outputs if output.kind == "display_data"]
    address = printed.split()[-1]
    assert re.fullmatch(r"http://localhost:\d+/\?project=1", address)
    assert f'src="{address}"' in frame
    notebook.run("shown.app.close()")


def test_a_terminal_shows_the_text(db_path: Path) -> None:
    code = "import trackai; run = trackai.init(project='p', name='r'); display(run); run.finish()"
    printed = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "--colors=nocolor", "-c", code],
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert printed.stdout.strip() == "<trackai.Run 'r' of 'p'>"


def test_sparklines_of_any_numbers() -> None:
    for values in ([1.0, 2.0, 0.5], [1e308, -1e308, 0.0], [5.0, 5.0], [1.0, None, 3.0]):
        (points,) = re.findall('points="(.*?)"', html.sparkline(values))
        numbers = [float(text) for pair in points.split() for text in pair.split(",")]
        assert all(0 <= number <= 120 for number in numbers)
    assert html.sparkline([None, 1.0]) == html.sparkline([]) == ""


def test_charts_of_a_file_are_those_of_a_server(server: Server, db_path: Path) -> None:
    with trackai.init(project="p") as run:
        for step in range(500):
            run.log({"x": float(step), "y": -step}, step=step)
        run.log_system({"x": 1.0})
    local = LocalSource(db_path).own_charts(run.id, ["x", "y", "nope"], 60)
    remote = trackai.Api(server.url)._source.own_charts(run.id, ["x", "y", "nope"], 60)
    assert set(local) == {"x", "y"}
    for path, chart in local.items():
        assert [b.mean for b in chart.data] == [b.mean for b in remote[path].data]
