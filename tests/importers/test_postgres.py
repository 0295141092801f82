"""Imports into PostgreSQL store what imports into a file store."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import anyio
import pytest

import trackai as sdk
from tests.conftest import execute_sql
from tests.importers import test_round_trip as round_trip
from tests.importers.test_round_trip import EXPORT, artifacts, call, figures, points, rest
from tests.importers.test_server import HEAD, RUN, block, file_of, receipt_of
from trackai.importers.loader import load_runs
from trackai.importers.receipt import Receipt
from trackai.store.postgres.database import PostgresDatabase
from trackai.structs.exchange import ArtifactHead
from trackai.structs.records import ArtifactFile

if TYPE_CHECKING:
    from pathlib import Path

store = round_trip.store  # a fixture


@pytest.fixture
def url(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty database, whose files are in the folder of TRACKAI_FILES."""
    monkeypatch.setenv("TRACKAI_FILES", str(tmp_path / "files"))
    return postgres_url


def log_files(tmp_path: Path) -> None:
    """Log a run with files and versions of an artifact."""
    page = tmp_path / "page.html"
    with sdk.init(project="files", name="files", config={"x": float("nan")}, tags=["t"]) as run:
        run.log({"html": sdk.Html("<p>x")}, step=1)
        for text in ("one", "two"):
            page.write_text(text)
            model = sdk.Artifact("model", "model", metadata={"text": [text]})
            model.add_file(page)
            model.add_reference("s3://bucket/x")
            run.log_artifact(model, aliases=["best"])
        run.use_artifact("model:v0")


@pytest.mark.parametrize("how", ["merge", "jsonl", "neptune"])
def test_everything_arrives_as_in_a_file(
    store: Path, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    log_files(tmp_path)
    command = {
        "merge": ["merge", str(store)],
        "jsonl": ["import", "jsonl", str(tmp_path / "out.jsonl")],
        "neptune": ["import", "neptune", str(EXPORT), "--jobs", "0"],
    }[how]
    call("export", "--all", "-o", str(tmp_path / "out.jsonl"))
    copy = tmp_path / "copy.db"
    for number in range(2):  # a second time changes nothing
        expected = receipt_of(capsys, *command, "--db", str(copy))
        assert receipt_of(capsys, *command, "--db", url) == expected
        # The contents of PostgreSQL, and those of the file on the same way.
        back, again = tmp_path / f"back{number}.db", tmp_path / f"again{number}.db"
        call("merge", url, "--into", str(back))
        call("merge", str(copy), "--into", str(again))
        assert len(points(back)) > 0
        for read in (points, figures, artifacts):
            assert read(back) == read(again)
        rows, expected_rows = rest(back), rest(again)
        if (
            how == "neptune"
        ):  # without the time at which a writer began, which is that of the import
            for each in (rows, expected_rows):
                each["writers"] = [(*row[:6], *row[7:]) for row in each["writers"]]
        assert rows == expected_rows
    assert expected["totals"]["stored"] == 0
    assert expected["totals"]["already_there"] > 0


def test_imports_at_the_same_time_store_everything_once(url: str, tmp_path: Path) -> None:
    items: list[Any] = [HEAD]
    for number in range(20):
        (tmp_path / f"{number}").write_bytes(b"%d" % number * 100_000)
        items += [block(f"m{number}", [1.0] * 1000), file_of(f"{number % 10}")]
        for role in ("logged", "used"):
            items.append(
                ArtifactHead(
                    run_uid=RUN,
                    role=role,
                    project="p",
                    name=f"model{number % 3}",
                    version=number,
                    digest=f"{number}" if role == "used" else "",
                    timestamp=number,
                    created_at=1,
                    logged_at=number,
                    files=[ArtifactFile(name="x", reference=f"s3://bucket/{number}")],
                )
            )
    receipts: list[Receipt] = []

    async def load() -> None:
        db = PostgresDatabase(url, files=str(tmp_path / "files"))
        try:
            await db.open()
            receipts.append(
                await load_runs(db, items, Receipt("", ""), lambda head: tmp_path / head.source)
            )
        finally:
            await db.close()

    threads = [threading.Thread(target=anyio.run, args=[load]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(receipt.stored for receipt in receipts) == 20_000
    assert sum(receipt.new_runs for receipt in receipts) == 1
    assert [receipt.complete for receipt in receipts] == [True] * 3
    assert execute_sql(url, "SELECT COUNT(*), COUNT(DISTINCT sha256) FROM files") == [(20, 10)]
    counts = execute_sql(url, "SELECT COUNT(*), COUNT(DISTINCT digest) FROM artifact_versions")
    assert counts == [(20, 20)]
