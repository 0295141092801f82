"""Importing folders that wandb itself wrote."""

from __future__ import annotations

import json
import math
import os
import shutil
import struct
import subprocess
import sys
import textwrap
import time
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.importers.sources import logged, read_items
from trackai.errors import InvalidInputError
from trackai.importers.console_lines import Lines
from trackai.importers.wandb.folders import HEADER
from trackai.importers.wandb.reader import Source
from trackai.importers.wandb.records import Log
from trackai.store.catalogue.files import blob_path
from trackai.structs.exchange import FileHead, RunHead

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Trackai

    Ask = Callable[..., list[tuple[Any, ...]]]

POINTS = """
    SELECT path, step, value FROM metrics
    JOIN series ON series.id = series_id JOIN runs ON runs.id = series.run_id
    WHERE runs.slug = ? AND axis = 'step' AND series.path = ? ORDER BY metrics.timestamp, step
"""
SCRIPT = """
    import numpy as np
    import wandb

    config = {"lr": 0.1, "opt": {"name": "adam", "betas": [0.9, 0.999]}, "none": None}
    run = wandb.init(project="p", id="all", name="everything", group="g", tags=["a", "b"],
                     notes="note", job_type="train", config=config, settings=SETTINGS)
    run.config.update({"lr": 0.2, "late": 3}, allow_val_change=True)
    run.define_metric("val/*", step_metric="epoch")
    for step in range(3):
        run.log({"loss": 1 / (step + 1), "n": step, "ok": step > 0, "sub": {"a": step / 2}})
    run.log({"loss": float("nan"), "up": float("inf"), "down": float("-inf"), "zero": -0.0}, step=7)
    run.log({"big": 2**53 + 1, "text": "words", "list": ["x", 1]}, step=8)
    picture = wandb.Image(np.zeros((4, 4, 3), dtype=np.uint8), caption="black")
    cell = wandb.Image(np.ones((4, 4, 3), dtype=np.uint8))
    run.log({
        "picture": picture,
        "pictures": [picture, picture],
        "nested": {"histogram": wandb.Histogram([1, 2, 2], num_bins=2)},
        "table": wandb.Table(columns=["a", "b"], data=[[1, float("nan")], [2, cell]]),
        "page": wandb.Html("<p>hi</p>"),
    }, step=9)
    run.log({"val/loss": 0.5, "epoch": 1}, step=10)
    run.summary["best"] = 0.125
    run.summary["loss"] = 0.25
    run.alert("bad", text="it is bad", level="WARN")
    print("one line")
    run.finish()
"""
SETTINGS = "wandb.Settings(console='wrap', x_disable_stats=True, silent=True)"


def run(script: str, folder: Path, code: int = 0) -> None:
    folder.mkdir(exist_ok=True)
    process = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script).replace("SETTINGS", SETTINGS)],
        env={**os.environ, "WANDB_MODE": "offline", "WANDB_SILENT": "true", "HOME": str(folder)},
        cwd=folder, capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert process.returncode == code, process.stderr


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Let wandb write a folder."""
    path = tmp_path_factory.mktemp("wandb") / "work"
    run(SCRIPT, path)
    return path / "wandb"


def test_what_wandb_writes(written: Path, trackai: Trackai, ask: Ask, db_path: Path) -> None:
    receipt = trackai("import", "wandb", written, "--json").json
    assert receipt["complete"] is True, receipt
    assert receipt["runs"] == 1  # latest-run is a link to it

    def points(metric: str) -> list[Any]:
        return [(step, value) for _, step, value in ask(POINTS, "all", metric)]

    assert points("loss") == [(0, 1.0), (1, 0.5), (2, 1 / 3), (7, None)]
    assert points("n") == [(0, 0), (1, 1), (2, 2)]
    assert points("ok") == [(0, 0), (1, 1), (2, 1)]
    assert points("sub/a") == [(0, 0.0), (1, 0.5), (2, 1.0)]
    assert (points("up"), points("down")) == ([(7, math.inf)], [(7, -math.inf)])
    assert math.copysign(1, points("zero")[0][1]) == -1
    assert points("big") == [(8, 2**53 + 1)]
    assert points("text") == [(8, "words")]
    assert points("list") == [(8, '["x",1]')]
    assert json.loads(points("nested/histogram")[0][1]) == {
        "type": "COUNTING", "edges": [1, 1.5, 2], "values": [1, 2]
    }  # fmt: skip
    assert points("val/loss") == [(10, 0.5)]
    assert points("best") == [(10, 0.125)]
    assert points("summary/loss") == [(10, 0.25)]
    assert points("alerts/warn") == [(9, "bad\nit is bad")]
    [(line,)] = ask("SELECT value FROM points WHERE metric = 'logs/stdout'")
    assert line == "one line"
    config: dict[str, str] = dict(ask("SELECT key, value FROM configs"))
    assert {key: json.loads(value) for key, value in config.items()} == {
        "lr": 0.2, "opt/name": "adam", "opt/betas": [0.9, 0.999], "none": None, "late": 3,
        "_wandb/job_type": "train", "_wandb/x_axis/val/*": "epoch",
    }  # fmt: skip
    [head] = ask("SELECT slug, name, state, notes, group_name FROM runs")
    assert head == ("all", "everything", "completed", "note", "g")
    assert ask("SELECT tag FROM tags ORDER BY tag") == [("a",), ("b",)]
    files = ask("SELECT path, step, sha256 FROM files WHERE kind = 'file_series' ORDER BY path")
    assert [path for path, _, _ in files] == ["page", "picture", "pictures", "pictures", "table"]
    [table] = [sha256 for path, _, sha256 in files if path == "table"]
    stored = json.loads(blob_path(db_path, table).read_bytes())
    assert stored["columns"] == ["a", "b"]
    # wandb keeps images of cells with its artifacts, and here only the name of their class.
    assert stored["data"] == [[1, "NaN"], [2, "Image"]]
    saved = {path for (path,) in ask("SELECT path FROM files WHERE kind = 'file'")}
    assert {"requirements.txt", "output.log"} <= saved
    assert not any(path.startswith("media/") for path in saved)


def test_configuration_keys_that_become_one(tmp_path: Path, trackai: Trackai, ask: Ask) -> None:
    script = """
        import wandb
        config = {"a/b": 3, "a": {"b": 4}, "c": {"d": 1}}
        run = wandb.init(project="p", id="keys", config=config, settings=SETTINGS)
        run.log({"loss": 1})
        run.summary["_best"] = 0.5
        run.finish()
    """
    run(script, tmp_path / "work")
    receipt = trackai("import", "wandb", tmp_path / "work", "--json", code=4).json
    [problem] = receipt["problems"]
    assert problem["problem"] == "key 'a/b' has 2 values: only the last is stored"
    assert ask("SELECT key, value FROM configs ORDER BY key") == [("a/b", "4"), ("c/d", "1")]
    assert ask("SELECT value FROM points WHERE metric = '_best'") == [(0.5,)]


def test_importing_again_changes_nothing(written: Path, trackai: Trackai) -> None:
    before = trackai("import", "wandb", written, "--json").json
    after = trackai("import", "wandb", written / "latest-run", "--json").json
    assert after["new_runs"] == 0
    assert after["stored"] == 0
    assert after["totals"]["already_there"] == before["totals"]["stored"]


def test_a_killed_run_has_failed(tmp_path: Path, trackai: Trackai, ask: Ask) -> None:
    script = """
        import os, signal, time, wandb
        run = wandb.init(project="p", id="killed", settings=SETTINGS)
        for step in range(100):
            run.log({"loss": step})
        time.sleep(1)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    run(script, tmp_path / "work", code=-9)
    [file] = (tmp_path / "work").rglob("run-*.wandb")
    # What it has written belongs to a run that may still go on, until the file is old.
    if file.stat().st_size > len(HEADER):
        trackai("import", "wandb", tmp_path / "work", "--json")
        assert ask("SELECT state FROM runs") == [("running",)]
        os.utime(file, (time.time() - 1000,) * 2)
        trackai("import", "wandb", tmp_path / "work", "--json")
        assert ask("SELECT state FROM runs") == [("failed",)]
    else:
        receipt = trackai("import", "wandb", tmp_path / "work", "--json").json
        assert "has no records" in receipt["remarks"][0]["problem"]


def test_a_resumed_run_is_one_run_with_two_attempts(
    tmp_path: Path, trackai: Trackai, ask: Ask
) -> None:
    for value, code in ((1, 1), (2, 0)):
        script = f"""
            import sys, wandb
            run = wandb.init(project="p", id="twice", resume="allow", settings=SETTINGS)
            for step in range({4 if value == 1 else 2}):
                run.log({{"loss": {value}}})
            run.finish(exit_code={code})
        """
        run(script, tmp_path / "work")
        time.sleep(1)  # folders are named by the second
    assert trackai("import", "wandb", tmp_path / "work", "--json").json["runs"] == 1
    assert ask("SELECT state FROM runs") == [("completed",)]
    assert ask("SELECT step, value FROM points WHERE metric = 'loss' ORDER BY step") == [
        (0, 2), (1, 2)
    ]  # fmt: skip
    assert ask("SELECT COUNT(*) FROM metrics") == [(6,)]


def record(kind: int, data: bytes) -> bytes:
    return struct.pack("<IHB", zlib.crc32(bytes([kind]) + data), len(data), kind) + data


def test_files_that_are_cut_anywhere_are_read_up_to_there(written: Path, tmp_path: Path) -> None:
    [file] = written.glob("offline-run-*/run-*.wandb")
    content = file.read_bytes()
    whole = logged(read_items(Source, file)[0])
    folder = tmp_path / "offline-run-cut"
    shutil.copytree(file.parent, folder)
    before: set[Any] = set()
    for length in range(0, len(content), 7):
        (folder / file.name).write_bytes(content[:length])
        found, receipt = read_items(Source, folder / file.name) if length >= 7 else ([], None)
        now = {point for point in logged(found) if not point[0].startswith("summary/")}
        assert before <= now <= whole
        before = now
        assert receipt is None or not receipt.problems
    assert before >= {("loss", 0, "1")}


@settings(max_examples=60)
@given(data=st.data())
def test_damage_costs_values_and_makes_none(
    written: Path, tmp_path: Path, data: st.DataObject
) -> None:
    [file] = written.glob("offline-run-*/run-*.wandb")
    content = bytearray(file.read_bytes())
    whole = logged(read_items(Source, file)[0])
    at = data.draw(st.integers(7, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    folder = tmp_path / "offline-run-damaged"
    shutil.copytree(file.parent, folder, dirs_exist_ok=True)
    (folder / file.name).write_bytes(content)
    found, receipt = read_items(Source, folder / file.name)
    assert {point for point in logged(found) if not point[0].startswith("summary/")} <= whole
    # Nothing protects the lengths, so damage at the end may look like the end of the file.
    assert receipt.problems or receipt.remarks


def test_a_damaged_block_is_skipped(tmp_path: Path) -> None:
    payloads = [bytes([number]) * 1000 for number in range(200)]
    content, parts = bytearray(HEADER), [*payloads]
    for payload in parts:
        room = 32768 - len(content) % 32768
        if room < 7:
            content += bytes(room)
            room = 32768
        if room - 7 >= len(payload):
            content += record(1, payload)
        else:
            content += record(2, payload[: room - 7]) + record(4, payload[room - 7 :])
    path = tmp_path / "run-x.wandb"
    path.write_bytes(content)
    assert [payload for _, payload in Log(path, HEADER).read()] == payloads
    content[40_000] ^= 1
    path.write_bytes(content)
    log = Log(path, HEADER)
    read = [payload for _, payload in log.read()]
    assert len(log.damaged_at) == 1
    assert 160 < len(read) < 200
    assert all(payload in payloads for payload in read)


def test_other_files_are_refused(tmp_path: Path, trackai: Trackai) -> None:
    path = tmp_path / "run-x.wandb"
    path.write_bytes(b"something else")
    assert "is not a record file" in trackai("import", "wandb", path, code=2).err
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "no runs of wandb found" in trackai("import", "wandb", empty, code=2).err
    with pytest.raises(InvalidInputError):
        read_items(Source, path)


def test_nothing_outside_of_the_folder_is_read(written: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    folder = shutil.copytree(written, tmp_path / "wandb", symlinks=True)
    [files] = folder.glob("offline-run-*/files")
    (files / "link.txt").symlink_to(tmp_path / "secret.txt")
    shutil.rmtree(files / "media")
    (files / "media").symlink_to(tmp_path)
    found, receipt = read_items(Source, folder)
    names = {head.name for head in found if isinstance(head, FileHead)}
    assert not names & {"link.txt", "secret.txt"}
    assert receipt.problems, "the media are missing"
    assert [head.run_id for head in found if isinstance(head, RunHead)] == ["all", "all"]


def test_progress_bars_are_folded() -> None:
    lines = Lines()
    found = list(lines.add("a\rb\rc", 10)) + list(lines.add("d\nnext\n", 20)) + list(lines.rest())
    assert found == [(20, "cd"), (21, "next")]
