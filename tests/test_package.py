"""What is public, what is shipped, and what importing it costs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import trackai

ROOT = Path(__file__).parent.parent


def test_what_is_public_is_in_all() -> None:
    public = {
        name
        for name, value in vars(trackai).items()
        if not name.startswith("_") and not isinstance(value, type(sys))
    }
    # Some come when they are asked for.
    assert all(getattr(trackai, name).__module__ for name in trackai._MODULES)
    assert public | {"__version__", *trackai._MODULES} == set(trackai.__all__)
    with pytest.raises(AttributeError, match="'trackai' has no attribute 'nope'"):
        trackai.nope  # type: ignore[attr-defined]  # noqa: B018


def _loaded_by(script: str) -> list[str]:
    script += "; import sys; print(*sorted(sys.modules))"
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    ).stdout.split()


def test_a_name_with_a_mistake_is_corrected() -> None:
    code = "import trackai\ntrackai.fnish()"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    line = process.stderr.splitlines()[-1]
    assert line.startswith("AttributeError: module 'trackai' has no attribute 'fnish'")
    assert line.endswith("Did you mean: 'finish'?")


def test_importing_it_loads_no_server_and_no_numpy() -> None:
    loaded = _loaded_by("import trackai; trackai.init")
    assert "trackai.sdk.run" in loaded
    for module in ("starlette", "uvicorn", "click", "numpy", "pyarrow", "trackai.api"):
        assert module not in loaded
    assert "trackai.sdk.media" not in loaded  # few runs log any


def test_the_command_line_starts_without_what_it_does_not_need() -> None:
    loaded = _loaded_by("import trackai.cli.runs")
    assert "trackai.cli.database" in loaded
    for module in (
        "trackai.sdk",
        "trackai.ingest",
        "uvicorn",
        "urllib.request",
        "numpy",
        "sqlite3",
    ):
        assert module not in loaded


def test_the_server_starts_without_what_it_does_not_need() -> None:
    loaded = _loaded_by("import trackai.api.main")
    assert "trackai.api.endpoints.runs" in loaded
    for module in (
        "asyncpg",
        "difflib",
        "numpy",
        "trackai.importers.loader",
        "trackai.sdk",
        "trackai.store.points.pieces",
        "trackai.store.postgres",
        "urllib3",
    ):
        assert module not in loaded


# What says nothing about its content, what is built, and what belongs to a machine.
VAGUE = {"utils", "util", "common", "misc", "base", "core", "tools"}
BUILT = {".pyc", ".so", ".whl", ".gz", ".zip", ".egg-info", ".log", ".lock", ".pid", ".tmp"}
DATABASES = {".db", ".db-wal", ".db-shm", ".sqlite", ".sqlite3", ".journal"}
MACHINES = {".DS_Store", "Thumbs.db", ".env", ".venv", ".idea", ".vscode", "node_modules", "dist"}


def test_no_file_is_called_what_it_must_not_be() -> None:
    for path in _files():
        if path.parts[:2] == ("tests", "data"):
            continue  # called as other programs call them
        assert path.suffix not in BUILT | DATABASES, path
        assert not set(path.parts) & MACHINES, path
        assert path.suffix != ".py" or path.stem not in VAGUE, path


# Those of tests and of the dashboard belong to their tests and sources.
PICTURES = {".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg", ".ico", ".pdf"}


def test_pictures_are_in_docs_images_only() -> None:
    pictures = [path for path in _files() if path.suffix.lower() in PICTURES]
    folders = {path.parent.as_posix() for path in pictures}
    elsewhere = ("tests/data/", "trackai/dashboard/web/")
    assert {folder for folder in folders if not f"{folder}/".startswith(elsewhere)} == {
        "docs/images"
    }


def _files() -> list[Path]:
    """What is in the repository; without git, what looks like it."""
    git = shutil.which("git")
    if git is not None and (ROOT / ".git").exists():
        listed = subprocess.run(
            [git, "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        names = [Path(name) for name in listed.split("\0") if name]
    else:
        names = [
            path.relative_to(ROOT)
            for folder in ("trackai", "migrations", "tests", "examples", "docs")
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and not {"__pycache__", "dist"} & set(path.parts)
        ]
    assert len(names) > 50
    return names


def test_a_wheel_from_an_sdist_has_what_is_shipped(tmp_path: Path) -> None:
    # Isolated, as by default, it is built in tests/dashboard/test_installation.py.
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)],
        check=True,
        capture_output=True,
        timeout=240,
    )
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        inside = {name.split("/", 1)[0] for name in archive.namelist()}
        assert inside == {"trackai", f"trackai-{trackai.__version__}.dist-info"}
        assert "trackai/py.typed" in archive.namelist()
        assert "trackai/dashboard/dist/index.html" in archive.namelist()
        for path in ROOT.glob("migrations/**/*.sql"):
            name = path.relative_to(ROOT).as_posix()
            assert archive.read(f"trackai/{name}") == path.read_bytes()
