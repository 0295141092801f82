"""The table of runs: groups, columns, names, tags, deletion, many rows, and what goes wrong."""

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
from tests.dashboard.conftest import hover, serious_findings, until

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
    """A server over a project of twelve runs, and one of ten thousand."""
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
def fresh(served: Server) -> str:
    """The address of a project of three runs that a test may change."""
    number = len(served.get("/api/projects"))
    name = f"fresh {number}"
    project = served.request("POST", "/api/projects", {"name": name, "project_id": name}).json
    for run in ("one", "two", "three"):
        new = {"project_id": project["id"], "run_id": run, "state": "completed"}
        assert served.request("POST", "/api/runs", new).status == 200
    return f"{served.url}/?project={project['id']}"


def _rows(page: Page) -> Locator:
    return page.get_by_role("table", name="Runs").get_by_role("row")


def _box(page: Page, name: str) -> Locator:
    return page.get_by_role("checkbox", name=f"Show {name} in the charts", exact=True)


def test_groups_have_counts_and_means_and_open(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&columns=metric.val/loss.min")
    page.get_by_label("Group by").select_option("net/name")
    expect(page.get_by_text("12 runs in 2 groups")).to_be_visible()
    small = _rows(page).filter(has=page.get_by_role("button", name=re.compile("^small")))
    expect(small).to_contain_text("8 runs")
    expect(small).to_contain_text("1.7")  # of 5/5 to 12/5
    button = small.get_by_role("button")
    expect(button).to_have_attribute("aria-expanded", "false")
    button.press("Enter")
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(_rows(page)).to_have_count(1 + 2 + 8)
    expect(page.get_by_role("link", name="run 11")).to_be_visible()
    page.goto(page.url)  # the address holds which are open
    expect(_rows(page)).to_have_count(1 + 2 + 8)
    page.get_by_label("Filter runs").fill("config.lr = 1")
    page.get_by_label("Filter runs").press("Enter")
    expect(_rows(page)).to_have_count(1 + 2 + 2)
    page.get_by_role("button", name=re.compile("^small")).click()
    expect(_rows(page)).to_have_count(1 + 2)


def test_columns_are_chosen_with_their_figures(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&sort=id&order=asc")
    page.get_by_text("Columns").click()
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
    head = page.get_by_role("columnheader", name="net/name")
    head.get_by_role("button").click()
    expect(_rows(page).nth(1)).to_contain_text("big")  # words from A to Z
    expect(head).to_have_attribute("aria-sort", "ascending")
    head.get_by_role("button").click()
    expect(_rows(page).nth(1)).to_contain_text("small")


def test_columns_that_end_alike_have_different_heads(served: Server, page: Page) -> None:
    fields = ["metric.train/accuracy.max", "metric.val/accuracy.max", "config.lr", "metric.lr"]
    page.goto(f"{served.url}/?project=1&columns={'%0A'.join(fields)}")
    heads = page.get_by_role("columnheader").get_by_role("button")
    alike = ["max train/accuracy", "max val/accuracy", "config.lr", "metric.lr"]
    expect(heads).to_have_text(["Run", "State", *alike, "Created ↓"])
    expect(heads.nth(2)).to_have_attribute(
        "title", re.compile(r"^Sort by metric\.train/accuracy\.max")
    )


def test_groups_are_sorted_by_their_values_and_means(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&by=config.net/name&columns=metric.val/loss.max")
    groups = page.locator(".row.group b")
    expect(groups).to_have_text(["small", "big"])  # the larger one first
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


def test_runs_are_sorted_by_the_names_that_are_seen(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&sort=name&order=desc")
    expect(_rows(page).nth(1)).to_contain_text("run 9")
    page.get_by_role("columnheader", name="Run").get_by_role("button").click()
    expect(_rows(page).nth(1)).to_contain_text("run 0")
    expect(page).to_have_url(re.compile("sort=name&order=asc"))


def test_a_run_is_renamed_in_its_row(served: Server, page: Page, fresh: str) -> None:
    page.goto(f"{fresh}&sort=id&order=asc")
    page.get_by_role("link", name="one").press("F2")
    page.keyboard.insert_text("renamed")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="renamed")).to_be_visible()
    project = fresh.rpartition("=")[2]
    assert served.get(f"/api/runs?project_id={project}&search=renamed")["total"] == 1
    expect(page.get_by_role("button", name="Rename renamed")).to_be_focused()


def test_chosen_runs_are_tagged_and_deleted(served: Server, page: Page, fresh: str) -> None:
    page.goto(f"{fresh}&runs=0")
    expect(page.get_by_role("group", name="Selected runs")).to_have_count(0)
    _box(page, "one").check()
    _box(page, "two").check()
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
    assert _pause(page, "/api/runs/tags", "/api/runs?") < 1000
    actions.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog", name="Delete 2 runs?")
    expect(dialog).to_contain_text("one, two")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Enter")  # nothing is deleted by mistake
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(_rows(page)).to_have_count(4)
    actions.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(_rows(page)).to_have_count(2)
    expect(page.get_by_role("link", name="three")).to_be_visible()
    assert "runs=" not in page.url
    expect(page.get_by_role("table", name="Runs")).to_be_focused()
    assert _pause(page, "/api/runs/delete", "/api/runs?") < 1000


def _pause(page: Page, first: str, then: str) -> float:
    """Milliseconds from the end of the last request of an address to the next of another."""
    return float(
        page.evaluate(
            """([first, then]) => {
                const all = performance.getEntriesByType("resource");
                const end = all.findLast((one) => one.name.includes(first)).responseEnd;
                const later = all.filter((one) => one.startTime >= end);
                return later.find((one) => one.name.includes(then)).startTime - end;
            }""",
            [first, then],
        )
    )


def test_the_tab_key_need_not_go_through_the_table(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1")
    expect(_rows(page)).to_have_count(13)
    page.get_by_role("link", name="TrackAI").press("Tab")
    skip = page.get_by_role("link", name="Skip to charts")
    expect(skip).to_be_focused()
    skip.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Search metrics")).to_be_focused()
    page.get_by_role("link", name="run 11").press("Tab")  # a row has two stops
    expect(_box(page, "run 10")).to_be_focused()


def test_what_is_hidden_of_runs_is_not_of_their_means(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&hide=run+12&mean=all")
    expect(page.locator("figure canvas")).to_be_visible()
    hidden = page.get_by_role("button", name="Show 1 hidden")
    expect(hidden).to_have_count(0)
    page.get_by_label("Lines").select_option("none")
    hidden.click()
    expect(page).not_to_have_url(re.compile("hide="))


def test_a_range_is_chosen_with_shift(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&runs=0&sort=id&order=asc")
    _box(page, "run 2").click()
    _box(page, "run 6").click(modifiers=["Shift"])
    expect(page.get_by_text("5 in the charts")).to_be_visible()
    _box(page, "run 4").click()
    expect(page.get_by_text("4 in the charts")).to_be_visible()


def test_all_that_match_are_chosen(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&runs=1&filter=group=a")
    box = page.get_by_role("checkbox", name="Select all runs")
    expect(box).to_have_js_property("indeterminate", True)
    box.click()
    expect(page.get_by_text("6 runs, 6 in the charts")).to_be_visible()
    expect(page.get_by_role("checkbox", name=re.compile("^Show"), checked=True)).to_have_count(6)
    expect(box).to_be_checked()
    page.get_by_role("button", name="Delete").click()
    names = "run 10, run 8, run 6, run 4, run 2 and 1 more"
    expect(page.get_by_role("dialog")).to_contain_text(names)
    page.keyboard.press("Escape")
    box.click()
    expect(page.get_by_text("6 runs, 0 in the charts")).to_be_visible()
    page.goto(f"{served.url}/?project=2&runs=0&sort=id")
    box.click()
    expect(page.get_by_text("200 in the charts")).to_be_visible()


def _colours(swatches: Locator) -> list[str]:
    style = "all => all.map((one) => getComputedStyle(one).borderTopColor)"
    return list(swatches.evaluate_all(style))


def test_a_group_is_chosen_and_has_one_colour(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&by=config.net/name&runs=0")
    boxes = [page.get_by_label(f"Show the runs of {one} in the charts") for one in ("small", "big")]
    for box, chosen in zip(boxes, (8, 12), strict=True):
        box.click()
        expect(page.get_by_text(f"{chosen} in the charts")).to_be_visible()
        expect(box).to_be_checked()
    expect(page.locator(".means > span")).to_have_text(["big 4 runs", "small 8 runs"])
    swatches = page.locator(".row.group .swatch")
    expect(swatches).to_have_count(2)
    assert _colours(swatches) == _colours(page.locator(".means .swatch"))[::-1]
    page.get_by_role("button", name=re.compile("^big")).click()
    _box(page, "run 3").click()
    expect(boxes[1]).to_have_js_property("indeterminate", True)
    assert set(_colours(page.locator(".row.on .swatch"))) == {"rgba(0, 0, 0, 0)"}
    boxes[0].click()
    expect(page.get_by_text("3 in the charts")).to_be_visible()
    page.get_by_label("Lines").select_option("none")
    expect(page.locator(".means")).to_have_count(0)
    assert "rgba(0, 0, 0, 0)" not in _colours(page.locator(".row.on .swatch"))


def test_a_group_has_its_colour_where_others_have_no_such_metric(
    served: Server, page: Page, fresh: str
) -> None:
    project = int(fresh.rpartition("=")[2])
    for group, metric in (("a", "x"), ("b", "y")):
        new = {"project_id": project, "run_id": group, "group_name": group, "state": "completed"}
        run = served.request("POST", "/api/runs", new).json["id"]
        points = {"rows": [{"step": step, "values": {metric: 1.0}} for step in range(3)]}
        assert served.request("POST", f"/api/metrics/runs/{run}", points).status == 200
    page.goto(f"{fresh}&mean=group&metrics=y")
    expect(page.locator(".means > span")).to_have_text(["a 1 run", "b 1 run", "(none) 3 runs"])
    read = page.locator(".reading .swatch")
    over = page.locator("figure .u-over")

    def pointed() -> bool:
        hover(over, 0.5, 0.5)
        return read.count() == 1

    until(page, pointed)
    assert _colours(read) == _colours(page.locator(".means .swatch"))[1:2]


def test_a_chosen_run_has_one_colour_everywhere(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&runs=0&sort=id&order=asc")
    _box(page, "run 3").check()
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


def test_ten_thousand_runs_are_a_few_rows(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=2&sort=id&order=asc")
    expect(page.get_by_text("10,000 runs")).to_be_visible()
    table = page.get_by_role("table", name="Runs")
    expect(table).to_have_attribute("aria-rowcount", str(MANY + 1))
    for share, run in ((0.5, "r5000"), (1, f"r{MANY - 1}"), (0, "r0")):
        table.evaluate("(table, share) => table.scrollTo(0, table.scrollHeight * share)", share)
        expect(page.get_by_role("link", name=run, exact=True)).to_be_visible()
        assert _rows(page).count() < 80


def test_what_is_not_found_says_so_and_leads_back(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&filter=tag=nowhere")
    page.get_by_role("button", name="Clear filter").click()
    expect(_rows(page)).to_have_count(13)
    made = served.request("POST", "/api/projects", {"name": "empty", "project_id": "empty"}).json
    page.goto(f"{served.url}/?project={made['id']}")
    expect(page.get_by_text("trackai.init(project=")).to_be_visible()


def test_the_way_back_leads_to_the_same_view(served: Server, page: Page) -> None:
    view = "filter=group+%3D+a&sort=name&order=asc&columns=config.lr&by=state&runs=1,3&smooth=0.5"
    page.goto(f"{served.url}/?project=1&{view}&range=step%3A1%3A3&hide=run+3")
    before = parse_qs(urlsplit(page.url).query)
    page.get_by_role("button", name=re.compile("^completed")).click()
    page.get_by_role("link", name="run 2", exact=True).click()
    expect(page.get_by_role("heading", name="run 2")).to_be_visible()
    expect(page.get_by_role("button", name="Reset zoom")).to_be_visible()
    page.locator("figure .u-over").hover()
    expect(page.get_by_role("figure")).to_contain_text("run 2")  # it is hidden beside others
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


def test_the_way_back_leads_to_the_same_place(served: Server, page: Page) -> None:
    page.set_viewport_size({"width": 1400, "height": 360})
    page.goto(f"{served.url}/?project=1&sort=id&order=asc&by=state&open=state+%3D+%22completed%22")
    expect(page.locator("figure canvas")).to_be_visible()
    table, charts = page.get_by_role("table", name="Runs"), page.locator(".charts")
    for box, there in ((table, 150), (charts, 20)):
        box.evaluate("(box, there) => box.scrollTo(0, there)", there)
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


def test_tabs_are_told_apart_by_their_titles(served: Server, page: Page) -> None:
    page.goto(served.url)
    expect(page).to_have_title("TrackAI")
    page.get_by_role("link", name=re.compile("^table")).click()
    expect(page).to_have_title("table · TrackAI")
    page.get_by_role("link", name="run 2", exact=True).click()
    expect(page).to_have_title("run 2 · table · TrackAI")
    page.go_back()
    page.get_by_role("link", name="Compare").click()
    expect(page).to_have_title("Compare · table · TrackAI")


def test_a_name_is_seen_beside_long_tags(served: Server, page: Page, fresh: str) -> None:
    project = fresh.rpartition("=")[2]
    runs = served.get(f"/api/runs?project_id={project}")["runs"]
    tags = ["a-very-long-tag-" * 6, "another", "third", "fourth", "fifth", "sixth"]
    change = {"run_ids": [run["id"] for run in runs], "add": tags}
    assert served.request("POST", "/api/runs/tags", change).status == 200
    page.goto(fresh)
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
def test_a_narrow_table_has_all_of_its_columns(served: Server, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{served.url}/?project=1")
    expect(_rows(page)).to_have_count(13)
    table = page.get_by_role("table", name="Runs")
    assert table.evaluate("table => table.scrollWidth <= table.clientWidth")
    for cell in (page.locator(".completed").first, page.get_by_role("button", name="Created")):
        assert cell.evaluate("cell => cell.scrollWidth <= cell.clientWidth")


def test_a_plain_word_finds_names(served: Server, page: Page, fresh: str) -> None:
    page.goto(f"{served.url}/?project=1")
    box = page.get_by_label("Filter runs")
    for typed, found in {
        "RUN 1": 3, '"run 1"': 3, 'name = "run 1"': 1, "run 99": 0, "config.lr = 1": 4,
    }.items():  # fmt: skip
        box.fill(typed)
        box.press("Enter")
        expect(page.get_by_text(re.compile(f"^{found} runs?, "))).to_be_visible()
        expect(_rows(page)).to_have_count(1 + found)
    page.goto(f"{fresh}&filter=t")  # runs without a name are called by their slug
    expect(_rows(page)).to_have_count(3)


UNREADABLE = {
    "filter=zzz<1": "filter", "sort=zzz": "sort field", "order=up": "sort order",
    "columns=zzz": "columns", "by=zzz": "grouping",
}  # fmt: skip


@pytest.mark.parametrize("wrong", UNREADABLE)
def test_what_cannot_be_read_is_said_and_the_rest_is_shown(
    served: Server, browser: Browser, wrong: str
) -> None:
    page = browser.new_page()  # whose console will have the status of the answer
    page.goto(f"{served.url}/?project=1&{wrong}")
    expect(page.get_by_role("alert")).to_contain_text(f"{UNREADABLE[wrong]} ignored")
    expect(_rows(page)).to_have_count(13)
    expect(page.locator("figure canvas").first).to_be_visible()
    page.get_by_label("Filter runs").fill("group = a")
    page.get_by_label("Filter runs").press("Enter")
    expect(_rows(page)).to_have_count(7)
    page.close()


def test_a_link_may_name_runs_that_are_on_no_page(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&filter=group=a&runs=2")
    canvas = page.locator("figure .u-over").first
    expect(canvas).to_be_visible()
    canvas.hover()
    expect(page.get_by_role("figure").first).to_contain_text("run 1")


def test_a_link_may_name_very_many_of_them(served: Server, page: Page) -> None:
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


# What the other scheme changes is the colours.
RULES: dict[str, list[str]] = {"light": [], "dark": ["color-contrast"]}


@pytest.mark.parametrize("scheme", RULES)
def test_everybody_can_use_it(served: Server, browser: Browser, scheme: str) -> None:
    page = browser.new_page(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(f"{served.url}/?project=1&by=group&columns=metric.val/loss&runs=1,2")
    page.get_by_role("button", name=re.compile("^a")).click()
    expect(page.get_by_role("link", name="run 0")).to_be_visible()
    assert serious_findings(page, *RULES[scheme]) == []
    page.get_by_text("Columns").click()
    assert serious_findings(page, *RULES[scheme]) == []
    page.get_by_text("Columns").click()
    page.get_by_role("button", name="Tag", exact=True).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert serious_findings(page, *RULES[scheme]) == []
    page.close()


def test_the_line_between_is_moved_with_the_keyboard(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1")
    line = page.get_by_role("separator")
    line.focus()
    before = int(line.get_attribute("aria-valuenow") or 0)
    page.keyboard.press("ArrowRight")
    expect(line).to_have_attribute("aria-valuenow", str(before + 24))
    page.reload()
    expect(page.get_by_role("separator")).to_have_attribute("aria-valuenow", str(before + 24))


LIVE = """
import time, trackai
with trackai.init(project="table", name="newcomer") as run:
    for step in range(100_000):
        run.log({"val/loss": 1 / (step + 1)}, step=step)
        time.sleep(0.01)
"""


def test_a_new_run_appears_and_nothing_else_moves(served: Server, page: Page) -> None:
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


def test_what_is_typed_stays_while_runs_come_in(served: Server, page: Page, fresh: str) -> None:
    page.goto(fresh)
    expect(_rows(page)).to_have_count(4)
    box = page.get_by_label("Filter runs")
    box.fill("run_id = o")
    project = int(fresh.rpartition("=")[2])
    new = {"project_id": project, "run_id": "four", "state": "completed"}
    assert served.request("POST", "/api/runs", new).status == 200
    expect(_rows(page)).to_have_count(5)
    expect(box).to_have_value("run_id = o")
    box.press("End")
    page.keyboard.type("ne")
    page.keyboard.press("Enter")
    expect(_rows(page)).to_have_count(2)
    expect(box).to_be_focused()


def test_a_name_goes_to_the_run_that_it_was_typed_for(
    served: Server, page: Page, fresh: str
) -> None:
    page.goto(f"{fresh}&sort=id&order=desc")
    page.get_by_role("button", name="Rename three").focus()
    page.keyboard.press("Enter")
    page.keyboard.insert_text("the third")
    project = int(fresh.rpartition("=")[2])
    new = {"project_id": project, "run_id": "newcomer", "state": "completed"}
    assert served.request("POST", "/api/runs", new).status == 200
    expect(page.get_by_role("link", name="newcomer")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="the third")).to_be_visible()
    runs = served.get(f"/api/runs?project_id={project}")["runs"]
    assert {run["run_id"]: run["name"] for run in runs} == {
        "one": None, "two": None, "three": "the third", "newcomer": None,
    }  # fmt: skip
