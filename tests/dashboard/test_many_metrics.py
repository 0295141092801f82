"""Runs with thousands of metrics and keys: what is not on screen is not rendered."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.dashboard.conftest import accessibility_violations

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.conftest import Server

RUNS = """
import trackai
config = {f"key{number}": number for number in range(1000)}
with trackai.init(project="p", name="wide", config=config) as run:
    for step in range(2):
        run.log({f"grad/{number}": 1.0 for number in range(5000)}, step=step)
    histogram = trackai.Histogram(np_histogram=([1, 2], [0, 1, 2]))
    run.log({f"weights/{number}": histogram for number in range(200)})
with trackai.init(project="sections", name="deep") as run:
    run.log({f"block{number // 10}/metric{number % 10}": 1.0 for number in range(5000)})
    run.log({f"net/layer{number // 20}/norm{number % 20}": 1.0 for number in range(1000)})
"""
# A page of ten metrics has 300, and the first rows of long tables have 2000.
MAX_ELEMENTS = 4000
MAX_WITHOUT_TABLES = 1000


def expect_drawn(page: Page, metric: str) -> None:
    """Wait until the chart of a metric is drawn on screen."""
    # Locators take seconds among thousands of figures.
    script = """metric => {
        const name = document.querySelector(`figcaption[title="${metric}"]`);
        const box = name?.closest("figure").querySelector("canvas")?.getBoundingClientRect();
        return box && box.bottom > 0 && box.top < innerHeight;
    }"""
    page.wait_for_function(script, arg=metric)


def elements(page: Page) -> int:
    count: int = page.evaluate("document.querySelectorAll('*').length")
    return count


@pytest.mark.parametrize(
    "address", ["project=1&run=1", "project=1", "project=1&run=1&tab=histograms"]
)
def test_only_the_first_cards_are_rendered(served: Server, page: Page, address: str) -> None:
    page.goto(f"{served.url}/?{address}")
    expect(page.locator("figure canvas").first).to_be_visible()
    assert elements(page) < MAX_ELEMENTS


def test_cards_are_rendered_where_the_charts_are_scrolled_to(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&run=1")
    expect(page.locator("figure canvas").first).to_be_visible()
    charts = page.locator("#charts")
    height = charts.evaluate("box => box.scrollHeight")
    charts.evaluate("box => box.scrollTo(0, box.scrollHeight / 4)")
    expect_drawn(page, "grad/1252")
    assert abs(charts.evaluate("box => box.scrollHeight") - height) < height / 100
    assert charts.evaluate("box => box.scrollTop") == pytest.approx(height / 4, abs=2)
    assert page.locator("figure").count() < 4000
    # The position is restored on the way back.
    page.get_by_role("tab", name="Files").click()
    page.go_back()
    expect_drawn(page, "grad/1252")
    charts.evaluate("box => box.scrollTo(0, box.scrollHeight)")
    expect_drawn(page, "grad/4999")


def test_scrolled_through_cards_are_removed_again(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1")
    expect(page.locator("figure canvas").first).to_be_visible()
    charts = page.locator("#charts")
    for part in range(1, 12):
        charts.evaluate("(box, part) => box.scrollTo(0, box.scrollHeight * part / 12)", part)
        expect(page.locator("figure canvas").first).to_be_attached()
        assert page.locator("figure").count() < 60
    charts.evaluate("box => box.scrollTo(0, 0)")
    expect_drawn(page, "grad/0")


@pytest.mark.parametrize("address", ["project=2", "project=2&run=2"])
def test_of_many_sections_only_the_first_is_open(served: Server, page: Page, address: str) -> None:
    page.goto(f"{served.url}/?{address}")
    expect(page.locator("figure canvas").first).to_be_visible()
    most = MAX_WITHOUT_TABLES if address == "project=2" else MAX_ELEMENTS
    assert elements(page) < most
    sections = page.locator(".section > summary")
    expect(sections.nth(0)).to_have_text("block0 10")
    expect(sections.nth(1)).to_have_text("block1 10")
    expect(page.locator(".section[open]")).to_have_count(1)
    sections.nth(1).click()
    expect_drawn(page, "block1/metric0")
    sections.nth(0).click()
    expect(page.locator('figcaption[title="block0/metric0"]')).to_have_count(0)
    page.goto(page.url)
    expect_drawn(page, "block1/metric0")
    expect(page.locator('figcaption[title="block0/metric0"]')).to_have_count(0)
    sections.nth(1).click()
    expect(page.locator("figure")).to_have_count(0)
    sections.nth(0).click()
    expect_drawn(page, "block0/metric0")
    expect(page).not_to_have_url(re.compile("opened=|closed="))


def test_sections_are_nested_by_further_parts_of_the_names(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=2&metrics=^net")
    expect_drawn(page, "net/layer0/norm0")
    sections = page.locator(".section > summary")
    expect(sections.nth(0)).to_have_text("net 1000")
    expect(sections.nth(1)).to_have_text("layer0 20")
    assert accessibility_violations(page) == []
    sections.nth(1).click()
    expect(sections.nth(2)).to_have_text("layer1 20")
    sections.nth(2).press("Enter")
    expect_drawn(page, "net/layer1/norm0")
    assert elements(page) < MAX_WITHOUT_TABLES
    page.locator("#charts").evaluate("box => box.scrollTo(0, box.scrollHeight)")
    expect(page.locator(".section > summary", has_text="layer49")).to_be_visible()


def test_search_finds_metrics_that_are_not_rendered(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&run=1&metrics=grad/4321")
    expect(page.get_by_role("figure")).to_have_count(1)
    expect(page.locator("figure canvas")).to_be_visible()


@pytest.mark.parametrize(
    ("name", "total", "last"),
    [("Summary", 5000, "grad/4999"), ("Configuration", 1000, "key999")],
)
def test_long_tables_are_shown_on_request(
    served: Server, page: Page, name: str, total: int, last: str
) -> None:
    page.goto(f"{served.url}/?project=1&run=1")
    table = page.get_by_role("region", name=name)
    expect(table.get_by_role("rowheader")).to_have_count(200)
    table.get_by_role("searchbox").fill(last)
    expect(table.get_by_role("rowheader")).to_have_text([last])
    table.get_by_role("searchbox").fill("")
    table.get_by_role("button", name=f"Show all {total:,} rows").click()
    expect(table.get_by_role("rowheader")).to_have_count(total)
