"""Find or install a browser for the dashboard's tests, screenshots and benchmark."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from trackai import locks

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = (
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome",
    "microsoft-edge", "microsoft-edge-stable", "msedge",
)  # fmt: skip
HELP = "uv run playwright install --with-deps chromium-headless-shell"
_PLAYWRIGHT = [sys.executable, "-m", "playwright"]
_SECONDS_TO_START = 30
_SECONDS_TO_INSTALL = 300  # per command


class BrowserNotFoundError(Exception):
    """No browser was found or could be installed."""


def provide() -> Path:
    """Find a browser, or install one.

    Returns:
        The path of its executable.

    Raises:
        BrowserNotFoundError: The message has the command that installs a browser.
    """
    path = find()
    if path is not None:
        return path
    with exclusive("browser"):
        return find() or install()  # another process may just have installed one


def find() -> Path | None:
    """Find Chromium, Chrome or Edge: on PATH, at default paths, or installed by Playwright."""
    return next((path for path in _candidates() if path.is_file() and _starts(path)), None)


def install() -> Path:
    """Install a browser: Playwright's, else the system's package.

    Raises:
        BrowserNotFoundError: The message has the command that installs a browser.
    """
    failures = []
    for commands in installations():
        for command in commands:
            failure = _run(command)
            if failure is not None:
                failures.append(f"{' '.join(command)}: {failure}")
                break
            path = find()
            if path is not None:
                return path
    raise BrowserNotFoundError(
        "\n".join(["browser not found and could not be installed; run", f"    {HELP}",
                   "Failed commands:", *failures])
    )  # fmt: skip


def installations() -> list[list[list[str]]]:
    """Return the ways to install a browser on this machine, each a list of commands, best first."""
    download = [*_PLAYWRIGHT, "install", "chromium-headless-shell"]
    if shutil.which("apt-get") is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        return [[download]]
    return [
        # The libraries are installed only if the browser does not start without them.
        [download, [*_PLAYWRIGHT, "install-deps", "chromium-headless-shell"]],
        [
            ["apt-get", "update", "-qq"],
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"],
        ],
    ]


def _candidates() -> Iterator[Path]:
    for name in NAMES:
        path = shutil.which(name)
        if path is not None:
            yield Path(path)
    yield from default_paths()
    yield from _playwright_paths()


def default_paths() -> list[Path]:
    """Return the default paths of Chromium, Chrome and Edge on this operating system."""
    if sys.platform == "win32":
        folders = [
            os.environ.get(name) for name in ("ProgramFiles", "ProgramFiles(x86)", "LocalAppData")
        ]
        return [
            Path(folder, program)
            for folder in folders if folder
            for program in (
                "Chromium/Application/chrome.exe", "Google/Chrome/Application/chrome.exe",
                "Microsoft/Edge/Application/msedge.exe",
            )
        ]  # fmt: skip
    if sys.platform == "darwin":
        return [
            Path(folder, f"{name}.app", "Contents", "MacOS", name)
            for folder in ("/Applications", Path.home() / "Applications")
            for name in ("Chromium", "Google Chrome", "Microsoft Edge")
        ]
    return [
        *(
            Path(folder, name)
            for folder in ("/usr/bin", "/usr/local/bin", "/snap/bin")
            for name in NAMES
        ),
        Path("/opt/google/chrome/chrome"),
        Path("/opt/microsoft/msedge/msedge"),
    ]


def _playwright_paths() -> list[Path]:
    with sync_playwright() as playwright:
        chromium = Path(playwright.chromium.executable_path)
    # .../chromium-1255/chrome-linux64/chrome
    # .../chromium_headless_shell-1255/chrome-headless-shell-linux64/chrome-headless-shell
    folder = chromium.parents[1]
    revision = folder.name.rpartition("-")[2]
    shells = folder.parent.glob(f"chromium_headless_shell-{revision}/*/*headless?shell*")
    return [chromium, *(path for path in shells if path.suffix in ("", ".exe"))]


def _starts(path: Path) -> bool:
    """Whether a program starts. A stub does not, nor a program with missing libraries."""
    if sys.platform == "win32":
        return True  # `--version` opens a window there
    try:
        result = subprocess.run([path, "--version"], capture_output=True, timeout=_SECONDS_TO_START)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return result.returncode == 0


def _run(command: list[str]) -> str | None:
    """Run a command; return why it failed, or None."""
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        try:
            process = subprocess.Popen(
                command,
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # so that `_kill` stops its children too
            )
        except FileNotFoundError:
            return "not found"
        try:
            code = process.wait(_SECONDS_TO_INSTALL)
        except subprocess.TimeoutExpired:
            _kill(process)
            return f"stopped after {_SECONDS_TO_INSTALL} s"
        output.seek(0)
        lines = output.read().strip().splitlines()
    return None if code == 0 else "\n".join([f"exit status {code}", *lines[-5:]])


def _kill(process: subprocess.Popen[bytes]) -> None:
    if sys.platform == "win32":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def exclusive(name: str) -> Iterator[None]:
    """Hold a lock between processes, for the installation of `name`."""
    path = Path(tempfile.gettempdir(), f"trackai-tests-{name}.lock")
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while not locks.try_lock(fd):
            time.sleep(0.5)
        yield
    finally:
        os.close(fd)
