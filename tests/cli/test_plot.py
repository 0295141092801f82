"""trackai plot: in the terminal, in files and as JSON."""

from __future__ import annotations

import math
import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import trackai as sdk
from trackai.cli.plot_canvas import Canvas

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Trackai
    from tests.conftest import Server


@pytest.fixture(autouse=True)
def some_runs(db_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("LINES", "18")
    for name in ("up", "down"):
        with sdk.init(project="p", name=name) as run:
            for step in range(1, 101):
                run.log({"a/x": step if name == "up" else 101 - step, "a/y": 0}, step=step)
            run.log({f"only/{name}": "text"})
            run.log_system({"gpu": 0.5})


def test_a_canvas() -> None:
    canvas = Canvas(4, 2)
    canvas.draw(0, [(0, 0), (1, 1)])
    assert ["".join(cell for cell, _ in row) for row in canvas.rows()] == ["  ⡠⠊", "⡠⠊  "]
    canvas.draw(1, [(0, 1), None, (1, 0)])
    assert ["".join(cell for cell, _ in row) for row in canvas.rows(letters=True)] == [
        "b aa", "aa b",
    ]  # fmt: skip


def test_one_run(trackai: Trackai) -> None:
    lines = trackai("plot", "a/x", "--runs", "up").out.splitlines()
    assert lines[0] == "a/x"
    assert len(lines) == 1 + 12 + 2 + 1
    assert max(map(len, lines)) == 60
    assert lines[1].startswith("100 ┤")
    assert lines[1][-1] not in " ┤"
    assert lines[12].startswith("  1 ┤")
    assert lines[12][5] != " "
    assert lines[-2].split() == ["1", "50", "100", "step"]
    assert lines[-1] == "── up (1)  last 100"


def test_several_runs_have_letters_without_colors(trackai: Trackai) -> None:
    out = trackai("plot", "a/x", "--runs", "up", "down", "--height", "9", "--width", "50").out
    lines = out.splitlines()
    assert lines[1].endswith("a")
    assert "┤b" in lines[1]
    assert lines[9].endswith("b")
    assert "┤a" in lines[9]
    assert max(map(len, lines)) == 50
    assert lines[-2:] == ["a up (1)  last 100", "b down (2)  last 1"]


def test_the_default_is_the_latest_run_and_metrics_may_be_patterns(trackai: Trackai) -> None:
    answer = trackai("plot", "a/*", "--json").json
    assert (answer["version"], answer["x"]) == (1, "step")
    assert [(curve["run"]["run_id"], curve["metric"]) for curve in answer["curves"]] == [
        ("down", "a/x"), ("down", "a/y"),
    ]  # fmt: skip
    assert trackai("plot", "a/*").out.splitlines()[-1] == "b a/y  last 0"


def test_json_output_has_the_buckets(trackai: Trackai) -> None:
    (curve,) = trackai("plot", "a/x", "up", "--points", "10", "--json").json["curves"]
    assert not curve["raw"]
    assert len(curve["buckets"]) <= 10
    assert sum(bucket["count"] for bucket in curve["buckets"]) == 100
    (curve,) = trackai("plot", "a/x", "up", "--x", "relative", "--json").json["curves"]
    assert curve["raw"]
    assert [bucket["mean"] for bucket in curve["buckets"]] == list(range(1, 101))
    assert all(0 <= bucket["x"] < 60 for bucket in curve["buckets"])


def test_server_and_database_give_the_same_plot(trackai: Trackai, server: Server) -> None:
    for arguments in (
        ["a/x", "up", "down"],
        ["a/*", "--x", "time", "--json"],
        ["gpu", "--json"],
        ["a/x", "up", "--smooth", "0.5", "--json"],
    ):
        local = trackai("plot", *arguments).out
        remote = trackai("plot", *arguments, "--url", server.url).out
        assert local == remote


def test_log_axes_and_hidden_values(trackai: Trackai) -> None:
    with sdk.init(project="p", name="odd") as run:
        for step, value in enumerate([1000.0, 100.0, 10.0, -1.0, math.nan, 1.0]):
            run.log({"v": value}, step=step)
    lines = trackai("plot", "v", "--log", "--height", "9").out.splitlines()
    assert lines[0] == "v (log)"
    assert [lines[row].split()[0] for row in (1, 5, 9)] == ["1000", "31.62", "1"]
    assert lines[-1].endswith("last 1  (2 values not shown)")
    lines = trackai("plot", "v", "--log-x", "--height", "9").out.splitlines()
    assert lines[-2].split() == ["1", "2.236068", "5", "step"]
    assert "no finite number" in trackai("plot", "a/y", "up", "--log", code=1).err


def test_numbers_at_the_ends_of_the_range(trackai: Trackai, tmp_path: Path) -> None:
    with sdk.init(project="p", name="ends") as run:
        run.log({"tiny": 5e-324})
        run.log({"huge": 1e308})
        run.log({"huge": -1e308})
    assert "last 4.94066e-324" in trackai("plot", "tiny", "--log").out
    assert trackai("plot", "huge").out
    error = trackai("plot", "huge", "-o", str(tmp_path / "a.svg"), code=1).err
    assert error.startswith("trackai: matplotlib cannot draw these values: ")


def test_smoothing(trackai: Trackai) -> None:
    with sdk.init(project="p", name="jumps") as run:
        for step in range(200):
            run.log({"v": step % 2}, step=step)
    (curve,) = trackai("plot", "v", "--smooth", "0.9", "--points", "200", "--json").json["curves"]
    assert all(0.3 < bucket["smoothed"] < 0.7 for bucket in curve["buckets"][50:])
    rough = trackai("plot", "v", "--points", "200").out
    smooth = trackai("plot", "v", "--points", "200", "--smooth", "0.99").out
    assert smooth.count("⣿") * 10 < rough.count("⣿")
    assert "--smooth" in trackai("plot", "v", "--smooth", "1", code=2).err


def test_missing_runs_and_metrics(trackai: Trackai) -> None:
    answer = trackai("plot", "only/up", "up", "down", code=1)  # text
    assert "cannot plot metric 'only/up' of run 1: it has text, not numbers" in answer.err
    assert "no metric 'only/up'" in answer.err
    assert "no metric 'nope'" in trackai("plot", "nope", "up", "down", code=3).err
    assert "no metric that matches 'no*'" in trackai("plot", "no*", code=3).err
    assert "run 'nope' not found" in trackai("plot", "a/x", "nope", code=3).err


def test_times_of_system_metrics(trackai: Trackai) -> None:
    lines = trackai("plot", "gpu").out.splitlines()
    assert lines[-2].count(":") == 6
    assert lines[-1].startswith("── down (2)  last 0.5")


@pytest.mark.parametrize(
    ("name", "begins"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF")]
)
def test_files(trackai: Trackai, tmp_path: Path, name: str, begins: bytes) -> None:
    path = tmp_path / name
    assert (
        trackai("plot", "a/x", "up", "down", "--log", "--x", "time", "-o", str(path)).out
        == f"{path}\n"
    )
    assert path.read_bytes().startswith(begins)
    answer = trackai("plot", "a/x", "-o", str(path), "--json").json
    assert answer == {"version": 1, "file": str(path), "bytes": path.stat().st_size}


def test_invalid_files(trackai: Trackai, tmp_path: Path) -> None:
    assert ".png, .svg" in trackai("plot", "a/x", "-o", "a.doc", code=2).err
    error = trackai("plot", "a/x", "-o", str(tmp_path / "no" / "a.png"), code=1).err
    assert "cannot write" in error


def test_a_missing_matplotlib_names_the_extra(
    trackai: Trackai, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    error = trackai("plot", "a/x", "-o", str(tmp_path / "a.png"), code=1).err
    assert (
        error == "trackai: A plot in a file needs an extra package: pip install 'trackai[plot]'\n"
    )


def _on_a_terminal(**env: str) -> str:
    main, side = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "trackai.cli", "plot", "a/x", "up", "down"],
        stdout=side,
        env={**os.environ, **env},
    ):
        os.close(side)
        output = b""
        while True:
            try:
                data = os.read(main, 10_000)
            except OSError:  # closed by the process
                break
            output += data
    os.close(main)
    return output.decode()


def test_colors_on_a_terminal_unless_disabled(db_path: Path) -> None:
    colored = _on_a_terminal(NO_COLOR="")
    assert "\x1b[36m── \x1b[0m" in colored or "\x1b[36m──\x1b[0m" in colored
    assert "\x1b[35m" in colored
    plain = _on_a_terminal(NO_COLOR="1")
    assert "\x1b" not in plain
    assert "b down (2)" in plain
