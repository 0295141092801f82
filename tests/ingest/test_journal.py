"""Journals: written, rotated, and read while they are written."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.ingest.test_frames import OPENED
from trackai.ingest.frames import Configured, Ended
from trackai.ingest.journal import JournalWriter
from trackai.ingest.reader import JournalReader
from trackai.locks import exclusive, try_lock

if TYPE_CHECKING:
    from pathlib import Path

    from trackai.structs.columns import Column
    from trackai.structs.values import Value


Points = dict[tuple[str, str], list[tuple[object, ...]]]


def read_all(reader: JournalReader, size: int = 200) -> Points:
    points: Points = {}
    while (batch := reader.read(size)) is not None:
        for column in batch.columns:
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
    assert {(one.axis, one.path): rows(one) for one in batch.columns} == {
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
    found: Points = {}
    for path in writer.paths:
        for name, points in read_all(JournalReader(path)).items():
            found.setdefault(name, []).extend(points)
    assert {name: sorted(points, key=str) for name, points in found.items()} == {
        name: sorted(points, key=str) for name, points in expected.items()
    }
    writer.close()


def test_a_reader_goes_on_where_it_was(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, OPENED)
    reader = JournalReader(writer.paths[0])
    found: list[object] = []
    for time in range(50):
        writer.append_points("step", ("a",), time, time, [float(time)])
        if time % 7 == 0:
            found += [value for points in read_all(reader).values() for *_, value in points]
    found += [value for points in read_all(reader).values() for *_, value in points]
    assert found == [float(time) for time in range(50)]
    assert reader.read() is None
    writer.close()


def test_rewinding_skips_what_is_stored(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, OPENED)
    for time in range(10):
        writer.append_points("step", ("a",), time, time, [float(time)])
    reader = JournalReader(writer.paths[0])
    first = reader.read(200)
    assert first is not None
    stored = len(first.columns[0].values)
    assert 0 < stored < 10
    reader.rewind(first.end)
    rest = read_all(reader)["step", "a"]
    assert [value for *_, value in rest] == [float(time) for time in range(stored, 10)]
    writer.close()


def test_a_frame_longer_than_what_is_read_at_once(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, OPENED)
    for size in (10, 5000, 10):
        writer.append_points("step", ("a",), size, size, ["x" * size])
    values = [value for *_, value in read_all(JournalReader(writer.paths[0]), 300)["step", "a"]]
    assert [len(str(value)) for value in values] == [10, 5000, 10]
    writer.close()


def test_a_name_that_is_none_writes_nothing(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, OPENED)
    size = writer.paths[0].stat().st_size
    with pytest.raises(TypeError, match="7"):
        writer.append_points("step", ("a", 7), 0, 0, [1.0, 2.0])  # type: ignore[arg-type]
    assert writer.paths[0].stat().st_size == size
    writer.close()


def test_a_journal_is_locked_for_as_long_as_its_writer_lives(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, OPENED)
    with writer.paths[0].open("rb+") as other:
        assert not try_lock(other.fileno())
        writer.close()
        assert try_lock(other.fileno())


def test_exclusive_makes_the_file_and_lets_go(tmp_path: Path) -> None:
    for _ in range(2):
        with exclusive(tmp_path / "lock"), (tmp_path / "lock").open("rb+") as other:
            assert not try_lock(other.fileno())
