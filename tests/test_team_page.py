"""docs/team.md: the unit, the commands and the tables. The proxies have tests of their own."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import trackai
from tests.api.test_prometheus import scrape
from tests.conftest import Server, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[1] / "docs" / "team.md"
TRACKAI = "/opt/trackai/bin/trackai"


def blocks(language: str) -> list[str]:
    """The code blocks of the page in a language."""
    text = PAGE.read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def unit() -> configparser.RawConfigParser:
    (text,) = blocks("ini")
    # A key may be repeated: `Environment=A=1` and `Environment=B=2` become keys of their own.
    text = re.sub(r"^Environment=(\w+)=", r"Environment.\1=", text, flags=re.MULTILINE)
    parser = configparser.RawConfigParser(comment_prefixes="#")
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    return parser


def here(command: str, folder: Path) -> str:
    """A command of the page as this user, in another folder."""
    for old, new in {
        "sudo -u trackai ": "",
        "sudo ": "",
        TRACKAI: f"{shlex.quote(sys.executable)} -m trackai.cli",
        "/var/lib/trackai": str(folder),
        "/etc/trackai.env": str(folder / "trackai.env"),
        "2026-01-31": f"{datetime.now(UTC):%F}",
    }.items():
        command = command.replace(old, new)
    return command


def run(command: str, folder: Path) -> str:
    result = subprocess.run(
        ["sh", "-ec", here(command, folder)],
        cwd=folder, env={**os.environ, "TZ": "UTC"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, (command, result.stderr)
    return result.stdout


def commands(start: str) -> list[str]:
    """The commands of the page that begin with a word after `sudo`, in their order."""
    lines = "".join(blocks("bash")).splitlines()
    prefix = re.compile(rf"(sudo (-u trackai )?)?{re.escape(start)}\b")
    found = [line for line in lines if prefix.match(line)]
    assert found, start
    return found


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Server]:
    """The server as the unit starts it, with the key that the page creates."""
    (create,) = [line for line in commands("python3") if "trackai.env" in line]
    for command in [*commands("install"), create]:
        run(command, tmp_path)
    file = tmp_path / "trackai.env"
    assert file.stat().st_mode & 0o777 == 0o600
    section = unit()["Service"]
    env = {
        name.partition(".")[2]: here(value, tmp_path)
        for name, value in section.items()
        if name.startswith("Environment.")
    }
    env |= dict(line.split("=", 1) for line in file.read_text().splitlines())
    assert section["ExecStart"] == f"{TRACKAI} serve"
    database = Path(env.pop("TRACKAI_DB_PATH"))
    assert database == tmp_path / "trackai.db"
    (tmp_path / "log").mkdir()
    with serving(database, **{**env, "TRACKAI_PORT": "0"}) as server:
        yield server
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(int(section["TimeoutStopSec"]))


def test_the_unit_starts_a_server_that_needs_the_key(service: Server) -> None:
    assert service.request("GET", "/health").status == 200
    assert service.request("GET", "/api/runs").status == 401


def test_the_unit_names_each_protection_once() -> None:
    section = unit()["Service"]
    assert (section["User"], section["StateDirectory"]) == ("trackai", "trackai")
    assert section["EnvironmentFile"] == "/etc/trackai.env"
    protections = [name for name in section if re.match("Protect|Private|Restrict|NoNew", name)]
    assert len(protections) > 15


def test_keys_are_created_and_revoked(service: Server, tmp_path: Path) -> None:
    *create, revoke = commands(f"{TRACKAI} keys")[-3:]
    secrets = [run(command, tmp_path).strip() for command in create]
    assert all(secret.startswith("trackai_") for secret in secrets)
    run(revoke, tmp_path)
    listed = run(commands(f"{TRACKAI} keys list")[0], tmp_path)
    assert [line.split()[:2] for line in listed.splitlines()[1:]] == [
        ["cluster", "write"], ["anna", "admin"],
    ]  # fmt: skip
    assert "revoked" in listed


def test_a_backup_is_made_and_restored(service: Server, tmp_path: Path) -> None:
    def projects() -> list[str]:
        with sqlite3.connect(service.db_path) as connection:
            return [name for (name,) in connection.execute("SELECT name FROM projects ORDER BY id")]

    def create(name: str) -> None:
        run(
            f"{TRACKAI} keys create --name {name} --scope write --project {name} "
            "--db /var/lib/trackai/trackai.db",
            tmp_path,
        )

    create("before")
    (line,) = blocks("cron")
    *_, user, command = line.replace("\\%", "%").split(None, 6)[4:]
    assert user == "trackai"
    run(command, tmp_path)
    (tmp_path / "backups" / f"{datetime.now(UTC):%F}.db-files").mkdir()  # no run has files
    create("after")
    assert projects() == ["before", "after"]
    for command in [*commands("cp"), *commands("mv")]:
        run(command, tmp_path)
    assert projects() == ["before"]
    for command in commands(f"{TRACKAI} backup"):  # before an upgrade
        run(command, tmp_path)


def test_old_runs_are_deleted(service: Server, tmp_path: Path) -> None:
    tags: dict[str, list[str]] = {"old": [], "kept": ["keep", "best"], "running": [], "new": []}
    for name in tags:
        trackai.init(project="p", name=name, tags=tags[name], db_path=service.db_path).finish()
    begun = int((datetime.now(UTC) - timedelta(days=367)).timestamp() * 1e6)
    with closing(sqlite3.connect(service.db_path)) as connection, connection:
        connection.execute("UPDATE runs SET created_at = ? WHERE name <> 'new'", [begun])
        connection.execute("UPDATE runs SET state = 'running' WHERE name = 'running'")
    (command,) = commands(f"{TRACKAI} delete")
    assert run(command, tmp_path).startswith("deleted 1 run,")
    with closing(sqlite3.connect(service.db_path)) as connection:
        names = connection.execute("SELECT name FROM runs ORDER BY id").fetchall()
    assert names == [("kept",), ("running",), ("new",)]


def test_every_metric_is_listed(own_server: Server) -> None:
    text = PAGE.read_text("utf-8")
    table = text[text.index("| metric |") : text.index("Worth an alert")]
    listed = set(re.findall(r"`(trackai_\w+)", table))
    exposed = {f"trackai_{name.partition('{')[0]}" for name in scrape(own_server)}
    exposed = {re.sub("_(bucket|sum|count)$", "", name) for name in exposed}
    assert listed == exposed
    conditions = re.findall(r"trackai_\w+", text[text.index("| condition |") :])
    assert len(conditions) > 5
    assert {name.removesuffix("_sum") for name in conditions} <= listed


def test_every_reason_is_listed(own_server: Server) -> None:
    text = PAGE.read_text("utf-8")
    for name in scrape(own_server):
        for value in re.findall("(?:outcome|reason)=(.*?)}", name):
            assert f"`{value}`" in text, value
