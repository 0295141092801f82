"""init(resume_from="RUN?_step=STEP") and init(fork_from=...), as in wandb."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import trackai
from tests.sdk.test_run import points, query
from trackai.errors import ConflictError, InvalidInputError, NotFoundError
from trackai.ingest.run_request import Moment
from trackai.sdk.moment import parse_moment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server


def log_first(last: int = 5) -> None:
    with trackai.init(project="p", id="exp", config={"lr": 1}) as run:
        for step in range(last):
            run.log({"x": float(step)}, step=step)
        run.log({"rare": 0.0, "half": 0.0}, step=0)
        run.log({"rare": 4.0, "late": 4.0, "text": "a"}, step=4)
        run.log({"half": 2.5}, step=2.5)
        run.log_system({"gpu": 1})


def histories(name: str = "p/exp", path: Path | None = None) -> dict[str, list[Any]]:
    history = trackai.Api(path).run(name).history()
    return {metric: history[metric].values for metric in history}


def test_a_rewound_run_continues_after_the_step(db_path: Path) -> None:
    log_first()
    with trackai.init(project="p", resume_from="exp?_step=2") as run:
        assert (run.run_id, run.step, run.resumed, run.config.lr) == ("exp", 3, True, 1)
        assert histories() == {
            "x": [0, 1, 2],
            "rare": [0],
            "half": [0],
            "late": [],
            "text": [],
            "gpu": [1],
        }
        assert dict(run.summary) == {"x": 2.0, "rare": 0.0, "half": 0.0}
        run.log({"x": 30.0})
    assert histories()["x"] == [0, 1, 2, 30]
    assert histories()["rare"] == [0]
    assert points(db_path, "rare") == [(0, 0.0)]
    assert points(db_path, "half") == [(0, 0.0)]
    assert query(db_path, "SELECT last_value, points FROM series WHERE path = 'rare'") == [(0, 1)]
    assert trackai.Api().run("p/exp").state == "completed"


def test_the_server_shows_a_rewound_run(db_path: Path, server: Server) -> None:
    log_first(3000)
    trackai.init(project="p", resume_from="exp?_step=2").finish()
    chart = server.get("/api/metrics/runs/1/metric/x?points=100")
    assert [bucket["mean"] for bucket in chart["data"]] == [0, 1, 2]
    page = server.get("/api/metrics/runs/1/metric/late")
    assert page["data"] == []
    everything = server.get("/api/metrics/runs/1/metric/x?attempt=all&limit=5000")
    assert len(everything["data"]) == 3000


def test_a_later_attempt_may_begin_earlier_or_rewind_again(db_path: Path) -> None:
    log_first()
    for step in (3, 1):
        with trackai.init(project="p", resume_from=f"exp?_step={step}") as run:
            run.log({"x": 10.0 * step})
    assert histories()["x"] == [0, 1, 10]
    with trackai.init(project="p", id="exp", resume="must") as run:
        assert run.step == 3
        run.log({"rare": 7.0})
    assert histories()["rare"] == [0, 7]


def test_a_copy_of_the_database_keeps_what_was_superseded(db_path: Path, tmp_path: Path) -> None:
    log_first()
    trackai.init(project="p", resume_from="exp?_step=2").finish()
    exported, copy = tmp_path / "all.jsonl", tmp_path / "copy.db"
    for _ in range(2):
        exported.unlink(missing_ok=True)
        for arguments in (
            ["export", "--all", "-o", exported],
            ["import", "jsonl", exported, "--db", copy],
        ):
            subprocess.run([sys.executable, "-m", "trackai.cli", *map(str, arguments)], check=True)
        assert histories(path=copy) == histories()
    assert query(copy, "SELECT path, points, last_value FROM series ORDER BY path") == query(
        db_path, "SELECT path, points, last_value FROM series ORDER BY path"
    )


def test_a_fork_is_a_new_run_that_continues_the_other(db_path: Path) -> None:
    log_first()
    with trackai.init(project="p", name="child", fork_from="exp?_step=2") as run:
        assert (run.run_id, run.step, run.resumed) == ("child", 3, False)
        run.log({"x": 30.0})
    assert histories("p/child")["x"] == [0, 1, 2, 30]
    assert histories("p/child")["rare"] == [0]
    assert histories()["x"] == [0, 1, 2, 3, 4]
    with trackai.init(project="p", id="child", fork_from="exp?_step=2") as run:  # the job restarts
        assert (run.step, run.resumed) == (4, True)
    with pytest.raises(ConflictError, match="does not continue the step in fork_from"):
        trackai.init(project="p", id="child", fork_from="exp?_step=3")
    assert query(db_path, "SELECT count(*) FROM runs") == [(2,)]


def test_a_fork_keeps_its_parent_when_the_database_is_replaced(db_path: Path) -> None:
    log_first()
    run = trackai.init(project="p", name="child", fork_from="exp?_step=2")
    run.log({"x": 30.0})
    run._catch_up()
    before = query(db_path, "SELECT fork_uid, fork_step FROM runs WHERE slug = 'child'")
    db_path.unlink()
    run.finish()
    assert query(db_path, "SELECT fork_uid, fork_step FROM runs") == before


@pytest.mark.parametrize("argument", ["resume_from", "fork_from"])
@pytest.mark.parametrize(
    "text",
    ["", "exp", "exp?_step=", "exp?_step=x", "exp?_step=-1", "?_step=1", "exp?step=1",
     "exp?_step=1.5", f"exp?_step={1 << 63}"],
)  # fmt: skip
def test_an_invalid_moment_creates_nothing(db_path: Path, argument: str, text: str) -> None:
    arguments: Any = {argument: text}
    with pytest.raises(InvalidInputError, match=f"^{argument}: must be") as caught:
        trackai.init(project="p", **arguments)
    assert caught.value.field == argument
    assert not db_path.exists()


def test_a_moment_of_another_type(db_path: Path) -> None:
    moment: Any = ("exp", 2)
    with pytest.raises(TypeError, match="resume_from: must be a str, got tuple"):
        trackai.init(project="p", resume_from=moment)


@pytest.mark.parametrize("argument", ["resume_from", "fork_from"])
def test_a_run_that_does_not_exist(db_path: Path, argument: str) -> None:
    arguments: Any = {argument: "nobody?_step=1"}
    with pytest.raises(NotFoundError, match="'nobody'"):
        trackai.init(project="p", **arguments)
    assert query(db_path, "SELECT count(*) FROM runs") == [(0,)]


@pytest.mark.parametrize(
    "arguments", [{"fork_from": "exp?_step=1"}, {"id": "other"}, {"resume": "allow"}]
)
def test_arguments_that_contradict(db_path: Path, arguments: Any) -> None:
    log_first()
    with pytest.raises(InvalidInputError, match=r"^resume_from: must"):
        trackai.init(project="p", resume_from="exp?_step=1", **arguments)


def test_the_environment_does_not_contradict(
    db_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_first()
    monkeypatch.setenv("WANDB_RESUME", "never")
    monkeypatch.setenv("WANDB_RUN_ID", "other")
    with trackai.init(project="p", resume_from="exp?_step=1") as run:
        assert (run.run_id, run.step) == ("exp", 2)


def test_parsing() -> None:
    assert parse_moment("f", "a?b?_step=007") == Moment("a?b", 7)
    assert parse_moment("f", None) is None
