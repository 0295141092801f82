"""Which Node.js builds the dashboard."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.build_dashboard import NODE_WHEEL, WEB, DashboardHook, find_npm, satisfies

ROOT = Path(__file__).parents[2]
ENGINES = "^20.19.0 || ^22.13.0 || >=24"


@pytest.mark.parametrize("version", ["20.19.0", "20.20.2", "22.13.0", "24.0.0", "25.1.0"])
def test_versions_that_fit(version: str) -> None:
    assert satisfies(version, ENGINES)


@pytest.mark.parametrize("version", ["18.20.0", "20.18.9", "21.7.3", "22.9.0", "23.11.0"])
def test_versions_that_do_not_fit(version: str) -> None:
    assert not satisfies(version, ENGINES)


def test_a_range_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"engines: '>=18 <20' is not supported"):
        satisfies("18.0.0", ">=18 <20")


def test_every_version_that_fits_is_enough_for_all_packages() -> None:
    package = json.loads((ROOT / WEB / "package.json").read_text(encoding="utf-8"))
    lock = json.loads((ROOT / WEB / "package-lock.json").read_text(encoding="utf-8"))
    assert package["engines"]["node"] == lock["packages"][""]["engines"]["node"] == ENGINES
    for oldest in ("20.19.0", "22.13.0", "24.0.0"):
        for name, locked in lock["packages"].items():
            assert satisfies(oldest, locked.get("engines", {}).get("node", "*")), name


def test_no_address_of_a_registry_is_locked() -> None:
    assert "resolved" not in (ROOT / WEB / "package-lock.json").read_text(encoding="utf-8")


@pytest.fixture
def path_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one folder on PATH, which is empty."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def node(folder: Path, version: str, npm: str = "exit 0") -> None:
    """Put a Node.js of a version into a folder, and an npm that runs a line of shell."""
    for name, script in (("node", f"echo {version}"), ("npm", npm)):
        windows = sys.platform == "win32"
        path = folder / (f"{name}.bat" if windows else name)
        path.write_text(f"@{script}\r\n" if windows else f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)


def requirements(root: Path) -> list[str]:
    """What a build in a folder requires besides hatchling."""
    hook = DashboardHook(str(root), {}, None, None, str(root), "wheel")  # type: ignore[arg-type]
    return hook.dependencies()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder whose dashboard is not built."""
    web = tmp_path / "checkout" / WEB
    web.mkdir(parents=True)
    (web / "package.json").write_text(json.dumps({"engines": {"node": ENGINES}}))
    return tmp_path / "checkout"


def test_node_is_required_where_path_has_none_that_fits(path_folder: Path, checkout: Path) -> None:
    assert requirements(checkout) == [NODE_WHEEL]
    node(path_folder, "v18.20.8")
    assert requirements(checkout) == [NODE_WHEEL]
    node(path_folder, "v24.1.0")
    assert requirements(checkout) == []


def test_node_is_not_required_for_what_is_built(path_folder: Path, checkout: Path) -> None:
    dist = checkout / WEB.with_name("dist")
    dist.mkdir()
    (dist / "index.html").touch()
    os.utime(checkout / WEB / "package.json", (0, 0))
    assert requirements(checkout) == []
    os.utime(dist / "index.html", (-1, -1))
    assert requirements(checkout) == [NODE_WHEEL]


def test_a_node_on_path_is_preferred(path_folder: Path, checkout: Path) -> None:
    node(path_folder, "v24.1.0")
    npm = find_npm(checkout / WEB)
    assert npm is not None
    assert Path(npm.command[0]).parent == path_folder


def test_the_npm_of_the_wheel_works_without_node_on_path(path_folder: Path, checkout: Path) -> None:
    npm = find_npm(checkout / WEB)
    assert npm is not None
    version = subprocess.run(
        [*npm.command, "--version"], env=npm.env, capture_output=True, text=True, check=True
    ).stdout
    assert int(version.split(".")[0]) >= 10
    # npm's scripts start `node`, as installed packages do by `#!/usr/bin/env node`.
    assert Path(npm.env["PATH"].split(os.pathsep)[0], "node").exists() or sys.platform == "win32"


def test_a_build_that_fails_says_why_and_what_to_do(path_folder: Path, checkout: Path) -> None:
    node(path_folder, "v24.1.0", npm="echo npm error code ENOTFOUND && exit 1")
    hook = DashboardHook(str(checkout), {}, None, None, "", "wheel")  # type: ignore[arg-type]
    with pytest.raises(SystemExit) as caught:
        hook.initialize("standard", {"artifacts": []})
    assert str(caught.value) == (
        "The dashboard could not be built: npm ci --omit=dev --no-audit --no-fund failed:\n"
        "npm error code ENOTFOUND\n"
        "To install TrackAI without the dashboard, set HATCH_BUILD_NO_HOOKS=true."
    )
