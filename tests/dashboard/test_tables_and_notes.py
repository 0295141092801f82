"""Logged tables and notes: searching, sorting, paging, media in cells, Markdown, copying."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.dashboard.conftest import accessibility_violations, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.conftest import Server

NOTES = """# Findings

The **learning rate** is too high:

- [x] see [the log](https://example.org/log)
- <script>document.title = "changed"</script>

| lr | loss |
| -- | ---: |
| 0.1 | 2.5 |

![plot](https://example.org/plot.png) [local](javascript:document.title='changed')
"""
RUNS = f"""
import numpy as np
import trackai
config = {{"lr": 0.1 + 0.2, "decay": [1 / 3, 0.5], "name": "0.30000000000000004"}}
with trackai.init(project="p", name="tables", notes={NOTES!r}, config=config) as run:
    for step in range(2):
        samples = trackai.Table(columns=["name", "score", "image"])
        for number in range(12):
            pixels = np.full((8, 8), 100 * step + number)
            samples.add_data(f"row{{number}}", 1 / (number + 1), trackai.Image(pixels))
        run.log({{"samples": samples}}, step=step)
    large = trackai.Table(columns=["id", "label", "share"])
    for number in range(100_000):
        large.add_data(number, f"item {{number * 7919 % 100_000}}", number / 7)
    run.log({{"large": large}})
    open("report.md", "w").write("# Report" + chr(10) * 2 + "It is *done*.")
    run.save("report.md")
"""
# Pages have 100 rows.
MAX_ELEMENTS = 1500


def _table(page: Page, served: Server, path: str) -> Locator:
    page.goto(f"{served.url}/?project=1&run=1&tab=files&file={path}")
    table = page.locator(".cells")
    expect(table.get_by_role("row").nth(1)).to_be_visible()
    return table


def _column(table: Locator, number: int) -> list[str]:
    return table.locator(f"tbody td:nth-child({number})").all_inner_texts()


def test_large_table_is_paged_sorted_and_searched(served: Server, page: Page) -> None:
    table = _table(page, served, "large")
    expect(table.locator("tbody tr")).to_have_count(100)
    assert page.evaluate("document.querySelectorAll('*').length") < MAX_ELEMENTS
    expect(page.get_by_text("rows 1 to 100", exact=True)).to_be_visible()
    expect(page.get_by_text("100,000 rows", exact=True)).to_be_visible()
    pages = page.get_by_label("Page of the table")
    pages.press("End")
    expect(table.locator("tbody td").first).to_have_text("99900")
    pages.press("ArrowLeft")
    expect(table.locator("tbody td").first).to_have_text("99800")

    label = table.get_by_role("columnheader", name="label")
    label.get_by_role("button").click()
    expect(label).to_have_attribute("aria-sort", "ascending")
    # By the numbers in the texts, from the first page on.
    expect(table.locator("tbody td:nth-child(2)").nth(2)).to_have_text("item 2")
    label.get_by_role("button").press("Enter")
    expect(label).to_have_attribute("aria-sort", "descending")
    expect(table.locator("tbody td:nth-child(2)").first).to_have_text("item 99999")

    search = page.get_by_role("searchbox", name="Search table")
    search.fill("ITEM 9999")
    expect(page.get_by_text("11 of 100,000 rows")).to_be_visible()
    assert _column(table, 2)[:2] == ["item 99999", "item 99998"]
    search.fill("nothing")
    expect(page.get_by_text("No rows match.")).to_be_visible()
    search.fill("")
    label.get_by_role("button").click()
    expect(label).not_to_have_attribute("aria-sort", re.compile("."))
    expect(table.locator("tbody td").first).to_have_text("0")
    assert accessibility_violations(page) == []


def test_cells_show_the_images_of_their_step(served: Server, page: Page) -> None:
    table = _table(page, served, "samples")
    images = table.get_by_role("img")
    expect(images).to_have_count(12)

    def files() -> list[str]:
        return images.evaluate_all("images => images.map(({ src }) => src)")  # type: ignore[no-any-return]

    wait_until(page, lambda: images.first.evaluate("image => image.naturalWidth") == 8)
    last = files()
    page.get_by_label("Step of samples").press("Home")
    expect(page.get_by_text("1 of 2")).to_be_visible()
    wait_until(page, lambda: len(files()) == 12 and not set(files()) & set(last))
    # They stay with their rows.
    first = files()
    score = table.get_by_role("columnheader", name="score")
    score.get_by_role("button").click()
    expect(table.locator("tbody td").first).to_have_text("row11")
    assert files() == first[::-1]
    assert accessibility_violations(page) == []


def test_floats_are_rounded_and_copied_in_full(served: Server, page: Page) -> None:
    table = _table(page, served, "samples")
    cell = table.locator("tbody tr").nth(2).locator("td").nth(1)
    expect(cell).to_have_text("0.33333")
    expect(cell).to_have_attribute("title", "0.3333333333333333")
    # An exact value needs no second text.
    expect(table.locator("tbody tr").nth(1).locator("td").nth(1)).not_to_have_attribute(
        "title", re.compile(".")
    )
    copied = page.evaluate(
        """() => {
            const rows = document.querySelectorAll(".cells tbody tr");
            getSelection().setBaseAndExtent(rows[1], 0, rows[2].cells[1], 1);
            const event = new ClipboardEvent("copy", {
                bubbles: true, cancelable: true, clipboardData: new DataTransfer(),
            });
            rows[1].dispatchEvent(event);
            return event.clipboardData.getData("text/plain");
        }"""
    )
    first, second = copied.split("\n")
    assert first.split("\t")[:2] == ["row1", "0.5"]
    assert second.split("\t")[:2] == ["row2", "0.3333333333333333"]


def test_configuration_is_rounded(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&run=1")
    table = page.get_by_role("region", name="Configuration")
    rows = {
        name: table.get_by_role("row").filter(has=page.get_by_role("rowheader", name=name))
        for name in ("lr", "decay", "name")
    }
    expect(rows["lr"].locator("td span").first).to_have_text("0.3")
    expect(rows["lr"].locator("td")).to_have_attribute("title", "0.30000000000000004")
    expect(rows["decay"].locator("td span").first).to_have_text("[0.33333,0.5]")
    # A text stays as it is.
    expect(rows["name"].locator("td span").first).to_have_text("0.30000000000000004")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_notes_are_markdown_without_html(served: Server, page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(f"{served.url}/?project=1&run=1")
    notes = page.locator(".notes")
    expect(notes.get_by_role("heading", name="Findings")).to_be_visible()
    expect(notes.locator("strong")).to_have_text("learning rate")
    expect(notes.get_by_role("checkbox")).to_be_checked()
    expect(notes.get_by_role("cell", name="2.5")).to_be_visible()
    expect(notes.get_by_text("<script>")).to_be_visible()
    links = notes.get_by_role("link")
    expect(links).to_have_text(["the log", "plot"])
    for link in links.all():
        expect(link).to_have_attribute("rel", re.compile("noopener"))
        expect(link).to_have_attribute("target", "_blank")
    expect(notes.locator("script, img")).to_have_count(0)
    expect(page).not_to_have_title("changed")
    assert accessibility_violations(page) == []


def test_markdown_is_loaded_only_when_it_is_shown(served: Server, page: Page) -> None:
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.goto(f"{served.url}/?project=1")
    expect(page.get_by_role("link", name="tables")).to_be_visible()
    assert not [url for url in requested if "markdown" in url]
    page.get_by_role("link", name="tables").click()
    expect(page.locator(".notes strong")).to_be_visible()
    assert len([url for url in requested if "markdown" in url]) == 1


def test_markdown_files_are_rendered(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&run=1&tab=files&file=report.md")
    file = page.get_by_role("region", name="report.md")
    expect(file.get_by_role("heading", name="Report", exact=True)).to_be_visible()
    expect(file.locator("em")).to_have_text("done")
