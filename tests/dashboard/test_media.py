"""Media of several runs: steps, two images over each other, charts, figures and 3D files."""

from __future__ import annotations

import gzip
import io
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.dashboard.conftest import accessibility_violations, hover, wait_until
from trackai.dashboard import DIST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import BrowserContext, FrameLocator, Locator, Page

    from tests.conftest import Server

# Run 1 has images at all steps, run 2 none at step 30, run 3 from step 20 on, and run 4 never.
# A name with steps beyond 2^53 has one image of each.
RUNS = """
import numpy as np
import trackai


class Figure:
    def __init__(self, *traces, **layout):
        self.spec = {"data": list(traces), "layout": layout}

    def to_plotly_json(self):
        return self.spec

    def to_html(self, **options):
        return '<p>page</p><script src="https://cdn.example.org/plotly.js"></script>'


SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
ATTACK = '<img src=x onerror="parent.document.title=1"><a href="javascript:alert(1)">link</a>'
COLORS = [(255, 0, 0), (0, 0, 255), (0, 255, 0)]
cube = "\\n".join(f"v {x} {y} {z}" for x in (0, 1) for y in (0, 1) for z in (0, 1))
faces = "\\n".join(f"f {f}" for f in ("1 2 4 3", "5 6 8 7", "1 2 6 5", "3 4 8 7", "1 3 7 5"))
open("cube.obj", "w").write(cube + "\\n" + faces)
open("broken.glb", "w").write("{")
open("scene.babylon", "w").write("{}")
names = ["cat", "dog"]
labels = np.array([0, 0, 1, 1])
good = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.2, 0.8]])
poor = np.array([[0.9, 0.1], [0.4, 0.6], [0.6, 0.4], [0.2, 0.8]])
for number in range(4):
    with trackai.init(project="p", name=f"run-{number}") as run:
        run.log({"loss": 1.0}, step=0)
        if number == 3:
            continue
        for step in range(0, 50, 10):
            if (number == 1 and step == 30) or (number == 2 and step < 20):
                continue
            side = 32 if number == 2 else 128
            pixels = np.full((side, side, 3), COLORS[number], "uint8")
            run.log({"sample": trackai.Image(pixels)}, step=step)
            run.log({"pair": [trackai.Image(pixels[:8, :8]) for _ in range(2)]}, step=step)
        run.log({"big": trackai.Image(pixels)}, step=2**60 + number)
        run.log({"tone": trackai.Audio(np.sin(np.arange(800) / 9), sample_rate=8000)}, step=0)
        scores = good if number == 0 else poor
        for step in range(2 if number == 0 else 1):
            run.log({"roc": trackai.plot.roc_curve(labels, scores, labels=names)}, step=step)
        run.log({"pr": trackai.plot.pr_curve(labels, scores, labels=names)}, step=0)
        matrix = trackai.plot.confusion_matrix(probs=scores, y_true=labels, class_names=names)
        run.log({"matrix": matrix}, step=0)
        values = trackai.Table(columns=["v"], data=[[1.0], [2.0], [float("nan")]])
        run.log({"histogram": trackai.plot.histogram(values, "v", title="Values")}, step=0)
        run.log({"own": trackai.plot_table("me/own/v0", values, {"x": "v"})}, step=0)
        run.log({"plain": values}, step=0)
        run.log({"curve": trackai.Plotly(Figure(
            {"type": "scatter", "y": [1, 3, 2]}, {"type": "histogram", "x": [1, 1, 2]},
            title={"text": "Curve " + ATTACK}))}, step=0)
        for step in range(2):
            line = Figure({"type": "scatter", "y": [1, step]}, title={"text": f"Epoch {step}"})
            run.log({"epochs": trackai.Plotly(line)}, step=step)
        run.log({"surface": trackai.Plotly(Figure(
            {"type": "surface", "z": [[1, 2], [3, 4]]}, {"type": "bar", "y": [1]}))}, step=0)
        bars = {"$schema": SCHEMA, "data": {"values": [{"a": "A", "b": 28}, {"a": "B", "b": 55}]},
            "mark": "bar", "transform": [{"calculate": "datum.b * 2", "as": "twice"}],
            "encoding": {"x": {"field": "a"}, "y": {"field": "twice", "type": "quantitative"}}}
        run.log({"bars": trackai.VegaLite(bars)}, step=0)
        elsewhere = bars | {"data": {"url": "https://data.example.org/data.csv"}}
        run.log({"elsewhere": trackai.VegaLite(elsewhere)}, step=0)
        for key, last in (("decades", 0.01), ("zero", 0)):
            losses = [{"step": n, "loss": v} for n, v in enumerate((1, 0.1, last))]
            run.log({key: trackai.VegaLite(bars | {"data": {"values": losses}, "mark": "line",
                "encoding": {"x": {"field": "step", "type": "quantitative"},
                    "y": {"field": "loss", "type": "quantitative", "scale": {"type": "log"}}}})},
                step=0)
        run.log({"page": trackai.Html(Figure())}, step=0)
        cloud = np.random.default_rng(number).normal(size=(2000, 3))
        colors = np.full((2000, 3), COLORS[number])
        run.log({"cloud": trackai.Object3D(np.hstack([cloud, colors]))}, step=0)
        box = trackai.box3d(center=[0, 0, 0], size=[4, 2, 2], orientation=[1, 0, 0, 0],
            color=[1, 0, 0])
        run.log({"scene": trackai.Object3D.from_point_cloud(cloud, [box],
            [{"start": [0, 0, 0], "end": [3, 0, 0]}])}, step=0)
        run.log({"cube": trackai.Object3D("cube.obj")}, step=0)
        run.log({"broken": trackai.Object3D("broken.glb")}, step=0)
        run.log({"babylon": trackai.Object3D("scene.babylon")}, step=0)
"""


@pytest.fixture
def drawing_page(context: BrowserContext) -> Iterator[Page]:
    """A page that may write to the console: Chromium does for WebGL and blocked requests."""
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert errors == []


def _open(page: Page, served: Server, key: str, parameters: str = "", runs: str = "1,2,3") -> None:
    page.goto(f"{served.url}/?view=media&project=1&runs={runs}&key={key}{parameters}")
    expect(page.get_by_role("combobox", name="Name", exact=True)).to_have_value(key)


def _column(page: Page, run: str) -> Locator:
    link = page.get_by_role("link", name=run, exact=True)
    return page.get_by_role("list", name="Runs").get_by_role("listitem").filter(has=link)


def _pixels(locator: Locator) -> Image.Image:
    return Image.open(io.BytesIO(locator.screenshot())).convert("RGB")


def _colors(locator: Locator) -> dict[object, int]:
    """The number of pixels of each colour."""
    picture = _pixels(locator)
    counts = picture.getcolors(picture.width * picture.height)
    assert counts is not None
    return {color: count for count, color in counts}


def _frame(page: Page, run: str) -> FrameLocator:
    return _column(page, run).frame_locator("iframe")


def test_images_of_runs_through_their_steps(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&runs=1,2,3,4")
    page.get_by_role("link", name="Media", exact=True).click()
    expect(page.get_by_role("heading", name="Media of 4 runs")).to_be_visible()
    page.get_by_role("combobox", name="Name", exact=True).select_option("sample")
    step = page.get_by_label("Step of sample")
    expect(step).to_have_attribute("aria-valuetext", "step 40")
    for number in range(3):
        image = _column(page, f"run-{number}").get_by_role("img")
        expect(image).to_have_attribute("alt", f"run-{number}, sample, step 40")
    expect(_column(page, "run-3")).to_contain_text("No files of this name.")

    step.press("ArrowLeft")
    missing = _column(page, "run-1")
    expect(missing).to_contain_text("Nothing at step 30: shown is step 20.")
    expect(missing.get_by_role("img")).to_have_attribute("alt", "run-1, sample, step 20")
    expect(_column(page, "run-0").get_by_text("step 30", exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile("step=30"))
    page.goto(page.url)
    expect(step).to_have_attribute("aria-valuetext", "step 30")
    expect(missing).to_contain_text("Nothing at step 30: shown is step 20.")
    step.press("Home")
    late = _column(page, "run-2")
    expect(late).to_contain_text("Nothing until step 0: the first is at step 20.")
    expect(late.get_by_role("img")).to_have_count(0)

    page.get_by_role("link", name="run-0", exact=True).click()
    expect(page.get_by_role("heading", name="sample")).to_be_visible()


def test_steps_are_played(served: Server, page: Page) -> None:
    _open(page, served, "sample", "&step=0")
    step = page.get_by_label("Step of sample")
    expect(step).to_have_attribute("aria-valuetext", "step 0")
    page.evaluate(
        """() => {
            window.seen = [];
            const slider = document.querySelector('.player input');
            new MutationObserver(() => seen.push(slider.getAttribute('aria-valuetext')))
                .observe(slider, {attributeFilter: ['aria-valuetext']});
        }"""
    )
    page.get_by_role("combobox", name="Steps a second").select_option("10")
    page.get_by_role("button", name="Play").press("Enter")
    expect(step).to_have_attribute("aria-valuetext", "step 40")
    assert page.evaluate("seen") == ["step 10", "step 20", "step 30", "step 40"]
    expect(page.get_by_role("button", name="Play")).to_have_attribute("aria-pressed", "false")
    expect(page).not_to_have_url(re.compile("step="))
    # From the beginning.
    page.get_by_role("button", name="Play").click()
    expect(step).to_have_attribute("aria-valuetext", "step 10")
    page.get_by_role("button", name="Pause").click()


def test_steps_that_no_number_holds(served: Server, page: Page) -> None:
    _open(page, served, "big")
    step = page.get_by_label("Step of big")
    expect(step).to_have_attribute("aria-valuetext", f"step {2**60 + 2}")
    step.press("ArrowLeft")
    expect(_column(page, "run-1").get_by_text(f"step {2**60 + 1}", exact=True)).to_be_visible()
    expect(_column(page, "run-0")).to_contain_text(
        f"Nothing at step {2**60 + 1}: shown is step {2**60}."
    )


def test_two_images_over_each_other(served: Server, page: Page) -> None:
    _open(page, served, "sample")
    show = page.get_by_role("combobox", name="Show")
    show.select_option("wipe")
    expect(page).to_have_url(re.compile("show=wipe"))
    stack = page.locator(".stack")
    expect(stack.get_by_role("img")).to_have_count(2)

    def colors() -> list[tuple[int, ...]]:
        picture = _pixels(stack)
        middle = picture.height // 2
        return [picture.getpixel((picture.width * at // 4, middle)) for at in (1, 3)]  # type: ignore[misc]

    red, blue, green = (255, 0, 0), (0, 0, 255), (0, 255, 0)
    wait_until(page, lambda: colors() == [red, blue])
    page.get_by_role("slider", name="Wipe").press("Home")
    wait_until(page, lambda: colors() == [red, red])
    hover(stack, 0.1, 0.5)
    page.mouse.down()
    hover(stack, 0.05, 0.5)
    page.mouse.up()
    wait_until(page, lambda: colors() == [blue, blue])

    page.get_by_role("combobox", name="Above").select_option(label="run-2")
    wait_until(page, lambda: colors() == [green, green])
    expect(page.get_by_text("different sizes, 128 \u00d7 128 and 32 \u00d7 32")).to_be_visible()
    show.select_option("difference")
    wait_until(page, lambda: colors() == [(255, 255, 0)] * 2)
    page.get_by_role("combobox", name="Above").select_option(label="run-0")
    wait_until(page, lambda: colors() == [(0, 0, 0)] * 2)
    show.select_option("overlay")
    page.get_by_role("combobox", name="Above").select_option(label="run-1")
    page.get_by_role("slider", name="Blend").press("Home")
    wait_until(page, lambda: colors() == [red, red])

    step = page.get_by_label("Step of sample")
    step.press("ArrowLeft")
    expect(page.get_by_text("Above: run-1, step 20")).to_contain_text(
        "Nothing at step 30: shown is step 20."
    )
    page.get_by_role("combobox", name="Name", exact=True).select_option("pair")
    page.get_by_role("combobox", name="Image").select_option("1")
    expect(page.get_by_role("combobox", name="Image")).to_have_value("1")
    # What has no two images is shown side by side.
    page.get_by_role("combobox", name="Name", exact=True).select_option("tone")
    expect(page.locator("audio")).to_have_count(3)
    expect(show).to_have_count(0)


def test_curves_of_runs_in_one_drawing(served: Server, page: Page) -> None:
    _open(page, served, "roc")
    drawing = page.get_by_role("region", name="roc of all runs")
    legend = drawing.get_by_role("listitem")
    expect(legend).to_have_count(6)
    expect(legend.first).to_have_text("run-0: catAUC 1.000")
    expect(legend.nth(2)).to_have_text("run-1: catAUC 0.750")
    expect(drawing.locator("polyline")).to_have_count(6)
    expect(drawing.get_by_text("run-1: Nothing at step 1: shown is step 0.")).to_be_visible()
    expect(drawing.get_by_text("Nothing at step 1")).to_have_count(2)
    strokes = [line.get_attribute("stroke") for line in drawing.locator("polyline").all()]
    assert strokes[0] == strokes[1] != strokes[2] == strokes[3]
    expect(drawing.locator(".guess")).to_have_count(1)
    plot = drawing.get_by_role("group", name="roc: 6 lines")
    plot.press("ArrowRight")
    expect(drawing.get_by_role("status")).to_have_text(
        "at False positive rate 0.01, the nearest points"
    )
    expect(legend.first.locator("b")).to_have_count(1)
    page.get_by_text("Each run by itself").click()
    expect(_column(page, "run-0").locator("polyline")).to_have_count(2)
    page.get_by_role("combobox", name="Name", exact=True).select_option("pr")
    drawing = page.get_by_role("region", name="pr of all runs")
    expect(drawing.locator("polyline")).to_have_count(6)
    expect(drawing.get_by_text("Precision-Recall Curve")).to_be_visible()
    expect(drawing.locator(".guess")).to_have_count(0)


def test_confusion_matrices_of_runs(served: Server, page: Page) -> None:
    _open(page, served, "matrix")
    drawing = page.get_by_role("region", name="matrix of all runs")
    expect(drawing.locator(".matrix")).to_have_count(3)
    cells = drawing.locator(".matrix tbody td")
    expect(cells).to_have_text([*"2002", *"1111", *"1111"])
    expect(drawing.get_by_text("100.0% predicted correctly.")).to_have_count(1)
    expect(drawing.get_by_text("50.0% predicted correctly.")).to_have_count(2)
    expect(cells.nth(1)).to_have_attribute("title", "actual cat, predicted dog: 0")
    page.get_by_role("combobox", name="Cells").select_option("share")
    expect(cells.nth(0)).to_have_text("100.0%")
    expect(cells.nth(4)).to_have_text("50.0%")


def test_charts_on_the_page_of_a_run(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&run=1&tab=files&file=histogram")
    expect(page.get_by_role("heading", name="Values")).to_be_visible()
    expect(page.locator(".bar-plot tbody tr")).to_have_count(20)
    expect(page.get_by_text("1 row without a finite number not drawn.")).to_be_visible()
    page.get_by_text("Table", exact=True).click()
    expect(page.locator(".cells tbody tr")).to_have_count(3)
    page.goto(f"{served.url}/?project=1&run=1&tab=files&file=own")
    expect(page.get_by_text('does not draw charts of the kind "me/own/v0"')).to_be_visible()
    page.goto(f"{served.url}/?project=1&run=1&tab=files&file=plain")
    expect(page.locator(".cells tbody tr")).to_have_count(3)
    expect(page.locator(".table-chart")).to_have_count(0)


def test_figures_are_drawn_in_frames_without_an_origin(served: Server, drawing_page: Page) -> None:
    page = drawing_page
    _open(page, served, "curve", runs="1,2")
    plot = _frame(page, "run-0").locator(".js-plotly-plot")
    expect(plot.locator(".trace")).not_to_have_count(0)
    expect(plot.get_by_text("Curve")).to_be_visible()
    assert plot.evaluate("() => [origin, typeof (() => { try { return parent.document } "
        "catch { return 1 } })()]") == ["null", "number"]  # fmt: skip
    blocked = (
        "async () => { try { await fetch('/api/projects'); return 'sent' } "
        "catch { return 'blocked' } }"
    )
    assert plot.evaluate(blocked) == "blocked"
    expect(page).to_have_title(re.compile("Media"))
    assert plot.locator("img").count() == 0
    assert plot.locator("a[*|href*='javascript']").count() == 0

    _open(page, served, "bars", runs="1,2")
    bars = _frame(page, "run-1").locator("svg .mark-rect path")
    expect(bars).to_have_count(2)


def test_a_frame_draws_the_figures_of_all_steps(served: Server, drawing_page: Page) -> None:
    page = drawing_page
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url))
    _open(page, served, "epochs", runs="1")
    frame = _frame(page, "run-0")
    expect(frame.get_by_text("Epoch 1")).to_be_visible()
    page.get_by_label("Step of epochs").press("ArrowLeft")
    expect(frame.get_by_text("Epoch 0")).to_be_visible()
    expect(frame.get_by_text("Epoch 1")).to_have_count(0)
    assert sum(url.endswith("/assets/figure.html") for url in loaded) == 1


def test_figures_name_what_they_need(served: Server, drawing_page: Page) -> None:
    page = drawing_page
    _open(page, served, "surface", runs="1")
    column = _column(page, "run-0")
    expect(column.get_by_role("alert")).to_contain_text('the type "surface" are not drawn')
    # The other traces are.
    expect(_frame(page, "run-0").locator(".barlayer .point")).to_have_count(1)
    _open(page, served, "elsewhere", runs="1")
    expect(column.get_by_role("alert")).to_contain_text(
        "needs https://data.example.org/data.csv, which is not loaded"
    )
    _open(page, served, "page", runs="1")
    expect(column).to_contain_text("needs https://cdn.example.org/plotly.js, which is not loaded")


def test_figures_say_that_a_logarithmic_scale_includes_zero(
    served: Server, drawing_page: Page
) -> None:
    page = drawing_page
    alert = _column(page, "run-0").get_by_role("alert")
    line = _frame(page, "run-0").locator("svg .mark-line path")
    _open(page, served, "zero", runs="1")
    expect(line).to_have_count(1)
    expect(alert).to_contain_text("A logarithmic scale of the figure includes values of 0 or less")
    _open(page, served, "decades", runs="1")
    expect(line).to_have_count(1)
    expect(alert).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figures_follow_the_scheme(served: Server, drawing_page: Page, scheme: str) -> None:
    page = drawing_page
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    is_dark = scheme == "dark"
    for key in ("curve", "bars"):
        _open(page, served, key, runs="1")
        frame = page.locator("iframe")
        drawn = _frame(page, "run-0").locator("svg").first
        expect(drawn).to_be_visible()
        page.wait_for_timeout(500)
        picture = _pixels(frame)
        brightness = sum(picture.getpixel((3, picture.height // 2))) / 3  # type: ignore[arg-type]
        assert (brightness < 100) is is_dark, (key, brightness)


def test_3d_files_are_turned_together(served: Server, drawing_page: Page) -> None:
    page = drawing_page
    _open(page, served, "cloud", runs="1,2")
    stages = page.get_by_role("application")
    expect(stages).to_have_count(2)
    expect(stages.first).to_have_attribute("aria-label", re.compile("run-0, cloud.*2,000 points"))

    def pictures() -> list[str]:
        canvases = page.locator("canvas").all()
        return [canvas.evaluate("canvas => canvas.toDataURL()") for canvas in canvases]

    def share(stage: Locator, color: tuple[int, int, int]) -> float:
        counts = _colors(stage)
        return counts.get(color, 0) / sum(counts.values())

    wait_until(page, lambda: share(stages.first, (255, 0, 0)) > 0.01)
    assert share(stages.last, (0, 0, 255)) > 0.01
    before = pictures()
    stages.first.press("ArrowRight")
    turned = pictures()
    assert all(old != new for old, new in zip(before, turned, strict=True))
    hover(stages.last, 0.5, 0.5)
    page.mouse.down()
    hover(stages.last, 0.7, 0.4)
    page.mouse.up()
    dragged = pictures()
    assert all(old != new for old, new in zip(turned, dragged, strict=True))
    stages.first.press("+")
    assert pictures() != dragged
    stages.first.press("0")
    assert pictures() == before
    page.get_by_role("button", name="Zoom in").first.click()
    assert pictures() != before
    page.get_by_role("button", name="Reset").last.click()
    assert pictures() == before


def test_models_scenes_and_files_that_cannot_be_drawn(served: Server, drawing_page: Page) -> None:
    page = drawing_page
    _open(page, served, "scene", runs="1")
    stage = page.get_by_role("application")
    # The vector, and the edges of the box.
    expect(stage).to_have_attribute("aria-label", re.compile("2,000 points, 13 lines, size "))
    page.get_by_role("combobox", name="Name", exact=True).select_option("cube")
    expect(stage).to_have_attribute("aria-label", re.compile("10 triangles, size 1 . 1 . 1"))
    # The faces of a model have different shades.
    wait_until(page, lambda: len(_colors(stage)) > 3)
    page.get_by_role("combobox", name="Name", exact=True).select_option("broken")
    expect(page.get_by_role("alert")).to_contain_text(re.compile(r"0\.glb cannot be drawn: "))
    page.get_by_role("combobox", name="Name", exact=True).select_option("babylon")
    expect(page.get_by_role("alert")).to_contain_text("files .babylon are not drawn here")


LIVE = """
import numpy as np
import trackai
with trackai.init(project="live", name="live", resume="allow") as run:
    run.log({"live": trackai.Image(np.zeros((8, 8), "uint8"))}, step=STEP)
"""


def test_the_last_step_follows_runs_that_log_more(served: Server, page: Page) -> None:
    def log(step: int) -> None:
        env = {**os.environ, "TRACKAI_DB_PATH": str(served.db_path)}
        script = LIVE.replace("STEP", str(step))
        subprocess.run([sys.executable, "-c", script], env=env, check=True)

    log(0)
    log(1)
    project = next(each for each in served.get("/api/projects") if each["name"] == "live")["id"]
    page.goto(f"{served.url}/?project={project}")
    page.get_by_role("link", name="Media", exact=True).click()
    step = page.get_by_label("Step of live")
    expect(step).to_have_attribute("aria-valuetext", "step 1")
    log(2)
    expect(step).to_have_attribute("aria-valuetext", "step 2")
    expect(page.get_by_role("img", name="live, live, step 2")).to_be_visible()
    # A step that was chosen stays.
    step.press("Home")
    log(3)
    expect(page.get_by_text("1 of 4")).to_be_visible()
    expect(step).to_have_attribute("aria-valuetext", "step 0")


def test_many_names_are_searched(served: Server, page: Page) -> None:
    _open(page, served, "sample")
    page.get_by_label("Search names").fill("MATR")
    options = page.get_by_role("combobox", name="Name", exact=True).get_by_role("option")
    expect(options).to_have_text(["sample", "matrix"])
    expect(page.get_by_role("list", name="Runs").get_by_role("img")).to_have_count(3)


def test_no_runs_and_runs_that_do_not_exist(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?view=media&project=1")
    expect(page.get_by_text("Select runs in the project, then click Media.")).to_be_visible()
    page.goto(f"{served.url}/?view=media&project=1&runs=1,77&key=sample")
    expect(page.get_by_text("1 of the selected runs was not found.")).to_be_visible()
    expect(page.get_by_role("list", name="Runs").get_by_role("listitem")).to_have_count(1)
    page.goto(f"{served.url}/?view=media&project=1&runs=4")
    expect(page.get_by_text("These runs have no files.")).to_be_visible()


def test_libraries_are_loaded_when_they_are_shown(served: Server, drawing_page: Page) -> None:
    page = drawing_page
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url))

    def scripts() -> set[str]:
        names = re.findall(r"/assets/([a-z-]+)-[\w-]{8}\.js", "\n".join(loaded))
        return {*names} & {"media-page", "plotly-figure", "vega-figure", "solid-preview"}

    page.goto(f"{served.url}/?project=1&runs=1")
    expect(page.get_by_role("link", name="Media", exact=True)).to_be_visible()
    assert scripts() == set()
    _open(page, served, "sample")
    expect(page.get_by_role("list", name="Runs").get_by_role("img")).to_have_count(3)
    assert scripts() == {"media-page"}
    _open(page, served, "bars", runs="1")
    expect(_frame(page, "run-0").locator("svg .mark-rect path")).to_have_count(2)
    assert scripts() == {"media-page", "vega-figure"}
    assert all(url.startswith((served.url, "data:")) for url in loaded)


def test_first_scripts_are_small(served: Server) -> None:
    index = (DIST / "index.html").read_text()
    names = re.findall(r'="/(assets/[^"]+\.js)"', index)
    assert len(names) > 1
    size = sum(len(gzip.compress((DIST / name).read_bytes(), 9)) for name in names)
    assert size <= 120_000


def test_headers_of_scripts_and_of_the_frame(served: Server) -> None:
    with urlopen(f"{served.url}/assets/figure.html") as response:
        policy, text = response.headers["Content-Security-Policy"], response.read().decode()
        assert response.headers["Cache-Control"] == "no-cache"
    # Neither scripts in a figure nor texts that are evaluated, and no network.
    assert policy == (
        "sandbox allow-scripts; default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; "
        "img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors * vscode-webview:"
    )
    script = re.search(r'src="(/assets/figure-[^"]+\.js)"', text)
    assert script is not None
    with urlopen(served.url + script[1]) as response:
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "immutable" in response.headers["Cache-Control"]
    with urlopen(f"{served.url}/api/projects") as response:
        assert response.headers["Access-Control-Allow-Origin"] is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_media_are_accessible_and_fit_a_phone(
    served: Server, drawing_page: Page, scheme: str, width: int
) -> None:
    page = drawing_page
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 900})
    ready = {
        "sample&step=30": ".missing", "sample&show=wipe": ".stack img", "roc": "polyline",
        "matrix": ".matrix", "cloud": "canvas", "curve": "iframe", "tone": "audio",
        "histogram": ".bar-plot", "plain": ".cells",
    }  # fmt: skip
    for key, selector in ready.items():
        name, _, parameters = key.partition("&")
        _open(page, served, name, f"&{parameters}")
        expect(page.locator(selector).first).to_be_visible()
        assert accessibility_violations(page) == [], key
        wide = page.evaluate(
            "() => { const page = document.querySelector('.media');"
            " return page.scrollWidth - page.clientWidth }"
        )
        assert wide <= 0, key
