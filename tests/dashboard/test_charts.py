"""Charts: readout, clipping, zoom, groups, export, axes and accessibility."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import xml.etree.ElementTree as ET
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.sync_api import expect

from tests.dashboard.conftest import accessibility_violations, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, Response, Route

    from tests.conftest import Server

# Three groups of two runs with well separated values; one value in a thousand is an outlier.
RUNS = """
import math, trackai
for number in range(6):
    config = {"lr": 10.0 ** -number, "kind": "ab"[number % 2]}
    with trackai.init(project="p", name=f"r{number}", group=f"g{number % 3}", config=config) as run:
        for step in range(2000):
            outlier = 1000 * (step == 1500)
            loss = number + 1 + step % 7 / 100 + outlier
            run.log({"train/loss": loss, "val/odd": 0.5}, step=step)
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
with trackai.init(project="gaps") as run:
    for step, value in enumerate([10, 20, -1, 30, 40, 0, 50]):
        run.log({"signed": value}, step=step)
"""


def _chart(page: Page, path: str = "train/loss") -> Locator:
    chart = page.locator("figure", has=page.locator(f'figcaption[title="{path}"]'))
    expect(chart.locator("canvas")).to_be_visible()
    return chart


def _point_at(page: Page, chart: Locator, x: float, y: float) -> None:
    """Move the mouse to a point of the plot, given as shares of its width and height."""
    over = chart.locator(".u-over")
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * x, box["y"] + box["height"] * y, steps=2)


def _download(page: Page, chart: Locator, kind: str) -> bytes:
    chart.locator("summary").click()
    with page.expect_download() as download:
        chart.get_by_role("button", name=kind).click()
    return Path(download.value.path()).read_bytes()


def test_readout_lists_the_nearest_run_first_with_full_precision(
    served: Server, page: Page
) -> None:
    page.goto(f"{served.url}/?project=1&clip=1&metrics=train")
    chart = _chart(page)
    _point_at(page, chart, 0.3, 0.02)
    first = chart.locator(".reading").first
    expect(first).to_contain_text("r5")
    _point_at(page, chart, 0.3, 0.98)
    expect(first).to_contain_text("r0")
    expect(chart.locator(".readout")).to_contain_text("points")
    value = float(first.locator("b").text_content() or "nan")
    assert 1 <= value < 1.07
    assert len(str(value)) > 7, "a mean of sixteen such values has six digits after the point"


def test_clipped_outliers_are_reported(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&metrics=train")
    chart = _chart(page)
    clipped = chart.get_by_text(re.compile(r"^6 of \d+ values clipped as outliers"))
    expect(clipped).to_be_visible()
    page.get_by_label("clip outliers").uncheck()
    expect(chart.get_by_text("clipped")).to_have_count(0)
    expect(page).to_have_url(re.compile("clip=0"))
    page.get_by_label("clip outliers").check()
    expect(clipped).to_be_visible()
    expect(page).not_to_have_url(re.compile("clip="))


def test_full_screen_is_in_the_url(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&metrics=train")
    _chart(page)
    page.get_by_role("button", name="Full screen: train/loss").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("canvas")).to_be_visible()
    expect(dialog.get_by_role("listitem")).to_have_count(6)
    assert dialog.locator("canvas").bounding_box()["width"] > 1200  # type: ignore[index]
    assert accessibility_violations(page) == []
    page.goto(page.url)
    expect(dialog.locator("canvas")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page).not_to_have_url(re.compile("full="))


def test_closing_full_screen_keeps_its_settings(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&metrics=val")
    page.get_by_label("Search metrics").fill("train")
    _chart(page)
    before = page.evaluate("history.length")
    page.get_by_role("button", name="Full screen: train/loss").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("clip outliers").uncheck()
    plot = dialog.get_by_role("group", name="train/loss")
    expect(plot.locator("canvas")).to_be_visible()
    plot.press("+")
    expect(dialog.get_by_role("button", name="Reset zoom")).to_be_visible()
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_have_count(0)
    expect(page).not_to_have_url(re.compile("full="))  # the dialog closes before the URL changes
    expect(page).to_have_url(re.compile("metrics=train.*clip=0.*range=step"))
    expect(page.get_by_label("clip outliers")).not_to_be_checked()
    assert page.evaluate("history.length") == before + 1  # the full screen, one step forward
    page.go_forward()
    expect(dialog).to_be_visible()
    page.go_back()
    expect(dialog).to_have_count(0)


def test_runs_with_the_same_colour_have_different_line_styles(served: Server, page: Page) -> None:
    ids = ",".join(str(number) for number in range(7, 16))
    page.goto(f"{served.url}/?project=2&runs={ids}&full=loss")
    swatches = page.get_by_role("dialog").locator(".legend .swatch")
    expect(swatches).to_have_count(9)
    styles = swatches.evaluate_all(
        "all => all.map((dot) => getComputedStyle(dot).color + getComputedStyle(dot).background)"
    )
    assert len(set(styles)) == 9


def _backgrounds(swatches: Locator) -> list[str]:
    return list(swatches.evaluate_all("all => all.map((dot) => getComputedStyle(dot).background)"))


def test_the_line_styles_are_those_of_the_table(served: Server, page: Page) -> None:
    ids = ",".join(str(number) for number in range(7, 16))
    page.goto(f"{served.url}/?project=2&runs={ids}")
    swatches = page.locator(".row.on .swatch")
    expect(swatches).to_have_count(9)
    assert [("gradient" in style) for style in _backgrounds(swatches)].count(True) == 1


def test_colours_are_distinct_and_stable(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=2&runs=7,15")  # alone, each has the same colour
    dots = page.locator(".row.on .swatch")

    def colours() -> list[str]:
        style = "(dot) => getComputedStyle(dot).color"
        return list(dots.evaluate_all(f"all => all.map({style})"))

    expect(dots).to_have_count(2)
    fifteenth, seventh = colours()
    assert fifteenth != seventh
    page.get_by_role("checkbox", name=re.compile("^Select (?!all)")).nth(2).check()  # run 13
    expect(dots).to_have_count(3)
    last, middle, first = colours()
    assert (last, first) == (fifteenth, seventh)
    assert middle not in {last, first}
    page.get_by_role("checkbox", name=re.compile("^Select (?!all)")).last.uncheck()
    expect(dots).to_have_count(2)
    assert colours() == [last, middle]
    page.goto(f"{served.url}/?project=2&runs=7,15&full=loss")
    legend = page.get_by_role("dialog").locator(".legend")
    expect(legend.locator(".swatch")).to_have_count(2)
    assert not any("gradient" in style for style in _backgrounds(legend.locator(".swatch")))


def test_legend_hides_and_shows_runs(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&metrics=train&full=train/loss")
    dialog = page.get_by_role("dialog")
    entry = dialog.get_by_role("button", name=re.compile("^r5"))
    expect(entry).to_have_attribute("aria-pressed", "true")
    entry.click()
    expect(entry).to_have_attribute("aria-pressed", "false")
    assert accessibility_violations(page) == []
    rows = csv.DictReader(io.StringIO(_download(page, dialog, "as drawn").decode()))
    assert {row["run"] for row in rows} == {"r0", "r1", "r2", "r3", "r4"}
    page.goto(page.url)
    expect(entry).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("Escape")
    chart = _chart(page)
    _point_at(page, chart, 0.3, 0.3)
    expect(chart.locator(".reading")).to_have_count(5)
    page.get_by_role("button", name="Show 1 hidden").click()
    wait_until(page, lambda: _point_at(page, chart, 0.31, 0.3))
    expect(chart.locator(".reading")).to_have_count(6)
    expect(page).not_to_have_url(re.compile("hide="))


def test_svg_is_drawn_from_the_data(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&metrics=train")
    root = ET.fromstring(_download(page, _chart(page), "SVG"))
    space = "{http://www.w3.org/2000/svg}"
    texts = [text.text for text in root.iter(f"{space}text")]
    assert {"train/loss", "step", "r0", "r5"} <= set(texts)
    paths = [path.attrib for path in root.iter(f"{space}path")]
    lines = [attributes["d"] for attributes in paths if "stroke-opacity" in attributes]
    assert len(lines) == 6
    assert all(line.count("L") > 60 for line in lines)
    assert root.find(f".//{space}image") is None


def test_logarithmic_y_axis_has_gaps_at_what_it_cannot_show(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=5&scale=log")
    chart = _chart(page, "signed")
    columns = chart.locator("canvas").evaluate(
        """canvas => {
            const over = canvas.parentElement.querySelector(".u-over");
            const color = getComputedStyle(document.querySelector(".row .swatch")).color;
            const [red, green, blue] = color.match(/\\d+/g).map(Number);
            const scale = canvas.width / canvas.clientWidth;
            const left = Math.round(over.offsetLeft * scale);
            const width = Math.round(over.clientWidth * scale);
            const height = Math.round(over.clientHeight * scale);
            const { data } = canvas.getContext("2d").getImageData(left, 0, width, height);
            return Array.from({ length: width }, (_, x) => {
                for (let at = 4 * x; at < data.length; at += 4 * width) {
                    if (data[at] === red && data[at + 1] === green && data[at + 2] === blue)
                        return true;
                }
                return false;
            });
        }"""
    )
    is_drawn = [columns[round(step / 6 * (len(columns) - 1))] for step in (0.5, 2, 3.5, 4.5, 5.5)]
    assert is_drawn == [True, False, True, False, False]
    assert any(columns[-8:])  # the last point, alone
    root = ET.fromstring(_download(page, chart, "SVG"))
    space = "{http://www.w3.org/2000/svg}"
    lines = [path.get("d", "") for path in root.iter(f"{space}path") if path.get("stroke-opacity")]
    assert [line.count("M") for line in lines] == [2]
    assert len(list(root.iter(f"{space}circle"))) == 1


def test_png_has_twice_the_resolution(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&metrics=train")
    png = _download(page, _chart(page), "PNG")
    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[16:20], "big") == 1800


def test_logarithmic_x_axis_shows_the_first_points(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&metrics=train&runs=1,2&xscale=log")
    rows = list(csv.DictReader(io.StringIO(_download(page, _chart(page), "as drawn").decode())))
    for run in ("r0", "r1"):
        buckets = [row for row in rows if row["run"] == run]
        assert [bucket["step"] for bucket in buckets[:8]] == list("01234567")
        assert sum(int(bucket["points"]) for bucket in buckets) == 2000
        steps = [float(bucket[name]) for bucket in buckets for name in ("step", "step_last")]
        assert steps == sorted(steps)
        assert len(buckets) > 100


def test_csv_has_drawn_buckets_or_all_points(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&metrics=train&runs=1,2")
    chart = _chart(page)
    rows = list(csv.DictReader(io.StringIO(_download(page, chart, "as drawn").decode())))
    assert {row["run"] for row in rows} == {"r0", "r1"}
    assert sum(int(row["points"]) for row in rows) == 4000
    assert max(float(row["max"]) for row in rows if row["run"] == "r0") > 1000
    rows = list(csv.DictReader(io.StringIO(_download(page, chart, "all points").decode())))
    assert len(rows) == 4000
    assert rows[6] == {**rows[6], "run": "r0", "step": "6", "value": "1.06"}


def test_groups_are_shown_as_mean_and_deviation(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&metrics=train")
    page.get_by_label("Lines").select_option("group")
    expect(page).to_have_url(re.compile("mean=group"))
    chart = _chart(page)
    rows: list[dict[str, str]] = []

    def groups_are_drawn() -> bool:  # before that, the file has a line for each run
        rows[:] = csv.DictReader(io.StringIO(_download(page, chart, "as drawn").decode()))
        return "group" in rows[0]

    wait_until(page, groups_are_drawn)
    assert [row["group"] for row in rows if row["step"] == "0"] == ["g0", "g1", "g2"]
    first = rows[0]  # of runs 0 and 3, whose values are 1 and 4 plus the same offset
    spread = float(first["mean_plus_std"]) - float(first["value"])
    assert math.isclose(spread, 3 / math.sqrt(2), rel_tol=1e-6)
    _point_at(page, chart, 0.2, 0.5)
    expect(chart.locator(".readout")).to_contain_text("2 of 2 runs")
    page.get_by_label("Lines").select_option("config.kind")
    expect(chart.locator(".readout")).to_be_hidden()


def test_smoothing_uses_the_full_series(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&metrics=train&runs=1")
    _chart(page)
    with page.expect_request(lambda request: '"smoothing":0.9' in (request.post_data or "")):
        page.get_by_label("Smoothing").fill("0.9")
    expect(page).to_have_url(re.compile("smooth=0.9"))
    chart = _chart(page)
    _point_at(page, chart, 0.2, 0.5)
    expect(chart.locator(".readout")).to_contain_text("unsmoothed")


def test_zoom_reaches_single_points_and_is_in_the_url(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&metrics=train&runs=1,2&range=step:1495:1505")
    chart = _chart(page)
    _point_at(page, chart, 0.5, 0.05)
    expect(chart.locator(".readout header")).to_have_text("step 1500")
    expect(chart.locator(".reading").first).to_contain_text(re.compile(r"100[12]\.02"))
    page.get_by_role("button", name="Reset zoom").click()
    expect(page).not_to_have_url(re.compile("range="))


def test_zoom_adds_one_history_entry(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1")
    for path in ("train/loss", "val/odd", "gpu"):
        _chart(page, path)
    before = page.evaluate("history.length")
    box = _chart(page).bounding_box()
    _point_at(page, _chart(page), 0.2, 0.3)
    page.mouse.down()
    _point_at(page, _chart(page), 0.4, 0.3)
    page.mouse.up()
    expect(page.get_by_role("button", name="Reset zoom")).to_be_visible()
    assert _chart(page).bounding_box() == box
    assert page.evaluate("history.length") == before + 1
    page.go_back()
    expect(page.get_by_role("button", name="Reset zoom")).to_have_count(0)
    expect(page).to_have_url(f"{served.url}/?project=1")


def test_logarithmic_axis_labels_powers_of_ten(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&metrics=train&scale=log&xscale=log")
    root = ET.fromstring(_download(page, _chart(page), "SVG"))
    texts = {text.text for text in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"10", "100", "1000"} <= texts


# Records each text drawn on a canvas: [text, distance from the bottom, left, right], in pixels.
RECORD_TEXTS = """
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
def test_tick_labels_are_distinct(served: Server, page: Page, path: str, scale: str) -> None:
    page.add_init_script(RECORD_TEXTS)
    page.goto(f"{served.url}/?project=3&metrics=^{path}${scale}")
    chart = _chart(page, path)
    wait_until(page, lambda: page.evaluate("written.length") > 5)
    labels = page.evaluate("written.filter(([, foot]) => foot > 35).map(([text]) => text)")
    assert len(set(labels)) == len(labels) >= 2
    root = ET.fromstring(_download(page, chart, "SVG"))
    space = "{http://www.w3.org/2000/svg}"
    texts = root.iter(f"{space}text")
    svg_labels = [text.text for text in texts if text.get("text-anchor") == "end"]
    assert len(set(svg_labels)) == len(svg_labels) >= 2


@pytest.mark.parametrize("scale", ["", "&xscale=log"])
def test_x_axis_labels_do_not_overlap(served: Server, page: Page, scale: str) -> None:
    page.add_init_script(RECORD_TEXTS)
    page.goto(f"{served.url}/?project=3&metrics=^far${scale}")
    chart = _chart(page, "far")
    wait_until(page, lambda: page.evaluate("written.length") > 5)
    written = page.evaluate("written")
    width = chart.locator("canvas").evaluate("canvas => canvas.width")
    below = sorted({(start, end) for text, foot, start, end in written if foot < 22 and text})
    assert len(below) >= 4
    assert below[-1][1] <= width
    assert all(end < start for (_, end), (start, _) in pairwise(below))
    texts = {text for text, *_ in written}
    assert {"40M", "10k" if scale else "20k"} <= texts


def test_date_fits_below_the_time(served: Server, page: Page) -> None:
    page.add_init_script(RECORD_TEXTS)
    page.goto(f"{served.url}/?project=1&metrics=train&x=time")
    _chart(page)
    day = "/[0-9]{4}-[0-9]{2}-[0-9]{2}/"
    wait_until(page, lambda: page.evaluate(f"written.some(([text]) => {day}.test(text))"))
    foot = page.evaluate("Math.min(...written.map(([, height]) => height))")
    assert foot >= 11, "a line of text needs 11 pixels"


def test_y_range_is_set_by_dragging_over_the_axis(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&metrics=train&clip=0")
    chart = _chart(page)
    axis = chart.locator(".u-axis").nth(1)
    box = axis.bounding_box()
    assert box is not None
    x = box["x"] + box["width"] / 2
    page.mouse.move(x, box["y"] + box["height"] * 0.5)
    page.mouse.down()
    page.mouse.move(x, box["y"] + box["height"] * 0.9, steps=4)
    assert chart.locator(".u-select").evaluate("box => box.clientHeight") > 50
    page.mouse.up()
    expect(page).to_have_url(re.compile("yrange="))
    low, high, path = parse_qs(urlsplit(page.url).query)["yrange"][0].split(":")
    assert path == "train/loss"
    # The outlier is at 1006.
    assert 50 < float(low) < 150
    assert 450 < float(high) < 550
    hidden = chart.get_by_text(re.compile(r"values outside the y range"))
    expect(hidden).to_be_visible()
    # It is in the address.
    page.goto(page.url)
    expect(hidden).to_be_visible()
    assert chart.locator(".u-select").evaluate("box => box.clientHeight") == 0
    # A double click on the plot resets the x axis only.
    chart.locator(".u-over").dblclick()
    expect(hidden).to_be_visible()
    axis.dblclick()
    expect(hidden).to_have_count(0)
    expect(page).not_to_have_url(re.compile("yrange="))


def test_y_range_is_typed(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&metrics=train|val")
    chart = _chart(page)
    button = chart.get_by_role("button", name="Y range: train/loss")
    button.click()
    low, high = chart.get_by_label("Min", exact=True), chart.get_by_label("Max", exact=True)
    expect(low).to_be_focused()
    low.fill("2")
    low.press("Enter")
    expect(page).to_have_url(re.compile(quote("2::train/loss", safe="")))
    expect(chart.get_by_text("outside the y range")).to_be_visible()
    high.fill("1")
    high.press("Enter")
    expect(chart.get_by_text("Min must be below max")).to_be_visible()
    expect(page).to_have_url(re.compile(quote("2::train/loss", safe="")))
    assert accessibility_violations(page) == []
    high.fill("1e4")
    high.press("Tab")
    expect(page).to_have_url(re.compile(quote("2:10000:train/loss", safe="")))
    svg = _download(page, chart, "SVG image").decode()
    assert ">10000<" in svg or ">10k<" in svg
    # Other charts keep their range.
    expect(_chart(page, "val/odd").get_by_text("outside")).to_have_count(0)
    # The comparison and the pages of runs lead back to it, and so does full screen.
    page.get_by_role("button", name="Full screen: train/loss").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Y range: train/loss").click()
    expect(dialog.get_by_label("Min", exact=True)).to_have_value("2")
    page.keyboard.press("Escape")
    expect(dialog.get_by_label("Min", exact=True)).to_have_count(0)
    dialog.get_by_role("button", name="Y range: train/loss").click()
    dialog.get_by_role("button", name="Automatic").click()
    expect(dialog.get_by_label("Min", exact=True)).to_have_value("")
    expect(page).not_to_have_url(re.compile("yrange="))


def test_a_link_with_smoothing_shows_its_charts_before_they_are_smoothed(
    server: Server, page: Page
) -> None:
    held: list[Route] = []
    asked: list[str] = []

    def hold(route: Route) -> None:
        body = route.request.post_data or ""
        asked.append(body)
        # The first request is answered without smoothed values, as nothing is known yet.
        if not held and '"smoothing"' in body and "smoothed_if_known" not in body:
            held.append(route)
        else:
            route.continue_()

    project = server.request("POST", "/api/projects", {"name": "p", "project_id": "p"}).json["id"]
    new = {"project_id": project, "run_id": "r"}
    run = server.request("POST", "/api/runs", new).json["id"]
    rows = [{"step": step, "values": {"train/loss": 1 + step % 7}} for step in range(3000)]
    assert server.request("POST", f"/api/metrics/runs/{run}", {"rows": rows}).status == 200
    assert server.request("PATCH", f"/api/runs/{run}/state?state=completed").status == 200
    page.route("**/api/metrics/compare", hold)
    page.goto(f"{server.url}/?project={project}&metrics=train&smooth=0.9")
    chart = _chart(page)
    _point_at(page, chart, 0.5, 0.5)
    wait_until(page, lambda: len(held) > 0)
    assert not _reads_smoothed(page, chart)
    expect(chart.locator(".reading")).not_to_have_count(0)
    held[0].continue_()
    wait_until(page, lambda: _reads_smoothed(page, chart))
    # From then on the server knows what it needs, and one request is enough.
    asked.clear()
    page.reload()
    wait_until(page, lambda: _reads_smoothed(page, chart))
    assert len(asked) == 1


def _reads_smoothed(page: Page, chart: Locator) -> bool:
    _point_at(page, chart, 0.5, 0.4)
    _point_at(page, chart, 0.5, 0.5)
    return "unsmoothed" in (chart.locator(".readout").text_content() or "")


def test_metrics_are_searched_by_regular_expression(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1")
    search = page.get_by_label("Search metrics")
    search.fill("^(train|gpu)")
    expect(page.locator("figure")).to_have_count(2)
    expect(page.get_by_text("2 of 3")).to_be_visible()
    before = page.locator("figure").first.bounding_box()
    search.fill("^(train|gpu)[")  # an incomplete expression
    expect(search).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_text("Invalid regular expression; showing the last matches")).to_be_visible()
    expect(page.locator("figure")).to_have_count(2)
    assert page.locator("figure").first.bounding_box() == before
    search.fill("^odd")
    expect(page.get_by_text("No metrics match")).to_be_visible()


def test_closed_sections_stay_closed(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1")
    _chart(page)
    # System metrics have a separate section, the last.
    sections = page.locator(".section > summary")
    expect(sections).to_have_text(["train 1", "val 1", "System 1"])
    sections.first.click()
    expect(page.locator('figcaption[title="train/loss"]')).to_have_count(0)
    page.goto(page.url)
    _chart(page, "val/odd")
    expect(page.locator('figcaption[title="train/loss"]')).to_have_count(0)


def test_system_metrics_are_aligned_by_elapsed_time(served: Server, page: Page) -> None:
    page.add_init_script(RECORD_TEXTS)
    page.goto(f"{served.url}/?project=1&metrics=gpu&mean=all")
    chart = _chart(page, "gpu")
    _point_at(page, chart, 0.01, 0.9)
    expect(chart.locator(".readout header")).to_contain_text(re.compile(r"\d s$"))
    assert page.evaluate("written.some(([text]) => /^[0-9.]+ s$/.test(text))")


def test_zoom_by_step_does_not_hide_system_metrics(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&metrics=gpu&runs=1,2&range=step:100:200")
    chart = _chart(page, "gpu")
    _point_at(page, chart, 0.01, 0.9)
    expect(chart.locator(".readout header")).to_contain_text(re.compile(r"\d s$"))
    expect(page.get_by_role("button", name="Reset zoom")).to_contain_text("step 100")


def test_readout_shows_nan(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&metrics=val&runs=1&range=step:1990:2000.5")
    chart = _chart(page, "val/odd")
    _point_at(page, chart, 0.95, 0.5)
    expect(chart.locator(".reading").first).to_contain_text("NaN")


def test_keyboard_moves_the_cursor_and_zooms(served: Server, page: Page) -> None:
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
def test_charts_are_accessible(served: Server, page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(f"{served.url}/?project=1&clip=1&range=step:0:1000&metrics=.")
    _chart(page).locator("summary").click()
    assert accessibility_violations(page) == []


def test_metrics_of_no_selected_run_are_not_drawn(server: Server, page: Page) -> None:
    project = server.request("POST", "/api/projects", {"name": "p", "project_id": "p"}).json["id"]
    ids = []
    for name, values in {"one": {"loss": 1.5}, "two": {"loss": 2.5, "other": 1.5}}.items():
        new = {"project_id": project, "run_id": name, "state": "completed"}
        ids.append(server.request("POST", "/api/runs", new).json["id"])
        rows = [{"step": step, "values": values} for step in range(3)]
        server.request("POST", f"/api/metrics/runs/{ids[-1]}", {"rows": rows})
    first_run, _ = ids
    address = f"{server.url}/?project={project}"
    page.goto(f"{address}&runs={first_run}")
    _chart(page, "loss")
    expect(page.locator("figure")).to_have_count(1)
    page.get_by_role("checkbox", name="Select two").check()
    _chart(page, "other")
    page.get_by_role("checkbox", name="Select two").uncheck()
    expect(page.locator("figure")).to_have_count(1)
    page.goto(f"{address}&runs={first_run},99&range=step:100:200")
    expect(_chart(page, "loss")).to_contain_text("No points in this range.")
    expect(page.get_by_text("1 of the selected runs was not found")).to_be_visible()
    page.get_by_role("button", name="Remove from selection").click()
    expect(page).to_have_url(re.compile(f"runs={first_run}&|runs={first_run}$"))
    expect(page.get_by_text("was not found")).to_have_count(0)
    page.goto(f"{address}&runs=99")
    expect(_chart(page, "loss")).to_contain_text("The selected runs have been deleted.")


def test_finished_runs_are_not_polled(server: Server, page: Page) -> None:
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
    # Points logged just before the run finishes are drawn too.
    log(alive, 3, 77.5)
    finish(alive)
    expect(page.get_by_role("dialog")).to_contain_text("1.5 … 77.5")
    expect(lines).to_have_count(2)


@pytest.mark.parametrize("smooth", ["", "&smooth=0.6"])
def test_live_charts_are_sent_what_has_changed(server: Server, page: Page, smooth: str) -> None:
    project = server.request("POST", "/api/projects", {"name": "p", "project_id": "p"}).json["id"]
    new = {"project_id": project, "run_id": "r"}
    run = server.request("POST", "/api/runs", new).json["id"]
    sizes: list[tuple[int, int]] = []
    answers: list[str] = []

    def log(points: list[tuple[int, float]]) -> None:
        rows = [{"step": step, "values": {"loss": value}} for step, value in points]
        assert server.request("POST", f"/api/metrics/runs/{run}", {"rows": rows}).status == 200

    def note(response: Response) -> None:
        if response.url.endswith("/compare") and response.status == 200:
            answers.append(response.text())
            chart = response.json()[str(run)]["loss"]
            sizes.append((len(chart["data"]), chart.get("kept", 0)))

    def has_arrived(text: str) -> bool:
        return any(text in answer for answer in answers)

    log([(step, 1 + step % 7) for step in range(9000)])
    page.on("response", note)
    page.goto(f"{server.url}/?project={project}&runs={run}{smooth}")
    chart = _chart(page, "loss")
    expect(chart.locator("canvas").first).to_be_visible()
    for points, text in (
        ([(9000, 44.5)], "44.5"),
        ([(17, 77.5)], "77.5"),  # late
        ([(step, 99.5) for step in range(9001, 40_000)], "99.5"),  # wider buckets
    ):
        log(points)
        wait_until(page, partial(has_arrived, text))
    assert any(kept > 50 and sent <= 2 for sent, kept in sizes), sizes
    live = _download(page, chart, "as drawn").decode()
    page.reload()
    expect(chart.locator("canvas").first).to_be_visible()
    assert _rows(_download(page, chart, "as drawn").decode()) == _rows(live)


def _rows(text: str) -> list[list[str]]:
    """The rows of a CSV file, without the digits in which refreshed rollups may differ."""
    return [[cell[:12] for cell in row] for row in csv.reader(io.StringIO(text))]


# Records the colours of drawn lines and counts drawn dots.
RECORD_STROKES = """
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


def test_page_follows_the_system_colour_scheme(served: Server, page: Page) -> None:
    page.add_init_script(RECORD_STROKES)
    page.emulate_media(color_scheme="light")
    page.goto(f"{served.url}/?project=1&metrics=train&runs=1")
    wait_until(page, lambda: page.evaluate("drawn.has('#0072b2')"))
    page.emulate_media(color_scheme="dark")
    wait_until(page, lambda: page.evaluate("drawn.has('#56b4e9')"))
    expect(page.locator(".row.on .swatch")).to_have_css("color", "rgb(86, 180, 233)")


def test_isolated_points_are_drawn_as_dots(served: Server, page: Page) -> None:
    page.add_init_script(RECORD_STROKES + RECORD_TEXTS)
    page.goto(f"{served.url}/?project=1&metrics=train&runs=1&range=step:1490:1510")
    wait_until(page, lambda: page.evaluate("drawn.size") > 0)
    assert page.evaluate("dots") == 0
    _point_at(page, _chart(page), 0.48, 0.5)
    page.mouse.down()
    _point_at(page, _chart(page), 0.52, 0.5)
    page.mouse.up()
    wait_until(page, lambda: page.evaluate("dots") > 0)
    page.goto(f"{served.url}/?project=4&metrics=once")
    wait_until(page, lambda: page.evaluate("dots") > 0)
    labels = page.evaluate("written.filter(([, foot]) => foot < 35).map(([text]) => text)")
    assert {"-0.2", "0", "0.2"} <= set(labels)


def test_band_below_zero_is_drawn_on_a_logarithmic_axis(served: Server, page: Page) -> None:
    page.add_init_script(RECORD_STROKES)
    page.goto(f"{served.url}/?project=4&metrics=loss&mean=all&scale=log")
    wait_until(page, lambda: page.evaluate("drawn.has('#0072b2')"))
    # Pixels between the mean, 500, and the band's upper edge, 500 + 706.
    pixels = "c.getContext('2d').getImageData(c.width * 0.6, c.height * 0.3, 1, 9).data"
    canvas = _chart(page, "loss").locator("canvas")
    assert all(canvas.evaluate(f"c => [...{pixels}]")[3::4])


def test_pointing_at_a_nan_mark_reads_its_run(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=4&metrics=spoilt")
    chart = _chart(page, "spoilt")
    first = chart.locator(".reading").first
    _point_at(page, chart, 0.5, 0.97)
    expect(first).to_contain_text("w1000NaN")
    _point_at(page, chart, 0.5, 0.5)
    expect(first).to_contain_text("w10.5")


@pytest.mark.parametrize("width", [1400, 1024, 390])
def test_readout_does_not_cover_the_pointer(served: Server, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{served.url}/?project=1&metrics=train")
    chart = _chart(page)
    for share in (0.05, 0.5, 0.95):
        _point_at(page, chart, share, 0.5)
        expect(chart.locator(".reading")).to_have_count(6)
        box, over = (
            chart.locator(".readout").bounding_box(),
            chart.locator(".u-over").bounding_box(),
        )
        assert box is not None
        assert over is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        mouse_x = over["x"] + over["width"] * share
        beside = mouse_x < box["x"] or mouse_x > box["x"] + box["width"]
        assert beside or box["y"] > over["y"] + over["height"]
