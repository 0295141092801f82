"""Importing offline sessions of ClearML, as clearml 2.1.12 writes them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.importers.sources import read_source
from trackai.errors import InvalidInputError
from trackai.importers.clearml import recognises
from trackai.importers.clearml.reader import Source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Trackai

    Ask = Callable[..., list[tuple[Any, ...]]]

ID = "offline-a4e8c61e5b7246eab8ad35d2405022e7"
MACHINE = f"/home/me/.clearml/cache/offline/{ID}"
START = 1_795_973_862_404


def parameter(type_: str | None, value: str) -> dict[str, Any]:
    return {"description": "", "value": value} | ({} if type_ is None else {"type": type_})


def scalar(title: str, series: str, step: Any, value: Any, time: int = START + 1) -> dict[str, Any]:
    return {
        "timestamp": time, "type": "training_stats_scalar", "task": ID, "iter": step,
        "metric": title, "variant": series, "value": value,
    }  # fmt: skip


def log(message: str, level: str = "info", time: int = START) -> dict[str, Any]:
    return {"timestamp": time, "type": "log", "level": level, "msg": message}


PLOT = '{"data": [], "layout": {}}'
IMAGE = "p/x.offline/metrics/img/v/img_0.jpeg"
ARTIFACT = "data/p/x.offline/artifacts/art/art.json"
TASK = {
    "id": ID, "name": "näme/1", "project_name": "p/x", "type": "training", "tags": ["b", "a"],
    "comment": "a comment",
    "configuration": {"conf": {"type": "dictionary", "value": "a = 1"}},
    "offline_output_models": [{"id": "m"}],
    "execution": {"model_labels": {"cat": 1}, "artifacts": [
        {"key": "art", "uri": f"{MACHINE}/{ARTIFACT}", "timestamp": 1_795_973_900},
        {"key": "far", "uri": "https://example.com/far.bin"},
        {"key": "gone", "uri": f"{MACHINE}/data/gone"},
    ]},
    "hyperparams": {
        "General": {
            "flag": parameter("bool", "True"), "lr": parameter("float", "0.001"),
            "seed": parameter("int", "7"), "big": parameter("int", str(2**70)),
            "name": parameter("str", "True"), "nothing": parameter(None, ""),
            "nested/depth": parameter("int", "4"), "nan": parameter("float", "nan"),
            "list": parameter("list", '[1, 2, "x"]'), "tuple": parameter("tuple/int", "[1, 2]"),
            "empty": parameter("dict", "{}"), "wrong": parameter("int", "many"),
        },
        "Args": {"x": parameter("int", "3")},
    },
    "script": {"binary": "python3.11", "entry_point": "log.py", "repository": "", "diff": "print()",
               "requirements": {"pip": "clearml == 2.1.12\n"}, "branch": "", "version_num": ""},
}  # fmt: skip
METRICS: list[list[dict[str, Any]]] = [
    [
        scalar("train", "loss", 0, 0.5), scalar("train", "loss", 1, 0.25),
        scalar("train", "loss", 2, 0.0), scalar("train", "loss", 3, 0.125),
        scalar("accuracy", "accuracy", 0, 0.5), scalar("b", "", 0, 1.0), scalar("", "e", 0, 1.0),
        scalar("big", "big", 0, 9007199254740992.0), scalar("inf", "inf", 0, 0.0),
    ],
    [
        scalar("train", "loss", 3, 0.1), scalar("accuracy", "accuracy", 10, 0.9),
        scalar("a/b", "c/d", -5, 1.0), scalar("Summary", "best", -(2**31), 0.1),
        scalar("Summary", "accuracy", -(2**31), 0.75),
        scalar(":monitor:machine", "cpu_usage", 30, 0.0, START + 30),
        {"timestamp": START + 2, "type": "plot", "iter": 1, "metric": "h", "variant": "v",
         "plot_str": PLOT},
        {"timestamp": START + 3, "type": "training_debug_image", "iter": 2, "metric": "img",
         "variant": "v", "key": IMAGE, "url": f"{MACHINE}/data/{IMAGE}"},
        {"timestamp": START + 4, "type": "training_debug_image", "iter": 2, "metric": "img",
         "variant": "far", "key": "/a.png", "url": "https://example.com/a.png"},
    ],
]  # fmt: skip
LOG = [
    [log("created\nstarted")],
    [log("err", "error", START + 5), log("10%\r20%\r30%\ndone", time=START + 6)],
]


def lines(events: list[Any]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in events)


def write(
    folder: Path,
    metrics: list[list[dict[str, Any]]] = METRICS,
    task: dict[str, Any] = TASK,
    *,
    closed: bool = True,
) -> Path:
    path = folder / ID
    for name, content in (
        ("task.json", json.dumps(task).encode()), ("metrics.jsonl", lines(metrics)),
        ("log.jsonl", lines(LOG)), (f"data/{IMAGE}", b"\xff\xd8\xff image"), (ARTIFACT, b"{}"),
        ("data/models/w.pt", b"weights"),
    ):  # fmt: skip
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    if closed:
        shutil.make_archive(str(path), "zip", path)
    return path


def check(path: Path) -> None:
    receipt, runs = read_source(Source, path)
    assert receipt.totals.not_stored == {"file content not found": 1}
    assert [problem.problem for problem in receipt.problems] == [
        f"'artifacts/gone' ({MACHINE}/data/gone): file content not found"
    ]
    assert [remark.problem.partition(",")[0] for remark in receipt.remarks] == [
        "'wrong' is not int; stored as a text", "has values 0.0"
    ]  # fmt: skip
    head, points, files = runs[ID].head, runs[ID].points, runs[ID].files
    assert points["train/loss"] == [(0, 0.5), (1, 0.25), (2, 0.0), (3, 0.125), (3, 0.1)]
    assert points["accuracy"] == [(0, 0.5), (10, 0.9)]
    assert (points["b"], points["e"]) == ([(0, 1.0)], [(0, 1.0)])
    assert points["big"] == [(0, 9007199254740992.0)]
    assert points["inf"] == [(0, 0.0)]
    assert points["a/b/c/d"] == [(-5, 1.0)]
    assert points["best"] == [(0, 0.1)]
    assert points["summary/accuracy"] == [(0, 0.75)]
    assert points["system/machine/cpu_usage"] == [((START + 30) * 1000, 0.0)]
    assert [value for _, value in points["logs/stdout"]] == ["created", "started", "30%", "done"]
    assert [value for _, value in points["logs/stderr"]] == ["err"]
    assert runs[ID].times["accuracy"] == [(START + 1) * 1000] * 2
    assert head.config == {
        "flag": True, "lr": 0.001, "seed": 7, "big": 2**70, "name": "True", "nothing": None,
        "nested/depth": 4, "nan": "NaN", "list": [1, 2, "x"], "tuple": [1, 2], "empty": {},
        "wrong": "many", "Args/x": 3, "configuration/conf": "a = 1", "_clearml/type": "training",
        "model_labels/cat": 1, "_clearml/output_models": [{"id": "m"}],
    }  # fmt: skip
    assert (head.project, head.name, head.notes) == ("p/x", "näme/1", "a comment")
    assert (head.tags, head.state, head.created_at) == (["a", "b"], "completed", START * 1000)
    assert head.environment == {1: {"executable": "python3.11", "script": "log.py"}}
    assert {name: (file.step, content) for name, (file, content) in files.items()} == {
        "h/v|1.plotly.json": (1, PLOT.encode()),
        "img/v|img_0.jpeg": (2, b"\xff\xd8\xff image"),
        "img/far|a.png": (2, None),
        "artifacts/art|art.json": (None, b"{}"),
        "artifacts/far|far.bin": (None, None),
        "code/log.py|log.py": (None, b"print()"),
        "requirements.txt|requirements.txt": (None, b"clearml == 2.1.12\n"),
        "data/models/w.pt|w.pt": (None, b"weights"),
    }


def test_a_folder_an_archive_and_both(tmp_path: Path) -> None:
    path = write(tmp_path)
    check(path)
    check(path.with_name(f"{ID}.zip"))
    check(tmp_path)
    shutil.rmtree(path)
    check(tmp_path)


def test_importing_again_adds_only_what_is_new(tmp_path: Path, trackai: Trackai, ask: Ask) -> None:
    write(tmp_path, METRICS[:1], closed=False)
    first = trackai("import", "clearml", tmp_path, "--json", code=4).json
    assert ask("SELECT state FROM runs") == [("running",)]
    again = trackai("import", "clearml", tmp_path, "--json", code=4).json
    assert (again["new_runs"], again["totals"]["stored"]) == (0, 0)
    assert again["totals"]["already_there"] == first["totals"]["stored"]
    write(tmp_path)
    grown = trackai("import", "clearml", tmp_path / f"{ID}.zip", "--json", code=4).json
    assert (grown["new_runs"], grown["points"] - grown["stored"]) == (0, first["points"])
    assert grown["stored"] == 6
    assert grown["types"]["files"]["stored"] == 3
    assert ask("SELECT state FROM runs") == [("completed",)]


def test_a_killed_task_has_failed(tmp_path: Path) -> None:
    path = write(tmp_path, closed=False)
    with (path / "metrics.jsonl").open("ab") as file:
        file.write(b'[{"timest')
    for file_path in path.iterdir():
        os.utime(file_path, (1, 1))
    receipt, runs = read_source(Source, path)
    assert runs[ID].head.state == "failed"
    remarks = [remark.problem for remark in receipt.remarks]
    assert "ends within line 3" in remarks
    assert any("no archive beside it" in remark for remark in remarks)


def test_others_are_not_recognised(tmp_path: Path, trackai: Trackai) -> None:
    assert "no offline sessions" in trackai("import", "clearml", tmp_path, code=2).err
    (tmp_path / "offline-1.zip").write_bytes(b"no zip")
    result = trackai("import", "clearml", tmp_path / "offline-1.zip", code=2)
    assert "not a zip archive" in result.err
    assert not recognises(tmp_path)
    path = write(tmp_path)
    assert all(map(recognises, (tmp_path, path, path.with_name(f"{ID}.zip"))))


def test_files_elsewhere_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    urls = [
        str(tmp_path / "secret"),
        f"{MACHINE}/../secret",
        f"{MACHINE}/link",
        "file:///etc/hosts",
    ]
    events = [
        {
            "type": "training_debug_image",
            "iter": 0,
            "metric": "m",
            "key": "../../secret",
            "url": url,
        }
        for url in urls
    ]
    path = write(tmp_path / "x", [events], {"id": ID})
    (path / "link").symlink_to(tmp_path / "secret")
    (path / "data" / "link").symlink_to(tmp_path / "secret")
    receipt, runs = read_source(Source, path)
    assert receipt.totals.not_stored == {"file content not found": len(urls)}
    assert all(content != b"secret" for _, content in runs[ID].files.values())


def test_metrics_cut_anywhere(tmp_path: Path) -> None:
    path = write(tmp_path) / "metrics.jsonl"
    whole = path.read_bytes()
    points = read_source(Source, path.parent)[1][ID].points
    for length in range(0, len(whole), 11):
        path.write_bytes(whole[:length])
        _, cut = read_source(Source, path.parent)
        for metric, values in cut[ID].points.items():
            if metric not in ("accuracy", "summary/accuracy"):
                assert values == points[metric][: len(values)]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_events_and_tasks_of_any_content(tmp_path: Path, data: st.DataObject) -> None:
    events: list[dict[str, Any]] = [{**event} for line in METRICS for event in line]
    for event in data.draw(st.lists(st.sampled_from(events), max_size=3)):
        name: str = data.draw(st.sampled_from(sorted(event)))
        event[name] = data.draw(VALUES)
    task: dict[str, Any] = {**TASK}
    key = data.draw(st.sampled_from(sorted(TASK.keys() - {"id"})))
    task[key] = data.draw(VALUES)
    path = write(tmp_path, [events], task, closed=False)
    _, runs = read_source(Source, path)
    assert runs.keys() == {ID}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.sampled_from(["task.json", "metrics.jsonl", "log.jsonl", "zip"]),
    changes=st.lists(st.tuples(st.integers(0, 1 << 20), st.binary(min_size=1, max_size=9))),
)
def test_damaged_files(tmp_path: Path, name: str, changes: list[tuple[int, bytes]]) -> None:
    path = write(tmp_path)
    file = path.with_name(f"{ID}.zip") if name == "zip" else path / name
    content = bytearray(file.read_bytes())
    for position, data in changes:
        start = position % len(content)
        content[start : start + len(data)] = data
    file.write_bytes(content)
    source = file if name == "zip" else path
    recognises(source)
    with contextlib.suppress(InvalidInputError):
        read_source(Source, source)
