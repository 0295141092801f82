"""How smoothly a page scrolls: its frames by the clock, and what they cost."""

from __future__ import annotations

import json
import statistics
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

COLUMNS = ("", "frames/s", "slowest ms", "99 % within ms", "most work, ms of CPU", "running, %")
_CATEGORIES = ["toplevel", "cc", "devtools.timeline"]


class Frames(NamedTuple):
    """What scrolling came to.

    Attributes:
        most_work: what the main thread computed for a frame, in ms of CPU time.
        running: how much of the time for which it had something to do it did it.
    """

    name: str
    per_second: float
    slowest: float
    within: float
    most_work: float
    running: float


def frames_of(
    name: str, browser: Browser, place: tuple[Page, float, float], seconds: float
) -> Frames:
    """Scroll with the wheel, the mouse at a place of a page on which `bench` records frames."""
    page, x, y = place
    page.mouse.move(x, y)
    page.evaluate("bench.record()")
    _turn(page, 120, seconds)
    times: list[float] = page.evaluate("bench.stop()")
    took = sorted(after - before for before, after in pairwise(times))
    # Recording what they cost slows frames down: they are scrolled back for that.
    browser.start_tracing(page=page, categories=_CATEGORIES)
    _turn(page, -120, seconds)
    events = json.loads(browser.stop_tracing())["traceEvents"]
    most_work, running = _cost(events)
    return Frames(
        name, 1000 / statistics.fmean(took), took[-1], took[len(took) * 99 // 100], most_work,
        running,
    )  # fmt: skip


def _turn(page: Page, delta: float, seconds: float) -> None:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        page.mouse.wheel(0, delta)
        time.sleep(0.03)


def _cost(events: list[dict[str, Any]]) -> tuple[float, float]:
    main = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    frames = [0.0]
    computed, elapsed = 0.0, 0.0
    for event in events:
        if event.get("ph") != "X" or (event["pid"], event["tid"]) not in main:
            continue
        if event["name"] == "ProxyMain::BeginMainFrame":
            frames.append(event.get("tdur", 0) / 1000)
        elif event["name"] == "ThreadControllerImpl::RunTask":
            computed += event.get("tdur", 0)
            elapsed += event.get("dur", 0)
    return max(frames), 100 * computed / max(elapsed, 1)
