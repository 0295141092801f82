"""Measure how smoothly a page scrolls: the duration and CPU time of its frames."""

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
    """The frames while a page was scrolled.

    Attributes:
        per_second: the mean number of frames per second.
        slowest: the duration of the slowest frame, in ms.
        within: the 99th percentile of the durations, in ms.
        most_work: the most CPU time of the main thread for a frame, in ms.
        running: CPU time of the main thread in percent of the duration of its tasks.
    """

    name: str
    per_second: float
    slowest: float
    within: float
    most_work: float
    running: float


def frames_of(
    name: str, browser: Browser, position: tuple[Page, float, float], seconds: float
) -> Frames:
    """Scroll with the wheel and measure the frames.

    Args:
        position: the page, whose script `bench` records frames, and the position of the mouse.
        seconds: the duration of scrolling.
    """
    page, x, y = position
    page.mouse.move(x, y)
    page.evaluate("bench.record()")
    _turn(page, 120, seconds)
    times: list[float] = page.evaluate("bench.stop()")
    durations = sorted(after - before for before, after in pairwise(times))
    # Tracing slows frames down, so the CPU time is measured separately while scrolling back.
    browser.start_tracing(page=page, categories=_CATEGORIES)
    _turn(page, -120, seconds)
    events = json.loads(browser.stop_tracing())["traceEvents"]
    most_work, running = _cost(events)
    return Frames(
        name, 1000 / statistics.fmean(durations), durations[-1],
        durations[len(durations) * 99 // 100], most_work, running,
    )  # fmt: skip


def _turn(page: Page, delta: float, seconds: float) -> None:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        page.mouse.wheel(0, delta)
        time.sleep(0.03)


def _cost(events: list[dict[str, Any]]) -> tuple[float, float]:
    """Return `most_work` and `running` of `Frames` from a trace."""
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
