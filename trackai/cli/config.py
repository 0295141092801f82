"""trackai config"""

from __future__ import annotations

import os

import click

from trackai.cli.output import human_bytes, json_option, print_json, print_table
from trackai.cli.store import db_option
from trackai.store.engine.database import Database


@click.command()
@db_option
@json_option
def config(db: str | None, as_json: bool) -> None:
    """Say where everything lies, and why."""
    from trackai.settings import Settings

    settings = Settings.from_env(db)
    database = Database(settings.db_path)
    why = "--db" if db else settings.db_path_source
    waiting = sorted(database.spool.glob("*.journal"))
    size = os.path.getsize(settings.db_path) if settings.db_path.exists() else None  # noqa: PTH202
    if as_json:
        print_json(
            database=str(settings.db_path),
            database_from=why,
            bytes=size,
            spool=str(database.spool),
            journals=[str(path) for path in waiting],
            url=settings.url,
            allowed_hosts=settings.allowed_hosts,
        )
        return
    print_table(
        ("what", "where", "why"),
        [
            ("database", settings.db_path, why),
            ("", "not there yet" if size is None else human_bytes(size), ""),
            ("journals", database.spool, f"{len(waiting)} waiting"),
            ("server", settings.url, "TRACKAI_HOST, TRACKAI_PORT"),
        ],
    )
