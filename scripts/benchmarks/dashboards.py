"""Measure the first chart and a zoom in TrackAI's dashboard and in those of other trackers.

Each tracker stores the same data and serves it from an interpreter of its own, in which it must be
installed: --tensorboard PYTHON (with tensorboardX), --trackio, --mlflow, --aim. The pages are
opened in the same browser, in turns.

The pages draw in different ways, so what is measured is what can be seen: pictures of the first
element of the size of a chart are taken all the time. The first chart is there when it has coloured
lines. A zoom, by dragging over the middle of the chart, is done when the picture has changed and
does not change any more. Aim shows one run, the others all of them.
"""

from __future__ import annotations

import io
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from scripts.benchmarks.dashboard import open_browser, open_page
from scripts.benchmarks.harness import ROOT, ChildError, Figure, Report

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from playwright.sync_api import Browser, FloatRect, Page

_TRACKERS = ("tensorboard", "trackio", "mlflow", "aim")
_CHILD = ROOT / "scripts" / "benchmarks" / "dashboards_child.py"
# Coloured pixels that make a line, and how far apart red, green and blue are in a colour.
_PIXELS, _COLOUR = 150, 60
_LONGEST_SECONDS = 90.0
# A picture that has not changed for so long is complete.
_STILL_SECONDS = 1.5
# The rectangle of the first chart: an element that charts are drawn in, also in shadow trees.
_CHART = """() => {
  const found = [];
  const visit = (root) => {
    for (const element of root.querySelectorAll("*")) {
      if (element.shadowRoot) visit(element.shadowRoot);
      if (!["canvas", "svg"].includes(element.localName)) continue;
      const box = element.getBoundingClientRect();
      if (box.width < 150 || box.height < 80 || box.top < 0 || box.bottom > innerHeight) continue;
      found.push({ x: box.x, y: box.y, width: box.width, height: box.height });
    }
  };
  visit(document);
  return found[0] ?? null;
}"""


class _Tracker(NamedTuple):
    name: str
    url: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    parser.add_argument("--runs", type=int, default=4, help="number of runs [default: 4]")
    parser.add_argument("--metrics", type=int, default=6, help="metrics of each run [default: 6]")
    parser.add_argument("--steps", type=int, default=5000, help="steps of a run [default: 5000]")
    parser.add_argument(
        "--repeat", type=int, default=3, help="pages to take the median of [default: 3]"
    )
    for name in _TRACKERS:
        parser.add_argument(f"--{name}", metavar="PYTHON", help=f"an interpreter with {name}")
    parser.add_argument(
        "--chromium", type=Path, help="path of the browser [default: the first that is found]"
    )


def run(arguments: argparse.Namespace) -> Report:
    """Store the data in each tracker, and measure their pages in turns."""
    pythons = {name: getattr(arguments, name) for name in _TRACKERS}
    chosen = {name: python for name, python in pythons.items() if python} | {
        "trackai": sys.executable
    }
    numbers = [str(getattr(arguments, name)) for name in ("runs", "metrics", "steps")]
    first: dict[str, list[float]] = {name: [] for name in chosen}
    zoom: dict[str, list[float]] = {name: [] for name in chosen}
    with ExitStack() as stack:
        browser = stack.enter_context(open_browser(arguments.chromium))
        trackers = [
            stack.enter_context(_serve(name, python, numbers)) for name, python in chosen.items()
        ]
        for _ in range(arguments.repeat):
            for tracker in trackers:
                seen, zoomed = _measure(browser, tracker)
                first[tracker.name].append(seen)
                if zoomed is not None:
                    zoom[tracker.name].append(zoomed)
    return Report(
        f"dashboards of {arguments.runs} runs of {arguments.metrics} metrics of "
        f"{arguments.steps:,} steps, medians of {arguments.repeat}",
        [*_figures("first chart", first), *_figures("zoom", zoom)],
        notes=["Baseline: TrackAI's dashboard in the same turns. Pages have an empty cache."],
    )


def _figures(what: str, seconds: dict[str, list[float]]) -> list[Figure]:
    own = seconds["trackai"]
    baseline = 1000 * statistics.median(own) if own else None
    return [
        Figure(
            name=f"{what}: {name}", unit="ms", value=1000 * statistics.median(times),
            baseline=None if name == "trackai" else baseline,
        )
        for name, times in seconds.items()
        if times
    ]  # fmt: skip


@contextmanager
def _serve(name: str, python: str, numbers: Sequence[str]) -> Iterator[_Tracker]:
    """Store the data in a tracker and serve it."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        environment = {**os.environ, "TRACKIO_DIR": folder, "AIM_UI_TELEMETRY_ENABLED": "0"}
        environment.pop("VIRTUAL_ENV", None)
        stored = subprocess.run(
            [python, str(_CHILD), name, folder, *numbers],
            env={**environment, "PYTHONPATH": str(ROOT) if name == "trackai" else ""},
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if stored.returncode:
            raise ChildError(f"{name}: {(stored.stderr.strip().splitlines() or ['failed'])[-1]}")
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        environment["GRADIO_SERVER_PORT"] = str(port)
        command = [python, *_command(name, folder, str(port))]
        with subprocess.Popen(
            command, env=environment, cwd=ROOT if name == "trackai" else folder,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ) as server:  # fmt: skip
            address = f"http://127.0.0.1:{port}"
            try:
                _wait_for(address, name)
                yield _Tracker(name, address + json.loads(stored.stdout.splitlines()[-1]))
            finally:
                server.terminate()


def _command(name: str, folder: str, port: str) -> list[str]:
    commands = {
        "trackai": ["-m", "trackai.cli", "serve", "--port", port, "--db", f"{folder}/trackai.db"],
        "tensorboard": ["-m", "tensorboard.main", "--logdir", folder, "--port", port],
        "trackio": [
            "-c",
            "import trackio; trackio.show(project='bench', open_browser=False, block_thread=True)",
        ],
        "mlflow": [
            "-m", "mlflow", "ui", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db",
            "--port", port,
        ],
        "aim": [
            "-c", "from aim.cli.cli import cli_entry_point as main; main()",
            "up", "--repo", folder, "--port", port,
        ],
    }  # fmt: skip
    return commands[name]


def _wait_for(address: str, name: str) -> None:
    until = time.monotonic() + _LONGEST_SECONDS
    while time.monotonic() < until:
        with suppress(OSError), urllib.request.urlopen(address, timeout=10):
            return
        time.sleep(0.2)
    raise ChildError(f"{name} does not serve its page")


def _measure(browser: Browser, tracker: _Tracker) -> tuple[float, float | None]:
    """The seconds until the first chart is seen, and until a zoom is; None if nothing changes."""
    with open_page(browser) as page:
        began = time.monotonic()
        page.goto(tracker.url, wait_until="commit")
        while True:
            seen = time.monotonic()
            box: FloatRect | None = page.evaluate(_CHART)
            if box is not None and _has_lines(_picture(page, box)):
                break
            if seen - began > _LONGEST_SECONDS:
                raise ChildError(f"{tracker.name}: no chart within {_LONGEST_SECONDS:.0f} s")
            page.wait_for_timeout(50)
        first = time.monotonic() - began
        _settle(page, box)
        box = page.evaluate(_CHART) or box
        return first, _zoom(page, box)


def _zoom(page: Page, box: FloatRect) -> float | None:
    middle = box["y"] + box["height"] * 0.45
    page.mouse.move(box["x"] + box["width"] * 0.35, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.65, middle + 5, steps=4)
    page.wait_for_timeout(200)
    before = _picture(page, box)
    released = time.monotonic()
    page.mouse.up()
    page.mouse.move(2, 2)
    changed = _settle(page, box, before)
    return None if changed is None else changed - released


def _settle(page: Page, box: FloatRect, last: bytes = b"") -> float | None:
    """Wait until the picture does not change; returns when it changed last, None if never."""
    changed = None
    began = time.monotonic()
    while time.monotonic() - (changed or began) < _STILL_SECONDS:
        picture = _picture(page, box)
        if picture != last:
            changed, last = time.monotonic(), picture
        if time.monotonic() - began > _LONGEST_SECONDS:
            break
    return changed


def _picture(page: Page, box: FloatRect) -> bytes:
    return page.screenshot(clip=box)


def _has_lines(picture: bytes) -> bool:
    from PIL import Image

    channel = Image.open(io.BytesIO(picture)).convert("HSV").getchannel("S")
    return sum(channel.histogram()[_COLOUR:]) >= _PIXELS
