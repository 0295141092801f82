"""trackai projects, runs, show, compare, sql and config"""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

import trackai as sdk
from trackai.cli.show import sparkline

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Trackai


@pytest.fixture(autouse=True)
def some_runs(db_path: Path) -> None:
    for number, name in enumerate(("a", "b", "b")):
        with sdk.init(project="Proj", name=name, config={"lr": number, "same": 1}) as run:
            run.log({"loss": number + 0.5, "text": "x"})
            run.log({"loss": math.nan})


def test_projects(trackai: Trackai) -> None:
    answer = trackai("projects", "--json").json
    assert answer["version"] == 1
    assert [(project["project_id"], project["total_runs"]) for project in answer["projects"]] == [
        ("proj", 3)
    ]
    assert "proj\tProj\t3" in trackai("projects").out


def test_runs_are_filtered_sorted_and_shown_with_columns(trackai: Trackai) -> None:
    answer = trackai(
        "runs", "proj", "--filter", "config.lr >= 1", "--sort", "config.lr", "--asc",
        "--columns", "metric.loss.min", "--json",
    ).json  # fmt: skip
    assert [run["run_id"] for run in answer["runs"]] == ["b", "b-2"]
    assert [run["values"] for run in answer["runs"]] == [
        {"metric.loss.min": 1.5}, {"metric.loss.min": 2.5},
    ]  # fmt: skip
    assert trackai("runs", "--limit", "1").out.count("\n") == 2
    assert "filter" in trackai("runs", "--filter", "config.", code=2).err
    assert "project 'nope' not found" in trackai("runs", "nope", code=3).err


def test_long_names_differ_on_a_terminal(trackai: Trackai, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"{'a-name-with-a-long-start-' * 4}lr-0.{number}" for number in range(3)]
    for number, name in enumerate(names, start=1):
        trackai("rename", number, name)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    lines = trackai("runs", "--columns", "name").out
    for name in names:
        assert name[:20] in lines
        assert f"…{name[-20:]}" in lines


@pytest.mark.parametrize("text", ["3", "latest", "b-2", "proj/b-2", "Proj/b-2"])
def test_ways_to_name_a_run(trackai: Trackai, text: str) -> None:
    assert trackai("show", text, "--json").json["run"]["id"] == 3


def test_slugs_take_precedence_and_ambiguous_names_are_errors(trackai: Trackai) -> None:
    assert trackai("show", "b", "--json").json["run"]["id"] == 2
    trackai("rename", "1", "twin")
    trackai("rename", "2", "twin")
    error = trackai("show", "twin", code=2).err
    assert "proj/a (id 1)" in error
    assert "proj/b (id 2)" in error
    assert "run 'nope' not found" in trackai("show", "nope", code=3).err


def test_show(trackai: Trackai) -> None:
    answer = trackai("show", "1", "--json").json
    assert answer["config"] == {"lr": 0, "same": 1}
    loss = answer["metrics"][0]
    assert (loss["path"], loss["last"], loss["min"], loss["nan_points"]) == ("loss", "NaN", 0.5, 1)
    assert "loss\tNaN" in trackai("show", "1").out


def test_sparklines_of_long_metrics(trackai: Trackai) -> None:
    with sdk.init(project="long", name="long") as run:
        for step in range(3000):
            run.log({"up": step, "text": "x"}, step=step)
    out = trackai("show", "long").out
    curve = next(line for line in out.splitlines() if line.startswith("up\t")).split("\t")[-1]
    assert len(curve) == 24
    assert curve[0] + curve[-1] == "▁█"
    assert list(curve) == sorted(curve)


@pytest.mark.parametrize("values", [[1e308, -1e308], [2**63 - 1, -(2**63)]])
def test_a_sparkline_of_huge_numbers(values: list[float]) -> None:
    assert sparkline(values) == "█▁"
    assert sparkline([number for number in values for _ in range(99)]) == "█" * 12 + "▁" * 12


def test_compare(trackai: Trackai) -> None:
    answer = trackai("compare", "1", "2", "--json").json
    assert answer["config"] == {"lr": [0, 1], "same": [1, 1]}
    text = trackai("compare", "1", "2").out
    assert "lr\t0\t1" in text
    assert "same" not in text
    assert "same\t1\t1" in trackai("compare", "1", "2", "--all").out
    alone = trackai("compare", "1")
    assert (alone.out, "No differences" in alone.err) == ("", True)


def test_sql_is_read_only(trackai: Trackai) -> None:
    assert trackai("sql", "SELECT COUNT(*) AS n FROM metrics", "--json").json["rows"] == [[9]]
    assert "readonly" in trackai("sql", "DELETE FROM runs", code=2).err
    assert "syntax" in trackai("sql", "SELEC", code=2).err


def test_sql_opens_no_other_file(trackai: Trackai, tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    for statement in (f"ATTACH DATABASE '{path}' AS x", f"VACUUM INTO '{path}'"):
        assert "must only read" in trackai("sql", statement, code=2).err
    assert not path.exists()


def test_ctrl_c_interrupts_sql(db_path: Path) -> None:
    endless = (
        "WITH RECURSIVE c (x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM c) SELECT sum(x) FROM c"
    )
    script = f"""
        import signal, threading
        from importlib import import_module
        from trackai.cli import main
        sql, running = import_module("trackai.cli.sql"), threading.Event()
        run_handlers = sql._run_signal_handlers
        sql._run_signal_handlers = lambda: running.set() or run_handlers()

        def interrupt():
            running.wait()
            signal.raise_signal(signal.SIGINT)

        threading.Thread(target=interrupt, daemon=True).start()
        main(["sql", {endless!r}])
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**os.environ, "TRACKAI_DB_PATH": str(db_path)},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, "Traceback" in done.stderr) == (130, False)


def test_sql_in_json(trackai: Trackai) -> None:
    values = trackai("sql", "VALUES (9e999, -9e999, NULL, 0.5, 'NaN', x'00')", "--json").json
    assert values["rows"] == [["Infinity", "-Infinity", None, 0.5, "NaN", "AA=="]]
    assert len(trackai("runs", "--json").json["runs"]) == 3


def test_config(trackai: Trackai, db_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = trackai("config", "--json").json
    assert answer["database"] == str(db_path)
    assert answer["database_from"] == "TRACKAI_DB_PATH"
    assert trackai("config", "--db", "x.db", "--json").json["database_from"] == "--db"
    monkeypatch.setenv("TRACKAI_SERVER_URL", "https://tracker")
    monkeypatch.delenv("TRACKAI_OUTBOX_PATH", raising=False)
    assert re.search(r"^outbox\t.*\tdefault$", trackai("config").out, re.MULTILINE)
    monkeypatch.setenv("TRACKAI_OUTBOX_PATH", "outbox")
    assert re.search(r"^outbox\t.*\tTRACKAI_OUTBOX_PATH$", trackai("config").out, re.MULTILINE)


def test_sparkline() -> None:
    assert sparkline([]) == "-"
    assert sparkline([1.0]) == "▁"
    assert sparkline([0, math.nan, 1, math.inf, "x"]) == "▁█"
    assert len(sparkline(range(1000))) == 24
    assert len(sparkline(range(25))) == 24


def test_escape_sequences_in_names_are_removed(trackai: Trackai) -> None:
    sdk.init(project="p\x1b[31m", name="evil\x1b]0;x\x07").finish()
    assert "\x1b" not in trackai("projects").out + trackai("show", "latest").out


def test_pages_of_runs_by_cursor(trackai: Trackai) -> None:
    first = trackai("runs", "--limit", "2", "--json").json
    assert (first["has_more"], len(first["runs"])) == (True, 2)
    with sdk.init(project="Proj", name="new"):
        pass  # a page by offset would repeat a run
    last = trackai("runs", "--limit", "2", "--cursor", first["next_cursor"], "--json").json
    assert [run["id"] for run in (*first["runs"], *last["runs"])] == [3, 2, 1]
    assert last["next_cursor"] is None
    message = trackai("runs", "--limit", "2").err
    assert "--cursor" in message
    assert "cursor: invalid" in trackai("runs", "--cursor", "x", code=2).err


def test_an_export_goes_on_when_a_run_is_deleted_meanwhile(
    trackai: Trackai, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trackai.store.catalogue import runs

    async def with_deleted(*arguments: object) -> list[int]:
        return [1, 999, 3]

    monkeypatch.setattr(runs, "list_ids", with_deleted)
    out = tmp_path / "x.csv"
    output = trackai("export", "--all", "-o", out)
    assert output.err == "warning: run 999 was deleted meanwhile, not exported\n"
    assert output.out == f"{out}: 2 runs\n"
