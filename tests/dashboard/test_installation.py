"""`pip install .` on a machine with Python, but without Node.js and npm."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).parents[2]
SOURCES = ("LICENSE", "README.md", "pyproject.toml", "migrations", "scripts", "trackai")
IS_WINDOWS = sys.platform == "win32"
PACKAGES = """
from importlib.metadata import distributions
print(*{distribution.name for distribution in distributions()} - {"pip", "setuptools"})
"""
RUN = """
import trackai
with trackai.init(project="p", config={"a": 1}) as run:
    for step in range(100):
        run.log({"x": 1.0}, step=step)
print(trackai.__file__)
"""


@pytest.fixture(scope="module")
def bare_env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment variables whose PATH has only a shell."""
    shell = shutil.which("cmd" if IS_WINDOWS else "sh")
    assert shell is not None
    if IS_WINDOWS:
        path = Path(shell).parent
    else:
        path = tmp_path_factory.mktemp("bin")
        (path / "sh").symlink_to(shell)
    assert shutil.which("node", path=path) is None
    excluded = {"PYTHONPATH", "VIRTUAL_ENV", "TRACKAI_DB_PATH"}
    return {name: os.environ[name] for name in os.environ.keys() - excluded} | {"PATH": str(path)}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this checkout without build products."""
    copy = tmp_path_factory.mktemp("source")
    ignored = shutil.ignore_patterns("node_modules", "dist", "__pycache__")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, copy)
    return copy


@pytest.fixture(scope="module")
def programs(
    source: Path, bare_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of `python` and `trackai` after `pip install .` into an empty environment."""
    folder = tmp_path_factory.mktemp("env")
    venv.create(folder, with_pip=True)
    programs = folder / ("Scripts" if IS_WINDOWS else "bin")
    installed = subprocess.run(
        [programs / "python", "-m", "pip", "install", "."],
        cwd=source,
        env=bare_env,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert installed.returncode == 0, installed.stdout + installed.stderr
    return programs


@pytest.mark.timeout(600)  # the first test includes the installation
def test_few_packages_are_installed(programs: Path) -> None:
    packages = subprocess.run(
        [programs / "python", "-c", PACKAGES],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout.split()
    assert "trackai" in packages
    assert len(packages) <= 15, packages


@pytest.mark.timeout(600)
def test_installed_package_works_from_another_folder(programs: Path, tmp_path: Path) -> None:
    env = {"TRACKAI_DB_PATH": str(tmp_path / "t.db"), "PATH": ""}
    result = subprocess.run(
        [programs / "python", "-c", RUN],
        cwd=tmp_path,
        env=env,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert str(programs.parent) in result.stdout
    connection = sqlite3.connect(tmp_path / "t.db")
    assert connection.execute("SELECT COUNT(*) FROM metrics").fetchone() == (100,)
    connection.close()
    result = subprocess.run(
        [programs / "trackai", "projects", "--json"],
        cwd=tmp_path,
        env=env,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert [project["name"] for project in json.loads(result.stdout)["projects"]] == ["p"]


@pytest.mark.timeout(600)
def test_installed_server_serves_the_dashboard(
    programs: Path, page: Page, bare_env: dict[str, str], tmp_path: Path
) -> None:
    env = bare_env | {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    subprocess.run(
        [programs / "trackai", "demo", "--runs", "1"],
        cwd=tmp_path,
        env=env,
        check=True,
        capture_output=True,
        timeout=60,
    )
    with subprocess.Popen(
        [programs / "trackai", "serve", "--port", "0"],
        cwd=tmp_path,
        env=env,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            assert server.stderr is not None
            first_line = server.stderr.readline()
            url = re.search(r"http://\S+", first_line)
            assert url is not None, first_line
            assert str(tmp_path) in first_line  # the database is in the new HOME
            page.goto(url[0])
            page.get_by_role("link", name=re.compile("demo")).click()
            expect(page.locator("figure canvas").first).to_be_visible()
            page.goto("about:blank")  # the page would log requests to the stopped server
        finally:
            server.terminate()
