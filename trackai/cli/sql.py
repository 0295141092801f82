"""trackai sql"""

from __future__ import annotations

import sqlite3
import sys

import click

from trackai.cli.output import json_option, print_json, print_table
from trackai.cli.store import db_option, with_store
from trackai.errors import InvalidInputError


@click.command()
@click.argument("statement")
@db_option
@json_option
def sql(statement: str, db: str | None, as_json: bool) -> None:
    """Ask the database in SQL; nothing can be changed.

    The views run_overview, metric_overview, config_overview and points give names and readable
    times.
    """
    from trackai.settings import Settings

    with_store(db, _nothing)  # makes the file if there is none, and says what is wrong with it
    path = Settings.from_env(db).db_path
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        connection.execute("PRAGMA query_only = ON")
        cursor = connection.execute(statement)
        columns = [name for name, *_ in cursor.description or ()]
        rows = cursor.fetchall()
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise InvalidInputError("SQL", str(error)) from None
    finally:
        connection.close()
    if as_json:
        print_json(columns=columns, rows=rows)
    elif columns:
        print_table(columns, rows, widest=sys.maxsize)


async def _nothing(database: object) -> None:
    pass
