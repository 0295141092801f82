"""Importing storages that Optuna itself wrote."""

from __future__ import annotations

import contextlib
import math
import os
import sqlite3
import warnings
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.storages import JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from tests.importers.sources import Run, read_source
from trackai.errors import InvalidInputError, MissingExtraError
from trackai.importers.json_values import json_value
from trackai.importers.optuna import recognises, tables
from trackai.importers.optuna.reader import Source
from trackai.importers.optuna.url import DatabaseUrl, parse
from trackai.values.nesting import flat

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from optuna.trial import FrozenTrial, Trial

    from tests.cli.conftest import Trackai

    Ask = Callable[..., list[tuple[Any, ...]]]

CHOICES = ["sgd", None, True, 2, 0.5, "1"]
NAME = "odd/ünï: x"


def objective(trial: Trial) -> float:
    lr = trial.suggest_float("lr", 1e-5, 1, log=True)
    trial.suggest_categorical("opt", CHOICES)
    trial.suggest_int("layers/n", 1, 9)
    trial.suggest_float("dropout", 0, 1, step=0.25)
    trial.set_user_attr("note", {"x": 1, "s": "ü"})
    for step, value in ((0, lr), (5, math.nan), (3, math.inf), (4, -math.inf), (2**40, 1)):
        trial.report(value, step)
    trial.report(99.0, 0)  # the first value of a step stays
    if trial.number == 1:
        raise optuna.TrialPruned
    if trial.number == 2:
        raise ValueError("x")
    if trial.number == 3:
        return math.nan
    if trial.number == 6:
        trial.suggest_categorical("changing", ["a", "b"])
    if trial.number == 7:
        trial.suggest_categorical("changing", ["a", "c"])  # Optuna refuses it
    return math.inf if trial.number == 4 else lr


def write(storage: Any) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.RandomSampler(seed=1)
    study = optuna.create_study(
        storage=storage, study_name=NAME, direction="maximize", sampler=sampler
    )
    study.set_user_attr("who", {"a": [1, None, 2.5]})
    study.enqueue_trial({"lr": 0.5, "opt": None})
    study.optimize(objective, n_trials=8, catch=(ValueError,))
    study.enqueue_trial({"lr": 0.25})
    multi = optuna.create_study(
        storage=storage, study_name="multi", directions=["minimize", "maximize"], sampler=sampler
    )
    multi.set_metric_names(["loss", "acc"])
    multi.optimize(lambda trial: (trial.suggest_float("x", 0, 1), -math.inf), n_trials=2)
    multi.ask().suggest_int("i", 0, 3)
    multi.add_trial(
        optuna.create_trial(
            values=[1, 2], params={"x": 0.5}, intermediate_values={3: 1.5},
            distributions={"x": optuna.distributions.FloatDistribution(0, 1)},
        )
    )  # fmt: skip
    optuna.create_study(storage=storage, study_name="empty")
    optuna.create_study(storage=storage, study_name="gone").optimize(lambda _: 1.0, n_trials=2)
    optuna.delete_study(study_name="gone", storage=storage)
    last = optuna.create_study(storage=storage, study_name="last", sampler=sampler)
    last.optimize(lambda trial: float(trial.suggest_categorical("z", [True, "1"]) or 0), n_trials=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Storages of the same studies."""
    path = tmp_path_factory.mktemp("optuna")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of NaN, and of values that are reported twice
        storage = RDBStorage(f"sqlite:///{path / 'study.db'}")
        write(storage)
        storage.engine.dispose()
        write(JournalStorage(JournalFileBackend(str(path / "journal.log"))))
    return path


PLACES = ("study.db", "journal.log", "url")


def open_place(folder: Path, place: str) -> tuple[Any, Any]:
    """Return what is imported, and Optuna's own storage."""
    if place == "journal.log":
        path = folder / place
        return path, JournalStorage(JournalFileBackend(str(path)))
    storage = RDBStorage(f"sqlite:///{folder / 'study.db'}")
    if place == "url":
        return parse(f"sqlite+pysqlite:///{folder / 'study.db'}"), storage
    return parse(f"sqlite:///{folder / 'study.db'}"), storage


def number(value: float) -> Any:
    return "NaN" if math.isnan(value) else value


def check_trial(run: Run, trial: FrozenTrial, names: list[str]) -> None:
    head, points = run.head, run.points
    config = flat(trial.params, json_value)
    assert {key: head.config[key] for key in head.config if not key.startswith("optuna/")} == config
    assert [type(head.config[key]) for key in config] == [type(v) for v in config.values()]
    assert head.config["optuna/trial"] == trial.number
    attributes = flat({"optuna": {"user_attrs": trial.user_attrs}} if trial.user_attrs else {}, str)
    assert attributes.keys() <= head.config.keys()
    expected = [(step, number(value)) for step, value in trial.intermediate_values.items()]
    assert sorted(points.pop("intermediate_value", [])) == sorted(expected)
    assert trial.datetime_start is not None
    # Optuna makes naive local times of what it has stored.
    assert head.created_at == round(trial.datetime_start.timestamp() * 1e6)
    if trial.state.name == "COMPLETE":
        assert trial.datetime_complete is not None
        assert head.finished_at == round(trial.datetime_complete.timestamp() * 1e6)
        step = max((0, *trial.intermediate_values))
        assert points == {
            name: [(step, value)] for name, value in zip(names, trial.values, strict=True)
        }
    else:
        assert points == {}  # the value of a pruned trial is its last intermediate one
    states = {"COMPLETE": "completed", "PRUNED": "completed", "FAIL": "failed"}
    assert head.state == states.get(trial.state.name, "running")
    assert head.tags == (["pruned"] if trial.state.name == "PRUNED" else [])


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_what_optuna_says(
    folder: Path, place: str, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    monkeypatch.setenv("TZ", zone)
    time.tzset()
    path, storage = open_place(folder, place)
    for changed in folder.iterdir():
        os.utime(changed)
    receipt, runs = read_source(Source, path)
    assert receipt.problems == []
    assert receipt.totals.not_stored == {}
    remarks = {remark.where: remark.problem for remark in receipt.remarks}
    assert remarks == {
        NAME: "1 trials that have not begun are not imported",
        "empty": "the study has no trials",
    }
    names = {NAME: ["value"], "multi": ["loss", "acc"], "last": ["value"]}
    expected = {}
    for study, metrics in names.items():
        for trial in optuna.load_study(study_name=study, storage=storage).trials:
            if trial.state.name != "WAITING":
                expected[f"{study}-{trial.number}"] = (trial, metrics)
    assert runs.keys() == expected.keys()
    for name, (trial, metrics) in expected.items():
        check_trial(runs[name], trial, metrics)
    head = runs[f"{NAME}-0"].head
    assert (head.project, head.group_name, head.name) == (NAME, NAME, f"{NAME}-0")
    assert head.config["optuna/directions"] == ["MAXIMIZE"]
    assert head.config["optuna/study_user_attrs/who/a"] == [1, None, 2.5]
    assert head.config["optuna/system_attrs/fixed_params/opt"] is None
    assert head.config["optuna/distributions/opt/attributes/choices"] == CHOICES
    monkeypatch.undo()
    time.tzset()


def test_a_copy_is_the_same_run(folder: Path, tmp_path: Path) -> None:
    storage = RDBStorage(f"sqlite:///{folder / 'study.db'}")
    target = JournalStorage(JournalFileBackend(str(tmp_path / "copy.log")))
    optuna.copy_study(from_study_name="last", from_storage=storage, to_storage=target)
    _, runs = read_source(Source, folder / "study.db")
    _, copies = read_source(Source, tmp_path / "copy.log")
    assert copies.keys() == {"last-0", "last-1"}
    assert {run.head.uid for run in copies.values()} < {run.head.uid for run in runs.values()}


@pytest.mark.parametrize("place", ["study.db", "journal.log"])
def test_importing_again_adds_only_what_is_new(
    place: str, tmp_path: Path, trackai: Trackai, ask: Ask
) -> None:
    path = tmp_path / place
    storage: Any = (
        RDBStorage(f"sqlite:///{path}") if place == "study.db"
        else JournalStorage(JournalFileBackend(str(path)))
    )  # fmt: skip
    study = optuna.create_study(storage=storage, study_name="s")
    trial = study.ask()
    trial.report(0.5, 0)
    first = trackai("import", "optuna", path, "--json").json
    assert (first["new_runs"], first["stored"]) == (1, 1)
    assert ask("SELECT state FROM runs") == [("running",)]
    trial.report(0.25, 1)
    study.tell(trial, 0.125)
    study.optimize(lambda trial: trial.suggest_int("n", 3, 3), n_trials=1)
    second = trackai("import", "optuna", path, "--json").json
    assert (second["new_runs"], second["stored"]) == (1, 3)
    assert ask("SELECT slug, state FROM runs ORDER BY slug") == [
        ("s-0", "completed"), ("s-1", "completed")
    ]  # fmt: skip
    third = trackai("import", "optuna", f"sqlite:///{path}" if place == "study.db" else path,
                    "--json").json  # fmt: skip
    assert (third["new_runs"], third["totals"]["stored"]) == (0, 0)
    assert ask(
        "SELECT path, step, value FROM points_of_run ORDER BY 1, 2".replace(
            "points_of_run",
            "(SELECT path, step, value FROM metrics JOIN series ON series.id ="
            " series_id JOIN runs ON runs.id = run_id WHERE slug = 's-0')",
        )
    ) == [("intermediate_value", 0, 0.5), ("intermediate_value", 1, 0.25), ("value", 1, 0.125)]


def test_a_silent_trial_has_failed_until_it_ends(
    tmp_path: Path, trackai: Trackai, ask: Ask
) -> None:
    path = tmp_path / "study.db"
    study = optuna.create_study(storage=f"sqlite:///{path}", study_name="s")
    trial = study.ask()
    os.utime(path, (1, 1))
    trackai("import", "optuna", path)
    assert ask("SELECT state FROM runs") == [("failed",)]
    study.tell(trial, 1.0)
    trackai("import", "optuna", path)
    assert ask("SELECT state FROM runs") == [("completed",)]


def test_times_before_optuna_5(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    path.write_bytes((folder / "study.db").read_bytes())
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE version_info SET library_version = '4.5.0'")
    receipt, _ = read_source(Source, path)
    assert "begun by Optuna 4.5.0" in receipt.remarks[0].problem


def test_what_is_recognised(folder: Path, tmp_path: Path) -> None:
    assert recognises(folder / "study.db")
    assert recognises(folder / "journal.log")
    (tmp_path / "x.db").write_bytes(b"not a database, but as long as the header of one" * 9)
    (tmp_path / "x.log").write_text('{"op_code": 0}\n')
    (tmp_path / "empty").touch()
    assert not any(map(recognises, [*tmp_path.iterdir(), tmp_path, tmp_path / "missing"]))


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("empty.db", b"", "not a database or a journal of Optuna"),
        ("text.log", b"hello\n", "not a database or a journal of Optuna"),
        ("studies.log", b'{"op_code":1,"worker_id":"w","study_id":0}\n', "no studies found"),
    ],
)
def test_files_of_others(
    tmp_path: Path, trackai: Trackai, name: str, content: bytes, problem: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    result = trackai("import", "optuna", path, code=2)
    assert result.err.strip().endswith(problem)


def test_a_folder(tmp_path: Path, trackai: Trackai) -> None:
    result = trackai("import", "optuna", tmp_path, code=2)
    assert "is a folder; pass a database or a journal of Optuna" in result.err


def test_urls(tmp_path: Path, trackai: Trackai, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "nonsense://me:secret@p@ss@host/db"
    assert str(DatabaseUrl(url)) == "nonsense://me:***@host/db"
    result = trackai("import", "optuna", url, code=2)
    assert "secret" not in result.err + result.out
    assert "cannot be opened" in result.err
    missing = trackai("import", "optuna", "postgresql+psycopg2://me:secret@localhost:1/x", code=2)
    assert "needs the package psycopg2" in missing.err
    monkeypatch.setitem(__import__("sys").modules, "sqlalchemy", None)
    with (
        pytest.raises(MissingExtraError, match=r"trackai\[optuna\]"),
        tables.open_tables(DatabaseUrl(url), None),  # type: ignore[arg-type]
    ):
        pass


def test_a_journal_cut_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "journal.log"
    study = optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(path))), study_name="s"
    )
    for value in (1, 2):
        trial = study.ask()
        trial.report(1.5, trial.suggest_int("n", value, value))
        study.tell(trial, value)
    whole, runs = path.read_bytes(), read_source(Source, path)[1]
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        try:
            receipt, cut = read_source(Source, path)
        except InvalidInputError:
            assert length <= whole.index(b"\n")
            continue
        assert receipt.problems == []
        for name, run in cut.items():
            assert run.head.uid == runs[name].head.uid
            assert run.head.config.items() <= runs[name].head.config.items()
            for metric, points in run.points.items():
                assert points == runs[name].points[metric]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    place=st.sampled_from(["study.db", "journal.log"]),
    changes=st.lists(st.tuples(st.integers(0, 1 << 20), st.binary(min_size=1, max_size=9))),
)
def test_damaged_storages(
    folder: Path, tmp_path: Path, place: str, changes: list[tuple[int, bytes]]
) -> None:
    content = bytearray((folder / place).read_bytes())
    for position, data in changes:
        start = position % len(content)
        content[start : start + len(data)] = data
    path = tmp_path / place
    path.write_bytes(content)
    recognises(path)
    with contextlib.suppress(InvalidInputError):
        read_source(Source, path)


def test_a_damaged_line_ends_a_journal(folder: Path, tmp_path: Path) -> None:
    lines = (folder / "journal.log").read_bytes().splitlines(keepends=True)
    lines[20] = b"{...\n"
    path = tmp_path / "journal.log"
    path.write_bytes(b"".join(lines))
    receipt, runs = read_source(Source, path)
    assert [problem.problem for problem in receipt.problems] == [
        "line 21 is damaged; stopped there"
    ]
    assert runs.keys() == {f"{NAME}-0", f"{NAME}-1"}
    assert runs[f"{NAME}-0"].points["value"] == [(2**40, 0.5)]
