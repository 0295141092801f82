"""Run a benchmark on two commits in turns, and print the ratios of its figures.

Each commit is checked out into a folder of its own with an environment of its own, which `uv sync`
makes. In each turn both run once, and in every second turn the other one is first. A figure of a
commit is the median over its turns, so load of the machine that comes and goes affects both.

The scripts of the benchmark are those of each commit, unless --scripts is "ours": then both run the
scripts of this checkout, which may measure what the older commit did not yet.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from scripts.benchmarks.harness import ROOT, ChildError, Report, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_COLUMNS = ("", "unit", "before", "after", "ratio", "spread")


class _Commit(NamedTuple):
    name: str
    folder: Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("before", help="a commit, such as main~10")
    parser.add_argument("after", help="another commit; . for this checkout with its changes")
    parser.add_argument("--turns", type=int, default=3, help="runs of each [default: 3]")
    parser.add_argument(
        "--scripts", choices=("own", "ours"), default="own",
        help="whose benchmark to run [default: own]",
    )  # fmt: skip
    parser.add_argument(
        "command", nargs=argparse.REMAINDER, metavar="COMMAND ...",
        help="the benchmark with its options, such as: read --repeat 20",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> Report:
    """Check both commits out and measure them in turns."""
    command = [word for word in arguments.command if word != "--json"]
    if not command:
        raise SystemExit("bench.py compare: a benchmark must follow the commits, such as: read")
    if command[0].startswith("-"):
        raise SystemExit(f"bench.py compare: {command[0]}: must be before the commits")
    with ExitStack() as stack:
        commits = [
            stack.enter_context(_checkout(name)) for name in (arguments.before, arguments.after)
        ]
        if arguments.scripts == "ours":
            for commit in commits:
                _use_scripts(commit.folder)
        measured: list[list[dict[str, Any]]] = [[], []]
        for turn in range(arguments.turns):
            for number in (0, 1) if turn % 2 == 0 else (1, 0):
                measured[number].append(_measure(commits[number], command))
    return Report(
        f"{' '.join(command)}: {commits[0].name} and {commits[1].name}",
        [],
        [Table(f"Medians of {arguments.turns} turns", _COLUMNS, _rows(*measured))],
        [
            (
                "The ratio is after to before. The spread is the larger of the ratios of the "
                "highest to the lowest value of one commit: smaller changes are noise."
            )
        ],
    )


@contextmanager
def _checkout(name: str) -> Iterator[_Commit]:
    """A working tree of a commit, with an environment."""
    if name == ".":
        yield _Commit("this checkout", ROOT)
        return
    commit = _git("rev-parse", "--short", f"{name}^{{commit}}")
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent, commit)
        _git("worktree", "add", "--quiet", "--detach", str(folder), commit)
        try:
            environment = {key: os.environ[key] for key in os.environ if key != "VIRTUAL_ENV"}
            subprocess.run(["uv", "sync", "--quiet"], cwd=folder, env=environment, check=True)
            yield _Commit(name if name.startswith(commit) else f"{name} ({commit})", folder)
        finally:
            _git("worktree", "remove", "--force", str(folder))


def _git(*words: str) -> str:
    result = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode:
        raise ChildError(result.stderr.strip())
    return result.stdout.strip()


def _use_scripts(folder: Path) -> None:
    if folder != ROOT:
        shutil.rmtree(folder / "scripts")
        shutil.copytree(ROOT / "scripts", folder / "scripts")


def _measure(commit: _Commit, command: Sequence[str]) -> dict[str, Any]:
    """The figures of a benchmark of a commit, by name."""
    result = subprocess.run(
        [_python(commit.folder), "scripts/bench.py", command[0], "--json", *command[1:]],
        cwd=commit.folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if result.returncode:
        lines = result.stderr.strip().splitlines() or ["no output"]
        raise ChildError(f"{commit.name}: {lines[-1]}")
    return {figure["name"]: figure for figure in json.loads(result.stdout)["figures"]}


def _python(folder: Path) -> str:
    programs = [folder / ".venv" / "bin" / "python", folder / ".venv" / "Scripts" / "python.exe"]
    return str(next(program for program in programs if program.exists()))


def _rows(
    before: Sequence[dict[str, Any]], after: Sequence[dict[str, Any]]
) -> list[tuple[str | float | None, ...]]:
    names = [name for name in before[0] if name in after[0]]
    rows: list[tuple[str | float | None, ...]] = []
    for name in names:
        sides = [
            [turn[name]["value"] for turn in turns if name in turn] for turns in (before, after)
        ]
        old, new = map(statistics.median, sides)
        lowest = [min(side) for side in sides]
        spread = max(
            (max(side) / low for side, low in zip(sides, lowest, strict=True) if low > 0),
            default=None,
        )
        unit = before[0][name].get("unit", "")
        rows.append((name, unit, old, new, new / old if old else None, spread))
    rows += [(name, "", None, turn["value"], None, None) for name, turn in after[0].items()
             if name not in before[0]]  # fmt: skip
    return rows
