"""Exporting folders of wandb, which come back the same, and which wandb can read."""

from __future__ import annotations

import json
import math
import struct
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import trackai as sdk
from tests.exporters.conftest import ATTEMPTS, BEGIN, call, rows, run_of, stored, write_store
from trackai.exporters.wandb.records import LogWriter
from trackai.importers.wandb.folders import HEADER
from trackai.importers.wandb.records import Log
from trackai.structs.exchange import Block, WriterHead

if TYPE_CHECKING:
    from tests.cli.conftest import Trackai
    from trackai.values.types import Kind

FILES = "SELECT path, kind, files.name, step, size, sha256 FROM files"
HEADS = "SELECT slug, name, group_name, state, created_at, notes FROM runs"
CONFIGS = "SELECT key, value FROM configs"


def there_and_back(store: Path, folder: Path) -> Path:
    """Export all runs, and return a store into which they were imported."""
    call("export", "wandb", "--all", "--db", store, "-o", folder / "wandb")
    call("import", "wandb", folder / "wandb", "--db", folder / "back.db")
    return folder / "back.db"


@pytest.fixture
def store(db_path: Path, tmp_path: Path) -> Path:
    """Create a store with all that wandb can hold."""
    (tmp_path / "notes.txt").write_text("words")
    with sdk.init(
        project="demo", id="all", name="äll", group="g", tags=["a", "b c"], notes="two\nlines",
        config={"opt": {"lr": 0.1, "betas": [0.9, 1]}, "big": 2**60 + 1, "none": None, "t": True},
    ) as run:  # fmt: skip
        for step in range(30):
            run.log({"loss": 1 / (step + 1), "n": 2**60 + step, "even": step % 2 == 0})
        run.log({"nan": math.nan, "up": math.inf, "down": -math.inf, "zero": -0.0, "one": 1.0})
        run.log({"text": 'a "text"\nü', "histogram": sdk.Histogram([1, 2, 2, 3], num_bins=3)})
        cell = sdk.Image(Image.new("L", (3, 3)))
        run.log(
            {
                "picture": sdk.Image(Image.new("RGB", (4, 5))),
                "table": sdk.Table(columns=["a", "b"], data=[[1, math.nan], [2, cell]]),
                "page": sdk.Html("<p>hi</p>"),
            }
        )
        run.log_system({"system/cpu": 0.5, "system/gpu": 3})
        run.alert("bad", text="it is bad", level="WARN")
        run.save(tmp_path / "notes.txt")
    for steps in (range(10), range(5, 12)):
        with sdk.init(project="demo", name="resumed", resume="allow") as run:
            run.log({"other": 1.0}, step=steps[0])
            for step in steps:
                run.log({"loss": float(step)}, step=step)
    return db_path


def test_what_goes_out_comes_back(store: Path, tmp_path: Path) -> None:
    back = there_and_back(store, tmp_path)
    columns = "project, run, path, axis, kind, attempt, step, time, value"
    assert stored(back, columns) == stored(store, columns)
    for query in (HEADS, CONFIGS, "SELECT tag FROM tags"):
        assert rows(back, query) == rows(store, query)
    assert len(rows(store, FILES)) == 5
    assert rows(back, FILES) == rows(store, FILES)


def test_own_reader_of_wandb(store: Path, tmp_path: Path) -> None:
    """The messages of wandb itself have every field that was written."""
    decode = import_module("wandb.proto.wandb_internal_pb2").Record.FromString
    call("export", "wandb", "all", "-o", tmp_path / "out")
    (path,) = (tmp_path / "out").glob("*/run-all.wandb")
    records = [decode(payload) for _, payload in Log(path, HEADER).read()]
    assert [record.num for record in records] == list(range(1, len(records) + 1))
    run = records[1].run
    assert (run.run_id, run.project, run.display_name) == ("all", "demo", "äll")
    assert (run.run_group, list(run.tags), run.notes) == ("g", ["a", "b c"], "two\nlines")
    config = {item.key: json.loads(item.value_json) for item in run.config.update}
    assert config["opt"] == {"lr": 0.1, "betas": [0.9, 1]}
    assert run.start_time.seconds * 1_000_000 + run.start_time.nanos // 1000 == dict(
        rows(store, "SELECT slug, created_at FROM runs")
    )["all"]  # fmt: skip
    history = [record.history for record in records if record.HasField("history")]
    assert [row.step.num for row in history] == list(range(34))
    items = {item.nested_key[0]: item.value_json for item in history[0].item}
    assert items.keys() == {"loss", "n", "even", "_step", "_timestamp", "_runtime"}
    listed = {file.path for record in records for file in record.files.files}
    folder = path.parent / "files"
    assert listed == {
        file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()
    }
    (alert,) = (record.alert for record in records if record.HasField("alert"))
    assert (alert.title, alert.text, alert.level) == ("bad", "it is bad", "WARN")
    (summary,) = (record.summary for record in records if record.HasField("summary"))
    assert json.loads(
        next(item.value_json for item in summary.update if item.nested_key == ["loss"])
    ) == pytest.approx(1 / 30)
    assert records[-1].WhichOneof("record_type") == "exit"
    assert records[-1].exit.exit_code == 0


def test_wandb_finds_the_runs(store: Path, tmp_path: Path) -> None:
    call("export", "wandb", "--all", "-o", tmp_path / "out")
    folders = sorted((tmp_path / "out").iterdir())
    assert [path.name.rpartition("-")[2] for path in folders] == ["all", "resumed", "resumed"]
    process = subprocess.run(
        [sys.executable, "-m", "wandb", "sync", "--dry-run", *folders],
        cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert "Would sync 3 run(s)" in process.stdout + process.stderr


def test_facts_of_the_environment(tmp_path: Path) -> None:
    facts = {1: {"os": "Linux"}, 2: {"os": "Linux", "cpu_count": 2}}
    items = run_of([{"m": [(1, 0, 1)]}, {"m": [(2, 0, 1)]}], environment=facts)
    write_store(tmp_path / "store.db", items)
    call("export", "wandb", "r", "--db", tmp_path / "store.db", "-o", tmp_path / "out")
    paths = sorted((tmp_path / "out").glob("*/files/wandb-metadata.json"))
    assert [json.loads(path.read_text()) for path in paths] == list(facts.values())


@given(attempts=ATTEMPTS)
@settings(max_examples=15)
def test_whatever_the_points_are(attempts: list[dict[str, list[tuple[Any, int, Any]]]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_store(folder / "store.db", run_of(attempts))
        before = stored(folder / "store.db")
        after = stored(there_and_back(folder / "store.db", folder))
        assert after == sorted(map(as_in_wandb, before), key=repr)


def as_in_wandb(point: tuple[Any, ...]) -> tuple[Any, ...]:
    path, attempt, step, time, value = point
    return f"{path}_" if path == "_step" else path, attempt, integer(step), time, value


def integer(step: Any) -> Any:
    """Return a step as an integer where it is one; others stay the bits of a float."""
    number = struct.unpack("<d", step)[0] if isinstance(step, bytes) else step
    return int(number) if number == number // 1 else step


@given(st.lists(st.binary(max_size=50) | st.integers(32_700, 32_800).map(bytes), max_size=12))
@settings(max_examples=50)
def test_records_of_every_length(records: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "log"
        with path.open("wb") as file:
            writer = LogWriter(file, HEADER)
            for record in records:
                writer.write(record)
        log = Log(path, HEADER)
        assert [payload for _, payload in log.read()] == records
        assert (log.damaged_at, log.truncated_at) == ([], None)


@pytest.mark.parametrize("state", ["completed", "failed", "running"])
def test_states_come_back(tmp_path: Path, state: str) -> None:
    items = run_of([{"loss": [(0, 0, 1.0)]}], state=state, finished_at=None)
    write_store(tmp_path / "store.db", items)
    back = there_and_back(tmp_path / "store.db", tmp_path)
    assert rows(back, "SELECT state FROM runs") == [(state,)]


def test_names_that_wandb_refuses(trackai: Trackai, tmp_path: Path) -> None:
    store = tmp_path / "store.db"
    # The first digits of a uid are those of the time, and the same for many runs.
    uid = "01a22f72326f73f7b2f51484abcdef98"
    write_store(store, run_of([{"m": [(1, 0, 1)]}], uid=uid, project="a/b", run_id="x:1"))
    output = trackai("export", "wandb", "--all", "--db", store, "-o", tmp_path / "out", "--json")
    assert [remark["remark"] for remark in output.json["remarks"]] == [
        "its id becomes x-1-abcdef98",
        "the project a/b becomes a-b",
    ]
    (folder,) = (tmp_path / "out").iterdir()
    assert folder.name == "offline-run-20260921_141320-x-1-abcdef98"
    assert BEGIN // 1_000_000 == 1_790_000_000


def test_numbers_of_configurations_keep_their_types(tmp_path: Path) -> None:
    config = {"nan": "NaN", "text": "NaN", "int": 1, "float": 1.0, "empty": {}, "list": [None]}
    items = run_of([{}], config=config, config_types={"nan": "float"})
    write_store(tmp_path / "store.db", items)
    back = there_and_back(tmp_path / "store.db", tmp_path)
    assert rows(back, CONFIGS) == rows(tmp_path / "store.db", CONFIGS)
    (path,) = (tmp_path / "wandb").glob("*/*.wandb")
    assert b"NaN" in path.read_bytes()


def test_system_metrics_console_and_axes(trackai: Trackai, tmp_path: Path) -> None:
    """What is not in rows, with the words that it needs."""
    config = {"_wandb/x_axis/val/*": "epoch", "_wandb/job_type": "train", "_wandb/other": 1}
    items = run_of([{"val/loss": [(3, 0, 0.5)], "epoch": [(3, 0, 1)]}], config=config)
    writer = items[1].writer
    series: list[tuple[str, Kind, list[Any]]] = [
        ("gpu", "number", [1, "text", 2.5]),
        ("system/cpu", "bool", [True, False, True]),
        ("logs/stdout", "text", ["one", "", "ü"]),
        ("other", "text", ["a", "b", "c"]),
    ]
    for metric, kind, values in series:
        times = [BEGIN, BEGIN + 1, BEGIN + 2]
        items.append(
            Block(run_uid="a" * 32, metric=metric, axis="time", kind=kind, writer=writer,
                  steps=[*times], timestamps=times, values=values)
        )  # fmt: skip
    store = tmp_path / "store.db"
    write_store(store, items)
    output = trackai("export", "wandb", "r", "--db", store, "-o", tmp_path / "out", "--json")
    assert {remark["remark"] for remark in output.json["remarks"]} == {
        "the system metric gpu becomes system/gpu",
        "system metrics that are not numbers are left out (4)",
        "keys below _wandb in the configuration are left out (1)",
    }
    trackai("import", "wandb", tmp_path / "out", "--db", tmp_path / "back.db")
    columns = "path, axis, kind, time, value"
    expected = [
        ("system/gpu", *row[1:]) if row[0] == "gpu" else row
        for row in stored(store, columns)
        if row[0] != "other" and row[4] != "text"
    ]
    assert stored(tmp_path / "back.db", columns) == sorted(expected, key=repr)
    assert dict(rows(tmp_path / "back.db", CONFIGS)) == {
        "_wandb/x_axis/val/*": '"epoch"', "_wandb/job_type": '"train"',
    }  # fmt: skip


def test_media_of_several_steps(db_path: Path, tmp_path: Path) -> None:
    """Equal bytes are copied once, and files of one name are all kept."""
    picture = sdk.Image(Image.new("RGB", (4, 5)))
    with sdk.init(project="p", id="r") as run:
        for step in range(3):
            run.log(
                {"same": picture, "two": [picture, sdk.Image(Image.new("L", (2, 2)))]}, step=step
            )
        run.log({"sounds": [sdk.Html("<p>1</p>"), sdk.Html("<p>2</p>")]}, step=3)
    back = there_and_back(db_path, tmp_path)
    assert rows(back, FILES) == rows(db_path, FILES)
    assert len(rows(back, FILES)) == 11


def test_a_histogram_that_is_none(tmp_path: Path) -> None:
    items = run_of([{}])
    for step, value in enumerate(['{"edges": [1], "values": [2]}', "[]", '{"edges": 3}', "x"]):
        items.append(
            Block(run_uid="a" * 32, metric=f"h{step}", kind="histogram",
                  writer=WriterHead(uid="w" * 32), steps=[step], timestamps=[BEGIN], values=[value])
        )  # fmt: skip
    write_store(tmp_path / "store.db", items)
    back = there_and_back(tmp_path / "store.db", tmp_path)
    assert stored(back, "path, kind, value") == stored(tmp_path / "store.db", "path, 'text', value")


def test_an_import_again_adds_nothing(store: Path, tmp_path: Path) -> None:
    back = there_and_back(store, tmp_path)
    before = stored(back), rows(back, FILES)
    call("import", "wandb", tmp_path / "wandb", "--db", back)
    assert (stored(back), rows(back, FILES)) == before
