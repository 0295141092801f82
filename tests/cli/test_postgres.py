"""Commands on a database of PostgreSQL, named by --db or TRACKAI_DATABASE_URL."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest

import trackai
from tests import postgres
from trackai.errors import InvalidInputError
from trackai.settings import DatabaseUrl, Settings
from trackai.store.catalogue import projects, views
from trackai.store.factory import create_store
from trackai.structs.layouts import Layout, Section, TextPanel

if TYPE_CHECKING:
    from tests.cli.conftest import Trackai

URL = "postgresql://ann:hunter2@db.example.com:5433/lab?sslmode=require&password=hunter3"


@pytest.fixture
def url(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The database of TRACKAI_DATABASE_URL, which is empty."""
    monkeypatch.setenv("TRACKAI_DATABASE_URL", postgres_url)
    monkeypatch.setenv("TRACKAI_FILES", str(tmp_path / "files"))
    return postgres_url


def test_a_dump_can_be_restored(
    trackai: Trackai, url: str, databases: postgres.Databases, tmp_path: Path
) -> None:
    trackai("demo", "--runs", 3)
    exported = {}
    copy = databases.dumped(url)
    try:
        for database in (url, copy):
            out = tmp_path / postgres.name_of(database)
            trackai("export", "--project", "demo", "--format", "jsonl", "--out", out,
                    "--db", database)  # fmt: skip
            options = ("--filter", "config.model/depth > 0", "--json")
            runs = trackai("runs", "demo", *options, "--db", database).json["runs"]
            assert len(runs) == 3
            exported[database] = out.read_bytes(), runs
    finally:
        databases.drop(copy)
    assert exported[copy] == exported[url]


async def add_view(place: str | Path, name: str, text: str) -> None:
    """Add a view with a text to the project "demo" of a database."""
    store = create_store(place if isinstance(place, Path) else DatabaseUrl(place))
    panel = TextPanel(id="a", text=text)
    try:
        async with store.write() as conn:
            project = await projects.get_or_create(conn, "demo", now=1)
            layout = Layout([Section(name="s", panels=[panel])])
            await views.create(conn, project.id, name, layout, now=1)
    finally:
        await store.close()


async def texts_of_views(place: str | Path) -> dict[str, str]:
    """The text of each view, by project and name."""
    store = create_store(place if isinstance(place, Path) else DatabaseUrl(place))
    try:
        async with store.read() as conn:
            return {
                f"{project}/{view.name}": view.layout.sections[0].panels[0].text  # type: ignore[union-attr]
                for project, view in await views.list_of_all_projects(conn)
            }
    finally:
        await store.close()


def test_views_move_to_postgresql_and_back(
    trackai: Trackai, db_path: Path, url: str, tmp_path: Path
) -> None:
    trackai("demo", "--runs", 1, "--db", db_path)
    anyio.run(add_view, db_path, "Mine", "ours")
    anyio.run(add_view, db_path, "Same", "of the file")
    anyio.run(add_view, url, "Same", "of PostgreSQL")
    receipt = trackai("merge", db_path, "--into", url, "--json").json
    assert receipt["types"]["view"]["stored"] == 1
    assert receipt["types"]["view"]["already_there"] == 1
    assert receipt["complete"]
    [remark] = [remark for remark in receipt["remarks"] if "view" in remark["where"]]
    assert "'Same'" in remark["where"]
    moved = {"demo/Mine": "ours", "demo/Same": "of PostgreSQL"}
    assert anyio.run(texts_of_views, url) == moved
    back = tmp_path / "back.db"
    for stored in (2, 0):
        receipt = trackai("merge", url, "--into", back, "--json").json
        assert receipt["types"]["view"]["stored"] == stored
    assert anyio.run(texts_of_views, back) == moved


def test_a_file_moves_to_postgresql_and_back(
    trackai: Trackai, db_path: Path, url: str, tmp_path: Path
) -> None:
    trackai("demo", "--runs", 3, "--db", db_path)
    in_file = trackai("runs", "demo", "--json", "--db", db_path).json["runs"]
    merged = trackai("merge", db_path, "--into", url, "--json").json
    assert merged["problems"] == []
    moved = trackai("runs", "demo", "--json").json["runs"]
    assert len(moved) == 3
    assert [run["run_id"] for run in moved] == [run["run_id"] for run in in_file]
    assert trackai("projects", "--json", "--db", url).json == trackai("projects", "--json").json
    back = tmp_path / "back.db"
    assert trackai("merge", url, "--into", back, "--json").json["problems"] == []
    for option, database in (("before", db_path), ("there", url), ("back", back)):
        trackai(
            "export",
            "--project",
            "demo",
            "--format",
            "jsonl",
            "--out",
            tmp_path / option,
            "--db",
            database,
        )
    before = (tmp_path / "before").read_bytes()
    assert [(tmp_path / option).read_bytes() for option in ("there", "back")] == [before] * 2


def test_commands_change_runs(trackai: Trackai, url: str) -> None:
    trackai("demo", "--runs", 2)
    trackai("log", "x=1", "--project", "p", "--run", "r", "--step", "0", "--finish", "completed")
    trackai("tag", "p/r", "best")
    trackai("rename", "p/r", "again")
    shown = trackai("show", "p/r", "--json").json["run"]
    assert (shown["name"], shown["tags"], shown["state"]) == ("again", ["best"], "completed")
    trackai("wait", "p/r", "--timeout", "1")
    trackai("delete", "p/r", "--yes")
    assert trackai("runs", "p", "--json").json["runs"] == []
    secret = trackai("keys", "create", "--name", "k", "--scope", "read").out.strip()
    assert len(secret) > 20
    assert trackai("keys", "list").out.count("read") == 1
    trackai("keys", "revoke", "k")


@pytest.mark.parametrize(
    "command", [["backup", "x.db"], ["doctor"], ["recover"], ["sql", "SELECT 1"]]
)
def test_commands_that_need_a_file_say_so(trackai: Trackai, url: str, command: list[str]) -> None:
    shown = DatabaseUrl(url)
    error = trackai(*command, code=2).err
    assert error == (
        f"trackai: {command[0]} works on a database file, and TRACKAI_DATABASE_URL names {shown}: "
        f"pass --db with a file (see trackai {command[0]} --help)\n"
    )
    assert (
        f"and --db names {shown}: pass --db with a file"
        in trackai(*command, "--db", url, code=2).err
    )


def test_the_database_of_commands(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, trackai: Trackai
) -> None:
    """TRACKAI_DATABASE_URL comes before TRACKAI_DB_PATH, and --db before both."""
    monkeypatch.setenv("TRACKAI_DB_PATH", str(tmp_path / "a.db"))
    monkeypatch.setenv("TRACKAI_DATABASE_URL", URL)
    assert str(Settings.from_env().database) == "postgresql://db.example.com:5433/lab"
    assert Settings.from_env().db_path == tmp_path / "a.db"
    assert Settings.from_env(database=tmp_path / "b.db").database == tmp_path / "b.db"
    assert Settings.from_env(tmp_path / "b.db").database == tmp_path / "b.db"
    shown = trackai("config").out
    assert "postgresql://db.example.com:5433/lab" in shown
    assert "TRACKAI_DATABASE_URL" in shown
    assert trackai("config", "--json").json["database_from"] == "TRACKAI_DATABASE_URL"
    monkeypatch.setenv("TRACKAI_DATABASE_URL", "mysql://ann:hunter2@host/lab")
    error = trackai("runs", code=2).err
    assert error.startswith("trackai: TRACKAI_DATABASE_URL: must be like postgresql://")
    assert "hunter2" not in error


def test_scripts_log_to_files_and_servers(monkeypatch: pytest.MonkeyPatch, db_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="db_path: must be a file, got") as e:
        trackai.init(project="p", db_path=URL)
    assert "hunter" not in str(e.value)
    monkeypatch.setenv("TRACKAI_DATABASE_URL", URL)
    with trackai.init(project="p", name="r") as run:
        run.log({"x": 1.0})
    assert db_path.exists()
    assert [run.name for run in trackai.Api().runs("p")] == ["r"]
    monkeypatch.setenv("TRACKAI_DB_PATH", URL)
    with pytest.raises(InvalidInputError, match="TRACKAI_DB_PATH: must be a file") as e:
        trackai.init(project="p")
    assert "hunter" not in str(e.value)


def test_passwords_are_not_shown(
    trackai: Trackai, databases: postgres.Databases, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgres.running() as server:
        name = "lab"
        with postgres.databases(server.url) as own:
            own.execute(f"CREATE DATABASE {name}")
        right = server.tcp_url_of(name)
        trackai("demo", "--runs", 1, "--db", right)
        config = trackai("config", "--db", right)
        wrong = trackai("runs", "--db", server.tcp_url_of(name, "hunter2"), code=1)
        unknown = trackai("runs", "--db", server.tcp_url_of("nope"), code=1)
        outputs = [config.out, wrong.err, unknown.err, repr(Settings.from_env(database=right))]
    outputs.append(trackai("runs", "--db", right, code=1).err)  # the server is down
    for text in outputs:
        assert postgres.PASSWORD not in text
        assert "hunter2" not in text
    assert wrong.err.count("\n") == unknown.err.count("\n") == outputs[-1].count("\n") == 1


def test_without_the_driver_the_extra_is_named(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['asyncpg'] = None\n"
        "from trackai.cli import main; main(['runs', '--db', 'postgresql://host/db'])"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env={**os.environ, "TRACKAI_FILES": "x"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.stderr == (
        "trackai: a database on PostgreSQL needs an extra package: "
        "pip install 'trackai[postgres]'\n"
    )
    assert result.returncode == 1
