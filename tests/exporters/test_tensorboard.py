"""Exporting event files, which come back the same, and which TensorBoard can read."""

from __future__ import annotations

import math
import struct
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from tensorboard.util.tensor_util import make_ndarray

import trackai as sdk
from tests.exporters.conftest import ATTEMPTS, BEGIN, call, rows, run_of, stored, write_store
from trackai.exporters.images import size_of
from trackai.exporters.tensorboard import values

if TYPE_CHECKING:
    from tests.cli.conftest import Trackai


def there_and_back(store: Path, folder: Path, project: str = "p") -> Path:
    """Export all runs, and return a store into which those of a project were imported."""
    call("export", "tensorboard", "--all", "--db", store, "-o", folder / "logs")
    call("import", "tensorboard", folder / "logs" / project, "--db", folder / "back.db")
    return folder / "back.db"


@pytest.fixture
def store(db_path: Path) -> Path:
    """Create a store with all that event files can hold."""
    with sdk.init(
        project="demo", id="all", group="g", tags=["a"], notes="words",
        config={"lr": 0.1, "opt": {"name": "adam"}, "n": 3, "list": [1, "x"], "none": None},
    ) as run:  # fmt: skip
        for step in range(5):
            run.log({"loss": 1 / (step + 1), "n": 2**60 + step, "even": step % 2 == 0})
        run.log({"nan": math.nan, "up": math.inf, "large": 1e308, "zero": -0.0})
        run.log({"text": "some\nwords", "histogram": sdk.Histogram([1, 2, 2, 3], num_bins=2)})
        run.log(
            {"picture": [sdk.Image(Image.new("RGB", (4, 5))), sdk.Image(Image.new("L", (2, 2)))]}
        )
    return db_path


def test_what_goes_out_comes_back(store: Path, tmp_path: Path) -> None:
    back = there_and_back(store, tmp_path, "demo")
    columns = "project, run, path, axis, kind, attempt, step, time, value"
    others = ("histogram", "run/notes", "run/tags", "run/environment")
    before, after = (
        [row for row in stored(path, columns) if row[2] not in others] for path in (store, back)
    )
    assert [(*row[:4], *row[5:]) for row in after] == [(*row[:4], *row[5:]) for row in before]
    assert {row[4] for row in after} == {row[4] for row in before}
    query = "SELECT slug, group_name, state, created_at, finished_at FROM runs"
    assert rows(back, query) == rows(store, query)
    assert rows(back, "SELECT key, value FROM configs") == rows(
        store, "SELECT key, value FROM configs"
    )
    query = "SELECT path, kind, step, size, sha256 FROM files WHERE kind = 'file_series'"
    assert rows(back, query) == rows(store, query)
    texts = {row[0]: row[4] for row in stored(back)}
    assert (texts["run/notes"], texts["run/tags"]) == ("words", '["a"]')
    assert texts["histogram"] == '{"type":"COUNTING","edges":[1.0,2.0,3.0],"values":[1.0,3.0]}'


def test_own_reader_of_tensorboard(store: Path, tmp_path: Path) -> None:
    call("export", "tensorboard", "all", "-o", tmp_path / "out")
    events = EventAccumulator(str(tmp_path / "out" / "demo" / "all"))
    events.Reload()
    plugins = {
        tag: events.SummaryMetadata(tag).plugin_data.plugin_name for tag in events.Tags()["tensors"]
    }
    scalars = {tag for tag, plugin in plugins.items() if plugin == "scalars"}
    assert scalars == {"loss", "n", "even", "nan", "up", "large", "zero"}
    assert {plugins[tag] for tag in ("text", "histogram", "picture")} == {
        "text", "histograms", "images",
    }  # fmt: skip
    loss = events.Tensors("loss")
    assert [event.step for event in loss] == list(range(5))
    assert [make_ndarray(event.tensor_proto).item() for event in loss] == [
        struct.unpack("<f", struct.pack("<f", 1 / (step + 1)))[0] for step in range(5)
    ]
    assert make_ndarray(events.Tensors("large")[0].tensor_proto).item() == math.inf
    assert make_ndarray(events.Tensors("histogram")[0].tensor_proto).tolist() == [
        [1, 2, 1], [2, 3, 3],
    ]  # fmt: skip
    assert events.Tensors("picture")[0].tensor_proto.string_val[:2] == [b"4", b"5"]
    content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    start = HParamsPluginData.FromString(content).session_start_info
    assert start.group_name == "g"
    assert start.hparams["opt/name"].string_value == "adam"


@given(attempts=ATTEMPTS)
@settings(max_examples=15)
def test_whatever_the_points_are(attempts: list[dict[str, list[tuple[Any, int, Any]]]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_store(folder / "store.db", run_of(attempts))
        before = stored(folder / "store.db")
        after = stored(there_and_back(folder / "store.db", folder))
        assert after == sorted(map(as_in_tensorboard, before), key=repr)


def as_in_tensorboard(point: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return what a point becomes: fractions of steps are cut."""
    path, attempt, step, time, value = point
    step = int(struct.unpack("<d", step)[0]) if isinstance(step, bytes) else step
    return path, attempt, step, time, value


@pytest.mark.parametrize(
    ("value", "is_rounded"),
    [
        (0.1, True), (0.5, False), (1e308, True), (math.nan, False), (math.inf, False),
        (2**60 + 1, True), (2**60, False), (7, False), (True, False),
    ],
)  # fmt: skip
def test_scalars_hold_exact_values_too(value: float, is_rounded: bool) -> None:
    tensor = values.scalar(value)
    assert len(tensor.float_val) == 1
    assert values.is_rounded(tensor) is is_rounded


def test_texts_among_numbers_get_a_tag_of_their_own(trackai: Trackai, tmp_path: Path) -> None:
    store = tmp_path / "store.db"
    write_store(store, run_of([{"m": [(0, 0, 1.0), (1, 1, "word"), (2, 2, 2.0)]}]))
    arguments = ("r", "--db", store, "-o", tmp_path / "out", "--json")
    output = trackai("export", "tensorboard", *arguments)
    assert output.json["remarks"] == [
        {"where": "run r", "remark": "the text of m become m/text (1)"}
    ]
    call("import", "tensorboard", tmp_path / "out" / "p", "--db", tmp_path / "back.db")
    assert set(stored(tmp_path / "back.db", "path, value, time")) == {
        ("m", struct.pack("<d", 1.0), BEGIN), ("m", struct.pack("<d", 2.0), BEGIN + 2),
        ("m/text", "word", BEGIN + 1),
    }  # fmt: skip


@pytest.mark.parametrize("format_", ["png", "gif", "jpeg", "bmp"])
def test_sizes_of_images(tmp_path: Path, format_: str) -> None:
    Image.new("RGB", (70, 9)).save(tmp_path / "image", format_)
    data = (tmp_path / "image").read_bytes()
    assert size_of(data) == (None if format_ == "bmp" else (70, 9))
    for end in range(len(data)):
        assert size_of(data[:end]) in (None, (70, 9))
