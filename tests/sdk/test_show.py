"""`trackai.show`, and the card of a run in a notebook."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING

import pytest

import trackai

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Server


@pytest.fixture(autouse=True)
def free_port(monkeypatch: pytest.MonkeyPatch) -> int:
    """A port where no server listens, for `TRACKAI_PORT`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    monkeypatch.setenv("TRACKAI_PORT", str(port))
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    return port


def projects_at(url: str) -> list[str]:
    with urllib.request.urlopen(f"{url}/api/projects", timeout=20) as response:
        return [project["name"] for project in json.load(response)]


def answers(url: str) -> bool:
    try:
        projects_at(url)
    except OSError:
        return False
    return True


def test_a_server_is_started_and_stopped(
    db_path: Path, free_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    trackai.init(project="My project")
    app, url, share_url, full_url = trackai.show("My project")  # does not block, as a run is active
    assert app is not None
    try:
        assert url == f"http://localhost:{free_port}"
        assert (share_url, full_url) == (None, f"{url}/?project=1")
        assert capsys.readouterr().out == f"trackai: {full_url}\n"
        assert projects_at(url) == ["My project"]
        trackai.finish()
        again = trackai.show("my-project", block_thread=False)
        assert again == (None, url, None, full_url)
    finally:
        app.close()
    with pytest.raises(OSError):
        projects_at(url)


def test_a_server_for_another_database_is_left_alone(
    server: Server, db_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKAI_PORT", server.url.rpartition(":")[2])
    trackai.init(project="here").finish()
    second_db = tmp_path / "second.db"
    trackai.init(project="there", db_path=second_db)
    shown = trackai.show(db_path=second_db)
    assert shown.app is not None
    try:
        assert shown.url != server.url.replace("127.0.0.1", "localhost")
        assert projects_at(shown.url) == ["there"]
    finally:
        shown.app.close()
    assert trackai.show(block_thread=False).app is None


def test_errors_are_warnings(
    db_path: Path, caplog: pytest.LogCaptureFixture, server: Server
) -> None:
    taken = int(server.url.rpartition(":")[2])
    with caplog.at_level(logging.WARNING):
        assert trackai.show(server_port=taken, theme="x") == (None, "", None, "")
        assert "cannot listen" in caplog.text
        assert "theme of show()" in caplog.text
        db_path.parent.mkdir(exist_ok=True)
        assert trackai.show(db_path=db_path.parent) == (None, "", None, "")


def test_a_script_waits_for_ctrl_c(db_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "import trackai; trackai.show(); print('after')"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as script:  # fmt: skip
        assert script.stdout is not None
        assert script.stderr is not None
        url = script.stdout.readline().split()[-1]
        assert projects_at(url) == []
        os.killpg(script.pid, signal.SIGINT)  # as a terminal does
        assert script.wait(20) == 0
        assert script.stdout.read() == "after\n"
        assert script.stderr.read() == ""
    with pytest.raises(OSError):
        projects_at(url)


def test_the_server_stops_with_the_process(
    run_python: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = run_python("import trackai; trackai.show(block_thread=False)")
    url = done.stdout.split()[-1]
    assert url.startswith("http://localhost:")
    with pytest.raises(OSError):
        projects_at(url)


EVIL = "<script>alert('&')</script>"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_the_server_stops_when_the_process_is_killed(
    db_path: Path, run_python: Callable[..., subprocess.CompletedProcess[str]], free_port: int
) -> None:
    """It does so although a forked process lives on."""
    ran = run_python(
        """
        import os, signal, sys, time, trackai
        trackai.show(open_browser=False, block_thread=False)
        child = os.fork()
        if child == 0:
            os.close(1), os.close(2)
            time.sleep(30)
            os._exit(0)
        print(child, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        check=False,
    )
    assert ran.returncode == -signal.SIGKILL
    child = int(ran.stdout.split()[-1])
    try:
        deadline = time.monotonic() + 20
        while answers(f"http://localhost:{free_port}"):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        os.kill(child, 0)
    finally:
        os.kill(child, signal.SIGKILL)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_that_ends_leaves_the_server_running(
    run_python: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    ran = run_python(
        """
        import os, sys, urllib.request, trackai
        app, url, *_ = trackai.show(open_browser=False, block_thread=False)
        child = os.fork()
        if child == 0:
            sys.exit()
        os.waitpid(child, 0)
        print(urllib.request.urlopen(f"{url}/api/projects").status)
        """
    )
    assert ran.stdout.split()[-1] == "200"


def test_the_card_of_a_stored_run(db_path: Path) -> None:
    with trackai.init(project=EVIL, name=f"run {EVIL}", config={EVIL: {"b": EVIL}}) as run:
        run.log({f"m{EVIL}": 0.123456789, "text": EVIL, "nan": float("nan")})
        run.log({f"z {number}": 1 for number in range(30)})
    html = trackai.Api().run(run.id)._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;alert(&#x27;&amp;&#x27;)&lt;/script&gt;" in html
    for shown in (">0.123457<", ">NaN<", "completed", f"id {run.id}", "and 13 more"):
        assert shown in html, shown
    assert "href" not in html  # no server answers


def test_the_card_has_a_link_if_a_server_shows_the_run(
    server: Server, db_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with trackai.init(project="p", name="one") as run:
        run.log({"x": 1.0})
    link = f"{server.url}/?run={run.id}"
    assert f'href="{link}"' in trackai.Api(server.url).run(run.id)._repr_html_()
    monkeypatch.setenv("TRACKAI_PORT", server.url.rpartition(":")[2])
    assert f"/?run={run.id}" in trackai.Api().run(run.id)._repr_html_()
    with trackai.init(project="p", name="one", db_path=tmp_path / "second.db") as second:
        assert second.id == run.id
    assert "href" not in trackai.Api(tmp_path / "second.db").run(second.id)._repr_html_()


def test_the_card_of_a_run_that_is_being_logged(db_path: Path) -> None:
    with trackai.init(project="p", name="live", config={"lr": 0.5}) as run:
        html = run._repr_html_()
        assert "live" in html
        assert "running" in html
        assert ">0.5<" in html
    stored = trackai.Api().run(run.id)
    stored.delete()
    assert run._repr_html_() == "<code>&lt;trackai.Run &#x27;live&#x27; of &#x27;p&#x27;&gt;</code>"
    assert stored._repr_html_() == "<code>&lt;Run live in project p&gt;</code>"
