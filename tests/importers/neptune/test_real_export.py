"""A real export is compared with the data that it was made from."""

from __future__ import annotations

import hashlib
import json
import math
import urllib.parse
import urllib.request
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from trackai.store.catalogue import files
from trackai.store.engine.sql import VALUE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Server
    from tests.importers.neptune.conftest import Import
    from trackai.store.engine.database import Database

    Ask = Callable[..., list[tuple[Any, ...]]]


def _everything(manifest: Any) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    for project, content in manifest["projects"].items():
        for run, expected in content["runs"].items():
            yield project, "runs", run, expected
    for project, content in manifest["model_registry"].items():
        for kind in ("models", "model_versions"):
            for run, expected in content[kind].items():
                yield project, kind, run, expected


def _number(value: Any) -> Any:
    return {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}.get(value, value)


def _same(value: Any, expected: Any) -> bool:
    """Return whether values have the same type and bits, including the sign of zero."""
    return repr(value) == repr(_number(expected))


async def test_every_count(
    db: Database, import_: Import, real_export: Path, manifest: Any, rows: Ask
) -> None:
    receipt = await import_(real_export, verify=True, jobs=2)
    assert receipt.ok, receipt
    totals = manifest["totals"]
    models = {"models": 14, "FAS-MOD-1": 18, "FAS-MOD-2": 18}
    assert receipt.rows_in_files == totals["rows_on_disk"] + sum(models.values())
    assert receipt.totals.read == receipt.rows_in_files
    assert receipt.totals.null == totals["null_rows_on_disk"]
    assert receipt.totals.not_stored == {}
    # The totals of the manifest do not include the model registry.
    for type_ in ("string_series", "histogram_series"):
        assert receipt.types[type_].stored == totals[f"{type_}_points"]
    assert receipt.types["float_series"].stored == totals["float_series_points"] + 2 * 5
    assert receipt.types["file_series"].stored == totals["file_series"]
    for type_ in ("file", "file_set", "artifact"):
        models_of_type = 3 if type_ == "file" else 0
        assert receipt.types[type_].stored == totals[type_] + models_of_type
    assert rows("SELECT COUNT(*) FROM metrics") == [(21241 + 442 + 25 + 10,)]

    for project, kind, run, expected in _everything(manifest):
        run_receipt = getattr(receipt.projects[project], kind)[run]
        assert run_receipt.complete
        assert run_receipt.rows_in_files == expected["rows_on_disk"]
        for type_, count in expected["params_by_type"].items():
            assert run_receipt.types[type_].stored == count
        for type_, count in {**expected["points_by_type"], **expected["files_by_type"]}.items():
            assert run_receipt.types[type_].stored == count
        nulls = {type_: counts.null for type_, counts in run_receipt.types.items() if counts.null}
        assert nulls == expected["null_rows_on_disk"]
        await _check_run(db, rows, project, run, run_receipt.id, expected)


async def _check_run(
    db: Database, rows: Ask, project: str, run: str, run_id: int, expected: dict[str, Any]
) -> None:
    ((name, slug, run_name, state, created, updated, notes),) = rows(
        """
        SELECT projects.name, runs.slug, runs.name, state, runs.created_at, runs.updated_at, notes
        FROM runs JOIN projects ON projects.id = project_id WHERE runs.id = ?
        """,
        run_id,
    )
    assert (name, slug, run_name) == (project, run, expected["sys/name"])
    assert state == ("failed" if expected["sys/failed"] else "completed")
    for time, key in ((created, "sys/creation_time"), (updated, "sys/modification_time")):
        assert time == datetime.fromisoformat(expected[key]).timestamp() * 1_000_000
    assert (notes or "") == (expected["sys/description"] or "")
    tags = rows("SELECT tag FROM tags WHERE run_id = ? ORDER BY tag", run_id)
    assert [tag for (tag,) in tags] == sorted(expected["tags"])
    _check_params(rows, run_id, expected["params"])
    for path, figures in expected["float_series"].items():
        _check_floats(rows, run_id, path, figures)
    for path, figures in expected["string_series"].items():
        _check_texts(rows, run_id, path, figures)
    for path, figures in expected["histogram_series"].items():
        _check_histograms(rows, run_id, path, figures)
    _check_files(db, rows, run_id, expected["files"])


def _check_params(rows: Ask, run_id: int, expected: dict[str, Any]) -> None:
    stored = {
        key: (json.loads(value), type_)
        for key, value, type_ in rows(
            "SELECT key, value, type FROM configs WHERE run_id = ?", run_id
        )
    }
    assert stored.keys() == expected.keys()
    for key, (value, stored_type) in stored.items():
        type_, expected_value = expected[key]["type"], expected[key]["value"]
        if type_ in {"datetime", "string_set"}:
            assert stored_type == type_
        if type_ == "string_set":
            assert sorted(value) == sorted(expected_value)
        elif isinstance(expected_value, dict):
            assert hashlib.sha256(value.encode()).hexdigest() == expected_value["sha256"]
        else:
            assert _same(_number(value) if type_ == "float" else value, expected_value), key


_POINTS = f"""
    SELECT coalesce(system_steps.step, metrics.step), metrics.timestamp, {VALUE}
    FROM series JOIN metrics ON metrics.series_id = series.id
    LEFT JOIN system_steps
      ON system_steps.series_id = series.id
     AND system_steps.timestamp = metrics.timestamp
     AND system_steps.writer_id = metrics.writer_id
    WHERE run_id = ? AND path = ?
    ORDER BY 1, 2
"""


def _points(rows: Ask, run_id: int, path: str, expected: dict[str, Any]) -> list[tuple[Any, ...]]:
    ((axis, points, _kind),) = rows(
        "SELECT axis, points, kind FROM series WHERE run_id = ? AND path = ?", run_id, path
    )
    assert axis == ("time" if path.startswith("monitoring/") else "step")
    stored = rows(_POINTS, run_id, path)
    assert len(stored) == points == expected["points"]
    for step, text in ((stored[0][0], "first_step"), (stored[-1][0], "last_step")):
        number = float(expected[text])
        assert _same(step, int(number) if number.is_integer() else number)
    times = [time for _, time, _ in stored]
    if "first_ts_ms" in expected:
        assert times[0] == expected["first_ts_ms"] * 1000
        assert times[-1] == expected["last_ts_ms"] * 1000
    return stored


def _check_floats(rows: Ask, run_id: int, path: str, expected: dict[str, Any]) -> None:
    stored = _points(rows, run_id, path, expected)
    assert len({step for step, *_ in stored}) == expected["unique_steps"]
    values = [math.nan if value is None else value for *_, value in stored]
    finite = [value for value in values if math.isfinite(value)]
    assert len(finite) == expected["finite"]
    assert sum(map(math.isnan, values)) == expected["null"] + expected["nan"]
    assert values.count(math.inf) == expected["pos_inf"]
    assert values.count(-math.inf) == expected["neg_inf"]
    negative = [value for value in finite if value == 0 and math.copysign(1, value) < 0]
    assert len(negative) == expected["neg_zero"]
    if expected["null"] + expected["nan"] < len(values):
        for value, key in ((values[0], "first"), (values[-1], "last")):
            assert expected[key] is None or _same(value, expected[key]), (path, key)
    ((points, nans, low, high, total, last),) = rows(
        """
        SELECT finite_points, nan_points, min_value, max_value, sum, last_value
        FROM series WHERE run_id = ? AND path = ?
        """,
        run_id, path,
    )  # fmt: skip
    assert (points, nans) == (expected["finite"], expected["null"] + expected["nan"])
    if finite:
        assert (low, high) == (expected["min"], expected["max"])
        assert math.fsum(finite) == expected["sum"]
        assert total == pytest.approx(expected["sum"], rel=1e-12)
        assert last is None or _same(last, values[-1])


def _check_texts(rows: Ask, run_id: int, path: str, expected: dict[str, Any]) -> None:
    texts = [value for *_, value in _points(rows, run_id, path, expected)]
    assert sum(len(text.encode()) for text in texts) == expected["utf8_bytes"]
    digest = hashlib.sha256("".join(f"{text}\0" for text in texts).encode()).hexdigest()
    assert digest == expected["sha256_of_values_nul_joined"]
    assert texts[0].startswith(expected["first"])


def _check_histograms(rows: Ask, run_id: int, path: str, expected: dict[str, Any]) -> None:
    stored = [json.loads(value) for *_, value in _points(rows, run_id, path, expected)]
    assert sorted({histogram["type"] for histogram in stored}) == expected["types"]
    assert sorted({len(histogram["edges"]) for histogram in stored}) == expected["edges_per_point"]
    assert sum(sum(histogram["values"]) for histogram in stored) == expected["sum_of_values"]
    assert rows("SELECT kind FROM series WHERE run_id = ? AND path = ?", run_id, path) == [
        ("histogram",)
    ]


def _check_files(db: Database, rows: Ask, run_id: int, expected: list[dict[str, Any]]) -> None:
    stored = rows(
        """
        SELECT path, kind, CAST(step AS REAL), timestamp, source, size, sha256
        FROM files WHERE run_id = ?
        """,
        run_id,
    )
    assert sorted(map(repr, stored)) == sorted(
        repr(
            (
                file["attribute"], file["type"],
                None if file["step"] is None else float(file["step"]),
                None if file["ts_ms"] is None else file["ts_ms"] * 1000,
                file["path"], file["bytes"], file["sha256"],
            )
        )
        for file in expected
    )  # fmt: skip
    for *_, sha256 in stored:
        data = files.blob_path(db.path, sha256).read_bytes()
        assert hashlib.sha256(data).hexdigest() == sha256


async def test_read_over_http(
    db: Database, import_: Import, real_export: Path, server: Server
) -> None:
    receipt = await import_(real_export)
    llm = receipt.projects["acme/llm-pretrain"].runs
    fork = llm["llm-7b-fork-lr3e-5"].id

    def steps(run_id: int, path: str, query: str = "") -> list[float]:
        quoted = urllib.parse.quote(path)
        answer = server.get(f"/api/metrics/runs/{run_id}/metric/{quoted}?limit=100000{query}")
        return [point["step"] for point in answer["data"]]

    # The fork inherits points up to step 1200, and has its own after that.
    all_steps, own = steps(fork, "train/loss"), steps(fork, "train/loss", "&inherited=false")
    parent = steps(llm["llm-7b-baseline"].id, "train/loss")
    assert min(own) > 1200
    assert all_steps == [step for step in parent if step <= 1200] + own
    grandchild = llm["llm-7b-fork-of-fork"].id
    assert steps(grandchild, "train/loss") == [step for step in all_steps if step <= 1500] + steps(
        grandchild, "train/loss", "&inherited=false"
    )
    monitoring = next(
        path for path in server.get(f"/api/metrics/runs/{fork}") if path.startswith("monitoring/")
    )
    assert set(steps(fork, monitoring)) == {None}

    baseline = llm["llm-7b-baseline"].id
    for listed in server.get(f"/api/runs/{baseline}/files"):
        with urllib.request.urlopen(f"{server.url}/api/files/{listed['id']}") as answer:
            data = answer.read()
        assert hashlib.sha256(data).hexdigest() == listed["sha256"]
    config = server.get(f"/api/runs/{baseline}/config")
    assert config["config/looks_like_int"] == "42"
    assert config["config/model/n_layers"] == 32
    assert config["config/уникод/名前"] == "ключ в юникоде"
    assert server.get("/api/runs?search=face&limit=1")["total"] == 0
    assert {project["name"] for project in server.get("/api/projects")} == set(receipt.projects)
