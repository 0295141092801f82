"""Folders of exports: complete or not there, and never overwritten."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import trackai as sdk
from tests.exporters.conftest import rows, run_of, stored, write_store
from trackai.exporters.folder import safe_name
from trackai.exporters.trackers import TRACKERS
from trackai.structs.exchange import Chunk, FileHead

if TYPE_CHECKING:
    from tests.cli.conftest import Trackai
    from tests.conftest import Server

FORMATS = sorted(TRACKERS)


@pytest.fixture
def store(db_path: Path) -> Path:
    """Create a store with a run of the name of a format, and another one."""
    for name in ("wandb", "other"):
        with sdk.init(project="p", name=name) as run:
            run.log({"loss": 0.5})
    return db_path


def left(folder: Path) -> list[str]:
    """Return what is in a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize("format_", FORMATS)
def test_summary(trackai: Trackai, store: Path, tmp_path: Path, format_: str) -> None:
    out = tmp_path / "out"
    output = trackai("export", format_, "other", "-o", out)
    assert output.out.startswith(f"{out}: 1 run, 1 point, ")
    output = trackai("export", "--format", format_, "--all", "-o", tmp_path / "2", "--json")
    assert output.json["format"] == format_
    assert (output.json["runs"], output.json["points"]) == (2, 2)
    assert set(left(tmp_path)) >= {"2", "out"}
    assert not [name for name in left(tmp_path) if name.endswith(".part")]


def test_a_run_of_the_name_of_a_format(trackai: Trackai, store: Path, tmp_path: Path) -> None:
    for number, arguments in enumerate((["wandb"], ["p/wandb"], ["other", "wandb"])):
        file = tmp_path / f"{number}.jsonl"
        trackai("export", *arguments, "-o", file)
        assert b'"run_id":"wandb"' in file.read_bytes()
    trackai("export", "p/wandb", "-o", tmp_path / "without-suffix")
    assert (tmp_path / "without-suffix").is_file()
    trackai("export", "wandb", "wandb", "-o", tmp_path / "folder")
    assert left(tmp_path / "folder")[0].endswith("-wandb")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["wandb", "-o", "new"], 2, "pass either runs, --project, --filter or --all"),
        (["--format", "wandb", "other"], 2, "pass the folder to write as --out"),
        (["wandb", "other"], 2, "pass the folder to write as --out"),
        (["wandb", "missing", "-o", "new"], 3, "not found"),
        (["wandb", "other", "-o", "file"], 1, "is a file"),
        (["wandb", "other", "-o", "missing/new"], 1, "cannot write missing/new"),
        (["wandb", "other", "-o", "full"], 1, "has no runs of Weights & Biases"),
        (["tensorboard", "other", "-o", "full"], 1, "has no runs of TensorBoard"),
        (["mlflow", "other", "-o", "full"], 1, "is not empty; choose a new folder"),
    ],
)
def test_mistakes_change_nothing(
    trackai: Trackai, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    arguments: list[str], code: int, message: str,
) -> None:  # fmt: skip
    place = tmp_path / "place"
    (place / "full").mkdir(parents=True)
    (place / "full" / "mine.txt").write_text("mine")
    (place / "file").write_text("mine")
    monkeypatch.chdir(place)
    before = left(place)
    assert message in trackai("export", *arguments, code=code).err
    assert left(place) == before


@pytest.mark.parametrize("format_", ["wandb", "tensorboard"])
def test_runs_are_added_to_a_folder(
    trackai: Trackai, store: Path, tmp_path: Path, format_: str
) -> None:
    out = tmp_path / "out"
    trackai("export", format_, "other", "-o", out)
    first = left(out)
    assert "already exists" in trackai("export", format_, "--all", "-o", out, code=1).err
    assert left(out) == first
    trackai("export", format_, "p/wandb", "-o", out)
    assert set(left(out)) > set(first)
    path = out if format_ == "wandb" else out / "p"
    trackai("import", format_, path, "--db", tmp_path / "back.db")
    assert stored(tmp_path / "back.db", "run, path, step, time, value") == stored(
        store, "run, path, step, time, value"
    )


@pytest.mark.parametrize("format_", FORMATS)
def test_an_empty_folder_is_filled(
    trackai: Trackai, store: Path, tmp_path: Path, format_: str
) -> None:
    (tmp_path / "out").mkdir()
    trackai("export", format_, "other", "-o", tmp_path / "out")
    assert not [name for name in left(tmp_path / "out") if name.endswith(".part")]


@pytest.mark.parametrize("format_", FORMATS)
def test_killed_exports_leave_nothing_that_looks_complete(
    trackai: Trackai, store: Path, tmp_path: Path, format_: str
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    script = """
        import os, sys
        from trackai.cli import main
        from trackai.cli import export_runs
        from trackai.exporters.trackers import open_exporter
        import trackai.exporters.trackers as trackers

        class Killing:
            def __init__(self, *arguments):
                self.exporter = open_exporter(*arguments)

            def write(self, item):
                self.exporter.write(item)

            def close(self):
                os.kill(os.getpid(), 9)

        trackers.open_exporter = Killing
        main(sys.argv[1:])
    """
    process = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), "export", format_, "--all", "-o", out],
        env={**os.environ, "TRACKAI_DB_PATH": str(store)}, check=False, capture_output=True,
    )  # fmt: skip
    assert process.returncode == -signal.SIGKILL, process.stderr
    visible = [path for path in out.iterdir() if not path.name.startswith(".")]
    assert not visible
    assert left(out)  # something was written
    trackai("export", format_, "--all", "-o", tmp_path / "again")


@pytest.mark.parametrize("format_", FORMATS)
def test_from_a_server(trackai: Trackai, tmp_path: Path, server: Server, format_: str) -> None:
    with sdk.init(project="p", name="remote", server_url=server.url) as run:
        run.log({"loss": 0.25, "picture": sdk.Html("<p>hi</p>")})
    output = trackai(
        "export", format_, "remote", "--url", server.url, "-o", tmp_path / "out", "--json"
    )
    assert (output.json["runs"], output.json["points"]) == (1, 1)
    assert output.json["files"] == (0 if format_ == "tensorboard" else 1)


@pytest.mark.parametrize(
    ("name", "start"),
    [("a/b", "a-b-"), ("..", ""), ("ü" * 100, "ü" * 75 + "-"), ("nul\0", "nul--"), (" x", "x-")],
)
def test_safe_names(name: str, start: str) -> None:
    safe = safe_name(name)
    assert safe.startswith(start)
    assert len(safe) == len(start) + 8
    assert safe_name(name) == safe != safe_name(f"{name}x")


@pytest.mark.parametrize("name", ["plain name", "ü.txt", "", "a" * 150])
def test_names_that_are_safe(name: str) -> None:
    assert safe_name(name) == name


@pytest.mark.parametrize("path", ["/etc/passwd", "../../x", "a//b", "a/./b", "C:\\x", "a/../b"])
@pytest.mark.parametrize("format_", ["mlflow", "wandb"])
def test_files_stay_in_the_folder(
    trackai: Trackai, tmp_path: Path, format_: str, path: str
) -> None:
    sha256 = hashlib.sha256(b"bytes").hexdigest()
    head, block = run_of([{"m": [(1, 0, 1)]}])
    file = FileHead(
        run_uid=head.uid, writer=block.writer, path=path, kind="file", name="name", size=5,
        sha256=sha256,
    )  # fmt: skip
    store = tmp_path / "store.db"
    write_store(store, [head, block, Chunk(sha256=sha256, data=b"bytes"), file])
    before = set(left(tmp_path))
    trackai("export", format_, "r", "--db", store, "-o", tmp_path / "out")
    added = [tmp_path / name for name in set(left(tmp_path)) - before]
    assert all(item.is_relative_to(tmp_path / "out") for item in added)
    (copy,) = (item for item in added if item.is_file() and item.read_bytes() == b"bytes")
    assert not {".", "..", ""} & set(copy.relative_to(tmp_path / "out").parts)


def test_many_attempts_in_one_second(trackai: Trackai, tmp_path: Path) -> None:
    store = tmp_path / "store.db"
    items = run_of([{"m": [(number, 0, number)]} for number in range(4)])
    for item in items[1:]:
        item.writer.started_at = items[0].created_at
        item.timestamps = items[1].timestamps
    write_store(store, items)
    trackai("export", "wandb", "r", "--db", store, "-o", tmp_path / "out")
    assert len(left(tmp_path / "out")) >= 8
    trackai("import", "wandb", tmp_path / "out", "--db", tmp_path / "back.db")
    assert stored(tmp_path / "back.db") == stored(store)
    assert rows(tmp_path / "back.db", "SELECT created_at FROM runs") == rows(
        store, "SELECT created_at FROM runs"
    )


@pytest.mark.parametrize(
    ("format_", "module"), [("wandb", "google"), ("tensorboard", "google_crc32c")]
)
def test_a_missing_extra(
    trackai: Trackai, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format_: str,
    module: str,
) -> None:  # fmt: skip
    def find(_: str) -> None:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    monkeypatch.setattr("trackai.exporters.trackers.import_module", find)
    output = trackai("export", format_, "other", "-o", tmp_path / "out", code=1)
    assert f"pip install 'trackai[{format_}]'" in output.err
    assert not [name for name in left(tmp_path) if "out" in name]


def test_a_full_disk(
    trackai: Trackai, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("trackai.exporters.wandb.records.LogWriter.write", fail)
    output = trackai("export", "wandb", "other", "-o", tmp_path / "out", code=1)
    assert output.err == f"trackai: cannot write {tmp_path / 'out'}: No space left on device\n"
    assert not [name for name in left(tmp_path) if "out" in name]
