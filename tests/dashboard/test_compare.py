"""The comparison of runs: differences, best values, parallel coordinates and scatter plot."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from tests.dashboard.conftest import accessibility_violations, hover

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.conftest import Server

# The loss falls with the learning rate, the accuracy rises; only odd runs have the key `some`.
RUNS = """
import trackai
for number in range(200):
    config = {"lr": 10.0 ** -(number % 5), "kind": "abc"[number % 3], "data": "c4", "a, b": number}
    config |= {f"MMWMW_MMWMW_{key}": number % 4 for key in range(4)}
    if number % 2:
        config["some"] = True
    with trackai.init(project="p", name=f"r{number}", config=config) as run:
        for step in range(3):
            run.log({"val/loss": 1.0 + number % 5 - step / 8, "val/accuracy": 1 / (1 + number % 5)})
            run.log({"gpu_util": 1.0 + number % 5}, step=step)
"""


def _compare_url(server: Server, count: int, parameters: str = "") -> str:
    runs = ",".join(str(number) for number in range(1, count + 1))
    return f"{server.url}/?view=compare&project=1&runs={runs}{parameters}"


def _row(page: Page, name: str) -> Locator:
    header = page.get_by_role("rowheader", name=name, exact=True)
    return page.get_by_role("row").filter(has=header)


def test_going_back_keeps_the_selected_runs(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&runs=198,199,200")
    page.get_by_role("link", name="Compare").click()
    expect(page.get_by_role("heading", name="Compare 3 runs")).to_be_visible()
    expect(page).to_have_url(re.compile("view=compare.*runs=198%2C199%2C200"))
    page.get_by_role("link", name="← Back to project").click()
    expect(page.get_by_role("checkbox", name=re.compile("^Select"), checked=True)).to_have_count(3)


def test_identical_keys_are_hidden_by_default(served: Server, page: Page) -> None:
    page.goto(_compare_url(served, 2))
    expect(_row(page, "lr").get_by_role("cell")).to_have_text(["1", "0.1"])
    expect(_row(page, "some").get_by_role("cell")).to_have_text(["\u2013", "true"])
    expect(_row(page, "a, b").get_by_role("cell")).to_have_text(["0", "1"])
    expect(_row(page, "data")).to_have_count(0)
    page.get_by_label(re.compile("identical keys")).check()
    expect(_row(page, "data").get_by_role("cell")).to_have_text(["c4", "c4"])
    page.goto(page.url)
    expect(_row(page, "data")).to_have_count(1)


def test_best_value_follows_the_chosen_direction(served: Server, page: Page) -> None:
    page.goto(_compare_url(served, 5, "&figure=min"))
    loss = page.get_by_role("row").filter(has=page.locator('th[title="val/loss"]'))
    expect(loss.locator(".best")).to_have_text("0.75 best")
    accuracy = page.get_by_role("row").filter(has=page.locator('th[title="val/accuracy"]'))
    expect(accuracy.locator(".best")).to_have_text("1 best")
    loss.get_by_role("button", name="Lower val/loss is better").click()
    expect(loss.locator(".best")).to_have_text("4.75 best")
    page.get_by_role("combobox", name="Metrics").select_option("last")
    expect(loss.locator(".best")).to_have_text("4.75 best")
    expect(page).to_have_url(re.compile("better=more"))
    loss.get_by_role("button", name="Higher val/loss is better").click()
    expect(page).not_to_have_url(re.compile("better="))
    # Without a known direction, no value is best until the user chooses one.
    utilisation = page.get_by_role("row").filter(has=page.locator('th[title="gpu_util"]'))
    directions = {"Neither higher nor lower": [], "Higher": ["5 best"], "Lower": ["1 best"]}
    for direction, best in directions.items():
        expect(utilisation.locator(".best")).to_have_text(best)
        utilisation.get_by_role("button", name=f"{direction} gpu_util is better").click()
    expect(utilisation.locator(".best")).to_have_count(0)


def test_numbers_keep_trailing_zeros(server: Server, page: Page) -> None:
    project = server.request("POST", "/api/projects", {"name": "p", "project_id": "p"}).json["id"]
    for name, value in {"one": 20000.25, "two": 300000.25, "three": 0.5}.items():
        new = {"project_id": project, "run_id": name, "state": "completed"}
        run = server.request("POST", "/api/runs", new).json["id"]
        rows = [{"step": 0, "values": {"tokens": value}}]
        assert server.request("POST", f"/api/metrics/runs/{run}", {"rows": rows}).status == 200
    page.goto(f"{server.url}/?view=compare&project={project}&runs=1,2,3")
    tokens = page.get_by_role("row").filter(has=page.locator('th[title="tokens"]'))
    expect(tokens.get_by_role("cell")).to_have_text(["20000", "300000", "0.5"])


def test_axis_range_selects_runs(served: Server, page: Page) -> None:
    page.goto(_compare_url(served, 30))
    parallel = page.get_by_role("region", name="Parallel coordinates")
    expect(parallel.locator("svg > g > path")).to_have_count(30)
    grip = parallel.get_by_role("slider", name="Range of val/loss.min").locator(".grip")
    hover(grip, 0.5, 0.99)
    page.mouse.down()
    hover(grip, 0.5, 0.95)
    hover(grip, 0.5, 0.9)
    page.mouse.up()
    expect(page.get_by_text("6 of 30 runs in range")).to_be_visible()
    page.goto(page.url)
    expect(page.get_by_text("6 of 30 runs in range")).to_be_visible()
    page.get_by_role("button", name="Keep only these").click()
    expect(page.get_by_role("heading", name="Compare 6 runs")).to_be_visible()


def test_interrupted_drag_selects_nothing(served: Server, page: Page) -> None:
    page.goto(_compare_url(served, 10))
    parallel = page.get_by_role("region", name="Parallel coordinates")
    grip = parallel.get_by_role("slider", name="Range of val/loss.min").locator(".grip")
    grip.evaluate(
        "grip => grip.addEventListener('pointermove',"
        " (event) => event.buttons && grip.releasePointerCapture(event.pointerId))"
    )
    hover(grip, 0.5, 0.9)
    page.mouse.down()
    hover(grip, 0.5, 0.5)
    hover(grip, 0.5, 0.4)
    expect(parallel.locator(".brush")).to_have_count(0)
    page.mouse.up()
    hover(grip, 0.5, 0.2)
    expect(parallel.locator(".brush")).to_have_count(0)
    expect(page.get_by_text("runs in range")).to_have_count(0)


def test_keyboard_selects_a_range(served: Server, page: Page) -> None:
    page.goto(_compare_url(served, 10))
    axis = page.get_by_role("slider", name="Range of lr")
    axis.press("ArrowDown")  # the lower half of the logarithm: 1e-4, 1e-3, 1e-2
    expect(page.get_by_text("6 of 10 runs in range")).to_be_visible()
    expect(axis).to_have_attribute("aria-valuetext", "0.0001 to 0.01")
    axis.press("Escape")
    expect(page.get_by_text("runs in range")).to_have_count(0)


def test_scatter_plot_axes_can_be_changed(served: Server, page: Page) -> None:
    page.goto(_compare_url(served, 10))
    scatter = page.get_by_role("region", name="Scatter plot")
    expect(scatter.get_by_role("link")).to_have_count(10)
    expect(scatter.get_by_label("log x")).to_be_checked()  # learning rates span orders of magnitude
    scatter.get_by_label("log x").uncheck()
    expect(page).to_have_url(re.compile("slog=-x"))
    scatter.locator("select").first.select_option("config.kind")
    expect(scatter.locator("text", has_text=re.compile("^[abc]$"))).to_have_text(["a", "b", "c"])
    point = scatter.get_by_role("link", name=re.compile("^r3:"))
    point.focus()
    expect(scatter.locator(".words")).to_contain_text("r3")
    point.press("Enter")
    expect(page.get_by_role("heading", name="r3")).to_be_visible()


def test_page_opened_in_the_background_loads_when_visible(served: Server, page: Page) -> None:
    page.add_init_script(
        "window.inBackground = true;"
        "Object.defineProperty(document, 'hidden', { get: () => window.inBackground });"
    )
    page.goto(_compare_url(served, 2))
    page.wait_for_timeout(1000)
    expect(page.get_by_text("Loading")).to_be_visible()
    page.evaluate("window.inBackground = false")
    expect(page.get_by_role("heading", name="Compare 2 runs")).to_be_visible()
    expect(page).to_have_title("Compare \u00b7 p \u00b7 TrackAI")


def test_two_hundred_runs_are_compared(served: Server, page: Page) -> None:
    page.goto(_compare_url(served, 200))
    expect(page.get_by_role("heading", name="Compare 200 runs")).to_be_visible()
    expect(_row(page, "lr").get_by_role("cell")).to_have_count(200)
    expect(page.get_by_role("region", name="Scatter plot").get_by_role("link")).to_have_count(200)


def test_comparison_of_one_run_says_what_to_do(served: Server, page: Page) -> None:
    page.goto(_compare_url(served, 1))
    expect(page.get_by_text("Select at least two runs")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_comparison_is_accessible(served: Server, page: Page, scheme: str, width: int) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(_compare_url(served, 6))
    expect(page.get_by_role("slider").first).to_be_visible()
    assert accessibility_violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_scatter_point_opens_its_run_without_layout_shift(served: Server, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 900})
    field = quote('config."a, b"')
    page.goto(_compare_url(served, 200, f"&sx={field}&sy={field}"))
    scatter = page.get_by_role("region", name="Scatter plot")
    below = page.get_by_role("region", name="Differences")
    point = scatter.get_by_role("link", name=re.compile("^r3:"))  # other points cover it
    point.scroll_into_view_if_needed()
    before = below.bounding_box()
    box = point.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(scatter.locator(".words")).to_contain_text(re.compile(r"^r3 "))
    assert below.bounding_box() == before
    page.mouse.down()
    page.mouse.up()
    expect(page.get_by_role("heading", name="r3")).to_be_visible()


@pytest.mark.parametrize("width", [1100, 390])
def test_axis_names_do_not_overlap_and_integer_axes_have_integer_ticks(
    served: Server, page: Page, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(_compare_url(served, 4))
    names = page.locator(".parallel .name")
    expect(names).to_have_count(8)
    boxes = names.evaluate_all("all => all.map((name) => name.getBoundingClientRect())")
    assert all(left["right"] < right["left"] for left, right in pairwise(boxes))
    axis = page.get_by_role("slider", name="MMWMW_MMWMW_0")
    expect(axis.locator(".mark")).to_have_text(["0", "1", "2", "3"])
