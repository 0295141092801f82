"""Importing journals of Dalva, as dalva 0.3.0 writes them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.importers.sources import read_source
from trackai.errors import InvalidInputError
from trackai.importers.dalva import recognises
from trackai.importers.dalva.reader import Source
from trackai.importers.dalva.reader import _run_uid as run_uid

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Trackai

    Ask = Callable[..., list[tuple[Any, ...]]]

ID = "RUN-1795973885944-3ee71f447fe8"
ACTIVE = ".active.jsonl"
CONFIG = {"lr": 0.001, "flag": True, "nothing": None, "nested": {"depth": 4, "list": [1, math.nan]},
          "empty": {}, "big": 2**70}  # fmt: skip


def created(**more: Any) -> tuple[str, dict[str, Any]]:
    return "run_created", {"run_id": ID, "config": CONFIG, "fork_from": None, **more}


def metrics(step: Any, **values: Any) -> tuple[str, dict[str, Any]]:
    names = {name.replace("__", "/"): value for name, value in values.items()}
    return "metrics_logged", {"metrics": names, "step": step}


def config(**values: Any) -> tuple[str, dict[str, Any]]:
    return "config_logged", {"config": values}


FINISHED = ("run_finished", {"state": "completed"})
RESUMED: tuple[str, dict[str, Any]] = ("run_resumed", {})
EVENTS = [
    created(), metrics(0, train__loss=0.5), metrics(1, train__loss=0.25),
    metrics(2, train__loss=math.nan), metrics(3, train__loss=0.125),
    metrics(0, accuracy=0.5, big=9007199254740993, inf=math.inf, text="words", true=True),
    metrics(None, best=0.75), metrics(1.5, fraction=1), metrics(-3, fraction=2),
    metrics(0, huge=2**70, gone=1), metrics(1, gone=2),
    ("metric_removed", {"metric": "gone", "step": 0}), metrics(0, gone=3), metrics(None, gone2=1),
    ("metric_removed", {"metric": "gone2", "step": None}),
    config(late=1), ("config_removed", {"key": "lr"}), config(lr=0.2), config(flag=False),
    metrics(10, accuracy=0.9), FINISHED,
]  # fmt: skip


def lines(events: list[Any], first: int = 1) -> bytes:
    return b"".join(
        json.dumps({"version": 1, "seq": seq, "timestamp": f"2026-11-29T17:38:05.{seq:06}+00:00",
                    "type": kind, "payload": payload}).encode() + b"\n"
        for seq, (kind, payload) in enumerate(events, first)
    )  # fmt: skip


def seal(folder: Path, events: list[Any], first: int = 1) -> Path:
    content = lines(events, first)
    name = f"{first:020}-{first + len(events) - 1:020}-{hashlib.sha256(content).hexdigest()}.jsonl"
    (folder / "events").mkdir(parents=True, exist_ok=True)
    (folder / "events" / name).write_bytes(content)
    (folder / "events" / ACTIVE).touch()
    return folder / "events" / name


def write(folder: Path, events: list[Any] = EVENTS, run_id: str = ID, **more: Any) -> Path:
    path = folder / run_id
    seal(path, events)
    manifest = {"format_version": 1, "resource_type": "run", "run_id": run_id, "project": "sample",
                "name": "näme/1", "state": "completed", "updated_at": "",
                "created_at": "2026-11-29T17:38:05.000000+00:00"}  # fmt: skip
    (path / "manifest.json").write_text(json.dumps({**manifest, **more}))
    return path


def test_what_dalva_writes(tmp_path: Path) -> None:
    path = write(tmp_path / "runs")
    for source in (path, path.parent, tmp_path):
        assert recognises(source)
        receipt, runs = read_source(Source, source)
        assert receipt.problems == []
        assert [remark.problem for remark in receipt.remarks] == [
            "huge: integers beyond 64 bits are rounded"
        ]
        head, points = runs[ID].head, runs[ID].points
        assert points["train/loss"] == [(0, 0.5), (1, 0.25), (2, "NaN"), (3, 0.125)]
        assert points["accuracy"] == [(0, 0.5), (10, 0.9)]
        assert points["big"] == [(0, 9007199254740993)]
        assert points["inf"] == [(0, math.inf)]
        assert points["text"] == [(0, "words")]
        assert points["true"] == [(0, True)]
        assert points["best"] == [(0, 0.75)]
        assert points["fraction"] == [(1.5, 1), (-3, 2)]
        assert points["huge"] == [(0, float(2**70))]
        assert points["gone"] == [(1, 2), (0, 3)]
        assert "gone2" not in points
        assert runs[ID].times["accuracy"] == [1_795_973_885_000_006, 1_795_973_885_000_020]
        assert head.config == {
            "lr": 0.2, "flag": True, "nothing": None, "nested/depth": 4,
            "nested/list": [1, "NaN"], "empty": {}, "big": 2**70, "late": 1,
        }  # fmt: skip
        assert (head.project, head.name, head.state) == ("sample", "näme/1", "completed")
        assert head.created_at == 1_795_973_885_000_000
        assert head.finished_at == 1_795_973_885_000_021


def test_importing_again_also_from_a_sealed_journal(
    tmp_path: Path, trackai: Trackai, ask: Ask
) -> None:
    path = write(tmp_path, EVENTS[:4], state="running")
    (path / "events" / ACTIVE).write_bytes(lines(EVENTS[4:8], 5) + b'{"version":1,"se')
    first = trackai("import", "dalva", path, "--json").json
    assert [remark["problem"] for remark in first["remarks"]] == ["ends within line 5"]
    assert ask("SELECT state FROM runs") == [("running",)]
    seal(path, EVENTS[4:8], 5)
    again = trackai("import", "dalva", path, "--json").json
    assert (again["new_runs"], again["totals"]["stored"]) == (0, 0)
    assert again["totals"]["already_there"] == first["totals"]["stored"]
    (path / "events" / ACTIVE).write_bytes(lines(EVENTS[8:], 9))
    grown = trackai("import", "dalva", tmp_path, "--json").json
    assert grown["stored"] == grown["points"] - first["points"] == 5
    assert ask("SELECT state FROM runs") == [("completed",)]


def test_a_killed_run_has_failed(tmp_path: Path) -> None:
    path = write(tmp_path, EVENTS[:4], state="running")
    assert read_source(Source, path)[1][ID].head.state == "running"
    for file in [path / "manifest.json", *(path / "events").iterdir()]:
        os.utime(file, (1, 1))
    assert read_source(Source, path)[1][ID].head.state == "failed"


def test_resumed_runs_and_forks(tmp_path: Path, trackai: Trackai, ask: Ask) -> None:
    write(tmp_path, [created(), metrics(0, m=1), metrics(5, m=2), FINISHED, RESUMED,
                     metrics(3, m=3), metrics(6, m=4), FINISHED])  # fmt: skip
    copy = [created(fork_from=ID), metrics(0, m=1), metrics(5, m=2),
            ("run_forked", {"source_run_id": ID}), metrics(7, m=5), FINISHED]  # fmt: skip
    write(tmp_path, copy, "RUN-2", name="fork")
    receipt = trackai("import", "dalva", tmp_path, "--json").json
    assert receipt["complete"] is True
    query = """
        SELECT step, value, attempt FROM metrics JOIN writers ON writers.id = writer_id
        JOIN series ON series.id = series_id JOIN runs ON runs.id = series.run_id
        WHERE runs.slug = ? ORDER BY step
    """
    # Step 3 does not replace step 5, which Dalva keeps.
    assert ask(query, ID) == [(0, 1, 1), (3, 3, 1), (5, 2, 1), (6, 4, 2)]
    assert [row[:2] for row in ask(query, "RUN-2")] == [(0, 1), (5, 2), (7, 5)]
    assert ask("SELECT fork_uid, fork_step FROM runs WHERE slug = 'RUN-2'") == [(run_uid(ID), None)]


def test_tables(tmp_path: Path) -> None:
    path = write(tmp_path)
    table = path / "tables" / "TBL-1"
    seal(table, [
        ("table_created", {}), ("table_rows_logged", {"rows": [{"a": 1, "b": "x"}]}),
        ("table_rows_removed", {}), ("table_rows_logged", {"rows": [{"a": 2, "b": math.nan}]}),
        ("table_rows_logged", {"rows": [{"a": 3}]}), ("table_finished", {}),
    ])  # fmt: skip
    columns = [{"name": "a", "type": "int"}, {"name": "b", "type": "float"}]
    manifest = {"format_version": 1, "resource_type": "table", "name": "tab", "state": "finished",
                "column_schema": columns}  # fmt: skip
    (table / "manifest.json").write_text(json.dumps(manifest))
    receipt, runs = read_source(Source, tmp_path)
    assert receipt.problems == []
    _, content = runs[ID].files["tab|tab.table.json"]
    assert json.loads(content or b"") == {"columns": ["a", "b"], "data": [[2, "NaN"], [3, None]]}


def test_damaged_segments(tmp_path: Path) -> None:
    path = write(tmp_path, EVENTS[:5])
    segment = seal(path, EVENTS[5:], 6)
    content = segment.read_bytes()
    # A digit that was changed leaves valid JSON.
    segment.write_bytes(content.replace(b"0.75", b"0.76"))
    receipt, runs = read_source(Source, path)
    assert receipt.problems[0].problem == "does not match its SHA-256; not read"
    assert runs[ID].points.keys() == {"train/loss"}
    segment.write_bytes(content[:-30])
    receipt, runs = read_source(Source, path)
    assert receipt.problems[0].problem == "its end is missing"
    assert runs[ID].points["accuracy"] == [(0, 0.5), (10, 0.9)]
    assert runs[ID].head.state != "completed"
    (path / "events" / ACTIVE).write_bytes(lines([FINISHED], 30))
    segment.unlink()
    receipt, runs = read_source(Source, path)
    assert [problem.problem for problem in receipt.problems] == ["events 6 to 29 are missing"]


def test_a_journal_cut_anywhere(tmp_path: Path) -> None:
    path = write(tmp_path)
    points = read_source(Source, path)[1][ID].points
    [segment] = (path / "events").glob("0*.jsonl")
    content = segment.read_bytes()
    segment.unlink()
    for length in range(0, len(content), 17):
        (path / "events" / ACTIVE).write_bytes(content[:length])
        receipt, runs = read_source(Source, path)
        assert receipt.problems == []
        for metric, values in runs[ID].points.items():
            if not metric.startswith("gone"):
                assert values == points[metric][: len(values)]


def test_others(tmp_path: Path, trackai: Trackai) -> None:
    assert "no runs of Dalva" in trackai("import", "dalva", tmp_path, code=2).err
    (tmp_path / "manifest.json").write_text('{"format_version": 1}')
    assert not recognises(tmp_path)
    assert "no runs of Dalva" in trackai("import", "dalva", tmp_path, code=2).err


def test_links_are_not_followed(tmp_path: Path) -> None:
    secret = write(tmp_path / "secret")
    path = write(tmp_path / "runs", EVENTS[:1], "RUN-2")
    for file in (path / "events").iterdir():
        file.unlink()
    (path / "events" / ACTIVE).symlink_to(next((secret / "events").glob("0*")))
    (path / "tables").mkdir()
    (path / "tables" / "TBL").symlink_to(secret)
    receipt, runs = read_source(Source, tmp_path / "runs")
    assert runs["RUN-2"].points == {}
    assert [problem.problem for problem in receipt.problems] == ["is a link; not followed"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    changes=st.lists(st.tuples(st.integers(0, 1 << 20), st.binary(min_size=1, max_size=9))),
    payloads=st.lists(st.tuples(st.sampled_from(EVENTS), st.text(max_size=3), VALUES), max_size=3),
    name=st.sampled_from(["manifest.json", f"events/{ACTIVE}"]),
)
def test_damaged_journals(
    tmp_path: Path,
    changes: list[tuple[int, bytes]],
    payloads: list[tuple[tuple[str, dict[str, Any]], str, Any]],
    name: str,
) -> None:
    path = write(tmp_path, EVENTS[:3])
    odd = [
        (kind, {**payload, next(iter(payload), key): value})
        for (kind, payload), key, value in payloads
    ]
    (path / "events" / ACTIVE).write_bytes(lines(EVENTS[3:] + odd, 4))
    content = bytearray((path / name).read_bytes())
    for position, data in changes:
        start = position % len(content)
        content[start : start + len(data)] = data
    (path / name).write_bytes(content)
    recognises(path)
    with contextlib.suppress(InvalidInputError):
        read_source(Source, path)
