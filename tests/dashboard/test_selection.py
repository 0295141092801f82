"""Choosing runs and groups in the table, and what is done to all that are chosen."""

from __future__ import annotations

import csv
import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.conftest import serving
from tests.dashboard.conftest import accessibility_violations, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Locator, Page, Request

    from tests.conftest import Server

GROUPED = """
import trackai
for number in range(30):
    config = {"lr": [0.1, 0.01][number % 2], "size": number % 3}
    tags = ["even"] if number % 2 == 0 else ["odd", "all"]
    name, group = f"run {number}", "ab"[number % 2]
    with trackai.init(project="groups", name=name, group=group, config=config, tags=tags) as run:
        for step in range(5):
            run.log({"loss": float(number)}, step=step)
"""
MANY = 1500
# Bytes of a request for runs that does not list 1 500 ids.
SMALL = 2000


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Server]:
    """A server with a project of 1 500 runs, which the test may change."""
    path = tmp_path / "store" / "trackai.db"
    env = {**os.environ, "TRACKAI_DB_PATH": str(path)}
    script = "import trackai; trackai.init(project='many', name='first').finish()"
    subprocess.run([sys.executable, "-c", script], env=env, check=True)
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute(
            """
            WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?)
            INSERT INTO runs (uid, project_id, slug, state, created_at, updated_at)
            SELECT 'many-' || n, 1, 'r' || n, 'completed', n * 1000000, n * 1000000 FROM n
            """,
            (MANY - 1,),
        )
    with serving(path) as server:
        yield server


@pytest.fixture(scope="module")
def grouped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with thirty runs in groups."""
    path = tmp_path_factory.mktemp("store") / "store" / "trackai.db"
    env = {**os.environ, "TRACKAI_DB_PATH": str(path)}
    subprocess.run([sys.executable, "-c", GROUPED], env=env, check=True)
    with serving(path) as server:
        yield server


def _box(page: Page, name: str) -> Locator:
    return page.get_by_role("checkbox", name=f"Select {name}", exact=True)


def _all(page: Page) -> Locator:
    return page.get_by_role("checkbox", name="Select all runs")


def _actions(page: Page) -> Locator:
    return page.get_by_role("group", name="Selected runs")


def _count(server: Server, condition: str, project: int = 1) -> int:
    query = f"/api/runs?project_id={project}&filter={condition}&limit=1"
    return int(server.get(query)["total"])


def _sizes(page: Page) -> list[int]:
    """A list that gets the sizes of requests: of the body, or of the address."""
    sizes: list[int] = []

    def note(request: Request) -> None:
        sizes.append(max(len(request.url), len(request.post_data or "")))

    page.on("request", note)
    return sizes


def test_all_matching_runs_are_chosen_and_changed(served: Server, page: Page) -> None:
    sizes = _sizes(page)
    page.goto(f"{served.url}/?project=1&runs=0")
    _all(page).press("Space")
    expect(_all(page)).to_be_checked()
    expect(_actions(page)).to_contain_text("1,500 runs")
    expect(
        page.get_by_text("1,500 runs, 1,500 selected, the first 200 in the charts")
    ).to_be_visible()
    _box(page, "r1499").click()
    expect(_actions(page)).to_contain_text("1,499 runs")
    expect(_all(page)).to_have_js_property("indeterminate", True)
    # A link shows the same.
    page.reload()
    expect(_actions(page)).to_contain_text("1,499 runs")
    expect(_box(page, "r1499")).not_to_be_checked()
    expect(_box(page, "r1498")).to_be_checked()
    _actions(page).get_by_role("button", name="Tag", exact=True).click()
    dialog = page.get_by_role("dialog", name="Tag 1,499 runs")
    dialog.get_by_role("textbox").fill("kept")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Tagged 1,499 runs")).to_be_visible()
    assert (_count(served, "tag=kept"), _count(served, "tag=null")) == (1499, 1)
    _actions(page).get_by_role("button", name="Untag").click()
    page.get_by_role("dialog").get_by_role("textbox").fill("kept")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Untagged 1,499 runs")).to_be_visible()
    assert _count(served, "tag=kept") == 0
    assert max(sizes) < SMALL


def test_the_runs_of_a_filter_are_moved_and_deleted(served: Server, page: Page) -> None:
    sizes = _sizes(page)
    page.goto(f"{served.url}/?project=1&runs=0&filter=id+%3E+500")
    _all(page).click()
    # The choice stays when the filter goes.
    page.get_by_label("Filter runs").fill("")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1,500 runs, 1,000 selected")).to_be_visible()
    expect(_all(page)).to_have_js_property("indeterminate", True)
    expect(_box(page, "r1499")).to_be_checked()
    _actions(page).get_by_role("button", name="Move", exact=True).click()
    dialog = page.get_by_role("dialog", name="Move 1,000 runs")
    dialog.get_by_role("button", name="Move").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Enter the name of a project")
    dialog.get_by_role("combobox").fill("archive")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Moved 1,000 runs")).to_be_visible()
    assert (_count(served, "id>0"), _count(served, "id>0", 2)) == (500, 1000)
    page.goto(f"{served.url}/?project=2&runs=0")
    _all(page).click()
    _actions(page).get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog", name="Delete 1,000 runs?")
    expect(dialog).to_contain_text("r1499, r1498, r1497, r1496, r1495 and 995 more")
    # What begins after the question is not deleted.
    new = {"project_id": 2, "run_id": "new", "state": "completed"}
    assert served.request("POST", "/api/runs", new).status == 200
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Deleted 1,000 runs")).to_be_visible()
    expect(page.get_by_role("link", name="new")).to_be_visible()
    assert (_count(served, "id>0"), _count(served, "id>0", 2)) == (500, 1)
    assert max(sizes) < SMALL


def _checked(page: Page) -> Locator:
    return page.get_by_role("checkbox", name=re.compile("^Select run"), checked=True)


def test_runs_that_are_shown_by_default_are_not_chosen(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1")
    expect(page.get_by_text("Showing the 8 newest runs")).to_be_visible()
    expect(page.get_by_text("1,500 runs, 8 in the charts")).to_be_visible()
    expect(_box(page, "r1499")).not_to_be_checked()
    expect(_all(page)).to_have_js_property("indeterminate", False)
    expect(_actions(page)).to_have_count(0)
    for name in ("r1490", "r1488", "r1498"):
        _box(page, name).press("Space")
    expect(_actions(page)).to_contain_text("3 runs")
    expect(page.get_by_text("1,500 runs, 3 in the charts")).to_be_visible()
    _actions(page).get_by_role("button", name="Archive").click()
    expect(page.locator(".result")).to_have_text("Archived 3 runs")
    assert _count(served, "archived=true") == 3
    expect(page.get_by_text("Showing the 8 newest runs")).to_be_visible()
    # Undoing brings back the selection as well.
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".result")).to_have_text("Undone: 3 runs")
    expect(_actions(page)).to_contain_text("3 runs")
    for name in ("r1490", "r1488", "r1498"):
        expect(_box(page, name)).to_be_checked()
    expect(_box(page, "r1499")).not_to_be_checked()
    assert _count(served, "archived=true") == 0
    # Without any run left, the default is shown again.
    for name in ("r1490", "r1488", "r1498"):
        _box(page, name).press("Space")
    expect(page.get_by_text("Showing the 8 newest runs")).to_be_visible()


def test_undoing_leaves_a_later_choice_alone(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&runs=1400,1401")
    _actions(page).get_by_role("button", name="Move to trash").click()
    expect(page.locator(".result")).to_have_text("Moved to the trash: 2 runs")
    _box(page, "r1499").click()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".result")).to_have_text("Undone: 2 runs")
    expect(_actions(page)).to_contain_text("1 run")
    expect(_box(page, "r1499")).to_be_checked()


@pytest.mark.parametrize("name", ["Compare", "Media"])
def test_runs_that_are_shown_by_default_are_not_chosen_on_the_way_back(
    grouped: Server, page: Page, name: str
) -> None:
    page.goto(f"{grouped.url}/?project=1")
    page.get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("8 runs")
    page.get_by_role("link", name="← Back to project").click()
    expect(page.get_by_text("Showing the 8 newest runs")).to_be_visible()
    expect(_checked(page)).to_have_count(0)
    _box(page, "run 5").click()
    expect(_actions(page)).to_contain_text("1 run")
    expect(page).not_to_have_url(re.compile("default="))


def test_no_run_is_shown_when_asked_for(grouped: Server, page: Page) -> None:
    page.goto(f"{grouped.url}/?project=1")
    page.get_by_role("button", name="Show none").click()
    expect(page.get_by_text("30 runs, 0 in the charts")).to_be_visible()
    page.get_by_role("button", name="Show the newest runs").click()
    expect(page.get_by_text("30 runs, 8 in the charts")).to_be_visible()


def test_groups_that_are_shown_by_default_are_not_chosen(grouped: Server, page: Page) -> None:
    page.goto(f"{grouped.url}/?project=1&by=group")
    expect(page.locator(".means > span")).to_have_text(["a 15 runs", "b 15 runs"])
    group = page.get_by_role("checkbox", name="Select the runs of a")
    expect(group).not_to_be_checked()
    expect(_all(page)).not_to_be_checked()
    group.click()
    expect(_actions(page)).to_contain_text("15 runs")
    expect(page.locator(".means > span")).to_have_text(["a 15 runs"])


def test_chosen_runs_are_exported_and_compared(grouped: Server, page: Page) -> None:
    page.goto(f"{grouped.url}/?project=1&runs=0&filter=config.lr+%3D+0.1")
    _all(page).click()
    _box(page, "run 28").click()
    expect(_actions(page)).to_contain_text("14 runs")
    with page.expect_download() as download:
        _actions(page).get_by_role("link", name="Export").click()
    assert download.value.suggested_filename == "groups.jsonl"
    lines = [json.loads(line) for line in download.value.path().read_text().splitlines()]
    names = {line["name"] for line in lines if line["type"] == "run"}
    assert names == {f"run {number}" for number in range(0, 28, 2)}
    _actions(page).get_by_role("link", name="Compare").click()
    expect(page.get_by_role("heading", name="Compare 14 runs")).to_be_visible()
    page.get_by_role("link", name="← Back to project").click()
    expect(_actions(page)).to_contain_text("14 runs")
    page.get_by_role("button", name="Clear selection").click()
    expect(_actions(page)).to_have_count(0)
    expect(page.get_by_text("Showing the 8 newest runs")).to_be_visible()


def _drawn(page: Page) -> list[dict[str, Any]]:
    """The rows of the CSV file of the chart, as drawn."""
    chart = page.get_by_role("figure").first
    chart.locator("summary").click()
    with page.expect_download() as download:
        chart.get_by_role("button", name="CSV (as drawn)").click()
    return list(csv.DictReader(download.value.path().read_text().splitlines()))


def test_the_chart_of_a_group_is_of_all_its_runs(grouped: Server, page: Page) -> None:
    page.goto(f"{grouped.url}/?project=1&by=group")
    expect(page.locator(".means > span")).to_have_text(["a 15 runs", "b 15 runs"])
    expect(page.get_by_text("Showing all 30 runs")).to_be_visible()
    expect(page.get_by_text("30 runs in 2 groups, 30 in the charts")).to_be_visible()
    expect(page.locator("figure canvas")).to_be_visible()
    rows = _drawn(page)
    assert {(row["group"], row["runs"], row["value"]) for row in rows} == {
        ("a", "15", "14"), ("b", "15", "15"),
    }  # fmt: skip
    bands = {"deviation": "mean_minus_std", "error": "mean_minus_error", "range": "min"}
    for band, column in bands.items():
        page.get_by_label("Band").select_option(band)
        assert column in _drawn(page)[0]
    assert (rows[0]["mean_minus_std"], _drawn(page)[0]["min"]) != ("", "0.0")
    page.get_by_label("Band").select_option("quartiles")
    expect(page).to_have_url(re.compile("band=quartiles"))
    with page.expect_response("**/api/metrics/compare"):
        page.reload()
    expect(page.locator("figure canvas")).to_be_visible()
    row = _drawn(page)[0]
    assert (row["value"], row["low_quartile"], row["high_quartile"]) == ("14", "7", "21")


def test_runs_are_grouped_by_several_fields_and_by_tag(grouped: Server, page: Page) -> None:
    page.goto(f"{grouped.url}/?project=1&runs=0")
    page.get_by_label("Group by").select_option("config.lr")
    page.get_by_label("then by").select_option("config.size")
    expect(page.get_by_text("30 runs in 6 groups, 0 in the charts")).to_be_visible()
    group = page.get_by_role("checkbox", name="Select the runs of 0.1 · 2")
    group.click()
    expect(_actions(page)).to_contain_text("5 runs")
    expect(group).to_be_checked()
    expect(_all(page)).to_have_js_property("indeterminate", True)
    _all(page).click()
    expect(_actions(page)).to_contain_text("30 runs")
    group.click()
    expect(_actions(page)).to_contain_text("25 runs")
    expect(group).not_to_be_checked()
    expect(page.locator(".means > span")).to_have_count(5)
    page.get_by_label("Group by").select_option("tag")
    page.get_by_label("then by").first.select_option("")
    groups = page.locator(".row.group")
    expect(groups.locator("b")).to_have_text(["all", "even", "odd"])
    expect(groups.locator("small")).to_have_text(["15 runs"] * 3)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_selection_is_accessible(grouped: Server, browser: Browser, scheme: Any) -> None:
    page = browser.new_page(color_scheme=scheme, viewport={"width": 1400, "height": 900})
    page.goto(f"{grouped.url}/?project=1&by=group%2Cconfig.lr&select=id+%3E+0&except=3")
    expect(page.locator("figure canvas")).to_be_visible()
    expect(_actions(page)).to_contain_text("29 runs")
    assert accessibility_violations(page) == []
    _actions(page).get_by_role("button", name="Move", exact=True).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert accessibility_violations(page) == []
    page.close()


def _lines(page: Page) -> set[str]:
    return {row["run"] for row in _drawn(page)}


def test_an_eye_hides_the_line_of_a_chosen_run(grouped: Server, page: Page) -> None:
    page.goto(f"{grouped.url}/?project=1&runs=1,2,3")
    expect(page.locator("figure canvas")).to_be_visible()
    row = page.get_by_role("row").filter(has=_box(page, "run 1"))
    row.hover()
    row.get_by_role("button", name="Hide the line of run 1").click()
    expect(page).to_have_url(re.compile("hide=run"))
    expect(_box(page, "run 1")).to_be_checked()
    wait_until(page, lambda: _lines(page) == {"run 0", "run 2"})
    _box(page, "run 1").press("h")
    wait_until(page, lambda: _lines(page) == {"run 0", "run 1", "run 2"})


def test_a_colour_set_by_hand_is_kept(grouped: Server, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.goto(f"{grouped.url}/?project=1&runs=1,2")
    swatch = page.get_by_role("row").filter(has=_box(page, "run 0")).locator(".swatch")
    before = swatch.evaluate("swatch => getComputedStyle(swatch).color")
    page.get_by_label("Colour of run 0").fill("#123456")
    expect(swatch).to_have_css("color", "rgb(18, 52, 86)")
    page.reload()
    expect(swatch).to_have_css("color", "rgb(18, 52, 86)")
    swatch.dblclick()
    expect(swatch).to_have_css("color", before)
    page.close()


def test_a_row_lifts_its_line(grouped: Server, page: Page) -> None:
    page.goto(f"{grouped.url}/?project=1&runs=1,30")
    canvas = page.locator("figure canvas")
    expect(canvas).to_be_visible()
    pixels = "canvas => canvas.toDataURL()"
    before = canvas.evaluate(pixels)
    page.get_by_role("row").filter(has=_box(page, "run 0")).hover()
    wait_until(page, lambda: canvas.evaluate(pixels) != before)
    page.get_by_label("Filter runs").hover()
    wait_until(page, lambda: canvas.evaluate(pixels) == before)


def test_a_run_without_news_is_stalled(served: Server, page: Page) -> None:
    with closing(sqlite3.connect(served.db_path)) as conn, conn:
        conn.execute("UPDATE runs SET state = 'running' WHERE slug = 'r1499'")
    page.goto(f"{served.url}/?project=1")
    row = page.get_by_role("row").filter(has=_box(page, "r1499"))
    expect(row).to_contain_text("stalled")
    page.get_by_role("link", name="r1499").click()
    expect(page.get_by_text("Last seen")).to_be_visible()


def test_projects_are_renamed_and_deleted(served: Server, page: Page) -> None:
    for name in ("first", "second"):
        new = {"name": name, "project_id": name}
        assert served.request("POST", "/api/projects", new).status == 200
    page.goto(served.url)
    item = page.get_by_role("listitem").filter(has_text="second")
    item.hover()
    item.get_by_role("button", name="Rename second").click()
    field = page.get_by_label("New name for second")
    field.fill("third")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name=re.compile("^third"))).to_be_visible()
    page.get_by_role("button", name="Delete many").click()
    dialog = page.get_by_role("dialog", name="Delete many with 1,500 runs?")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("link", name=re.compile("^many"))).to_have_count(0)
    assert [project["name"] for project in served.get("/api/projects")] == ["third", "first"]


def test_notes_and_tags_are_edited_on_the_page_of_a_run(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?run=2")
    page.get_by_role("button", name="Edit notes").click()
    page.get_by_role("textbox", name="notes").fill("worth\nkeeping")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".notes")).to_contain_text("keeping")
    page.get_by_role("button", name="Edit notes").click()
    page.get_by_role("textbox", name="notes").fill("worth\nkeeping longer")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".notes")).to_contain_text("keeping longer")
    page.get_by_role("button", name="Edit tags").click()
    page.get_by_role("textbox", name="tags").fill("a, b\nc")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".about-run .tag")).to_have_text(["a, b", "c"])
    page.get_by_role("button", name="Edit tags").click()
    page.keyboard.press("Escape")
    run = served.get("/api/runs/2")
    assert (run["notes"], run["tags"]) == ("worth\nkeeping longer", ["a, b", "c"])


def test_columns_show_differences_to_the_baseline(grouped: Server, page: Page) -> None:
    page.goto(f"{grouped.url}/?project=1&columns=metric.loss%0Aconfig.size&sort=id&order=asc")
    row = page.get_by_role("row").filter(has=_box(page, "run 2"))
    other = page.get_by_role("row").filter(has=_box(page, "run 5"))
    row.hover()
    row.get_by_role("button", name="Compare the others with run 2").click()
    expect(page).to_have_url(re.compile("base=3"))
    expect(other.locator(".difference")).to_have_text(["+3", "±0"])
    expect(row.locator(".difference")).to_have_count(0)
    page.reload()
    expect(other.locator(".difference")).to_have_text(["+3", "±0"])
    _box(page, "run 2").press("b")
    expect(other.locator(".difference")).to_have_count(0)
