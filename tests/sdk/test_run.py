"""Runs: what a training script sees, and what is in the database afterwards."""

from __future__ import annotations

import argparse
import math
import sqlite3
from contextlib import closing
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import trackai
from trackai.errors import InvalidInputError
from trackai.sdk.active import current_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def query(path: Path, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql, values).fetchall()
    finally:
        connection.close()


def points(path: Path, metric: str) -> list[tuple[Any, Any]]:
    return query(path, "SELECT step, value FROM points WHERE metric = ? ORDER BY step", metric)


def test_everything_is_in_the_file_when_finish_returns(db_path: Path) -> None:
    run = trackai.init(project="p", name="r", config={"lr": 0.1})
    for step in range(100):
        trackai.log({"loss": 1 / (step + 1), "acc": step}, step=step)
    trackai.log_system({"gpu": 0.5})
    trackai.finish()
    assert query(db_path, "SELECT COUNT(*) FROM metrics") == [(201,)]
    assert points(db_path, "loss") == [(step, 1 / (step + 1)) for step in range(100)]
    assert points(db_path, "gpu") == [(None, 0.5)]
    assert query(db_path, "SELECT id, slug, state FROM runs") == [(run.id, "r", "completed")]
    assert query(db_path, "SELECT key, value FROM configs") == [("lr", "0.1")]


def test_the_main_file_alone_holds_everything(db_path: Path, tmp_path: Path) -> None:
    with trackai.init(project="p") as run:
        run.log({"loss": 0.5})
    copy = tmp_path / "copy.db"
    copy.write_bytes(db_path.read_bytes())
    assert query(copy, "SELECT COUNT(*) FROM metrics") == [(1,)]
    assert not list(db_path.parent.glob("*.db-wal"))
    assert not list(db_path.parent.glob("*-spool/*.journal"))


def test_steps_are_counted_from_the_highest(db_path: Path) -> None:
    with trackai.init(project="p", name="r") as run:
        run.log({"x": 0})
        run.log({"x": 1})
        run.log({"x": 2.5}, step=2.5)
        run.log({"x": 3})
        run.log({"x": 10}, step=10)
        run.log({"x": 4}, step=4)
        run.log({"x": 11})
    assert [step for step, _ in points(db_path, "x")] == [0, 1, 2.5, 3, 4, 10, 11]
    with trackai.init(project="p", name="r", resume="must") as run:
        run.log({"x": 12})
    assert points(db_path, "x")[-1] == (12, 12)


def test_a_run_without_a_name_gets_a_readable_unique_name(db_path: Path) -> None:
    names = set()
    for _ in range(3):
        with trackai.init(project="p") as run:
            names.add(run.name)
    assert len(names) == 3
    assert all(name.count("-") == 2 for name in names)


def test_a_name_may_be_used_again(db_path: Path) -> None:
    for _ in range(3):
        trackai.init(project="p", name="same").finish()
    assert query(db_path, "SELECT name, slug FROM runs ORDER BY id") == [
        ("same", "same"), ("same", "same-2"), ("same", "same-3"),
    ]  # fmt: skip


def test_resume(db_path: Path) -> None:
    with pytest.raises(trackai.NotFoundError, match="allow"):
        trackai.init(project="p", name="r", resume="must")
    with trackai.init(project="p", name="r", resume="allow", config={"a": 1}) as run:
        first = run.id
    with trackai.init(project="p", name="r", resume="allow", config={"b": {"c": 2}}) as run:
        assert run.id == first
        assert dict(run.config) == {"a": 1, "b": {"c": 2}}
    assert query(db_path, "SELECT attempt FROM writers ORDER BY id") == [(1,), (2,)]
    assert query(db_path, "SELECT COUNT(*), max(state) FROM runs") == [(1, "completed")]


def test_a_run_with_an_existing_id_is_resumed_unless_resume_is_never(db_path: Path) -> None:
    trackai.init(project="p", id="mine").finish()
    for resume in ("never", False):
        with pytest.raises(trackai.ConflictError, match='resume="allow"'):
            trackai.init(project="p", id="mine", resume=resume)  # type: ignore[arg-type]
    trackai.init(project="p", id="mine").finish()
    with trackai.init(project="p", id="mine", resume="must") as run:
        assert run.run_id == "mine"
    assert query(db_path, "SELECT COUNT(*), min(state) FROM runs") == [(1, "completed")]


def test_different_ids_are_different_runs(db_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = "x" * 80
    ids = ["shift=1", "shift=-1", "shift-1", "a/b", "a-b", "A-b", "mine", long, long + "1", "?"]
    slugs = {}
    for number, run_id in enumerate(ids):
        with trackai.init(project="p", id=run_id) as run:
            run.log({"x": number})
            slugs[run_id] = run.run_id
    assert len(set(slugs.values())) == len(ids)
    assert [slugs[run_id] for run_id in ("shift-1", "a-b", "mine", long)] == [
        "shift-1",
        "a-b",
        "mine",
        long,
    ]
    assert slugs["a/b"].startswith("a-b-")
    assert max(map(len, slugs.values())) == 80
    for number, (run_id, slug) in enumerate(slugs.items()):
        with trackai.init(project="p", id=run_id) as run:
            assert (run.run_id, run.resumed, run.summary["x"]) == (slug, True, number)
        monkeypatch.setenv("TRACKAI_RUN_ID", run_id)
        with trackai.init(project="p") as run:
            assert run.run_id == slug
        monkeypatch.delenv("TRACKAI_RUN_ID")
        with trackai.init(project="p", id=slug) as run:
            assert run.run_id == slug
    assert query(db_path, "SELECT COUNT(*) FROM runs") == [(len(ids),)]


def test_a_run_whose_slug_has_no_digest_is_resumed(db_path: Path) -> None:
    trackai.init(project="p", name="a/b").finish()  # earlier versions made all slugs like this
    for run_id, slug in (("a/b", "a-b"), ("a?b", "a-b-c2a7b64a")):
        with trackai.init(project="p", id=run_id) as run:
            assert run.run_id == slug


def test_the_project_defaults_to_the_environment(
    db_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TRACKAI_PROJECT", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    trackai.init().finish()
    monkeypatch.setenv("WANDB_PROJECT", "theirs")
    trackai.init().finish()
    monkeypatch.setenv("TRACKAI_PROJECT", "ours")
    trackai.init().finish()
    assert trackai.Api().projects() == ["ours", "theirs", "uncategorized"]


def test_a_single_tag_may_be_a_str(db_path: Path) -> None:
    trackai.init(project="p", tags="baseline").finish()
    assert trackai.Api().run(1).tags == ["baseline"]


def test_name_tags_and_notes_can_be_assigned(db_path: Path) -> None:
    def stored() -> Any:
        run = trackai.Api().run(1)
        return run.name, run.tags, run.notes

    first = trackai.init(project="p", name="first", tags=["a"], notes="so far", strict=True)
    with first as run:
        assert (run.name, run.tags, run.notes) == ("first", ("a",), "so far")
        run.name = "better"
        run.tags += ("b", "a")
        run.notes = "well"
        assert (run.name, run.tags, run.notes) == ("better", ("a", "b"), "well")
        for field, wrong in (("name", 5), ("name", ""), ("tags", [1]), ("notes", 5)):
            with pytest.raises((TypeError, ValueError), match=field):
                setattr(run, field, wrong)
    assert stored() == ("better", ["a", "b"], "well")
    for field, late in (("name", "late"), ("tags", []), ("notes", None)):
        with pytest.raises(trackai.NoActiveRunError):
            setattr(run, field, late)
    with trackai.init(project="p", name="better", resume="must") as run:
        run.tags = ()
        run.notes = None
    assert stored() == ("better", [], None)


def test_assigning_a_name_does_not_wait_for_a_locked_database(db_path: Path) -> None:
    run = trackai.init(project="p", name="first")
    with closing(sqlite3.connect(db_path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")  # locks the database
        run.name, run.tags, run.notes = "second", ["t"], "n"
    run.finish()
    assert trackai.Api().run("second").tags == ["t"]


def test_init_finishes_the_active_run_first(db_path: Path) -> None:
    first = trackai.init(project="p", name="a")
    second = trackai.init(project="p", name="b")
    with pytest.raises(trackai.NoActiveRunError):
        first.log({"x": 1})
    second.finish()
    assert query(db_path, "SELECT state FROM runs") == [("completed",), ("completed",)]


def test_logging_without_an_active_run_raises(db_path: Path) -> None:
    for call in (trackai.log, trackai.log_system):
        with pytest.raises(trackai.NoActiveRunError, match="call trackai"):
            call({"x": 1})
    trackai.finish()


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (0.1, 0.1),
        (-0.0, -0.0),
        (3, 3),
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
        (2**70, float(2**70)),
        (True, 1),
        ("text", "text"),
        (math.nan, None),
        (math.inf, math.inf),
        (-math.inf, -math.inf),
        (5e-324, 5e-324),
        (np.float64(0.1), 0.1),
        (np.float32(0.5), 0.5),
        (np.int64(7), 7),
        (np.bool_(True), 1),
        (np.array(2.5), 2.5),
        (np.str_("text"), "text"),
    ],
)
def test_values_are_kept_exactly(db_path: Path, value: Any, stored: Any) -> None:
    with trackai.init(project="p") as run:
        run.log({"alone": value})
        run.log({"with": value, "others": 1.5})
    for metric in ("alone", "with"):
        [(_, read)] = points(db_path, metric)
        assert read == stored
        assert type(read) is type(stored)
        if isinstance(stored, float):
            assert math.copysign(1, read) == math.copysign(1, stored)


def test_rounding_a_large_integer_is_a_warning(
    db_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with trackai.init(project="p") as run:
        run.log({"big": 2**64 + 1})
        run.log({"big": 2**64 + 3}, step=0)
        run.log({"sum/is/small": 2**63, "so": -(2**63)})
    assert caplog.text.count("metric 'big': 18446744073709551617 does not fit into 64 bits") == 1
    assert points(db_path, "big") == [(0, float(2**64)), (0, float(2**64))]
    assert points(db_path, "sum/is/small") == [(1, float(2**63))]


def test_nested_metrics_are_joined_with_slashes(db_path: Path) -> None:
    with trackai.init(project="p") as run:
        run.log({"train": {"loss": 1.0, "deep": {"er": 2}}, "x": 3})
    assert query(db_path, "SELECT path FROM series ORDER BY path") == [
        ("train/deep/er",), ("train/loss",), ("x",),
    ]  # fmt: skip


class AddsUp:
    """A number to sum(), but not to the encoder."""

    def __radd__(self, total: object) -> float:
        return 1.0


@pytest.mark.parametrize(
    "value",
    [
        None, b"x", ["a"], ([1], 2), {1}, object(), AddsUp(), np.array(["a"]), np.array([1j, 2]),
        len, [], np.array([]), Decimal("1e400"), Fraction(10**400),
    ],
)  # fmt: skip
def test_a_value_of_a_wrong_type_is_named(db_path: Path, value: Any) -> None:
    with trackai.init(project="p", strict=True) as run:
        with pytest.raises((TypeError, InvalidInputError), match=r"^metric 'bad': "):
            run.log({"good": 1.5, "bad": value})
        with pytest.raises((TypeError, InvalidInputError), match=r"^metric 'nest/bad': "):
            run.log({"nest": {"bad": value}})
        with pytest.raises(TypeError, match="7"):
            run.log({"good": 1.5, 7: 1.5})  # type: ignore[dict-item]
        with pytest.raises(TypeError, match="metrics"):
            run.log([1])  # type: ignore[arg-type]
    assert query(db_path, "SELECT COUNT(*) FROM metrics") == [(0,)]


def test_invalid_text_is_named(db_path: Path) -> None:
    half = "\ud800"
    circle: dict[str, Any] = {}
    circle["self"] = circle
    rows: list[Any] = []
    rows.append(rows)
    with trackai.init(project="p", strict=True) as run:
        for metrics, named in (
            ({"fine": 1.0, "said": half}, "metric 'said': .* lone surrogate"),
            ({"fine": 1.0, "said": {"deep": "ä" + half}}, "metric 'said/deep'"),
            ({"fine": 1.0, "said": trackai.Markdown(half)}, "metric 'said'"),
            ({half: 1.0, "fine": 1.0}, "name: .*ud800"),
            ({half: "text", "fine": 1.0}, "name: .*ud800"),
            ({"fine": 1.0, "circle": circle}, "metric 'circle/self': .* contains itself"),
            ({"fine": 1.0, "table": trackai.Table(["a"], [[half]])}, "^table: "),
            ({"fine": 1.0, "table": trackai.Table(["a"], [[rows]])}, "^table: "),
        ):
            with pytest.raises(trackai.InvalidInputError, match=named):
                run.log(metrics)
        with pytest.raises(trackai.InvalidInputError, match="metric 'said'"):
            run.log_system({"said": half})
        for field in ("name", "tags", "notes"):
            with pytest.raises(trackai.InvalidInputError, match=field):
                setattr(run, field, half)
        with pytest.raises(trackai.InvalidInputError, match="name"):
            trackai.Api().run(1).rename(half)
    for data, caption in ((half, None), ("", half)):
        with pytest.raises(trackai.InvalidInputError, match="surrogate"):
            trackai.Html(data, caption=caption)
    with pytest.raises(trackai.InvalidInputError, match="group"):
        trackai.init(project="p", group=half)
    assert query(db_path, "SELECT COUNT(*) FROM metrics") == [(0,)]
    assert query(db_path, "SELECT COUNT(*) FROM files") == [(0,)]


@pytest.mark.parametrize("step", ["1", None, [1], True, math.nan, math.inf, 2**63, 1e30])
def test_an_invalid_step_is_refused(db_path: Path, step: Any) -> None:
    with trackai.init(project="p", strict=True) as run:
        if step is None:
            run.log({"x": 1.0}, step=None)
        else:
            with pytest.raises((TypeError, trackai.InvalidInputError), match="step"):
                run.log({"x": 1.0}, step=step)
    assert len(points(db_path, "x")) == (step is None)


def test_numpy_steps(db_path: Path) -> None:
    with trackai.init(project="p") as run:
        run.log({"x": 1.0}, step=np.int64(5))  # type: ignore[arg-type]
        run.log({"x": 1.0}, step=np.float32(6.5))  # type: ignore[arg-type]
    assert points(db_path, "x") == [(5, 1.0), (6.5, 1.0)]


def test_a_metric_may_have_steps_and_be_a_system_metric_too(db_path: Path) -> None:
    with trackai.init(project="p") as run:
        run.log({"gpu": 1.0})
        run.log_system({"gpu": 2.0})
    assert query(db_path, "SELECT axis, last_value FROM series ORDER BY axis") == [
        ("step", 1.0), ("time", 2.0),
    ]  # fmt: skip


def test_many_names_at_once(db_path: Path) -> None:
    with trackai.init(project="p") as run:
        for number in range(6000):
            run.log({f"metric/{number}": 1.0})
    assert query(db_path, "SELECT COUNT(*), COUNT(DISTINCT series_id) FROM metrics") == [
        (6000, 6000)
    ]


def test_a_finished_run_is_not_active(db_path: Path) -> None:
    with trackai.init(project="p") as run:
        assert current_run() is run
    assert current_run() is None
    trackai.init(project="p").finish()
    assert trackai.run is None
    assert "no active run" in repr(trackai.config)
    with pytest.raises(trackai.NoActiveRunError):
        trackai.summary  # noqa: B018


def test_a_finished_run_says_so(db_path: Path, tmp_path: Path) -> None:
    with trackai.init(project="p") as run:
        pass
    (tmp_path / "file").write_text("x")
    artifact = trackai.Artifact("a", "model")
    artifact.add_file(tmp_path / "file")
    for call in (
        lambda: run.log({"x": 1}),
        lambda: run.log_system({"x": 1}),
        lambda: run.save(tmp_path / "file"),
        lambda: run.log_artifact(artifact),
    ):
        with pytest.raises(trackai.NoActiveRunError, match="the run is finished: call trackai"):
            call()


def test_a_database_that_cannot_be_written_is_a_short_error(
    tmp_path: Path, run_python: Callable[..., Any]
) -> None:
    """The frames of threads and drivers hide the line of the script and the message."""
    (tmp_path / "file").touch()
    process = run_python(
        f"import trackai\ntrackai.init(project='p', db_path={str(tmp_path / 'file' / 'x.db')!r})",
        check=False,
    )
    lines = process.stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1].startswith("trackai.errors.StoreUnreachableError: cannot write the database")
    assert len(lines) < 10, process.stderr


def test_an_exception_in_the_block_fails_the_run(db_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), trackai.init(project="p") as run:
        run.log({"x": 1 / 0})
    assert query(db_path, "SELECT state FROM runs") == [("failed",)]


def test_the_end_of_the_script_decides_the_state_of_the_run(
    db_path: Path, run_python: Callable[..., Any]
) -> None:
    begin = "import sys, trackai\nrun = trackai.init(project='p', name=sys.argv[0])\n"
    caught = "try:\n    exit(1)\nexcept SystemExit:\n    pass\n"
    completed = ("pass", "sys.exit(0)", "exit()", "quit(0)", caught)
    failed = ("1 / 0", "raise KeyboardInterrupt", "sys.exit(1)", "exit(1)", "quit('sorry')")
    for end in completed + failed:
        result = run_python(begin + "trackai.log({'x': 1.0})\n" + end, check=False)
        assert "trackai" not in result.stderr.replace("import sys, trackai", ""), result.stderr
    assert query(db_path, "SELECT state FROM runs ORDER BY id") == [
        *[("completed",)] * len(completed), *[("failed",)] * len(failed),
    ]  # fmt: skip
    assert query(db_path, "SELECT COUNT(*) FROM metrics") == [(len(completed + failed),)]


class Colour(str, Enum):  # noqa: UP042 - str() of it is "Colour.RED"
    RED = "red"


def test_values_of_types_close_to_the_built_in_ones(db_path: Path) -> None:
    with trackai.init(project="p", config={"colour": Colour.RED, "x": np.longdouble(2)}) as run:
        run.log({"long": np.longdouble(1.5), "colour": Colour.RED}, step=np.longdouble(3))  # type: ignore[arg-type]
    assert points(db_path, "long") == [(3, 1.5)]
    assert points(db_path, "colour") == [(3, "red")]
    assert query(db_path, "SELECT value FROM configs ORDER BY key") == [('"red"',), ("2.0",)]
    with trackai.init(project="p") as run:
        run.log({"z": np.clongdouble(1)})
    assert points(db_path, "z") == [(0, "(1+0j)")]


def test_an_exception_of_a_signal_handler_reaches_the_program(
    db_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signals = iter([TimeoutError()])

    def interrupted(values: list[Any]) -> Any:
        for error in signals:
            raise error
        return sum(values)

    with trackai.init(project="p") as run:
        monkeypatch.setattr(trackai.sdk.logged_values, "sum", interrupted, raising=False)
        with pytest.raises(TimeoutError):
            run.log({"x": 1})
        run.log({"x": 2})
    assert points(db_path, "x") == [(0, 2)]


def test_two_values_with_the_same_name_are_refused(db_path: Path) -> None:
    histogram = trackai.Histogram(np_histogram=([1], [0, 1]))
    with trackai.init(project="p", strict=True) as run:
        for first, second in ((1, 2), (histogram, 2), (1, histogram)):
            with pytest.raises(InvalidInputError, match="two values"):
                run.log({"a": {"b": first}, "a/b": second})
    assert query(db_path, "SELECT COUNT(*) FROM metrics") == [(0,)]


def test_the_module_has_a_summary_while_a_run_is_active(db_path: Path) -> None:
    assert not hasattr(trackai, "summary")
    with trackai.init(project="p"):
        assert hasattr(trackai, "summary")


def test_the_environment_is_read_by_init(tmp_path: Path, run_python: Callable[..., Any]) -> None:
    run_python(
        """
        import os, trackai
        for name in ("a", "b"):
            os.environ["TRACKAI_DB_PATH"] = f"./made/{name}.db"
            with trackai.init(project="p") as run:
                run.log({"x": 1.0})
        """
    )
    for name in ("a", "b"):
        assert query(tmp_path / "made" / f"{name}.db", "SELECT COUNT(*) FROM metrics") == [(1,)]


def test_ignored_arguments_of_trackio_are_named_once(
    db_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        trackai.init(
            project="p", name="n", group="g", space_id="s", dataset_id="d",
            bucket_id="b", config={}, resume="never", settings={}, private=True, embed=False,
            auto_log_gpu=False, gpu_log_interval=1.0, auto_log_cpu=False, cpu_log_interval=1.0,
        ).finish()  # fmt: skip
    for name in ("space_id", "bucket_id"):
        assert sum(f" {name} " in message for message in caplog.messages) == 1


@pytest.mark.parametrize(
    ("arguments", "error", "field"),
    [
        ({"project": 1}, TypeError, "project"),
        ({"project": ""}, ValueError, "project"),
        ({"project": "p", "name": 1}, TypeError, "name"),
        ({"project": "p", "group": " "}, ValueError, "group"),
        ({"project": "p", "config": 1}, TypeError, "config"),
        ({"project": "p", "resume": "maybe"}, ValueError, "resume"),
        ({"project": "p", "resume": []}, ValueError, "resume"),
        ({"project": "p", "resume": "must"}, ValueError, "name"),
        ({"project": "p", "mode": "nonsense"}, ValueError, "mode"),
        ({"project": "p", "mode": 5}, ValueError, "mode"),
        ({"project": "p", "id": 5}, TypeError, "id"),
        ({"project": "p", "id": " "}, ValueError, "id"),
        ({"project": "p", "tags": [1, None]}, TypeError, "tags"),
        ({"project": "p", "tags": [""]}, ValueError, "tags"),
        ({"project": "p", "tags": 5}, TypeError, "tags"),
        ({"project": "p", "tags": b"x"}, TypeError, "tags"),
        ({"project": "p", "notes": 5}, TypeError, "notes"),
        ({"project": "p", "config": argparse.Namespace}, TypeError, "config: .* a class"),
    ],
)
def test_a_wrong_argument_is_named(
    db_path: Path, arguments: Any, error: type[Exception], field: str
) -> None:
    with pytest.raises(error, match=field):
        trackai.init(**arguments)
    if db_path.exists():
        assert query(db_path, "SELECT COUNT(*) FROM runs") == [(0,)]


@pytest.mark.parametrize(("end", "state"), [(0, "completed"), (1, "failed"), ("failed", "failed")])
def test_a_run_is_finished_with_an_exit_code_or_a_state(
    db_path: Path, end: Any, state: str
) -> None:
    run = trackai.init(project="p")
    with pytest.raises(TypeError, match="got 'oops'"):
        run.finish("oops")  # type: ignore[arg-type]
    run.finish(end)
    assert trackai.Api().run("latest").state == state


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"id": "a\nb"}, "id: must not contain control characters, got U+000A"),
        ({"group": "\x1b[2J"}, "group: must not contain control characters, got U+001B"),
        ({"tags": ["ok", "\u202e"]}, "tags: must not contain control characters, got U+202E"),
        ({"tags": ["x" * 257]}, "tags: must have at most 256 characters, got 257"),
        ({"name": "a\0"}, "name: must not contain the character U+0000"),
        ({"name": "x" * 5000}, "name: must have at most 512 characters, got 5000"),
        ({"project": " "}, "project: must not be empty"),
        ({"notes": "a\0"}, "notes: must not contain the character U+0000"),
    ],
)
def test_names_are_checked_before_a_run_starts(
    db_path: Path, arguments: dict[str, Any], problem: str
) -> None:
    with pytest.raises(trackai.InvalidInputError) as raised:
        trackai.init(**{"project": "p", **arguments})
    assert str(raised.value) == problem
    assert not db_path.exists()


def test_ids_and_projects_of_the_environment_are_checked(
    db_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKAI_RUN_ID", "a\x1bb")
    with pytest.raises(
        trackai.InvalidInputError, match="TRACKAI_RUN_ID or WANDB_RUN_ID: must not contain"
    ):
        trackai.init(project="p")
    monkeypatch.setenv("TRACKAI_PROJECT", "x" * 600)
    with pytest.raises(trackai.InvalidInputError, match="TRACKAI_PROJECT"):
        trackai.init(id="r")


def test_a_run_finishes_with_any_object_as_standard_error(
    db_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Tee:
        def write(self, text: str) -> int:
            return len(text)

        def flush(self) -> None: ...

    monkeypatch.setattr("sys.stderr", Tee())
    with trackai.init(project="p") as run:
        run.log({"loss": 1.0})
    assert trackai.Api(db_path).run("latest").summary["loss"].points == 1
