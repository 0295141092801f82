"""Replays a journal file into tables like those of Optuna's databases.

The rules are those of `JournalStorage` in Optuna 5.0. The tables are in a temporary file that
SQLite deletes, because a journal may be larger than the memory.
"""

from __future__ import annotations

import json
import math
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from trackai.errors import InvalidInputError
from trackai.importers.json_lines import decode, read_lines
from trackai.importers.source_database import SourceDatabase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from trackai.importers.receipt import Receipt

_STATES = ("RUNNING", "COMPLETE", "PRUNED", "FAIL", "WAITING")
_FINISHED = ("COMPLETE", "PRUNED", "FAIL")
_DIRECTIONS = ("NOT_SET", "MINIMIZE", "MAXIMIZE")
_TABLES = """
    CREATE TABLE studies (study_id INTEGER PRIMARY KEY, study_name TEXT UNIQUE);
    CREATE TABLE study_directions (study_id INTEGER, objective INTEGER, direction TEXT);
    CREATE TABLE study_user_attributes (study_id, key TEXT, value_json TEXT,
        UNIQUE (study_id, key) ON CONFLICT REPLACE);
    CREATE TABLE study_system_attributes (study_id, key TEXT, value_json TEXT,
        UNIQUE (study_id, key) ON CONFLICT REPLACE);
    CREATE TABLE trials (trial_id INTEGER PRIMARY KEY, number INTEGER, study_id INTEGER, state TEXT,
        datetime_start TEXT, datetime_complete TEXT);
    CREATE INDEX of_study ON trials (study_id);
    CREATE TABLE trial_user_attributes (trial_id, key TEXT, value_json TEXT,
        UNIQUE (trial_id, key) ON CONFLICT REPLACE);
    CREATE TABLE trial_system_attributes (trial_id, key TEXT, value_json TEXT,
        UNIQUE (trial_id, key) ON CONFLICT REPLACE);
    CREATE TABLE trial_params (param_id INTEGER PRIMARY KEY, trial_id INTEGER, param_name TEXT,
        param_value, distribution_json TEXT, UNIQUE (trial_id, param_name));
    CREATE TABLE trial_values (trial_value_id INTEGER PRIMARY KEY, trial_id INTEGER,
        objective INTEGER, value, value_type TEXT,
        UNIQUE (trial_id, objective) ON CONFLICT REPLACE);
    CREATE TABLE trial_intermediate_values (trial_intermediate_value_id INTEGER PRIMARY KEY,
        trial_id INTEGER, step INTEGER, intermediate_value, intermediate_value_type TEXT,
        UNIQUE (trial_id, step));
"""


@contextmanager
def open_journal(path: Path, receipt: Receipt) -> Iterator[SourceDatabase]:
    """Replay a journal up to its end, or to the first line that is damaged.

    Raises:
        InvalidInputError: the file cannot be read.
    """
    with closing(sqlite3.connect("", isolation_level=None)) as connection:
        connection.executescript(_TABLES)
        connection.execute("BEGIN")
        try:
            with path.open("rb") as file:
                _replay(_Journal(connection), read_lines(file, path.name, receipt), path, receipt)
        except OSError as error:
            raise InvalidInputError(str(path), f"cannot be read: {error.strerror}") from None
        connection.execute("COMMIT")
        yield SourceDatabase(path, connection)


def _replay(journal: _Journal, lines: Iterator[Any], path: Path, receipt: Receipt) -> None:
    for line in lines:
        try:
            if line.error is not None:
                raise ValueError(line.error)
            journal.apply(line.value)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError,
                sqlite3.Error):  # fmt: skip
            # Trials are numbered by the lines that create them, so what follows may be of others.
            receipt.add_problem(path.name, f"line {line.number} is damaged; stopped there")
            return


class _Journal:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._studies = 0
        self._trials = 0
        # By study and parameter: what a distribution must have in common with those before it.
        self._shapes: dict[tuple[int, str], Any] = {}
        self._operations: tuple[Callable[[dict[str, Any]], None], ...] = (
            self._create_study, self._delete_study, self._set_study_user_attr,
            self._set_study_system_attr, self._create_trial, self._set_param, self._set_state,
            self._set_intermediate_value, self._set_trial_user_attr, self._set_trial_system_attr,
            lambda operation: None,  # Optuna ignores DISCARD_TRIALS, too
        )  # fmt: skip

    def apply(self, operation: dict[str, Any]) -> None:
        """Apply a line.

        Raises:
            ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError,
                sqlite3.Error: it is not a valid operation.
        """
        code = operation["op_code"]
        if code < 0:
            raise ValueError(code)
        self._operations[code](operation)

    def _execute(self, query: str, *values: Any) -> list[Any]:
        return self._connection.execute(query, values).fetchall()

    def _insert(self, table: str, *values: Any) -> None:
        places = ", ".join("?" * len(values))
        self._execute(f"INSERT INTO {table} VALUES ({places})", *values)  # noqa: S608 - from here

    def _create_study(self, operation: dict[str, Any]) -> None:
        name = operation["study_name"]
        if self._execute("SELECT 1 FROM studies WHERE study_name = ?", name):
            return
        self._insert("studies", self._studies, name)
        for objective, direction in enumerate(operation["directions"]):
            self._insert("study_directions", self._studies, objective, _DIRECTIONS[direction])
        self._studies += 1

    def _delete_study(self, operation: dict[str, Any]) -> None:
        self._execute("DELETE FROM studies WHERE study_id = ?", operation["study_id"])

    def _has_study(self, operation: dict[str, Any]) -> bool:
        query = "SELECT 1 FROM studies WHERE study_id = ?"
        return bool(self._execute(query, operation["study_id"]))

    def _set_study_user_attr(self, operation: dict[str, Any]) -> None:
        if self._has_study(operation):
            self._set("study_user_attributes", operation["study_id"], operation["user_attr"])

    def _set_study_system_attr(self, operation: dict[str, Any]) -> None:
        if self._has_study(operation):
            self._set("study_system_attributes", operation["study_id"], operation["system_attr"])

    def _set(self, table: str, owner: int, values: dict[str, Any]) -> None:
        for key, value in values.items():
            self._insert(table, owner, key, json.dumps(value))

    def _create_trial(self, operation: dict[str, Any]) -> None:
        if not self._has_study(operation):
            return
        study, trial = operation["study_id"], self._trials
        [(number,)] = self._execute("SELECT count(*) FROM trials WHERE study_id = ?", study)
        self._insert(
            "trials", trial, number, study, _STATES[operation.get("state", 0)],
            operation["datetime_start"], operation.get("datetime_complete"),
        )  # fmt: skip
        self._trials += 1
        distributions = operation.get("distributions", {})
        for name, value in operation.get("params", {}).items():
            self._shapes.setdefault((study, name), _shape(distributions[name]))
            self._insert("trial_params", None, trial, name, value, distributions[name])
        for step, value in operation.get("intermediate_values", {}).items():
            self._add_intermediate_value(trial, int(step), value)
        self._set("trial_user_attributes", trial, operation.get("user_attrs", {}))
        self._set("trial_system_attributes", trial, operation.get("system_attrs", {}))
        if operation.get("value") is not None:
            self._set_values(trial, [operation["value"]])
        self._set_values(trial, operation.get("values") or [])

    def _may_change(self, operation: dict[str, Any]) -> bool:
        """Return whether the trial exists and has not finished."""
        query = "SELECT state FROM trials WHERE trial_id = ?"
        return any(
            state not in _FINISHED for (state,) in self._execute(query, operation["trial_id"])
        )

    def _set_param(self, operation: dict[str, Any]) -> None:
        if not self._may_change(operation):
            return
        trial, name = operation["trial_id"], operation["param_name"]
        value, distribution = operation["param_value_internal"], operation["distribution"]
        [(study,)] = self._execute("SELECT study_id FROM trials WHERE trial_id = ?", trial)
        shape = _shape(distribution)
        if self._shapes.setdefault((study, name), shape) != shape:
            return  # Optuna has raised an error, and ignores this line
        self._execute(
            """
            INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json)
            VALUES (?, ?, ?, ?)
            ON CONFLICT (trial_id, param_name) DO UPDATE
            SET param_value = excluded.param_value, distribution_json = excluded.distribution_json
            """,
            trial, name, value, distribution,
        )  # fmt: skip

    def _set_state(self, operation: dict[str, Any]) -> None:
        if not self._may_change(operation):
            return
        trial, state = operation["trial_id"], _STATES[operation["state"]]
        if state == "RUNNING":
            self._execute(
                "UPDATE trials SET datetime_start = ? WHERE trial_id = ? AND state <> 'RUNNING'",
                operation["datetime_start"], trial,
            )  # fmt: skip
        elif state in _FINISHED:
            self._execute(
                "UPDATE trials SET datetime_complete = ? WHERE trial_id = ?",
                operation["datetime_complete"], trial,
            )  # fmt: skip
        self._execute("UPDATE trials SET state = ? WHERE trial_id = ?", state, trial)
        if operation["values"] is not None:
            self._set_values(trial, operation["values"])

    def _set_values(self, trial: int, values: list[Any]) -> None:
        for objective, value in enumerate(values):
            self._insert("trial_values", None, trial, objective, *_stored(value))

    def _set_intermediate_value(self, operation: dict[str, Any]) -> None:
        if self._may_change(operation):
            self._add_intermediate_value(
                operation["trial_id"], operation["step"], operation["intermediate_value"]
            )

    def _add_intermediate_value(self, trial: int, step: int, value: Any) -> None:
        self._execute(
            """
            INSERT INTO trial_intermediate_values
                (trial_id, step, intermediate_value, intermediate_value_type)
            VALUES (?, ?, ?, ?)
            ON CONFLICT (trial_id, step) DO UPDATE
            SET intermediate_value = excluded.intermediate_value,
                intermediate_value_type = excluded.intermediate_value_type
            """,
            trial, step, *_stored(value),
        )  # fmt: skip

    def _set_trial_user_attr(self, operation: dict[str, Any]) -> None:
        if self._may_change(operation):
            self._set("trial_user_attributes", operation["trial_id"], operation["user_attr"])

    def _set_trial_system_attr(self, operation: dict[str, Any]) -> None:
        if self._may_change(operation):
            self._set("trial_system_attributes", operation["trial_id"], operation["system_attr"])


def _shape(distribution: str) -> Any:
    """Return what all distributions of a parameter have in common in a study."""
    value, error = decode(distribution)
    if error is not None:
        raise ValueError(error)
    attributes = value.get("attributes", {})
    return value.get("name"), attributes.get("log"), json.dumps(attributes.get("choices"))


def _stored(value: Any) -> tuple[Any, str]:
    """Return a value and its type, as the databases store them: SQLite has no NaN."""
    if not isinstance(value, int | float):
        raise TypeError(value)
    number = float(value)
    if math.isnan(number):
        return None, "NAN"
    if math.isinf(number):
        return None, "INF_POS" if number > 0 else "INF_NEG"
    return number, "FINITE"
