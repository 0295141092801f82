"""The dashboard end to end: navigation, live updates, deletion, errors and sign-in."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import urllib.request
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from tests.api.test_keys import bearer, create_key, revoke_key
from tests.conftest import KEY, serving
from tests.dashboard.conftest import accessibility_violations, hover, wait_until
from trackai import dashboard

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

    from tests.conftest import Server


@pytest.fixture
def demo(server: Server) -> None:
    """A project of five runs in the database of `server`."""
    # In another process, since Playwright runs an event loop in this thread.
    subprocess.run([sys.executable, "-m", "trackai.cli", "demo", "--runs", "5"], check=True)


def test_dashboard_is_built() -> None:
    assert (dashboard.DIST / "index.html").is_file(), "run `uv sync` to build the dashboard"


def test_project_list_leads_to_a_run(server: Server, demo: None, page: Page) -> None:
    page.goto(server.url)
    page.get_by_role("link", name=re.compile("demo")).click()
    rows = page.get_by_role("row")
    expect(rows).to_have_count(6)  # five runs and the header
    expect(page.locator("figure canvas")).not_to_have_count(0)
    expect(page.get_by_text("train/loss", exact=True)).to_be_visible()
    rows.nth(1).get_by_role("link").click()
    expect(page.get_by_text("opt/lr")).to_be_visible()
    expect(page.locator("figure canvas").first).to_be_visible()
    page.go_back()
    expect(rows).to_have_count(6)


def test_runs_are_filtered_sorted_and_selected(server: Server, demo: None, page: Page) -> None:
    page.goto(f"{server.url}/?project=1&columns=config.opt/lr")
    page.get_by_label("Filter runs").fill("state = failed")
    page.get_by_label("Filter runs").press("Enter")
    expect(page.get_by_role("row")).to_have_count(2)
    page.get_by_label("Filter runs").fill("")
    page.get_by_label("Filter runs").press("Enter")
    page.get_by_role("button", name="opt/lr").click()
    expect(page).to_have_url(re.compile(r"sort=config\.opt%2Flr"))
    page.get_by_role("button", name="Show none").click()
    expect(page.get_by_text("Select runs to see")).to_be_visible()
    page.get_by_role("checkbox", name=re.compile("^Select (?!all)")).first.check()
    expect(page.locator("figure canvas").first).to_be_visible()
    page.goto(page.url)  # the selection is in the URL
    chosen = page.get_by_role("checkbox", name=re.compile("^Select"), checked=True)
    expect(chosen).to_have_count(1)


def test_invalid_filter_reports_the_position(server: Server, demo: None, browser: Browser) -> None:
    page = browser.new_page()  # the `page` fixture fails on the status in the console
    page.goto(f"{server.url}/?project=1&filter=config.")
    expect(page.get_by_role("alert").first).to_contain_text("position")
    page.close()


def test_zoom_requests_the_visible_range(server: Server, demo: None, page: Page) -> None:
    page.goto(f"{server.url}/?project=1&metrics=train/loss")
    over = page.locator("figure .u-over").first
    expect(over).to_be_visible()
    box = over.bounding_box()
    assert box is not None
    with page.expect_request(
        lambda request: "compare" in request.url and '"step_min"' in (request.post_data or "")
    ):
        page.mouse.move(box["x"] + 60, box["y"] + 60)
        page.mouse.down()
        page.mouse.move(box["x"] + 160, box["y"] + 80, steps=5)
        page.mouse.up()
    page.get_by_role("button", name="Reset zoom").click()
    expect(page.get_by_role("button", name="Reset zoom")).to_have_count(0)


def test_projects_with_running_or_recent_runs_come_first(server: Server, page: Page) -> None:
    for number, state in enumerate(("completed", "completed", "running", "failed"), 1):
        server.request("POST", "/api/projects", {"name": f"p{number}", "project_id": f"p{number}"})
        new = {"project_id": number, "run_id": "r", "state": state}
        assert server.request("POST", "/api/runs", new).status == 200
    points = {"rows": [{"step": 0, "values": {"x": 1.0}}]}
    assert server.request("POST", "/api/metrics/runs/1", points).status == 200
    page.goto(server.url)
    expect(page.locator(".projects strong")).to_have_text(["p3", "p1", "p4", "p2"])


UNREACHABLE = "Cannot reach the server. Retrying"


def test_unreachable_server_is_reported_until_it_answers(
    server: Server, demo: None, browser: Browser
) -> None:
    page = browser.new_page()  # the `page` fixture fails on failed requests in the console
    page.goto(f"{server.url}/?project=1")
    expect(page.locator("figure canvas").first).to_be_visible()
    page.context.set_offline(True)
    expect(page.get_by_text(UNREACHABLE)).to_be_visible()
    expect(page.get_by_role("row")).to_have_count(6)  # loaded rows stay
    page.get_by_role("row").nth(1).get_by_role("link").click()
    expect(page.get_by_text("Loading")).to_be_visible()
    assert accessibility_violations(page) == []
    page.context.set_offline(False)
    expect(page.get_by_text("opt/lr")).to_be_visible()
    expect(page.locator("figure canvas").first).to_be_visible()
    expect(page.get_by_text(UNREACHABLE)).to_have_count(0)
    page.close()


def test_script_that_is_gone_is_reported_with_a_way_to_reload(
    server: Server, demo: None, browser: Browser
) -> None:
    """As after an upgrade of the server: its scripts have other names."""
    page = browser.new_page()  # the `page` fixture fails on a 404 in the console
    notice = page.get_by_role("alert").filter(has_text="A part of the page could not be loaded.")
    for script in ("dialogs", "sweep-page"):
        page.route(f"**/assets/{script}-*.js", lambda route: route.fulfill(status=404))
    page.goto(f"{server.url}/?project=1")
    expect(page.locator("figure canvas").first).to_be_visible()
    page.keyboard.press("Control+k")
    expect(notice).to_be_visible()
    page.get_by_role("link", name="Analyse").click()
    expect(page.get_by_text("This part of the page could not be loaded.")).to_be_visible()
    assert accessibility_violations(page) == []
    page.unroute_all()
    notice.get_by_role("button", name="Reload").click()
    expect(page.get_by_role("heading", name="Analyse 5 runs")).to_be_visible()
    expect(notice).to_have_count(0)
    page.close()


@pytest.mark.parametrize(
    ("script", "kind"),
    [("svg", "PNG image"), ("svg", "SVG image"), ("csv", "CSV (as drawn)")],
)
def test_download_without_its_script_says_so(
    server: Server, demo: None, browser: Browser, script: str, kind: str
) -> None:
    page = browser.new_page()
    page.route(f"**/assets/{script}-*.js", lambda route: route.fulfill(status=404))
    page.goto(f"{server.url}/?project=1")
    chart = page.locator("figure").first
    expect(chart.locator("canvas")).to_be_visible()
    chart.locator("summary[aria-label^=Download]").click()
    chart.get_by_role("button", name=kind).click()
    expect(chart.locator("output.said")).to_have_text("This part of the page could not be loaded.")
    notice = page.get_by_role("alert").filter(has_text="A part of the page could not be loaded.")
    expect(notice.get_by_role("button", name="Reload")).to_be_visible()
    page.close()


def test_other_pages_are_not_loaded_during_a_zoom(server: Server, demo: None, page: Page) -> None:
    page.clock.install()
    scripts: list[str] = []
    page.on("request", lambda request: scripts.append(request.url))

    def is_loaded() -> bool:
        return any("/assets/run-page-" in url for url in scripts)

    page.goto(f"{server.url}/?project=1")
    plot = page.locator("figure .u-over").first
    hover(plot, 0.3, 0.5)
    page.mouse.down()
    for _ in range(20):
        page.clock.run_for(500)
    assert not is_loaded()
    hover(plot, 0.6, 0.5)
    page.mouse.up()
    page.clock.run_for(400)
    assert not is_loaded()

    def is_loaded_later() -> bool:
        page.clock.run_for(500)
        return is_loaded()

    wait_until(page, is_loaded_later)


def test_page_that_cannot_be_shown_says_so(server: Server, demo: None, browser: Browser) -> None:
    """As when the page does not understand what a newer server answers."""
    page = browser.new_page()
    page.route("**/api/projects?*", lambda route: route.fulfill(json={"projects": [{}]}))
    page.goto(server.url)
    message = page.get_by_role("alert").filter(has_text="This page could not be shown")
    expect(message).to_be_visible()
    page.unroute_all()
    message.get_by_role("button", name="Reload").click()
    expect(page.locator(".projects strong")).to_have_text(["demo"])
    expect(message).to_have_count(0)
    page.close()


def test_page_without_its_scripts_can_be_reloaded(
    server: Server, demo: None, browser: Browser
) -> None:
    page = browser.new_page()
    page.route("**/assets/base-*.js", lambda route: route.abort())
    page.goto(server.url)
    page.get_by_role("link", name="reload the page").wait_for()
    assert accessibility_violations(page) == []
    page.unroute_all()
    page.get_by_role("link", name="reload the page").click()
    expect(page.locator(".projects strong")).to_have_text(["demo"])
    expect(page.get_by_role("link", name="reload the page")).to_have_count(0)
    page.close()


def test_browser_without_a_language_shows_charts(
    server: Server, demo: None, browser: Browser
) -> None:
    """That of WebKitGTK is "C" in the locale C, and Intl refuses it."""
    page = browser.new_page()
    page.add_init_script("Object.defineProperty(navigator, 'language', { value: 'C' })")
    page.goto(f"{server.url}/?project=1")
    expect(page.locator("figure canvas").first).to_be_visible()
    page.close()


def test_deleted_run_and_project_are_reported(server: Server, demo: None, browser: Browser) -> None:
    page = browser.new_page()  # the `page` fixture fails on a 404 in the console
    page.goto(f"{server.url}/?project=1&run=1")
    expect(page.get_by_text("opt/lr")).to_be_visible()
    assert server.request("DELETE", "/api/runs/1").status == 200
    expect(page.get_by_role("alert")).to_contain_text("This run has been deleted.")
    page.goto(page.url)
    expect(page.get_by_role("alert")).to_contain_text("Run not found")
    assert accessibility_violations(page) == []
    page.get_by_role("link", name="Back to project").click()
    expect(page.get_by_role("row")).to_have_count(5)
    assert server.request("DELETE", "/api/projects/1").status == 200
    expect(page.get_by_role("alert")).to_contain_text("This project has been deleted.")
    page.get_by_role("link", name="Projects").click()
    expect(page.get_by_text("No runs yet")).to_be_visible()
    page.close()


def test_charts_of_deleted_runs_go(server: Server, demo: None, browser: Browser) -> None:
    page = browser.new_page()
    page.clock.install()
    page.goto(f"{server.url}/?project=1&runs=1,2,3&metrics=train/lr")
    lines = page.get_by_role("figure").locator(".reading")

    def names_in_tooltip(count: int) -> None:
        def are_shown() -> bool:
            hover(page.locator("figure .u-over"), 0.5, 0.5)
            return lines.count() == count

        wait_until(page, are_shown)

    names_in_tooltip(3)
    assert server.request("DELETE", "/api/runs/2").status == 200
    page.clock.run_for(35_000)
    names_in_tooltip(2)
    expect(page.get_by_text("1 of the selected runs was not found")).to_be_visible()
    page.goto(f"{server.url}/?project=1&runs=1,3,4&view=compare")
    expect(page.get_by_role("heading", name="Compare 3 runs")).to_be_visible()
    assert server.request("DELETE", "/api/runs/3").status == 200
    page.clock.run_for(35_000)
    expect(page.get_by_role("heading", name="Compare 2 runs")).to_be_visible()
    expect(page.get_by_text("1 of the selected runs was not found")).to_be_visible()
    page.close()


def test_project_without_runs_asks_for_none_to_be_selected(server: Server, page: Page) -> None:
    body = {"name": "empty", "project_id": "empty"}
    assert server.request("POST", "/api/projects", body).status in (200, 201)
    page.goto(f"{server.url}/?project=1")
    expect(page.get_by_text("No runs yet. Log one")).to_be_visible()
    expect(page.get_by_text("No metrics yet")).to_be_visible()
    expect(page.get_by_text("Select runs to see")).to_have_count(0)


def test_unknown_address_leads_to_the_projects(server: Server, browser: Browser) -> None:
    page = browser.new_page()  # the `page` fixture fails on a 404 in the console
    response = page.goto(f"{server.url}/nope")
    assert response is not None
    assert response.status == 404
    expect(page.get_by_role("heading", name="Page not found")).to_be_visible()
    page.get_by_role("link", name="Show the projects").click()
    expect(page.get_by_text("No runs yet")).to_be_visible()
    page.close()
    for path, headers in (("/nope", {}), ("/api/nope", {"Accept": "text/html"})):
        answer = server.request("GET", path, headers=headers)
        assert (answer.status, answer.json) == (404, {"detail": "Not Found"})


LIVE = """
import sys, time, trackai
with trackai.init(project="live", name="moving") as run:
    print("started", flush=True)
    for step in range(100_000):
        run.log({"loss": 1 / (step + 1)}, step=step)
        time.sleep(0.01)
"""


def test_new_run_appears_and_updates(server: Server, page: Page) -> None:
    page.goto(server.url)
    expect(page.get_by_text("No runs yet")).to_be_visible()
    with subprocess.Popen([sys.executable, "-c", LIVE], stdout=subprocess.PIPE) as process:
        try:
            page.get_by_role("link", name=re.compile("live")).click()
            page.get_by_role("row").nth(1).get_by_role("link").click()
            last = page.get_by_role("row", name=re.compile("^loss")).get_by_role("cell").first
            expect(last).not_to_be_empty()
            before = last.text_content()
            expect(last).not_to_have_text(before or "", timeout=15_000)
            expect(page.locator("figure canvas")).to_be_visible()
        finally:
            process.kill()
    expect(page.locator(".state")).to_have_text("failed", timeout=15_000)


def test_only_visible_rows_are_rendered(server: Server, page: Page) -> None:
    project = server.request("POST", "/api/projects", {"name": "many", "project_id": "many"}).json
    for number in range(300):
        new = {"project_id": project["id"], "run_id": f"r{number}", "state": "completed"}
        assert server.request("POST", "/api/runs", new).status == 200
    page.goto(f"{server.url}/?project={project['id']}&sort=id&order=asc")
    expect(page.get_by_text("r0", exact=True)).to_be_visible()
    assert page.get_by_role("row").count() < 80
    page.get_by_role("table").evaluate("table => table.scrollTo(0, table.scrollHeight)")
    expect(page.get_by_text("r299", exact=True)).to_be_visible()


@pytest.mark.parametrize("address", ["/", "/?project=1", "/?run=1&project=1"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible(
    server: Server, demo: None, browser: Browser, address: str, scheme: str
) -> None:
    page = browser.new_page(color_scheme=scheme, bypass_csp=True)  # type: ignore[arg-type]
    page.goto(server.url + address)
    page.wait_for_load_state("networkidle") if address == "/" else page.wait_for_timeout(1500)
    violations = accessibility_violations(page)
    page.close()
    assert violations == []


def test_page_has_a_strict_policy_and_small_scripts(server: Server) -> None:
    request = urllib.request.Request(server.url, headers={"Accept": "text/html"})
    with urllib.request.urlopen(request) as response:
        policy = response.headers["Content-Security-Policy"]
        html = response.read().decode()
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "style=" not in html
    scripts = set((dashboard.DIST / "assets").glob("*.js"))
    # Of figures, loaded in their frame when one is shown.
    libraries = {path for path in scripts if path.name.startswith(("plotly-figure", "vega-figure"))}
    assert len(libraries) == 2
    assert sum(path.stat().st_size for path in scripts - libraries) < 420_000
    assert sum(path.stat().st_size for path in libraries) < 2_400_000


def test_only_notebooks_on_this_machine_may_frame_the_page(
    server: Server, browser: Browser, tmp_path: Path
) -> None:
    (tmp_path / "index.html").write_text(f'<iframe src="{server.url}"></iframe>')
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as notebook:
        threading.Thread(target=notebook.serve_forever, daemon=True).start()
        page = browser.new_page()
        page.goto(f"http://localhost:{notebook.server_port}")
        expect(page.frame_locator("iframe").get_by_text("TrackAI").first).to_be_visible()
        page.close()
        notebook.shutdown()


def test_other_names_of_the_server_forbid_frames(
    db_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKAI_ALLOWED_HOSTS", "tracker.example")
    with serving(db_path) as server:
        headers = {"Accept": "text/html", "Host": "tracker.example"}
        request = urllib.request.Request(server.url, headers=headers)
        with urllib.request.urlopen(request) as response:
            assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]


def test_protected_server_asks_for_the_key(guarded: Server, browser: Browser) -> None:
    context = browser.new_context()
    page = context.new_page()  # the `page` fixture fails on a 401 in the console
    page.goto(guarded.url)
    key = page.get_by_label("API key")
    key.fill("not the key")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("invalid API key")
    key.fill(KEY)
    key.press("Enter")
    expect(page.get_by_text("No runs yet")).to_be_visible()
    page.reload()
    expect(page.get_by_text("No runs yet")).to_be_visible()
    assert page.evaluate("document.cookie") == ""
    context.close()


def test_a_read_key_shows_runs_without_changing_them(guarded: Server, browser: Browser) -> None:
    write = bearer(create_key(guarded.db_path, "node7", "write"))
    for path, body in (
        ("/api/projects", {"name": "p", "project_id": "p"}),
        ("/api/runs", {"project_id": 1, "run_id": "first"}),
        ("/api/runs", {"project_id": 1, "run_id": "second"}),
        ("/api/metrics/runs/1", {"rows": [{"step": 0, "values": {"loss": 1.0}}]}),
    ):
        assert guarded.request("POST", path, body, headers=write).status == 200
    context = browser.new_context()
    page = context.new_page()
    page.goto(guarded.url)
    key = page.get_by_label("API key")
    key.fill(write["Authorization"].split()[1])
    key.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("needs read or admin")
    key.fill(create_key(guarded.db_path, "viewer", "read"))
    key.press("Enter")
    expect(page.get_by_role("heading", name="Sign in")).to_have_count(0)
    page.goto(f"{guarded.url}/?project=1")
    page.get_by_role("checkbox", name=re.compile("^Select (?!all)")).first.check()
    expect(page.get_by_text("Read only")).to_be_visible()
    expect(page.get_by_role("button", name="Delete")).to_have_count(0)
    expect(page.get_by_role("button", name=re.compile("Rename"))).to_have_count(0)
    page.goto(f"{guarded.url}/?project=1&run=1")
    expect(page.get_by_text("Logged with")).to_be_visible()
    expect(page.get_by_text("key node7")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("Rename"))).to_have_count(0)
    revoke_key(guarded.db_path, "viewer")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()  # it follows the run
    page.get_by_label("API key").fill(KEY)
    page.get_by_label("API key").press("Enter")
    expect(page.get_by_role("button", name=re.compile("Rename"))).not_to_have_count(0)
    context.close()


def test_printed_link_signs_in_once(guarded: Server, browser: Browser) -> None:
    link = guarded.link.replace("localhost", "127.0.0.1")
    first, second = browser.new_context(), browser.new_context()
    page = first.new_page()
    page.goto(link)
    expect(page.get_by_text("No runs yet")).to_be_visible()
    assert "code" not in page.url
    page.goto(link)  # a used link keeps the session
    page.reload()
    expect(page.get_by_text("No runs yet")).to_be_visible()
    second_page = second.new_page()
    second_page.goto(link)
    expect(second_page.get_by_role("alert")).to_contain_text("has been used")
    expect(second_page.get_by_label("API key")).to_be_visible()
    first.close()
    second.close()
