"""The npm development tools of the dashboard, installed on first use."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path

from scripts.browsers import exclusive
from scripts.build_dashboard import find_npm
from trackai import dashboard

WEB = Path(dashboard.__file__).parent / "web"
_MODULES = WEB / "node_modules"


def run_npm(*arguments: str) -> None:
    """Run npm in the dashboard's sources and assert that it succeeds."""
    npm = find_npm(WEB)
    assert npm is not None, "npm not found; run `uv sync`"
    result = subprocess.run(
        [*npm.command, *arguments], cwd=WEB, env=npm.env, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr


@cache
def install() -> Path:
    """Install the development tools, which the build omits, and return `node_modules`."""
    with exclusive("web-tools"):
        package = json.loads((WEB / "package.json").read_text(encoding="utf-8"))
        names = [*package["dependencies"], *package["devDependencies"]]
        if not all((_MODULES / name).is_dir() for name in names):
            run_npm("ci", "--no-audit", "--no-fund")
    return _MODULES
