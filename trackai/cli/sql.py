"""trackai sql"""

from __future__ import annotations

import sqlite3
import sys
from typing import Any

import click

from trackai.cli.database import file_option, with_database
from trackai.cli.output import json_option, print_json, print_table
from trackai.errors import InvalidInputError
from trackai.values.non_finite import json_value

# SQLite instructions between checks for Ctrl-C.
_CHECK_INTERVAL = 100_000


@click.command()
@click.argument("statement")
@file_option
@json_option
def sql(statement: str, db: str | None, as_json: bool) -> None:
    """Run a read-only SQL query.

    The views run_overview, metric_overview, config_overview and points have readable names and
    times.
    """
    from trackai.settings import Settings
    from trackai.store.engine import access

    with_database(db, _open_only)
    path = Settings.from_env(db).db_path
    how = access.of(path)
    with access.uri(path, "read" if how == "write" else how) as uri:
        columns, rows = _query(uri, statement)
    if as_json:
        print_json(columns=columns, rows=[[_in_json(value) for value in row] for row in rows])
    elif columns:
        print_table(columns, rows, widest=sys.maxsize)


def _query(uri: str, statement: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    connection = sqlite3.connect(uri, uri=True)
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.set_authorizer(_authorize)
        connection.set_progress_handler(_run_signal_handlers, _CHECK_INTERVAL)
        cursor = connection.execute(statement)
        columns = [name for name, *_ in cursor.description or ()]
        return columns, cursor.fetchall()
    except (sqlite3.Error, sqlite3.Warning) as error:
        problem, code = str(error), getattr(error, "sqlite_errorcode", None)
        if code == sqlite3.SQLITE_INTERRUPT:
            raise KeyboardInterrupt from None
        if code == sqlite3.SQLITE_AUTH:
            problem = "must only read this database; use sqlite3 for other statements"
        raise InvalidInputError("SQL", problem) from None
    finally:
        connection.close()


async def _open_only(database: object) -> None:
    """Do nothing else: opening the database checks its file and updates its schema."""


def _run_signal_handlers() -> int:
    # While SQLite runs a statement, Python runs signal handlers only in callbacks like this one.
    # The handler of Ctrl-C raises, which interrupts the statement; 0 continues it.
    return 0


def _authorize(action: int, *details: object) -> int:
    # ATTACH creates missing files; VACUUM INTO attaches its target too.
    return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_ATTACH else sqlite3.SQLITE_OK


def _in_json(value: object) -> object:
    """A value of SQLite as JSON; NULL is null, even where it represents a NaN."""
    return json_value(value, "number") if isinstance(value, float) else value
