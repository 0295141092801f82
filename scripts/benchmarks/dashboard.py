"""Measure how soon the dashboard shows charts, and how smoothly it scrolls, in Chromium.

The project has 1 000 runs of 50 metrics. By default 20 of the runs have 10 000 steps, which is more
than the charts show, and the others have 100. With `--long-runs 1000`, all runs are long: creating
the 500 million points takes a quarter of an hour and 19 GB.

A chart is drawn when its canvas has a line for each of its runs. After a zoom it is drawn twice:
first with the points that the page has, then with the server's points of the range. The baseline is
the duration of the same requests, one after the other, without a browser.

A run that logs is shown for a while: its traffic is beside that of the same responses whole and
not compressed, and listeners and elements at the end beside those at the beginning.

Frames are measured while scrolling with the wheel. The slowest frame is measured by the clock,
which includes the time of other programs; the CPU time of the page's main thread per frame is
measured separately. The baseline is a plain page with as many rows.
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

from scripts.benchmarks import large_project, live_dashboard, many_metrics
from scripts.benchmarks.harness import ChildError, Client, Figure, Report, Table, serve
from scripts.benchmarks.scrolling import COLUMNS, Frames, frames_of
from trackai import dashboard

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

CHARTS, RUNS = 12, 10
# The numbers of metrics with which the first chart is measured; the first is the baseline.
_COUNTS = (10, 5000, 20_000)
# How many times longer than with the first number the first chart may take.
_TIMES = {5000: 2, 20_000: 4}
# Elements of the page.
_MAX_ELEMENTS = 3000
_SMOOTHING = 0.6
_SHOWN = "^[tvgo].*_0[0-2]$"  # twelve of the metrics
_ARGUMENTS = (
    "--no-sandbox --disable-gpu --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
# The script observes the page from outside: uPlot strokes one path for each line of a chart.
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
const originalFetch = window.fetch;
window.fetch = async (...parameters) => {
  const answer = await originalFetch(...parameters);
  if (String(parameters[1]?.body).includes('"step_min"')) bench.answers.push(performance.now());
  return answer;
};
// The time at which a number of charts had a number of lines each, or undefined.
bench.complete = (charts, lines) => {
  const times = [...bench.drawn]
    .filter(([canvas, drawn]) => canvas.isConnected && drawn.length >= lines)
    .map(([, drawn]) => drawn[lines - 1]).sort((a, b) => a - b);
  return times[charts - 1];
};
// The time at which the first chart was drawn again after `since`, or undefined.
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
    """Add the options of the benchmark."""
    parser.add_argument("--runs", type=int, default=1000, help="number of runs [default: 1000]")
    parser.add_argument("--metrics", type=int, default=50, help="metrics of each run [default: 50]")
    parser.add_argument(
        "--steps", type=int, default=10_000, help="steps of long runs [default: 10000]"
    )
    parser.add_argument(
        "--long-runs", type=int, default=20, help="number of long runs [default: 20]"
    )
    parser.add_argument(
        "--short-steps", type=int, default=100, help="steps of other runs [default: 100]"
    )
    parser.add_argument(
        "--repeat",
        type=int,
        default=5,
        help="measurements to take the median of [default: 5]",
    )
    parser.add_argument(
        "--scroll-seconds", type=float, default=4, help="duration of scrolling [default: 4]"
    )
    parser.add_argument(
        "--live-minutes",
        type=float,
        default=3,
        help="how long to show a run that logs; 30 for a claim about leaks [default: 3]",
    )
    parser.add_argument(
        "--db", type=Path, help="database with the project, created if it is missing"
    )
    parser.add_argument(
        "--chromium", type=Path, help="path of the browser [default: the first that is found]"
    )


def run(arguments: argparse.Namespace) -> Report:
    """Create the project and measure; this takes two minutes."""
    size = large_project.Size(
        arguments.runs, arguments.metrics, arguments.steps,
        max(arguments.long_runs, RUNS), arguments.short_steps,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.db or Path(folder, "trackai.db")
        filled: float | None = None
        if not path.exists():
            started = time.perf_counter()
            anyio.run(large_project.make, path, size)
            filled = time.perf_counter() - started
        wide = Path(folder, "wide.db")
        anyio.run(many_metrics.make, wide, _COUNTS)
        with serve(path) as client, open_browser(arguments.chromium) as browser:
            figures, frames = _measure(client, browser, arguments)
            with serve(wide) as many:
                figures += _measure_many_metrics(browser, _url(many), arguments.repeat)
            live, counts = _measure_live(browser, Path(folder, "live.db"), arguments.live_minutes)
        megabytes = path.stat().st_size / 1e6
    created = "found" if filled is None else f"created in {filled:.0f} s"
    return Report(
        f"the dashboard in Chromium, medians of {arguments.repeat}",
        [*figures, *live, _scripts()],
        [Table("Frames while scrolling", COLUMNS, frames), counts],
        [
            (
                f"{size.runs:,} runs of {size.metrics} metrics, {size.long_runs:,} of them with "
                f"{size.steps:,} steps, the others with {size.short_steps:,}: {size.points:,} "
                f"points in {megabytes:,.0f} MB, {created}."
            ),
            (
                "Baseline: the requests without a browser; for frames, a plain page of as many "
                "rows; for many metrics, ten of them; for smoothing, the charts without it; for "
                "live traffic, the same responses whole and not compressed."
            ),
            (
                "While scrolling the table, the page's main thread ran for "
                f"{frames[1].running:.0f} % of the duration of its tasks; for the rest it waited "
                "for a processor."
            ),
        ],
    )


@contextmanager
def open_browser(executable: Path | None) -> Iterator[Browser]:
    """Start a browser."""
    from playwright.sync_api import sync_playwright

    from scripts import browsers

    executable = executable or browsers.provide()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=_ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def open_page(browser: Browser) -> Iterator[Page]:
    """Open a page with an empty cache."""
    context = browser.new_context(viewport={"width": 1920, "height": 1400})
    page = context.new_page()
    page.add_init_script(_WATCH)
    yield page
    context.close()


def _url(client: Client) -> str:
    return "http://{}:{}".format(*client.address)


def _measure(
    client: Client, browser: Browser, arguments: argparse.Namespace
) -> tuple[list[Figure], list[Frames]]:
    url = _url(client)
    charts = _measure_charts(client, browser, url, arguments.repeat)
    frames = _measure_scrolling(browser, url, arguments.scroll_seconds)
    plain, *scrolled = frames
    slowest = [
        Figure(
            name=f"slowest frame: scrolling {page.name}", unit="ms", at_most=1000 / 30,
            value=page.slowest, baseline=plain.slowest,
        )
        for page in scrolled
    ]  # fmt: skip
    most_work = [
        Figure(
            name=f"most work for a frame: scrolling {page.name}", unit="ms of CPU",
            at_most=1000 / 30, value=page.most_work,
        )
        for page in scrolled
    ]  # fmt: skip
    return [*charts, *slowest, *most_work], frames


def _measure_charts(client: Client, browser: Browser, url: str, repeat: int) -> list[Figure]:
    """Measure the time until charts are drawn, and drawn again after a zoom."""
    newest = json.loads(client.get(f"/api/runs?project_id=1&limit={RUNS}"))["runs"]
    ids = [run["id"] for run in newest]
    charts_url = f"{url}/?project=1&runs={','.join(map(str, ids))}&metrics={quote(_SHOWN)}"
    paths = json.loads(client.get(f"/api/metrics/runs/{ids[0]}"))
    paths = [path for path in paths if re.search(_SHOWN, path)]

    def baseline(**body: Any) -> float:
        request = {"run_ids": ids, "points": 200, "x": "step", **body}
        return _median_ms(lambda: client.post("/api/metrics/compare", request), repeat)

    first_chart, all_charts, zoom = [], [], []
    unsmoothed, smoothed = [], []
    for _ in range(repeat):
        with open_page(browser) as page:
            page.goto(f"{url}/?project=1")
            first_chart.append(_wait(page, "bench.complete(1, 8)"))
        with open_page(browser) as page:
            page.goto(charts_url)
            all_charts.append(_wait(page, f"bench.complete({CHARTS}, {RUNS})"))
            zoom.append(_zoom(page))
        with open_page(browser) as page:
            page.goto(f"{charts_url}&smooth={_SMOOTHING}")
            # A line is drawn for each run, then one before and one after smoothing.
            unsmoothed.append(_wait(page, f"bench.complete({CHARTS}, {RUNS})"))
            smoothed.append(_wait(page, f"bench.complete({CHARTS}, {2 * RUNS})"))
    return [
        Figure(
            name="first chart visible after navigation", unit="ms", at_most=1000,
            value=statistics.median(first_chart),
            baseline=baseline(metric_paths=paths[:1], run_ids=ids[:8]),
        ),
        Figure(
            name=f"{CHARTS} charts of {RUNS} runs drawn", unit="ms", at_most=1500,
            value=statistics.median(all_charts), baseline=baseline(metric_paths=paths),
        ),
        Figure(
            name=f"{CHARTS} charts of a link with smoothing drawn", unit="ms",
            value=statistics.median(unsmoothed), baseline=statistics.median(all_charts),
        ),
        Figure(
            name=f"{CHARTS} charts of a link with smoothing smoothed", unit="ms",
            value=statistics.median(smoothed), baseline=statistics.median(all_charts),
            at_most=1.5 * statistics.median(all_charts),
        ),
        Figure(
            name="zoom to redraw", unit="ms", at_most=150,
            value=statistics.median(redrawn for redrawn, _ in zoom),
        ),
        Figure(
            name="zoom to redraw with the points of the part", unit="ms",
            value=statistics.median(complete for _, complete in zoom),
            baseline=baseline(metric_paths=paths[:1], step_min=2000, step_max=5000),
        ),
    ]  # fmt: skip


def _measure_live(browser: Browser, path: Path, minutes: float) -> tuple[list[Figure], Table]:
    with (
        live_dashboard.logging_run(path) as run_id,
        serve(path) as client,
        open_page(browser) as page,
    ):
        return live_dashboard.measure(page, client, _url(client), run_id, minutes)


def _measure_many_metrics(browser: Browser, url: str, repeat: int) -> list[Figure]:
    """Measure the first chart of projects with few and many metrics, and their elements."""
    times: dict[int, float] = {}
    elements: dict[int, int] = {}
    for project, count in enumerate(_COUNTS, 1):
        measured = []
        for _ in range(repeat):
            with open_page(browser) as page:
                page.goto(f"{url}/?project={project}")
                measured.append(_wait(page, f"bench.complete(1, {many_metrics.RUNS})"))
                page.wait_for_timeout(500)
                elements[count] = page.evaluate("document.querySelectorAll('*').length")
        times[count] = statistics.median(measured)
    few, *many = _COUNTS
    first = [
        Figure(
            name=f"first chart of {count:,} metrics", unit="ms", at_most=_TIMES[count] * times[few],
            value=times[count], baseline=times[few],
        )
        for count in many
    ]  # fmt: skip
    return first + [
        Figure(
            name=f"elements of a page of {count:,} metrics", at_most=_MAX_ELEMENTS,
            value=elements[count], baseline=elements[few],
        )
        for count in many
    ]  # fmt: skip


def _measure_scrolling(browser: Browser, url: str, seconds: float) -> list[Frames]:
    """Measure frames: first those of a plain page, which is the baseline."""
    with open_page(browser) as page:
        return [
            frames_of("a plain page", browser, _plain(page), seconds),
            frames_of("the table", browser, _project(page, url, ".rows"), seconds),
            frames_of("the charts", browser, _project(page, url, ".charts"), seconds),
        ]


def _wait(page: Page, expression: str) -> float:
    """Wait until an expression is true; return its value, milliseconds since navigation."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        # Not wait_for_function, whose evaluation the page's content security policy forbids.
        time_ms: float | None = page.evaluate(expression)
        if time_ms:
            return time_ms
        page.wait_for_timeout(20)
    raise ChildError(f"not true within 60 s: {expression}")


def _zoom(page: Page) -> tuple[float, float]:
    """Zoom the first chart by dragging over a part of it.

    Returns:
        The milliseconds from releasing the button until the chart is drawn with the points that
        the page has, and until it is drawn with the server's response.
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
        ".innerHTML = Array.from({length: 1000}, (_, row) => `<p>${row}</p>`).join('')</script>"
    )
    return page, 400, 400


def _project(page: Page, url: str, selector: str) -> tuple[Page, float, float]:
    page.goto(f"{url}/?project=1")
    _wait(page, "bench.complete(1, 8)")
    page.wait_for_timeout(1500)
    box = page.locator(selector).first.bounding_box()
    assert box is not None
    return page, box["x"] + box["width"] / 2, box["y"] + min(box["height"], 800) / 2


def _median_ms(request: Callable[[], object], repeat: int) -> float:
    """Return the median duration of a request in milliseconds."""
    request()
    durations = []
    for _ in range(repeat):
        started = time.perf_counter()
        request()
        durations.append(1000 * (time.perf_counter() - started))
    return statistics.median(durations)


def _scripts() -> Figure:
    size = scripts_size("project-page")
    return Figure(name="JavaScript, gzipped", value=size / 1000, unit="kB", at_most=120)


def scripts_size(page: str) -> int:
    """Bytes of the gzipped scripts without which a page, such as "run-page", is not shown."""
    assets = dashboard.DIST / "assets"
    waiting = re.findall(r"/assets/([^\"]+\.js)", (dashboard.DIST / "index.html").read_text())
    waiting += [path.name for path in assets.glob(f"{page}-*.js")]
    sizes: dict[str, int] = {}
    while waiting:
        name = waiting.pop()
        if name not in sizes:
            content = (assets / name).read_bytes()
            sizes[name] = len(gzip.compress(content))
            # Not the scripts that `import()` loads later.
            waiting += re.findall(r"\b(?:from|import)\s*[\"'`]\./([^\"'`]+\.js)", content.decode())
    return sum(sizes.values())
