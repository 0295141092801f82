"""Importing folders as SwanLab 0.10.3 writes them."""

from __future__ import annotations

import hashlib
import json
import math
import os
import struct
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.importers.sources import logged, read_items
from trackai import Api
from trackai.importers.swanlab.folders import HEADER
from trackai.importers.swanlab.messages import Record
from trackai.importers.swanlab.reader import Source
from trackai.store.catalogue.files import blob_path
from trackai.structs.exchange import FileHead, RunHead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.cli.conftest import Trackai

    Ask = Callable[..., list[tuple[Any, ...]]]

START = 1_796_025_439
TYPES = {"image": 2, "text": 4, "echarts": 6, "html": 9}
POINTS = "SELECT step, value FROM points WHERE metric = ? ORDER BY step, time"
CONFIG = """
flag: {desc: '', sort: 2, value: true}
inf: {desc: '', sort: 5, value: Inf}
late: {desc: '', sort: 18, value: 3}
lr: {desc: '', sort: 0, value: 0.001}
list: {desc: '', sort: 8, value: [1, 2.5, null, NaN]}
nested: {desc: '', sort: 9, value: {depth: 4, dropout: 0.1, none: null}}
nothing: {desc: '', sort: 3, value: {}}
num: {desc: '', sort: 12, value: 1e3}
date: {desc: '', sort: 13, value: 2026-01-02}
big: {desc: '', sort: 13, value: 1152921504606846977}
"""
METADATA = {
    "hardware": {
        "cpu": {"logical_count": 2},
        "accelerators": [{"vendor": "nvidia", "devices": [{"name": "H200"}, {"name": "H200"}]}],
    },
    "runtime": {
        "hostname": "vm", "python_version": "3.11.7",
        "command": "train.py --api-key=abcdefgh12345", "cwd": None,
    },
    "git": {"remote_url": None, "branch": "main", "commit": "abc"},
}  # fmt: skip


def stamp(seconds: float) -> dict[str, int]:
    return {"seconds": START + int(seconds), "nanos": round(seconds % 1 * 1e6) * 1000}


def start(run_id: str = "abc", project: str = "demo", at: float = 0, **fields: Any) -> Any:
    return Record(start={"project": project, "id": run_id, "started_at": stamp(at), **fields})


def column(key: str, **fields: Any) -> Any:
    return Record(column={"column_key": key, **fields})


def scalar(key: str, step: int, value: float, at: float) -> Any:
    return Record(
        scalar={"key": key, "step": step, "timestamp": stamp(at), "value": {"number": value}}
    )


def line(text: str, at: float, level: int = 0) -> Any:
    return Record(log={"line": text, "level": level, "timestamp": stamp(at)})


def finish(state: int, at: float, error: str = "") -> Any:
    return Record(finish={"state": state, "finished_at": stamp(at), "error": error})


def media(folder: Path, kind: str, key: str, step: int, *files: tuple[bytes, str]) -> Any:
    items = []
    (folder / "media" / kind).mkdir(parents=True, exist_ok=True)
    for content, caption in files:
        sha256 = hashlib.sha256(content).hexdigest()
        name = f"{step:03}-{sha256[:8]}.{ {'image': 'png', 'text': 'txt'}.get(kind, kind) }"
        (folder / "media" / kind / name).write_bytes(content)
        items.append({"filename": name, "sha256": sha256, "size": len(content), "caption": caption})
    return Record(
        media={"key": key, "step": step, "type": TYPES[kind], "timestamp": stamp(step),
               "value": {"items": items}}
    )  # fmt: skip


def chunk(record: Any) -> bytes:
    data: bytes = record.SerializeToString()
    return struct.pack("<IHB", zlib.crc32(b"\x01" + data), len(data), 1) + data


def write(folder: Path, records: Iterable[Any], run_id: str = "abc") -> Path:
    (folder / "files").mkdir(parents=True, exist_ok=True)
    path = folder / f"run-{run_id}.swanlab"
    path.write_bytes(HEADER + b"".join(map(chunk, records)))
    return path


def write_log(folder: Path, number: int, rows: Iterable[tuple[int, Any, float]]) -> None:
    column = folder / "logs" / str(number)
    column.mkdir(parents=True)
    for step, value, at in rows:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(START + int(at)))
        row = {"index": step, "data": value, "create_time": f"{moment}.{at % 1 * 1e6:06.0f}+00:00"}
        with (column / f"{(step // 1000 + 1) * 1000}.log").open("a") as file:
            file.write(json.dumps(row) + "\n")
    (column / "_summary.json").write_text('{"num": 1}')


def age(folder: Path) -> None:
    for path in folder.rglob("*"):
        os.utime(path, (START, START))


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A finished run, with the points of the manifest of the sample."""
    folder = tmp_path / "swanlog" / "run-20261130_075719-abc"
    write(
        folder,
        [
            start(name="baseline", description="note", tags=["a", "b"], group="g", job_type="t"),
            Record(save={"name": "config", "type": 1}),
            line("a line", 0.25),
            line("wrong", 0.5, level=1),
            column("train/loss", x_axis="epoch"),
            *(scalar("train/loss", step, value, step)
              for step, value in enumerate((0.5, 0.25, math.nan, 0.125))),
            column("accuracy"),
            scalar("accuracy", 0, 0.5, 4),
            scalar("accuracy", 10, 0.9, 5.5),
            column("big"),
            scalar("big", 0, 2.0**53, 6),
            scalar("inf", 0, math.inf, 6),
            scalar("zero", 0, -0.0, 6),
            scalar("__swanlab__.cpu.pct", 0, 37.5, 7),
            media(folder, "image", "pics", 11, (b"one", "black: a/b"), (b"two", "")),
            media(folder, "text", "text", 11, (b"hello\r\n", "cap"), (b"other", "")),
            media(folder, "echarts", "chart", 11, (b"{}", "")),
            finish(1, 12),
        ],
    )  # fmt: skip
    (folder / "files" / "config.yaml").write_text(CONFIG)
    (folder / "files" / "swanlab-metadata.json").write_text(json.dumps(METADATA))
    return folder


def test_what_swanlab_writes(written: Path, trackai: Trackai, ask: Ask, db_path: Path) -> None:
    receipt = trackai("import", "swanlab", written.parent, "--json").json
    assert receipt["complete"] is True, receipt
    assert [remark["problem"] for remark in receipt["remarks"]] == [
        "inf has an infinity, of which SwanLab does not keep the sign"
    ]

    def points(metric: str) -> list[Any]:
        return ask(POINTS, metric)

    assert points("train/loss") == [(0, 0.5), (1, 0.25), (2, None), (3, 0.125)]
    assert points("accuracy") == [(0, 0.5), (10, 0.9)]
    assert points("big") == [(0, 2.0**53)]
    assert points("inf") == [(0, math.inf)]
    assert math.copysign(1, points("zero")[0][1]) == -1
    assert points("text") == [(11, "hello\r\n"), (11, "other")]
    assert points("text/caption") == [(11, "cap")]
    times = ask("SELECT timestamp FROM metrics JOIN series ON series.id = series_id"
                " WHERE path = 'accuracy' ORDER BY timestamp")  # fmt: skip
    assert times == [((START + 4) * 10**6,), (START * 10**6 + 5_500_000,)]
    assert ask("SELECT value FROM points WHERE metric = 'system/cpu/pct'") == [(37.5,)]
    logs = ask("SELECT metric, value FROM points WHERE metric LIKE 'logs/%' ORDER BY 1")
    assert logs == [("logs/stderr", "wrong"), ("logs/stdout", "a line")]
    config: dict[str, str] = dict(ask("SELECT key, value FROM configs"))
    assert {key: json.loads(value) for key, value in config.items()} == {
        "flag": True, "inf": "Infinity", "late": 3, "lr": 0.001, "list": [1, 2.5, None, "NaN"],
        "nested/depth": 4, "nested/dropout": 0.1, "nested/none": None, "nothing": None,
        "num": "1e3", "date": "2026-01-02", "big": 2**60 + 1, "_wandb/job_type": "t",
        "_swanlab/x_axis/train/loss": "epoch",
    }  # fmt: skip
    [head] = ask("SELECT slug, name, state, notes, group_name, created_at, finished_at FROM runs")
    assert head == (
        "abc", "baseline", "completed", "note", "g", START * 10**6, (START + 12) * 10**6
    )  # fmt: skip
    assert ask("SELECT tag FROM tags ORDER BY tag") == [("a",), ("b",)]
    files = ask("SELECT path, step, name, sha256 FROM files WHERE kind = 'file_series'")
    contents = {
        (path, step, name): blob_path(db_path, sha256).read_bytes()
        for path, step, name, sha256 in files
    }
    assert contents == {
        ("pics", 11, "black  a b.png"): b"one",
        ("pics", 11, "011-3fc4ccfe.png"): b"two",
        ("chart", 11, "011-44136fa3.echarts"): b"{}",
    }
    run = trackai("show", "1", "--json").json
    assert json.dumps(run).count("abcdefgh12345") == 0
    assert len(Api().runs(filters={"jobType": "t"})) == 1
    again = trackai("import", "swanlab", written, "--json").json
    assert (again["new_runs"], again["totals"]["stored"]) == (0, 0)
    moved = written.parent.rename(written.parent.parent / "moved")
    assert trackai("import", "swanlab", moved, "--json").json["totals"]["stored"] == 0


def test_a_run_that_grows_or_is_resumed_is_one_run(
    tmp_path: Path, trackai: Trackai, ask: Ask
) -> None:
    first = tmp_path / "run-20261130_075719-abc"
    begin = [start(name="one"), scalar("loss", 0, 1, 1), scalar("loss", 1, 2, 2)]
    write(first, begin)
    trackai("import", "swanlab", tmp_path)
    assert ask("SELECT state FROM runs") == [("running",)]
    write(first, [*begin, scalar("loss", 2, 3, 3), finish(2, 4, "Traceback: boom")])
    receipt = trackai("import", "swanlab", tmp_path, "--json").json
    assert receipt["types"]["metrics"]["stored"] == 1
    assert ask("SELECT state FROM runs") == [("failed",)]
    assert ask("SELECT value FROM points WHERE metric = 'logs/error'") == [("Traceback: boom",)]
    write(
        tmp_path / "run-20261130_085719-abc",
        [start(name="two", at=100), scalar("loss", 1, 20, 101), finish(1, 102)],
    )
    trackai("import", "swanlab", tmp_path, "--json")
    assert ask("SELECT name, state FROM runs") == [("one", "completed")]
    assert ask(POINTS, "loss") == [(0, 1), (1, 20)]
    assert ask("SELECT COUNT(*) FROM metrics JOIN series ON series.id = series_id"
               " WHERE path = 'loss'") == [(4,)]  # fmt: skip


def test_a_killed_run_has_the_points_of_its_logs(
    tmp_path: Path, trackai: Trackai, ask: Ask
) -> None:
    """A killed process has not written its last records; often none of them."""
    folder = tmp_path / "run-20261130_075719-abc"
    write(folder, [start(), column("loss"), column("__swanlab__.cpu.pct"), scalar("loss", 0, 1, 1)])
    write_log(folder, 1, [(0, 1.0, 1), (1, 2.0, 2), (2, math.nan, 3.5)])
    write_log(folder, 2, [(0, 5, 3)])
    write_log(folder, 3, [(0, ["words"], 3)])
    with (folder / "logs" / "1" / "1000.log").open("a") as file:
        file.write('{"index": 3, "da')
    empty = tmp_path / "run-20261130_085719-xyz"
    write(empty, [], "xyz").write_bytes(b"")
    write_log(empty, 1, [(0, 0.5, 10), (1000, 0.25, 11)])
    receipt = trackai("import", "swanlab", tmp_path, "--json").json
    assert receipt["points"] == 1, "they may still be written under their names"
    age(tmp_path)
    receipt = trackai("import", "swanlab", tmp_path, "--json").json
    assert receipt["complete"] is True
    assert ask("SELECT slug, state FROM runs ORDER BY slug") == [
        ("abc", "failed"), ("xyz", "failed")
    ]  # fmt: skip
    assert ask(POINTS, "loss") == [(0, 1), (1, 2), (2, None)]
    assert ask(POINTS, "unnamed/2") == [(0, 5)]
    assert ask(POINTS, "unnamed/1") == [(0, 0.5), (1000, 0.25)]
    problems = [remark["problem"] for remark in receipt["remarks"]]
    assert "the names of 1 metrics were not written; they are called unnamed/..." in problems
    assert trackai("import", "swanlab", tmp_path, "--json").json["totals"]["stored"] == 0


def test_files_that_are_cut_anywhere_are_read_up_to_there(written: Path) -> None:
    file = written / "run-abc.swanlab"
    content = file.read_bytes()
    whole = logged(read_items(Source, file)[0])
    before: set[Any] = set()
    for length in range(0, len(content), 3):
        file.write_bytes(content[:length])
        found, receipt = read_items(Source, file)
        assert before <= logged(found) <= whole
        before = logged(found)
        assert not receipt.problems
    assert len(before) >= 10


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damage_costs_values_and_makes_none(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged") / "run-20261130_075719-abc"
    records = [start(), *(scalar("loss", step, step / 2, step) for step in range(9)), finish(1, 9)]
    file = write(folder, records)
    (folder / "files" / "config.yaml").write_text(CONFIG)
    (folder / "files" / "swanlab-metadata.json").write_text(json.dumps(METADATA))
    whole = logged(read_items(Source, file)[0])
    name = data.draw(st.sampled_from(
        ["run-abc.swanlab", "files/config.yaml", "files/swanlab-metadata.json"]
    ))  # fmt: skip
    content = bytearray((folder / name).read_bytes())
    at = data.draw(st.integers(7, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    (folder / name).write_bytes(content)
    assert logged(read_items(Source, folder)[0]) <= whole


def test_nothing_outside_of_the_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    folder = tmp_path / "run-20261130_075719-abc"
    outside = media(folder, "image", "pic", 1, (b"x", ""))
    outside.media.value.items[0].filename = "../../../secret.txt"
    write(folder, [start(), outside, Record(save={"name": "link.txt"}), finish(1, 2)])
    (folder / "files" / "link.txt").symlink_to(tmp_path / "secret.txt")
    found, receipt = read_items(Source, tmp_path)
    assert not [head for head in found if isinstance(head, FileHead)]
    assert [problem.where for problem in receipt.problems] == [
        f"{folder.name}/media/image/../../../secret.txt", f"{folder.name}/files/link.txt"
    ]  # fmt: skip
    assert [head.run_id for head in found if isinstance(head, RunHead)] == ["abc", "abc"]


def test_other_files_are_refused(tmp_path: Path, trackai: Trackai) -> None:
    path = tmp_path / "run-x.swanlab"
    path.write_bytes(b"something else")
    assert "is not a record file" in trackai("import", "swanlab", path, code=2).err
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "no runs of SwanLab found" in trackai("import", "swanlab", empty, code=2).err
