"""The shell of the dashboard: search, shortcuts, alerts, theme and frames; the console of a run."""

from __future__ import annotations

import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

import trackai
from tests.conftest import serving
from tests.dashboard.conftest import accessibility_violations, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route

    from tests.conftest import Server

RUNS = """
import pathlib, time, trackai
for number in range(3):
    tags = ["baseline"] if number == 0 else []
    with trackai.init(
        project="vision", name=f"resnet-{number}", tags=tags, config={"optimizer": {"lr": 0.1}}
    ) as run:
        for step in range(50):
            run.log({"train/loss": 1 / (step + 1), "train/accuracy": step / 50}, step=step)
        if number == 0:
            pathlib.Path("notes.txt").write_text("n")
            run.save("notes.txt")
with trackai.init(project="language", name="gpt") as run:
    for step in range(200):
        run.log({"loss": 1.0}, step=step)
        run.log_system({"logs/stdout": f"\\x1b[1;32mepoch\\x1b[0m {step} of 200\\n"})
        time.sleep(0.001)
    run.alert("low accuracy", "It fell to 0.1.", step=120)
    run.alert("<b>diverged</b>", level="error", step=150)
"""


@pytest.fixture
def page(context: BrowserContext, page: Page) -> Iterator[Page]:
    """A page of a browser that has kept nothing."""
    yield page
    if not page.is_closed():
        page.evaluate("localStorage.clear()")


def _palette(page: Page) -> Locator:
    return page.get_by_role("dialog", name="Search everything")


def _ready(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.get_by_role("button", name="Search", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def test_the_palette_finds_and_opens_with_the_keyboard_only(served: Server, page: Page) -> None:
    _ready(page, served.url)
    page.keyboard.press("Control+k")
    box = page.get_by_role("combobox", name="Search everything")
    expect(box).to_be_focused()
    # Without a text: where one was last, then actions.
    expect(page.get_by_role("group", name="Projects").get_by_role("option")).to_have_count(2)
    assert accessibility_violations(page) == []
    page.keyboard.type("resnet-1")
    expect(page.get_by_role("option", name="resnet-1 vision")).to_have_attribute(
        "aria-selected", "true"
    )
    active = box.get_attribute("aria-activedescendant")
    assert page.locator(f"#{active}").get_attribute("aria-selected") == "true"
    page.keyboard.press("Enter")
    expect(_palette(page)).to_have_count(0)
    expect(page.get_by_role("heading", name="resnet-1")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Projects")).to_be_visible()


def test_what_is_typed_while_the_palette_is_loaded_is_searched(served: Server, page: Page) -> None:
    _ready(page, served.url)
    held = threading.Event()

    def hold(route: Route) -> None:
        page.keyboard.type("resnet-2")  # before the script arrives
        held.set()
        route.continue_()

    page.route("**/dialogs-*.js", hold)
    page.keyboard.press("Control+k")
    box = page.get_by_role("combobox", name="Search everything")
    expect(box).to_have_value("resnet-2")
    assert held.is_set()
    expect(page.locator(".palette-item")).to_have_count(1)
    expect(page.get_by_label("Theme")).to_have_value("system")


def test_arrows_move_and_escape_closes(served: Server, page: Page) -> None:
    _ready(page, served.url)
    opener = page.get_by_role("button", name="Search", exact=True)
    opener.focus()
    page.keyboard.press("Enter")
    selected = page.locator('[role="option"][aria-selected="true"]')
    expect(selected).to_contain_text("language")
    page.keyboard.press("ArrowDown")
    expect(selected).to_contain_text("vision")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")  # from the first to the last
    expect(selected).to_contain_text("Theme: dark")
    page.keyboard.press("Escape")
    expect(_palette(page)).to_have_count(0)
    expect(opener).to_be_focused()


@pytest.mark.parametrize(
    ("text", "option", "address"),
    [
        ("train/loss", "train/loss", r"project=1&metrics=%5Etrain%2Floss%24"),
        ("optimizer", "optimizer/lr", r"project=1&columns=config.optimizer%2Flr"),
        ("baseline", "baseline", r"project=1&filter=tag\+%3D\+%22baseline%22"),
        ("notes", "notes.txt", r"project=1&run=1&tab=files&file=notes.txt"),
        ("keyboard", "Keyboard shortcuts", r"/$"),
    ],
)
def test_everything_with_a_name_leads_somewhere(
    served: Server, page: Page, text: str, option: str, address: str
) -> None:
    _ready(page, served.url)
    page.keyboard.press("Control+k")
    page.keyboard.type(text)
    page.locator(".palette-item").get_by_text(option, exact=True).click()
    expect(page).to_have_url(re.compile(address))
    if "metrics" in address:
        expect(page.locator("figure figcaption")).to_have_text(["train/loss"])
    if "filter" in address:
        expect(page.get_by_text("resnet-0").first).to_be_visible()
        expect(page.get_by_text("resnet-1")).to_have_count(0)
    if "columns" in address:
        expect(page.get_by_role("columnheader", name="lr", exact=True)).to_be_visible()
    if "file" in address:
        expect(page.get_by_role("link", name="Download")).to_be_visible()
    if text == "keyboard":
        expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()


@pytest.mark.parametrize(
    ("action", "heading"),
    [
        ("Compare selected runs", "Compare 3 runs"),
        ("Show media of selected runs", "Media of 3 runs"),
        ("Analyse all matching runs", "Analyse 3 runs"),
        ("Show trash", "Trash of vision"),
    ],
)
def test_the_palette_opens_the_pages_of_a_project(
    served: Server, page: Page, action: str, heading: str
) -> None:
    _ready(page, f"{served.url}/?project=1")
    expect(page.get_by_text("Showing the 3 newest runs")).to_be_visible()
    page.keyboard.press("Control+k")
    page.locator(".palette-item").get_by_text(action, exact=True).click()
    expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()


def test_runs_that_differ_in_no_parameter_are_analysed_over_their_duration(
    served: Server, page: Page
) -> None:
    page.goto(f"{served.url}/?project=1&view=sweep")
    scatter = page.get_by_role("region", name="Scatter plot")
    expect(scatter.get_by_role("combobox")).to_have_value("duration")
    expect(scatter.get_by_role("group", name="3 runs:")).to_be_visible()
    contour = page.get_by_role("region", name="Contour")
    expect(contour).to_contain_text("3 of 3 runs have both parameters and a finite value.")


@pytest.mark.parametrize("view", ["", "&view=compare", "&view=media", "&view=sweep"])
def test_a_project_that_does_not_exist_is_not_found(
    served: Server, browser: Browser, view: str
) -> None:
    page = browser.new_page()
    page.goto(f"{served.url}/?project=999{view}")
    expect(page.get_by_role("alert")).to_contain_text("Project not found.")
    page.get_by_role("link", name="← Projects").click()
    expect(page.get_by_role("heading", name="Projects")).to_be_visible()
    page.close()


def test_a_project_is_switched_and_the_breadcrumb_leads_back(served: Server, page: Page) -> None:
    _ready(page, f"{served.url}/?project=1&run=1")
    trail = page.get_by_role("navigation", name="Breadcrumb")
    expect(trail.get_by_role("listitem")).to_have_text(["vision", "resnet-0"])
    trail.get_by_role("button", name="Switch project").click()
    dialog = page.get_by_role("dialog", name="Switch project")
    expect(dialog.get_by_role("option")).to_have_count(2)
    page.keyboard.type("lang")
    expect(dialog.get_by_role("option")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(trail.get_by_role("listitem")).to_have_text(["language"])
    expect(trail.get_by_role("link", name="language")).to_have_attribute("aria-current", "page")
    page.go_back()
    trail.get_by_role("link", name="vision").click()
    expect(page).to_have_url(re.compile(r"\?project=1$"))


def test_shortcuts_work_unless_one_types(served: Server, page: Page) -> None:
    _ready(page, f"{served.url}/?project=1")
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog).to_be_visible()
    assert accessibility_violations(page) == []
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.keyboard.press("/")
    search = page.get_by_role("combobox", name="Filter runs")
    expect(search).to_be_focused()
    page.keyboard.type("?aput/")
    expect(search).to_have_value("?aput/")
    expect(page.get_by_role("dialog")).to_have_count(0)
    search.fill("")
    search.blur()
    page.keyboard.press("a")
    expect(page.get_by_role("dialog", name="Alerts")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("p")
    expect(page.get_by_role("dialog", name="Switch project")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("u")
    expect(page.get_by_role("heading", name="Projects")).to_be_visible()


def test_single_keys_can_be_turned_off(served: Server, page: Page) -> None:
    _ready(page, served.url)
    page.keyboard.press("?")
    page.get_by_label("Use single keys").uncheck()
    page.keyboard.press("Escape")
    page.reload()
    expect(page.get_by_role("heading", name="Projects")).to_be_visible()
    page.keyboard.press("?")
    page.keyboard.press("Control+k")
    expect(_palette(page)).to_be_visible()
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_have_count(0)


def _background(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


def test_the_theme_is_kept(served: Server, page: Page) -> None:
    light, dark = "rgb(255, 255, 255)", "rgb(20, 23, 28)"
    page.emulate_media(color_scheme="light")
    _ready(page, f"{served.url}/?project=1")
    chart = page.locator("figure canvas").first
    expect(chart).to_be_visible()
    assert _background(page) == light
    page.get_by_label("Theme").select_option("Dark")
    assert _background(page) == dark
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
    assert accessibility_violations(page, "color-contrast") == []
    page.reload()
    expect(chart).to_be_visible()
    assert _background(page) == dark
    page.emulate_media(color_scheme="dark")
    page.get_by_label("Theme").select_option("Light")
    assert _background(page) == light
    page.keyboard.press("Escape")
    page.get_by_role("heading", level=1).click()
    page.keyboard.press("t")
    assert _background(page) == dark
    page.get_by_label("Theme").select_option("System")
    assert _background(page) == dark
    page.emulate_media(color_scheme="light")
    wait_until(page, lambda: _background(page) == light)


def test_alerts_are_counted_listed_and_lead_to_their_step(served: Server, page: Page) -> None:
    _ready(page, served.url)
    button = page.get_by_role("button", name="Alerts, 2 unread")
    expect(button).to_be_visible()
    button.click()
    dialog = page.get_by_role("dialog", name="Alerts")
    items = dialog.get_by_role("listitem")
    expect(items).to_have_count(2)
    expect(items.first).to_contain_text("<b>diverged</b>")
    expect(items.last).to_contain_text("It fell to 0.1.")
    expect(items.last).to_contain_text("language · gpt · step 120")
    assert accessibility_violations(page) == []
    dialog.get_by_label("Level").select_option("warn")
    expect(items).to_have_count(1)
    dialog.get_by_role("link", name="low accuracy").click()
    expect(dialog).to_have_count(0)
    expect(page).to_have_url(re.compile(r"run=4&tab=logs&log=alerts%2Fwarn&at=120"))
    marked = page.locator(".line.marked")
    expect(marked).to_contain_text("low accuracy ⏎ It fell to 0.1.")
    expect(marked).to_contain_text("120")
    # One is read, the other not; this browser keeps it.
    page.reload()
    page.get_by_role("button", name="Alerts, 1 unread").click()
    dialog.get_by_role("button", name="Mark all as read").click()
    dialog.get_by_role("button", name="Close").click()
    expect(page.get_by_role("button", name="Alerts", exact=True)).to_be_visible()
    page.reload()
    page.get_by_role("button", name="Alerts", exact=True).click()
    expect(items).to_have_count(2)
    expect(dialog.get_by_text("(unread)")).to_have_count(0)


def test_what_is_archived_is_said(db_path: Path, page: Page) -> None:
    with serving(db_path) as server:
        with trackai.init(project="p", name="kept") as run:
            run.alert("look")
            run.alert("look again", level="error")
        body = {"run_ids": [run.id], "action": {"type": "archive"}, "cursor": 0}
        assert server.request("POST", "/api/runs/bulk", body).status == 200
        _ready(page, server.url)
        page.get_by_role("button", name="Alerts", exact=True).click()
        dialog = page.get_by_role("dialog", name="Alerts")
        expect(dialog).to_contain_text("2 alerts of 1 archived run not shown")
        expect(dialog).to_contain_text("No alerts of other runs.")
        expect(dialog).not_to_contain_text("Report one")
        expect(dialog.get_by_role("button", name="Mark all as read")).to_have_count(0)
        assert accessibility_violations(page) == []
        dialog.get_by_role("button", name="Show them").click()
        expect(dialog.get_by_role("listitem")).to_have_count(2)
        expect(dialog.get_by_role("button", name="Mark all as read")).to_be_enabled()
        dialog.get_by_label("Level").select_option("info")
        expect(dialog).to_contain_text("No alerts match.")
        dialog.get_by_role("button", name="Close").click()
        expect(dialog).to_have_count(0)
        page.keyboard.press("Control+k")
        page.keyboard.type("kept")
        expect(page.get_by_role("option", name="kept p · archived")).to_be_visible()
        page.close()


def test_a_new_alert_is_noticed(db_path: Path, page: Page) -> None:
    page.clock.install()
    with serving(db_path) as server:
        page.goto(server.url)
        page.clock.run_for(2000)
        expect(page.get_by_role("button", name="Alerts", exact=True)).to_be_visible()
        with trackai.init(project="p") as run:
            run.alert("look")
        page.clock.run_for(16_000)
        expect(page.get_by_role("button", name="Alerts, 1 unread")).to_be_visible()
        page.evaluate("localStorage.clear()")
        page.close()


def test_alerts_of_a_run_that_is_archived_leave_the_count_at_once(
    db_path: Path, page: Page
) -> None:
    with serving(db_path) as server:
        with trackai.init(project="p", name="noisy") as run:
            run.alert("look")
        page.goto(f"{server.url}/?run={run.id}")
        expect(page.get_by_role("button", name="Alerts, 1 unread")).to_be_visible()
        # From here on, no timer runs: what follows does not wait for the next poll.
        page.clock.install()
        page.get_by_role("button", name="Archive", exact=True).click()
        expect(page.get_by_role("button", name="Alerts", exact=True)).to_be_visible()
        page.get_by_role("button", name="Unarchive").click()
        expect(page.get_by_role("button", name="Alerts, 1 unread")).to_be_visible()
        page.close()


@pytest.mark.parametrize("view", ["", "&view=compare", "&view=sweep&filter=name%20~%20resnet"])
def test_a_link_with_the_name_of_a_project_opens_it(served: Server, page: Page, view: str) -> None:
    page.goto(f"{served.url}/?project=vision{view}")
    expect(page.get_by_role("navigation", name="Breadcrumb")).to_contain_text("vision")
    assert page.url == f"{served.url}/?project=1{view.replace('%20', '+').replace('~', '%7E')}"


def test_a_link_with_an_unknown_name_says_so(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=audio")
    expect(page.get_by_role("alert")).to_contain_text("Project not found. “audio” may have been")
    assert accessibility_violations(page) == []
    page.get_by_role("link", name="← Projects").click()
    expect(page.get_by_role("heading", name="Projects")).to_be_visible()


def test_a_link_with_something_else_than_the_id_of_a_run_says_so(
    served: Server, browser: Browser
) -> None:
    page = browser.new_page()
    page.goto(f"{served.url}/?project=1&run=resnet-1")
    expect(page.get_by_role("alert")).to_contain_text("Run not found.")
    page.get_by_role("link", name="← Back to project").click()
    expect(page.get_by_role("heading", name="vision")).to_be_visible()
    page.close()


def test_a_filter_is_offered_no_figures_of_texts(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=2")
    expect(page.locator(".count")).to_contain_text("1 run")
    box = page.get_by_role("combobox", name="Filter runs")
    options = page.get_by_role("listbox", name="Completions").get_by_role("option")
    box.press_sequentially("loss.me")
    expect(options).to_have_text(["metric.loss.mean figure"])
    box.fill("logs/")
    expect(options).to_have_text(["metric.logs/stdout last value"])


def test_the_console_shows_times_steps_and_colours(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=2&run=4&tab=logs&log=logs/stdout")
    lines = page.locator(".line")
    expect(lines.nth(3)).to_contain_text("epoch 3 of 200")
    # Printed after the step was logged.
    expect(lines.nth(3).locator(".at")).to_have_text("3")
    expect(lines.nth(3).locator(".when")).to_have_text(re.compile(r"^\d\d:\d\d:\d\d$"))
    expect(lines.nth(3).locator(".ansi-2.ansi-bold")).to_have_text("epoch")
    assert accessibility_violations(page) == []
    page.get_by_label("Time and step").uncheck()
    expect(lines.nth(3).locator(".at")).to_be_hidden()
    page.reload()
    expect(lines.nth(3)).to_contain_text("epoch 3")
    expect(lines.nth(3).locator(".when")).to_be_hidden()
    page.get_by_label("Time and step").check()

    page.get_by_role("searchbox", name="Search log").fill("19 OF")
    expect(page.get_by_text("2 matches")).to_be_visible()
    expect(lines.first.locator("mark")).to_have_text(["19 of"])
    expect(lines.first.locator(".ansi-2")).to_have_text("epoch")
    expect(lines.first.locator(".at")).to_have_text("19")


def test_what_is_copied_from_the_console_has_no_gutter(
    served: Server, page: Page, context: BrowserContext
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{served.url}/?project=2&run=4&tab=logs&log=logs/stdout")
    expect(page.locator(".line").nth(3)).to_contain_text("epoch 3 of 200")
    page.evaluate(
        """() => {
            const lines = [...document.querySelectorAll(".line")];
            getSelection().setBaseAndExtent(lines[1], 0, lines[3], lines[3].childNodes.length);
        }"""
    )
    page.keyboard.press("Control+c")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.splitlines() == [f"epoch {number} of 200" for number in (1, 2, 3)]
    page.get_by_role("button", name="Copy all lines").click()
    expect(page.get_by_text("Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.splitlines() == [f"epoch {number} of 200" for number in range(200)]


def test_a_live_console_follows(server: Server, page: Page) -> None:
    with trackai.init(project="p", name="live") as run:
        run.log({"loss": 1.0}, step=0)
        run.log_system({"logs/stdout": "first"})
        page.goto(f"{server.url}/?project=1&run={run.id}&tab=logs")
        expect(page.get_by_text("first")).to_be_visible()
        expect(page.get_by_label("Follow")).to_be_checked()
        for step in range(1, 300):
            run.log({"loss": 1.0}, step=step)
            run.log_system({"logs/stdout": f"line {step}"})
        expect(page.get_by_text("line 299")).to_be_visible()
        last = page.locator(".line", has_text="line 299")
        expect(last.locator(".at")).to_have_text("299")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "address", ["/", "/?project=1", "/?project=2&run=4&tab=logs&log=logs/stdout"]
)
def test_a_phone_shows_all_of_the_header(
    served: Server, page: Page, address: str, scheme: str
) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    _ready(page, served.url + address)
    expect(page.get_by_role("button", name="Alerts")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    for control in page.locator(".top").get_by_role("button").all():
        box = control.bounding_box()
        if box is not None:
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 390
            assert min(box["width"], box["height"]) >= 24
    assert accessibility_violations(page) == []
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator(".palette-item").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert accessibility_violations(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Alerts").click()
    expect(page.get_by_role("dialog").get_by_role("listitem").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert accessibility_violations(page) == []


def test_an_embedded_page_has_no_header_and_stays_embedded(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&embed=1")
    row = page.get_by_role("row").filter(has_text="resnet-1")
    expect(row).to_be_visible()
    expect(page.get_by_role("banner")).to_have_count(0)
    row.get_by_role("link").click()
    expect(page.get_by_role("heading", name="resnet-1")).to_be_visible()
    expect(page).to_have_url(re.compile(r"embed=1"))
    expect(page.get_by_role("banner")).to_have_count(0)
    outside = page.get_by_role("link", name="Open in TrackAI")
    assert "embed" not in (outside.get_attribute("href") or "")
    assert accessibility_violations(page) == []
    page.get_by_role("link", name="← Back to project").click()
    expect(row).to_be_visible()
    expect(page).to_have_url(re.compile(r"project=1.*embed=1|embed=1.*project=1"))


def _is_shown_in_frame(browser: Browser, folder: Path, address: str) -> bool:
    """Whether a page of another origin than the server's can show an address in a frame."""
    (folder / "index.html").write_text(f'<iframe src="{address}"></iframe>')
    handler = partial(SimpleHTTPRequestHandler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        page = browser.new_page()
        # Another name of this machine: not one of those that are always allowed.
        page.goto(f"http://other.localhost:{other.server_port}")
        frame = page.frames[1] if len(page.frames) > 1 else None
        wait_until(page, lambda: frame is not None and frame.url != "")
        page.wait_for_load_state("networkidle")
        is_shown = page.frame_locator("iframe").get_by_text("Open in TrackAI").count() > 0
        page.close()
        other.shutdown()
    return is_shown


def test_only_origins_named_by_hand_show_the_page_in_a_frame(
    db_path: Path, browser: Browser, tmp_path: Path
) -> None:
    with serving(db_path) as server:
        assert not _is_shown_in_frame(browser, tmp_path, f"{server.url}/?embed=1")
    with serving(db_path, "--allow-frame-origin", "http://other.localhost:*") as server:
        assert _is_shown_in_frame(browser, tmp_path, f"{server.url}/?embed=1")


def test_dialogs_are_loaded_when_they_are_opened(served: Server, page: Page) -> None:
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    _ready(page, f"{served.url}/?project=1")
    expect(page.locator("figure canvas").first).to_be_visible()
    assert not [url for url in requested if "dialogs" in url or "/api/search" in url]
    page.keyboard.press("Control+k")
    expect(page.locator(".palette-item").first).to_be_visible()
    assert [url for url in requested if "dialogs" in url]
