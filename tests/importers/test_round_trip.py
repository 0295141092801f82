"""Exporting and importing preserves everything, bit for bit."""

from __future__ import annotations

import hashlib
import json
import math
import os
import sqlite3
import struct
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trackai as sdk
from tests.conftest import execute_sql, serving
from tests.postgres import empty
from trackai.cli import main
from trackai.importers.loader import load_runs
from trackai.importers.receipt import Receipt
from trackai.store.catalogue.files import blob_path
from trackai.store.engine.database import Database
from trackai.store.engine.sql import LAST_VALUE, VALUE
from trackai.store.postgres.database import PostgresDatabase
from trackai.structs.exchange import Block, RunHead, WriterHead

if TYPE_CHECKING:
    from trackai.store.engine.store import Store

EXPORT = Path(__file__).parents[1] / "data" / "neptune" / "export"


Place = Path | str  # of a database: the path of a file, or a URL
NewPlace = Callable[[str], Place]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Create a file with all kinds of points, to which scripts log."""
    path = tmp_path / "store" / "trackai.db"
    monkeypatch.setenv("TRACKAI_DB_PATH", str(path))
    with sdk.init(
        project="Prójekt/1", name="näme", group="g", config={"a": {"b": [1, "x"]}}
    ) as run:
        for value in (0.1, -0.0, 5e-324, math.nan, math.inf, -math.inf, 1e308, 7, 2**63 - 1, True):
            run.log({'all/kinds, "quoted"': value})
        run.log({'all/kinds, "quoted"': "NaN"})
        for text in ("NaN", "Infinity", "", "line\nbreak", "日本", "y" * 200_000):
            run.log({"text": text})
        run.log({"flags": True})
        run.log({"flags": False})
        for step in (-3, 0.5, 2**60, 1e-6):
            run.log({"steps": 1.5}, step=step)
        run.log_system({"gpu": 0.5})
    for steps in (range(10), range(5, 12)):
        with sdk.init(project="p", name="resumed", resume="allow") as run:
            for step in steps:
                run.log({"loss": float(step)}, step=step)
    yield path
    sdk.finish()


def call(*arguments: str, code: int = 0) -> None:
    with pytest.raises(SystemExit) as exited:
        main(list(arguments))
    assert (exited.value.code or 0) == code


def bits(value: Any) -> Any:
    return struct.pack("<d", value) if isinstance(value, float) else value


@contextmanager
def as_file(place: Place) -> Iterator[Path]:
    """The file of a database; of one on PostgreSQL, a copy of it in a file."""
    if isinstance(place, Path):
        yield place
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "copy.db")
        call("merge", place, "--db", str(path))
        yield path


def points(place: Place, *, with_kind: bool = True) -> list[tuple[Any, ...]]:
    with as_file(place) as path:
        return _points(path, with_kind=with_kind)


def _points(path: Path, *, with_kind: bool) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(path)
    rows = connection.execute(
        f"""
        SELECT runs.uid, runs.slug, projects.name, path, axis,
               {"kind" if with_kind else "''"}, writers.uid, writers.attempt,
               typeof(step), step, metrics.timestamp, typeof({VALUE}), {VALUE}
        FROM metrics
        JOIN series ON series.id = series_id
        JOIN runs ON runs.id = series.run_id
        JOIN projects ON projects.id = project_id
        JOIN writers ON writers.id = writer_id
        ORDER BY runs.uid, path, axis, step, metrics.timestamp
        """
    ).fetchall()
    connection.close()
    return [tuple(map(bits, row)) for row in rows]


def figures(place: Place) -> list[tuple[Any, ...]]:
    rows = execute_sql(
        place,
        f"""
        SELECT uid, path, axis, kind, points, finite_points, nan_points, first_step, last_step,
               {LAST_VALUE}, min_value, max_value, sum
        FROM series JOIN runs ON runs.id = run_id ORDER BY uid, path, axis
        """,
    )
    return [tuple(map(bits, row)) for row in rows]


@pytest.mark.parametrize("format_", ["jsonl", "csv"])
def test_export_and_import(store: Path, new_place: NewPlace, tmp_path: Path, format_: str) -> None:
    file, copy, again = tmp_path / f"out.{format_}", new_place("copy"), new_place("again")
    call("export", "--all", "-o", str(file))
    for _ in range(2):  # a second time changes nothing
        call("import", format_, str(file), "--db", str(copy))
    assert points(copy) == points(store)
    assert len(points(copy)) == 36 + 7 - 2
    assert figures(copy) == figures(store)
    call("export", "--all", "--db", str(copy), "-o", str(tmp_path / f"again.{format_}"))
    call("import", format_, str(tmp_path / f"again.{format_}"), "--db", str(again))
    assert points(again) == points(store)


def test_json_lines_hold_the_rest_too(store: Path, new_place: NewPlace, tmp_path: Path) -> None:
    copy = new_place("copy")
    call("export", "--project", "Prójekt/1", "-o", str(tmp_path / "out.jsonl"))
    call("import", "jsonl", str(tmp_path / "out.jsonl"), "--db", str(copy))
    assert execute_sql(copy, "SELECT name, group_name, state FROM runs") == [
        ("näme", "g", "completed")
    ]
    assert execute_sql(copy, "SELECT key, value FROM configs") == [("a/b", '[1,"x"]')]


def parquet_points(file: Path) -> list[tuple[Any, ...]]:
    rows = []
    for row in pq.read_table(file).to_pylist():
        value: Any = row["value"]
        if row["type"] in ("int", "bool"):
            value = row["value_int"]
        elif row["type"] == "str":
            value = row["value_text"]
        elif value != value:
            value = None
        step = row["step"] if row["step_int"] is None else row["step_int"]
        rows.append((row["run_uid"], row["metric"], row["axis"], bits(step), bits(value)))
    return sorted(rows, key=repr)


def stored_points(store: Place) -> list[tuple[Any, ...]]:
    rows = points(store, with_kind=False)
    return sorted(((row[0], row[3], row[4], row[9], row[12]) for row in rows), key=repr)


def test_parquet(store: Path, new_place: NewPlace, tmp_path: Path) -> None:
    copy = new_place("copy")
    call("merge", str(store), "--db", str(copy))
    call("export", "--all", "--db", str(copy), "-o", str(tmp_path / "out.parquet"))
    assert parquet_points(tmp_path / "out.parquet") == stored_points(store)


def test_merge_is_the_union(store: Path, new_place: NewPlace, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    call("merge", str(store), "--db", str(copy))
    with sdk.init(project="p", name="resumed", resume="must", db_path=copy) as run:
        run.log({"loss": 1.0}, step=20)
    with sdk.init(project="p", name="resumed", resume="must") as run:
        run.log({"other": 2.0}, step=30)
    before = set(points(store)) | set(points(copy))
    union = new_place("union")
    call("merge", str(store), "--db", str(union))
    for _ in range(2):
        call("merge", str(copy), "--db", str(union))
        assert set(points(union)) == before
        assert len(points(union)) == len(before)
    call("merge", str(union))
    assert set(points(store)) == before
    assert len(points(store)) == len(before)


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Import a store with files, system metrics with steps, and typed configuration values."""
    path = tmp_path_factory.mktemp("imported") / "store.db"
    call("import", "neptune", str(EXPORT), "--db", str(path), "--jobs", "0")
    return path


def rest(place: Place) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows but points, without row ids, and check the bytes of files."""
    with as_file(place) as path:
        return _rest(path)


def _rest(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    run = "(SELECT uid FROM runs WHERE runs.id = run_id)"
    writer = "(SELECT uid FROM writers WHERE writers.id = writer_id)"
    with closing(sqlite3.connect(path)) as connection:
        tables = {
            name: sorted(connection.execute(query).fetchall(), key=repr)
            for name, query in {
                "files": f"""
                    SELECT {run}, {writer}, path, kind, name, step, timestamp, size, sha256, source
                    FROM files
                """,
                "steps": f"""
                    SELECT series.path, {writer}, timestamp, typeof(step), step
                    FROM system_steps JOIN series ON series.id = series_id
                """,
                "configs": f"SELECT {run}, key, value, type FROM configs",
                "projects": "SELECT name, slug FROM projects",
                "tags": f"SELECT {run}, tag FROM tags",
                "imports": f"""
                    SELECT {run}, part, fingerprint, consumed, complete, counts FROM imports
                """,
                "writers": f"""
                    SELECT uid, {run}, attempt, rank, host, pid, started_at, state, first_step,
                           ended_at, (SELECT part FROM imports WHERE imports.id = import_id)
                    FROM writers
                """,
                "runs": """
                    SELECT uid, slug, name, group_name, state, created_at, updated_at,
                           finished_at, fork_uid, fork_step, notes
                    FROM runs
                """,
            }.items()
        }
    for row in tables["files"]:
        size, sha256 = row[7:9]
        if sha256 is not None:
            data = blob_path(path, sha256).read_bytes()
            assert (len(data), hashlib.sha256(data).hexdigest()) == (size, sha256)
    assert not list(path.with_name(path.name + "-files").glob("new-*"))
    return tables


def copied(how: str, store: Path, copy: Place, *, code: int = 0) -> None:
    if how == "merge":
        call("merge", str(store), "--db", str(copy), code=code)
        return
    if how == "server":
        with serving(copy) as server:
            call("merge", str(store), "--server-url", server.url, code=code)
        return
    file = store.with_name("copied.jsonl")
    if not file.exists():
        call("export", "--all", "--db", str(store), "-o", str(file))
    call("import", "jsonl", str(file), "--db", str(copy), code=code)


@pytest.mark.parametrize("how", ["merge", "jsonl", "server"])
def test_files_and_kept_steps_and_types_come_along(
    imported: Path, new_place: NewPlace, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    copy = new_place("copy")
    expected = rest(imported)
    assert all(len(rows) > 0 for rows in expected.values())
    assert any(row[3] for row in expected["configs"])
    for _ in range(2):
        copied(how, imported, copy)
        assert rest(copy) == expected
        assert points(copy) == points(imported)
    # A copy of an import counts as an import: repeating it finds everything already there.
    capsys.readouterr()
    call("import", "neptune", str(EXPORT), "--db", str(copy), "--jobs", "0", "--json")
    totals = json.loads(capsys.readouterr().out)["totals"]
    assert totals["stored"] == 0
    assert totals["already_there"] == totals["read"] - totals["null"]
    assert rest(copy) == expected


def test_a_copy_that_was_killed_is_no_import(
    imported: Path, new_place: NewPlace, tmp_path: Path
) -> None:
    copy = new_place("copy")
    file = tmp_path / "out.jsonl"
    call("export", "--all", "--db", str(imported), "-o", str(file))
    lines = file.read_bytes().splitlines(keepends=True)
    script = """
        import os, sys, anyio
        from pathlib import Path
        from trackai.importers import jsonl
        from trackai.importers.loader import load_runs
        from trackai.importers.receipt import Receipt
        from trackai.settings import Settings
        from trackai.store.factory import create_store

        def killed_after_items():
            for number, item in enumerate(jsonl.read(Path(sys.argv[1]))):
                if number == int(sys.argv[3]):
                    os.kill(os.getpid(), 9)
                yield item

        async def work():
            db = create_store(Settings.from_env(database=sys.argv[2]).database)
            await db.open()
            await load_runs(db, killed_after_items(), Receipt("", ""))

        anyio.run(work)
    """
    for number in (len(lines) // 3, len(lines) * 2 // 3):
        process = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script), file, str(copy), str(number)],
            check=False,
        )
        assert process.returncode == -9
    for half in tmp_path.glob("**/*files/new-*"):
        os.utime(half, (0, 0))
    call("import", "neptune", str(EXPORT), "--db", str(copy), "--jobs", "0", "--verify")
    call("import", "jsonl", str(file), "--db", str(copy))
    for name, rows in rest(imported).items():
        if name not in ("imports", "writers", "runs"):
            assert rest(copy)[name] == rows
    assert len(points(copy)) == len(points(imported))


@pytest.mark.parametrize("how", ["merge", "jsonl", "server"])
def test_missing_bytes_are_added_later(
    imported: Path, new_place: NewPlace, tmp_path: Path, how: str
) -> None:
    lost, copy = tmp_path / "lost.db", new_place("copy")
    call("merge", str(imported), "--db", str(lost))
    with closing(sqlite3.connect(lost)) as connection:
        ((sha256, rows),) = connection.execute(
            "SELECT sha256, COUNT(*) FROM files WHERE size > 0 GROUP BY sha256 LIMIT 1"
        )
    blob_path(lost, sha256).unlink()
    copied(how, lost, copy, code=4)  # the receipt names it
    missing = [row for row in rest(copy)["files"] if row[8] is None]
    before = [row for row in rest(imported)["files"] if row[8] is None]
    assert len(missing) == len(before) + rows
    call("merge", str(imported), "--db", str(copy))
    assert rest(copy)["files"] == rest(imported)["files"]


@pytest.mark.parametrize("how", ["merge", "jsonl", "server"])
def test_two_that_share_a_run_become_their_union(
    imported: Path, new_place: NewPlace, tmp_path: Path, how: str
) -> None:
    """Each store has some rows that the other one lacks, and both have some."""
    left, right = tmp_path / "left.db", tmp_path / "right.db"
    half = {
        left: """
            DELETE FROM files WHERE id % 2;
            DELETE FROM system_steps WHERE timestamp % 3;
            DELETE FROM configs WHERE key LIKE 's%';
            DELETE FROM metrics WHERE step % 2 AND step < 1000000000;
        """,
        right: """
            DELETE FROM files WHERE id % 3;
            DELETE FROM system_steps WHERE timestamp % 3 = 0;
            DELETE FROM configs WHERE key > 't';
            DELETE FROM metrics WHERE step % 2 = 0 AND step < 1000000000;
        """,
    }
    for path, script in half.items():
        call("merge", str(imported), "--db", str(path))
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(script)
        call("doctor", "--fix", "--db", str(path))
    parts = {path: (rest(path), points(path)) for path in half}
    union = {
        name: sorted({*parts[left][0][name], *parts[right][0][name]}, key=repr)
        for name in parts[left][0]
    }
    both = new_place("both")
    call("merge", str(left), "--db", str(both))
    copied(how, right, both)
    merged = rest(both)
    assert merged == union
    assert merged != parts[left][0]
    assert sorted(points(both), key=repr) == sorted({*parts[left][1], *parts[right][1]}, key=repr)
    if isinstance(both, Path):
        call("doctor", "--db", str(both))


NUMBERS = (
    st.floats() | st.booleans() | st.integers(-(2**63), 2**63 - 1)
    | st.sampled_from([-0.0, math.nan, math.inf, -math.inf, 5e-324, 2**53 + 1])
)  # fmt: skip
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
STEPS = st.integers(-(2**62), 2**62) | st.floats(-(2.0**62), 2.0**62)


@given(
    numbers=st.lists(st.tuples(STEPS, NUMBERS | TEXTS), min_size=1, max_size=30),
    texts=st.lists(st.tuples(STEPS, TEXTS), max_size=5),
)
@settings(max_examples=25)
def test_whatever_the_values_are(
    new_place: NewPlace, numbers: list[tuple[Any, Any]], texts: list[tuple[Any, Any]]
) -> None:
    """Every format gives the same points, bit for bit."""
    head = RunHead(uid="r" * 32, project="p", run_id="r", created_at=1)
    writer = WriterHead(uid="w" * 32)
    items: list[Any] = [head]
    for metric, series in (("n", numbers), ("t", texts)):
        if series:
            steps, values = map(list, zip(*series, strict=True))
            times = list(range(-5, len(series) - 5))
            items.append(
                Block(run_uid=head.uid, metric=metric, writer=writer, steps=steps,
                      timestamps=times, values=values)
            )  # fmt: skip

    async def make(place: Place) -> None:
        db: Store
        if isinstance(place, Path):
            db = Database(place)
        else:
            db = PostgresDatabase(place, files=os.environ["TRACKAI_FILES"])
        try:
            await db.open()
            await load_runs(db, items, Receipt("", ""))
        finally:
            await db.close()

    def emptied(name: str) -> Place:
        """A database of an earlier example, which is emptied."""
        place = new_place(name)
        if isinstance(place, Path):
            place.unlink(missing_ok=True)
        else:
            empty(place)
        return place

    with tempfile.TemporaryDirectory() as folder:
        store = emptied("store")
        anyio.run(make, store)
        assert len(points(store)) == len(numbers) + len(texts)
        for format_ in ("jsonl", "csv"):
            file, copy = Path(folder) / f"out.{format_}", emptied(format_)
            call("export", "--all", "--db", str(store), "-o", str(file))
            call("import", format_, str(file), "--db", str(copy))
            assert points(copy) == points(store)
            assert figures(copy) == figures(store)
        file = Path(folder) / "out.parquet"
        call("export", "--all", "--db", str(store), "-o", str(file))
        assert parquet_points(file) == stored_points(store)


def test_a_table_with_a_column_for_each_metric(new_place: NewPlace, tmp_path: Path) -> None:
    place, file = new_place("tables"), tmp_path / "table.csv"
    file.write_text("step,loss,acc,note\n1,0.5,,x\n2.5,nan,0.25,\n", encoding="utf-8")
    for _ in range(2):
        call("import", "csv", str(file), "--project", "tables", "--db", str(place))
    with as_file(place) as path:
        assert execute_sql(
            path, "SELECT project, run, metric, step, value FROM points ORDER BY metric, step"
        ) == [
            ("tables", "table", "acc", 2.5, 0.25),
            ("tables", "table", "loss", 1, 0.5),
            ("tables", "table", "loss", 2.5, None),
            ("tables", "table", "note", 1, "x"),
        ]


@pytest.mark.parametrize(
    ("format_", "text", "where"),
    [
        ("jsonl", "{}\n", "line 1"),
        ("jsonl", '{"type":"points"}\n', "line 1"),
        ("jsonl", "\x00\n", "line 1"),
        ("csv", "", "line 0"),
        ("csv", "step,loss\nx,1\n", "line 2"),
        ("csv", "step,loss\n1\n", "line 2"),
        ("csv", "step,loss\nnan,1\n", "line 2"),
    ],
)
def test_bad_input_is_named(
    new_place: NewPlace,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    format_: str,
    text: str,
    where: str,
) -> None:
    file = tmp_path / f"bad.{format_}"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit) as exited:
        main(["import", format_, str(file), "--db", str(new_place("bad"))])
    assert exited.value.code == 2
    assert where in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "change"),
    [
        ("run", {"created_at": 9 * 10**18}),
        ("run", {"fork_uid": "u", "fork_step": 2**63}),
        ("points", {"steps": [2**70]}),
        ("points", {"timestamps": [9 * 10**18]}),
        ("points", {"values": [10**400]}),
        ("points", {"own_steps": [2**63]}),
        ("points", {"writer": {"uid": "w", "attempt": 0}}),
        ("points", {"writer": {"uid": "w", "attempt": 2**63}}),
        ("points", {"writer": {"uid": "w", "pid": -(2**70)}}),
    ],
)
def test_of_numbers_that_cannot_be_stored_or_shown_nothing_is(
    store: Path, new_place: NewPlace, tmp_path: Path, line: str, change: dict[str, Any]
) -> None:
    run = {"type": "run", "uid": "u2", "project": "p", "run_id": "r2", "created_at": 1}
    block = {
        "type": "points", "run_uid": "u2", "metric": "m", "writer": {"uid": "w"},
        "steps": [1], "timestamps": [1], "values": [1],
    }  # fmt: skip
    (run if line == "run" else block).update(change)
    mistake = b"\n".join(json.dumps(item).encode() for item in (run, block))
    test_of_a_file_with_a_mistake_nothing_is_stored(store, new_place, tmp_path, mistake)


@pytest.mark.parametrize(
    "mistake",
    [
        b"{}",
        (
            b'{"type":"points","run_uid":"nobody","metric":"m","writer":{"uid":"w"},"steps":[1],'
            b'"timestamps":[1],"values":[1]}'
        ),
    ],
)
def test_of_a_file_with_a_mistake_nothing_is_stored(
    store: Path, new_place: NewPlace, tmp_path: Path, mistake: bytes
) -> None:
    file, copy = tmp_path / "out.jsonl", new_place("copy")
    call("export", "--all", "--db", str(store), "-o", str(file))
    file.write_bytes(file.read_bytes() + mistake + b"\n")
    call("import", "jsonl", str(file), "--db", str(copy), code=2)
    assert points(copy) == []
    assert execute_sql(copy, "SELECT COUNT(*) FROM runs") == [(0,)]


def artifacts(place: Place) -> list[tuple[Any, ...]]:
    with as_file(place) as path, closing(sqlite3.connect(path)) as connection:
        return connection.execute(
            """
            SELECT project, type, artifact, version, latest, aliases, run, used_by, files, size,
                   metadata, digest
            FROM artifact_overview ORDER BY artifact, version
            """
        ).fetchall()


@pytest.mark.parametrize("how", ["merge", "jsonl", "server"])
def test_artifacts_come_along(new_place: NewPlace, tmp_path: Path, how: str) -> None:
    def log(path: Path, name: str, *texts: str, alias: str = "best") -> None:
        with sdk.init(project="p", id=name, db_path=path) as run:
            for text in texts:
                (tmp_path / "weights").write_text(text)
                model = sdk.Artifact("model", "model", metadata={"text": text})
                model.add_file(tmp_path / "weights")
                model.add_reference("s3://bucket/x")
                run.log_artifact(model, aliases=[alias])
            run.use_artifact("model:v0")

    source, copy = tmp_path / "source.db", new_place("copy")
    log(source, "first", "one", "two")
    log(source, "second", "three", "one")
    for _ in range(2):
        copied(how, source, copy)
        assert artifacts(copy) == artifacts(source)
    with as_file(copy) as path:
        assert sdk.Api(path).artifact("model").metadata == {"text": "one"}
    # A database with versions of its own: v0 is taken by other contents, "two" is known.
    log(tmp_path / "four.db", "own", "four", "two", alias="mine")
    own = new_place("own")
    call("merge", str(tmp_path / "four.db"), "--db", str(own))
    copied(how, source, own)
    numbers = {row[10]: row[3] for row in artifacts(own)}
    assert numbers == {
        '{"text":"four"}': 0, '{"text":"two"}': 1, '{"text":"one"}': 2, '{"text":"three"}': 3,
    }  # fmt: skip
    with as_file(own) as path:
        for version in sdk.Api(path).artifacts("p"):
            folder = version.download(tmp_path / f"out-{version.version}")
            assert Path(folder, "weights").read_text() == version.metadata["text"]
        assert sdk.Api(path).artifact("model:mine").metadata == {"text": "two"}
