"""Files of stored runs, and downloading them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import trackai
from trackai.reading.stored_file import StoredFile
from trackai.structs.records import FileRecord

if TYPE_CHECKING:
    from tests.conftest import Server
    from trackai.reading.stored_run import StoredRun


@pytest.fixture(params=["file", "server"])
def run(request: pytest.FixtureRequest, server: Server, db_path: Path, tmp_path: Path) -> StoredRun:
    folder = tmp_path / "work"
    (folder / "configs").mkdir(parents=True)
    (folder / "configs" / "a.yaml").write_text("lr: 1\n")
    (folder / "b.txt").write_text("b")
    with trackai.init(project="p") as logged:
        logged.save(folder / "configs" / "a.yaml", base_path=folder)
        logged.save(folder / "b.txt", base_path=folder)
        logged.log_artifact(folder, name="all", type="data")
        (folder / "b.txt").write_text("later")
        logged.save(folder / "b.txt", base_path=folder)
    return trackai.Api(server.url if request.param == "server" else None).run(logged.id)


def test_files_are_listed(run: StoredRun) -> None:
    names = [file.name for file in run.files()]
    assert names == [
        "b.txt",
        "b.txt",
        "configs/a.yaml",
        "data/all/b.txt",
        "data/all/configs/a.yaml",
    ]
    assert [file.name for file in run.files(pattern="%.yaml")] == names[2::2]
    assert [file.name for file in run.files(["configs/a.yaml"])] == ["configs/a.yaml"]
    assert repr(run.file("configs/a.yaml")) == "<File configs/a.yaml (6 bytes)>"


def test_a_file_is_downloaded(run: StoredRun, tmp_path: Path) -> None:
    file = run.file("b.txt")  # the latest
    with file.download(tmp_path) as opened:
        assert (Path(opened.name), opened.read()) == (tmp_path / "b.txt", "later")
    with pytest.raises(trackai.InvalidInputError, match="already exists; pass replace=True"):
        file.download(tmp_path)
    (tmp_path / "b.txt").write_text("mine")
    with file.download(tmp_path, exist_ok=True) as opened:
        assert opened.read() == "mine"
    with file.download(str(tmp_path), replace=True) as opened:
        assert opened.read() == "later"
    with run.file("configs/a.yaml").download(tmp_path) as opened:
        assert opened.read() == "lr: 1\n"
    with pytest.raises(trackai.NotFoundError, match=r"run 1 has no file 'nope\.txt'"):
        run.file("nope.txt")


def test_a_file_without_contents(run: StoredRun, db_path: Path, tmp_path: Path) -> None:
    file = run.file("configs/a.yaml")
    for blob in (db_path.parent / (db_path.name + "-files")).glob("??/*"):
        blob.unlink()
    with pytest.raises(trackai.NotFoundError, match="contents of file"):
        file.download(tmp_path / "new")
    assert list((tmp_path / "new").glob("**/*.*")) == []


@pytest.mark.parametrize("name", ["../out.txt", "/etc/out.txt", "a/../../out.txt", "C:/out.txt"])
def test_names_that_lead_out_of_the_folder(name: str, tmp_path: Path, db_path: Path) -> None:
    record = FileRecord(id=1, run_id=1, path=name, kind="file", name="out.txt", step=None,
                        timestamp=None, size=1, sha256="0" * 64)  # fmt: skip
    file = StoredFile(trackai.Api()._source, record)
    with pytest.raises(trackai.InvalidInputError, match="must stay within the folder"):
        file.download(tmp_path / "root")
