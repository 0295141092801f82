"""Names, values and files that contain scripts are shown as they are, and nothing of them runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import pytest
from playwright.sync_api import expect

from tests.dashboard.conftest import hover, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import BrowserContext, Page

    from tests.conftest import Server

SCRIPT = "<script>window.ran = 1</script>"
IMAGE = "<img src=x onerror='window.ran = 2'>"
LEAVE = "\"'><svg onload=window.ran=3><a href='javascript:window.ran=4'>"
HOSTILE = (SCRIPT, IMAGE, LEAVE)
SVG = f'<svg xmlns="http://www.w3.org/2000/svg" onload="window.ran = 5">{SCRIPT}</svg>'
PAGE = f"<!doctype html><title>{IMAGE}</title>{SCRIPT}{IMAGE}<body onload='window.ran = 6'>"
RUNS = f"""
import trackai
from pathlib import Path
texts = {HOSTILE!r}
folder = Path.cwd()
(folder / "drawing.svg").write_text({SVG!r})
(folder / "page.html").write_text({PAGE!r})
(folder / "really.png").write_text({PAGE!r})
for number, text in enumerate(texts):
    with trackai.init(
        project=texts[1], name=text, group=text, tags=list(texts), notes="\\n".join(texts),
        config={{text: text, "key": text, "nested": {{text: [text]}}}},
    ) as run:
        for step in range(3):
            run.log({{text: step + 0.5, f"{{text}}/loss": 1.0, "log": text, texts[0]: float(step)}})
        run.log_system({{f"gpu {{text}}": 0.5}})
        run.log({{
            "page": trackai.Html({PAGE!r}, caption=text), "text": trackai.Markdown(text),
            "table": trackai.Table(columns=list(texts), data=[[text, [text], {{text: text}}]]),
            f"h {{text}}": trackai.Histogram(np_histogram=([1, 2], [0, 1, 2])),
        }})
        for name in ("drawing.svg", "page.html", "really.png"):
            run.save(name)
        run.log({{"svg": trackai.Image(folder / "drawing.svg", caption=text)}})
"""


@pytest.fixture
def page(page: Page) -> Iterator[Page]:
    """A page in which no script of a name runs, no dialog opens, and nothing is added by markup."""
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    yield page
    assert_nothing_ran(page)
    assert dialogs == []
    assert [url for url in requests if url.endswith("/x")] == []


def assert_nothing_ran(page: Page) -> None:
    assert page.evaluate("window.ran") is None
    assert page.locator("[onerror], [onload], a[href^='javascript:']").count() == 0
    assert page.locator("script").count() <= 1


def address(server: Server, **parameters: object) -> str:
    return f"{server.url}/?{urlencode(parameters)}"


def run_url(server: Server, **parameters: object) -> str:
    return address(server, project=1, run=1, **parameters)


def test_list_of_projects(served: Server, page: Page) -> None:
    page.goto(served.url)
    expect(page.get_by_role("link", name=IMAGE)).to_be_visible()


def test_table_with_columns_tags_and_menus(served: Server, page: Page) -> None:
    columns = ["config.key", "notes", "group", "tag", f"config.{quoted(SCRIPT)}"]
    page.goto(address(served, project=1, runs="1,2,3", columns="\n".join(columns)))
    expect(page.get_by_role("heading", name=IMAGE)).to_be_visible()
    for text in HOSTILE:
        expect(page.get_by_role("main").get_by_role("link", name=text, exact=True)).to_be_visible()
        expect(page.get_by_role("cell", name=text, exact=True).first).to_be_visible()
    page.get_by_text("Columns (5)").click()
    expect(page.locator(".choice", has_text=LEAVE).first).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text(SCRIPT)


def quoted(name: str) -> str:
    """The name as it is written in a field."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def test_groups_and_their_legend(served: Server, page: Page) -> None:
    page.goto(address(served, project=1, by="config.key", mean="config.key", runs="1,2,3"))
    for text in HOSTILE:
        expect(page.locator(".row.group").filter(has_text=text)).to_be_visible()
        expect(page.locator(".means")).to_contain_text(text)
    expect(page.locator("figure canvas").first).to_be_visible()


def test_charts_tooltips_and_full_screen(served: Server, page: Page) -> None:
    page.goto(address(served, project=1, runs="1,2,3", metrics=re.escape(SCRIPT)))
    card = page.get_by_role("figure").filter(has_text=SCRIPT).last
    expect(card.locator("canvas")).to_be_visible()

    def tooltip_is_shown() -> bool:
        hover(card.locator(".u-over"), 0.5, 0.5)
        names = " ".join(card.locator(".reading").all_text_contents())
        return any(text in names for text in HOSTILE)

    wait_until(page, tooltip_is_shown)
    card.get_by_role("button", name=re.compile("^Full screen")).click()
    expect(page.get_by_role("dialog").locator("canvas")).to_be_visible()
    expect(page.get_by_role("dialog")).to_contain_text(SCRIPT)


def test_overview_and_configuration(served: Server, page: Page) -> None:
    page.goto(run_url(served))
    expect(page.locator(".notes")).to_have_text("\n".join(HOSTILE), use_inner_text=True)
    for text in HOSTILE:
        expect(page.locator(".tag", has_text=text)).to_be_visible()
    configuration = page.get_by_role("region", name="Configuration")
    expect(configuration.get_by_role("cell", name=SCRIPT).first).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_contain_text(SCRIPT)
    expect(page).to_have_title(re.compile(re.escape(SCRIPT)))


@pytest.mark.parametrize("tab", ["system", "logs", "histograms"])
def test_tabs_of_a_run(served: Server, page: Page, tab: str) -> None:
    page.goto(run_url(served, tab=tab))
    expect(page.get_by_role("tabpanel")).to_contain_text(SCRIPT)


@pytest.mark.parametrize("path", ["svg", "drawing.svg"])
def test_drawings_are_shown_as_text(served: Server, page: Page, path: str) -> None:
    page.goto(run_url(served, tab="files", file=path))
    expect(page.locator("pre.look")).to_contain_text(SCRIPT)


@pytest.mark.parametrize("is_framed", [True, False])
@pytest.mark.parametrize("path", ["page", "page.html"])
def test_pages_run_and_load_nothing(
    served: Server, context: BrowserContext, path: str, is_framed: bool
) -> None:
    page = context.new_page()  # its console says what the browser has blocked
    answers: list[str] = []
    page.on("response", lambda response: answers.append(response.url))
    page.on("dialog", lambda dialog: answers.append(dialog.message))
    (file,) = served.get(f"/api/runs/1/files?path={quote(path)}")
    shown = f"/api/files/{file['id']}/page"
    page.goto(run_url(served, tab="files", file=path) if is_framed else served.url + shown)
    frame = (
        page.locator("iframe").element_handle().content_frame() if is_framed else page.main_frame
    )
    assert frame is not None
    frame.wait_for_url(f"**{shown}")
    frame.wait_for_load_state("networkidle")
    assert frame.locator("script, [onerror], [onload]").count() == 3  # they are there, and inert
    assert frame.evaluate("window.ran") is None
    assert frame.evaluate("window.origin") == "null"
    assert page.evaluate("window.ran") is None
    assert [url for url in answers if not url.startswith(served.url) or url.endswith("/x")] == []
    page.close()


def test_a_page_that_says_it_is_an_image(served: Server, page: Page) -> None:
    page.goto(run_url(served, tab="files", file="really.png"))
    expect(page.locator("pre.look")).to_contain_text(SCRIPT)


def test_tables_are_shown_as_text(served: Server, page: Page) -> None:
    page.goto(run_url(served, tab="files", file="table"))
    expect(page.get_by_role("columnheader").filter(has_text=IMAGE)).to_be_visible()
    expect(page.locator(".cells td").first).to_have_text(SCRIPT)


def test_comparison(served: Server, page: Page) -> None:
    page.goto(address(served, view="compare", project=1, runs="1,2,3"))
    for text in HOSTILE:
        expect(page.get_by_role("main").get_by_role("link", name=text, exact=True)).to_be_visible()
        expect(page.get_by_role("cell", name=text, exact=True).first).to_be_visible()


def test_views_in_the_address(served: Server, context: BrowserContext) -> None:
    page = context.new_page()  # its console has the errors of requests for what does not exist
    for parameters in (
        {"project": 1, "filter": IMAGE}, {"project": 1, "by": IMAGE, "mean": IMAGE},
        {"project": 1, "metrics": IMAGE, "full": SCRIPT}, {"project": IMAGE}, {"run": SCRIPT},
        {"project": 1, "view": "compare", "runs": "1,2", "axes": IMAGE, "sx": LEAVE, "sy": SCRIPT},
        {"project": 1, "run": 1, "tab": "files", "file": IMAGE},
    ):  # fmt: skip
        page.goto(address(served, **parameters))
        page.wait_for_load_state("networkidle")
        assert_nothing_ran(page)
    page.close()


@pytest.mark.parametrize("suffix", ["", "/preview"])
def test_files_opened_by_their_address_do_not_run(served: Server, page: Page, suffix: str) -> None:
    files = [
        file
        for path in ("page", "svg", "page.html", "drawing.svg", "really.png", "table")
        for file in served.get(f"/api/runs/1/files?path={quote(path)}")
    ]
    assert len(files) == 6
    for file in files:
        answer = served.request("GET", f"/api/files/{file['id']}{suffix}")
        headers = {name.lower(): value for name, value in answer.headers.items()}
        assert headers["x-content-type-options"] == "nosniff"
        is_download = headers.get("content-disposition", "").startswith("attachment")
        assert is_download or headers["content-type"].startswith("text/plain")
        if not is_download:
            page.goto(f"{served.url}/api/files/{file['id']}{suffix}")
            assert page.evaluate("window.ran") is None
    page.goto(served.url)
