"""trackai keys: creating, listing and revoking the keys of a server."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.test_control_characters import UNSAFE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Trackai


def rows(db_path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(db_path)) as connection:
        return connection.execute(sql).fetchall()


def test_a_key_is_shown_once_and_stored_as_a_hash(trackai: Trackai, db_path: Path) -> None:
    output = trackai("keys", "create", "--name", "node7", "--scope", "write")
    (secret,) = output.out.splitlines()
    assert len(secret) >= 43
    assert "cannot be shown again" in output.err
    hashes = rows(db_path, "SELECT hash FROM keys")
    assert hashes == [(hashlib.sha256(secret.encode()).digest(),)]
    assert secret.encode() not in db_path.read_bytes()
    listed = trackai("keys", "list")
    assert secret not in listed.out
    assert listed.out.splitlines()[1].split("\t")[:5] == ["node7", "write", "-", "valid", "-"]


def test_json_output(trackai: Trackai) -> None:
    options = ("--name", "n", "--scope", "write", "--project", "p", "--expires", "30d")
    created = trackai("keys", "create", *options, "--json").json
    assert created["key"].startswith("trackai_")
    assert created["scope"] == "write"
    assert created["project"] == "p"
    (listed,) = trackai("keys", "list", "--json").json["keys"]
    assert "key" not in listed
    assert "hash" not in listed
    assert listed["name"] == "n"
    assert listed["state"] == "valid"
    assert listed["expires_at"] == created["expires_at"]
    assert trackai("keys", "revoke", "n", "--json").json["revoked"] == "n"
    assert trackai("keys", "list", "--json").json["keys"][0]["state"] == "revoked"


def test_a_revoked_key_leaves_its_name_free(trackai: Trackai) -> None:
    create = ("keys", "create", "--name", "n", "--scope", "read")
    first = trackai(*create).out
    assert "already exists" in trackai(*create, code=1).err
    assert trackai("keys", "revoke", "n").out == "revoked n\n"
    assert "key 'n' is already revoked" in trackai("keys", "revoke", "n", code=3).err
    assert trackai(*create).out != first
    states = [key["state"] for key in trackai("keys", "list", "--json").json["keys"]]
    assert states == ["revoked", "valid"]


def test_an_expired_key_is_listed_as_such(trackai: Trackai, db_path: Path) -> None:
    trackai("keys", "create", "--name", "n", "--scope", "read", "--expires", "1m")
    ((expires_at,),) = rows(db_path, "SELECT expires_at FROM keys")
    assert 50 < expires_at / 1e6 - time.time() < 61
    with sqlite3.connect(db_path) as connection:
        connection.execute("UPDATE keys SET expires_at = 1")
    connection.close()
    assert trackai("keys", "list", "--json").json["keys"][0]["state"] == "expired"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("create", "--scope", "read"), 2, "--name"),
        (("create", "--name", "n"), 2, "--scope"),
        (("create", "--name", "n", "--scope", "all"), 2, "--scope"),
        (("create", "--name", "", "--scope", "read"), 2, "--name: must not be empty"),
        (("create", "--name", "a\x1b[2J", "--scope", "read"), 2, "--name: must not contain"),
        (("create", "--name", "x" * 300, "--scope", "read"), 2, "--name: must have at most"),
        (("create", "--name", "n", "--scope", "read", "--project", "p"), 2, "--project: must be"),
        (("create", "--name", "n", "--scope", "write", "--project", " "), 2, "--project: must not"),
        (("create", "--name", "n", "--scope", "read", "--expires", "soon"), 2, "--expires: must"),
        (("create", "--name", "n", "--scope", "read", "--expires", "0d"), 2, "--expires: must be"),
        (("revoke", "none"), 3, "key 'none' not found"),
        (("list",), 3, "not found"),
    ],
)  # fmt: skip
def test_errors_are_one_sentence_and_change_nothing(
    trackai: Trackai, db_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    if arguments[0] == "revoke":
        trackai("keys", "create", "--name", "n", "--scope", "read")
    output = trackai("keys", *arguments, code=code)
    assert output.err.count("\n") == 1
    assert message in output.err
    if arguments[0] != "revoke":
        assert not db_path.exists()


def test_stored_names_are_escaped(trackai: Trackai, db_path: Path) -> None:
    trackai("keys", "create", "--name", "n", "--scope", "write", "--project", "p")
    with sqlite3.connect(db_path) as connection:
        connection.execute("UPDATE keys SET name = ?", ("a\x1b[2J\n\u202e",))
        connection.execute("UPDATE projects SET name = ?", ("b\x1b]0;x\x07",))
    connection.close()
    for command in ("list", "list --json"):
        output = trackai("keys", *command.split())
        assert not UNSAFE.search(output.out.replace("\n", ""))
    assert "a\\x1b[2J" in trackai("keys", "list").out
    assert not UNSAFE.search(trackai("keys", "revoke", "a\x1b[2J\n\u202e").out.rstrip("\n"))
