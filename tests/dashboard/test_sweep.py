"""What 1 500 runs say about a metric: importance, parallel coordinates, scatter and contour."""

from __future__ import annotations

import json
import math
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from random import Random
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from tests.conftest import serving
from tests.dashboard.conftest import accessibility_violations, hover, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page

    from tests.conftest import Server

FIRST = """
import trackai
with trackai.init(project="sweep", name="first", config={"lr": 0.1}) as run:
    run.log({"val/loss": 1.5}, step=0)
with trackai.init(project="empty", name="alone"):
    pass
"""
MANY = 1500
# Of these there are some among the runs.
WITHOUT_VALUE, WITH_NAN, WITH_INFINITY = 12, 5, 3


def _configs(rng: Random) -> Iterator[dict[str, Any]]:
    for number in range(MANY):
        yield {
            "lr": 10 ** rng.uniform(-5, -1),
            "batch": rng.choice([16, 32, 64]),
            "opt/name": rng.choice(["adam", "sgd"]),
            "dropout": rng.uniform(0, 0.5),
            "seed": number,
            "fixed": True,
        }


def _loss(number: int, config: dict[str, Any], rng: Random) -> float | None:
    if number < WITH_NAN:
        return None
    if number < WITH_NAN + WITH_INFINITY:
        return math.inf
    valley = (math.log10(config["lr"]) + 3) ** 2
    return valley + (2 if config["opt/name"] == "sgd" else 0) + rng.uniform(0.0, 0.1)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a project of 1 500 runs whose loss depends on the rate and the optimizer."""
    path = tmp_path_factory.mktemp("store") / "store" / "trackai.db"
    env = {**os.environ, "TRACKAI_DB_PATH": str(path)}
    subprocess.run([sys.executable, "-c", FIRST], env=env, check=True)
    rng = Random(1)
    runs, configs, series = [], [], []
    for number, config in enumerate(_configs(rng)):
        run_id = 100 + number
        runs.append((run_id, f"run-{number}", f"run-{number}", number * 10**6))
        configs += [(run_id, key, json.dumps(value)) for key, value in config.items()]
        loss = _loss(number, config, rng)
        if number < MANY - WITHOUT_VALUE:
            finite = loss if loss is not None and math.isfinite(loss) else None
            series.append((run_id, int(loss is None), loss, finite))
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("DELETE FROM runs WHERE project_id = 1")
        conn.executemany(
            """
            INSERT INTO runs (id, uid, project_id, slug, state, created_at, updated_at)
            VALUES (?, ?, 1, ?, 'completed', ?4, ?4)
            """,
            runs,
        )
        conn.executemany("INSERT INTO configs (run_id, key, value) VALUES (?, ?, ?)", configs)
        conn.executemany(
            """
            INSERT INTO series (run_id, path, axis, kind, points, finite_points, nan_points,
                                first_step, last_step, last_value, min_value, min_step, max_value,
                                max_step)
            VALUES (?1, 'val/loss', 'step', 'number', 1, 1 - ?2, ?2, 0, 0, ?3, ?4, 0, ?4, 0)
            """,
            series,
        )
    with serving(path) as server:
        yield server


def url(served: Server, **parameters: str) -> str:
    query = "".join(f"&{name}={value}" for name, value in parameters.items())
    return f"{served.url}/?project=1&view=sweep{query}"


def section(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name)


def drawn(canvas: Locator) -> int:
    """The number of different colours on a canvas."""
    return int(
        canvas.evaluate(
            """canvas => {
                const { width, height } = canvas;
                // Reading the canvas itself would slow it down, and Chromium would say so.
                const context = new OffscreenCanvas(width, height)
                    .getContext("2d", { willReadFrequently: true });
                context.drawImage(canvas, 0, 0);
                const { data } = context.getImageData(0, 0, width, height);
                const colours = new Set();
                for (let at = 0; at < data.length; at += 4)
                    if (data[at + 3]) colours.add(data.slice(at, at + 3).join());
                return colours.size;
            }"""
        )
    )


def parameter(page: Page, name: str) -> str:
    return parse_qs(urlsplit(page.url).query).get(name, [""])[0]


def test_all_matching_runs_are_analysed(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1")
    scripts: list[str] = page.evaluate(
        "performance.getEntriesByType('resource').map(entry => entry.name)"
    )
    assert not any("sweep-page" in script for script in scripts)  # it is loaded when it is shown
    page.get_by_role("link", name="Analyse").click()
    expect(page.get_by_role("heading", name="Analyse 1,500 runs")).to_be_visible()
    expect(page.get_by_role("combobox", name="Metric", exact=True)).to_have_value("metric.val/loss")
    expect(page.get_by_role("combobox", name="Figure", exact=True)).to_have_value("min")
    expect(
        page.get_by_role("status").filter(
            has_text="All runs of the project: 1,500 runs, judged by their min val/loss."
        )
    ).to_contain_text(f"{WITHOUT_VALUE + WITH_NAN + WITH_INFINITY} runs without a value")
    # Few elements, many runs.
    parallel = section(page, "Parallel coordinates")
    expect(parallel.locator("canvas")).to_be_visible()
    assert parallel.locator("path").count() <= 1
    assert drawn(parallel.locator("canvas")) > 50
    scatter = section(page, "Scatter plot")
    assert drawn(scatter.locator("canvas")) > 20
    assert scatter.locator("circle").count() <= 2
    expect(scatter).to_contain_text("20 of 1,500 runs not shown")
    page.get_by_role("combobox", name="Figure", exact=True).select_option("last")
    expect(page).to_have_url(re.compile("target=metric.val%2Floss.last"))
    expect(
        page.get_by_text(f"{WITHOUT_VALUE} runs without a value", exact=False).first
    ).to_be_visible()
    expect(
        page.get_by_text(f"{WITH_NAN + WITH_INFINITY} runs with NaN or an infinity").first
    ).to_be_visible()


def test_importance_says_what_matters_and_of_how_many_runs(served: Server, page: Page) -> None:
    page.goto(url(served, target="metric.val/loss.last"))
    panel = section(page, "Importance of parameters")
    rows = panel.locator("tbody tr")
    expect(rows).to_have_count(5)
    names = panel.locator("tbody th").all_inner_texts()
    assert set(names[:2]) == {"lr", "opt/name"}
    shares = [float(cell) for cell in panel.locator("tbody td:nth-child(2)").all_inner_texts()]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1, abs=0.01)
    assert shares[1] > 10 * shares[2]
    expect(panel).to_contain_text(
        f"{MANY - WITHOUT_VALUE - WITH_NAN:,} runs with a value, of 1,500."
    )
    expect(panel).to_contain_text(f"{WITHOUT_VALUE} runs without a value left out.")
    expect(panel).to_contain_text(f"{WITH_NAN} runs with NaN left out.")
    expect(panel).to_contain_text(f"{WITH_INFINITY} runs with an infinity ranked at the end.")
    expect(panel).to_contain_text("Random forest on ranks, by permutation")
    expect(panel).to_contain_text(re.compile(r"It explains 9\d % of the variance"))
    expect(panel).to_contain_text("1 parameter with the same value in all runs: importance 0.")
    panel.get_by_role("button", name="Plot the most important").click()
    assert {parameter(page, "cx"), parameter(page, "cy")} == {"config.lr", "config.opt/name"}
    assert set(parameter(page, "axes").splitlines()[:2]) == {"config.lr", "config.opt/name"}
    panel.get_by_role("button", name="dropout").click()
    assert parameter(page, "sx") == "config.dropout"
    expect(
        section(page, "Scatter plot").get_by_role("combobox", name="Over", exact=True)
    ).to_have_value("config.dropout")


def test_the_filter_chooses_the_runs(served: Server, page: Page) -> None:
    page.goto(url(served, filter="config.batch = 16 and config.opt/name = sgd"))
    heading = page.get_by_role("heading", name=re.compile("^Analyse [1-9][0-9]* runs"))
    expect(heading).to_be_visible()
    total = int(re.sub(r"\D", "", heading.inner_text()))
    assert 150 < total < 350
    expect(
        page.get_by_text("Runs that match config.batch = 16 and config.opt/name = sgd")
    ).to_be_visible()
    expect(section(page, "Importance of parameters")).to_contain_text(f"of {total}.")
    page.goto(url(served, filter="name = nothing"))
    expect(page.get_by_text("No run matches.")).to_be_visible()


def test_a_filter_that_cannot_be_read_is_named(served: Server, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(url(served, filter="config.lr <"))
    expect(page.get_by_role("alert").first).to_contain_text("filter:")
    page.close()


def test_a_range_becomes_a_filter(served: Server, page: Page) -> None:
    page.goto(url(served, axes="config.lr%0Aconfig.opt/name%0Aconfig.batch"))
    page.get_by_role("slider", name="Range of opt/name").focus()
    page.keyboard.press("ArrowUp")
    page.get_by_role("slider", name="Range of batch").focus()
    page.keyboard.press("ArrowDown")
    status = page.get_by_text(re.compile(r"^\d+ of 1,500 runs in range$"))
    expect(status).to_be_visible()
    inside = int(status.inner_text().split()[0])
    assert 0 < inside < MANY
    page.get_by_role("button", name="Analyse only these").click()
    expect(page.get_by_role("heading", name=f"Analyse {inside:,} runs", exact=True)).to_be_visible()
    assert 'config.opt/name = "sgd"' in parameter(page, "filter")
    assert parameter(page, "brush") == ""
    page.get_by_role("link", name="← Back to project").click()
    expect(page.get_by_text(f"{inside:,} runs,")).to_be_visible()


def test_the_contour_shows_where_the_best_runs_are(served: Server, page: Page) -> None:
    page.goto(url(served, cx="config.lr", cy="config.dropout"))
    contour = section(page, "Contour")
    expect(contour.get_by_role("img")).to_have_accessible_name(
        f"min val/loss over lr and dropout of {MANY - 20:,} runs"
    )
    assert drawn(contour.locator("canvas")) > 50
    expect(contour).to_contain_text(f"{MANY - 20:,} of 1,500 runs have both parameters")
    best = contour.get_by_text(re.compile("^Best: "))
    rate = float(re.findall(r"lr = ([-0-9.e]+)", best.inner_text())[0])
    assert 3e-4 < rate < 3e-3  # the valley is at 1e-3
    # A category is not mixed with its neighbour.
    contour.get_by_role("combobox", name="Up", exact=True).select_option("config.opt/name")
    expect(page).to_have_url(re.compile("cy=config.opt%2Fname"))
    expect(contour.get_by_role("img")).to_have_accessible_name(re.compile("over lr and opt/name"))
    wait_until(page, lambda: drawn(contour.locator("canvas")) > 50)
    contour.get_by_role("link").click()
    expect(page.get_by_role("heading", name=re.compile("^run-"))).to_be_visible()


def test_points_are_reached_by_mouse_and_keyboard(served: Server, page: Page) -> None:
    page.goto(url(served, sx="config.lr"))
    scatter = section(page, "Scatter plot")
    points = scatter.get_by_role("group", name="Points of")
    points.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    link = scatter.get_by_role("link")
    expect(link).to_have_count(1)
    third = link.get_attribute("aria-label")
    page.keyboard.press("ArrowLeft")
    expect(link).not_to_have_accessible_name(third or "")
    page.keyboard.press("ArrowRight")
    expect(link).to_have_accessible_name(third or "")
    page.keyboard.press("Tab")
    expect(link).to_be_focused()
    page.keyboard.press("Enter")
    name = (third or "").partition(":")[0]
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    page.go_back()
    parallel = section(page, "Parallel coordinates")
    expect(parallel.locator("canvas")).to_be_visible()

    def hovered() -> None:
        hover(parallel.locator("svg"), 0.42, 0.6)
        expect(parallel.locator("path")).to_have_count(1, timeout=1000)

    wait_until(page, hovered)
    expect(parallel.locator(".words b").first).to_have_text(re.compile("^run-"))


def test_few_or_no_runs_say_so(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=2&view=sweep")
    panel = section(page, "Importance of parameters")
    expect(panel).to_contain_text("No importance: at least 10 runs must have a value, got 1.")


def test_an_unknown_project_is_not_found(served: Server, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(f"{served.url}/?project=99&view=sweep")
    expect(page.get_by_role("alert")).to_contain_text("Project not found")
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_the_page_is_accessible_and_fits(
    served: Server, page: Page, scheme: str, width: int
) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(url(served))
    expect(section(page, "Importance of parameters").locator("tbody tr")).to_have_count(5)
    assert accessibility_violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
