"""Integers that a float cannot hold are exact in every view of the dashboard."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.dashboard.conftest import hover, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.conftest import Server

SEED = 2**63 - 1
NUMBER = 2**53 + 1
STEP = 2**61 + 1
RUNS = f"""
import trackai
for name, seed in (("first", {SEED}), ("second", {SEED} - 1), ("third", 5)):
    config = {{"seed": seed, "nested": {{"seeds": [seed, 4294967295]}}}}
    with trackai.init(project="p", name=name, config=config) as run:
        for step in range(3):
            run.log({{"hash": {NUMBER} + step}}, step={STEP} + 10_000 * step)
        run.log({{"table": trackai.Table(columns=["seed"], data=[[seed], [[seed]]])}})
"""


def test_page_of_a_run(served: Server, page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{served.url}/?project=1&run=1")
    config = page.get_by_role("region", name="Configuration")
    expect(config.get_by_role("row", name=re.compile("^seed"))).to_contain_text(str(SEED))
    config.get_by_role("button", name="Copy JSON").click()
    expect(config.get_by_role("button", name="Copied")).to_be_visible()
    copied = json.loads(page.evaluate("navigator.clipboard.readText()"))
    assert copied == {"seed": SEED, "nested": {"seeds": [SEED, 4294967295]}}
    config.get_by_role("row", name=re.compile("^seed")).hover()
    config.get_by_role("button", name="Copy seed", exact=True).click()
    wait_until(page, lambda: page.evaluate("navigator.clipboard.readText()") == str(SEED))
    summary = page.get_by_role("region", name="Summary").get_by_role("row", name="hash")
    expect(summary).to_contain_text(str(NUMBER + 2))
    expect(summary).to_contain_text(f"{NUMBER}@{STEP}")


def test_figures_of_a_run_stay_in_their_columns(served: Server, page: Page) -> None:
    page.set_viewport_size({"width": 1024, "height": 768})
    page.goto(f"{served.url}/?project=1&run=1")
    cells = page.get_by_role("region", name="Summary").get_by_role("cell")
    expect(cells).to_have_count(3)
    wide = "cells => cells.filter(({scrollWidth, clientWidth}) => scrollWidth > clientWidth).length"
    assert cells.evaluate_all(wide) == 0


def test_tooltip_and_downloads(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&run=1")
    chart = page.get_by_role("figure").filter(has=page.get_by_text("hash", exact=True))

    def last_point_is_read() -> bool:
        hover(chart.locator(".u-over"), 0.99, 0.5)
        return str(NUMBER + 2) in (chart.locator(".reading").text_content() or "")

    wait_until(page, last_point_is_read)
    expect(chart.get_by_text(f"step {STEP + 20_000}")).to_be_visible()
    for menu_item in ("CSV (as drawn)", "CSV (all points)"):
        chart.locator("summary").click()
        with page.expect_download() as download:
            chart.get_by_role("button", name=menu_item).click()
        rows = download.value.path().read_text().splitlines()
        assert f",{STEP + 20_000}," in rows[-1]
        assert f",{NUMBER + 2}" in rows[-1]


def test_table_of_runs_is_sorted_filtered_and_grouped(served: Server, page: Page) -> None:
    view = f"{served.url}/?project=1&columns=config.seed&sort=config.seed"
    seeds = page.locator(".row:not(.group) .cell.number")
    page.goto(f"{view}&order=asc")
    expect(seeds).to_have_text(["5", str(SEED - 1), str(SEED)])
    page.goto(f"{view}&order=desc")
    expect(seeds).to_have_text([str(SEED), str(SEED - 1), "5"])
    page.goto(f"{view}&filter=config.seed={SEED}")
    expect(seeds).to_have_text([str(SEED)])
    page.goto(f"{view}&by=config.seed&order=asc")
    groups = page.locator(".row.group b")
    expect(groups).to_have_text(["5", str(SEED - 1), str(SEED)])


def test_comparison_tells_neighbours_apart(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?view=compare&project=1&runs=1,2")
    header = page.get_by_role("rowheader", name="seed", exact=True)
    row = page.get_by_role("row").filter(has=header)
    expect(row.get_by_role("cell")).to_have_text([str(SEED), str(SEED - 1)])
    expect(row.locator(".other")).to_have_text(str(SEED - 1))


def test_logged_table(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&run=1&tab=files&file=table")
    expect(page.locator(".cells td")).to_have_text([str(SEED), f"[{SEED}]"])
