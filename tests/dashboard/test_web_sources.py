"""The dashboard's sources: format, lint, types and unit tests, run with npm."""

from __future__ import annotations

import json

import pytest

from tests.dashboard.web_tools import WEB, install, run_npm


@pytest.mark.timeout(600)  # for `npm ci` on a busy machine
@pytest.mark.parametrize("script", ["lint", "types", "test"])
def test_check_passes(script: str) -> None:
    install()
    run_npm("run", "--silent", script)


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
    # The formatter does not wrap literals and comments.
    long = [
        f"{path.relative_to(WEB)}:{number}"
        for folder in ("src", "tests")
        for path in sorted((WEB / folder).rglob("*.*"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if len(line) > 100
    ]
    assert long == []
