"""The page of a run: summary, configuration, logs, histograms, files and forks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from playwright.sync_api import expect

import trackai
from tests.conftest import serving
from tests.dashboard.conftest import accessibility_violations, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.conftest import Server

EXPORT = Path(__file__).parents[1] / "data" / "neptune" / "export"
RUNS = """
import numpy as np
import trackai
with trackai.init(project="logs", name="long") as run:
    for step in range(3000):
        run.log({"out": f"line {step:04}" + (" NEEDLE" if step == 2345 else "")}, step=step)
config = {"share": 0.1 + 0.2, "key10": 1, "key2": 1}
with trackai.init(project="logs", name="machine", config=config) as run:
    run.log_system({"gpu": 0.5})
with trackai.init(project="logs", name="media") as run:
    pictures = [trackai.Image(np.zeros((8, 8, 3)), caption=word) for word in ("cat", "dog")]
    run.log({"pictures": pictures[0]}, step=0)
    run.log({"pictures": pictures, "weights": trackai.Histogram(np.arange(9))}, step=1)
    run.log({"guesses": trackai.Table(columns=["id", "guess"], data=[[1, "cat"], [2, None]])})
    run.log({"tone": trackai.Audio(np.sin(np.arange(8000) / 9), sample_rate=8000)})
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with imported runs, a run with a long log, and runs with media."""
    path = tmp_path_factory.mktemp("store") / "store" / "trackai.db"
    env = {**os.environ, "TRACKAI_DB_PATH": str(path)}
    for command in (["-m", "trackai.cli", "import", "neptune", str(EXPORT)], ["-c", RUNS]):
        subprocess.run([sys.executable, *command], env=env, check=True, capture_output=True)
    with serving(path) as server:
        yield server


def _run_url(server: Server, slug: str) -> str:
    (run,) = server.get(f"/api/runs?filter=run_id={slug}")["runs"]
    return f"{server.url}/?project={run['project_id']}&run={run['id']}"


def test_fork_and_parent_link_to_each_other(served: Server, page: Page) -> None:
    page.goto(_run_url(served, "llm-7b-fork-lr3e-5"))
    expect(page.get_by_text("Forked from")).to_be_visible()
    expect(page.get_by_text("(llm-7b-baseline) at step 1200")).to_be_visible()
    page.get_by_role("link", name="llm-7b", exact=True).click()
    expect(page.locator(".notes")).to_contain_text("Baseline 7B run.")
    expect(page.get_by_text("(llm-7b-fork-lr3e-5) at step 1200")).to_be_visible()
    expect(page.get_by_role("tab", name=re.compile("Histograms"))).to_contain_text("2")


def test_inherited_metrics_of_a_fork_are_drawn(served: Server, page: Page) -> None:
    (fork,) = served.get("/api/runs?filter=run_id=llm-7b-fork-lr3e-5")["runs"]
    own = {figure["path"] for figure in served.get(f"/api/runs/{fork['id']}/figures")}
    inherited = next(
        path for path in served.get(f"/api/metrics/runs/{fork['id']}") if path not in own
    )
    page.goto(f"{served.url}/?project={fork['project_id']}&runs={fork['id']}&metrics={inherited}")
    expect(page.locator("figure canvas")).to_be_visible()


def test_best_values_have_their_steps(served: Server, page: Page) -> None:
    page.goto(_run_url(served, "llm-7b-baseline"))
    row = page.get_by_role("region", name="Summary").get_by_role("row", name="train/loss")
    figures = {figure["path"]: figure for figure in served.get("/api/runs/1/figures")}
    best = row.get_by_role("cell").nth(1)
    expect(best).to_contain_text(f"@{figures['train/loss']['min_step']}")
    expect(best).to_have_attribute("title", re.compile(f"^{figures['train/loss']['min']} at step"))


def test_configuration_is_searched_and_copied(served: Server, page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(_run_url(served, "llm-7b-baseline"))
    config = page.get_by_role("region", name="Configuration")
    rows = config.get_by_role("row").count()
    config.get_by_role("searchbox").fill("lr")
    expect(config.get_by_role("row")).not_to_have_count(rows)
    config.get_by_role("row").first.hover()
    config.get_by_role("button", name=re.compile("^Copy .*lr")).first.click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert float(copied) > 0
    config.get_by_role("button", name="Copy JSON").click()
    expect(config.get_by_role("button", name="Copied")).to_be_visible()
    copied_run = page.evaluate("navigator.clipboard.readText().then(JSON.parse)")
    flat = served.get("/api/runs/1/config")
    assert copied_run["config"]["optimizer"]["lr"] == flat["config/optimizer/lr"]


def test_keys_with_numbers_are_in_natural_order(served: Server, page: Page) -> None:
    page.goto(_run_url(served, "machine"))
    config = page.get_by_role("region", name="Configuration")
    expect(config.get_by_role("rowheader")).to_have_text(["key2", "key10", "share"])


def test_long_log_is_virtualised_and_searched(served: Server, page: Page) -> None:
    page.goto(_run_url(served, "long") + "&tab=logs")
    lines = page.get_by_role("log")
    expect(lines.get_by_text("line 0000")).to_be_visible()
    expect(page.get_by_text("3,000 lines")).to_be_visible()
    assert page.locator(".line").count() < 100
    lines.evaluate("box => box.scrollTo(0, box.scrollHeight)")
    expect(lines.get_by_text("line 2999")).to_be_visible()
    search = page.get_by_role("searchbox", name="Search log")
    search.press_sequentially("need")
    expect(page).to_have_url(re.compile("find=need$"))
    search.press_sequentially("le")  # typing continues after the URL changes
    expect(search).to_have_value("needle")
    expect(page.get_by_text("1 match", exact=True)).to_be_visible()
    expect(lines.locator("mark")).to_have_text("NEEDLE")
    expect(page).to_have_url(re.compile("find=needle"))
    page.get_by_role("button", name="Show line 2346 in context").click()
    expect(page.get_by_text("3,000 lines")).to_be_visible()
    expect(page.locator(".marked")).to_contain_text("line 2345 NEEDLE")
    expect(page.locator(".marked")).to_be_in_viewport()
    expect(lines.get_by_text("line 2344")).to_be_visible()


def test_log_line_is_shown_in_full(served: Server, page: Page) -> None:
    page.goto(_run_url(served, "llm-7b-baseline") + "&tab=logs&log=runtime/stderr")
    expect(page.get_by_text("multi ⏎ line ⏎ message")).to_be_visible()
    page.get_by_role("button", name="Show line 4 in full").click()
    line = page.get_by_role("region", name="Line 4")
    expect(line.locator("pre")).to_have_text("multi\nline\nmessage", use_inner_text=True)
    line.get_by_role("button", name="Close").click()
    expect(line).to_have_count(0)


PRINTING = """
import time, trackai
with trackai.init(project="logs", name="printing") as run:
    for step in range(100_000):
        run.log({"out": f"said {step}"}, step=step)
        time.sleep(0.01)
"""


def test_log_is_followed_until_scrolled_up(served: Server, page: Page) -> None:
    env = {**os.environ, "TRACKAI_DB_PATH": str(served.db_path)}
    with subprocess.Popen([sys.executable, "-c", PRINTING], env=env) as process:
        try:
            page.goto(f"{served.url}/?project=3")
            page.get_by_role("link", name="printing").click()
            page.get_by_role("tab", name=re.compile("Logs")).click()
            lines = page.get_by_role("log")
            expect(lines.get_by_text(re.compile("said [2-9][0-9][0-9]")).last).to_be_visible()
            follow = page.get_by_role("checkbox", name="follow")
            expect(follow).to_be_checked()
            lines.hover()
            page.mouse.wheel(0, -2000)
            expect(follow).not_to_be_checked()
            scroll_top = lines.evaluate("box => box.scrollTop")
            before = page.locator(".count").text_content()
            expect(page.locator(".count")).not_to_have_text(before or "")
            assert lines.evaluate("box => box.scrollTop") == scroll_top
            follow.check()
            expect(lines).not_to_have_js_property("scrollTop", scroll_top)
        finally:
            process.kill()
    expect(page.locator(".about-run .state")).to_have_text("failed")
    expect(follow).to_have_count(0)


def test_histograms_are_drawn_and_stepped_through(served: Server, page: Page) -> None:
    page.goto(_run_url(served, "llm-7b-baseline") + "&tab=histograms")
    expect(page.locator("canvas.heat")).to_have_count(2)
    card = page.get_by_role("figure", name="debug/hist/wte.weight")
    slider = card.get_by_role("slider")
    expect(slider).to_have_attribute("aria-valuetext", "step 1400")
    slider.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", "step 0")
    expect(card.get_by_role("img", name=re.compile("at step 0: 2000 values"))).to_be_visible()
    box = card.locator("canvas.heat").bounding_box()
    assert box is not None
    card.locator("canvas.heat").click(position={"x": box["width"] - 2, "y": 50})
    expect(slider).to_have_attribute("aria-valuetext", "step 1400")
    drawn = card.locator("canvas.bars").evaluate(
        "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data"
        ".some(value => value > 0)"
    )
    assert drawn


def test_files_are_previewed_and_downloaded(served: Server, page: Page) -> None:
    page.goto(_run_url(served, "llm-7b-baseline") + "&tab=files")
    page.get_by_role("searchbox", name="Search files").fill("attn")
    page.get_by_role("link", name="images/attn_map").click()
    image = page.get_by_role("img", name="images/attn_map, step 1.5")
    expect(image).to_be_visible()
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    page.get_by_role("slider").press("Home")
    expect(page.get_by_role("img", name="images/attn_map, step 0.5")).to_be_visible()
    page.get_by_role("searchbox", name="Search files").fill("")
    page.get_by_role("link", name="source/train.py").click()
    expect(page.locator("pre.look")).to_contain_text("import")
    page.get_by_role("link", name="artifacts/weights").click()
    expect(page.locator("pre.look")).to_contain_text("00000000  ")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "weights.bin"
    assert download.value.path().stat().st_size == 3000


def test_logged_tables_and_images_are_previewed(served: Server, page: Page) -> None:
    page.goto(_run_url(served, "media") + "&tab=files")
    page.get_by_role("link", name="guesses").click()
    table = page.locator(".cells")
    expect(table.get_by_role("columnheader")).to_have_text(["id", "guess"])
    expect(table.get_by_role("cell")).to_have_text(["1", "cat", "2", "null"])
    assert accessibility_violations(page) == []
    page.get_by_role("link", name="pictures").click()
    # The images of a step are in a row.
    expect(page.get_by_role("img", name=re.compile("^pictures, step 1, "))).to_have_count(2)
    cat, dog = (page.get_by_text(name).bounding_box() for name in ("0 cat.png", "1 dog.png"))
    assert cat is not None
    assert dog is not None
    assert cat["y"] == dog["y"]
    expect(page.get_by_text("2 of 2")).to_be_visible()
    page.get_by_role("slider").press("Home")
    expect(page.get_by_role("img", name="pictures, step 0")).to_have_count(1)


# A video as only browsers can make one without further programs.
RECORDED = """async () => {
    const canvas = document.createElement("canvas");
    const context = canvas.getContext("2d");
    const recorder = new MediaRecorder(canvas.captureStream(20), { mimeType: "video/webm" });
    const parts = [];
    recorder.ondataavailable = ({ data }) => parts.push(data);
    recorder.start();
    for (let frame = 0; frame < 10; frame++) {
        context.fillRect(0, 0, 20 * frame, 100);
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await new Promise((resolve) => { recorder.onstop = resolve; recorder.stop(); });
    return Array.from(new Uint8Array(await new Blob(parts).arrayBuffer()));
}"""


def test_sounds_and_videos_are_played(
    served: Server, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.goto(served.url)
    video = bytes(page.evaluate(RECORDED))
    monkeypatch.setenv("TRACKAI_DB_PATH", str(served.db_path))
    with trackai.init(project="logs", name="playable") as run:
        tone = np.sin(np.arange(8000) / 9)
        run.log({"tone": trackai.Audio(tone, sample_rate=8000)})
        run.log({"clip": trackai.Video(video, format="webm")})
    page.goto(_run_url(served, "playable") + "&tab=files")
    for name, selector in (("tone", "audio"), ("clip", "video")):
        page.get_by_role("link", name=name).click()
        player = page.locator(selector)
        expect(player).to_have_attribute("aria-label", re.compile(f"^{name}, step"))
        wait_until(page, partial(player.evaluate, "player => player.readyState >= 1"))
    assert accessibility_violations(page) == []


def test_pages_are_shown_without_scripts(
    served: Server, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKAI_DB_PATH", str(served.db_path))
    html = """
        <style>h1 { color: rgb(1, 2, 3) }</style><h1>Samples</h1>
        <script>document.querySelector("h1").textContent = parent.document.title</script>
        <img src="https://elsewhere.example/x.png" onerror="document.body.innerHTML = ''">
    """
    with trackai.init(project="logs", name="with a page") as run:
        run.log({"samples": trackai.Html(html)})
    page = browser.new_page()  # the `page` fixture fails on what the browser says it has blocked
    loaded: list[str] = []
    page.on("response", lambda response: loaded.append(response.url))
    page.route("https://elsewhere.example/**", lambda route: route.fulfill(body="x"))
    page.goto(_run_url(served, "with-a-page") + "&tab=files")
    heading = page.frame_locator("iframe").get_by_role("heading")
    expect(heading).to_have_text("Samples")
    expect(heading).to_have_css("color", "rgb(1, 2, 3)")
    assert accessibility_violations(page) == []
    assert not [url for url in loaded if not url.startswith(served.url)]
    page.close()


def test_run_is_renamed_in_its_heading(served: Server, page: Page) -> None:
    page.goto(_run_url(served, "llm-empty"))
    heading = page.get_by_role("heading", level=1)
    page.get_by_role("button", name=re.compile("^Rename")).focus()
    page.keyboard.press("Enter")
    page.keyboard.insert_text("another name")
    page.keyboard.press("Enter")
    expect(heading).to_contain_text("another name")
    expect(page.get_by_role("button", name="Rename another name")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.insert_text("no")
    page.keyboard.press("Escape")
    expect(heading).to_contain_text("another name")
    assert served.get("/api/runs?filter=run_id=llm-empty")["runs"][0]["name"] == "another name"


def test_empty_tabs_say_how_to_fill_them(served: Server, page: Page) -> None:
    address = _run_url(served, "llm-empty")
    for tab, hint in {
        "system": "run.log_system(", "logs": "run.log(", "histograms": "No histograms",
        "files": "run.save(",
    }.items():  # fmt: skip
        page.goto(f"{address}&tab={tab}")
        expect(page.get_by_role("tabpanel").get_by_text(hint)).to_be_visible()


def test_run_with_only_system_metrics_opens_the_system_tab(served: Server, page: Page) -> None:
    address = _run_url(served, "machine")
    page.goto(address)
    expect(page.get_by_role("tab", selected=True)).to_contain_text("System")
    expect(page.locator("figure canvas")).to_be_visible()
    page.get_by_role("tab", name=re.compile("Charts")).click()
    expect(page.get_by_text("No metrics yet")).to_be_visible()
    page.goto(re.sub("run=.*", "by=config.share", address))  # 0.30000000000000004
    group = page.get_by_role("button", name=re.compile("^0.3"))
    expect(group).to_have_text(re.compile("0.31 run$"))


def test_keyboard_moves_between_tabs(served: Server, page: Page) -> None:
    page.goto(_run_url(served, "llm-7b-baseline"))
    page.get_by_role("tab", name=re.compile("Charts")).focus()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("tab", name=re.compile("Files"))).to_be_focused()
    expect(page).to_have_url(re.compile("tab=files"))
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", selected=True)).to_contain_text("System")
    expect(page.locator("figure canvas").first).to_be_visible()


# The dark scheme only changes colours.
RULES: dict[str, list[str]] = {"light": [], "dark": ["color-contrast"]}


@pytest.mark.parametrize("scheme", RULES)
def test_tabs_are_accessible(served: Server, browser: Browser, scheme: str) -> None:
    page = browser.new_page(color_scheme=scheme)  # type: ignore[arg-type]
    address = _run_url(served, "llm-7b-baseline")
    shown = {
        "charts": "figure canvas", "logs&find=loss": "mark", "histograms": "canvas.heat",
        "files&file=images/attn_map": "img",
    }  # fmt: skip
    for tab, selector in shown.items():
        page.goto(f"{address}&tab={tab}")
        expect(page.locator(selector).first).to_be_visible()
        assert accessibility_violations(page, *RULES[scheme]) == [], tab
    page.close()


def test_the_selected_tab_is_visible_on_a_phone(served: Server, page: Page) -> None:
    page.set_viewport_size({"width": 320, "height": 700})
    page.goto(f"{served.url}/?run=1&tab=files")
    tab = page.get_by_role("tab", name="Files")
    expect(tab).to_have_attribute("aria-selected", "true")

    def is_visible() -> bool:
        box = tab.bounding_box()
        return box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 320

    wait_until(page, is_visible)
    tab.focus()
    page.keyboard.press("Home")
    tab = page.get_by_role("tab", name="Charts")
    expect(tab).to_be_focused()
    wait_until(page, is_visible)


def test_tabs_fit_on_a_phone(served: Server, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    shown = {"charts": "figure", "logs": ".line", "histograms": "canvas.bars", "files": "pre.look"}
    for tab, selector in shown.items():
        page.goto(f"{_run_url(served, 'llm-7b-baseline')}&tab={tab}")
        expect(page.locator(selector).first).to_be_visible()
        page.wait_for_load_state("networkidle")
        panel = page.get_by_role("tabpanel").bounding_box()
        summary = page.get_by_role("region", name="Summary").bounding_box()
        assert panel is not None
        assert summary is not None
        assert summary["y"] >= panel["y"] + panel["height"] - 1  # no overlap
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.close()


def test_names_of_metrics_break_between_their_parts(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?run=1")
    name = page.get_by_role("region", name="Summary").get_by_role("rowheader", name="train/loss")
    expect(name.locator("wbr").first).to_be_attached()
