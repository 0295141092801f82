"""The dashboard's sources: format, lint, types and unit tests, by the tools of npm."""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from trackai import dashboard

WEB = Path(dashboard.__file__).parent / "web"
# Installing takes longest, on a machine that is busy.
TIMEOUT = 300


def npm() -> str:
    """The path of npm."""
    path = shutil.which("npm")
    assert path is not None, "npm not found: install Node.js"
    return path


def _run(*arguments: str) -> None:
    done = subprocess.run([npm(), *arguments], cwd=WEB, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@cache
def _install() -> None:
    # The build installs what it needs itself, which the checkers are no part of.
    if not (WEB / "node_modules" / "vitest").is_dir():
        _run("ci", "--no-audit", "--no-fund")


@pytest.mark.timeout(TIMEOUT)
@pytest.mark.parametrize("script", ["lint", "types", "test"])
def test_check_passes(script: str) -> None:
    _install()
    _run("run", "--silent", script)


def test_lint_includes_format_and_import_cycles() -> None:
    scripts = json.loads((WEB / "package.json").read_text())["scripts"]
    assert scripts["lint"] == "biome check --error-on-warnings ."
    config = (WEB / "biome.jsonc").read_text()
    assert '"noImportCycles": { "level": "error", "options": { "ignoreTypes": false } }' in config
    assert '"formatter": { "indentStyle": "space", "lineWidth": 100 }' in config


def test_lock_file_has_no_download_addresses() -> None:
    packages = json.loads((WEB / "package-lock.json").read_text())["packages"]
    assert len(packages) > 20
    assert [name for name, package in packages.items() if "resolved" in package] == []


def test_source_lines_are_short() -> None:
    # The formatter does not break literals and comments.
    long = [
        f"{path.relative_to(WEB)}:{number}"
        for folder in ("src", "tests")
        for path in sorted((WEB / folder).rglob("*.*"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if len(line) > 100
    ]
    assert long == []
