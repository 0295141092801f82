"""Artifacts of runs: logged in versions, used, linked and downloaded, from a file and a server."""

from __future__ import annotations

import os
import pickle
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import trackai
from trackai.errors import InvalidInputError, NoActiveRunError, NotFoundError, StoreDamagedError
from trackai.store.catalogue.files import blob_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Server


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRACKAI_OUTBOX_PATH", str(tmp_path / "outbox"))
    return tmp_path


@pytest.fixture(params=["file", "server"])
def place(
    request: pytest.FixtureRequest, server: Server, monkeypatch: pytest.MonkeyPatch
) -> str | None:
    """Where runs are logged and read: a file, or a server."""
    if request.param == "server":
        monkeypatch.setenv("TRACKAI_SERVER_URL", server.url)
        return server.url
    return None


def folder(name: str, **contents: str) -> Path:
    for file, text in contents.items():
        path = Path(name, file.replace("__", "/"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Path(name)


def tree(root: str) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): path.read_text()
        for path in sorted(Path(root).rglob("*"))
        if path.is_file()
    }


def rows(db_path: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(db_path)) as connection:
        return connection.execute(query).fetchall()


def test_versions_and_aliases(db_path: Path, place: str | None) -> None:
    folder("m", a="1", deep__b="2")
    with trackai.init(project="p", strict=True) as run:
        model = trackai.Artifact("model", "model", description="first", metadata={"acc": 0.5})
        model.add_dir("m")
        assert (model.version, model.is_draft(), model.digest) == (None, True, None)
        assert [(entry.path, entry.size) for entry in model.files()] == [("a", 1), ("deep/b", 1)]
        assert run.log_artifact(model, aliases=["best"], tags="t").wait() is model
        assert (model.version, model.aliases, model.tags) == ("v0", ["best", "latest"], ["t"])
        assert (model.size, model.file_count, model.project) == (2, 2, "p")
        assert (model.qualified_name, model.source_name) == ("p/model:v0", "model:v0")
        again = run.log_artifact("m", "model", "model").wait()
        assert (again.version, again.id, again.metadata) == ("v0", model.id, {"acc": 0.5})
        folder("m", a="3")
        second = trackai.log_artifact("m", name="model", type="model", aliases=["best"]).wait()
        assert (second.version, second.aliases) == ("v1", ["best", "latest"])
    api = trackai.Api()
    assert [each.version for each in api.artifacts("p")] == ["v1", "v0"]
    assert [each.aliases for each in api.artifact_versions("model", "p/model")] == [
        ["best", "latest"], [],
    ]  # fmt: skip
    assert api.artifacts("p", type="dataset") == []
    stored = api.artifact("p/model:v0")
    assert (stored.description, stored.metadata, stored.digest) == (
        "first", {"acc": 0.5}, model.digest,
    )  # fmt: skip
    logged_by = stored.logged_by()
    assert logged_by is not None
    assert logged_by.run_id == run.run_id
    for held in (stored, model):
        assert pickle.loads(pickle.dumps(held)).qualified_name == "p/model:v0"
    overview = "SELECT artifact, version, latest, aliases, run, files, size FROM artifact_overview"
    assert rows(db_path, overview) == [
        ("model", 0, 0, None, run.run_id, 2, 2), ("model", 1, 1, "best", run.run_id, 2, 2),
    ]  # fmt: skip


def test_aliases_and_tags_of_a_draft_are_logged_and_later_tags_refused(
    place: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    folder("m", a="1")
    with trackai.init(project="p", strict=True) as run:
        model = trackai.Artifact("m", "model")
        model.add_dir("m")
        model.tags.append("a")
        model.aliases.extend(["latest", "first"])
        run.log_artifact(model, aliases=["smallest", "first"], tags=["b", "a"]).wait()
        assert sorted(model.tags) == ["a", "b"]
        assert sorted(model.aliases) == ["first", "latest", "smallest"]
    stored = trackai.Api().artifact("p/m:first")
    assert sorted(stored.tags) == ["a", "b"]
    stored.save()
    assert "tags" not in caplog.text
    stored.tags.append("c")
    stored.aliases.append("best")
    stored.save()
    assert "artifact m:v0: changed tags are not stored; pass tags to log_artifact" in caplog.text
    again = trackai.Api().artifact("p/m:best")
    assert sorted(again.tags) == sorted(stored.tags) == ["a", "b"]


def test_use_and_download(place: str | None) -> None:
    folder("m", a="1", deep__b="2", deep__c="3")
    with trackai.init(project="p", name="logger"):
        trackai.log_artifact("m", type="dataset", aliases="x y").wait()
    with trackai.init(project="q", name="user", strict=True) as run:
        used = run.use_artifact("p/m:x y", type="dataset")
        assert used.download() == str(Path("artifacts/m-v0"))
        assert tree("artifacts/m-v0") == {"a": "1", "deep/b": "2", "deep/c": "3"}
        used.verify()
        Path("artifacts/m-v0/a").write_text("changed")
        with pytest.raises(ValueError, match="a is not that of artifact m:v0"):
            used.verify()
        assert tree(used.download()) == {"a": "1", "deep/b": "2", "deep/c": "3"}
        assert tree(used.download("part", path_prefix="deep/")) == {"deep/b": "2", "deep/c": "3"}
        assert Path(used.get_entry("deep/b").download("one")).read_text() == "2"
        assert Path(used.get_path("a").download()).read_text() == "1"
        assert [entry.path for entry in used.files(["a"])] == ["a"]
        with pytest.raises(NotFoundError, match="m:v0 has no file 'z'"):
            used.get_entry("z")
        with pytest.raises(InvalidInputError, match="3 files"):
            used.file()
        with pytest.raises(InvalidInputError, match="does not change"):
            used.add_file("m/a")
        with pytest.raises(NotFoundError, match="'p/m' of type 'model' not found"):
            run.use_artifact("p/m", type="model")
        with pytest.raises(NotFoundError, match="has no version or alias 'nope'"):
            run.use_artifact("p/m:nope")
        with pytest.raises(NotFoundError, match="'m' not found in project 'q'"):
            run.use_artifact("m")
        # As returned by Api, and one that is logged by it first.
        run.use_artifact(trackai.Api().artifact("p/m"))
        own = trackai.Artifact("own")
        own.add_file("m/a")
        assert run.use_artifact(own).version == "v0"
        assert Path(own.file("single")).read_text() == "1"
    with pytest.raises(NoActiveRunError):
        run.use_artifact("own")
    api = trackai.Api()
    assert [each.run_id for each in api.artifact("p/m").used_by()] == ["user"]
    assert [each.run_id for each in api.artifact("own").used_by()] == ["user"]


def test_models(place: str | None) -> None:
    folder("m", one="1")
    folder("n", one="1", two="2")
    with trackai.init(project="p", id="r", strict=True) as run:
        assert run.log_model("m/one").wait().qualified_name == "p/run-r-one:v0"
        assert Path(trackai.use_model("run-r-one:v0")).read_text() == "1"
        trackai.log_model("n", "net", aliases=["best"])
        assert tree(run.use_model("net:best")) == {"one": "1", "two": "2"}
        linked = trackai.link_model("n", "digits", "net", aliases=["production"])
        assert linked.wait().aliases == ["latest", "production"]
        # The same contents again: the same version under either name.
        assert trackai.link_model("n", "digits", "net").wait().version == "v0"
        used = run.use_artifact("model-registry/digits:production")
        assert (used.name, used.version, used.type) == ("digits", "v0", "model")
        assert tree(used.download("linked")) == {"one": "1", "two": "2"}
        folder("n", two="3")
        run.link_artifact(run.log_model("n", "net").wait(), "wandb-registry-x/digits")
        assert run.use_artifact("digits").version == "v1"
        run.log_artifact("m/one", "data", "dataset")
        with pytest.raises(InvalidInputError, match="must be a model"):
            run.use_model("data")


def test_aliases_can_be_moved_afterwards(place: str | None) -> None:
    folder("m", a="1")
    with trackai.init(project="p") as run:
        run.log_artifact("m", aliases=["old", "both"])
        folder("m", a="2")
        run.log_artifact("m")
    first, second = (trackai.Api().artifact(f"m:v{number}") for number in range(2))
    second.aliases.append("both")
    second.description, second.metadata = "text", {"n": 1}
    second.save()
    assert (second.aliases, second.description, second.metadata) == (
        ["both", "latest"], "text", {"n": 1},
    )  # fmt: skip
    first = trackai.Api().artifact("m:v0")
    first.aliases = ["new"]
    first.save()
    assert trackai.Api().artifact("m:v0").aliases == ["new"]
    for alias in ("v7", "a:b", "", 5):
        first.aliases = [alias]  # type: ignore[list-item]
        with pytest.raises(InvalidInputError, match="aliases"):
            first.save()


def test_references_are_named_and_not_fetched(
    place: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    folder("m", a="1")
    with trackai.init(project="p", strict=True) as run:
        data = trackai.Artifact("data", "dataset")
        data.add_reference("s3://bucket/big.csv?versionId=1")
        data.add_reference("https://host/x", name="deep/x")
        data.add_file("m/a")
        for uri in ("no-scheme", "", 5, "s3://"):
            with pytest.raises(InvalidInputError):
                data.add_reference(uri)  # type: ignore[arg-type]
        assert run.log_artifact(data).wait().size == 1
        used = run.use_artifact("data")
        assert tree(used.download("out")) == {"a": "1"}
        assert "s3://bucket/big.csv?versionId=1" in caplog.text
        entry = used.get_entry("big.csv")
        assert (entry.ref, entry.ref_target()) == (entry.ref, "s3://bucket/big.csv?versionId=1")
        with pytest.raises(InvalidInputError, match="s3://bucket"):
            entry.download()
        other = trackai.Artifact("data", "dataset")
        other.add_reference("s3://bucket/big.csv?versionId=2", name="big.csv")
        assert run.log_artifact(other).wait().version == "v1"


def test_tables_and_media(place: str | None) -> None:
    image = trackai.Image(np.zeros((2, 3, 3), dtype=np.uint8))
    with trackai.init(project="p", strict=True) as run:
        artifact = trackai.Artifact("results")
        artifact.add(trackai.Table(["n", "picture"], [[1, image]]), "rows")
        artifact["sample"] = image
        with pytest.raises(TypeError, match="obj"):
            artifact.add("text", "x")
        run.log_artifact(artifact)
        used = run.use_artifact("results")
        assert [entry.path for entry in used.files()] == [
            "rows.table.json", "rows/picture/0.png", "sample.png",
        ]  # fmt: skip
        table = used.get("rows")
        assert table.columns == ["n", "picture"]
        assert table.data == [[1, {"file": "rows/picture", "name": "0.png"}]]
        assert isinstance(used["sample"], trackai.Image)
        assert used.get("nothing") is None
        run.log({"again": table})


def test_a_draft_of_a_version(place: str | None) -> None:
    folder("m", a="1", deep__b="2", deep__c="3")
    with trackai.init(project="p", strict=True) as run:
        run.log_artifact("m", "m")
        draft = run.use_artifact("m").new_draft()
        draft.remove("deep")
        draft.remove(draft.files()[0])
        folder("m", d="4")
        draft.add_file("m/d")
        with pytest.raises(NotFoundError, match="'zz'"):
            draft.remove("zz")
        assert run.log_artifact(draft).wait().version == "v1"
        assert tree(draft.download("out")) == {"d": "4"}
        changed = run.use_artifact("m:v0").new_draft()
        changed.add_file("m/d", "a")
        run.log_artifact(changed)
        assert tree(run.use_artifact("m").download("out2")) == {
            "a": "4", "deep/b": "2", "deep/c": "3",
        }  # fmt: skip


def test_what_cannot_be_stored_is_left_out_by_name(
    db_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder("m", a="1", b="2")
    with trackai.init(project="p") as run:
        model = trackai.Artifact("m", metadata={"ok": float("nan"), "array": np.float32(2)})
        model.add_dir("m")
        run.log_artifact(model, aliases=["good", "v1", "a:b", 5, "latest"], tags=["t", ""])  # type: ignore[list-item]
        Path("m/b").unlink()
        run.log_artifact(model)  # a file is gone
        assert model.wait().version is None
        both = trackai.Artifact("both")
        folder("x", a="1")
        both.add_file("x/a", "d")
        both.add_file("x/a", "d/e")
        run.log_artifact(both)
        out = trackai.Artifact("out")
        out.add_file("x/a", "../a")
        run.log_artifact(out)
        circle: dict[str, Any] = {}
        circle["self"] = circle
        odd = trackai.Artifact("odd", description="\ud800", metadata=circle)
        odd.add_file("x/a")
        assert run.log_artifact(odd).wait().metadata == {}
    for name in ("alias 'v1'", "alias 'a:b'", "alias 5", "tags", "file 'b'", "../a", "'m' gets no"):
        assert name in caplog.text
    assert "cannot be a file and a folder" in caplog.text
    stored = trackai.Api().artifacts("p")
    assert [(each.qualified_name, each.aliases) for each in stored] == [
        ("p/odd:v0", ["latest"]), ("p/m:v0", ["good", "latest"]),
    ]  # fmt: skip
    assert stored[1].metadata == {"ok": "NaN", "array": 2.0}
    # What could be stored of the artifact without a version is a file of the run.
    paths = rows(db_path, "SELECT path, name FROM files ORDER BY id")
    assert paths == [
        ("m", "a"), ("m", "b"), ("m:good", "a"), ("m:good", "b"), ("m", "a"), ("odd", "a"),
    ]  # fmt: skip


def test_a_full_disk_makes_no_version(
    db_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder("m", a="1", b="2")
    with trackai.init(project="p") as run:
        keep = run._journal.keep
        calls = []

        def full(write_to: Any) -> Any:
            calls.append(1)
            if len(calls) == 2:
                raise OSError(28, "No space left on device")
            return keep(write_to)

        monkeypatch.setattr(run._journal, "keep", full)
        assert run.log_artifact("m").wait().version is None
        assert run.log_artifact("m").wait().version == "v0"
    assert "No space left on device" in caplog.text
    assert "artifact 'm' gets no version" in caplog.text


def test_the_bytes_are_stored_once(db_path: Path) -> None:
    folder("m", a="1" * 1000)
    with trackai.init(project="p") as run:
        run.log_artifact("m", aliases=["x", "y"])
        run.link_artifact(run.log_artifact("m", "n"), "other")
        run.save("m/a")
    blobs = [path for path in db_path.with_name("trackai.db-files").rglob("*") if path.is_file()]
    assert len(blobs) == 1
    assert [*db_path.with_name("trackai.db-spool").glob("*.bytes")] == []


def test_damaged_and_missing_bytes_are_not_written(db_path: Path) -> None:
    folder("m", a="1", b="2")
    with trackai.init(project="p") as run:
        run.log_artifact("m")
    stored = trackai.Api().artifact("m")
    damaged, missing = (blob_path(db_path, entry.digest or "") for entry in stored.files())
    damaged.write_text("x")
    with pytest.raises(StoreDamagedError, match="'a'"):
        stored.download()
    missing.unlink()
    with pytest.raises(NotFoundError, match="'b'"):
        stored.get_entry("b").download()
    assert tree("artifacts") == {}
    trackai.Api().run("latest").delete()
    with pytest.raises(NotFoundError):
        stored.download()


WRITER = """
import sys, trackai
from pathlib import Path
folder = Path(sys.argv[1])
folder.mkdir()
with trackai.init(project="p", name=sys.argv[1]) as run:
    for number in range(20):
        (folder / "own").write_text(f"{sys.argv[1]} {number}")
        model = run.log_artifact(folder / "own", "model", aliases=["newest"])
        (folder / "own").write_text(f"shared {number % 5}")
        shared = run.log_artifact(folder / "own", "shared")
        if number % 7 == 0:
            print(model.wait().version)
"""


def test_several_writers_at_once_number_exactly_once(db_path: Path, place: str | None) -> None:
    env = {**os.environ, "TRACKAI_DB_PATH": str(db_path)}
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, f"w{number}"], env=env, stdout=subprocess.PIPE, text=True
        )
        for number in range(4)
    ]
    told = [line for writer in writers for line in writer.communicate(timeout=120)[0].split()]
    assert [writer.returncode for writer in writers] == [0] * 4
    assert len(told) == len(set(told)) == 12
    versions = rows(db_path, "SELECT version FROM artifact_overview WHERE artifact = 'model'")
    assert sorted(versions) == [(number,) for number in range(80)]
    marked = "SELECT version FROM artifact_overview WHERE artifact = 'model' AND "
    assert rows(db_path, f"{marked} aliases = 'newest'") == [(79,)]
    assert rows(db_path, f"{marked} latest") == [(79,)]
    shared = "SELECT version FROM artifact_overview WHERE artifact = 'shared'"
    assert sorted(rows(db_path, shared)) == [(number,) for number in range(5)]
    loggers = """
        SELECT COUNT(*) FROM artifact_runs
        JOIN artifact_versions ON artifact_versions.id = version_id
        JOIN artifacts ON artifacts.id = artifact_id
        WHERE artifacts.name = 'shared' AND role = 'logged'
    """
    assert rows(db_path, loggers) == [(20,)]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_killed_process_leaves_all_of_a_version_or_nothing(
    db_path: Path, run_python: Callable[..., Any], when: str
) -> None:
    folder("m", a="1", b="2")
    killed = run_python(
        f"""
        import os, signal, trackai
        from trackai.ingest.frames import Versioned
        run = trackai.init(project="p", id="r")
        run.log({{"x": 1}})
        append = run._journal.append
        def kill(*frames):
            if {when!r} == "after":
                append(*frames)
            if any(isinstance(frame, Versioned) for frame in frames):
                os.kill(os.getpid(), signal.SIGKILL)
        run._journal.append = kill
        run.log_artifact("m", aliases=["x"])
        """,
        check=False,
    )
    assert killed.returncode == -9, killed.stderr
    with trackai.init(project="p", id="r") as run:
        assert run.resumed
        run.log({"y": 1})
        versions = trackai.Api().artifacts("p")
        assert len(versions) == (when == "after")
        assert len(rows(db_path, "SELECT 1 FROM files")) == (4 if when == "after" else 0)
        if when == "after":
            assert tree(run.use_artifact("m:x").download()) == {"a": "1", "b": "2"}
        again = run.log_artifact("m", aliases=["x"])
        assert again.wait().version == "v0"


def test_a_server_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    unused_tcp_port: int,
) -> None:  # fmt: skip
    folder("m", a="1")
    run = trackai.init(project="p", server_url=f"http://127.0.0.1:{unused_tcp_port}")
    model = run.log_artifact("m")
    began = time.monotonic()
    assert model.wait(timeout=1).version is None
    assert time.monotonic() - began < 10
    assert "the version of artifact 'm' is not known" in caplog.text
    with pytest.raises(trackai.TrackAIError):
        run.use_artifact("m")
    with pytest.raises(InvalidInputError, match="has not been logged"):
        trackai.Artifact("x").wait()


def test_forked_processes_log_and_use(db_path: Path, run_python: Callable[..., Any]) -> None:
    folder("m", a="1")
    run_python(
        """
        import os, trackai
        with trackai.init(project="p") as run:
            run.log_artifact("m", "parent").wait()
            pid = os.fork()
            if pid == 0:
                assert run.use_artifact("parent").version == "v0"
                child = run.log_artifact("m", "child")
                assert child.wait(30).version == "v0", child
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
        """
    )
    overview = "SELECT artifact, used_by FROM artifact_overview ORDER BY artifact"
    assert rows(db_path, overview) == [("child", 0), ("parent", 1)]


def test_links_to_folders_are_followed(tmp_path: Path) -> None:
    folder("elsewhere", inside="a", below__file="b")
    folder("data", own="c")
    Path("data/link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    Path("elsewhere/below/up").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    Path("data/loop").symlink_to(".", target_is_directory=True)
    artifact = trackai.Artifact("data")
    artifact.add_dir("data")
    names = [entry.path for entry in artifact.files()]
    assert names == ["link/below/file", "link/inside", "own"]


def test_an_artifact_is_linked_by_itself_and_has_an_address(db_path: Path, tmp_path: Path) -> None:
    (tmp_path / "model.txt").write_text("1")
    draft = trackai.Artifact("digits", "model")
    draft.add_file(tmp_path / "model.txt")
    assert draft.url is None
    with pytest.raises(NoActiveRunError):
        draft.link("registry/best")
    with trackai.init(project="p", name="r") as run:
        linked = draft.link("registry/best", aliases="production").wait()
        assert (linked.name, linked.version, linked.type) == ("best", "v0", "model")
        assert linked.url == draft.wait().url == run.url
    stored = trackai.Api().artifact("p/best:production")
    assert (stored.digest, stored.url) == (draft.digest, run.url)
    with pytest.raises(InvalidInputError, match=r"run\.link_artifact"):
        stored.link("other")
