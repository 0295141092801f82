"""Names that TrackAI refuses are lines in the receipt of an import, and all else is stored."""

from __future__ import annotations

import json
import sqlite3
import struct
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import trackai as sdk
from trackai.errors import InvalidInputError
from trackai.importers.csv import read as read_csv
from trackai.importers.jsonl import read as read_jsonl
from trackai.importers.loader import load_runs
from trackai.importers.names import identifier
from trackai.importers.receipt import Receipt
from trackai.structs.exchange import Block, Chunk, FileHead, RunHead, WriterHead
from trackai.values.names import MAX_IDENTIFIER, identifier_problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Trackai
    from trackai.store.engine.database import Database
    from trackai.structs.exchange import Item

    Ask = Callable[..., list[tuple[Any, ...]]]

WRITER = WriterHead(uid="w")
NUL = "the name must not contain the character U+0000"
LONG = "the name must have at most 1024 characters"
EMPTY = "the name must not be empty"


def block(metric: str, value: Any = 0.5, **fields: Any) -> Block:
    return Block(
        run_uid="u", metric=metric, writer=WRITER, steps=[0], timestamps=[5], values=[value],
        **fields,
    )  # fmt: skip


def file(path: str, name: str = "f") -> FileHead:
    return FileHead(run_uid="u", writer=WRITER, path=path, kind="file", name=name)


async def test_each_name_that_cannot_be_stored_is_a_line(db: Database, ask: Ask) -> None:
    control = "a\tb\x1b[31m\n\x7f"
    head = RunHead(
        uid="u", project="p\x1b[0m", run_id="r\n\udce9", name="n\0\t", group_name="g" * 300,
        tags=["t\x07", "fine"], notes="x\0", created_at=1,
        config={"a\0b": 1, control: 2, "": 3, "k" * 1025: 4, "value": "v\0w"},
    )  # fmt: skip
    items: list[Item | Chunk] = [
        head, block(control), block("good"), block("a\0b"), block("a\0b", "text", kind="text"),
        block("m" * 1024), block("m" * 1025), block(""), block("gpu\0", axis="time"),
        Chunk(sha256="0" * 64, data=b""), file("good"), file("f\0"), file("f2", "n\0"),
        block("good text", "with \0 in it", kind="text"),
    ]  # fmt: skip
    receipt = await load_runs(db, items, Receipt("here", "there"))
    assert receipt.totals.adds_up
    assert not receipt.complete
    assert receipt.types["metrics"].not_stored == {NUL: 1, LONG: 1, EMPTY: 1}
    assert receipt.types["texts"].not_stored == {NUL: 1}
    assert receipt.types["system metrics"].not_stored == {NUL: 1}
    assert sum(receipt.types["files"].not_stored.values()) == 2
    assert sum(receipt.types["configuration"].not_stored.values()) == 3
    assert ask("SELECT name FROM projects") == [("p\x1b[0m",)]
    assert [remark.problem for remark in receipt.remarks] == [
        r"run 'r\n\udce9' is stored as 'r\\x0a\\udce9'",
        r"name 'n\x00\t' is stored as 'n\\x00\t'",
        r"notes 'x\x00' is stored as 'x\\x00'",
        f"group '{'g' * 80}…' is stored as '{'g' * 80}…'",
        r"tag 't\x07' is stored as 't\\x07'",
    ]
    assert {path for (path,) in ask("SELECT path FROM series")} == {
        control, "good", "m" * 1024, "good text",
    }  # fmt: skip
    assert dict(ask("SELECT key, value FROM configs")) == {control: "2", "value": '"v\\u0000w"'}
    assert ask("SELECT tag FROM tags ORDER BY tag") == [("fine",), ("t\\x07",)]
    assert ask("SELECT value FROM metrics WHERE typeof(value) = 'text'") == [("with \0 in it",)]
    # A second time, the same is refused and nothing is new.
    again = await load_runs(db, items, Receipt("here", "there"))
    assert (again.new_runs, again.totals.stored) == (0, 0)
    assert again.totals.not_stored == receipt.totals.not_stored


async def test_names_of_facts_that_cannot_be_stored_are_lines_too(db: Database, ask: Ask) -> None:
    head = RunHead(
        uid="u", project="p", run_id="r", created_at=1,
        environment={1: {"host": "a", "x\0": 1}, 2: {"host": "b\0", "": 2}},
    )  # fmt: skip
    for stored in (2, 0):
        receipt = await load_runs(db, iter([head]), Receipt(source="s", database="d"))
        counts = receipt.types["environment"]
        assert (counts.read, counts.stored, counts.already_there) == (4, stored, 2 - stored)
        assert counts.not_stored == {NUL: 1, EMPTY: 1}
    assert ask("SELECT attempt, key, value FROM environment ORDER BY 1") == [
        (1, "host", '"a"'),
        (2, "host", '"b\\u0000"'),
    ]


def test_an_attempt_is_a_number_from_1_on(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    head = {"type": "run", "uid": "u", "project": "p", "run_id": "r", "created_at": 1}
    for attempt in ("0", "-1", "x", str(1 << 63)):
        path.write_text(json.dumps(head | {"environment": {attempt: {"host": "h"}}}))
        with pytest.raises(InvalidInputError, match=r"runs.jsonl, line 1"):
            list(read_jsonl(path))


@given(st.text(st.characters(categories=None)), st.text(st.characters(categories=None)))
def test_identifiers_stay_different(first: str, second: str) -> None:
    for text in (first, second):
        assert identifier_problem(identifier(text)) is None
        if identifier_problem(text) is None and text.isprintable():
            assert identifier(text) == text
    if first != second and first.strip() and second.strip() and "\\" not in first + second:
        assert identifier(first) != identifier(second)


def test_long_identifiers_stay_different() -> None:
    ids = {identifier("x" * 300 + end) for end in "ab"}
    assert len(ids) == 2
    assert {len(id_) for id_ in ids} == {MAX_IDENTIFIER}


TEXTS = ["\0", "a\0", "\0b", "a\0b\0", "\\u0000", "\\\0", "\u2028\r\n\t\x1b", "NA", "", " "]


def test_texts_with_nul_are_kept_by_every_way_in_and_out(
    tmp_path: Path, trackai: Trackai, db_path: Path
) -> None:
    long = "\0" + "x" * 2000 + "\0"
    texts = [*TEXTS, long]
    with sdk.init(project="p", name="r", config={"texts": texts, **dict(enumerate(texts))}) as run:
        for step, text in enumerate(texts):
            run.log({"note": text}, step=step)
    for suffix in ("jsonl", "csv"):
        trackai("export", "--all", "-o", tmp_path / f"all.{suffix}")
        trackai("import", suffix, tmp_path / f"all.{suffix}", "--db", tmp_path / f"{suffix}.db")
    trackai("merge", db_path, "--db", tmp_path / "merged.db")
    for path in (db_path, *(tmp_path / f"{name}.db" for name in ("jsonl", "csv", "merged"))):
        [stored] = sdk.Api(path).runs()
        assert list(stored.history("note")["note"].values) == texts
        if path.name != "csv.db":
            assert stored.config["texts"] == texts
            assert [stored.config[str(at)] for at in range(len(texts))] == texts
        with closing(sqlite3.connect(path)) as connection:
            rows = connection.execute("SELECT value FROM points ORDER BY step").fetchall()
            assert [value for (value,) in rows] == texts


def test_filters_and_groups_tell_texts_with_nul_apart(trackai: Trackai) -> None:
    texts = ["a", "a\0", "a\0b", "\\u0000"]
    for number, text in enumerate(texts):
        sdk.init(project="p", name=f"r{number}", config={"text": text}).finish()
    api = sdk.Api()
    assert [run.name for run in api.runs(filter='config.text = "a"')] == ["r0"]
    assert [run.name for run in api.runs(filter=r'config.text = "\\u0000"')] == ["r3"]
    assert [run.name for run in api.runs(filter='config.text != "a"')] == ["r3", "r2", "r1"]


def test_csv_and_json_lines(tmp_path: Path, trackai: Trackai, ask: Ask) -> None:
    (tmp_path / "t\tx.csv").write_text(f"step,a\0b,{'m' * 1025},good\n0,1,2,3\n")
    receipt = trackai("import", "csv", tmp_path / "t\tx.csv", "--json", code=4).json
    assert receipt["totals"]["not_stored"] == {NUL: 1, LONG: 1}
    assert ask("SELECT runs.slug, path FROM series JOIN runs ON runs.id = run_id") == [
        ("t\\x09x", "good")
    ]
    lines = [
        {"type": "run", "uid": "u", "project": "p", "run_id": "r", "created_at": 1},
        {"type": "points", "run_uid": "u", "metric": "a\0", "writer": {"uid": "w"}, "steps": [0],
         "timestamps": [1], "values": [1]},
    ]  # fmt: skip
    path = tmp_path / "runs.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    assert trackai("import", "jsonl", path, "--json", code=4).json["totals"]["not_stored"] == {
        NUL: 1
    }
    deep = {"type": "run", "uid": "u", "project": "p", "run_id": "r", "created_at": 1}
    path.write_text(
        json.dumps(deep | {"config": "X"}).replace('"X"', '{"a":' * 9000 + "1" + "}" * 9000)
    )
    assert "line 1" in trackai("import", "jsonl", path, code=2).err


def test_tensorboard(tmp_path: Path, trackai: Trackai, ask: Ask) -> None:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    from trackai.importers.tensorboard.records import masked_checksum

    folder = tmp_path / "logs" / "run\x1b[31m\udce9"
    folder.mkdir(parents=True)
    values = [Summary.Value(tag=tag, simple_value=1) for tag in ("a\0b", "", "m" * 2000, "good")]
    payload = Event(wall_time=5.0, summary=Summary(value=values)).SerializeToString()
    header = struct.pack("<Q", len(payload))
    (folder / "events.out.tfevents.5.h\udcff\n").write_bytes(
        header + struct.pack("<I", masked_checksum(header))
        + payload + struct.pack("<I", masked_checksum(payload))
    )  # fmt: skip
    receipt = trackai("import", "tensorboard", tmp_path / "logs", "--json", code=4).json
    assert receipt["types"]["metrics"]["not_stored"] == {NUL: 1, EMPTY: 1, LONG: 1}
    assert ask("SELECT slug, path FROM runs JOIN series ON run_id = runs.id") == [
        (r"run\x1b[31m\udce9", "good")
    ]


def test_trackio(tmp_path: Path, trackai: Trackai, ask: Ask) -> None:
    """Odd names and values, and a table that a later version of trackio might write."""
    time = "2026-01-01T00:00:00+00:00"
    with closing(sqlite3.connect(tmp_path / "p.db")) as connection:
        connection.executescript("""
            CREATE TABLE metrics (id INTEGER, timestamp TEXT, run_name TEXT, step INTEGER,
                                  metrics TEXT);
            CREATE TABLE configs (id INTEGER, run_name TEXT, config TEXT, created_at TEXT);
            CREATE TABLE alerts (timestamp TEXT, run_name TEXT, level TEXT, title TEXT, text TEXT,
                                 step INTEGER);
        """)
        name = "r\n1"
        connection.executemany(
            "INSERT INTO metrics VALUES (1, ?, ?, ?, ?)",
            [
                (time, name, 0, json.dumps({"a\0b": 1, "": 2, "good": {"x": 3}})),
                (time, name, 0.5, '{"good": {"x": 4}}'),
                (time, name, "soon", '{"good": {"x": 5}}'),
                (time, name, float("inf"), '{"good": {"x": 6}}'),
                (time, name, 1, "[" * 9000),
            ],
        )
        config = {"k\0": 1, "good": "v\0", "_Created": "2026-01-01T00:00:00+00:00"}
        resumed = {**config, "_Created": "2026-01-02T00:00:00+00:00"}
        connection.executemany(
            "INSERT INTO configs VALUES (1, ?, ?, ?)",
            [(name, json.dumps(config), time), (name, json.dumps(resumed), time)],
        )
        connection.execute(
            "INSERT INTO alerts VALUES (?, ?, 'WARN', 't', 'x', 'never')", (time, name)
        )
        connection.commit()
    receipt = trackai("import", "trackio", tmp_path / "p.db", "--json", code=4).json
    assert receipt["types"]["metrics"]["stored"] == 2
    assert sum(receipt["types"]["metrics"]["not_stored"].values()) == 5
    assert receipt["types"]["alerts"]["not_stored"]
    assert ask("SELECT path, step, value FROM metrics JOIN series ON series.id = series_id") == [
        ("good/x", 0, 3), ("good/x", 0.5, 4),
    ]  # fmt: skip
    assert ask("SELECT slug, created_at FROM runs") == [("r\\x0a1", 1_767_225_600_000_000)]
    assert ask("SELECT key, value FROM configs") == [("good", '"v\\u0000"')]


def test_readers_do_not_need_valid_names(tmp_path: Path) -> None:
    """The loader checks names, for all readers alike."""
    (tmp_path / "t.csv").write_text("a\0b\n1\n")
    items = list(read_csv(tmp_path / "t.csv", project=None, name=None, receipt=Receipt("", "")))
    assert [item.metric for item in items if isinstance(item, Block)] == ["a\0b"]
    (tmp_path / "t.jsonl").write_text("")
    assert list(read_jsonl(tmp_path / "t.jsonl")) == []
