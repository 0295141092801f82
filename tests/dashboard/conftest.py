"""A real browser, whose pages must not complain, and whether everybody can use them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Error, expect, sync_playwright

from scripts import browsers
from tests.dashboard.web_tools import install

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, BrowserContext, Locator, Page

# Chromium looks for updates and the like; this machine may have no network.
ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
# A loaded machine is slow; nothing here is about speed.
PATIENCE = 60_000
expect.set_options(timeout=PATIENCE)


BROWSER = pytest.StashKey[Path | browsers.BrowserNotFoundError]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Install a browser before the first test: it takes longer than a test may."""
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
def browser(pytestconfig: pytest.Config) -> Iterator[Browser]:
    """Chromium, one for the tests of a module."""
    path = pytestconfig.stash[BROWSER]
    if isinstance(path, browsers.BrowserNotFoundError):
        pytest.fail(str(path), pytrace=False)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One window for the tests of a module: what it has fetched once, it has."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(PATIENCE)
    # With no page open, Chromium ends processes that the next page starts again.
    context.new_page()
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page that must not write anything to the console."""
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    page.close()
    assert said == []


def until(page: Page, check: Callable[[], bool | None]) -> None:
    """Do it until it does not fail and is not False.

    For what comes later than what can be waited for, and for what has to be done again: a chart
    that is drawn anew under the mouse does not know that it is pointed at.
    """
    deadline = time.monotonic() + PATIENCE / 1000
    while True:
        try:
            if check() is not False:
                return
            problem: Exception | None = None
        except (AssertionError, Error) as error:
            problem = error
        if time.monotonic() > deadline:
            raise AssertionError("it does not come to be") from problem
        page.wait_for_timeout(100)


def hover(locator: Locator, x: float, y: float) -> None:
    """Move the mouse to a part of an element, shares of its width and height, where it rests."""
    box = locator.bounding_box()
    assert box is not None
    locator.hover(position={"x": box["width"] * x, "y": box["height"] * y}, timeout=5000)


def serious_findings(page: Page, *rules: str) -> list[Any]:
    """What axe finds, by all of its rules or these, that keeps people from using the page."""
    page.evaluate((install() / "axe-core" / "axe.min.js").read_text())
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if rules:
        options["runOnly"] = list(rules)
    found = page.evaluate("async (options) => (await axe.run(options)).violations", options)
    return [
        (one["id"], one["nodes"][0]["html"], one["nodes"][0]["any"][:1])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
