"""The benchmarks run and report their figures; the measured values do not matter here."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.benchmarks.harness import ChildError, run_child

BENCH = Path(__file__).parents[2] / "scripts" / "bench.py"


def bench(*arguments: str) -> str:
    process = subprocess.run(
        [sys.executable, str(BENCH), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


def figures(report: str) -> dict[str, Any]:
    return {figure["name"]: figure for figure in json.loads(report)["figures"]}


def test_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRACKAI_SILENT")
    monkeypatch.delenv("TRACKAI_AUTO_LOG")
    report = bench(
        "log", "--json", "--quick", "--calls", "300", "--trackers", "baseline", "trackai",
    )  # fmt: skip
    measured = figures(report)
    assert measured["a call, back to back: median"]["at_most"] == 3
    assert measured["of Starlette, uvicorn and NumPy are loaded"]["value"] == 0
    assert all(figure["value"] >= 0 for figure in measured.values())
    for name in ("of these writers complained of anything", "of their points are missing"):
        assert measured[name]["value"] == 0
    assert measured["stored with 4 writers at once"]["baseline"] > 0
    assert measured["1 s at full speed: points missing"]["value"] == 0
    [table] = json.loads(report)["tables"]
    assert [row["tracker"] for row in table["rows"]] == ["baseline", "trackai"]
    assert all(row["median µs"] > 0 for row in table["rows"])


def test_store() -> None:
    measured = figures(bench("store", "--json", "--part", "200", "--repeat", "1"))
    assert measured["10 names, 500 steps: finish()"]["baseline"] > 0
    assert all(figure["value"] > 0 for figure in measured.values())
    assert measured["four writers at once, without a server"]["at_least"] > 0
    assert len(measured) == 8


def test_read() -> None:
    report = bench("read", "--points", "2000", "--long", "9000", "--table", "20", "--repeat", "2")
    figures, sizes = report.split("Size of the answers")
    assert re.search(r"^all 2,000 points .* ms +≤ 1,200 ", figures, re.MULTILINE)
    assert re.search(r"^compare 50 runs of 1,000 points .* ms +≤ 60 ", figures, re.MULTILINE)
    assert re.search(r"^all 2,000 points +\d\d\d,\d\d\d$", sizes, re.MULTILINE)
    assert "The database has 72,000 points" in report
    for name, goal in (
        ("1,000 buckets of 9,000 points", 10), ("a window of 1,000 steps of it", 10),
        ("compare 50 runs, thinned to 500", 40), ("a page of 100 of many runs", 20),
    ):  # fmt: skip
        assert re.search(rf"^{name} .* ms +≤ {goal} ", figures, re.MULTILINE), name
    assert re.search(r"^memory of the idle server .* MB +≤ 46 ", figures, re.MULTILINE)
    assert re.search(r"^9,000 points smoothed +\d", figures, re.MULTILINE)
    assert "bytes per point, rollups included" in report


def test_ingest() -> None:
    measured = figures(bench("ingest", "--json", "--batches", "2", "--requests", "64"))
    assert measured["batches of 10 000 points"]["at_least"] == 300_000
    assert measured["batches of 10 points, to one run"]["at_least"] == 3000
    assert all(figure["value"] > 0 for figure in measured.values())


def test_dashboard() -> None:
    report = bench(
        "dashboard", "--json", "--runs", "14", "--metrics", "15", "--steps", "60",
        "--long-runs", "12", "--short-steps", "20", "--repeat", "1", "--scroll-seconds", "0.5",
        "--live-minutes", "0.2",
    )  # fmt: skip
    measured = figures(report)
    assert measured["first chart visible after navigation"]["at_most"] == 1000
    assert measured["12 charts of 10 runs drawn"]["at_most"] == 1500
    assert measured["zoom to redraw"]["at_most"] == 150
    assert measured["first chart of 5,000 metrics"]["baseline"] > 0
    assert measured["12 charts of a link with smoothing drawn"]["baseline"] > 0
    assert all(figure["value"] > 0 for figure in measured.values())
    assert measured["live traffic of a run and 6 charts"]["met"]
    # Sizes do not depend on the machine.
    assert measured["JavaScript, gzipped"]["met"]
    assert measured["elements of a page of 20,000 metrics"]["met"]
    assert "11,400 points" in json.loads(report)["notes"][0]


def test_charts() -> None:
    measured = figures(bench("charts", "--json", "--points", "5000", "--repeat", "2"))
    assert measured["200 buckets smoothed at the next poll"]["baseline"] > 0
    assert all(figure["value"] > 0 for figure in measured.values())
    assert measured["200 buckets with zstd: bytes"]["met"]


def test_compare() -> None:
    report = bench(
        "compare", "--json", "--turns", "1", ".", ".",
        "frames", "--points", "2000", "--repeat", "1",
    )  # fmt: skip
    (table,) = json.loads(report)["tables"]
    row = next(row for row in table["rows"] if row[""] == "2,000 points to pandas")
    assert row["ratio"] == pytest.approx(row["after"] / row["before"])
    assert row["spread"] >= 1


def test_frames() -> None:
    measured = figures(bench("frames", "--json", "--points", "2000", "--repeat", "1"))
    for place, goal in (("", 0.4), (" of a server", 0.6)):
        figure = measured[f"2,000 points{place} to pandas"]
        assert figure["baseline"] > 0
        assert figure["at_most"] == pytest.approx(goal * figure["baseline"])
    assert all(figure["value"] > 0 for figure in measured.values())


def test_many() -> None:
    measured = figures(bench("many", "--json", "--runs", "300", "--created", "16", "--repeat", "1"))
    assert measured["create runs over 8 connections"]["at_least"] == 2500
    assert measured["delete the project"]["at_most"] == 2
    assert measured.keys() >= {"the first page", "search", "bytes of the answer"}
    assert all(
        figure["value"] > 0 and figure["baseline"] > 0
        for name, figure in measured.items()
        if name != "bytes of the answer"  # of a file so small, none may be returned
    )


def test_export() -> None:
    measured = figures(bench("export", "--json", "--points", "2000", "--repeat", "1"))
    assert measured["to Parquet"]["at_most"] == 3
    assert measured["to Parquet"]["baseline"] > 0
    assert all(figure["value"] > 0 for figure in measured.values())


def test_delete() -> None:
    measured = figures(bench("delete", "--json", "--points", "9000"))
    assert measured["given back to the file system"]["value"] > 0.2
    longest = [figure for name, figure in measured.items() if name.startswith("longest")]
    assert [figure["at_most"] for figure in longest] == [100, 100]
    assert all(figure["baseline"] > 0 for figure in longest)


def test_remote() -> None:
    measured = figures(
        bench("remote", "--json", "--quick", "--kills", "5", "--replacements", "0", "--seed", "7")
    )
    met = {name: figure["met"] for name, figure in measured.items() if "met" in figure}
    # Counts do not depend on the machine.
    for name in ("of these lost", "stored twice", "journals that are left in an outbox"):
        assert met[name], name
    assert measured["killed clients"]["value"] == 4
    assert measured["killed servers"]["value"] == 1
    [large] = [figure for name, figure in measured.items() if "50,000 points" in name]
    assert large["at_least"] == 2 * large["baseline"]
    assert measured["8 clients at full speed, calls of 10"]["value"] > 0
    assert measured["log() to one that hangs: median; baseline: to a file"]["value"] > 0


def test_a_wandb_without_a_reader_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ChildError, match="pass --wandb-python with an interpreter that has wandb"):
        run_child("scripts.benchmarks.import_reader", "wandb", str(tmp_path), "1")
