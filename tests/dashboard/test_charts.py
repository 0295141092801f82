"""Charts: what they say under the cursor, clip, save and sum up, and who can read them."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from tests.conftest import serving
from tests.dashboard.conftest import serious_findings, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator, Page

    from tests.conftest import Server

# Three groups of two runs that lie apart from each other; one value in a thousand is far off.
RUNS = """
import math, trackai
for number in range(6):
    config = {"lr": 10.0 ** -number, "kind": "ab"[number % 2]}
    with trackai.init(project="p", name=f"r{number}", group=f"g{number % 3}", config=config) as run:
        for step in range(2000):
            far = 1000 * (step == 1500)
            run.log({"train/loss": number + 1 + step % 7 / 100 + far, "val/odd": 0.5}, step=step)
        run.log({"val/odd": math.nan}, step=2000)
        run.log_system({"gpu": 0.5})
        run.log_system({"gpu": 0.7})
for number in range(9):
    with trackai.init(project="many") as run:
        run.log({"loss": number})
        run.log({"loss": number + 1})
with trackai.init(project="ticks") as run:
    for step in range(100):
        near = 100_000.1 + step * 1e-6
        run.log({"near": near, "great": 1e38 * step, "small": 1e-318 * step}, step=step)
    for step in range(1, 101):
        run.log({"far": 1e6 * step}, step=1000 * step)
for value in (1, 1000):
    with trackai.init(project="wide", name=f"w{value}") as run:
        run.log({"once": 3}, step=0)
        for step in range(3):
            spoilt = math.nan if value > 1 and step == 1 else 0.5
            run.log({"loss": value, "spoilt": spoilt}, step=step)
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server over six runs of one project, nine of another, one with odd numbers, one of two."""
    path = tmp_path_factory.mktemp("store") / "store" / "trackai.db"
    env = {**os.environ, "TRACKAI_DB_PATH": str(path)}
    subprocess.run([sys.executable, "-c", RUNS], env=env, check=True, capture_output=True)
    with serving(path) as server:
        yield server


def _chart(page: Page, path: str = "train/loss") -> Locator:
    chart = page.locator("figure", has=page.locator(f'figcaption[title="{path}"]'))
    expect(chart.locator("canvas")).to_be_visible()
    return chart


def _point(page: Page, chart: Locator, x: float, y: float) -> None:
    """Move the mouse to a part of the plot: shares of its width and height."""
    over = chart.locator(".u-over")
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * x, box["y"] + box["height"] * y, steps=2)


def _saved(page: Page, chart: Locator, kind: str) -> bytes:
    chart.locator("summary").click()
    with page.expect_download() as download:
        chart.get_by_role("button", name=kind).click()
    return Path(download.value.path()).read_bytes()


def test_the_nearest_run_is_read_first_and_in_full(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&clip=1&metrics=train")
    chart = _chart(page)
    _point(page, chart, 0.3, 0.02)
    first = chart.locator(".reading").first
    expect(first).to_contain_text("r5")
    _point(page, chart, 0.3, 0.98)
    expect(first).to_contain_text("r0")
    expect(chart.locator(".readout")).to_contain_text("points")
    shown = float(first.locator("b").text_content() or "nan")
    assert 1 <= shown < 1.07
    assert len(str(shown)) > 7, "a mean of sixteen such values has six digits after the point"


def test_outliers_are_clipped_and_the_chart_says_so(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&metrics=train")
    chart = _chart(page)
    expect(chart.get_by_text("clipped")).to_have_count(0)
    page.get_by_label("clip outliers").check()
    expect(chart.get_by_text(re.compile(r"^6 of \d+ values clipped as outliers"))).to_be_visible()
    expect(page).to_have_url(re.compile("clip=1"))
    page.get_by_label("clip outliers").uncheck()
    expect(chart.get_by_text("clipped")).to_have_count(0)


def test_a_chart_fills_the_screen_and_its_address_says_so(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&metrics=train")
    _chart(page)
    page.get_by_role("button", name="Full screen: train/loss").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("canvas")).to_be_visible()
    expect(dialog.get_by_role("listitem")).to_have_count(6)
    assert dialog.locator("canvas").bounding_box()["width"] > 1200  # type: ignore[index]
    assert serious_findings(page) == []
    page.goto(page.url)
    expect(dialog.locator("canvas")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page).not_to_have_url(re.compile("full="))


def test_full_screen_is_one_step_back_with_what_was_done_in_it(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&metrics=val")
    page.get_by_label("Search metrics").fill("train")
    _chart(page)
    before = page.evaluate("history.length")
    page.get_by_role("button", name="Full screen: train/loss").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("clip outliers").check()
    plot = dialog.get_by_role("group", name="train/loss")
    expect(plot.locator("canvas")).to_be_visible()
    plot.press("+")
    expect(dialog.get_by_role("button", name="Reset zoom")).to_be_visible()
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_have_count(0)
    expect(page).not_to_have_url(re.compile("full="))  # it is hidden before the address changes
    expect(page).to_have_url(re.compile("metrics=train.*clip=1.*range=step"))
    expect(page.get_by_label("clip outliers")).to_be_checked()
    assert page.evaluate("history.length") == before + 1  # what is ahead: the full screen
    page.go_forward()
    expect(dialog).to_be_visible()
    page.go_back()
    expect(dialog).to_have_count(0)


def test_runs_of_the_same_colour_are_told_apart(served: Server, page: Page) -> None:
    ids = ",".join(str(number) for number in range(7, 16))
    page.goto(f"{served.url}/?project=2&runs={ids}&full=loss")
    swatches = page.get_by_role("dialog").locator(".legend .swatch")
    expect(swatches).to_have_count(9)
    looks = swatches.evaluate_all(
        "all => all.map((one) => getComputedStyle(one).borderTopColor + one.className)"
    )
    assert len(set(looks)) == 9


def test_colours_differ_while_there_are_some_and_stay(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=2&runs=7,15")  # which have the same colour by themselves
    dots = page.locator(".row.on .swatch")

    def colours() -> list[str]:
        style = "(one) => getComputedStyle(one).borderTopColor"
        return list(dots.evaluate_all(f"all => all.map({style})"))

    expect(dots).to_have_count(2)
    fifteenth, seventh = colours()
    assert fifteenth != seventh
    page.get_by_role("checkbox", name=re.compile("^Show")).nth(2).check()  # run 13
    expect(dots).to_have_count(3)
    last, middle, first = colours()
    assert (last, first) == (fifteenth, seventh)
    assert middle not in {last, first}
    page.get_by_role("checkbox", name=re.compile("^Show")).last.uncheck()
    expect(dots).to_have_count(2)
    assert colours() == [last, middle]
    page.goto(f"{served.url}/?project=2&runs=7,15&full=loss")
    legend = page.get_by_role("dialog").locator(".legend")
    expect(legend.locator(".swatch")).to_have_count(2)
    expect(legend.locator(".dashed")).to_have_count(0)


def test_the_legend_hides_and_shows(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&metrics=train&full=train/loss")
    dialog = page.get_by_role("dialog")
    entry = dialog.get_by_role("button", name=re.compile("^r5"))
    expect(entry).to_have_attribute("aria-pressed", "true")
    entry.click()
    expect(entry).to_have_attribute("aria-pressed", "false")
    assert serious_findings(page) == []
    rows = csv.DictReader(io.StringIO(_saved(page, dialog, "as drawn").decode()))
    assert {row["run"] for row in rows} == {"r0", "r1", "r2", "r3", "r4"}
    page.goto(page.url)
    expect(entry).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("Escape")
    chart = _chart(page)
    _point(page, chart, 0.3, 0.3)
    expect(chart.locator(".reading")).to_have_count(5)
    page.get_by_role("button", name="Show 1 hidden").click()
    until(page, lambda: _point(page, chart, 0.31, 0.3))
    expect(chart.locator(".reading")).to_have_count(6)
    expect(page).not_to_have_url(re.compile("hide="))


def test_an_svg_is_drawn_from_the_data(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&metrics=train")
    root = ET.fromstring(_saved(page, _chart(page), "SVG"))
    space = "{http://www.w3.org/2000/svg}"
    said = [text.text for text in root.iter(f"{space}text")]
    assert {"train/loss", "step", "r0", "r5"} <= set(said)
    drawn = [one.attrib["d"] for one in root.iter(f"{space}path") if "stroke-opacity" in one.attrib]
    assert len(drawn) == 6
    assert all(path.count("L") > 60 for path in drawn)
    assert root.find(f".//{space}image") is None


def test_a_png_is_a_picture(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&metrics=train")
    png = _saved(page, _chart(page), "PNG")
    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[16:20], "big") == 1800


def test_a_logarithm_shows_the_first_points(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&metrics=train&runs=1,2&xscale=log")
    rows = list(csv.DictReader(io.StringIO(_saved(page, _chart(page), "as drawn").decode())))
    for run in ("r0", "r1"):
        of = [row for row in rows if row["run"] == run]
        assert [row["step"] for row in of[:8]] == list("01234567")
        assert sum(int(row["points"]) for row in of) == 2000
        steps = [float(row[name]) for row in of for name in ("step", "step_last")]
        assert steps == sorted(steps)
        assert len(of) > 100


def test_a_csv_has_what_is_drawn_or_all_points(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&metrics=train&runs=1,2")
    chart = _chart(page)
    rows = list(csv.DictReader(io.StringIO(_saved(page, chart, "as drawn").decode())))
    assert {row["run"] for row in rows} == {"r0", "r1"}
    assert sum(int(row["points"]) for row in rows) == 4000
    assert max(float(row["max"]) for row in rows if row["run"] == "r0") > 1000
    rows = list(csv.DictReader(io.StringIO(_saved(page, chart, "all points").decode())))
    assert len(rows) == 4000
    assert rows[6] == {**rows[6], "run": "r0", "step": "6", "value": "1.06"}


def test_groups_are_shown_as_mean_and_deviation(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&metrics=train")
    page.get_by_label("Lines").select_option("group")
    expect(page).to_have_url(re.compile("mean=group"))
    chart = _chart(page)
    rows: list[dict[str, str]] = []

    def drawn() -> bool:  # until then it saves the lines of each run
        rows[:] = csv.DictReader(io.StringIO(_saved(page, chart, "as drawn").decode()))
        return "group" in rows[0]

    until(page, drawn)
    assert [row["group"] for row in rows if row["step"] == "0"] == ["g0", "g1", "g2"]
    first = rows[0]  # runs 0 and 3: 1 and 4, and the same above both
    spread = float(first["mean_plus_std"]) - float(first["value"])
    assert math.isclose(spread, 3 / math.sqrt(2), rel_tol=1e-6)
    _point(page, chart, 0.2, 0.5)
    expect(chart.locator(".readout")).to_contain_text("2 of 2 runs")
    page.get_by_label("Lines").select_option("config.kind")
    expect(chart.locator(".readout")).to_be_hidden()


def test_smoothing_is_of_the_whole_series(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&metrics=train&runs=1")
    _chart(page)
    with page.expect_request(lambda one: '"smoothing":0.9' in (one.post_data or "")):
        page.get_by_label("Smoothing").fill("0.9")
    expect(page).to_have_url(re.compile("smooth=0.9"))
    chart = _chart(page)
    _point(page, chart, 0.2, 0.5)
    expect(chart.locator(".readout")).to_contain_text("unsmoothed")


def test_zoom_goes_down_to_points_and_is_in_the_address(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&metrics=train&runs=1,2&range=step:1495:1505")
    chart = _chart(page)
    _point(page, chart, 0.5, 0.05)
    expect(chart.locator(".readout header")).to_have_text("step 1500")
    expect(chart.locator(".reading").first).to_contain_text(re.compile(r"100[12]\.02"))
    page.get_by_role("button", name="Reset zoom").click()
    expect(page).not_to_have_url(re.compile("range="))


def test_one_zoom_is_one_step_back(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1")
    for path in ("train/loss", "val/odd", "gpu"):
        _chart(page, path)
    before = page.evaluate("history.length")
    place = _chart(page).bounding_box()
    _point(page, _chart(page), 0.2, 0.3)
    page.mouse.down()
    _point(page, _chart(page), 0.4, 0.3)
    page.mouse.up()
    expect(page.get_by_role("button", name="Reset zoom")).to_be_visible()
    assert _chart(page).bounding_box() == place
    assert page.evaluate("history.length") == before + 1
    page.go_back()
    expect(page.get_by_role("button", name="Reset zoom")).to_have_count(0)
    expect(page).to_have_url(f"{served.url}/?project=1")


def test_axes_are_logarithmic_and_say_what_they_leave_out(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&metrics=train&scale=log&xscale=log")
    root = ET.fromstring(_saved(page, _chart(page), "SVG"))
    said = {text.text for text in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"10", "100", "1000"} <= said


# What is written onto canvases: the text, how far from the foot, and from where to where.
WRITTEN = """
window.written = [];
const write = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
    const half = this.measureText(text).width / 2;
    written.push([String(text), this.canvas.height - y, x - half, x + half]);
    return write.apply(this, arguments);
};
"""


@pytest.mark.parametrize("scale", ["", "&scale=log"])
@pytest.mark.parametrize("path", ["near", "great", "small"])
def test_ticks_are_told_apart(served: Server, page: Page, path: str, scale: str) -> None:
    page.add_init_script(WRITTEN)
    page.goto(f"{served.url}/?project=3&metrics=^{path}${scale}")
    chart = _chart(page, path)
    until(page, lambda: page.evaluate("written.length") > 5)
    said = page.evaluate("written.filter(([, foot]) => foot > 35).map(([text]) => text)")
    assert len(set(said)) == len(said) >= 2
    root = ET.fromstring(_saved(page, chart, "SVG"))
    space = "{http://www.w3.org/2000/svg}"
    marks = [one.text for one in root.iter(f"{space}text") if one.get("text-anchor") == "end"]
    assert len(set(marks)) == len(marks) >= 2


@pytest.mark.parametrize("scale", ["", "&xscale=log"])
def test_what_is_written_below_a_chart_has_room(served: Server, page: Page, scale: str) -> None:
    page.add_init_script(WRITTEN)
    page.goto(f"{served.url}/?project=3&metrics=^far${scale}")
    chart = _chart(page, "far")
    until(page, lambda: page.evaluate("written.length") > 5)
    written = page.evaluate("written")
    width = chart.locator("canvas").evaluate("(one) => one.width")
    below = sorted({(start, end) for text, foot, start, end in written if foot < 22 and text})
    assert len(below) >= 4
    assert below[-1][1] <= width
    assert all(end < start for (_, end), (start, _) in pairwise(below))
    said = {text for text, *_ in written}
    assert {"40M", "10k" if scale else "20k"} <= said


def test_the_day_is_written_below_the_time(served: Server, page: Page) -> None:
    page.add_init_script(WRITTEN)
    page.goto(f"{served.url}/?project=1&metrics=train&x=time")
    _chart(page)
    day = "/[0-9]{4}-[0-9]{2}-[0-9]{2}/"
    until(page, lambda: page.evaluate(f"written.some(([text]) => {day}.test(text))"))
    foot = page.evaluate("Math.min(...written.map(([, height]) => height))")
    assert foot >= 11, "a line of that size has no room"


def test_metrics_are_searched_by_regular_expression(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1")
    search = page.get_by_label("Search metrics")
    search.fill("^(train|gpu)")
    expect(page.locator("figure")).to_have_count(2)
    expect(page.get_by_text("2 of 3")).to_be_visible()
    before = page.locator("figure").first.bounding_box()
    search.fill("^(train|gpu)[")  # half typed
    expect(search).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_text("Invalid regular expression; showing the last matches")).to_be_visible()
    expect(page.locator("figure")).to_have_count(2)
    assert page.locator("figure").first.bounding_box() == before
    search.fill("^odd")
    expect(page.get_by_text("No metrics match")).to_be_visible()


def test_sections_close_and_stay_closed(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1")
    _chart(page)
    # What the machine does comes last, in a section of its own.
    sections = page.locator(".section > summary")
    expect(sections).to_have_text(["train 1", "val 1", "System 1"])
    sections.first.click()
    expect(page.locator('figcaption[title="train/loss"]')).to_have_count(0)
    page.goto(page.url)
    _chart(page, "val/odd")
    expect(page.locator('figcaption[title="train/loss"]')).to_have_count(0)


def test_system_metrics_lie_over_each_other_by_time(served: Server, page: Page) -> None:
    page.add_init_script(WRITTEN)
    page.goto(f"{served.url}/?project=1&metrics=gpu&mean=all")
    chart = _chart(page, "gpu")
    _point(page, chart, 0.01, 0.9)
    expect(chart.locator(".readout header")).to_contain_text(re.compile(r"\d s$"))
    assert page.evaluate("written.some(([text]) => /^[0-9.]+ s$/.test(text))")


def test_system_metrics_are_shown_beside_a_zoom_by_step(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&metrics=gpu&runs=1,2&range=step:100:200")
    chart = _chart(page, "gpu")
    _point(page, chart, 0.01, 0.9)
    expect(chart.locator(".readout header")).to_contain_text(re.compile(r"\d s$"))
    expect(page.get_by_role("button", name="Reset zoom")).to_contain_text("step 100")


def test_a_nan_is_said(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&metrics=val&runs=1&range=step:1990:2000.5")
    chart = _chart(page, "val/odd")
    _point(page, chart, 0.95, 0.5)
    expect(chart.locator(".reading").first).to_contain_text("NaN")


def test_the_keyboard_reads_and_zooms(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&metrics=train&runs=1")
    chart = _chart(page)
    plot = chart.get_by_role("group", name="train/loss")
    plot.focus()
    plot.press("ArrowRight")
    expect(chart.locator("[aria-live]")).to_contain_text(re.compile(r"^steps? 0.*r0: 1\."))
    plot.press("+")
    expect(page).to_have_url(re.compile(quote("range=step:", safe="=")))
    plot.press("Escape")
    expect(page).not_to_have_url(re.compile("range="))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_charts(served: Server, page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(f"{served.url}/?project=1&clip=1&range=step:0:1000&metrics=.")
    _chart(page).locator("summary").click()
    assert serious_findings(page) == []


def test_metrics_that_no_chosen_run_has_are_not_drawn(server: Server, page: Page) -> None:
    project = server.request("POST", "/api/projects", {"name": "p", "project_id": "p"}).json["id"]
    ids = []
    for name, values in {"one": {"loss": 1.5}, "two": {"loss": 2.5, "other": 1.5}}.items():
        new = {"project_id": project, "run_id": name, "state": "completed"}
        ids.append(server.request("POST", "/api/runs", new).json["id"])
        rows = [{"step": step, "values": values} for step in range(3)]
        server.request("POST", f"/api/metrics/runs/{ids[-1]}", {"rows": rows})
    one, _ = ids
    address = f"{server.url}/?project={project}"
    page.goto(f"{address}&runs={one}")
    _chart(page, "loss")
    expect(page.locator("figure")).to_have_count(1)
    page.get_by_role("checkbox", name="Show two").check()
    _chart(page, "other")
    page.get_by_role("checkbox", name="Show two").uncheck()
    expect(page.locator("figure")).to_have_count(1)
    page.goto(f"{address}&runs={one},99&range=step:100:200")
    expect(_chart(page, "loss")).to_contain_text("No points in this range.")
    expect(page.get_by_text("1 of the selected runs was not found")).to_be_visible()
    page.get_by_role("button", name="Remove from selection").click()
    expect(page).to_have_url(re.compile(f"runs={one}&|runs={one}$"))
    expect(page.get_by_text("was not found")).to_have_count(0)
    page.goto(f"{address}&runs=99")
    expect(_chart(page, "loss")).to_contain_text("The selected runs have been deleted.")


def test_runs_that_have_ended_are_not_asked_for_all_the_time(server: Server, page: Page) -> None:
    project = server.request("POST", "/api/projects", {"name": "p", "project_id": "p"}).json["id"]
    ids = []
    for name in ("ended", "alive"):
        new = {"project_id": project, "run_id": name}
        ids.append(server.request("POST", "/api/runs", new).json["id"])
    ended, alive = ids

    def log(run: int, step: int, value: float) -> None:
        rows = [{"step": step, "values": {"loss": value}}]
        assert server.request("POST", f"/api/metrics/runs/{run}", {"rows": rows}).status == 200

    def finish(run: int) -> None:
        assert server.request("PATCH", f"/api/runs/{run}/state?state=completed").status == 200

    for run in ids:
        log(run, 0, 1.5)
        log(run, 1, 2.5)
    finish(ended)
    with page.expect_request(
        lambda request: json.loads(request.post_data or "{}").get("run_ids") == [alive]
    ):
        page.goto(f"{server.url}/?project={project}&runs={ended},{alive}&full=loss")
    lines = page.get_by_role("dialog").get_by_role("listitem")
    expect(lines).to_have_count(2)
    log(alive, 2, 44.5)
    expect(page.get_by_role("dialog")).to_contain_text("1.5 … 44.5")
    # What it logged before its end is not left out.
    log(alive, 3, 77.5)
    finish(alive)
    expect(page.get_by_role("dialog")).to_contain_text("1.5 … 77.5")
    expect(lines).to_have_count(2)


# The colours of the lines that are drawn, and how many points.
DRAWN = """
window.drawn = new Set();
window.dots = 0;
const arc = Path2D.prototype.arc;
Path2D.prototype.arc = function () {
    dots += 1;
    return arc.apply(this, arguments);
};
const stroke = CanvasRenderingContext2D.prototype.stroke;
CanvasRenderingContext2D.prototype.stroke = function () {
    drawn.add(this.strokeStyle);
    return stroke.apply(this, arguments);
};
"""


def test_the_page_follows_when_the_system_becomes_dark(served: Server, page: Page) -> None:
    page.add_init_script(DRAWN)
    page.emulate_media(color_scheme="light")
    page.goto(f"{served.url}/?project=1&metrics=train&runs=1")
    until(page, lambda: page.evaluate("drawn.has('#0072b2')"))
    page.emulate_media(color_scheme="dark")
    until(page, lambda: page.evaluate("drawn.has('#56b4e9')"))
    expect(page.locator(".row.on .swatch")).to_have_css("border-top-color", "rgb(86, 180, 233)")


def test_what_is_alone_in_view_is_a_point(served: Server, page: Page) -> None:
    page.add_init_script(DRAWN + WRITTEN)
    page.goto(f"{served.url}/?project=1&metrics=train&runs=1&range=step:1490:1510")
    until(page, lambda: page.evaluate("drawn.size") > 0)
    assert page.evaluate("dots") == 0
    _point(page, _chart(page), 0.48, 0.5)
    page.mouse.down()
    _point(page, _chart(page), 0.52, 0.5)
    page.mouse.up()
    until(page, lambda: page.evaluate("dots") > 0)
    page.goto(f"{served.url}/?project=4&metrics=once")
    until(page, lambda: page.evaluate("dots") > 0)
    said = page.evaluate("written.filter(([, foot]) => foot < 35).map(([text]) => text)")
    assert {"-0.2", "0", "0.2"} <= set(said)


def test_a_band_that_reaches_below_zero_is_drawn_on_a_logarithmic_axis(
    served: Server, page: Page
) -> None:
    page.add_init_script(DRAWN)
    page.goto(f"{served.url}/?project=4&metrics=loss&mean=all&scale=log")
    until(page, lambda: page.evaluate("drawn.has('#0072b2')"))
    # Some pixels between 500 and 500 + 706, where there is only the band.
    pixels = "one.getContext('2d').getImageData(one.width * 0.6, one.height * 0.3, 1, 9).data"
    canvas = _chart(page, "loss").locator("canvas")
    assert all(canvas.evaluate(f"(one) => [...{pixels}]")[3::4])


def test_a_mark_at_the_bottom_says_whose_it_is(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=4&metrics=spoilt")
    chart = _chart(page, "spoilt")
    first = chart.locator(".reading").first
    _point(page, chart, 0.5, 0.97)
    expect(first).to_contain_text("w1000NaN")
    _point(page, chart, 0.5, 0.5)
    expect(first).to_contain_text("w10.5")


@pytest.mark.parametrize("width", [1400, 1024, 390])
def test_what_is_read_does_not_lie_over_what_is_pointed_at(
    served: Server, page: Page, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{served.url}/?project=1&metrics=train")
    chart = _chart(page)
    for place in (0.05, 0.5, 0.95):
        _point(page, chart, place, 0.5)
        expect(chart.locator(".reading")).to_have_count(6)
        box, over = (
            chart.locator(".readout").bounding_box(),
            chart.locator(".u-over").bounding_box(),
        )
        assert box is not None
        assert over is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        at = over["x"] + over["width"] * place
        beside = at < box["x"] or at > box["x"] + box["width"]
        assert beside or box["y"] > over["y"] + over["height"]
