"""How soon the dashboard shows charts, and how smoothly it moves, in Chromium.

The project has 1 000 runs of 50 metrics. All of them with 10 000 steps would be 500 million
points, which take a quarter of an hour and 19 GB to make: `--long-runs 1000` does it. Without it,
as many runs have full series as the charts show and some more, and the others have 100 steps.

A chart counts as drawn when a line for each of its runs is on its canvas. A chart that is zoomed
is drawn at once from what is at hand, and again with what the server has of that part. The
baseline of what needs the server is the server alone: the same questions, one after the other,
without a browser. Frames are those of scrolling with the wheel. The clock says how long the
slowest took, also where other programs have the processor meanwhile; what the page's main thread
computed for one, at most, is measured beside it. The baseline is a plain page of as many rows,
scrolled likewise.
"""

from __future__ import annotations

import gzip
import json
import re
import statistics
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import anyio

from scripts.benchmarks import crowd
from scripts.benchmarks.harness import ChildError, Client, Figure, Report, Table, serve
from scripts.benchmarks.scrolling import COLUMNS, Frames, frames_of
from trackai import dashboard

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

CHARTS, RUNS = 12, 10
_SHOWN = "^[tvgo].*_0[0-2]$"  # twelve of the metrics
_ARGUMENTS = (
    "--no-sandbox --disable-gpu --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
# What the page does is seen from outside: uPlot strokes one path for each line.
_WATCH = """
const bench = window.bench = { answers: [], frames: [], drawn: new Map() };
const stroke = CanvasRenderingContext2D.prototype.stroke;
CanvasRenderingContext2D.prototype.stroke = function (path) {
  if (path) {
    const lines = bench.drawn.get(this.canvas) ?? [];
    lines.push(performance.now());
    bench.drawn.set(this.canvas, lines);
  }
  return path ? stroke.call(this, path) : stroke.call(this);
};
const ask = window.fetch;
window.fetch = async (...given) => {
  const answer = await ask(...given);
  if (String(given[1]?.body).includes('"step_min"')) bench.answers.push(performance.now());
  return answer;
};
// When so many charts had so many lines each; undefined if they do not yet.
bench.complete = (charts, lines) => {
  const times = [...bench.drawn]
    .filter(([canvas, drawn]) => canvas.isConnected && drawn.length >= lines)
    .map(([, drawn]) => drawn[lines - 1]).sort((one, other) => one - other);
  return times[charts - 1];
};
// When the first chart was drawn after a moment.
bench.redrawn = (lines, since) => {
  for (const [canvas, drawn] of bench.drawn) {
    if (!canvas.isConnected) continue;
    return drawn.filter((time) => time >= since)[lines - 1];
  }
};
bench.record = () => {
  bench.frames = [];
  const frame = (time) => {
    bench.frames.push(time);
    bench.recording = requestAnimationFrame(frame);
  };
  bench.recording = requestAnimationFrame(frame);
};
bench.stop = () => {
  cancelAnimationFrame(bench.recording);
  return bench.frames;
};
addEventListener("pointerup", () => { bench.released = performance.now(); }, true);
addEventListener("mouseup", () => { bench.released = performance.now(); }, true);
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--runs", type=int, default=1000, help="in the project [default: 1000]")
    parser.add_argument("--metrics", type=int, default=50, help="of each run [default: 50]")
    parser.add_argument("--steps", type=int, default=10_000, help="of long runs [default: 10000]")
    parser.add_argument("--long-runs", type=int, default=20, help="so many [default: 20]")
    parser.add_argument(
        "--short-steps", type=int, default=100, help="of the other runs [default: 100]"
    )
    parser.add_argument("--repeat", type=int, default=5, help="take medians of [default: 5]")
    parser.add_argument(
        "--scroll-seconds", type=float, default=4, help="scroll so long [default: 4]"
    )
    parser.add_argument("--db", type=Path, help="make the project there, or find it there")
    parser.add_argument("--chromium", type=Path, help="the browser [default: the first found]")


def run(arguments: argparse.Namespace) -> Report:
    """Make the project, and measure; this takes two minutes."""
    size = crowd.Size(
        arguments.runs, arguments.metrics, arguments.steps,
        max(arguments.long_runs, RUNS), arguments.short_steps,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.db or Path(folder, "trackai.db")
        filled: float | None = None
        if not path.exists():
            started = time.perf_counter()
            anyio.run(crowd.make, path, size)
            filled = time.perf_counter() - started
        with serve(path) as client, _browser(arguments.chromium) as browser:
            figures, frames = _measure(client, browser, arguments)
        megabytes = path.stat().st_size / 1e6
    made = "found" if filled is None else f"made in {filled:.0f} s"
    return Report(
        f"the dashboard in Chromium, medians of {arguments.repeat}",
        [*figures, _scripts()],
        [Table("Frames while scrolling", COLUMNS, frames)],
        [
            (
                f"{size.runs:,} runs of {size.metrics} metrics, {size.long_runs:,} of them with "
                f"{size.steps:,} steps, the others with {size.short_steps:,}: {size.points:,} "
                f"points in {megabytes:,.0f} MB, {made}."
            ),
            "Baseline: the server alone; for frames, a plain page of as many rows.",
            (
                "While scrolling the table, the page's main thread had a processor for "
                f"{frames[1].running:.0f} % of the time for which it wanted one: the rest of what "
                "is measured by the clock is other programs'."
            ),
        ],
    )


@contextmanager
def _browser(executable: Path | None) -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    from scripts import browsers

    executable = executable or browsers.provide()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=_ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def _page(browser: Browser) -> Iterator[Page]:
    """A page that has never been here: nothing is in its cache."""
    context = browser.new_context(viewport={"width": 1920, "height": 1400})
    page = context.new_page()
    page.add_init_script(_WATCH)
    yield page
    context.close()


def _measure(
    client: Client, browser: Browser, arguments: argparse.Namespace
) -> tuple[list[Figure], list[Frames]]:
    repeat, seconds = arguments.repeat, arguments.scroll_seconds
    url = "http://{}:{}".format(*client.address)
    newest = json.loads(client.get(f"/api/runs?project_id=1&limit={RUNS}"))["runs"]
    ids = [one["id"] for one in newest]
    many = f"{url}/?project=1&runs={','.join(map(str, ids))}&metrics={quote(_SHOWN)}"
    paths = json.loads(client.get(f"/api/metrics/runs/{ids[0]}"))
    paths = [path for path in paths if re.search(_SHOWN, path)]

    def charts(body: dict[str, Any]) -> Callable[[], object]:
        return lambda: client.post(
            "/api/metrics/compare", {"run_ids": ids, "points": 200, "x": "step", **body}
        )

    first, all_, zoom = [], [], []
    for _ in range(repeat):
        with _page(browser) as page:
            page.goto(f"{url}/?project=1")
            first.append(_wait(page, "bench.complete(1, 8)"))
        with _page(browser) as page:
            page.goto(many)
            all_.append(_wait(page, f"bench.complete({CHARTS}, {RUNS})"))
            zoom.append(_zoom(page))
    with _page(browser) as page:
        frames = [
            frames_of("a plain page", browser, _plain(page), seconds),
            frames_of("the table", browser, _project(page, url, ".rows"), seconds),
            frames_of("the charts", browser, _project(page, url, ".charts"), seconds),
        ]
    some = ids[:8]
    return [
        Figure(
            name="first chart visible after navigation", unit="ms", at_most=1000,
            value=statistics.median(first),
            baseline=_ms(charts({"metric_paths": paths[:1], "run_ids": some}), repeat),
        ),
        Figure(
            name=f"{CHARTS} charts of {RUNS} runs drawn", unit="ms", at_most=1500,
            value=statistics.median(all_),
            baseline=_ms(charts({"metric_paths": paths}), repeat),
        ),
        Figure(
            name="zoom to redraw", unit="ms", at_most=150,
            value=statistics.median(redrawn for redrawn, _ in zoom),
        ),
        Figure(
            name="zoom to redraw with the points of the part", unit="ms",
            value=statistics.median(complete for _, complete in zoom),
            baseline=_ms(
                charts({"metric_paths": paths[:1], "step_min": 2000, "step_max": 5000}), repeat
            ),
        ),
        *(
            Figure(
                name=f"slowest frame: scrolling {one.name}", unit="ms", at_most=1000 / 30,
                value=one.slowest, baseline=frames[0].slowest,
            )
            for one in frames[1:]
        ),
        *(
            Figure(
                name=f"most work for a frame: scrolling {one.name}", unit="ms of CPU",
                at_most=1000 / 30, value=one.most_work,
            )
            for one in frames[1:]
        ),
    ], frames  # fmt: skip


def _wait(page: Page, expression: str) -> float:
    """The milliseconds since navigation at which something was true."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        # The page's policy forbids it to evaluate what Playwright could wait for by itself.
        found: float | None = page.evaluate(expression)
        if found:
            return found
        page.wait_for_timeout(20)
    raise ChildError(f"never: {expression}")


def _zoom(page: Page) -> tuple[float, float]:
    """Drag over a part of the first chart.

    Returns:
        From letting go until it is drawn again, by what is at hand, and by the server's answer.
    """
    page.wait_for_timeout(500)
    box = page.locator("figure .u-over").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 70, steps=4)
    page.evaluate("bench.answers = []")
    page.mouse.up()
    redrawn = _wait(page, f"bench.redrawn({RUNS}, bench.released)")
    complete = _wait(page, f"bench.answers.length && bench.redrawn({RUNS}, bench.answers[0])")
    released: float = page.evaluate("bench.released")
    return redrawn - released, complete - released


def _plain(page: Page) -> tuple[Page, float, float]:
    page.goto("about:blank")
    page.set_content(
        "<!doctype html><body><div class=rows></div><script>document.querySelector('.rows')"
        ".innerHTML = Array.from({length: 1000}, (_, at) => `<p>${at}</p>`).join('')</script>"
    )
    return page, 400, 400


def _project(page: Page, url: str, selector: str) -> tuple[Page, float, float]:
    page.goto(f"{url}/?project=1")
    _wait(page, "bench.complete(1, 8)")
    page.wait_for_timeout(1500)
    box = page.locator(selector).first.bounding_box()
    assert box is not None
    return page, box["x"] + box["width"] / 2, box["y"] + min(box["height"], 800) / 2


def _ms(ask: Callable[[], object], repeat: int) -> float:
    ask()
    took = []
    for _ in range(repeat):
        started = time.perf_counter()
        ask()
        took.append(1000 * (time.perf_counter() - started))
    return statistics.median(took)


def _scripts() -> Figure:
    scripts = (dashboard.DIST / "assets").glob("*.js")
    size = sum(len(gzip.compress(one.read_bytes())) for one in scripts)
    return Figure(name="JavaScript, gzipped", value=size / 1000, unit="kB", at_most=150)
