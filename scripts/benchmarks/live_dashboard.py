"""Measure the traffic, listeners and elements of a page that shows a run while it logs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from scripts.benchmarks.harness import ROOT, Client, Figure, Table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page, Request

METRICS = 6
# Steps that the run has before the page is opened, and steps per second from then on.
_STEPS, _RATE = 20_000, 20
# The page settles for so long: charts are drawn, and objects of the start are collected.
_SETTLE_SECONDS = 15.0
# What may be lost between two collections of garbage.
_SPARE = 1.1
_LOG = f"""
import random, time
import trackai

with trackai.init(project="live") as run:
    for step in range(10**9):
        run.log({{f"loss_{{number}}": random.random() for number in range({METRICS})}}, step=step)
        if step == {_STEPS}:
            print(run.id, flush=True)
        if step >= {_STEPS}:
            time.sleep(1 / {_RATE})
"""


class _Counts(NamedTuple):
    """What the page holds after a collection of garbage."""

    seconds: float
    listeners: float
    nodes: float
    heap_mb: float


class _Traffic:
    """Counts the bytes of responses, and those of the same responses whole and not compressed."""

    def __init__(self, page: Page, client: Client) -> None:
        self.received = self.plain = 0.0
        self._client = client
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.loadingFinished", self._finished)
        page.on("requestfinished", self._ask_again)

    def _finished(self, event: dict[str, Any]) -> None:
        self.received += event["encodedDataLength"]

    def _ask_again(self, request: Request) -> None:
        url = urlsplit(request.url)
        if not url.path.startswith("/api/") or url.path.endswith("/events"):
            return
        path = f"{url.path}?{url.query}" if url.query else url.path
        if request.method == "GET":
            self.plain += len(self._client.get(path))
        elif request.method == "POST":
            body: dict[str, Any] = dict(request.post_data_json or {})
            body.pop("versions", None)
            self.plain += len(self._client.post(path, body))


@contextmanager
def logging_run(path: Path) -> Iterator[int]:
    """Log a run in another process; yields its row id."""
    with subprocess.Popen(
        [sys.executable, "-c", _LOG],
        cwd=ROOT,
        env={**os.environ, "TRACKAI_DB_PATH": str(path), "TRACKAI_SILENT": "1"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def measure(
    page: Page, client: Client, url: str, run_id: int, minutes: float
) -> tuple[list[Figure], Table]:
    """Show the charts of a run for a while."""
    page.goto(f"{url}/?project=1&runs={run_id}")
    page.locator("figure .u-over").nth(METRICS - 1).wait_for(timeout=60_000)
    page.wait_for_timeout(1000 * _SETTLE_SECONDS)
    traffic = _Traffic(page, client)
    began = time.monotonic()
    counts = [_count(page, 0.0)]
    while (seconds := time.monotonic() - began) < 60 * minutes:
        page.wait_for_timeout(1000 * max(1.0, min(60.0, 60 * minutes - seconds)))
        counts.append(_count(page, time.monotonic() - began))
    first, last = counts[0], counts[-1]
    per_minute = 1e6 * last.seconds / 60
    figures = [
        Figure(
            name=f"live traffic of a run and {METRICS} charts", unit="MB a minute",
            value=traffic.received / per_minute, baseline=traffic.plain / per_minute,
            at_most=traffic.plain / per_minute / 8,
        ),
        Figure(
            name=f"listeners after {last.seconds / 60:.0f} minutes", value=last.listeners,
            baseline=first.listeners, at_most=_SPARE * first.listeners,
        ),
        Figure(
            name=f"elements after {last.seconds / 60:.0f} minutes", value=last.nodes,
            baseline=first.nodes, at_most=_SPARE * first.nodes,
        ),
    ]  # fmt: skip
    return figures, Table(
        "A page of live charts", ("seconds", "listeners", "nodes", "heap, MB"), counts
    )


def _count(page: Page, seconds: float) -> _Counts:
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    session.send("HeapProfiler.collectGarbage")
    measured = session.send("Performance.getMetrics")["metrics"]
    named = {metric["name"]: metric["value"] for metric in measured}
    session.detach()
    return _Counts(
        round(seconds), named["JSEventListeners"], named["Nodes"], named["JSHeapUsedSize"] / 1e6
    )
