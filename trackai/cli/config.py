"""trackai config"""

from __future__ import annotations

import os

import click

from trackai.cli.database import db_option
from trackai.cli.output import human_bytes, json_option, print_json, print_table


@click.command(short_help="Show the database path and settings.")
@db_option
@json_option
def config(db: str | None, as_json: bool) -> None:
    """Show the database path and settings, and where each comes from."""
    from trackai.settings import Settings
    from trackai.store.engine.database import Database

    settings = Settings.from_env(database=db)
    source = "--db" if db else settings.database_source
    # Scripts on this machine log to the file, whichever database the commands work on.
    spool = Database(settings.db_path).spool
    journals = sorted(spool.glob("*.journal"))
    is_file = settings.database_url is None
    has_file = is_file and settings.db_path.exists()
    size = os.path.getsize(settings.db_path) if has_file else None  # noqa: PTH202
    if as_json:
        print_json(
            database=str(settings.database),
            database_from=source,
            bytes=size,
            spool=str(spool),
            journals=[str(path) for path in journals],
            url=settings.url,
            server_url=settings.server_url,
            outbox=str(settings.outbox) if settings.server_url else None,
            allowed_hosts=settings.allowed_hosts,
        )
        return
    shown_size = "not created yet" if size is None else human_bytes(size)
    defaults = Settings(db_path=settings.db_path)
    is_default = settings.url == defaults.url
    destination: list[tuple[str, object, str]] = []
    if settings.server_url:
        is_usual = settings.outbox_path == defaults.outbox_path
        destination = [
            ("logs to", settings.server_url, "TRACKAI_SERVER_URL"),
            ("outbox", settings.outbox, "default" if is_usual else "TRACKAI_OUTBOX_PATH"),
        ]
    print_table(
        ("setting", "value", "source"),
        [
            ("database", settings.database, source),
            ("size", shown_size, "") if is_file else ("scripts log to", settings.db_path, ""),
            ("journals", spool, f"{len(journals)} not stored yet"),
            *destination,
            ("server", settings.url, "default" if is_default else "TRACKAI_HOST, TRACKAI_PORT"),
        ],
    )
