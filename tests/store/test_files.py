"""Files of runs: rows in the database, bytes in a folder next to it, and both over HTTP."""

from __future__ import annotations

import hashlib
import urllib.request
from typing import TYPE_CHECKING

import pytest

import trackai
from trackai.errors import NotFoundError
from trackai.store.blobs.folder import FolderBlobs
from trackai.store.catalogue import files, projects, runs, writers
from trackai.store.engine.database import Database

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server
    from trackai.store.engine.store import Store


async def _run_with_files(db: Store, slug: str, **contents: Path | None) -> int:
    async with db.write() as conn:
        project = await projects.get_or_create(conn, "p", now=1)
        run = await runs.create(
            conn, uid=slug, project_id=project.id, slug=slug, name=None, group_name=None, now=1
        )
        writer_id = await writers.get_or_create(
            conn, uid=slug, run_id=run.id, attempt=1, rank=0, host="here", pid=1, now=1
        )
        new = [
            files.NewFile(
                path=f"artifacts/{name}",
                kind="file",
                name=f"{name} ü.html",
                step=0.5,
                timestamp=1_000_000,
                source="x",
                blob=None if path is None else db.blobs.keep(path),
            )
            for name, path in contents.items()
        ]
        await files.add(conn, run.id, writer_id, new)
    return run.id


def _blobs(db: Store) -> set[str]:
    assert isinstance(db.blobs, FolderBlobs)
    paths = db.blobs.folder.rglob("*")
    return {path.parent.name + path.name for path in paths if path.is_file()}


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.html"
    path.write_text("<script>alert(1)</script>")
    return path


async def test_a_file_is_returned_unchanged_as_an_attachment(
    db: Store, server: Server, page: Path
) -> None:
    run_id = await _run_with_files(db, "r", page=page, gone=None)
    gone, listed = server.get(f"/api/runs/{run_id}/files")
    sha256 = hashlib.sha256(page.read_bytes()).hexdigest()
    assert listed == {
        "id": listed["id"], "run_id": run_id, "path": "artifacts/page", "kind": "file",
        "name": "page ü.html", "step": 0.5, "timestamp": "1970-01-01T00:00:01Z",
        "size": 25, "sha256": sha256,
    }  # fmt: skip
    with urllib.request.urlopen(f"{server.url}/api/files/{listed['id']}") as answer:
        assert answer.read() == page.read_bytes()
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        disposition = answer.headers["Content-Disposition"]
    assert disposition == "attachment; filename*=utf-8''page%20%C3%BC.html"
    assert gone["size"] is None
    for unknown in (gone["id"], 12345, "x"):
        assert server.request("GET", f"/api/files/{unknown}").status in {404, 422}
    assert server.request("GET", "/api/runs/999/files").status == 404


async def test_bytes_are_removed_with_the_last_file_that_has_them(
    db: Store, server: Server, page: Path, tmp_path: Path
) -> None:
    unshared = tmp_path / "other"
    unshared.write_bytes(b"other")
    first = await _run_with_files(db, "a", page=page)
    second = await _run_with_files(db, "b", page=page, again=page, other=unshared)
    assert len(_blobs(db)) == 2
    assert server.request("DELETE", f"/api/runs/{second}").status == 200
    assert _blobs(db) == {hashlib.sha256(page.read_bytes()).hexdigest()}
    async with db.read() as conn:
        (file,) = await files.list_of_run(conn, first)
        (row,) = await conn.execute_fetchall("SELECT COUNT(*) FROM files")
        project_id = (await runs.get(conn, first)).project_id
    assert row[0] == 1
    assert server.request("GET", f"/api/files/{file.id}").status == 200
    assert _blobs(db) == {file.sha256}
    assert server.request("DELETE", f"/api/projects/{project_id}").status == 200
    assert _blobs(db) == set()


async def test_deleting_a_run_in_python_removes_bytes(db: Store, db_path: Path, page: Path) -> None:
    run_id = await _run_with_files(db, "r", page=page)
    assert trackai.Api(db_path).run(run_id).delete()
    assert _blobs(db) == set()


async def test_an_invalid_hash_does_not_lead_outside_the_folder(
    db: Store, server: Server, page: Path, tmp_path: Path
) -> None:
    run_id = await _run_with_files(db, "r", page=page)
    (tmp_path / "secret").write_text("secret")
    for evil in ("../../secret", str(tmp_path / "secret"), "a" * 63 + "/", "A" * 64):
        if isinstance(db, Database):
            with pytest.raises(NotFoundError):
                files.blob_path(db.path, evil)
        async with db.write() as conn:
            await conn.execute("UPDATE files SET sha256 = ?", (evil,))
        (listed,) = server.get(f"/api/runs/{run_id}/files")
        assert server.request("GET", f"/api/files/{listed['id']}").status == 404


def test_a_failed_copy_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FolderBlobs(tmp_path / "files").keep(tmp_path / "missing")
    with pytest.raises(IsADirectoryError):
        FolderBlobs(tmp_path / "files").keep(tmp_path)
    assert list((tmp_path / "files").iterdir()) == []
