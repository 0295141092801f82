"""Importing event files that TensorBoard's own writers wrote."""

from __future__ import annotations

import json
import math
import shutil
import struct
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from trackai.store.catalogue.files import blob_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Trackai

    Ask = Callable[..., list[tuple[Any, ...]]]

POINTS = """
    SELECT runs.name, path, kind, step, metrics.timestamp, value FROM metrics
    JOIN series ON series.id = series_id JOIN runs ON runs.id = series.run_id
    ORDER BY runs.name, path, step, metrics.timestamp, writer_id
"""
EVERYTHING = """
    SELECT runs.uid, path, kind, step, metrics.timestamp, value, writers.uid, attempt FROM metrics
    JOIN series ON series.id = series_id JOIN runs ON runs.id = series.run_id
    JOIN writers ON writers.id = writer_id
    ORDER BY runs.uid, path, step, metrics.timestamp, writers.uid
"""
# tensorboardX writes the same events as torch.utils.tensorboard.
TENSORBOARDX = """
    import sys
    import numpy as np
    from tensorboardX import SummaryWriter

    writer = SummaryWriter(sys.argv[1])
    for step in range(5):
        writer.add_scalar("loss", 1 / (step + 1), step, walltime=1000.0 + step)
    writer.add_scalar("odd", float("nan"), 0, walltime=1.5)
    writer.add_scalar("odd", float("inf"), 1, walltime=1.5)
    writer.add_scalar("odd", float("-inf"), 1, walltime=1.5)
    writer.add_scalar("odd", 7.0, 1, walltime=1.25)
    writer.add_text("note", "hello\\nworld", 2, walltime=1002.0)
    writer.add_histogram("weights", np.array([0.0, 1.0, 1.0, 2.0]), 3, bins=[0.0, 1.0, 2.0])
    writer.add_image("picture", np.zeros((3, 4, 4)), 4, walltime=1004.0)
    writer.add_scalars("both", {"train": 1.0, "val": 2.0}, 1, walltime=1005.0)
    writer.add_hparams({"lr": 0.1, "size": 32, "name": "adam", "flag": True}, {"hp/loss": 0.25},
                       name="trial")
    writer.close()
"""
# Tensors, as TensorFlow 2 writes them, by TensorBoard's own writer.
TENSORS = """
    import sys, warnings
    warnings.simplefilter("ignore")
    import numpy as np
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.histogram.summary_v2 import histogram_pb
    from tensorboard.plugins.scalar.summary_v2 import scalar_pb
    from tensorboard.plugins.text.summary_v2 import text_pb
    from tensorboard.summary.writer.event_file_writer import EventFileWriter
    from tensorboard.util.tensor_util import make_tensor_proto

    writer = EventFileWriter(sys.argv[1])
    first = True
    for step in range(3):
        for summary in (
            scalar_pb("loss", 0.5 / (step + 1)),
            text_pb("note", f"step {step}"),
            text_pb("table", np.array([["a", "b"], ["c", "d"]])),
            histogram_pb("weights", np.arange(10.0), buckets=3),
        ):
            if not first:  # only the first value of a tag has metadata
                summary.value[0].ClearField("metadata")
            writer.add_event(Event(wall_time=2000.0 + step, step=step, summary=summary))
        first = False
    numbers = {"double": np.float64(0.1), "int": np.int32(7), "flag": np.bool_(True)}
    for tag, number in numbers.items():
        value = Summary.Value(tag=tag, tensor=make_tensor_proto(number))
        writer.add_event(Event(wall_time=2010.0, step=1, summary=Summary(value=[value])))
    value = Summary.Value(tag="matrix", tensor=make_tensor_proto(np.zeros((2, 2))))
    writer.add_event(Event(wall_time=2011.0, step=1, summary=Summary(value=[value])))
    writer.add_event(Event(wall_time=2012.0, graph_def=b"xyz"))
    writer.close()
"""


def write(script: str, *arguments: object, code: int = 0) -> None:
    process = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert process.returncode == code, process.stderr


@pytest.fixture(scope="module")
def logdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a folder of runs."""
    path = tmp_path_factory.mktemp("tensorboard") / "logs"
    write(TENSORBOARDX, path / "x")
    write(TENSORS, path / "deep" / "tf2")
    return path


def single(value: float) -> float:
    """Round a number to the 32 bits of TensorBoard's scalars."""
    [number] = struct.unpack("<f", struct.pack("<f", value))
    return float(number)


def test_what_tensorboardx_writes(logdir: Path, trackai: Trackai, ask: Ask, db_path: Path) -> None:
    receipt = trackai("import", "tensorboard", logdir / "x", "--project", "p", "--json").json
    assert receipt["complete"] is True
    assert (receipt["runs"], receipt["new_runs"]) == (4, 4)
    assert receipt["types"]["metrics"]["read"] == 5 + 4 + 2 + 1
    points: dict[tuple[str, str], list[Any]] = {}
    for run, path, kind, step, time, value in ask(POINTS):
        points.setdefault((run, path), []).append((kind, step, time, value))
    assert points["x", "loss"] == [
        ("number", step, (1000 + step) * 10**6, single(1 / (step + 1))) for step in range(5)
    ]
    assert [point[1:] for point in points["x", "odd"]] == [
        (0, 1_500_000, None), (1, 1_250_000, 7.0), (1, 1_500_000, math.inf),
        (1, 1_500_000, -math.inf),
    ]  # fmt: skip
    assert points["x", "note/text_summary"] == [("text", 2, 1002 * 10**6, "hello\nworld")]
    [(kind, step, _, text)] = points["x", "weights"]
    assert (kind, step) == ("histogram", 3)
    histogram = json.loads(text)
    assert sum(histogram["values"]) == 4
    assert len(histogram["edges"]) == len(histogram["values"]) + 1
    assert histogram["edges"] == sorted(histogram["edges"])
    # add_scalars and add_hparams write separate runs in subfolders.
    assert points["both/train", "both"] == [("number", 1, 1005 * 10**6, 1.0)]
    assert [point[3] for point in points["trial", "hp/loss"]] == [0.25]
    assert ask(
        "SELECT key, value FROM configs JOIN runs ON runs.id = run_id WHERE name = 'trial'"
    ) == [("flag", "true"), ("lr", "0.1"), ("name", '"adam"'), ("size", "32")]
    [(path, name, step, sha256)] = ask("SELECT path, name, step, sha256 FROM files")
    assert (path, name, step) == ("picture", "picture-4.png", 4)
    assert blob_path(db_path, sha256).read_bytes().startswith(b"\x89PNG")
    assert set(ask("SELECT state FROM runs")) == {("completed",)}
    assert ask("SELECT name FROM projects") == [("p",)]


def test_relative_paths(
    logdir: Path, trackai: Trackai, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runs of a folder or file do not depend on how its path is written."""
    monkeypatch.chdir(logdir / "x")
    for path, new in (("both/..", 4), (".", 0), (logdir / "x", 0)):
        receipt = trackai("import", "tensorboard", path, "--json").json
        assert (receipt["runs"], receipt["new_runs"], receipt["problems"]) == (4, new, [])
    [file] = (path for path in (logdir / "x").iterdir() if path.is_file())
    receipt = trackai("import", "tensorboard", file.name, "--json").json
    assert (receipt["runs"], receipt["new_runs"]) == (1, 0)
    assert ask("SELECT name FROM projects") == [("x",)]


def test_tensors_of_tf2(logdir: Path, trackai: Trackai, ask: Ask) -> None:
    receipt = trackai("import", "tensorboard", logdir, "--json", code=4).json
    assert receipt["runs"] == 5
    assert receipt["totals"]["not_stored"] == {
        "tensors of this type or shape are not supported": 1,
        "graphs are not supported": 1,
    }
    points = [row[1:] for row in ask(POINTS) if row[0] == "deep/tf2"]
    scalars = [
        (path, step, time // 10**6, value)
        for path, kind, step, time, value in points
        if kind in ("number", "bool")
    ]
    assert scalars == [
        ("double", 1, 2010, 0.1),
        ("flag", 1, 2010, 1),
        ("int", 1, 2010, 7),
        *(("loss", step, 2000 + step, single(0.5 / (step + 1))) for step in range(3)),
    ]
    texts = [(path, step, value) for path, kind, step, _, value in points if kind == "text"]
    assert texts == [
        *(("note", step, f"step {step}") for step in range(3)),
        *(("table", step, '["a","b","c","d"]') for step in range(3)),
    ]
    histograms = [json.loads(value) for _, kind, *_, value in points if kind == "histogram"]
    assert (
        histograms
        == [{"type": "COUNTING", "edges": [0.0, 3.0, 6.0, 9.0], "values": [3.0, 3.0, 4.0]}] * 3
    )
    [(project,)] = ask("SELECT name FROM projects")
    assert project == "logs"


def test_again_nothing_is_new(logdir: Path, trackai: Trackai, ask: Ask) -> None:
    trackai("import", "tensorboard", logdir, code=4)
    before = ask(EVERYTHING), ask("SELECT * FROM files"), ask("SELECT * FROM runs")
    receipt = trackai("import", "tensorboard", logdir, "--json", code=4).json
    assert (receipt["new_runs"], receipt["stored"], receipt["totals"]["stored"]) == (0, 0, 0)
    assert (ask(EVERYTHING), ask("SELECT * FROM files"), ask("SELECT * FROM runs")) == before


GROWING = """
    import os, signal, sys, time
    from tensorboardX import SummaryWriter

    writer = SummaryWriter(sys.argv[1])
    first, last = int(sys.argv[2]), int(sys.argv[3])
    for step in range(first, last):
        writer.add_scalar("loss", step / 2, step)
    if len(sys.argv) > 4:
        for _ in range(20):  # a thread writes the events, at some time after the flush
            writer.flush()
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGKILL)
    writer.close()
"""


def test_a_log_that_grows(tmp_path: Path, trackai: Trackai, ask: Ask) -> None:
    """The file is imported several times while it grows."""
    write(GROWING, tmp_path / "complete", 0, 40)
    [complete] = (tmp_path / "complete").iterdir()
    data = complete.read_bytes()
    growing = tmp_path / "logs" / "run" / complete.name
    growing.parent.mkdir(parents=True)
    seen = 0
    for end in range(0, len(data), len(data) // 7):
        growing.write_bytes(data[:end])
        receipt = trackai("import", "tensorboard", tmp_path / "logs", "--json").json
        remarks = [remark["problem"] for remark in receipt["remarks"]]
        assert (
            not remarks
            or "ends within the record" in remarks[0]
            or remarks == ["the file is empty"]
        )
        assert receipt["points"] - receipt["stored"] == seen
        seen = receipt["points"]
    growing.write_bytes(data)
    receipt = trackai("import", "tensorboard", tmp_path / "logs", "--json").json
    assert receipt["remarks"] == []
    assert [(row[3], row[5]) for row in ask(POINTS)] == [(step, step / 2) for step in range(40)]
    [(runs, finished, last)] = ask(
        "SELECT COUNT(*), max(finished_at), (SELECT max(timestamp) FROM metrics) FROM runs"
    )
    assert (runs, finished) == (1, last)


def test_a_run_that_was_killed_and_resumed(tmp_path: Path, trackai: Trackai, ask: Ask) -> None:
    """The points of the resumed run supersede earlier ones."""
    logs = tmp_path / "logs" / "run"
    write(GROWING, logs, 0, 30, "killed", code=-9)
    # Another process writes the same steps, later.
    next(logs.iterdir()).rename(logs / "events.out.tfevents.0.earlier")
    write(GROWING, logs, 20, 50)
    trackai("import", "tensorboard", tmp_path / "logs")
    assert ask("SELECT attempt, COUNT(*) FROM metrics JOIN writers ON writers.id = writer_id"
               " GROUP BY attempt") == [(1, 30), (2, 30)]  # fmt: skip
    assert ask("SELECT points, first_step, last_step, sum FROM series") == [
        (50, 0, 49, sum(step / 2 for step in range(50)))
    ]
    before = ask(EVERYTHING)
    assert trackai("import", "tensorboard", tmp_path / "logs", "--json").json["stored"] == 0
    assert ask(EVERYTHING) == before


def test_a_damaged_file(tmp_path: Path, trackai: Trackai, ask: Ask) -> None:
    """Points before the damage are stored, and so are the other runs."""
    write(GROWING, tmp_path / "logs" / "a", 0, 20)
    write(GROWING, tmp_path / "logs" / "b", 0, 20)
    [file] = (tmp_path / "logs" / "a").iterdir()
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    receipt = trackai("import", "tensorboard", tmp_path / "logs", "--json", code=4).json
    [problem] = receipt["problems"]
    assert problem["where"] == f"a/{file.name}"
    assert "damaged" in problem["problem"]
    counts: dict[str, int] = dict(
        ask("SELECT runs.name, points FROM series JOIN runs ON runs.id = run_id")
    )
    assert counts["b"] == 20
    assert 0 < counts["a"] < 20
    text = trackai("import", "tensorboard", tmp_path / "logs", code=4).out
    assert f"problem: a/{file.name}: the record at byte" in text


def test_bad_input(tmp_path: Path, trackai: Trackai, ask: Ask) -> None:
    empty, text = tmp_path / "empty", tmp_path / "tfevents.txt"
    empty.mkdir()
    text.write_text("not an event file, however long this text is")
    (tmp_path / "zero.tfevents").touch()
    for path, message in (
        (tmp_path / "none", "does not exist"),
        (empty, "no TensorBoard event files found"),
        (text, "not a TensorBoard event file"),
        (tmp_path / "zero.tfevents", "the file has no events"),
    ):
        output = trackai("import", "tensorboard", path, code=2)
        assert message in output.err
        assert output.out == ""
    assert ask("SELECT COUNT(*) FROM runs") == [(0,)]


@pytest.mark.parametrize("missing", ["tensorboard", "google_crc32c"])
def test_without_the_extra(tmp_path: Path, missing: str) -> None:
    script = f"""
        import sys
        sys.modules["{missing}"] = None
        from trackai.cli import main
        main(["import", "tensorboard", "{tmp_path}", "--db", "{tmp_path}/x.db"])
    """
    process = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert process.returncode == 1
    message = (
        "reading the files of TensorBoard needs an extra package: "
        "pip install 'trackai[tensorboard]'"
    )
    assert process.stderr.strip() == f"trackai: {message}"
    assert not (tmp_path / "x.db").exists()


def test_killed_and_done_again(
    logdir: Path, tmp_path: Path, trackai: Trackai, ask: Ask, db_path: Path
) -> None:
    trackai("import", "tensorboard", logdir, code=4)
    expected = ask(EVERYTHING), ask("SELECT name, state, finished_at FROM runs ORDER BY name")
    for file in db_path.parent.iterdir():
        shutil.rmtree(file) if file.is_dir() else file.unlink()
    script = """
        import os, sys, anyio
        from pathlib import Path
        from trackai.importers import loader, storing
        from trackai.importers.receipt import Receipt
        from trackai.importers.tensorboard.reader import Source
        from trackai.store.engine.database import Database

        class Quiet:
            def share(self, done, total, unit): ...

        storing._POINTS_TOGETHER = 3

        async def work():
            db, receipt = Database(Path(os.environ["TRACKAI_DB_PATH"])), Receipt("", "")
            await db.open()
            items = Source(Path(sys.argv[1]), receipt=receipt, progress=Quiet()).read()

            def killed_after_items():
                for number, item in enumerate(items):
                    if number == int(sys.argv[2]):
                        os.kill(os.getpid(), 9)
                    yield item

            await loader.load_runs(db, killed_after_items(), receipt)

        anyio.run(work)
    """
    for number in (3, 9, 14):
        write(script, logdir, number, code=-9)
    assert ("running",) in ask("SELECT state FROM runs")
    trackai("import", "tensorboard", logdir, code=4)
    assert ask(EVERYTHING) == expected[0]
    assert ask("SELECT name, state, finished_at FROM runs ORDER BY name") == expected[1]


# Also what torch.utils.tensorboard writes for the same arguments.
RESTARTS = """
    import sys
    from tensorboardX import SummaryWriter

    def write(purge_step, loss, steps, accuracies, name):
        writer = SummaryWriter(sys.argv[1], purge_step=purge_step, filename_suffix=name)
        for step in steps:
            writer.add_scalar("loss", loss, step, walltime=TIME)
        for step, value in accuracies:
            writer.add_scalar("accuracy", value, step, walltime=TIME)
        writer.add_text("note", name, steps[0], walltime=TIME)
        writer.close()

    write(None, 1.0, range(0, 151, 10), [(50, 0.5), (100, 0.75), (150, 0.96875)], ".1")
    write(110, 0.5, range(110, 201, 10), [(200, 0.875)], ".2")
    write(160, 0.25, range(160, 301, 10), [(300, 0.8125)], ".3")
"""


@pytest.mark.parametrize("time", ["None", "4e9"], ids=["one after another", "overlapping"])
def test_purged_points_are_superseded(
    tmp_path: Path, trackai: Trackai, ask: Ask, time: str
) -> None:
    """A series without points after the restart is cut off, too, as in TensorBoard."""
    logs = tmp_path / "logs"
    write(RESTARTS.replace("TIME", time), logs / "run")
    accumulated = """
        import json, sys
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        events = EventAccumulator(sys.argv[1]).Reload()
        print(json.dumps({tag: [(event.step, event.value) for event in events.Scalars(tag)]
                          for tag in events.Tags()["scalars"]}))
    """
    process = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(accumulated), logs / "run"],
        capture_output=True, text=True, check=True, timeout=100,
    )  # fmt: skip
    expected = {
        tag: [tuple(point) for point in points]
        for tag, points in json.loads(process.stdout).items()
    }
    receipt = trackai("import", "tensorboard", logs, "--json").json
    assert [remark["problem"].partition(":")[0] for remark in receipt["remarks"]] == [
        "restarted at step 110",
        "restarted at step 160",
    ]
    curve = "SELECT step, value FROM points WHERE metric = ? ORDER BY step"
    for metric in ("loss", "accuracy"):
        assert ask(curve, metric) == expected[metric]
    assert ask(curve, "accuracy") == [(50, 0.5), (100, 0.75), (300, 0.8125)]
    assert ask("SELECT max_value, points FROM series WHERE path = 'accuracy'") == [(0.8125, 3)]
    assert ask("SELECT COUNT(*) FROM metrics") == [(16 + 3 + 10 + 1 + 15 + 1 + 3,)]
    everything = ask(EVERYTHING), ask("SELECT * FROM attempts")
    assert trackai("import", "tensorboard", logs, "--json").json["stored"] == 0
    assert (ask(EVERYTHING), ask("SELECT * FROM attempts")) == everything


def test_purged_points_stay_superseded_in_a_copy(
    tmp_path: Path, trackai: Trackai, ask: Ask
) -> None:
    write(RESTARTS.replace("TIME", "None"), tmp_path / "logs" / "run")
    trackai("import", "tensorboard", tmp_path / "logs")
    figures = "SELECT path, points, min_value, max_value, last_step FROM series ORDER BY path"
    expected = ask(figures)
    trackai("export", "--all", "-o", tmp_path / "all.jsonl")
    copies = tmp_path / "from_file.db", tmp_path / "merged.db"
    trackai("import", "jsonl", tmp_path / "all.jsonl", "--db", copies[0])
    trackai("merge", copies[0], "--db", copies[1])
    for copy in copies:
        assert trackai("sql", "--json", "--db", copy, figures).json["rows"] == [
            list(row) for row in expected
        ]


def test_a_restart_within_a_file(tmp_path: Path, trackai: Trackai, ask: Ask) -> None:
    """The first START event has nothing to purge; the second one purges what precedes it."""
    script = """
        import sys
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        def start(step):
            log = SessionLog(status=SessionLog.START)
            writer.add_event(Event(wall_time=1000.0 + step, step=step, session_log=log))

        def log(tag, step, value):
            summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
            writer.add_event(Event(wall_time=1000.0 + step, step=step, summary=summary))

        writer = EventFileWriter(sys.argv[1])
        start(0)
        for step in range(10):
            log("a", step, 1.0)
        log("b", 8, 1.0)
        start(5)
        start(4)
        for step in range(4, 6):
            log("a", step, 2.0)
        writer.close()
    """
    write(script, tmp_path / "logs")
    trackai("import", "tensorboard", tmp_path / "logs")
    curve = [("a", step, 1.0) for step in range(4)] + [("a", 4, 2.0), ("a", 5, 2.0)]
    assert ask("SELECT metric, step, value FROM points ORDER BY metric, step") == curve
    assert ask("SELECT count(*), max(attempt) FROM logged_points") == [(13, 2)]


def test_a_long_series_is_purged(tmp_path: Path, trackai: Trackai, ask: Ask) -> None:
    """Its figures and charts are those of the points that are left."""
    script = """
        import sys
        from tensorboardX import SummaryWriter

        for purge_step, steps, suffix in ((None, range(6000), ".1"), (3000, [3000], ".2")):
            writer = SummaryWriter(sys.argv[1], purge_step=purge_step, filename_suffix=suffix)
            for step in steps:
                writer.add_scalar("loss", step, step)
                if purge_step is None:
                    writer.add_scalar("only_before", step, step)
            writer.close()
    """
    write(script, tmp_path / "logs")
    trackai("import", "tensorboard", tmp_path / "logs")
    query = "SELECT path, points, min_value, max_value, sum, last_step, last_value FROM series"
    assert sorted(ask(query)) == [
        ("loss", 3001, 0, 3000, sum(range(3001)), 3000, 3000),
        ("only_before", 3000, 0, 2999, sum(range(3000)), 2999, 2999),
    ]
    assert ask("SELECT COUNT(*), max(value) FROM points WHERE metric = 'only_before'") == [
        (3000, 2999)
    ]


def test_the_same_picture_twice(tmp_path: Path, trackai: Trackai, ask: Ask, db_path: Path) -> None:
    import numpy as np
    import tensorboardX

    with tensorboardX.SummaryWriter(str(tmp_path / "logs")) as writer:
        for step in range(3):
            writer.add_image("black", np.zeros((3, 2, 2), dtype=np.uint8), step)
    assert trackai("import", "tensorboard", tmp_path / "logs", "--json").json["complete"] is True
    files = ask("SELECT step, sha256 FROM files ORDER BY step")
    assert [step for step, _ in files] == [0, 1, 2]
    assert blob_path(db_path, files[0][1]).exists()
