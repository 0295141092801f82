"""The two lines that init() prints."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import trackai
from trackai.sdk.announcement import announce

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from tests.conftest import Server


@pytest.fixture(autouse=True)
def aloud(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKAI_SILENT", "0")


def test_the_name_of_the_run_and_where_to_look(
    db_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        trackai.init(project="digits", name="first run", resume="allow").finish()
    other = tmp_path / "an other.db"
    trackai.init(project="digits", name="x", db_path=other).finish()
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "trackai: run digits/first-run\n"
        f"trackai: stored in {db_path}; see it with: trackai serve\n"
        "trackai: run digits/first-run, resumed\n"
        f"trackai: stored in {db_path}; see it with: trackai serve\n"
        "trackai: run digits/x\n"
        f"trackai: stored in {other}; see it with: trackai serve --db '{other}'\n"
    )


def test_a_run_on_a_server(
    own_server: Server,
    db_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TRACKAI_OUTBOX_PATH", str(tmp_path / "outbox"))
    with trackai.init(project="p", name="r", server_url=own_server.url) as run:
        pass
    assert capsys.readouterr().err == (
        f"trackai: run p/r\ntrackai: see {own_server.url}/?run={run.id}\n"
    )


def test_a_run_without_its_server(run_python: Callable[..., Any], tmp_path: Path) -> None:
    answer: subprocess.CompletedProcess[str] = run_python(
        """
        import logging, os, trackai
        logging.getLogger("trackai").setLevel("ERROR")
        trackai.init(project="p", name="r", server_url="http://127.0.0.1:9")
        os._exit(0)
        """,
        TRACKAI_OUTBOX_PATH=str(tmp_path / "outbox"),
    )
    assert answer.stderr == (
        "trackai: run p/r\ntrackai: see http://127.0.0.1:9, once the server has answered\n"
    )


def test_control_characters_are_escaped(db_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trackai.init(project="a\x1b[31m\nb").finish()
    assert capsys.readouterr().err.startswith("trackai: run a\\x1b[31m\\nb/")


@pytest.mark.parametrize(
    "variables",
    [{"TRACKAI_SILENT": "1"}, {"RANK": "1", "WORLD_SIZE": "2"}, {"WANDB_MODE": "disabled"}],
    ids=str,
)
def test_silence(
    db_path: Path,
    variables: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    trackai.init(project="p").finish()
    assert "run p/" not in capsys.readouterr().err


class Broken:
    def isatty(self) -> bool:
        return False

    def write(self, text: str) -> None:
        raise ZeroDivisionError


@pytest.mark.parametrize("broken", [None, Broken()], ids=["none", "broken"])
def test_no_stderr_is_no_problem(
    db_path: Path, broken: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", broken)
    with trackai.init(project="p") as run:
        run.log({"x": 1})
    assert trackai.Api().run("latest").summary["x"].last == 1


def test_a_closed_stderr_is_no_problem(run_python: Callable[..., Any]) -> None:
    answer = run_python(
        "import sys, trackai\nsys.stderr.close()\ntrackai.init(project='p')\nprint(1)"
    )
    assert answer.stdout == "1\n"
    assert trackai.Api().run("latest").state == "completed"


def test_it_is_one_write(db_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that other programs do not print between the lines."""
    written: list[str] = []

    class Recording(Broken):
        def write(self, text: str) -> None:
            written.append(text)

    with trackai.init(project="p") as run:
        monkeypatch.setattr(sys, "stderr", Recording())
        announce(run, trackai.settings.Settings.from_env())
    assert len(written) == 1
