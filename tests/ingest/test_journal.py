"""Journals: writing, rotating, and reading while they are being written."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ingest.test_frames import OPENED
from trackai.ingest import journal
from trackai.ingest.frames import Configured, Ended
from trackai.ingest.journal import JournalWriter
from trackai.ingest.reader import JournalReader
from trackai.locks import try_lock

if TYPE_CHECKING:
    from trackai.structs.points import Column
    from trackai.values.types import Axis, TextKind, Value


Points = dict[tuple[str, str], list[tuple[object, ...]]]


def read_all(reader: JournalReader, size: int = 200) -> Points:
    points: Points = {}
    while (batch := reader.read(size)) is not None:
        for column in batch.columns():
            points.setdefault((column.axis, column.path), []).extend(rows(column))
    return points


def rows(column: Column) -> list[tuple[object, ...]]:
    return list(zip(column.steps, column.timestamps, column.values, strict=True))


def test_calls_become_series(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, OPENED)
    writer.append_points("step", ("a", "b"), 0, 10, [1.0, "x"])
    writer.append_points("step", ("b", "a"), 1.5, 11, [True, 2])
    writer.append_points("time", ("a",), 0, 12, [3.0])
    writer.append(Configured({"k": "1"}))
    writer.append(Ended("failed", 13))
    batch = JournalReader(writer.paths[0]).read()
    assert batch is not None
    assert {(column.axis, column.path): rows(column) for column in batch.columns()} == {
        ("step", "a"): [(0, 10, 1.0), (1.5, 11, 2)],
        ("step", "b"): [(0, 10, "x"), (1.5, 11, True)],
        ("time", "a"): [(12, 12, 3.0)],
    }
    assert batch.config == {"k": "1"}
    assert batch.ended == Ended("failed", 13)
    assert (batch.start, batch.end) == (0, writer.paths[0].stat().st_size)
    writer.close()


@pytest.mark.parametrize("seed", range(3))
def test_rotation_loses_nothing(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    writer = JournalWriter(tmp_path, OPENED, rotate_bytes=2000)
    expected: Points = {}
    for time in range(3000):
        keys = tuple(rng.sample([f"m{n}" for n in range(8)], rng.randint(1, 4)))
        values: list[Value] = [rng.random() for _ in keys]
        writer.append_points("step", keys, time, time, values)
        for key, value in zip(keys, values, strict=True):
            expected.setdefault(("step", key), []).append((time, time, value))
    assert len(writer.paths) > 10
    read: Points = {}
    for path in writer.paths:
        for name, points in read_all(JournalReader(path)).items():
            read.setdefault(name, []).extend(points)
    assert {name: sorted(points, key=str) for name, points in read.items()} == {
        name: sorted(points, key=str) for name, points in expected.items()
    }
    writer.close()


@given(
    st.lists(
        st.tuples(
            st.sampled_from([["a"], ["b"], ["a", "b"], ["b", "a"]]),
            st.sampled_from(["step", "time"]),
            st.sampled_from(["text", "histogram"]),
            st.booleans(),
        ),
        max_size=60,
    )
)
def test_names_are_those_of_the_call_whatever_was_logged_before(
    tmp_path_factory: pytest.TempPathFactory,
    calls: list[tuple[list[str], Axis, TextKind, bool]],
) -> None:
    """Also across files, which begin without names, and after names were forgotten."""
    writer = JournalWriter(tmp_path_factory.mktemp("spool"), OPENED, rotate_bytes=500)
    expected = []
    for time, (keys, axis, kind, forgets) in enumerate(calls, start=1):
        if forgets:
            writer._forget_keys()
        texts: list[Value] = [f"{key}{time}" for key in keys]
        writer.append_points(axis, keys, time if axis == "step" else 0, time, texts, kind)
        expected += [(key, axis, kind, time, text) for key, text in zip(keys, texts, strict=True)]
    read = []
    for path in writer.paths:
        reader = JournalReader(path)
        while (batch := reader.read()) is not None:
            read += [
                (name, group.keys.axis, group.keys.kind, time, value)
                for group in batch.calls
                for name, values in zip(group.keys.paths, group.values, strict=True)
                for time, value in zip(group.timestamps, values, strict=True)
            ]
        assert not reader.damages
    writer.close()
    assert sorted(read) == sorted(expected)


def test_a_reader_continues_where_it_stopped(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, OPENED)
    reader = JournalReader(writer.paths[0])
    read: list[object] = []
    for time in range(50):
        writer.append_points("step", ("a",), time, time, [float(time)])
        if time % 7 == 0:
            read += [value for points in read_all(reader).values() for *_, value in points]
    read += [value for points in read_all(reader).values() for *_, value in points]
    assert read == [float(time) for time in range(50)]
    assert reader.read() is None
    writer.close()


def test_rewinding_skips_stored_frames(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, OPENED)
    for time in range(10):
        writer.append_points("step", ("a",), time, time, [float(time)])
    reader = JournalReader(writer.paths[0])
    first = reader.read(200)
    assert first is not None
    stored = len(first.columns()[0].values)
    assert 0 < stored < 10
    reader.rewind(first.end)
    rest = read_all(reader)["step", "a"]
    assert [value for *_, value in rest] == [float(time) for time in range(stored, 10)]
    writer.close()


def test_a_frame_longer_than_a_read(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, OPENED)
    for size in (10, 5000, 10):
        writer.append_points("step", ("a",), size, size, ["x" * size])
    values = [value for *_, value in read_all(JournalReader(writer.paths[0]), 300)["step", "a"]]
    assert [len(str(value)) for value in values] == [10, 5000, 10]
    writer.close()


names = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=3, unique=True).map(tuple)
actions = st.one_of(
    st.tuples(
        st.just("write"),
        st.sampled_from(["step", "time"]),
        names,
        st.integers(0, 400),  # length of the values
    ),
    st.tuples(st.just("read"), st.integers(1, 600), st.none() | st.integers(1, 5)),
    st.tuples(st.just("rewind")),
    st.tuples(st.just("restart")),
)


@given(st.lists(actions, max_size=40))
def test_all_points_are_read_once_in_any_order_of_actions(
    tmp_path_factory: pytest.TempPathFactory, actions: list[tuple[Any, ...]]
) -> None:
    """Names are declared again and files rotate often; readers stop, rewind and restart."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "_MAX_KEYS", 3)
        writer = JournalWriter(tmp_path_factory.mktemp("journal"), OPENED, rotate_bytes=600)
        readers: dict[Path, JournalReader] = {}
        stored: dict[Path, int] = {}
        expected: Points = {}
        points_read: Points = {}

        def read(size: int, limit: int | None) -> bool:
            for path in writer.paths:
                reader = readers.setdefault(path, JournalReader(path))
                batch = reader.read(size, limit=limit)
                if batch is not None:
                    assert batch.start == stored.get(path, 0)
                    stored[path] = batch.end
                    for column in batch.columns():
                        points_read.setdefault((column.axis, column.path), []).extend(rows(column))
                    return True
            return False

        for time, (action, *details) in enumerate(actions):
            if action == "write":
                axis, keys, length = details
                values: list[Value] = [key * length for key in keys]
                writer.append_points(axis, keys, time, time, values)
                for key, value in zip(keys, values, strict=True):
                    expected.setdefault((axis, key), []).append((time, time, value))
            elif action == "read":
                read(*details)
            elif action == "rewind":
                for path, reader in readers.items():
                    reader.rewind(stored.get(path, 0))
            else:
                readers = {path: JournalReader(path) for path in readers}
                for path, reader in readers.items():
                    reader.rewind(stored.get(path, 0))
        while read(300, None):
            pass
        writer.close()
    assert {name: sorted(points, key=repr) for name, points in points_read.items()} == {
        name: sorted(points, key=repr) for name, points in expected.items()
    }
    assert not any(reader.damages for reader in readers.values())


WRITE = """
import sys, time
from pathlib import Path
from tests.ingest.test_frames import OPENED
from trackai.ingest.journal import JournalWriter

writer = JournalWriter(Path(sys.argv[1]), OPENED, rotate_bytes=20_000)
number = 0
while True:
    keys = (f"m{number % 50}", f"n{number % 7}")
    writer.append_points("step", keys, number, number, [float(number), "x" * (number % 90)])
    number += 1
    if number % 20 == 0:
        print(number, flush=True)
        time.sleep(0.001)  # so that a reader can keep up
"""


def test_everything_that_a_killed_process_wrote_is_read(tmp_path: Path) -> None:
    """This process reads all files while another one writes."""
    folder = tmp_path / "spool"
    folder.mkdir()
    readers: dict[Path, JournalReader] = {}
    steps: list[float] = []

    def read() -> None:
        for path in sorted(folder.glob("*.journal")):
            reader = readers.setdefault(path, JournalReader(path))
            while (batch := reader.read(4000)) is not None:
                for column in batch.columns():
                    if column.path.startswith("m"):
                        steps.extend(column.steps)

    with subprocess.Popen(
        [sys.executable, "-c", WRITE, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdout is not None
        for _ in range(50):
            acknowledged = int(process.stdout.readline())
            read()
            assert len(steps) >= acknowledged
        process.kill()
        rest = process.stdout.read().split()
    acknowledged = int(rest[-1]) if rest else acknowledged
    read()
    assert len(readers) > 1
    assert sorted(steps) == list(range(len(steps)))
    assert len(steps) >= acknowledged


def test_an_invalid_name_writes_nothing(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, OPENED)
    size = writer.paths[0].stat().st_size
    with pytest.raises(TypeError, match="must be a str, got int"):
        writer.append_points("step", ("a", 7), 0, 0, [1.0, 2.0])  # type: ignore[arg-type]
    assert writer.paths[0].stat().st_size == size
    writer.close()


def test_a_journal_is_locked_until_its_writer_is_closed(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, OPENED)
    with writer.paths[0].open("rb+") as file:
        assert not try_lock(file.fileno())
        writer.close()
        assert try_lock(file.fileno())


def test_an_error_of_a_signal_handler_is_not_taken_for_one_of_the_disk(tmp_path: Path) -> None:
    def time_out() -> bool:
        raise TimeoutError

    writer = JournalWriter(tmp_path, OPENED, rotate_bytes=50, bound=time_out)
    writer.append_points("step", ("loss",), 0, 0, [0.5])
    with pytest.raises(TimeoutError):
        writer.append_points("step", ("loss",), 1, 1, [0.5])
    assert writer.failure is None
    writer.append_points("step", ("loss",), 2, 2, [0.5])
    points = read_all(JournalReader(writer.paths[0]))["step", "loss"]
    assert [step for step, *_ in points] == [0, 2]
    writer.close()


def test_a_folder_that_is_full_is_not_filled_further(tmp_path: Path) -> None:
    is_full = True
    writer = JournalWriter(tmp_path, OPENED, rotate_bytes=1000, bound=lambda: is_full)
    for step in range(1000):
        writer.append_points("step", ("loss",), step, step, [0.5])
    (path,) = writer.paths
    assert path.stat().st_size < 1500
    assert writer.held > 900
    assert "as much as it may have" in str(writer.failure)
    with pytest.raises(OSError, match="as much as it may have"):
        writer.keep(lambda file: file.write(b"content"))
    assert not writer.retry()
    is_full = False
    assert writer.retry()
    writer.append_points("step", ("loss",), 1000, 1000, [0.5])
    points = [read_all(JournalReader(path))["step", "loss"] for path in writer.paths]
    assert [step for part in points for step, *_ in part] == list(range(1001))
    writer.close()
