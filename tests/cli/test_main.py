"""JSON output, exit codes, one-line errors and closed pipes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from trackai.cli import _COMMANDS, cli

if TYPE_CHECKING:
    from tests.cli.conftest import Trackai


def shell(script: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script that calls `trackai`."""
    trackai = f'trackai() {{ "{sys.executable}" -m trackai.cli "$@"; }}; '
    return subprocess.run(
        ["bash", "-c", trackai + script], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture
def some_runs(trackai: Trackai) -> None:
    trackai("demo", "--runs", "2")


@pytest.mark.parametrize(
    "arguments",
    ["projects", "runs", "show 1", "compare 1 2", "plot train/loss", "tag 1", "rename 1 x",
     "move 1 other", "delete 2 --yes", "config", "log --run s loss=1", "tail 1 -n 1", "wait 1",
     "recover", "doctor", "backup copy.db", "export 1 -o one.jsonl", "demo --runs 1",
     "sql VALUES(1)"],
)  # fmt: skip
def test_json_output_is_versioned_and_documented(
    trackai: Trackai, some_runs: None, arguments: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    documented = _documented(arguments.split()[0])
    for line in trackai(*arguments.split(), "--json").out.splitlines():
        answer = json.loads(line)
        assert answer.pop("version") == 1
        assert answer
        for field in answer:
            assert f"`{field}`" in documented, field


def _documented(command: str) -> str:
    """The line of docs/cli.md about a command."""
    text = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if line.startswith("|") and
               f"`{command}`" in line.split("|")[1]]  # fmt: skip
    return line


@pytest.mark.parametrize("name", _COMMANDS)
def test_the_list_of_commands_says_what_their_help_begins_with(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    _, summary = _COMMANDS[name]
    assert command.get_short_help_str(limit=200).startswith(summary.removesuffix("."))


def test_commands_without_json_are_listed() -> None:
    context = cli.make_context("trackai", ["runs"])
    without = set()
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        # A group has no output of its own.
        commands = command.commands.values() if isinstance(command, click.Group) else [command]
        for command in commands:
            if not any(parameter.name == "as_json" for parameter in command.params):
                without.add(name)
    # Servers, the output of another program, and a shell script.
    assert without == {"serve", "mcp", "run", "completion"}


@pytest.mark.parametrize(
    ("script", "status", "message"),
    [
        ("trackai backup no/such/folder/x.db", 1, "No such file or directory"),
        ("trackai export 1 -o no/such/folder/x.jsonl", 1, "No such file or directory"),
        ("trackai runs > /dev/full", 1, "No space left on device"),
        ("trackai export 1 > /dev/full", 1, "No space left on device"),
        ("trackai runs --db /", 2, "must be a file"),
        ("trackai runs --db typo.db", 3, "typo.db not found"),
        ("trackai show nope", 3, "run 'nope' not found"),
        ("trackai runs nope", 3, "project 'nope' not found"),
        ("trackai runs ''", 3, "project '' not found"),
        ("trackai export --project '' -o x.csv", 3, "project '' not found"),
        ("trackai delete 1 < /dev/null", 2, "pass --yes"),
        ("TRACKAI_PORT=x trackai runs", 2, "TRACKAI_PORT"),
    ],
)
def test_errors_are_one_line(some_runs: None, script: str, status: int, message: str) -> None:
    done = shell(script)
    assert done.returncode == status, done.stderr
    last = done.stderr.splitlines()[-1]
    assert "trackai: " in last
    assert message in last
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command", ["runs", "runs --json", "export 1", "show 1", "sql 'SELECT * FROM metrics'"]
)
def test_closed_pipes_are_not_errors(some_runs: None, command: str) -> None:
    for reader in ("true", "head -c 1"):
        done = shell(f"trackai {command} | {reader}")
        assert done.stderr == ""
    assert shell(f"trackai {command} >&-").stderr == ""
