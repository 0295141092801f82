"""Importing folders of Sacred's FileStorageObserver, as sacred 0.8.7 writes them."""

from __future__ import annotations

import json
import math
import os
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.importers import sources
from tests.importers.sources import read_items
from trackai.importers.sacred.reader import Source
from trackai.importers.sacred.values import members, plain
from trackai.structs.exchange import RunHead

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Trackai

    Ask = Callable[..., list[tuple[Any, ...]]]

START = "2025-11-30T08:19:58.898456"
ARRAY = {"dtype": "int64", "py/object": "numpy.ndarray", "values": [0, 1, 2]}
LONG = {"py/object": "numpy.ndarray", "values": "eJwtxUk=", "shape": [40], "dtype": "int64"}
CONFIG = {
    "arr": ARRAY, "big": 2**70, "inf": math.inf, "nan": math.nan, "lr": 0.1, "none": None,
    "nested": {"a": {"b": [1, None, True]}, "k": 1}, "one": 1.0, "seed": 691953112,
    "st": {"py/set": [1, 2]}, "tup": {"py/tuple": [1, {"py/tuple": [2]}]}, "txt": "x\ny",
    "cls": {"py/type": "builtins.int"}, "obj": {"py/object": "__main__.A", "x": 1}, "long": LONG,
    "keys": {"json://1": 2},
}  # fmt: skip
METRICS: dict[str, list[tuple[Any, Any]]] = {
    "loss.x": [(0, math.nan), (1, math.inf), (1, -0.0), (-3, 2**60 + 1)],
    "np": [(1.5, 0.10000000149011612), (2, {"py/object": "numpy.int64", "value": 3})],
    "train/loss": [(0, 1.0), (1, 0.5), (2, 1 / 3)],
    "flag": [(2, True)],
    "txt": [(2, "abc")],
    "huge": [(2, 2**70)],
}


def at(seconds: float) -> str:
    return (datetime.fromisoformat(START) + timedelta(seconds=seconds)).isoformat()


def write(folder: Path, **entry: Any) -> Path:
    """Write the folder of a run."""
    (folder.parent / "_resources").mkdir(parents=True, exist_ok=True)
    (folder.parent / "_sources").mkdir(exist_ok=True)
    folder.mkdir()
    run = {
        "artifacts": ["art.txt"],
        "command": "main",
        "experiment": {
            "base_dir": "/w", "dependencies": ["numpy==2.4.6"], "mainfile": "s.py",
            "name": "my exp/ß", "repositories": [{"commit": "abc", "dirty": False, "url": "u"}],
            "sources": [["s.py", "_sources/s_d68d.py"]],
        },
        "heartbeat": at(0.005),
        "host": {"ENV": {}, "cpu": "EPYC", "hostname": "vm", "python_version": "3.11.7"},
        "meta": {"command": "main", "named_configs": [], "comment": "a comment", "priority": 3.0},
        "resources": [["/w/data.bin", "runs/_resources/data_96ab.bin"]],
        "result": 0.75,
        "start_time": START,
        "status": "COMPLETED",
        "stop_time": at(0.004),
    }  # fmt: skip
    metrics = {
        name: {
            "steps": [step for step, _ in points],
            "timestamps": [at(number / 1000) for number in range(len(points))],
            "values": [value for _, value in points],
        }
        for name, points in METRICS.items()
    }
    info = {"best": 0.5, "d": {"x": [1, {"py/tuple": [2, 3]}], "nan": math.nan}, "arr": ARRAY}
    for name, value in (
        ("run", run | entry), ("config", CONFIG), ("metrics", metrics), ("info", info)
    ):  # fmt: skip
        (folder / f"{name}.json").write_text(json.dumps(value, sort_keys=True, indent=2))
    (folder / "cout.txt").write_text("hello\rbar 1\rbar 2\nline é\nrest")
    (folder / "art.txt").write_text("artifact")
    (folder.parent / "_resources" / "data_96ab.bin").write_text("resource")
    (folder.parent / "_sources" / "s_d68d.py").write_text("source")
    return folder


def logged(found: list[Any]) -> set[tuple[str, Any, str]]:
    return {
        point
        for point in sources.logged(found)
        if not point[0].startswith(("info/", "result", "fail_trace"))
    }


def test_what_sacred_writes(tmp_path: Path, trackai: Trackai, ask: Ask) -> None:
    write(tmp_path / "runs" / "1")
    receipt = trackai("import", "sacred", tmp_path / "runs", "--json").json
    assert receipt["complete"] is True, receipt

    def points(metric: str) -> list[Any]:
        query = "SELECT step, value FROM points WHERE metric = ? ORDER BY time, step"
        return ask(query, metric)

    assert points("train/loss") == [(0, 1.0), (1, 0.5), (2, 1 / 3)]
    assert points("np") == [(1.5, 0.10000000149011612), (2, 3)]
    assert points("loss.x")[0] == (0, None)
    assert points("loss.x")[1] == (1, math.inf)
    assert math.copysign(1, points("loss.x")[2][1]) == -1
    assert points("loss.x")[3] == (-3, 2**60 + 1)
    assert (points("flag"), points("txt")) == ([(2, 1)], [(2, "abc")])
    assert points("huge") == [(2, float(2**70))]
    assert [value for _, value in points("info/best")] == [0.5]
    assert [value for _, value in points("info/d/x")] == ["[1,[2,3]]"]
    assert [value for _, value in points("result")] == [0.75]
    assert [value for _, value in points("logs/stdout")] == ["bar 2", "line é", "rest"]
    config = {key: json.loads(value) for key, value in ask("SELECT key, value FROM configs")}
    assert config == {
        "arr": [0, 1, 2], "big": 2**70, "inf": "Infinity", "nan": "NaN", "lr": 0.1, "none": None,
        "nested/a/b": [1, None, True], "nested/k": 1, "one": 1.0, "seed": 691953112,
        "st": [1, 2], "tup": [1, [2]], "txt": "x\ny", "cls": "builtins.int", "keys/1": 2,
        "obj": json.dumps(CONFIG["obj"]), "long": json.dumps(dict(sorted(LONG.items()))),
        "_sacred/status": "COMPLETED", "_sacred/command": "main", "_sacred/priority": 3.0,
    }  # fmt: skip
    types = ask("SELECT key, type FROM configs WHERE type IS NOT NULL ORDER BY key")
    assert types == [("inf", "float"), ("nan", "float")]
    [head] = ask(
        "SELECT projects.name, runs.slug, state, notes, runs.created_at FROM runs "
        "JOIN projects ON projects.id = project_id"
    )
    began = datetime.fromisoformat(START).replace(tzinfo=UTC).timestamp()
    assert head == ("my exp/ß", "1", "completed", "a comment", round(began * 1e6))
    files = ask("SELECT path FROM files WHERE sha256 NOT NULL ORDER BY path")
    assert files == [("art.txt",), ("resources/data.bin",), ("sources/s.py",)]
    remarks = " ".join(remark["problem"] for remark in receipt["remarks"])
    assert "huge: integers beyond 64 bits are rounded" in remarks
    assert "objects of Python are the text of their JSON" in remarks
    again = trackai("import", "sacred", tmp_path / "runs", "--json").json
    assert (again["new_runs"], again["totals"]["stored"]) == (0, 0)


@pytest.mark.parametrize(
    ("status", "beat", "state"),
    [
        ("FAILED", 0, "failed"),
        ("INTERRUPTED", 0, "failed"),
        ("TIMEOUT", 0, "failed"),
        ("RUNNING", 0, "failed"),
        ("RUNNING", None, "running"),
    ],
)
def test_states(
    tmp_path: Path, trackai: Trackai, ask: Ask, status: str, beat: float | None, state: str
) -> None:
    now = datetime.now(UTC).replace(tzinfo=None).isoformat()
    trace = ["Traceback (most recent call last):\n", "ValueError: oops\n"]
    write(
        tmp_path / "runs" / "1", status=status, stop_time=None, fail_trace=trace,
        heartbeat=at(beat) if beat is not None else now,
    )  # fmt: skip
    trackai("import", "sacred", tmp_path / "runs" / "1", code=4 if state == "failed" else 0)
    assert ask("SELECT state FROM runs") == [(state,)]
    traces = ask("SELECT value FROM points WHERE metric = 'fail_trace'")
    assert traces == ([("".join(trace),)] if state == "failed" else [])


def test_a_run_that_goes_on_keeps_its_points(tmp_path: Path, trackai: Trackai, ask: Ask) -> None:
    now = datetime.now(UTC).replace(tzinfo=None).isoformat()
    folder = write(tmp_path / "runs" / "1", status="RUNNING", heartbeat=now, result=None)
    whole = json.loads((folder / "metrics.json").read_text())
    short = {
        name: {key: column[:1] for key, column in series.items()} for name, series in whole.items()
    }
    (folder / "metrics.json").write_text(json.dumps(short))
    (folder / "cout.txt").write_text("hello\rbar 1")
    trackai("import", "sacred", tmp_path / "runs")
    assert ask("SELECT COUNT(*) FROM metrics") == [(len(METRICS),)]
    shutil.rmtree(folder)
    write(folder)
    shutil.move(tmp_path / "runs", tmp_path / "moved")
    trackai("import", "sacred", tmp_path / "moved")
    assert ask("SELECT state FROM runs") == [("completed",)]
    query = "SELECT COUNT(*) FROM metrics JOIN series ON series.id = series_id WHERE path = ?"
    assert ask(query, "train/loss") == [(3,)]
    lines = "SELECT value FROM points WHERE metric = 'logs/stdout' ORDER BY time"
    assert ask(lines) == [("bar 2",), ("line é",), ("rest",)]


def test_queued_runs_and_shared_files_outside_of_the_path(
    tmp_path: Path, trackai: Trackai, ask: Ask
) -> None:
    write(tmp_path / "runs" / "1")
    write(tmp_path / "runs" / "2", status="QUEUED", start_time=None)
    receipt = trackai("import", "sacred", tmp_path / "runs" / "2", "--json").json
    assert (receipt["runs"], receipt["complete"]) == (0, True)
    receipt = trackai("import", "sacred", tmp_path / "runs" / "1", "--json", code=4).json
    assert receipt["totals"]["not_stored"] == {"file content not found": 2}
    assert trackai("import", "sacred", tmp_path / "runs", "--json").json["new_runs"] == 0
    (tmp_path / "empty").mkdir()
    assert "no runs of Sacred found" in trackai("import", "sacred", tmp_path / "empty", code=2).err


def test_files_that_are_cut_anywhere_are_read_up_to_there(tmp_path: Path) -> None:
    folder = write(tmp_path / "runs" / "1")
    whole = logged(read_items(Source, folder)[0])
    assert len(whole) == sum(map(len, METRICS.values()))
    content = (folder / "metrics.json").read_bytes()
    before: set[Any] = set()
    for length in range(0, len(content), 5):
        (folder / "metrics.json").write_bytes(content[:length])
        found, receipt = read_items(Source, folder)
        now = logged(found)
        assert before <= now <= whole
        before = now
        assert any("metrics.json" in problem.where for problem in receipt.problems)
    (folder / "metrics.json").write_bytes(content)
    entry = (folder / "run.json").read_bytes()
    for length in range(100, len(entry), 5):
        (folder / "run.json").write_bytes(entry[:length])
        os.utime(folder / "run.json", (1_700_000_000,) * 2)
        if b'"experiment": {' in entry[:length]:
            found, receipt = read_items(Source, folder)
            assert receipt.problems
            # It was killed while it wrote the file.
            states = {head.state for head in found if isinstance(head, RunHead)}
            assert states == {"completed" if b'"COMPLETED",' in entry[:length] else "failed"}


@settings(max_examples=80)
@given(data=st.data())
def test_damage_makes_no_traceback(tmp_path_factory: Any, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("sacred")
    folder = write(path / "runs" / "1")
    name = data.draw(st.sampled_from(["run.json", "config.json", "metrics.json", "info.json"]))
    content = bytearray((folder / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (folder / name).write_bytes(content)
    if b'"experiment": {' in (folder / "run.json").read_bytes():
        read_items(Source, folder)


def test_members() -> None:
    assert members(' {"a": 1, "b": [1, {"c": null}]} ') == ({"a": 1, "b": [1, {"c": None}]}, True)
    assert members("{}") == ({}, True)
    assert members('{"a": 12') == ({}, False)
    assert members('{"a": 12, "b": 3') == ({"a": 12}, False)
    assert members("[1]") == ({}, False)
    assert members("") == ({}, False)
    assert members('{"a": ' + "[" * 100_000) == ({}, False)


def test_plain() -> None:
    unknown: list[int] = []

    def convert(value: Any) -> Any:
        return plain(value, lambda: unknown.append(1))

    assert convert({"py/b64": "YWJj"}) == '{"py/b64": "YWJj"}'
    assert convert({"a": {"py/reduce": [{"py/type": "os.system"}, {"py/tuple": ["x"]}]}}) == {
        "a": '{"py/reduce": [{"py/type": "os.system"}, {"py/tuple": ["x"]}]}'
    }
    assert len(unknown) == 2
    assert convert([{"py/set": [1, {"py/tuple": []}]}, {"json://1": 2}]) == [[1, []], {"1": 2}]
    assert len(unknown) == 2
