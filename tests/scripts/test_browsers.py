"""How the tests find a browser, and what they do where there is none."""

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
    """An executable file that runs a line of shell."""
    path = path.with_suffix(".bat") if IS_WINDOWS else path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"@{script}\r\n" if IS_WINDOWS else f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without a browser, whose PATH is one empty folder."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "playwright"))
    monkeypatch.setattr(browsers, "usual_places", list)
    return folder


def own_browser() -> Path:
    """The full Chromium that Playwright would install here."""
    full, *_ = browsers._of_playwright()
    return full


@pytest.mark.parametrize("name", ["chromium", "google-chrome", "msedge"])
def test_a_browser_on_path_is_found(bare: Path, name: str) -> None:
    assert browsers.find() is None
    path = program(bare / name)
    assert browsers.find() == path
    assert browsers.provide() == path


def test_chromium_is_preferred(bare: Path) -> None:
    program(bare / "google-chrome")
    chromium = program(bare / "chromium")
    assert browsers.find() == chromium


def test_a_browser_in_a_usual_place_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = program(tmp_path / "opt" / "chrome")
    monkeypatch.setattr(browsers, "usual_places", lambda: [tmp_path / "missing", path])
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
def test_the_usual_places(platform: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv("ProgramFiles", "C:/Program Files")
    monkeypatch.setenv("LocalAppData", "C:/Users/me/AppData/Local")
    monkeypatch.delenv("ProgramFiles(x86)", raising=False)
    assert Path(expected) in browsers.usual_places()


def test_playwrights_own_browser_is_found() -> None:
    full = own_browser()
    revision = full.parents[1].name.rpartition("-")[2]
    shells = full.parents[2] / f"chromium_headless_shell-{revision}"
    shell = program(shells / "linux" / "chrome-headless-shell")
    if not IS_WINDOWS:
        assert browsers.find() == shell
        path = program(full)
        assert browsers.find() == path
    # One of another version of Playwright may not work with this one.
    shutil.rmtree(full.parents[1], ignore_errors=True)
    shells.rename(shells.with_name("chromium_headless_shell-1"))
    assert browsers.find() is None


@pytest.mark.parametrize("script", ["echo requires the chromium snap >&2; exit 1", "kill $$"])
def test_what_does_not_start_is_no_browser(bare: Path, script: str) -> None:
    program(bare / "chromium", script)
    chrome = program(bare / "google-chrome")
    assert IS_WINDOWS or browsers.find() == chrome


def test_what_never_answers_is_no_browser(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browsers, "_SECONDS_TO_START", 0.2)
    program(bare / "chromium", "exec /bin/sleep 60")
    assert IS_WINDOWS or browsers.find() is None


def use(monkeypatch: pytest.MonkeyPatch, *ways: list[list[str]]) -> None:
    monkeypatch.setattr(browsers, "installations", lambda: list(ways))


def python(script: str) -> list[str]:
    return [sys.executable, "-c", script]


def test_the_first_way_that_brings_a_browser_is_taken(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chromium = program(bare.parent / "elsewhere" / "chromium")
    move = f"import os; os.replace({str(chromium)!r}, {str(bare / chromium.name)!r})"
    use(
        monkeypatch,
        [python("raise SystemExit('no network')"), python("print('never')")],
        [python("print('not yet')"), python(move), python("raise SystemExit('too far')")],
        [python("raise SystemExit('too far')")],
    )
    assert browsers.provide() == bare / chromium.name


def test_without_a_browser_the_message_has_the_command_that_helps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(browsers, "_SECONDS_TO_INSTALL", 1)
    use(
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


def test_the_systems_package_is_for_root_on_debian(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def programs() -> list[str]:
        return [command[0] for way in browsers.installations() for command in way]

    monkeypatch.setattr(os, "geteuid", lambda: 0, raising=False)
    assert programs() == [sys.executable]
    program(bare / "apt-get")
    assert programs() == [sys.executable, sys.executable, "apt-get", "apt-get"]
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert programs() == [sys.executable]
