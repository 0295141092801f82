"""Take the pictures in docs/images from real runs: `uv run python -m scripts.screenshots`."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from playwright.sync_api import sync_playwright

from scripts import browsers

if TYPE_CHECKING:
    from playwright.sync_api import Page, ViewportSize

IMAGES = Path(__file__).parent.parent / "docs" / "images"
RUNS = 12
VIEWPORT: ViewportSize = {"width": 1520, "height": 860}
AXES = "config.model/depth%0Aconfig.model/width%0Aconfig.opt/name%0Aconfig.opt/lr"
COLUMNS = "metric.val/loss.min"


def main() -> None:
    """Create demo runs, serve them, and take the pictures."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TRACKAI_DB_PATH"] = str(Path(folder, "trackai.db"))
        trackai = [sys.executable, "-m", "trackai.cli"]
        subprocess.run([*trackai, "demo", "--runs", str(RUNS)], check=True, capture_output=True)
        with subprocess.Popen(
            [*trackai, "serve", "--port", "0"], stderr=subprocess.PIPE, text=True
        ) as server:
            assert server.stderr is not None
            url = re.search(r"http://\S+", server.stderr.readline())
            assert url is not None
            try:
                take(url[0])
            finally:
                server.terminate()


def take(url: str) -> None:
    """Take the pictures of a server's pages."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=browsers.provide(), args=["--no-sandbox", "--disable-gpu"]
        )
        light = browser.new_page(viewport=VIEWPORT, color_scheme="light")
        open_project(light, url)
        shoot(light, IMAGES / "project-light.png")
        open_comparison(light, url)
        shoot(light, IMAGES / "compare-light.png")
        dark = browser.new_page(viewport=VIEWPORT, color_scheme="dark")
        open_project(dark, url)
        shoot(dark, IMAGES / "project-dark.png")
        browser.close()


def open_project(page: Page, url: str) -> None:
    """Open the page of the project, and wait until its charts are drawn."""
    page.goto(f"{url}/?project=1&columns={COLUMNS}")
    page.locator("figure canvas").first.wait_for()
    page.wait_for_timeout(1500)  # until the other charts are drawn


def open_comparison(page: Page, url: str) -> None:
    """Open the comparison of all runs, with the focus on one of them."""
    runs = ",".join(str(number) for number in range(1, RUNS + 1))
    page.goto(f"{url}/?view=compare&project=1&runs={runs}&figure=min&axes={AXES}")
    point = page.get_by_role("region", name="Scatter plot").get_by_role("link").nth(3)
    point.focus()  # highlights the run in all parts of the page
    page.wait_for_timeout(500)


def shoot(page: Page, path: Path) -> None:
    """Take a picture and reduce its colours, which saves two thirds of the bytes."""
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(200, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
