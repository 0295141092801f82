"""The table of runs: groups, columns, selection, tags, deletion, many rows and errors."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from tests.conftest import serving
from tests.dashboard.conftest import accessibility_violations, hover, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page

    from tests.conftest import Server

RUNS = """
import trackai
for number in range(12):
    config = {"lr": 0.1 if number % 3 else 1.0, "net": {"name": "big" if number < 4 else "small"}}
    name, group = f"run {number}", "ab"[number % 2]
    with trackai.init(project="table", name=name, group=group, config=config) as run:
        for step in range(5):
            run.log({"val/loss": (number + 1) / (step + 1)}, step=step)
"""
MANY = 10_000


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a project of twelve runs and a project of ten thousand."""
    path = tmp_path_factory.mktemp("store") / "store" / "trackai.db"
    env = {**os.environ, "TRACKAI_DB_PATH": str(path)}
    subprocess.run([sys.executable, "-c", RUNS], env=env, check=True)
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("INSERT INTO projects VALUES (2, 'many', 'many', 0, 0)")
        conn.execute(
            """
            WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < ?)
            INSERT INTO runs (uid, project_id, slug, state, created_at, updated_at)
            SELECT 'many-' || n, 2, 'r' || n, 'completed', n * 1000000, n * 1000000 FROM n
            """,
            (MANY - 1,),
        )
    with serving(path) as server:
        yield server


@pytest.fixture
def project_url(served: Server) -> str:
    """The URL of a project of three runs that the test may change."""
    number = len(served.get("/api/projects"))
    name = f"fresh {number}"
    project = served.request("POST", "/api/projects", {"name": name, "project_id": name}).json
    for run in ("one", "two", "three"):
        new = {"project_id": project["id"], "run_id": run, "state": "completed"}
        assert served.request("POST", "/api/runs", new).status == 200
    return f"{served.url}/?project={project['id']}"


def _rows(page: Page) -> Locator:
    return page.get_by_role("table", name="Runs").get_by_role("row")


def _checkbox(page: Page, name: str) -> Locator:
    return page.get_by_role("checkbox", name=f"Select {name}", exact=True)


def test_groups_show_counts_and_means_and_expand(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&columns=metric.val/loss.min")
    page.get_by_label("Group by").select_option("net/name")
    expect(page.get_by_text("12 runs in 2 groups")).to_be_visible()
    small = _rows(page).filter(has=page.get_by_role("button", name=re.compile("^small")))
    expect(small).to_contain_text("8 runs")
    expect(small).to_contain_text("1.7")  # the mean of 5/5 to 12/5
    button = small.get_by_role("button")
    expect(button).to_have_attribute("aria-expanded", "false")
    button.press("Enter")
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(_rows(page)).to_have_count(1 + 2 + 8)
    expect(page.get_by_role("link", name="run 11")).to_be_visible()
    page.goto(page.url)  # expanded groups are in the URL
    expect(_rows(page)).to_have_count(1 + 2 + 8)
    page.get_by_label("Filter runs").fill("config.lr = 1")
    page.get_by_label("Filter runs").press("Enter")
    expect(_rows(page)).to_have_count(1 + 2 + 2)
    page.get_by_role("button", name=re.compile("^small")).click()
    expect(_rows(page)).to_have_count(1 + 2)


def test_columns_and_their_figures_are_chosen(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&sort=id&order=asc")
    page.get_by_text("Columns").click()
    for heading, column in (("Metrics", "val/loss"), ("Configuration", "net/name"), ("Run", "tag")):
        group = page.get_by_role("group", name=heading, exact=True)
        expect(group.get_by_role("checkbox", name=column, exact=True)).to_be_attached()
    page.get_by_role("searchbox", name="Search columns").fill("loss")
    page.get_by_role("checkbox", name="val/loss").check()
    first = _rows(page).nth(1)
    expect(first).to_contain_text("0.2")
    page.get_by_label("Figure of val/loss").select_option("max")
    expect(page).to_have_url(re.compile("columns=metric.val%2Floss.max"))
    expect(first.get_by_role("cell").nth(3)).to_have_text("1")
    page.get_by_role("searchbox", name="Search columns").fill("net")
    page.get_by_role("checkbox", name="net/name").check()
    expect(first).to_contain_text("big")
    page.keyboard.press("Escape")
    expect(page.get_by_role("searchbox", name="Search columns")).to_be_hidden()
    expect(page.locator("summary", has_text="Columns (2)")).to_be_focused()
    page.get_by_text("Help").click()
    expect(page.get_by_text("Enter part of a name")).to_be_visible()
    page.get_by_role("heading", name="table").click()
    expect(page.get_by_text("Enter part of a name")).to_be_hidden()
    header = page.get_by_role("columnheader", name="net/name")
    header.get_by_role("button").click()
    expect(_rows(page).nth(1)).to_contain_text("big")  # text sorts from A to Z
    expect(header).to_have_attribute("aria-sort", "ascending")
    header.get_by_role("button").click()
    expect(_rows(page).nth(1)).to_contain_text("small")


def test_columns_that_end_alike_have_different_headers(served: Server, page: Page) -> None:
    fields = ["metric.train/accuracy.max", "metric.val/accuracy.max", "config.lr", "metric.lr"]
    page.goto(f"{served.url}/?project=1&columns={'%0A'.join(fields)}")
    headers = page.get_by_role("columnheader").get_by_role("button")
    qualified = ["max train/accuracy", "max val/accuracy", "config.lr", "metric.lr"]
    expect(headers).to_have_text(["Run", "State", *qualified, "Created ↓"])
    expect(headers.nth(2)).to_have_attribute(
        "title", re.compile(r"^Sort by metric\.train/accuracy\.max")
    )


def test_groups_are_sorted_by_value_and_mean(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&by=config.net/name&columns=metric.val/loss.max")
    groups = page.locator(".row.group b")
    expect(groups).to_have_text(["small", "big"])  # the larger group first
    mean = page.get_by_role("columnheader", name="max").get_by_role("button")
    mean.click()
    expect(groups).to_have_text(["small", "big"])
    mean.click()
    expect(groups).to_have_text(["big", "small"])
    value = page.get_by_role("columnheader", name="Run").get_by_role("button")
    value.click()
    expect(groups).to_have_text(["big", "small"])
    value.click()
    expect(groups).to_have_text(["small", "big"])


def test_runs_are_sorted_by_displayed_name(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&sort=name&order=desc")
    expect(_rows(page).nth(1)).to_contain_text("run 9")
    page.get_by_role("columnheader", name="Run").get_by_role("button").click()
    expect(_rows(page).nth(1)).to_contain_text("run 0")
    expect(page).to_have_url(re.compile("sort=name&order=asc"))


def test_run_is_renamed_in_its_row(served: Server, page: Page, project_url: str) -> None:
    page.goto(f"{project_url}&sort=id&order=asc")
    page.get_by_role("link", name="one").press("F2")
    page.keyboard.insert_text("renamed")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="renamed")).to_be_visible()
    project = project_url.rpartition("=")[2]
    assert served.get(f"/api/runs?project_id={project}&search=renamed")["total"] == 1
    expect(page.get_by_role("button", name="Rename renamed")).to_be_focused()


def test_selected_runs_are_tagged_and_deleted(served: Server, page: Page, project_url: str) -> None:
    page.goto(f"{project_url}&runs=0")
    expect(page.get_by_role("group", name="Selected runs")).to_have_count(0)
    _checkbox(page, "one").check()
    _checkbox(page, "two").check()
    actions = page.get_by_role("group", name="Selected runs")
    expect(actions).to_contain_text("2 runs")
    actions.get_by_role("button", name="Tag", exact=True).click()
    dialog = page.get_by_role("dialog", name="Tag 2 runs")
    dialog.get_by_role("button", name="Tag").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Enter one or more tags")
    dialog.get_by_role("textbox").fill("good, kept")
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    expect(page.locator(".tags")).to_have_text(["good+1"] * 2)
    expect(page.get_by_title("good, kept")).to_have_count(2)
    assert _delay_ms(page, "/api/runs/bulk", "/api/runs?") < 1000
    actions.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog", name="Delete 2 runs?")
    expect(dialog).to_contain_text("one, two")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Enter")  # Cancel has the focus
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(_rows(page)).to_have_count(4)
    actions.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(_rows(page)).to_have_count(2)
    expect(page.get_by_role("link", name="three")).to_be_visible()
    assert "runs=" not in page.url
    expect(page.get_by_role("table", name="Runs")).to_be_focused()
    assert _delay_ms(page, "/api/runs/bulk", "/api/runs?") < 1000


def _delay_ms(page: Page, first: str, second: str) -> float:
    """Milliseconds from the last response for `first` to the next request for `second`.

    Both are parts of URLs.
    """
    return float(
        page.evaluate(
            """([first, second]) => {
                const entries = performance.getEntriesByType("resource");
                const end = entries.findLast((entry) => entry.name.includes(first)).responseEnd;
                const later = entries.filter((entry) => entry.startTime >= end);
                return later.find((entry) => entry.name.includes(second)).startTime - end;
            }""",
            [first, second],
        )
    )


def test_skip_link_jumps_over_the_table(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1")
    expect(_rows(page)).to_have_count(13)
    page.get_by_role("button", name="Keyboard shortcuts").press("Tab")  # the last of the header
    skip = page.get_by_role("link", name="Skip to charts")
    expect(skip).to_be_focused()
    skip.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Search metrics")).to_be_focused()
    page.get_by_role("link", name="run 11").press("Tab")  # a row has two tab stops
    expect(_checkbox(page, "run 10")).to_be_focused()


def test_hidden_runs_do_not_apply_to_means(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&hide=run+12&mean=all")
    expect(page.locator("figure canvas")).to_be_visible()
    hidden = page.get_by_role("button", name="Show 1 hidden")
    expect(hidden).to_have_count(0)
    page.get_by_label("Lines").select_option("none")
    hidden.click()
    expect(page).not_to_have_url(re.compile("hide="))


def test_shift_click_selects_a_range(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&runs=0&sort=id&order=asc")
    _checkbox(page, "run 2").click()
    _checkbox(page, "run 6").click(modifiers=["Shift"])
    expect(page.get_by_text("5 in the charts")).to_be_visible()
    _checkbox(page, "run 4").click()
    expect(page.get_by_text("4 in the charts")).to_be_visible()


def test_select_all_selects_the_matching_runs(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&runs=1&filter=group=a")
    box = page.get_by_role("checkbox", name="Select all runs")
    expect(box).to_have_js_property("indeterminate", True)
    box.click()
    expect(page.get_by_text("6 runs, 6 in the charts")).to_be_visible()
    expect(
        page.get_by_role("checkbox", name=re.compile("^Select run"), checked=True)
    ).to_have_count(6)
    expect(box).to_be_checked()
    page.get_by_role("button", name="Delete").click()
    names = "run 10, run 8, run 6, run 4, run 2 and 1 more"
    expect(page.get_by_role("dialog")).to_contain_text(names)
    page.keyboard.press("Escape")
    box.click()
    expect(page.get_by_role("checkbox", name=re.compile("^Select"), checked=True)).to_have_count(0)
    expect(page.get_by_role("group", name="Selected runs")).to_have_count(0)
    expect(page.get_by_text("Showing the 6 newest runs")).to_be_visible()
    page.goto(f"{served.url}/?project=2&runs=0&sort=id")
    box.click()
    expect(page.get_by_text("200 in the charts")).to_be_visible()


def _colours(swatches: Locator) -> list[str]:
    style = "all => all.map((swatch) => getComputedStyle(swatch).color)"
    return list(swatches.evaluate_all(style))


def test_group_is_selected_and_has_one_colour(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&by=config.net/name&runs=0")
    boxes = [page.get_by_label(f"Select the runs of {group}") for group in ("small", "big")]
    for box, selected in zip(boxes, (8, 12), strict=True):
        box.click()
        expect(page.get_by_text(f"{selected} in the charts")).to_be_visible()
        expect(box).to_be_checked()
    expect(page.locator(".means > span")).to_have_text(["big 4 runs", "small 8 runs"])
    swatches = page.locator(".row.group .swatch")
    expect(swatches).to_have_count(2)
    assert _colours(swatches) == _colours(page.locator(".means .swatch"))[::-1]
    page.get_by_role("button", name=re.compile("^big")).click()
    _checkbox(page, "run 3").click()
    expect(boxes[1]).to_have_js_property("indeterminate", True)
    assert set(_colours(page.locator(".row.on .swatch"))) == {"rgba(0, 0, 0, 0)"}
    boxes[0].click()
    expect(page.get_by_text("3 in the charts")).to_be_visible()
    page.get_by_label("Lines").select_option("none")
    expect(page.locator(".means")).to_have_count(0)
    assert "rgba(0, 0, 0, 0)" not in _colours(page.locator(".row.on .swatch"))


def test_group_keeps_its_colour_if_another_lacks_the_metric(
    served: Server, page: Page, project_url: str
) -> None:
    project = int(project_url.rpartition("=")[2])
    for group, metric in (("a", "x"), ("b", "y")):
        new = {"project_id": project, "run_id": group, "group_name": group, "state": "completed"}
        run = served.request("POST", "/api/runs", new).json["id"]
        points = {"rows": [{"step": step, "values": {metric: 1.0}} for step in range(3)]}
        assert served.request("POST", f"/api/metrics/runs/{run}", points).status == 200
    page.goto(f"{project_url}&mean=group&metrics=y")
    expect(page.locator(".means > span")).to_have_text(["a 1 run", "b 1 run", "(none) 3 runs"])
    readings = page.locator(".reading .swatch")
    over = page.locator("figure .u-over")

    def is_read() -> bool:
        hover(over, 0.5, 0.5)
        return readings.count() == 1

    wait_until(page, is_read)
    assert _colours(readings) == _colours(page.locator(".means .swatch"))[1:2]


def test_selected_run_has_one_colour_everywhere(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&runs=0&sort=id&order=asc")
    _checkbox(page, "run 3").check()
    row = _rows(page).filter(has_text="run 3")
    dot = _colours(row.locator(".swatch"))[0]
    canvas = page.locator("figure canvas").first
    expect(canvas).to_be_visible()
    red, green, blue = map(int, re.findall(r"\d+", dot))
    drawn = canvas.evaluate(
        """(canvas, [red, green, blue]) => {
            const { width, height } = canvas;
            const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
            for (let at = 0; at < data.length; at += 4) {
                const same = data[at] === red && data[at + 1] === green;
                if (same && data[at + 2] === blue) return true;
            }
            return false;
        }""",
        [red, green, blue],
    )
    assert drawn


def test_only_visible_rows_of_ten_thousand_are_rendered(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=2&sort=id&order=asc")
    expect(page.get_by_text("10,000 runs")).to_be_visible()
    table = page.get_by_role("table", name="Runs")
    expect(table).to_have_attribute("aria-rowcount", str(MANY + 1))
    for share, run in ((0.5, "r5000"), (1, f"r{MANY - 1}"), (0, "r0")):
        table.evaluate("(table, share) => table.scrollTo(0, table.scrollHeight * share)", share)
        expect(page.get_by_role("link", name=run, exact=True)).to_be_visible()
        assert _rows(page).count() < 80


def test_empty_table_says_what_to_do(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&filter=tag=nowhere")
    page.get_by_role("button", name="Clear filter").click()
    expect(_rows(page)).to_have_count(13)
    project = served.request("POST", "/api/projects", {"name": "empty", "project_id": "empty"}).json
    page.goto(f"{served.url}/?project={project['id']}")
    expect(page.get_by_text("trackai.init(project=")).to_be_visible()


def test_going_back_restores_the_view(served: Server, page: Page) -> None:
    view = "filter=group+%3D+a&sort=name&order=asc&columns=config.lr&by=state&runs=1,3&smooth=0.5"
    page.goto(f"{served.url}/?project=1&{view}&range=step%3A1%3A3&hide=run+3")
    before = parse_qs(urlsplit(page.url).query)
    page.get_by_role("button", name=re.compile("^completed")).click()
    page.get_by_role("link", name="run 2", exact=True).click()
    expect(page.get_by_role("heading", name="run 2")).to_be_visible()
    expect(page.get_by_role("button", name="Reset zoom")).to_be_visible()
    page.locator("figure .u-over").hover()
    expect(page.get_by_role("figure")).to_contain_text("run 2")  # only the project hides it
    page.get_by_role("tab", name=re.compile("Files")).click()
    page.get_by_role("link", name="Back to project").click()
    expect(_rows(page)).to_have_count(1 + 1 + 6)
    after = parse_qs(urlsplit(page.url).query)
    assert after == {**before, "open": ['state = "completed"']}
    page.get_by_role("link", name="Compare").click()
    page.get_by_role("link", name="run 0").first.click()
    page.get_by_role("link", name="Back to project").click()
    expect(_rows(page)).to_have_count(1 + 1 + 6)
    assert parse_qs(urlsplit(page.url).query) == after


def test_empty_trash_says_so(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&show=trash")
    expect(page.get_by_text("The trash is empty.")).to_be_visible()
    expect(page.get_by_text("No runs yet")).to_have_count(0)


def test_going_back_before_the_rows_are_there_reads_the_first_ones_again(
    served: Server, browser: Browser
) -> None:
    page = browser.new_page()  # the clock is that of a context
    page.clock.install(time=0)
    page.goto(f"{served.url}/?project=1")
    expect(page.get_by_role("row")).to_have_count(13)
    page.clock.pause_at(60)
    expect(page.get_by_role("row")).to_have_count(13)
    # The rows in another order are not answered.
    page.route("**/api/runs?*sort_by=name*", lambda _: None)
    page.get_by_role("columnheader", name="Run").get_by_role("button").first.click()
    expect(page.get_by_text("Loading…")).to_be_visible()
    page.go_back()
    page.clock.run_for(100)  # the next poll is seconds away
    expect(page.get_by_role("row")).to_have_count(13)
    page.close()


def test_going_back_restores_the_scroll_position(served: Server, page: Page) -> None:
    page.set_viewport_size({"width": 1400, "height": 360})
    page.goto(f"{served.url}/?project=1&sort=id&order=asc&by=state&open=state+%3D+%22completed%22")
    expect(page.locator("figure canvas")).to_be_visible()
    table, charts = page.get_by_role("table", name="Runs"), page.locator(".charts")
    for box, top in ((table, 150), (charts, 20)):
        box.evaluate("(box, top) => box.scrollTo(0, top)", top)
    run = page.get_by_role("link", name="run 6", exact=True)
    run.click()
    page.go_back()
    expect(table).to_have_js_property("scrollTop", 150)
    expect(charts).to_have_js_property("scrollTop", 20)
    run.click()
    page.get_by_role("tab", name=re.compile("Files")).click()
    page.get_by_role("link", name="Back to project").click()
    expect(table).to_have_js_property("scrollTop", 150)
    expect(charts).to_have_js_property("scrollTop", 20)
    page.get_by_role("columnheader", name="Created").get_by_role("button").click()
    expect(table).to_have_js_property("scrollTop", 0)
    page.go_back()
    expect(table).to_have_js_property("scrollTop", 150)


def test_page_titles_name_the_run_and_the_project(served: Server, page: Page) -> None:
    page.goto(served.url)
    expect(page).to_have_title("TrackAI")
    page.get_by_role("link", name=re.compile("^table")).click()
    expect(page).to_have_title("table · TrackAI")
    page.get_by_role("link", name="run 2", exact=True).click()
    expect(page).to_have_title("run 2 · table · TrackAI")
    page.go_back()
    page.get_by_role("link", name="Compare").click()
    expect(page).to_have_title("Compare · table · TrackAI")


def test_the_end_of_a_long_name_stays_visible(served: Server, page: Page, project_url: str) -> None:
    project = project_url.rpartition("=")[2]
    runs = served.get(f"/api/runs?project_id={project}")["runs"]
    names = [f"{'sweep-with-a-long-name-' * 4}lr-0.0{run['id']}" for run in runs]
    for run, name in zip(runs, names, strict=True):
        assert served.request("PATCH", f"/api/runs/{run['id']}", {"name": name}).status == 200
    page.goto(project_url)
    for name in names:
        link = page.get_by_role("link", name=name, exact=True)
        expect(link).to_have_attribute("title", re.compile(f"^{re.escape(name)}"))
        end, cell = link.locator("span").last, link.locator("xpath=..")
        expect(end).to_have_text(name[-14:])
        inner, outer = end.bounding_box(), cell.bounding_box()
        assert inner is not None
        assert outer is not None
        assert inner["x"] + inner["width"] <= outer["x"] + outer["width"]


def test_a_long_name_on_a_phone_shows_that_it_is_cut(
    served: Server, page: Page, project_url: str
) -> None:
    project = project_url.rpartition("=")[2]
    [run, *_] = served.get(f"/api/runs?project_id={project}")["runs"]
    name = "a-name-that-is-much-longer-than-the-column-of-names-on-a-phone"
    assert served.request("PATCH", f"/api/runs/{run['id']}", {"name": name}).status == 200
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(project_url)
    link = page.get_by_role("link", name=name, exact=True)
    start, end = (link.locator("span span").nth(index).bounding_box() for index in (0, 1))
    cell = link.locator("xpath=..").bounding_box()
    assert start is not None
    assert end is not None
    assert cell is not None
    # An ellipsis, and then as much of the end as there is room for.
    assert start["width"] > 8
    assert start["x"] >= cell["x"]
    assert end["x"] + end["width"] <= cell["x"] + cell["width"] + 1


def test_name_is_visible_beside_long_tags(served: Server, page: Page, project_url: str) -> None:
    project = project_url.rpartition("=")[2]
    runs = served.get(f"/api/runs?project_id={project}")["runs"]
    tags = ["a-very-long-tag-" * 6, "another", "third", "fourth", "fifth", "sixth"]
    change = {"run_ids": [run["id"] for run in runs], "add": tags}
    assert served.request("POST", "/api/runs/tags", change).status == 200
    page.goto(project_url)
    for name in ("one", "two", "three"):
        link = page.get_by_role("link", name=name, exact=True)
        expect(link).to_be_visible()
        assert link.evaluate("link => link.scrollWidth <= link.clientWidth || !link.clientWidth")
        box, cell = link.bounding_box(), link.locator("xpath=..").bounding_box()
        assert box is not None
        assert cell is not None
        assert box["x"] + box["width"] <= cell["x"] + cell["width"]
        assert box["width"] > 10


@pytest.mark.parametrize("width", [390, 1024])
def test_narrow_table_shows_all_columns(served: Server, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{served.url}/?project=1")
    expect(_rows(page)).to_have_count(13)
    table = page.get_by_role("table", name="Runs")
    assert table.evaluate("table => table.scrollWidth <= table.clientWidth")
    for cell in (page.locator(".completed").first, page.get_by_role("button", name="Created")):
        assert cell.evaluate("cell => cell.scrollWidth <= cell.clientWidth")


def test_plain_word_filters_by_name(served: Server, page: Page, project_url: str) -> None:
    page.goto(f"{served.url}/?project=1")
    box = page.get_by_label("Filter runs")
    for text, count in {
        "RUN 1": 3, '"run 1"': 3, 'name = "run 1"': 1, "run 99": 0, "config.lr = 1": 4,
    }.items():  # fmt: skip
        box.fill(text)
        box.press("Enter")
        expect(page.get_by_text(re.compile(f"^{count} runs?, "))).to_be_visible()
        expect(_rows(page)).to_have_count(1 + count)
    page.goto(f"{project_url}&filter=t")  # a run without a name shows its slug
    expect(_rows(page)).to_have_count(3)


INVALID = {
    "filter=zzz<1": "filter", "sort=zzz": "sort field", "order=up": "sort order",
    "columns=zzz": "columns", "by=zzz": "grouping",
}  # fmt: skip


@pytest.mark.parametrize("parameter", INVALID)
def test_invalid_parameter_is_ignored_with_a_message(
    served: Server, browser: Browser, parameter: str
) -> None:
    page = browser.new_page()  # the `page` fixture fails on the status in the console
    page.goto(f"{served.url}/?project=1&{parameter}")
    expect(page.get_by_role("alert")).to_contain_text(f"{INVALID[parameter]} ignored")
    expect(_rows(page)).to_have_count(13)
    expect(page.locator("figure canvas").first).to_be_visible()
    page.get_by_label("Filter runs").fill("group = a")
    page.get_by_label("Filter runs").press("Enter")
    expect(_rows(page)).to_have_count(7)
    page.close()


def test_all_runs_cannot_be_chosen_with_an_invalid_filter(served: Server, browser: Browser) -> None:
    page = browser.new_page()  # the `page` fixture fails on the status in the console
    page.goto(f"{served.url}/?project=1&filter=zzz<1")
    expect(page.get_by_role("alert")).to_contain_text("filter ignored")
    box = page.get_by_role("checkbox", name="Select all runs")
    expect(box).to_be_disabled()
    page.get_by_label("Filter runs").fill("group = a")
    page.get_by_label("Filter runs").press("Enter")
    expect(_rows(page)).to_have_count(7)
    expect(box).to_be_enabled()
    page.close()


def test_link_selects_runs_outside_the_filter(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&filter=group=a&runs=2")
    canvas = page.locator("figure .u-over").first
    expect(canvas).to_be_visible()
    canvas.hover()
    expect(page.get_by_role("figure").first).to_contain_text("run 1")


def test_link_selects_many_runs(served: Server, page: Page) -> None:
    first = served.get("/api/runs?project_id=2&sort_by=id&sort_order=asc&limit=1")["runs"][0]["id"]
    ids = ",".join(str(first + number) for number in range(150))
    page.goto(f"{served.url}/?project=2&sort=id&order=desc&runs={ids}")
    page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("r0, r1, r2, r3, r4 and 145 more")
    page.keyboard.press("Escape")
    page.goto(f"{served.url}/?project=2&runs={','.join(reversed(ids.split(',')))}")
    page.get_by_role("button", name="Delete").click()
    expect(dialog).to_contain_text("r149, r148, r147, r146, r145 and 145 more")
    page.keyboard.press("Escape")


# The dark scheme only changes colours.
RULES: dict[str, list[str]] = {"light": [], "dark": ["color-contrast"]}


@pytest.mark.parametrize("scheme", RULES)
def test_table_is_accessible(served: Server, browser: Browser, scheme: str) -> None:
    page = browser.new_page(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(f"{served.url}/?project=1&by=group&columns=metric.val/loss&runs=1,2")
    page.get_by_role("button", name=re.compile("^a")).click()
    expect(page.get_by_role("link", name="run 0")).to_be_visible()
    assert accessibility_violations(page, *RULES[scheme]) == []
    page.get_by_text("Columns").click()
    assert accessibility_violations(page, *RULES[scheme]) == []
    page.get_by_text("Columns").click()
    page.get_by_role("button", name="Tag", exact=True).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert accessibility_violations(page, *RULES[scheme]) == []
    page.close()


def test_keyboard_moves_the_separator(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1")
    separator = page.get_by_role("separator")
    separator.focus()
    before = int(separator.get_attribute("aria-valuenow") or 0)
    page.keyboard.press("ArrowRight")
    expect(separator).to_have_attribute("aria-valuenow", str(before + 24))
    page.reload()
    expect(separator).to_have_attribute("aria-valuenow", str(before + 24))


def test_charts_stay_in_the_window_beside_the_widest_table(served: Server, page: Page) -> None:
    page.set_viewport_size({"width": 1100, "height": 700})
    page.goto(f"{served.url}/?project=1")
    separator = page.get_by_role("separator")
    separator.focus()
    for _ in range(40):
        page.keyboard.press("ArrowRight")
    expect(separator).to_have_attribute("aria-valuenow", separator.get_attribute("aria-valuemax"))
    for part in (page.locator(".charts"), page.locator("figure canvas").first):
        box = part.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= 1100


LIVE = """
import time, trackai
with trackai.init(project="table", name="newcomer") as run:
    for step in range(100_000):
        run.log({"val/loss": 1 / (step + 1)}, step=step)
        time.sleep(0.01)
"""


def test_new_run_appears_without_scrolling(served: Server, page: Page) -> None:
    page.set_viewport_size({"width": 1400, "height": 480})
    page.goto(f"{served.url}/?project=1&sort=created_at&order=asc&runs=2,3&columns=metric.val/loss")
    expect(page.get_by_text("12 runs, 2 in the charts")).to_be_visible()
    table = page.get_by_role("table", name="Runs")
    table.evaluate("table => table.scrollTo(0, 100)")
    page.get_by_role("link", name="run 5").focus()
    env = {**os.environ, "TRACKAI_DB_PATH": str(served.db_path)}
    with subprocess.Popen([sys.executable, "-c", LIVE], env=env) as process:
        try:
            expect(page.get_by_text("13 runs, 2 in the charts")).to_be_visible()
            assert table.evaluate("table => table.scrollTop") == 100
            expect(page.get_by_role("link", name="run 5")).to_be_focused()
            table.evaluate("table => table.scrollTo(0, table.scrollHeight)")
            row = _rows(page).filter(has_text="newcomer")
            expect(row).to_contain_text("running")
            loss = row.get_by_role("cell").nth(3)
            before = loss.text_content() or ""
            expect(loss).not_to_have_text(before)
            bottom = table.evaluate("table => table.scrollTop")
        finally:
            process.kill()
    expect(row).to_contain_text("failed")
    assert table.evaluate("table => table.scrollTop") == bottom
    served.request("DELETE", f"/api/runs/{_id(served, 'newcomer')}")
    expect(page.get_by_text("12 runs, 2 in the charts")).to_be_visible()


def _id(server: Server, name: str) -> int:
    (run,) = server.get(f"/api/runs?filter=name={name}")["runs"]
    return int(run["id"])


def test_typed_filter_survives_new_runs(served: Server, page: Page, project_url: str) -> None:
    page.goto(project_url)
    expect(_rows(page)).to_have_count(4)
    box = page.get_by_label("Filter runs")
    box.fill("run_id = o")
    project = int(project_url.rpartition("=")[2])
    new = {"project_id": project, "run_id": "four", "state": "completed"}
    assert served.request("POST", "/api/runs", new).status == 200
    expect(_rows(page)).to_have_count(5)
    expect(box).to_have_value("run_id = o")
    box.press("End")
    page.keyboard.type("ne")
    page.keyboard.press("Enter")
    expect(_rows(page)).to_have_count(2)
    expect(box).to_be_focused()


def test_rename_applies_to_its_run_when_rows_shift(
    served: Server, page: Page, project_url: str
) -> None:
    page.goto(f"{project_url}&sort=id&order=desc")
    page.get_by_role("button", name="Rename three").focus()
    page.keyboard.press("Enter")
    page.keyboard.insert_text("the third")
    project = int(project_url.rpartition("=")[2])
    new = {"project_id": project, "run_id": "newcomer", "state": "completed"}
    assert served.request("POST", "/api/runs", new).status == 200
    expect(page.get_by_role("link", name="newcomer")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="the third")).to_be_visible()
    runs = served.get(f"/api/runs?project_id={project}")["runs"]
    assert {run["run_id"]: run["name"] for run in runs} == {
        "one": None, "two": None, "three": "the third", "newcomer": None,
    }  # fmt: skip
