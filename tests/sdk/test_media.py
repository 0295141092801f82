"""Images, sounds, tables and histograms: how they are logged and stored."""

from __future__ import annotations

import io
import json
import math
import os
import signal
import sqlite3
import time
import wave
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image as PillowImage

import trackai
from trackai.errors import InvalidInputError
from trackai.ingest.journal import BYTES, JournalWriter
from trackai.store.catalogue.files import blob_path

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path


def query(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def content(db_path: Path, metric: str) -> list[bytes]:
    hashes = query(db_path, f"SELECT sha256 FROM files WHERE path = '{metric}' ORDER BY id")
    return [blob_path(db_path, sha256).read_bytes() for (sha256,) in hashes]


def pixels(data: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(PillowImage.open(io.BytesIO(data)))


def test_images_are_stored_at_the_step_of_the_call(db_path: Path, tmp_path: Path) -> None:
    square = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    PillowImage.fromarray(square).save(tmp_path / "mine.png")
    with trackai.init(project="p"):
        trackai.log({"loss": 1.0})
        trackai.log(
            {
                "loss": 0.5,
                "one": trackai.Image(square, caption="a/b: c"),
                "nested": {"some": [trackai.Image(square), trackai.Image(square, caption="two")]},
                "by path": trackai.Image(tmp_path / "mine.png"),
                "by pillow": PillowImage.fromarray(square),
            }
        )
        trackai.log({"loss": 0.1})
    assert query(db_path, "SELECT path, kind, name, step FROM files ORDER BY path, id") == [
        ("by path", "file_series", "1.png", 1),
        ("by pillow", "file_series", "1.png", 1),
        ("nested/some", "file_series", "0.png", 1),
        ("nested/some", "file_series", "1 two.png", 1),
        ("one", "file_series", "a b  c.png", 1),
    ]
    assert query(db_path, "SELECT source FROM files WHERE source <> ''") == [
        (str(tmp_path / "mine.png"),)
    ]
    for metric in ("one", "nested/some", "by path", "by pillow"):
        for data in content(db_path, metric):
            assert np.array_equal(pixels(data), square)
    assert query(db_path, "SELECT step, value FROM points ORDER BY step") == [
        (0, 1.0), (1, 0.5), (2, 0.1),
    ]  # fmt: skip
    assert not list(db_path.parent.glob(f"*-spool/*{BYTES}"))


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([[0.0, 1.0], [0.5, np.nan]]), [[0, 255], [128, 0]]),
        (np.array([[[0], [7]]], dtype=np.uint8), [[0, 7]]),
        (np.zeros((3, 5, 6)), np.zeros((5, 6, 3))),  # channels first, as PyTorch has them
        (np.array([[True, False]]), [[255, 0]]),
        (np.array([[300, -3]]), [[255, 0]]),
    ],
)
def test_arrays_become_images(db_path: Path, array: Any, expected: Any) -> None:
    with trackai.init(project="p"):
        trackai.log({"image": trackai.Image(array)})
    assert np.array_equal(pixels(content(db_path, "image")[0]), expected)


def test_sounds_pages_and_texts(db_path: Path) -> None:
    with trackai.init(project="p"):
        trackai.log(
            {
                "sound": trackai.Audio(np.array([[0.0, 1.0], [-1.0, 0.5]]), sample_rate=8000),
                "page": trackai.Html("<p>ü"),
                "report": trackai.Markdown("# Well"),
            }
        )
    with wave.open(io.BytesIO(content(db_path, "sound")[0])) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getnframes()) == (8000, 2, 2)
        assert np.frombuffer(sound.readframes(2), "<i2").tolist() == [0, 32767, -32767, 16384]
    assert content(db_path, "page") == ["<p>ü".encode()]
    assert query(db_path, "SELECT metric, value FROM points") == [("report", "# Well")]


def test_a_table_is_stored_as_json(db_path: Path) -> None:
    table = trackai.Table(columns=["name", "value"], data=[["a", np.float32(0.5)]])
    table.add_data("b", float("nan"))
    with trackai.init(project="p"):
        trackai.log({"table": table})
    assert json.loads(content(db_path, "table")[0]) == {
        "columns": ["name", "value"],
        "data": [["a", 0.5], ["b", "NaN"]],
    }
    with pytest.raises(InvalidInputError, match="must be 2, got 3"):
        table.add_data(1, 2, 3)


def test_images_in_a_table_are_files_that_its_cells_refer_to(db_path: Path) -> None:
    square = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    table = trackai.Table(columns=["input", "label", 7])
    table.add_data(trackai.Image(square), "a", trackai.Histogram(np_histogram=([3], [0, 1])))
    table.add_data(PillowImage.fromarray(square), "b", trackai.Markdown("# c"))
    table.add_data([trackai.Image(square, caption="x")], "c", trackai.Table(["a"], [[1]]))
    with trackai.init(project="p"):
        trackai.log({"rows": table, "pages": [trackai.Html("1"), trackai.Table([1], [["x"]])]})
        trackai.log({"rows": table})
    assert json.loads(content(db_path, "rows")[1])["data"] == [
        [{"file": "rows/input", "name": "0.png"}, "a",
         {"type": "COUNTING", "edges": [0, 1], "values": [3]}],
        [{"file": "rows/input", "name": "1.png"}, "b", "# c"],
        [[{"file": "rows/input", "name": "2 x.png"}], "c",
         {"file": "rows/7", "name": "0.table.json"}],
    ]  # fmt: skip
    names = query(db_path, "SELECT path, name FROM files WHERE step = 0 ORDER BY path, id")
    assert names == [
        ("pages", "0.html"), ("pages", "1.table.json"), ("rows", "0.table.json"),
        ("rows/7", "0.table.json"), ("rows/input", "0.png"), ("rows/input", "1.png"),
        ("rows/input", "2 x.png"),
    ]  # fmt: skip
    for data in content(db_path, "rows/input"):
        assert np.array_equal(pixels(data), square)


def test_a_table_of_an_array() -> None:
    arrays: list[Any] = [np.arange(4).reshape(2, 2), np.zeros((0, 2)), []]
    for data in arrays:
        table = trackai.Table(columns=["a", "b"], data=data)
        assert json.loads(table.open().read())["data"] == np.asarray(data).tolist()


@pytest.mark.parametrize(
    "values",
    [[1e308, -1e308], np.full(5, 1e17), [-1.7e308], [5e-324] * 2, [1e17, 1e17 + 16], [], [0, 0]],
)
def test_histograms_of_values_that_numpy_cannot_bin(values: Any) -> None:
    histogram = trackai.Histogram(values)
    assert sum(histogram.histogram) == len(values)
    assert histogram.bins == sorted(set(histogram.bins))
    assert all(map(math.isfinite, histogram.bins))


def test_histograms_are_a_series(db_path: Path) -> None:
    with trackai.init(project="p"):
        trackai.log({"grad": trackai.Histogram([0, 1, 1, float("inf")], num_bins=2), "loss": 1.0})
        trackai.log({"grad": trackai.Histogram(np_histogram=([3, 4], [0, 1, 2]))})
    assert query(db_path, "SELECT path, kind, points FROM series ORDER BY path") == [
        ("grad", "histogram", 2), ("loss", "number", 1),
    ]  # fmt: skip
    values = query(db_path, "SELECT step, value FROM points WHERE metric = 'grad' ORDER BY step")
    assert [(step, json.loads(value)) for step, value in values] == [
        (0, {"type": "COUNTING", "edges": [0.0, 0.5, 1.0], "values": [1, 2]}),
        (1, {"type": "COUNTING", "edges": [0, 1, 2], "values": [3, 4]}),
    ]


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: trackai.Image("no such file.png"), InvalidInputError),
        (lambda: trackai.Image(np.zeros(3)), TypeError),
        (lambda: trackai.Image(np.zeros((2, 2), dtype=complex)), TypeError),
        (lambda: trackai.Image(object()), TypeError),
        (lambda: trackai.Image(np.zeros((2, 2)), caption=1), TypeError),  # type: ignore[arg-type]
        (lambda: trackai.Audio(np.zeros(3)), InvalidInputError),
        (lambda: trackai.Audio(np.zeros((3, 3, 3)), 8000), TypeError),
        (lambda: trackai.Video(np.zeros((3, 3, 3))), TypeError),
        (lambda: trackai.Html(b"bytes"), TypeError),
        (lambda: trackai.Histogram(), InvalidInputError),
        (lambda: trackai.Histogram([1], np_histogram=([1], [0, 1])), InvalidInputError),
        (lambda: trackai.Histogram(np_histogram=([1], [0])), InvalidInputError),
        (lambda: trackai.Histogram(np_histogram=([1], [1, 0])), InvalidInputError),
        (lambda: trackai.Histogram(np_histogram=([-1], [0, 1])), InvalidInputError),
        (lambda: trackai.Markdown(1), TypeError),
    ],
)
def test_invalid_media_are_refused_at_once(make: Callable[[], Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        make()


def test_a_call_with_invalid_media_stores_nothing(db_path: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone.txt"
    gone.write_text("x")
    image = trackai.Image(np.zeros((2, 2)))
    video = trackai.Video(gone)
    gone.unlink()
    with trackai.init(project="p", strict=True):
        with pytest.raises(TypeError, match="system metric 'image'"):
            trackai.log_system({"load": 1.0, "image": image})
        with pytest.raises(InvalidInputError, match="gone"):
            trackai.log({"loss": 1.0, "video": video})
        with pytest.raises(TypeError, match="'bad'"):
            trackai.log({"image": image, "bad": object()})
    assert query(db_path, "SELECT COUNT(*) FROM files") == [(0,)]
    assert query(db_path, "SELECT COUNT(*) FROM metrics") == [(0,)]


def test_training_goes_on_when_a_file_cannot_be_written(
    db_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with trackai.init(project="p"):
        monkeypatch.setattr(JournalWriter, "keep", full)
        trackai.log({"loss": 1.0, "image": trackai.Image(np.zeros((2, 2)))})
    assert "could not be stored" in caplog.text
    assert query(db_path, "SELECT COUNT(*) FROM metrics") == [(1,)]


def test_a_file_is_refused_if_the_run_is_finished_while_it_is_read(
    db_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "late.txt").write_text("x")
    run = trackai.init(project="p")
    keep = JournalWriter.keep

    def slowly(journal: JournalWriter, write_to: Callable[..., object]) -> Any:
        stored = keep(journal, write_to)
        run.finish()
        return stored

    monkeypatch.setattr(JournalWriter, "keep", slowly)
    with pytest.raises(trackai.NoActiveRunError):
        run.save(tmp_path / "late.txt")


def test_a_file_survives_a_crash_of_its_process(
    db_path: Path, run_python: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    died = run_python(
        """
        import os, signal, trackai
        from trackai.sdk import recorder
        recorder._POLL_SECONDS = 60
        trackai.init(project="p", name="r")
        for step in range(3):
            trackai.log({"page": trackai.Html(f"<p>{step}"), "loss": 1.0})
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL
    assert len(list(db_path.parent.glob(f"*-spool/*{BYTES}"))) == 3
    trackai.init(project="p", name="another")
    trackai.finish()
    assert content(db_path, "page") == [b"<p>0", b"<p>1", b"<p>2"]
    assert query(db_path, "SELECT state FROM runs WHERE slug = 'r'") == [("failed",)]
    assert not list(db_path.parent.glob(f"*-spool/*{BYTES}"))


def test_a_forked_process_logs_files_too(
    db_path: Path, run_python: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    run_python(
        """
        import os, trackai
        with trackai.init(project="p"):
            if (pid := os.fork()) == 0:
                trackai.log({"page": trackai.Html("child")})
                os._exit(0)
            os.waitpid(pid, 0)
            trackai.log({"page": trackai.Html("parent")})
        """
    )
    assert sorted(content(db_path, "page")) == [b"child", b"parent"]


def test_abandoned_bytes_are_removed_after_a_while(db_path: Path) -> None:
    spool = db_path.with_name(db_path.name + "-spool")
    spool.mkdir(parents=True)
    old, young, damaged = (spool / f"1-{name}-x{BYTES}" for name in ("old", "young", "damaged"))
    for path in (old, young, damaged):
        path.write_bytes(b"x")
    for path in (old, damaged):
        os.utime(path, (time.time() - 7200, time.time() - 7200))
    (spool / "1-damaged-000000.journal.damaged").write_bytes(b"x")
    trackai.init(project="p")
    trackai.finish()
    assert {path.name for path in spool.glob(f"*{BYTES}")} == {young.name, damaged.name}
