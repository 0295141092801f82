"""Exported databases of MLflow come back the same, but for what MLflow cannot hold."""

from __future__ import annotations

import math
import struct
import sys
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings

from tests.exporters.conftest import ATTEMPTS, BEGIN, call, rows, run_of, stored, write_store


def there_and_back(store: Path, folder: Path) -> Path:
    """Export all runs, and return a store into which they were imported."""
    call("export", "mlflow", "--all", "--db", store, "-o", folder / "mlflow")
    call("import", "mlflow", folder / "mlflow", "--db", folder / "back.db")
    return folder / "back.db"


@given(attempts=ATTEMPTS)
@settings(max_examples=15)
def test_whatever_the_points_are(attempts: list[dict[str, list[tuple[Any, int, Any]]]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_store(folder / "store.db", run_of(attempts))
        before = stored(folder / "store.db", "path, step, value")
        back = there_and_back(folder / "store.db", folder)
        assert stored(back, "path, step, value") == sorted(map(as_in_mlflow, before), key=repr)
        for time in (row[0] for row in stored(back, "time")):
            # Equal points are moved, by a millisecond each.
            assert 0 <= (time - BEGIN // 1000 * 1000) % 60_000_000 <= 8_000


def as_in_mlflow(point: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return what a point becomes: the largest floats are infinities, and -0.0 is 0.0."""
    path, step, value = point
    step = int(struct.unpack("<d", step)[0]) if isinstance(step, bytes) else step
    if value is None:
        return path, step, None
    number = struct.unpack("<d", value)[0] if isinstance(value, bytes) else float(value)
    if abs(number) == sys.float_info.max:
        number = math.copysign(math.inf, number)
    return path, step, struct.pack("<d", number + 0.0)


def test_heads(tmp_path: Path) -> None:
    config = {"a/b": [1, "x", None], "none": None, "yes": True, "float": 1.0, "int": 2**60 + 1}
    items = run_of(
        [{"m": [(1, 0, 1)]}], name="näme", group_name="g", tags=["a", "b c"], notes="two\nlines",
        config=config, state="failed", finished_at=BEGIN + 5_000_000,
    )  # fmt: skip
    write_store(tmp_path / "store.db", items)
    back = there_and_back(tmp_path / "store.db", tmp_path)
    for query in (
        "SELECT slug, name, group_name, state, notes, created_at / 1000 FROM runs",
        "SELECT name FROM projects",
        "SELECT tag FROM tags",
        "SELECT key, value FROM configs WHERE key NOT LIKE '\\_mlflow/%' ESCAPE '\\'",
    ):
        assert rows(back, query) == rows(tmp_path / "store.db", query)
