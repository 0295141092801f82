"""trackai keys"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from trackai.cli.database import store_option, with_database
from trackai.cli.output import echo, json_option, print_json, print_table
from trackai.errors import InvalidInputError
from trackai.values.names import identifier_problem, name_problem, refuse

if TYPE_CHECKING:
    from trackai.store.catalogue.keys import Key, Scope
    from trackai.store.engine.connection import Connection
    from trackai.store.engine.store import Store

_UNITS = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


@click.group()
def keys() -> None:
    """Create, list and revoke the keys of a server.

    A machine that logs to `trackai serve` needs a key of scope write.
    """


@keys.command()
@click.option("--name", required=True, help="What the key is for, such as a machine.")
@click.option(
    "--scope",
    type=click.Choice(["read", "write", "admin"]),
    required=True,
    help="read: the dashboard and the API. write: log runs, and nothing else. admin: everything.",
)
@click.option("--project", help="The only project to log to, with --scope write.")
@click.option("--expires", metavar="TIME", help="How long the key is valid, such as 12h or 30d.")
@store_option
@json_option
def create(
    name: str,
    scope: Scope,
    project: str | None,
    expires: str | None,
    db: str | None,
    as_json: bool,
) -> None:
    """Create a key, and print it. It cannot be shown again.

    A project that does not exist is created. A database with a key is protected: every request to
    its servers needs a key from now on.
    """
    from trackai.store.catalogue import keys, projects

    refuse("--name", identifier_problem(name))
    if project is not None:
        refuse("--project", name_problem(project))
        if scope != "write":
            raise InvalidInputError("--project", f"must be used with --scope write, got {scope}")
    now = time.time_ns() // 1000
    expires_at = None if expires is None else now + _microseconds(expires)
    secret = keys.new_secret()

    async def store(conn: Connection) -> Key:
        project_id = None
        if project is not None:
            project_id = (await projects.get_or_create(conn, project, now=now)).id
        return await keys.create(
            conn,
            secret,
            name=name,
            scope=scope,
            project_id=project_id,
            expires_at=expires_at,
            now=now,
        )

    key = with_database(db, lambda database: database.change(store), create=True)
    if as_json:
        print_json(key=secret, **_fields(key))
        return
    echo(secret)
    echo("set TRACKAI_API_KEY to this key; it cannot be shown again", err=True)


@keys.command("list")
@store_option
@json_option
def list_(db: str | None, as_json: bool) -> None:
    """List all keys, without the secrets."""
    from trackai.store.catalogue import keys

    async def work(database: Store) -> list[Key]:
        async with database.read() as conn:
            return await keys.list_all(conn)

    rows = with_database(db, work)
    if as_json:
        print_json(keys=[{**_fields(key), "state": _state(key)} for key in rows])
        return
    print_table(
        ("name", "scope", "project", "state", "expires", "created", "last used"),
        [
            (
                key.name, key.scope, key.project, _state(key),
                None if key.expires_at is None else f"{key.expires_at:%Y-%m-%d %H:%M} UTC",
                key.created_at, key.last_used_at,
            )
            for key in rows
        ],
    )  # fmt: skip


@keys.command()
@click.argument("name")
@store_option
@json_option
def revoke(name: str, db: str | None, as_json: bool) -> None:
    """Make the key NAME invalid. A running server refuses it within seconds."""
    from trackai.store.catalogue import keys

    async def store(conn: Connection) -> None:
        await keys.revoke(conn, name, now=time.time_ns() // 1000)

    with_database(db, lambda database: database.change(store))
    if as_json:
        print_json(revoked=name)
    else:
        echo(f"revoked {name}")


def _state(key: Key) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is not None and key.expires_at <= datetime.now(UTC):
        return "expired"
    return "valid"


def _microseconds(text: str) -> int:
    """A length of time such as "30d", in microseconds."""
    match = re.fullmatch("([1-9][0-9]{0,4})([mhdw])", text)
    if match is None:
        raise InvalidInputError(
            "--expires", f"must be a number and m, h, d or w, such as 30d, got {text!r}"
        )
    return int(match[1]) * _UNITS[match[2]] * 1_000_000


def _fields(key: Key) -> dict[str, object]:
    import msgspec

    return msgspec.structs.asdict(key)
