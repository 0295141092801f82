"""The filter box with its completion, and the archive and the trash, with 1 500 runs."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.conftest import serving
from tests.dashboard.conftest import accessibility_violations, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Locator, Page

    from tests.conftest import Server

SCRIPT = """
import trackai
for name, lr in (("first", 0.1), ("second", 0.001)):
    config = {"lr": lr, "opt": {"name": "adam w"}, "loss": 1}
    with trackai.init(project="many", name=name, config=config, tags=["good one"]) as run:
        run.log({"loss": lr, "val/acc": 0.5}, step=0)
"""
MANY = 1500


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Server]:
    """A server with a project of 1 500 runs, which the test may change."""
    path = tmp_path / "store" / "trackai.db"
    env = {**os.environ, "TRACKAI_DB_PATH": str(path)}
    subprocess.run([sys.executable, "-c", SCRIPT], env=env, check=True)
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute(
            """
            WITH RECURSIVE n (n) AS (SELECT 3 UNION ALL SELECT n + 1 FROM n WHERE n < ?)
            INSERT INTO runs (uid, project_id, slug, state, created_at, updated_at)
            SELECT 'many-' || n, 1, 'r' || n, 'completed', n * 1000000, n * 1000000 FROM n
            """,
            (MANY,),
        )
    with serving(path) as server:
        yield server


def _filter(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Filter runs")


def _options(page: Page) -> Locator:
    return page.get_by_role("listbox", name="Completions").get_by_role("option")


def _rows(page: Page) -> Locator:
    return page.get_by_role("table", name="Runs").get_by_role("link")


def _change(server: Server, verb: str, run: int) -> None:
    body = {"run_ids": [run], "action": {"type": verb}, "cursor": 0}
    assert server.request("POST", "/api/runs/bulk", body).status == 200


def _total(page: Page, text: str) -> None:
    expect(page.locator(".count")).to_contain_text(text)


def _actions(page: Page) -> Locator:
    return page.get_by_role("group", name="Selected runs")


def test_a_filter_is_completed_with_the_keyboard(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1")
    _total(page, "1,500 runs")
    box = _filter(page)
    box.press_sequentially("opt")
    expect(_options(page).first).to_have_text("config.opt/name configuration")
    expect(box).to_have_attribute("aria-expanded", "true")
    box.press("ArrowDown")
    expect(box).to_have_attribute("aria-activedescendant", "filter-option-0")
    expect(_options(page).first).to_have_attribute("aria-selected", "true")
    assert accessibility_violations(page) == []
    box.press("Enter")
    expect(box).to_have_value("config.opt/name ")
    # Operators, then the values that runs have, which are quoted if they must be.
    expect(_options(page).first).to_have_text("= equal")
    box.press_sequentially("= ")
    expect(_options(page)).to_have_text(['"adam w" value'])
    box.press("ArrowUp")
    box.press("Enter")
    box.press_sequentially("a")
    expect(_options(page)).to_have_text(["and "])
    box.press("ArrowDown")
    box.press("Enter")
    box.press_sequentially("tag = go")
    box.press("ArrowDown")
    box.press("Enter")
    expect(box).to_have_value('config.opt/name = "adam w" and tag = "good one" ')
    box.press("Escape")
    expect(box).to_have_attribute("aria-expanded", "false")
    box.press("Enter")
    _total(page, "2 runs")
    # The way back is that of any page.
    page.go_back()
    page.go_forward()


def test_a_filter_is_completed_with_the_mouse(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1")
    box = _filter(page)
    box.press_sequentially("sta")
    _options(page).get_by_text("state").click()
    box.press_sequentially("= c")
    _options(page).get_by_text("completed").click()
    expect(box).to_be_focused()
    expect(box).to_have_value("state = completed ")
    page.locator("h1").click()
    expect(page.get_by_role("listbox")).to_be_hidden()
    page.wait_for_url("**filter=state*")


def test_what_is_wrong_with_a_filter_is_shown_where_it_is(served: Server, browser: Browser) -> None:
    page = browser.new_page()  # the `page` fixture fails on the status in the console
    page.goto(f"{served.url}/?project=1")
    box = _filter(page)
    for text, marked, problem in (
        ("lr < 1 and los = 3", "los", "unknown field"),
        ("lr < 1 and loss > 0", "loss", "ambiguous: use config.loss or metric.loss"),
        ("name =~ 'a('", "'a('", "has a ( without a )"),
    ):
        box.fill(text)
        box.press("Enter")
        expect(page.locator(".problem-place mark")).to_have_text(marked)
        expect(page.locator("#filter-problem")).to_contain_text(problem)
        expect(box).to_have_attribute("aria-invalid", "true")
        assert accessibility_violations(page) == []
    # The server counts characters, of which some are two in JavaScript.
    box.fill("tag = '🦙🦙🦙' and los = 3")
    box.press("Enter")
    expect(page.locator(".problem-place mark")).to_have_text("los")
    box.fill(r"lr < 0.01 or run_id =~ '^r1\d00$'")
    box.press("Enter")
    _total(page, "7 runs")
    expect(page.locator(".problem-place")).to_have_count(0)
    expect(box).to_have_attribute("aria-invalid", "false")
    page.close()


def test_all_that_match_go_to_the_trash_and_come_back(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&filter=id%20%3E%200")
    _total(page, "1,500 runs")
    page.get_by_role("checkbox", name="Select all runs").check()
    expect(_actions(page)).to_contain_text("1,500 runs")
    page.get_by_role("button", name="Move to trash").press("Enter")
    expect(page.locator(".result")).to_have_text("Moved to the trash: 1,500 runs")
    _total(page, "0 runs")
    assert served.get("/api/projects/1")["trashed_runs"] == MANY
    page.get_by_role("button", name="Undo").press("Enter")
    expect(page.locator(".result")).to_have_text("Undone: 1,500 runs")
    _total(page, "1,500 runs")
    expect(_actions(page)).to_contain_text("1,500 runs")
    expect(page.get_by_role("checkbox", name="Select all runs")).to_be_checked()
    project = served.get("/api/projects/1")
    assert (project["total_runs"], project["trashed_runs"]) == (MANY, 0)
    expect(page.get_by_role("button", name="Undo")).to_have_count(0)


def test_the_trash_restores_runs_and_is_emptied(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&runs=1,2")
    page.get_by_role("button", name="Move to trash").click()
    _total(page, "1,498 runs")
    page.get_by_role("link", name="Trash (2)").click()
    expect(page.get_by_role("heading", name="Trash of many")).to_be_visible()
    expect(page).to_have_title("Trash · many · TrackAI")
    trail = page.get_by_role("navigation", name="Breadcrumb")
    expect(trail.get_by_role("listitem")).to_have_text(["many", "Trash"])
    expect(_rows(page)).to_have_text(["second", "first"])
    assert accessibility_violations(page) == []
    # The charts show what a run in the trash has logged.
    expect(page.locator(".charts")).to_contain_text("val/acc")
    # Until runs are chosen, they are shown, and nothing is done to them.
    expect(page.get_by_text("Showing the 2 newest runs")).to_be_visible()
    expect(page.get_by_role("button", name="Restore")).to_have_count(0)
    page.get_by_role("checkbox", name="Select first").check()
    page.get_by_role("button", name="Restore").click()
    expect(page.locator(".result")).to_have_text("Restored 1 run")
    expect(_rows(page)).to_have_text(["second"])
    page.get_by_role("button", name="Empty trash").click()
    dialog = page.get_by_role("dialog", name="Delete 1 run in the trash?")
    assert accessibility_violations(page) == []
    dialog.get_by_role("button", name="Delete for good").click()
    _total(page, "0 runs")
    assert served.get("/api/projects/1")["total_runs"] == MANY - 1
    page.get_by_role("link", name="← Back to project").click()
    _total(page, "1,499 runs")
    expect(page.get_by_role("link", name="Trash", exact=False)).to_have_count(0)


@pytest.mark.parametrize("has_keyboard", [True, False])
def test_the_breadcrumb_and_a_key_lead_from_the_trash_to_the_project(
    served: Server, page: Page, has_keyboard: bool
) -> None:
    page.goto(f"{served.url}/?project=1&runs=1,2")
    page.get_by_role("button", name="Move to trash").click()
    page.get_by_role("link", name="Trash (2)").click()
    expect(page.get_by_role("heading", name="Trash of many")).to_be_visible()
    if has_keyboard:
        page.keyboard.press("u")
    else:
        page.get_by_role("navigation", name="Breadcrumb").get_by_text("many").click()
    expect(page.get_by_role("heading", name="many", exact=True)).to_be_visible()
    _total(page, "1,498 runs")


def test_archived_runs_are_shown_when_asked_for(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&filter=lr%20%3C%201&runs=1")
    page.get_by_role("button", name="Archive").click()
    expect(_rows(page)).to_have_text(["second"])
    page.get_by_role("checkbox", name="Archived (1)").check()
    expect(_rows(page)).to_have_text(["second", "first"])
    expect(page.get_by_role("row", name="first")).to_contain_text("archived")
    assert accessibility_violations(page) == []
    page.get_by_role("checkbox", name="Select first").check()
    page.get_by_role("button", name="Unarchive").click()
    expect(page.get_by_role("row", name="first")).not_to_contain_text("archived")
    wait_until(page, lambda: served.get("/api/projects/1")["archived_runs"] == 0)


def test_a_project_without_shown_runs_says_where_they_are(server: Server, page: Page) -> None:
    server.request("POST", "/api/projects", {"name": "p", "project_id": "p"})
    for name in ("one", "two"):
        new = {"project_id": 1, "run_id": name, "state": "completed"}
        assert server.request("POST", "/api/runs", new).status == 200
    _change(server, "archive", 1)
    page.goto(f"{server.url}/?project=1&runs=2")
    expect(_rows(page)).to_have_text(["two"])
    page.get_by_role("button", name="Archive").click()
    expect(page.get_by_text("All runs of this project are archived.")).to_be_visible()
    expect(page.get_by_text("No runs yet")).to_have_count(0)
    assert accessibility_violations(page) == []
    page.get_by_role("button", name="Show archived runs (2)").click()
    expect(_rows(page)).to_have_text(["two", "one"])
    _change(server, "trash", 1)
    page.goto(f"{server.url}/?project=1")
    expect(
        page.get_by_text("All runs of this project are archived or in the trash.")
    ).to_be_visible()
    # A filter looks there, too, if it is asked to.
    page.goto(f"{server.url}/?project=1&filter=two")
    page.get_by_role("button", name="Search archived runs, too").click()
    expect(_rows(page)).to_have_text(["two"])
    _change(server, "trash", 2)
    page.goto(f"{server.url}/?project=1&show=archived")
    expect(page.get_by_text("All runs of this project are in the trash.")).to_be_visible()
    page.get_by_role("button", name="Open the trash (2)").click()
    expect(page.get_by_role("heading", name="Trash of p")).to_be_visible()
    expect(_rows(page)).to_have_text(["two", "one"])
    # The start page counts them, and so does the question before all of them are deleted.
    page.goto(server.url)
    expect(page.get_by_role("listitem").filter(has_text="p0 runs")).to_contain_text(
        "2 in the trash"
    )
    page.get_by_role("button", name="Delete p").click()
    expect(page.get_by_role("dialog", name="Delete p with 2 runs?")).to_be_visible()


def test_charts_do_not_ask_for_runs_that_are_not_there(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&filter=nothing-of-this-name", wait_until="networkidle")
    expect(page.get_by_text("No runs match the filter.")).to_be_visible()
    expect(page.get_by_text("Select runs to see their charts.")).to_have_count(0)
    page.get_by_role("button", name="Clear filter").click()
    page.get_by_role("button", name="Show none").click()
    expect(page.get_by_text("Select runs to see their charts.")).to_be_visible()


def test_the_page_of_a_run_archives_and_trashes_it(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?run=1")
    page.get_by_role("button", name="Archive", exact=True).click()
    expect(page.get_by_role("button", name="Unarchive")).to_be_visible()
    expect(page.locator(".kept-run")).to_contain_text("Archived")
    page.get_by_role("button", name="Move to trash").click()
    expect(page.locator(".kept-run")).to_contain_text("In the trash since")
    assert accessibility_violations(page) == []
    page.get_by_role("button", name="Restore").click()
    page.get_by_role("button", name="Unarchive").click()
    expect(page.get_by_role("button", name="Archive", exact=True)).to_be_visible()
    assert served.get("/api/runs/1")["archived_at"] is None
