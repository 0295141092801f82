"""Scripts written for wandb and trackio work unchanged, and everything they log is stored."""

from __future__ import annotations

import json
import math
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import trackai
from trackai.errors import InvalidInputError, NoActiveRunError
from trackai.sdk import notices
from trackai.store.catalogue.files import blob_path

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    RunPython = Callable[..., subprocess.CompletedProcess[str]]


def query(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def test_a_script_for_wandb(db_path: Path, tmp_path: Path, run_python: RunPython) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights.bin").write_bytes(b"\x00\x01")
    (tmp_path / "train.py").write_text("print('hello')")
    ran = run_python(
        """
        import numpy as np
        import trackai as wandb

        wandb.login()
        run = wandb.init(
            project="digits", entity="me", name="base", tags=["a", "b"], notes="first try",
            job_type="train", config={"lr": 0.1}, reinit=True, resume=None, dir="/tmp",
            settings=wandb.Settings(start_method="thread"),
        )
        assert wandb.run is run and wandb.config.lr == 0.1
        wandb.config.update({"seed": 1}, allow_val_change=True)
        wandb.define_metric("val/*", step_metric="epoch")
        wandb.watch(object(), log="all")
        for epoch in range(3):
            wandb.log({"loss": 1 / (epoch + 1)}, commit=False)
            wandb.log({"val/acc": epoch / 3, "grad": wandb.Histogram(np.arange(9))})
        wandb.log({"pictures": [wandb.Image(np.zeros((2, 2, 3)), caption="x")]})
        wandb.log({"rows": wandb.Table(columns=["a"], data=[[1]])})
        wandb.summary["best"] = 0.7
        wandb.run.summary.update({"epochs": 3})
        assert wandb.summary["best"] == 0.7 and wandb.summary["loss"] == 1 / 3
        assert wandb.save("*.py") == ["train.py"]
        model = wandb.Artifact("digits", type="model")
        model.add_dir("model")
        run.log_artifact(model, aliases=["best"])
        wandb.alert("Low accuracy", "below 0.5", level=wandb.AlertLevel.WARN)
        wandb.finish(exit_code=0)
        assert wandb.run is None
        """
    )
    ignored = [line for line in ran.stderr.splitlines() if "ignored" in line]
    assert len(ignored) == 4, ran.stderr  # one each for three arguments and watch()
    assert "Low accuracy" in ran.stderr
    assert query(db_path, "SELECT name, state, notes FROM runs") == [
        ("base", "completed", "first try")
    ]
    assert query(db_path, "SELECT tag FROM tags ORDER BY tag") == [("a",), ("b",)]
    steps = "SELECT metric, min(step), max(step), count(*) FROM points GROUP BY metric"
    assert query(db_path, steps) == [
        ("alerts/warn", 5, 5, 1), ("best", 5, 5, 1), ("epochs", 5, 5, 1), ("grad", 0, 2, 3),
        ("loss", 0, 2, 3), ("val/acc", 0, 2, 3),
    ]  # fmt: skip
    assert query(db_path, "SELECT path, kind, name, step FROM files ORDER BY path") == [
        ("model/digits", "artifact", "weights.bin", None),
        ("model/digits:best", "artifact", "weights.bin", None),
        ("pictures", "file_series", "x.png", 3),
        ("rows", "file_series", "4.table.json", 4),
        ("train.py", "file", "train.py", None),
    ]
    for (sha256,) in query(db_path, "SELECT sha256 FROM files WHERE kind = 'artifact'"):
        assert blob_path(db_path, sha256).read_bytes() == b"\x00\x01"


def test_attributes_of_a_run_of_wandb(
    db_path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    notices._subjects.clear()  # other tests of this process may have warned
    run = trackai.init(project="p", name="r", tags=["a"], config={"lr": 1})
    run.define_metric("val/*", step_metric="epoch")
    for _ in range(2):
        run.watch(object())
        run.log_code(".")
    ignored = [message for message in caplog.messages if "ignored" in message]
    assert [name in " ".join(ignored) for name in ("log_code()", "watch()")] == [True, True]
    assert len(ignored) == len(set(ignored))
    run.log({"loss": 0.5, "nested": {"acc": True}, "said": "NaN", "bad": math.inf})
    run.log({"loss": 0.25})
    run.log_system({"gpu": 1.0})
    assert (run.step, run.entity, run.path, run.resumed) == (2, None, "p/r", False)
    assert dict(run.summary) == {
        "loss": 0.25, "nested/acc": True, "said": "NaN", "bad": math.inf,
    }  # fmt: skip
    run.summary["best"] = 0.1
    run.log({"loss": 0.125}, step=7)
    assert (run.summary["loss"], run.summary["best"], len(run.summary)) == (0.125, 0.1, 5)
    assert run.config.setdefaults({"lr": 2, "seed": 3}) == {"lr": 1, "seed": 3}
    assert run.config.as_dict() == {"lr": 1, "seed": 3}
    model = trackai.Artifact("model")
    with model.new_file("deep/weights.txt") as text, model.new_file("raw", mode="wb") as raw:
        text.write("ü")
        raw.write(b"\x00")
    assert run.log_artifact(model).wait() is model
    folder = Path(run.dir)
    (folder / "deep").mkdir()
    (folder / "deep" / "notes.txt").write_text("mine")
    (folder / "model.h5").write_text("saved at once")
    assert run.save(folder / "model.h5") == ["model.h5"]
    run.finish()
    assert not folder.exists()
    assert run.summary["loss"] == 0.125
    assert query(db_path, "SELECT path, kind, name FROM files ORDER BY id") == [
        ("model", "artifact", "raw"), ("model", "artifact", "deep/weights.txt"),
        ("model.h5", "file", "model.h5"), ("deep/notes.txt", "file", "notes.txt"),
    ]  # fmt: skip
    with trackai.init(project="p", name="r", resume="must") as run:
        assert run.resumed
        assert run.summary["loss"] == 0.125
        assert trackai.Api().run(run.path).id == run.id


def test_a_run_finishes_without_its_folder(db_path: Path) -> None:
    with trackai.init(project="p") as run:
        Path(run.dir).rmdir()
    assert query(db_path, "SELECT state FROM runs") == [("completed",)]


def test_an_empty_argument_means_the_default(db_path: Path) -> None:
    run = trackai.init(project="p", name="", group="", id="")
    assert (run.name, run.group) == (run.run_id, None)
    assert (run.get_url(), run.project_name()) == (run.url, "p")
    trackai.log({"x": 1}, sync=True)
    run.log({"x": 2}, sync=False)
    trackai.finish(quiet=True)
    run.finish(quiet=True)
    assert query(db_path, "SELECT COUNT(*) FROM metrics") == [(2,)]


def test_metadata_of_an_artifact() -> None:
    artifact = trackai.Artifact("m", "model", description="best", metadata={"acc": 0.9})
    artifact.metadata["epoch"] = 3
    assert (artifact.description, artifact.metadata) == ("best", {"acc": 0.9, "epoch": 3})


def test_columns_of_a_table() -> None:
    table = trackai.Table(columns=["a"], data=[[1], [2]])
    table.add_column("b", [3, 4])
    assert (table.columns, table.data) == (["a", "b"], [[1, 3], [2, 4]])
    assert table.get_column("b") == [3, 4]
    with pytest.raises(InvalidInputError, match="3 values for 2 rows"):
        table.add_column("c", [1, 2, 3])
    with pytest.raises(InvalidInputError, match="'c'"):
        table.get_column("c")
    table = trackai.Table()
    table.add_column("a", [1, 2])
    table.add_column("b", [3, 4])
    assert table.data == [[1, 3], [2, 4]]


def test_a_summary_has_attributes(db_path: Path) -> None:
    with trackai.init(project="p") as run:
        run.log({"loss": 0.5})
        run.summary.best_acc = 0.9
        trackai.summary.best_epoch = 3
        assert (run.summary.loss, run.summary.best_acc, run.summary["best_epoch"]) == (0.5, 0.9, 3)
        run.summary._own = 1
        assert not hasattr(run.summary, "nothing")
        assert not hasattr(run.summary, "_nothing")
    assert query(db_path, "SELECT metric, step, value FROM points ORDER BY metric") == [
        ("best_acc", 1, 0.9), ("best_epoch", 1, 3), ("loss", 0, 0.5)
    ]  # fmt: skip


def test_commit_false_lets_the_next_call_use_the_same_step(db_path: Path) -> None:
    with trackai.init(project="p") as run:
        run.log({"a": 1}, step=5, commit=False)
        assert run.step == 5
        run.log({"b": 2})
        run.log({"a": 3}, step=2, commit=False)
        run.log({"b": 4})
        run.log({"a": 5}, step=8.5, commit=False)
        run.log({"b": 6})
    assert query(db_path, "SELECT metric, step FROM points WHERE metric = 'b' ORDER BY step") == [
        ("b", 5), ("b", 6), ("b", 8)
    ]  # fmt: skip


def test_the_summary_is_read_while_other_threads_log(db_path: Path) -> None:
    def log_much() -> None:
        for _ in range(2000):
            run.log({"x": 1.0})

    with trackai.init(project="p") as run:
        threads = [threading.Thread(target=log_much) for _ in range(2)]
        for thread in threads:
            thread.start()
        for step in range(20):
            run.log({"mine": step})
            assert run.summary["mine"] == step
        for thread in threads:
            thread.join()
    assert query(db_path, "SELECT COUNT(*) FROM metrics") == [(4020,)]


def test_a_script_for_trackio(db_path: Path, run_python: RunPython) -> None:
    run_python(
        """
        import trackai as trackio

        trackio.init(project="p", name="r", group="g", config={"lr": 1}, embed=False)
        trackio.log({"loss": 1.0, "report": trackio.Markdown("# ok")})
        trackio.log({"table": trackio.Table(columns=["a"], data=[[1], [2]])}, step=5)
        trackio.log_system({"gpu": 0.5})
        trackio.alert("Hm", level=trackio.AlertLevel.INFO)
        trackio.finish()
        """
    )
    assert query(db_path, "SELECT path, kind, points FROM series ORDER BY path") == [
        ("alerts/info", "text", 1), ("gpu", "number", 1), ("loss", "number", 1),
        ("report", "text", 1),
    ]  # fmt: skip
    assert query(db_path, "SELECT path, step FROM files") == [("table", 5)]


def test_a_run_is_resumed_by_its_id(db_path: Path) -> None:
    for value in range(2):
        with trackai.init(project="p", id="mine") as run:
            trackai.log({"loss": value})
            assert run.run_id == "mine"
    assert query(db_path, "SELECT step, value FROM points") == [(0, 0), (1, 1)]


def test_a_disabled_run_leaves_nothing(
    db_path: Path, tmp_path: Path, run_python: RunPython
) -> None:
    run_python(
        """
        import trackai
        with trackai.init(project="p", mode="disabled") as run:
            trackai.log({"loss": 1.0})
        """,
        TMPDIR=str(tmp_path),
    )
    assert not db_path.exists()
    assert not list(tmp_path.glob("trackai-disabled-*"))


def test_an_exit_code_fails_the_run(db_path: Path) -> None:
    trackai.init(project="p")
    trackai.finish(exit_code=1)
    assert query(db_path, "SELECT state FROM runs") == [("failed",)]


def test_an_artifact_of_a_folder(db_path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.json").write_text(json.dumps({}))
    (folder / "deep" / "b.json").write_text("[]")
    with trackai.init(project="p"):
        artifact = trackai.log_artifact(folder, type="dataset")
        assert artifact.name == "data"
        named = trackai.Artifact("named")
        named.add_file(folder / "a.json", name="config.json")
        named.add_dir(folder / "deep", name="more")
        trackai.log_artifact(named)
    assert query(db_path, "SELECT path, name FROM files ORDER BY path, name") == [
        ("dataset/data", "a.json"), ("dataset/data", "deep/b.json"),
        ("named", "config.json"), ("named", "more/b.json"),
    ]  # fmt: skip


def test_errors_name_the_argument_and_store_nothing(db_path: Path, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="nmae"):
        trackai.init(project="p", nmae="x")
    with pytest.raises(InvalidInputError, match="resume"):
        trackai.init(project="p", resume="sometimes")  # type: ignore[arg-type]
    assert not db_path.exists()
    with pytest.raises(NoActiveRunError):
        trackai.save("*")
    with trackai.init(project="p", strict=True) as run:
        with pytest.raises(InvalidInputError, match="no file matches"):
            trackai.save(tmp_path / "*.nothing")
        with pytest.raises(InvalidInputError, match="'empty' has no files"):
            trackai.log_artifact(trackai.Artifact("empty"))
        with pytest.raises(InvalidInputError, match="not found"):
            trackai.log_artifact(tmp_path / "missing")
        with pytest.raises(InvalidInputError, match="level"):
            trackai.alert("x", level="loud")
    (tmp_path / "late").write_text("x")
    with pytest.raises(NoActiveRunError):
        run.save(tmp_path / "late")
    assert query(db_path, "SELECT COUNT(*) FROM files") == [(0,)]
    assert query(db_path, "SELECT COUNT(*) FROM metrics") == [(0,)]
