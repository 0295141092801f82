"""Logging never ends a training: what cannot be stored is left out, named once and counted."""

from __future__ import annotations

import json
import logging
import math
import os
import re
import sqlite3
import sys
import uuid
from collections import UserString
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import trackai
from trackai.errors import InvalidInputError, NoActiveRunError
from trackai.ingest import frames, journal

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType


class Hostile:
    """An object that raises wherever it is touched."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"do not touch {name}")

    def __repr__(self) -> str:
        raise RuntimeError

    @property
    def shape(self) -> Any:
        raise RuntimeError("a device was lost")


class Proxy:
    """An object that asks another one, which is gone, for its class."""

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        raise RuntimeError("the object is gone")


class HostileDict(dict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError("changed while it was read")


class Colour(Enum):
    RED = "red"
    POINT = (1, 2)


class Phase(IntEnum):
    TEST = 2


def values(metric: str) -> list[Any]:
    return trackai.Api().run("latest").history(metric)[metric].values


def metrics() -> set[str]:
    return set(trackai.Api().run("latest").summary)


CIRCLE: dict[str, Any] = {"x": 1}
CIRCLE["self"] = CIRCLE
DEEP: dict[str, Any] = {"x": 1}
for _ in range(150):
    DEEP = {"d": DEEP}


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        ({"bad": None}, "metric 'bad': .* got NoneType"),
        ({"bad": object()}, "metric 'bad': .* got object"),
        ({"bad": {1, 2}}, "metric 'bad': .* got set"),
        ({"bad": b"x"}, "metric 'bad': .* got bytes"),
        ({"bad": Hostile()}, "metric 'bad': RuntimeError: a device was lost"),
        ({"bad": Proxy()}, "metric 'bad': RuntimeError: the object is gone"),
        ({"bad": np.longdouble("1e4000")}, "metric 'bad': the number is too large for a float"),
        ({"bad": trackai.Table(["a"], [[10**5000]])}, "bad: cannot be stored: .*4300 digits"),
        ({Hostile(): 1.0}, "metric <.*Hostile>: the name must be a str, got Hostile"),
        ({Proxy(): 1.0}, "metric <.*Proxy object>: the name must be a str, got Proxy"),
        ({"bad": np.array(["a", "b"])}, "metric 'bad': must hold numbers"),
        ({"bad": [1, [2]]}, "metric 'bad': must"),
        ({"bad": []}, "metric 'bad': the array is empty"),
        ({"bad": "\ud800"}, "metric 'bad': must be valid Unicode"),
        ({"bad": np.timedelta64(1, "Y")}, "metric 'bad': .* got numpy.timedelta64"),
        ({"bad": 10**400}, "metric 'bad': the int is too large"),
        ({"bad": Decimal("1e999999999")}, "metric 'bad': the number is too large"),
        ({"bad": HostileDict(a=1)}, "metric 'bad': RuntimeError: changed while it was read"),
        ({5: 1.0}, "metric 5: the name must be a str, got int"),
        ({None: None}, "metric None: the name must be a str"),
        ({"": 1.0}, "metric '': the name must not be empty"),
        ({"n" * 1025: 1.0}, "at most 1024 characters, got 1025"),
        ({"a\0b": 1.0}, r"metric 'a\\x00b': the name must not contain the character U\+0000"),
        ({"a\0b": "text"}, r"metric 'a\\x00b': the name must not contain the character U\+0000"),
        ({"\ud800": 1.0}, "the name: must be valid Unicode"),
        ({"circle": CIRCLE}, "metric 'circle/self': .* contains itself"),
        ({"deep": DEEP}, "must be nested at most 100 levels deep"),
    ],
)
def test_what_cannot_be_stored_is_left_out(
    db_path: Path, caplog: pytest.LogCaptureFixture, bad: dict[Any, Any], named: str
) -> None:
    with trackai.init(project="p") as run:
        for step in range(3):
            run.log({"loss": step / 2, **bad, "text": "kept"}, step=step)
        [warning] = [record.getMessage() for record in caplog.records]
        assert re.search(named, warning)
        run.log({"loss": 5.0})
    assert values("loss") == [0.0, 0.5, 1.0, 5.0]
    assert values("text") == ["kept"] * 3
    assert metrics() <= {"loss", "text", "circle/x"}
    assert warning.endswith("; left out")
    assert "3 values were left out: metric " in caplog.text
    with trackai.init(project="p", strict=True) as run:
        with pytest.raises((TypeError, InvalidInputError, RuntimeError)):
            run.log({"loss": 1.0, **bad})
        run.log({"fine": 1.0})
    assert metrics() == {"fine"}


def test_files_in_a_list_stay_usable(db_path: Path, tmp_path: Path) -> None:
    with trackai.init(project="p") as run, (tmp_path / "file").open("w+") as file:
        run.log({"bad": [file, file]})
        file.write("usable")
    assert (tmp_path / "file").read_text() == "usable"


def test_a_name_twice_in_a_call_keeps_the_first(
    db_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with trackai.init(project="p") as run:
        run.log({"a": {"b": 1}, "a/b": 2, "c": 3})
    assert "metric 'a/b': two values in this call have this name; left out" in caplog.text
    assert (values("a/b"), values("c")) == ([1], [3])


def test_metrics_that_are_no_mapping(db_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with trackai.init(project="p") as run:
        for wrong in (None, 1.5, [("loss", 1.0)], "loss"):
            run.log(wrong)  # type: ignore[arg-type]
            run.log_system(wrong)  # type: ignore[arg-type]
        run.log({"loss": 1.0})
    assert caplog.text.count("metrics: must be a dict of values by name, got NoneType") == 1
    assert "metrics (8 times)" in caplog.text
    assert values("loss") == [1.0]


@pytest.mark.parametrize(
    "step", ["1", [1], True, math.nan, math.inf, 2**63, 1e30, pytest.param(Hostile(), id="hostile")]
)
def test_a_step_that_is_no_number_is_replaced(
    db_path: Path, caplog: pytest.LogCaptureFixture, step: Any
) -> None:
    with trackai.init(project="p") as run:
        run.log({"loss": 1.0}, step=7)
        run.log({"loss": 2.0}, step=step)
        run.log({"loss": 3.0, "text": "x"}, step=step, commit=False)
        run.log({"loss": 4.0})
    curve = trackai.Api().run("latest").history("loss")["loss"]
    assert curve.steps == [7, 8, 9, 9]
    assert curve.values == [1.0, 2.0, 3.0, 4.0]
    assert caplog.text.count("the next step is used instead") == 1
    assert "step (2 times)" in caplog.text


def test_the_number_of_warnings_is_bounded(db_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with trackai.init(project="p") as run:
        for number in range(1500):
            run.log({f"m{number}": None})
            run.log({f"m{number}": None})
        assert len(caplog.records) == 21
        assert "without a warning" in caplog.text
        caplog.clear()
    [report] = caplog.records
    assert report.getMessage().startswith("3000 values were left out: ")
    assert report.getMessage().endswith("metric 'm9' (2 times), and 991 more")


def test_media_that_cannot_be_read_are_left_out(
    db_path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    video = tmp_path / "gone.mp4"
    video.write_bytes(b"x")
    media = trackai.Video(video)
    video.unlink()
    image = trackai.Image(np.zeros((2, 2)))
    with trackai.init(project="p") as run:
        run.log({"loss": 1.0, "video": media, "image": image})
        run.log({"loss": 2.0, "table": trackai.Table(["a"], [["\ud800"]])})
        run.log_system({"load": 0.5, "image": image, "hist": [1, 2]})
    assert "metric 'video'" in caplog.text
    assert "metric 'table'" in caplog.text
    assert "system metric 'image': must be a number, bool or str" in caplog.text
    assert values("loss") == [1.0, 2.0]
    assert values("load") == [0.5]
    with closing(sqlite3.connect(db_path)) as connection:
        assert connection.execute("SELECT path FROM files").fetchall() == [("image",)]


def test_a_call_that_is_too_long_for_a_record(
    db_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (frames, journal):
        monkeypatch.setattr(module, "MAX_PAYLOAD", 1000)
    long = {"a": "x" * 600, "b": "y" * 600, "c": "z" * 2000, "loss": 1.0}
    with trackai.init(project="p") as run:
        run.log(long)
        run.log({"loss": 2.0})
    assert "metrics: must be at most 1000 bytes in one call; left out" in caplog.text
    assert "metric 'c' (once)" in caplog.text
    assert metrics() == {"a", "b", "loss"}
    assert trackai.Api().run("latest").history("a")["a"].steps == [0]
    assert values("loss") == [1.0, 2.0]
    with (
        trackai.init(project="p", strict=True) as run,
        pytest.raises(InvalidInputError, match="at most 1000 bytes"),
    ):
        run.log(long)
    assert metrics() == set()


def test_the_other_calls_of_a_training_loop(
    db_path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "model.pt").write_text("x")
    with trackai.init(project="p", name="first", tags=["a"]) as run:
        run.summary["best"] = object()
        run.summary["good"] = 1.5
        run.config.update(5)
        run.config.update(int)
        run.config.update({"lr": 0.1, "": 1, "a\0b": 2, "n" * 2000: 3})
        run.config.update([("seed", 1)])
        run.config["x/y"] = Hostile()
        run.config.update(HostileDict(a=1))
        run.config["x"] = {"z": 1, "hostile": HostileDict(a=1)}
        run.name = ""
        run.tags += ("",)
        run.tags += ("b",)
        run.notes = 5  # type: ignore[assignment]
        assert run.save(tmp_path / "*.nothing") == []
        assert run.save(tmp_path / "*.pt", base_path=tmp_path) == ["model.pt"]
        assert run.log_artifact(tmp_path / "missing", type="model").files() == []
        assert run.log_artifact(tmp_path / "model.pt").name == "model.pt"
        run.alert("look", level="loud")
        trackai.watch(object(), 5)
        trackai.define_metric(5)
    stored = trackai.Api().run("latest")
    assert (stored.name, stored.tags, stored.notes) == ("first", ["a", "b"], None)
    assert stored.config == {"lr": 0.1, "seed": 1, "x": {"z": 1, "hostile": "{'a': 1}"}}
    assert stored.alerts()[0]["level"] == "warn"
    for name in ("metric 'best'", "config", "config key ''", "name", "tags", "notes", "glob_str"):
        assert f"{name} (" in caplog.text
    assert "path: " in caplog.text


@pytest.mark.skipif(sys.platform != "linux", reason="only there names may be any bytes")
def test_files_with_names_that_are_not_text(
    db_path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    odd = os.fsencode(tmp_path) + b"/caf\xe9.mp4"
    Path(os.fsdecode(odd)).write_bytes(b"x")
    (tmp_path / "plain.mp4").write_bytes(b"x")
    image = trackai.Image(np.zeros((2, 2)))
    with trackai.init(project="p") as run:
        assert run.save(tmp_path / "*.mp4", base_path=tmp_path) == ["plain.mp4"]
        run.log_artifact(tmp_path, name="all", aliases="best")
        run.log_artifact(tmp_path / "plain.mp4", name="a\0b")
        run.log({"loss": 1.0, "video": trackai.Video(os.fsdecode(odd))})
        for column in ("\ud800", "a\0b", "n" * 2000):
            run.log({"loss": 2.0, "t": trackai.Table([column], [[image]])})
    assert "must be valid Unicode" in caplog.text
    assert values("loss") == [1.0, 2.0, 2.0, 2.0]
    with closing(sqlite3.connect(db_path)) as connection:
        paths = {path for (path,) in connection.execute("SELECT path FROM files")}
    assert {"plain.mp4", "all", "all:best", "video", "t"} == paths


def test_a_finished_run_still_raises(db_path: Path) -> None:
    with trackai.init(project="p") as run:
        pass
    for bad in ({"loss": 1.0}, {"loss": None}, {"loss": "x"}, {}):
        with pytest.raises(NoActiveRunError):
            run.log(bad)
        with pytest.raises(NoActiveRunError):
            trackai.log(bad)
    with pytest.raises(NoActiveRunError):
        run.config.update({"a": 1})


def test_strict_is_read_from_the_environment(
    db_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text in ("1", "true", "On"):
        monkeypatch.setenv("TRACKAI_STRICT", text)
        with trackai.init(project="p") as run, pytest.raises(TypeError, match="metric 'x'"):
            run.log({"x": None})
    for text in ("0", "False", "no"):
        monkeypatch.setenv("TRACKAI_STRICT", text)
        with trackai.init(project="p") as run:
            run.log({"x": None})
    with trackai.init(project="p", strict=False) as run:
        run.log({"x": None})
    monkeypatch.setenv("TRACKAI_STRICT", "sure")
    with pytest.raises(InvalidInputError, match="TRACKAI_STRICT: must be 1 or 0, got 'sure'"):
        trackai.init(project="p")
    monkeypatch.delenv("TRACKAI_STRICT")
    with pytest.raises(TypeError, match="strict: must be a bool"):
        trackai.init(project="p", strict="yes")  # type: ignore[arg-type]


def test_an_exception_of_a_signal_handler_during_a_conversion_reaches_the_program(
    db_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Interrupted:
        signals = iter([TimeoutError()])
        shape = ()

        def item(self) -> float:
            for error in self.signals:
                raise error
            return 2.5

    with trackai.init(project="p") as run:
        with pytest.raises(TimeoutError):
            run.log({"x": Interrupted()})
        run.log({"x": Interrupted()})
    assert values("x") == [2.5]
    assert caplog.text == ""


def test_a_child_counts_what_it_left_out_itself(
    db_path: Path, run_python: Callable[..., Any]
) -> None:
    done = run_python(
        """
        import os, trackai
        run = trackai.init(project="p")
        run.log({"x": None})
        if os.fork() == 0:
            run.finish()
            os._exit(0)
        os.wait()
        run.finish()
        """,
        TRACKAI_DB_PATH=str(db_path),
    )
    assert done.stderr.count("1 value was left out: metric 'x' (once)") == 1


STAMP = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (Decimal("0.1"), 0.1),
        (Decimal(9007199254740993), 9007199254740993),
        (Decimal("NaN"), math.nan),
        (Decimal("sNaN"), math.nan),
        (Decimal("-Infinity"), -math.inf),
        (Fraction(1, 4), 0.25),
        (Fraction(2**60 + 1), 2**60 + 1),
        (timedelta(minutes=1.5), 90),
        (timedelta(milliseconds=1), 0.001),
        (np.timedelta64(1500, "ms"), 1.5),
        (np.timedelta64(1, "ns"), 1e-9),
        (pd.Timedelta("1h"), 3600),
        (UserString("text"), "text"),
        (STAMP, "2026-01-02T03:04:05.678901+00:00"),
        (date(2026, 1, 2), "2026-01-02"),
        (time(3, 4), "03:04:00"),
        (np.datetime64("2026-01-02", "ns"), "2026-01-02T00:00:00"),
        (np.datetime64("2026-01-02T03:04:05.120", "ms"), "2026-01-02T03:04:05.12"),
        (pd.Timestamp("2026-01-02", tz="Asia/Tokyo"), "2026-01-02T00:00:00+09:00"),
        (Path("a/b"), "a/b"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (1 + 2j, "(1+2j)"),
        (np.complex64(1j), "1j"),
        (np.array(1j, np.clongdouble), "1j"),
        (np.array(2.0, np.longdouble), 2.0),
        (np.longdouble("-inf"), -math.inf),
        (Colour.RED, "red"),
        (Colour.POINT, "POINT"),
        (Phase.TEST, 2),
        (np.ma.masked, math.nan),
        (np.ma.array(3, mask=True), math.nan),
        (np.ma.array(3, mask=False), 3),
        (np.ma.array([1.0, 2.0], mask=[True, True]).mean(), math.nan),
        (pd.NA, math.nan),
        (pd.NaT, math.nan),
        (np.datetime64("NaT"), math.nan),
        (pa.scalar(None, pa.int64()), math.nan),
        (pa.scalar(5), 5),
        (ml_dtypes.bfloat16(1.5), 1.5),
        (ml_dtypes.float8_e4m3fn(0.5), 0.5),
        (np.array([2.5]), 2.5),
        (np.array([[True]]), True),
        ([7], 7),
        (np.ma.array([7], mask=[True]), math.nan),
    ],
)
@pytest.mark.parametrize("other", [None, 1.5, "text"])
def test_values_with_a_defined_form(db_path: Path, value: Any, stored: Any, other: Any) -> None:
    with trackai.init(project="p", strict=True) as run:
        run.log({"x": value} if other is None else {"other": other, "x": value})
    [read] = values("x")
    assert type(read) is type(stored)
    assert read == stored or (read != read and stored != stored)


@pytest.mark.parametrize(
    ("value", "count", "low", "high"),
    [
        ([1, 2, 3], 3, 1, 3),
        ((1.5, 2.5), 2, 1.5, 2.5),
        (np.arange(100).reshape(10, 10), 100, 0, 99),
        (np.ma.array([5, 0, 7], mask=[False, True, False]), 2, 5, 7),
        (np.array([1, 2], ml_dtypes.bfloat16), 2, 1, 2),
        (pd.Series([1, None, 3], dtype="Int64"), 2, 1, 3),
        (pa.array([1, None, 3]), 2, 1, 3),
        ([np.float32(1), np.float32(2)], 2, 1, 2),
    ],
)
def test_numbers_become_histograms(
    db_path: Path, value: Any, count: int, low: float, high: float
) -> None:
    with trackai.init(project="p", strict=True) as run:
        run.log({"nested": {"grad": value}, "loss": 1.0})
    summary = trackai.Api().run("latest").summary
    assert summary["nested/grad"].kind == "histogram"
    stored = json.loads(values("nested/grad")[0])
    assert (sum(stored["values"]), stored["edges"][0], stored["edges"][-1]) == (count, low, high)


def test_an_array_without_numpy_is_left_out(
    db_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    nothing: Any = None
    modules: dict[str, ModuleType] = sys.modules
    monkeypatch.setitem(modules, "numpy", nothing)
    with trackai.init(project="p") as run:
        run.log({"loss": 1.0, "list": [1, 2]})
    assert values("loss") == [1.0]
    assert "metric 'list': logging an array needs an extra package" in caplog.text


def test_warnings_go_to_the_logger(db_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with trackai.init(project="p") as run:
        run.log({"x": None})
    assert {(record.name, record.levelno) for record in caplog.records} == {
        ("trackai", logging.WARNING)
    }
