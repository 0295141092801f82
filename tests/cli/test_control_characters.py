"""Stored names never send control characters to a terminal or a log, from any client."""

from __future__ import annotations

import json
import logging
import re
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import trackai as sdk
from trackai import cli
from trackai.api.access_log import AccessRecord, JSONFormatter, TextFormatter
from trackai.values.logger import logger
from trackai.values.text import escaped, escaped_json

if TYPE_CHECKING:
    from tests.cli.conftest import Trackai

# Clears the screen, in C0 and C1; starts another line; reverses text; a title; a lone DEL.
NASTY = "\x1b[2Jname\x9b31m\r\nok\u202ereversed\u2028\x1b]0;title\x07\x7f\u2066"
SAFE = "\\x1b[2Jname\\x9b31m\\r\\nok\\u202ereversed\\u2028\\x1b]0;title\\x07\\x7f\\u2066"
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@pytest.fixture
def nasty_runs(db_path: Path) -> None:
    """Two runs, of which each stored text is nasty: an older version may have stored them."""
    for name in ("a", "b"):
        with sdk.init(project="p", name=name, config={"lr": name}) as run:
            run.log({"loss": 1.0, "text": NASTY})
    with sqlite3.connect(db_path) as connection:
        connection.create_function("casefold", 1, str.casefold, deterministic=True)
        connection.execute("PRAGMA recursive_triggers = OFF")
        for statement in (
            "UPDATE projects SET name = name || ?1, slug = slug || ?1",
            "UPDATE runs SET slug = slug || ?1, name = name || ?1, group_name = ?1, notes = ?1",
            "INSERT INTO tags (run_id, tag) SELECT id, ?1 FROM runs",
            "UPDATE configs SET key = key || ?1",
            "UPDATE series SET path = path || ?1",
            "UPDATE writers SET host = ?1",
        ):
            connection.execute(statement, (NASTY,))
    connection.close()


@pytest.mark.usefixtures("nasty_runs")
@pytest.mark.parametrize("is_terminal", [False, True])
def test_no_command_prints_control_characters(
    trackai: Trackai, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_terminal: bool
) -> None:
    run = f"a{NASTY}"
    with monkeypatch.context() as patch:
        if is_terminal:
            patch.setattr("sys.stdout.isatty", lambda: True, raising=False)
        patch.setenv("NO_COLOR", "1")
        for command, code in (
            (("projects",), 0),
            (("runs", "--columns", "group,notes,tag,name"), 0),
            (("runs", f"p{NASTY}"), 0),
            (("runs", "--sort", f"metric.{NASTY}"), 2),
            (("show", run), 0),
            (("show", f"x{NASTY}"), 3),
            (("compare", "1", "2"), 0),
            (("tail", "1"), 0),
            (("wait", "1"), 0),
            (("plot", f"loss{NASTY}", "1", "2"), 0),
            (("plot", f"x{NASTY}", "1"), 3),
            (("tag", "1"), 0),
            (("tag", "1", "x"), 0),
            (("rename", "1", NASTY), 0),
            (("move", "1", NASTY), 0),
            (("log", f"x{NASTY}=1", "--run", "new"), 0),
            (("sql", "SELECT name, slug, notes FROM runs"), 0),
            (("sql", f'SELECT 1 AS "{NASTY}"'), 0),
            (("sql", f'SELECT "{NASTY}" FROM nothing'), 2),
            (("export", "1", "--out", tmp_path / f"{is_terminal}{NASTY}.csv"), 0),
            (("backup", tmp_path / f"{is_terminal}{NASTY}.db"), 0),
            *([(("export", "1", "--format", "csv"), 0), (("export", "1"), 0)] * is_terminal),
            (("backup", tmp_path / f"missing{NASTY}" / "x.db"), 1),
            (("doctor",), None),
            (("config", "--db", tmp_path / NASTY), 0),
            ((NASTY,), 2),
            (("runs", NASTY, NASTY), 2),
            (("runs", "--limit", NASTY), 2),
        ):
            output = _call(trackai, command, code)
            for text in (output.out, output.err):
                assert not UNSAFE.search(text), (command, text)
            as_json = _call(trackai, (*command, "--json"), None)
            assert not UNSAFE.search(as_json.out + as_json.err), command
    page = trackai("runs", "--json").json  # the JSON itself says what is stored
    assert NASTY in page["runs"][-1]["tags"]
    monkeypatch.setattr("sys.stdin", None)
    question = trackai("delete", "2", code=2).err
    assert SAFE in question
    assert not UNSAFE.search(question)


def _call(trackai: Trackai, command: tuple[object, ...], code: int | None) -> Any:
    if code is not None:
        return trackai(*command, code=code)
    trackai._capsys.readouterr()
    with pytest.raises(SystemExit):
        cli.main(list(map(str, command)))
    from tests.cli.conftest import Output

    return Output(0, *trackai._capsys.readouterr())


def test_all_output_goes_through_one_function() -> None:
    """Except for what contains no stored text, or text that `cell` has escaped."""
    exceptions = {"__init__", "output", "progress", "completion", "plot_terminal"}
    for path in Path(cli.__file__).parent.glob("*.py"):
        source = path.read_text(encoding="utf-8")
        if path.stem not in exceptions:
            assert not re.search(r"click\.s?echo|print\(|stdout\.write|stderr\.write", source), path


def test_text_that_does_no_harm_is_shown_as_it_is() -> None:
    for text in ("größe", "日本\u3000語", "a\u00a0b", "👩\u200d💻", "C:\\new"):
        assert escaped(text) == text
        assert escaped_json(json.dumps(text, ensure_ascii=False).encode()).decode() == json.dumps(
            text, ensure_ascii=False
        )
    assert escaped(NASTY) == SAFE
    assert escaped("\U000e0041\ufeff") == "\\U000e0041\\ufeff"
    for text in (NASTY, "\U000e0041\x9b\n"):
        encoded = escaped_json(json.dumps(text, ensure_ascii=False).encode())
        assert json.loads(encoded) == text
        assert not UNSAFE.search(encoded.decode())


def test_the_logger_escapes_messages_and_tracebacks(caplog: pytest.LogCaptureFixture) -> None:
    logger.warning("run %s: %d of %s", NASTY, 3, ValueError(NASTY))
    assert caplog.messages[-1] == f"run {SAFE}: 3 of {SAFE}"
    try:
        raise ValueError(NASTY)
    except ValueError:
        logger.exception("bad %r", NASTY)
    assert "Traceback" in caplog.text
    assert not UNSAFE.search(caplog.text)


def test_the_access_log_escapes_paths() -> None:
    from datetime import UTC, datetime

    access = AccessRecord(
        time=datetime.now(UTC), client="127.0.0.1", method="GET", path=f"/{NASTY}é", route="other",
        status=404, bytes=1, seconds=0.1,
    )  # fmt: skip
    record = logging.LogRecord("trackai.access", logging.INFO, "", 0, "", None, None)
    record.access = access
    for formatter in (TextFormatter(), JSONFormatter()):
        line = formatter.format(record)
        assert not UNSAFE.search(line)
        assert "\n" not in line
    assert json.loads(JSONFormatter().format(record))["path"] == access.path


def test_objects_of_the_api_show_themselves_safely(nasty_runs: None) -> None:
    runs = sdk.Api().runs()
    for run in runs:
        assert not UNSAFE.search(repr(run))
    assert not UNSAFE.search(repr(sdk.Api().runs(f"p{NASTY}")))
