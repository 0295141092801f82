"""Columns of the table: figures by default, and columns that are moved, pinned and resized."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from tests.dashboard.conftest import accessibility_violations, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.conftest import Server

RUNS = """
import trackai
for number in range(30):
    config = {"lr": 10.0 ** -number, "width": 2 ** (number % 9), "kind": "ab"[number % 2]}
    group = "odd" if number % 2 else "even"
    with trackai.init(project="p", name=f"run {number}", group=group, config=config) as run:
        for step in range(3):
            run.log({
                "val/loss": 3.0 - step + number, "val/accuracy": step / 4, "epoch": step,
                "grad_norm/a": 1.0,
            }, step=step)
"""
COLUMNS = "config.lr%0Aconfig.width%0Aconfig.kind"


def head(page: Page, name: str) -> Locator:
    return page.get_by_role("columnheader", name=name, exact=True).or_(
        page.get_by_role("columnheader", name=re.compile(f"^{re.escape(name)} [↑↓]$"))
    )


def order(page: Page) -> list[str]:
    titles = page.locator(".head .cell button").all_inner_texts()
    return [title.rstrip(" ↓↑") for title in titles]


def width_of(element: Locator) -> float:
    box = element.bounding_box()
    assert box is not None
    return box["width"]


def parameter(page: Page, name: str) -> list[str]:
    return parse_qs(urlsplit(page.url).query).get(name, [""])[0].splitlines()


def drag(page: Page, source: Locator, x: float, target: Locator, share: float) -> None:
    """Drag from a place in an element, in pixels from its right edge, to a share of another."""
    start, end = source.bounding_box(), target.bounding_box()
    assert start is not None
    assert end is not None
    page.mouse.move(start["x"] + start["width"] - x, start["y"] + start["height"] / 2)
    page.mouse.down()
    page.mouse.move(end["x"] + end["width"] * share, end["y"] + 4, steps=6)
    page.mouse.up()


def test_figures_are_shown_by_default_as_many_as_fit(served: Server, page: Page) -> None:
    page.set_viewport_size({"width": 2400, "height": 900})
    page.goto(f"{served.url}/?project=1")
    expect(page.locator(".head .cell button")).to_have_count(6)
    assert order(page) == ["Run", "State", "min loss", "max accuracy", "epoch", "Created"]
    first = page.get_by_role("row").filter(has=page.get_by_role("link", name="run 0", exact=True))
    page.get_by_role("columnheader", name="Run", exact=True).get_by_role("button").click()
    expect(first.get_by_role("cell")).to_contain_text(["", "run 0", "completed", "1", "0.5", "2"])
    assert parameter(page, "columns") == []
    # They make room for the names, and the table does not scroll.
    page.set_viewport_size({"width": 1400, "height": 900})
    wait_until(page, lambda: len(order(page)) < 6)
    table = page.get_by_role("table", name="Runs")
    assert table.evaluate("table => table.scrollWidth <= table.clientWidth")
    # None at all is a choice, too.
    page.get_by_text("Columns (").click()
    page.get_by_role("button", name="Clear all").click()
    expect(page.locator(".head .cell button")).to_have_count(3)
    page.reload()
    expect(page.get_by_role("link", name="run 0", exact=True)).to_be_visible()
    assert order(page) == ["Run", "State", "Created"]
    page.get_by_text("Columns", exact=True).click()
    page.get_by_role("button", name="Restore defaults").click()
    wait_until(page, lambda: len(order(page)) > 3)


def test_columns_are_dragged(served: Server, page: Page) -> None:
    page.set_viewport_size({"width": 2400, "height": 900})
    page.goto(f"{served.url}/?project=1&columns={COLUMNS}&sort=id&order=asc")
    expect(head(page, "kind")).to_be_visible()
    drag(page, head(page, "kind"), 50, head(page, "lr"), 0.2)
    assert order(page) == ["Run", "State", "kind", "lr", "width", "Created"]
    assert parameter(page, "columns") == ["config.kind", "config.lr", "config.width"]
    # The drag did not sort.
    assert parameter(page, "sort") == ["id"]
    cells = page.get_by_role("row").nth(1).get_by_role("cell")
    expect(cells.nth(3)).to_have_text("a")
    drag(page, head(page, "State"), 50, head(page, "width"), 0.9)
    assert order(page) == ["Run", "kind", "lr", "width", "State", "Created"]
    expect(cells.nth(5)).to_have_text("completed")
    page.reload()
    expect(head(page, "kind")).to_be_visible()
    assert order(page) == ["Run", "kind", "lr", "width", "State", "Created"]
    # A click still sorts, and Escape ends a drag.
    head(page, "width").get_by_role("button").click()
    assert parameter(page, "sort") == ["config.width"]
    box = head(page, "lr").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 30, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + 230, box["y"] + 10, steps=4)
    page.keyboard.press("Escape")
    page.mouse.up()
    assert order(page) == ["Run", "kind", "lr", "width", "State", "Created"]


def test_columns_are_arranged_with_the_keyboard(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&columns={COLUMNS}")
    button = head(page, "width").get_by_role("button")
    button.focus()
    page.keyboard.press("Shift+ArrowLeft")
    assert order(page) == ["Run", "State", "width", "lr", "kind", "Created"]
    expect(head(page, "width").get_by_role("button")).to_be_focused()
    expect(page.get_by_text("width: moved to the left")).to_be_attached()
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    assert order(page) == ["Run", "State", "lr", "kind", "width", "Created"]
    page.keyboard.press("p")
    assert order(page) == ["Run", "width", "State", "lr", "kind", "Created"]
    expect(page.get_by_text("width: pinned")).to_be_attached()
    expect(head(page, "width").get_by_role("button")).to_be_focused()
    before = width_of(head(page, "width"))
    page.keyboard.press("]")
    page.keyboard.press("]")
    wait_until(page, lambda: width_of(head(page, "width")) == before + 32)
    assert parameter(page, "pinned") == ["config.width"]
    assert parameter(page, "widths") == ["136:config.width"]
    page.keyboard.press("p")
    assert parameter(page, "pinned") == []
    page.keyboard.press("Delete")
    assert order(page) == ["Run", "State", "lr", "kind", "Created"]
    expect(head(page, "Run").get_by_role("button")).to_be_focused()


def test_edges_are_dragged(served: Server, page: Page) -> None:
    page.set_viewport_size({"width": 2400, "height": 900})
    page.goto(f"{served.url}/?project=1&columns={COLUMNS}")
    for name, field in (("lr", "config.lr"), ("Run", "name")):
        column = head(page, name)
        edge = column.locator(".edge")
        box = column.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] - 3, box["y"] + 10)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] + 57, box["y"] + 10, steps=5)
        page.mouse.up()
        after = column.bounding_box()
        assert after is not None
        assert after["width"] == pytest.approx(box["width"] + 60, abs=1)
        assert f"{round(box['width'] + 60)}:{field}" in parameter(page, "widths")
        edge.dblclick()
        expect(page).not_to_have_url(re.compile(f"widths=[^&]*{field}"))
    assert parameter(page, "sort") == []


def test_pinned_columns_stay_beside_the_names(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&columns={COLUMNS}&pinned=config.kind%0Astate")
    expect(head(page, "kind")).to_be_visible()
    assert order(page) == ["Run", "kind", "State", "lr", "width", "Created"]
    table = page.get_by_role("table", name="Runs")
    row = page.get_by_role("row").nth(1).get_by_role("cell")

    def lefts() -> list[float]:
        boxes = [row.nth(cell).bounding_box() for cell in range(1, 6)]
        return [box["x"] for box in boxes if box is not None]

    before = lefts()
    table.evaluate("table => table.scrollTo(1000, 0)")
    after = lefts()
    assert after[:3] == before[:3]
    assert after[3] < before[3] - 40
    assert after[0] < after[1] < after[2]


def test_groups_keep_their_cells_in_any_order(served: Server, page: Page) -> None:
    columns = "metric.val/loss.min%0Astate%0Aconfig.lr"
    page.goto(f"{served.url}/?project=1&by=group&columns={columns}&pinned=metric.val/loss.min")
    group = page.locator(".row.group").first
    expect(group).to_contain_text("⌀")

    def left(cell: Locator) -> float:
        box = cell.bounding_box()
        assert box is not None
        return box["x"]

    assert left(group.locator(".cell").nth(1)) == left(head(page, "min loss"))
    assert left(group.locator(".cell").nth(3)) == left(head(page, "lr"))


def test_a_view_keeps_the_columns(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&columns={COLUMNS}&pinned=config.kind&widths=70:config.lr")
    page.get_by_text("Views", exact=True).click()
    page.get_by_role("button", name="New view…").click()
    page.get_by_label("Name", exact=True).fill("columns")
    page.get_by_role("button", name="Create", exact=True).click()
    page.get_by_role("button", name="Discard changes").click()
    wait_until(page, lambda: parameter(page, "columns") == [])
    expected = ["Run", "kind", "State", "lr", "width", "Created"]
    wait_until(page, lambda: order(page) == expected)
    view = parameter(page, "panels")[0]
    page.goto(f"{served.url}/?project=1&panels={view}")
    wait_until(page, lambda: order(page) == expected)
    box = head(page, "lr").bounding_box()
    assert box is not None
    assert box["width"] == 70
    # A change is of this reader until it is saved.
    head(page, "width").get_by_role("button").focus()
    page.keyboard.press("Delete")
    assert order(page) == ["Run", "kind", "State", "lr", "Created"]
    assert served.get(f"/api/views/{view}")["layout"]["table"]["columns"][-1] == "config.width"
    page.get_by_role("button", name="Edit view").click()
    page.get_by_role("button", name="Save view").click()
    expect(page.get_by_role("button", name="Edit view")).to_be_visible()
    assert parameter(page, "columns") == []
    assert order(page) == ["Run", "kind", "State", "lr", "Created"]
    stored = served.get(f"/api/views/{view}")["layout"]["table"]
    assert stored["pinned"] == ["config.kind"]
    assert "config.width" not in stored["columns"]


def test_the_menu_arranges_columns_on_a_phone(served: Server, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"{served.url}/?project=1&columns={COLUMNS}")
    expect(page.get_by_role("link", name="run 29")).to_be_visible()
    page.get_by_text("Columns (3)").click()
    page.get_by_role("button", name="Move to the left: width").click()
    page.get_by_role("button", name="Pin: kind").click()
    page.get_by_role("button", name="Narrower: lr").click()
    assert order(page) == ["Run", "kind", "State", "width", "lr", "Created"]
    assert parameter(page, "widths") == ["88:config.lr"]
    assert accessibility_violations(page) == []
    page.keyboard.press("Escape")
    # Names stay, and leave room for the rest.
    table = page.get_by_role("table", name="Runs")
    table.evaluate("table => table.scrollTo(1000, 0)")
    link = page.get_by_role("link", name="run 29").bounding_box()
    created = head(page, "Created").bounding_box()
    assert link is not None
    assert created is not None
    assert link["x"] >= 0
    assert created["x"] + created["width"] <= 390
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_arranged_columns_are_accessible(served: Server, page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(f"{served.url}/?project=1&columns={COLUMNS}&pinned=config.kind")
    expect(head(page, "kind")).to_be_visible()
    page.get_by_text("Columns (3)").click()
    expect(page.get_by_role("button", name="Pin: kind")).to_be_visible()
    assert accessibility_violations(page) == []
