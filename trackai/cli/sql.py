"""trackai sql"""

from __future__ import annotations

import sqlite3
import sys

import click

from trackai.cli.output import json_option, print_json, print_table
from trackai.cli.store import db_option, with_store
from trackai.errors import InvalidInputError
from trackai.values.non_finite import json_value


@click.command()
@click.argument("statement")
@db_option
@json_option
def sql(statement: str, db: str | None, as_json: bool) -> None:
    """Ask the database in SQL; nothing can be changed, and no other file opened.

    The views run_overview, metric_overview, config_overview and points give names and readable
    times.
    """
    from trackai.settings import Settings
    from trackai.store.engine import opening

    with_store(db, _nothing)  # which says what is wrong with the file, and brings it up to date
    path = Settings.from_env(db).db_path
    mode = opening.FROZEN if opening.is_frozen(path) else "ro"
    connection = sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True)
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.set_authorizer(_authorize)
        # SQLite would keep Ctrl-C waiting until it has found everything.
        connection.set_progress_handler(_go_on, 100_000)
        cursor = connection.execute(statement)
        columns = [name for name, *_ in cursor.description or ()]
        rows = cursor.fetchall()
    except (sqlite3.Error, sqlite3.Warning) as error:
        problem, code = str(error), getattr(error, "sqlite_errorcode", None)
        if code == sqlite3.SQLITE_INTERRUPT:
            raise KeyboardInterrupt from None
        if code == sqlite3.SQLITE_AUTH:
            problem = "this command only reads this one database: use sqlite3 for anything else"
        raise InvalidInputError("SQL", problem) from None
    finally:
        connection.close()
    if as_json:
        print_json(columns=columns, rows=[[_in_json(value) for value in row] for row in rows])
    elif columns:
        print_table(columns, rows, widest=sys.maxsize)


def _go_on() -> int:
    return 0  # Python calls handlers of signals here; one that raises ends the statement


def _authorize(action: int, *about: object) -> int:
    # Attaching makes files that are not there, and VACUUM INTO attaches too.
    return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_ATTACH else sqlite3.SQLITE_OK


def _in_json(value: object) -> object:
    """A value of SQLite in JSON: NULL stays null, also where it stands for a NaN."""
    return json_value(value, "number") if isinstance(value, float) else value


async def _nothing(database: object) -> None:
    pass
