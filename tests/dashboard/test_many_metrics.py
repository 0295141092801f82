"""Runs with thousands of metrics and keys: what is not on screen is not rendered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

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
"""
# A page of ten metrics has 300.
MAX_ELEMENTS = 5000


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
