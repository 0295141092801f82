"""Find and install a browser for the tests."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

import pytest

from scripts import browsers

IS_WINDOWS = sys.platform == "win32"


def program(path: Path, script: str = "exit 0") -> Path:
    """Create an executable file that runs a line of shell."""
    path = path.with_suffix(".bat") if IS_WINDOWS else path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"@{script}\r\n" if IS_WINDOWS else f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without a browser; the only folder on PATH, which is empty."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "playwright"))
    monkeypatch.setattr(browsers, "default_paths", list)
    return folder


def playwright_chromium() -> Path:
    """Where Playwright would install the full Chromium."""
    chromium, *_ = browsers._playwright_paths()
    return chromium


@pytest.mark.parametrize("name", ["chromium", "google-chrome", "msedge"])
def test_browser_on_path_is_found(bin_folder: Path, name: str) -> None:
    assert browsers.find() is None
    path = program(bin_folder / name)
    assert browsers.find() == path
    assert browsers.provide() == path


def test_chromium_is_preferred(bin_folder: Path) -> None:
    program(bin_folder / "google-chrome")
    chromium = program(bin_folder / "chromium")
    assert browsers.find() == chromium


def test_browser_at_a_default_path_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = program(tmp_path / "opt" / "chrome")
    monkeypatch.setattr(browsers, "default_paths", lambda: [tmp_path / "missing", path])
    assert browsers.find() == path


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        ("linux", "/opt/google/chrome/chrome"),
        ("linux", "/usr/bin/chromium"),
        ("darwin", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
        ("win32", "C:/Program Files/Microsoft/Edge/Application/msedge.exe"),
        ("win32", "C:/Users/me/AppData/Local/Google/Chrome/Application/chrome.exe"),
    ],
)
def test_default_paths(platform: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv("ProgramFiles", "C:/Program Files")
    monkeypatch.setenv("LocalAppData", "C:/Users/me/AppData/Local")
    monkeypatch.delenv("ProgramFiles(x86)", raising=False)
    assert Path(expected) in browsers.default_paths()


def test_browser_of_playwright_is_found() -> None:
    chromium = playwright_chromium()
    revision = chromium.parents[1].name.rpartition("-")[2]
    shells = chromium.parents[2] / f"chromium_headless_shell-{revision}"
    shell = program(shells / "linux" / "chrome-headless-shell")
    if not IS_WINDOWS:
        assert browsers.find() == shell
        path = program(chromium)
        assert browsers.find() == path
    # A browser of another Playwright version may not work with this one.
    shutil.rmtree(chromium.parents[1], ignore_errors=True)
    shells.rename(shells.with_name("chromium_headless_shell-1"))
    assert browsers.find() is None


@pytest.mark.parametrize("script", ["echo requires the chromium snap >&2; exit 1", "kill $$"])
def test_program_that_does_not_start_is_skipped(bin_folder: Path, script: str) -> None:
    program(bin_folder / "chromium", script)
    chrome = program(bin_folder / "google-chrome")
    assert IS_WINDOWS or browsers.find() == chrome


def test_program_that_never_answers_is_skipped(
    bin_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browsers, "_SECONDS_TO_START", 0.2)
    program(bin_folder / "chromium", "exec /bin/sleep 60")
    assert IS_WINDOWS or browsers.find() is None


def set_installations(monkeypatch: pytest.MonkeyPatch, *installations: list[list[str]]) -> None:
    monkeypatch.setattr(browsers, "installations", lambda: list(installations))


def python(script: str) -> list[str]:
    return [sys.executable, "-c", script]


def test_first_successful_installation_is_used(
    bin_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chromium = program(bin_folder.parent / "elsewhere" / "chromium")
    move = f"import os; os.replace({str(chromium)!r}, {str(bin_folder / chromium.name)!r})"
    set_installations(
        monkeypatch,
        [python("raise SystemExit('no network')"), python("print('never')")],
        [python("print('not yet')"), python(move), python("raise SystemExit('too far')")],
        [python("raise SystemExit('too far')")],
    )
    assert browsers.provide() == bin_folder / chromium.name


def test_error_has_the_command_that_installs_a_browser(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(browsers, "_SECONDS_TO_INSTALL", 1)
    set_installations(
        monkeypatch,
        [python("raise SystemExit('getaddrinfo ENOTFOUND')")],
        [["no-such-program"]],
        [python("import time; time.sleep(60)")],
    )
    started = time.monotonic()
    with pytest.raises(browsers.BrowserNotFoundError) as caught:
        browsers.provide()
    assert time.monotonic() - started < 30
    message = str(caught.value)
    assert "    uv run playwright install --with-deps chromium-headless-shell\n" in message
    assert "exit status 1\ngetaddrinfo ENOTFOUND" in message
    assert "no-such-program: not found" in message
    assert "stopped after 1 s" in message


def test_system_package_is_for_root_on_debian(
    bin_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def programs() -> list[str]:
        return [command[0] for commands in browsers.installations() for command in commands]

    monkeypatch.setattr(os, "geteuid", lambda: 0, raising=False)
    assert programs() == [sys.executable]
    program(bin_folder / "apt-get")
    assert programs() == [sys.executable, sys.executable, "apt-get", "apt-get"]
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert programs() == [sys.executable]
