"""Fixtures for tests in a real browser: no console messages, and accessibility checks."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Error, expect, sync_playwright

from scripts import browsers
from tests.conftest import serving
from tests.dashboard.web_tools import install

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, BrowserContext, Locator, Page

    from tests.conftest import Server

# Without these, Chromium checks for updates; the machine may be offline.
ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
# Milliseconds. These tests do not measure speed, and a loaded machine is slow.
TIMEOUT = 60_000
expect.set_options(timeout=TIMEOUT)

BROWSER = pytest.StashKey[Path | browsers.BrowserNotFoundError]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Install a browser before the first test: installing takes longer than a test's timeout."""
    fixtures = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    if "browser" in fixtures and not session.config.option.collectonly:
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None and browsers.find() is None:
            reporter.write_line("installing a browser for the tests of the dashboard ...")
        try:
            session.config.stash[BROWSER] = browsers.provide()
        except browsers.BrowserNotFoundError as error:
            session.config.stash[BROWSER] = error


@pytest.fixture(scope="module")
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server with the runs that the script `RUNS` of the test module logs."""
    folder = tmp_path_factory.mktemp("store")
    path = folder / "store" / "trackai.db"
    env = {**os.environ, "TRACKAI_DB_PATH": str(path)}
    script = request.module.RUNS
    subprocess.run([sys.executable, "-c", script], env=env, check=True, cwd=folder)
    with serving(path) as server:
        yield server


@pytest.fixture(scope="module")
def browser(pytestconfig: pytest.Config) -> Iterator[Browser]:
    """A Chromium process, shared by the tests of a module."""
    path = pytestconfig.stash[BROWSER]
    if isinstance(path, browsers.BrowserNotFoundError):
        pytest.fail(str(path), pytrace=False)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser context, shared by the tests of a module so that they share its cache."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(TIMEOUT)
    # With no page open, Chromium stops processes that the next page has to restart.
    context.new_page()
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page that fails the test if it writes to the console."""
    page = context.new_page()
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    yield page
    page.close()
    assert messages == []


def wait_until(page: Page, check: Callable[[], bool | None]) -> None:
    """Repeat a check until it neither fails nor returns False.

    For conditions that `expect` cannot wait for, and for actions that must be repeated: a chart
    that is redrawn under a resting mouse gets no mouse event.

    Raises:
        AssertionError: The check still fails after `TIMEOUT`.
    """
    deadline = time.monotonic() + TIMEOUT / 1000
    while True:
        try:
            if check() is not False:
                return
            failure: Exception | None = None
        except (AssertionError, Error) as error:
            failure = error
        if time.monotonic() > deadline:
            raise AssertionError("the check did not succeed in time") from failure
        page.wait_for_timeout(100)


def hover(locator: Locator, x: float, y: float) -> None:
    """Move the mouse to a point of an element, given as shares of its width and height."""
    box = locator.bounding_box()
    assert box is not None
    locator.hover(position={"x": box["width"] * x, "y": box["height"] * y}, timeout=5000)


def accessibility_violations(page: Page, *rules: str) -> list[Any]:
    """Run axe on the page; return its serious and critical violations.

    Args:
        page: The page to check.
        rules: Names of axe rules. All rules if empty.

    Returns:
        For each violation, the rule, the HTML of the first element and axe's first reason.
    """
    page.evaluate((install() / "axe-core" / "axe.min.js").read_text())
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if rules:
        options["runOnly"] = list(rules)
    violations = page.evaluate("async (options) => (await axe.run(options)).violations", options)
    return [
        (violation["id"], violation["nodes"][0]["html"], violation["nodes"][0]["any"][:1])
        for violation in violations
        if violation["impact"] in ("serious", "critical")
    ]
