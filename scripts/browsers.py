"""The browser of the dashboard's tests, pictures and benchmark: find one, or install one."""

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
_SECONDS_TO_INSTALL = 300  # each command


class BrowserNotFoundError(Exception):
    """There is no browser, and none could be installed."""


def provide() -> Path:
    """Find a browser, or install one.

    Raises:
        BrowserNotFoundError: With the command that installs a browser.
    """
    path = find()
    if path is not None:
        return path
    with exclusive("browser"):
        return find() or install()  # another process may have installed one meanwhile


def find() -> Path | None:
    """Find Chromium, Chrome or Edge: on PATH, in the usual places, or Playwright's own."""
    return next((path for path in _candidates() if path.is_file() and _starts(path)), None)


def install() -> Path:
    """Install a browser: Playwright's, else the system's package.

    Raises:
        BrowserNotFoundError: With the command that installs a browser.
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
        "\n".join(["no browser found, and none could be installed. Install one:", f"    {HELP}",
                   "What was tried:", *failures])
    )  # fmt: skip


def installations() -> list[list[list[str]]]:
    """The ways to install a browser on this machine, each a list of commands, best first."""
    download = [*_PLAYWRIGHT, "install", "chromium-headless-shell"]
    if shutil.which("apt-get") is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        return [[download]]
    return [
        # The libraries are installed only if the browser does not start without.
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
    yield from usual_places()
    yield from _of_playwright()


def usual_places() -> list[Path]:
    """Where the installers of Chromium, Chrome and Edge put them, on this operating system."""
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


def _of_playwright() -> list[Path]:
    with sync_playwright() as playwright:
        full = Path(playwright.chromium.executable_path)
    # .../chromium-1255/chrome-linux64/chrome
    # .../chromium_headless_shell-1255/chrome-headless-shell-linux64/chrome-headless-shell
    folder = full.parents[1]
    revision = folder.name.rpartition("-")[2]
    shells = folder.parent.glob(f"chromium_headless_shell-{revision}/*/*headless?shell*")
    return [full, *(path for path in shells if path.suffix in ("", ".exe"))]


def _starts(path: Path) -> bool:
    """Whether a program runs: a stub, or one whose libraries are missing, does not."""
    if sys.platform == "win32":
        return True  # it would open a window
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, timeout=_SECONDS_TO_START)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0


def _run(command: list[str]) -> str | None:
    """Run a command; returns why it failed."""
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        try:
            process = subprocess.Popen(
                command,
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # what it starts is stopped with it
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
    """Wait until no other process installs what has that name."""
    path = Path(tempfile.gettempdir(), f"trackai-tests-{name}.lock")
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while not locks.try_lock(fd):
            time.sleep(0.5)
        yield
    finally:
        os.close(fd)
