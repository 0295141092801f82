"""Views: panels that are made, moved, resized, shared and saved, and what they show."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

import pytest
from playwright.sync_api import expect

from tests.api.test_keys import bearer, create_key
from tests.conftest import KEY, serving
from tests.dashboard.conftest import accessibility_violations, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import BrowserContext, Locator, Page

    from tests.conftest import Server

RUNS = """
import trackai
for number in range(3):
    config = {"lr": 10.0 ** -number, "kind": "ab"[number % 2]}
    with trackai.init(project="p", name=f"r{number}", config=config) as run:
        for step in range(100):
            run.log({
                "train/loss": number + 1 + 1 / (step + 1),
                "train/epoch": step // 10,
                "train/tokens": step * 1000,
                "lr": 0.5,
                **{f"grad_norm/{layer}": step for layer in range(16)},
            }, step=step)
            if step % 10 == 9:
                run.log({"val/loss": 2.0 ** -number, "val/acc": number / 10}, step=step)
        run.log_system({"gpu": 0.5})
        run.log_system({"gpu": 0.7})
with trackai.init(project="q") as run:
    run.log({"loss": 1})
"""
SECTIONS: list[dict[str, Any]] = [
    {
        "name": "Training",
        "panels": [
            {"kind": "lines", "id": "a", "metrics": ["train/loss"]},
            {"kind": "text", "id": "b", "text": "Some *notes*", "title": "Notes"},
            {"kind": "bars", "id": "c", "field": "metric.val/acc", "order": "descending"},
        ],
    },
    {
        "name": "Later",
        "is_open": False,
        "panels": [{"kind": "scatter", "id": "d", "x": "config.lr", "y": "metric.val/loss.min"}],
    },
]


@pytest.fixture
def view(served: Server) -> Iterator[int]:
    """The id of a view with a panel of each kind."""
    body = {"name": "Mine", "layout": {"sections": SECTIONS}}
    answer = served.request("POST", "/api/projects/1/views", body)
    assert answer.status == 200, answer
    yield answer.json["id"]
    for summary in served.get("/api/projects/1/views"):
        served.request("DELETE", f"/api/views/{summary['id']}")


def _stored(served: Server, view: int) -> list[tuple[str, list[str]]]:
    """The sections of a view as it is stored, and the ids of their panels."""
    sections = served.get(f"/api/views/{view}")["layout"]["sections"]
    return [(section["name"], [panel["id"] for panel in section["panels"]]) for section in sections]


def _panel(page: Page, id_: str) -> Locator:
    return page.locator(f'[data-panel="{id_}"]')


def _ids(page: Page) -> list[str]:
    panels: list[str] = page.locator("[data-panel]").evaluate_all(
        "panels => panels.map(panel => panel.dataset.panel)"
    )
    return panels


def _save(page: Page) -> None:
    page.get_by_role("button", name="Save view").click()
    expect(page.get_by_role("button", name="Edit view")).to_be_visible()


def test_losses_are_shown_first_and_gradients_last(served: Server, page: Page) -> None:
    # Only what is on screen is in the document.
    page.set_viewport_size({"width": 1400, "height": 5000})
    page.goto(f"{served.url}/?project=1")
    expect(page.locator("figure canvas").first).to_be_visible()
    titles = page.locator(".charts .section > summary").all_text_contents()
    names = [title.split(" ")[0] for title in titles]
    assert names == ["train", "val", "metrics", "grad_norm", "System"]
    charts = page.locator("figure figcaption").all_text_contents()
    assert charts[:2] == ["train/loss", "train/epoch"]
    assert [name for name in charts if name.startswith("val/")] == ["val/loss", "val/acc"]


def test_nothing_of_views_is_loaded_until_they_are_used(served: Server, page: Page) -> None:
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.goto(f"{served.url}/?project=1")
    expect(page.locator("figure canvas").first).to_be_visible()
    assert not [url for url in requested if "views" in url or "workbench" in url]
    page.get_by_text("Views", exact=True).click()
    page.get_by_role("button", name="New view…").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert [url for url in requested if "workbench" in url]


def test_a_view_is_made_saved_shared_and_reloaded(
    served: Server, page: Page, context: BrowserContext
) -> None:
    page.goto(f"{served.url}/?project=1&metrics=loss")
    page.get_by_text("Views", exact=True).click()
    page.get_by_role("button", name="New view…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("My losses")
    dialog.get_by_label("an empty section").check()
    dialog.get_by_role("button", name="Create").click()
    expect(page).to_have_url(re.compile("panels="))

    page.get_by_role("button", name="Add panel").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Add").click()
    expect(dialog.get_by_role("alert")).to_have_text("Select one or more metrics.")
    dialog.get_by_role("checkbox", name="train/loss").check()
    dialog.get_by_role("searchbox").fill("val")
    dialog.get_by_role("checkbox", name="val/loss").check()
    expect(dialog.get_by_text("2 metrics selected")).to_be_visible()
    dialog.get_by_label("X axis").select_option("train/tokens")
    assert accessibility_violations(page) == []
    dialog.get_by_role("button", name="Add").click()
    figure = page.get_by_role("figure")
    expect(figure.locator("figcaption")).to_have_text("train/loss, val/loss over train/tokens")
    expect(figure.locator("canvas")).to_be_visible()

    page.get_by_role("button", name="Rename Section 1").click()
    page.get_by_label("New name for Section 1").fill("Overview")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Rename My losses").click()
    page.get_by_label("New name for My losses").fill("Our losses")
    page.keyboard.press("Enter")
    _save(page)
    expect(page.get_by_text("View: Our losses")).to_be_visible()

    other = context.new_page()
    other.goto(page.url)
    page.reload()
    for shown in (page, other):
        expect(shown.get_by_text("View: Our losses")).to_be_visible()
        expect(shown.locator("summary", has_text="Overview")).to_be_visible()
        expect(shown.get_by_role("figure").locator("canvas")).to_be_visible()
    other.close()
    page.get_by_text("View: Our losses").click()
    page.get_by_role("link", name="all metrics").click()
    expect(page).not_to_have_url(re.compile("panels="))
    expect(page.locator('figcaption[title="val/loss"]')).to_be_visible()
    page.go_back()
    expect(page.locator("summary", has_text="Overview")).to_be_visible()
    [summary] = served.get("/api/projects/1/views")
    served.request("DELETE", f"/api/views/{summary['id']}")


def test_a_new_view_begins_with_the_metrics_that_are_shown(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&metrics=loss|acc")
    expect(page.locator("figure canvas").first).to_be_visible()
    page.get_by_text("Views", exact=True).click()
    page.get_by_role("button", name="New view…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("Chosen")
    dialog.get_by_label("the 3 metrics shown").check()
    dialog.get_by_role("button", name="Create").click()
    expect(page.locator("[data-panel] figcaption")).to_have_text(
        ["train/loss", "val/loss", "val/acc"]
    )
    [summary] = served.get("/api/projects/1/views")
    served.request("DELETE", f"/api/views/{summary['id']}")


def test_panels_show_runs(served: Server, page: Page, view: int) -> None:
    page.goto(f"{served.url}/?project=1&panels={view}")
    expect(_panel(page, "a").locator("canvas")).to_be_visible()
    expect(_panel(page, "b").locator("em")).to_have_text("notes")
    bars = _panel(page, "c").get_by_role("listitem")
    expect(bars).to_have_text([re.compile(r"r2.*0\.2"), re.compile(r"r1.*0\.1"), re.compile("r0")])
    widths = bars.locator("i").evaluate_all("bars => bars.map(bar => bar.style.width)")
    assert widths == ["100%", "50%", "0%"]
    later = page.locator("summary", has_text="Later")
    expect(_panel(page, "d")).to_have_count(0)
    later.click()
    points = _panel(page, "d").get_by_role("link")
    expect(points).to_have_count(3)
    expect(points.first).to_have_accessible_name(re.compile(r"r\d: lr .*, val/loss.min "))
    # What a reader opens or closes is in the address, and does not change the view.
    expect(page).to_have_url(re.compile("closed=Later"))
    page.reload()
    expect(points).to_have_count(3)
    assert accessibility_violations(page) == []


def test_a_metric_is_the_x_axis(served: Server, page: Page) -> None:
    panels = [
        {"kind": "lines", "id": "e", "metrics": ["train/loss"], "x_metric": "train/epoch"},
        {"kind": "lines", "id": "v", "metrics": ["val/loss"], "x_metric": "train/tokens"},
        {"kind": "lines", "id": "n", "metrics": ["train/loss"], "x_metric": "missing"},
    ]
    body = {"name": "x", "layout": {"sections": [{"name": "s", "panels": panels}]}}
    view = served.request("POST", "/api/projects/1/views", body).json["id"]
    page.goto(f"{served.url}/?project=1&panels={view}&runs=1")
    plot = _panel(page, "v").get_by_role("group", name="val/loss over train/tokens")
    expect(plot.locator("canvas")).to_be_visible()
    plot.focus()
    plot.press("ArrowRight")
    expect(_panel(page, "v").locator(".readout header")).to_have_text("train/tokens 9000 · step 9")
    epochs = _panel(page, "e").get_by_role("group", name="train/loss over train/epoch")
    epochs.focus()
    epochs.press("ArrowRight")
    # Ten points at one epoch are one point of the line, with a band.
    readout = _panel(page, "e").locator(".readout")
    expect(readout.locator("header")).to_have_text(re.compile("train/epoch 0 · steps 0 . 9"))
    expect(readout.locator("small").first).to_contain_text("10 points")
    expect(_panel(page, "n")).to_contain_text("The metric of the x axis has no values")

    # A zoom is of charts with the same axis, and described by it.
    epochs.press("+")
    reset = page.get_by_role("button", name="Reset zoom")
    expect(reset).to_contain_text("train/epoch")
    page.reload()
    expect(reset).to_contain_text("train/epoch")
    reset.click()
    expect(reset).to_have_count(0)
    served.request("DELETE", f"/api/views/{view}")


def test_several_metrics_share_a_chart(served: Server, page: Page) -> None:
    panels = [{"kind": "lines", "id": "m", "metrics": ["train/loss", "gpu"], "width": 12}]
    body = {"name": "m", "layout": {"sections": [{"name": "s", "panels": panels}]}}
    view = served.request("POST", "/api/projects/1/views", body).json["id"]
    page.goto(f"{served.url}/?project=1&panels={view}")
    expect(_panel(page, "m").locator("canvas")).to_be_visible()
    page.get_by_role("button", name="Full screen: train/loss, gpu").click()
    dialog = page.get_by_role("dialog")
    legend = dialog.locator(".legend")
    # A metric of the machine has no steps, so all of them are over time.
    expect(legend.get_by_role("listitem")).to_have_count(6)
    expect(legend).to_contain_text("r0 · train/loss")
    expect(legend).to_contain_text("r0 · gpu")
    page.reload()
    expect(legend.get_by_role("listitem")).to_have_count(6)
    dialog.locator("summary[aria-label^=Download]").click()
    with page.expect_download() as download:
        dialog.get_by_role("button", name="CSV (all points)").click()
    rows = Path(download.value.path()).read_text().splitlines()
    assert rows[0] == "run,metric,step,timestamp,value"
    assert len(rows) == 1 + 3 * 100 + 3 * 2
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    served.request("DELETE", f"/api/views/{view}")


def _drag(page: Page, start: Locator, x: float, y: float) -> None:
    start.scroll_into_view_if_needed()
    box = start.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(x, y, steps=6)
    page.mouse.up()


def test_panels_are_dragged(served: Server, page: Page, view: int) -> None:
    page.goto(f"{served.url}/?project=1&panels={view}")
    page.get_by_role("button", name="Edit view").click()
    target = _panel(page, "a").bounding_box()
    assert target is not None
    _drag(page, _panel(page, "c").locator(".move"), target["x"] + 20, target["y"] + 60)
    wait_until(page, lambda: _ids(page) == ["c", "a", "b", "d"])
    expect(_panel(page, "c").locator(".move")).to_be_focused()
    # Into the other section, behind its panel.
    target = _panel(page, "d").bounding_box()
    assert target is not None
    edge = target["x"] + target["width"] - 20
    _drag(page, _panel(page, "a").locator(".move"), edge, target["y"] + 30)
    wait_until(page, lambda: _ids(page) == ["c", "b", "d", "a"])
    # A drop beside everything changes nothing.
    _drag(page, _panel(page, "c").locator(".move"), 20, 20)
    wait_until(page, lambda: _ids(page) == ["c", "b", "d", "a"])
    _save(page)
    assert _stored(served, view) == [("Training", ["c", "b"]), ("Later", ["d", "a"])]


def test_panels_are_resized(served: Server, page: Page, view: int) -> None:
    page.goto(f"{served.url}/?project=1&panels={view}")
    page.get_by_role("button", name="Edit view").click()
    panel = _panel(page, "a")
    expect(panel.locator("canvas")).to_be_visible()
    before, handle = panel.bounding_box(), panel.locator(".resize").bounding_box()
    assert before is not None
    assert handle is not None
    _drag(
        page, panel.locator(".resize"),
        handle["x"] + before["width"] / 2, handle["y"] + 9 + 100,
    )  # fmt: skip
    wait_until(page, lambda: panel.bounding_box()["width"] > before["width"] * 1.4)  # type: ignore[index]
    wait_until(
        page,
        lambda: panel.locator("canvas").bounding_box()["height"] == pytest.approx(310, abs=3),  # type: ignore[index]
    )
    panel.locator(".resize").focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "ArrowUp"):
        page.keyboard.press(key)
    _save(page)
    [first, *_] = served.get(f"/api/views/{view}")["layout"]["sections"][0]["panels"]
    assert first["width"] == 7
    assert first["height"] == pytest.approx(330, abs=3)


def test_panels_and_sections_are_changed_with_the_keyboard(
    served: Server, page: Page, view: int
) -> None:
    page.goto(f"{served.url}/?project=1&panels={view}")
    edit = page.get_by_role("button", name="Edit view")
    edit.focus()
    page.keyboard.press("Enter")
    _panel(page, "a").locator(".move").focus()
    for expected in (["b", "a", "c", "d"], ["b", "c", "a", "d"], ["b", "c", "a", "d"]):
        page.keyboard.press("ArrowRight")
        wait_until(page, lambda expected=expected: _ids(page) == expected)  # type: ignore[misc]
        expect(_panel(page, "a").locator(".move")).to_be_focused()
    later = page.get_by_role("region", name="Later")
    expect(later.locator('[data-panel="a"]')).to_be_visible()
    later.get_by_role("button", name="Move section Later up").focus()
    page.keyboard.press("Enter")
    wait_until(page, lambda: _ids(page) == ["a", "d", "b", "c"])
    page.get_by_label("Pin Notes").focus()
    page.keyboard.press("Enter")
    wait_until(page, lambda: _ids(page) == ["b", "a", "d", "c"])
    expect(page.get_by_role("button", name="Remove section Later")).to_be_disabled()
    _panel(page, "c").get_by_role("button", name="Remove val/acc").press("Enter")
    later.get_by_label("Open at first").check()
    page.get_by_role("button", name="Add section").press("Enter")
    page.get_by_role("button", name="Remove section Section 3").press("Enter")
    assert accessibility_violations(page) == []
    page.get_by_role("button", name="Save view").press("Enter")
    expect(edit).to_be_visible()
    assert _stored(served, view) == [("Later", ["a", "d"]), ("Training", ["b"])]
    stored = served.get(f"/api/views/{view}")["layout"]["sections"]
    assert stored[0]["is_open"] is True
    assert stored[1]["panels"][0]["pinned"] is True
    expect(page.get_by_role("region", name="Pinned")).to_contain_text("Some notes")


def test_a_change_of_someone_else_is_not_overwritten(
    served: Server, context: BrowserContext, view: int
) -> None:
    page = context.new_page()  # the `page` fixture fails on the status in the console
    page.goto(f"{served.url}/?project=1&panels={view}")
    page.get_by_role("button", name="Edit view").click()
    _panel(page, "c").get_by_role("button", name="Remove val/acc").click()
    other = {"name": "Mine", "layout": {"sections": SECTIONS[:1]}, "version": 1}
    assert served.request("PUT", f"/api/views/{view}", other).status == 200
    page.get_by_role("button", name="Save view").click()
    alert = page.locator(".edit-bar").get_by_role("alert")
    expect(alert).to_have_text("view 'Mine' was changed by someone else: it has version 2, not 1")
    expect(page.get_by_text("Copy it to keep your changes")).to_be_visible()
    page.get_by_text("View: Mine").click()
    page.get_by_role("button", name="Copy…").click()
    page.get_by_role("dialog").get_by_role("button", name="Copy").click()
    expect(page.get_by_text("View: Mine (copy)")).to_be_visible()
    assert _stored(served, view) == [("Training", ["a", "b", "c"])]
    names = {summary["name"]: summary["id"] for summary in served.get("/api/projects/1/views")}
    copied = _stored(served, names["Mine (copy)"])
    assert copied == [("Training", ["a", "b"]), ("Later", ["d"])]
    page.get_by_text("View: Mine (copy)").click()
    page.get_by_role("link", name="Mine", exact=True).click()
    expect(page.locator("summary", has_text="Later")).to_have_count(0)
    expect(page.get_by_role("button", name="Edit view")).to_be_visible()
    page.close()


def test_changes_are_kept_on_the_way_to_a_run_and_back(
    served: Server, page: Page, view: int
) -> None:
    page.goto(f"{served.url}/?project=1&panels={view}")
    page.get_by_role("button", name="Edit view").click()
    _panel(page, "a").get_by_role("button", name="Remove train/loss").click()
    _panel(page, "c").get_by_role("link", name="r1").click()
    expect(page.get_by_role("heading", name="r1")).to_be_visible()
    page.get_by_role("link", name="← Back to project").click()
    expect(page.get_by_role("button", name="Save view")).to_be_visible()
    wait_until(page, lambda: _ids(page) == ["b", "c", "d"])
    page.get_by_role("button", name="Discard changes").click()
    wait_until(page, lambda: _ids(page) == ["a", "b", "c"])


def test_a_view_is_exported_and_imported(
    served: Server, page: Page, view: int, tmp_path: Path
) -> None:
    page.goto(f"{served.url}/?project=1&panels={view}")
    page.get_by_text("View: Mine").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export as JSON").click()
    assert download.value.suggested_filename == "Mine.json"
    content = json.loads(Path(download.value.path()).read_text())
    assert content["name"] == "Mine"
    assert content["layout"] == served.get(f"/api/views/{view}")["layout"]

    broken = tmp_path / "broken.json"
    broken.write_text("{")
    page.goto(f"{served.url}/?project=2")
    page.get_by_text("Views", exact=True).click()
    page.get_by_role("button", name="Import…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("File", exact=True).set_input_files(broken)
    dialog.get_by_role("button", name="Import").click()
    expect(dialog.get_by_role("alert")).to_have_text("broken.json: not JSON")
    good = tmp_path / "good.json"
    good.write_text(json.dumps(content))
    dialog.get_by_label("File", exact=True).set_input_files(good)
    dialog.get_by_label("Name", exact=True).fill("Theirs")
    dialog.get_by_role("button", name="Import").click()
    expect(page.get_by_text("View: Theirs")).to_be_visible()
    [summary] = served.get("/api/projects/2/views")
    assert served.get(f"/api/views/{summary['id']}")["layout"] == content["layout"]

    page.get_by_text("View: Theirs").click()
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Views", exact=True)).to_be_visible()
    assert served.get("/api/projects/2/views") == []


@pytest.fixture
def project(server: Server) -> Server:
    """A server with a project of three runs, which the test may change."""
    server.request("POST", "/api/projects", {"name": "p", "project_id": "p"})
    for name in ("one", "two", "three"):
        new = {"project_id": 1, "run_id": name, "state": "completed", "group_name": name[0]}
        assert server.request("POST", "/api/runs", new).status == 200
    return server


def _bulk(server: Server, action: str, *ids: int) -> None:
    body = {"run_ids": ids, "action": {"type": action}, "cursor": 0}
    assert server.request("POST", "/api/runs/bulk", body).status == 200


def _names(page: Page) -> Locator:
    return page.get_by_role("table", name="Runs").get_by_role("link")


def _new_view(page: Page, name: str) -> None:
    page.locator("summary", has_text=re.compile("^View")).click()
    page.get_by_role("button", name="New view…").click()
    page.get_by_role("dialog").get_by_label("Name", exact=True).fill(name)
    page.get_by_role("dialog").get_by_role("button", name="Create").click()
    expect(page.get_by_text(f"View: {name}")).to_be_visible()


def test_a_view_keeps_the_rows_of_the_table(project: Server, page: Page) -> None:
    _bulk(project, "archive", 2)
    page.goto(
        f"{project.url}/?project=1&filter=group+%3D+t&show=archived"
        "&sort=id&order=asc&base=1&by=group"
    )
    _new_view(page, "Kept")
    page.get_by_role("button", name="Save view").click()
    # The view says it, so the address need not.
    expect(page).to_have_url(re.compile(r"/\?project=1&panels=1$"))
    view = project.get("/api/views/1")
    uid = project.get("/api/runs/1/details")["uid"]
    assert view["layout"]["rows"] == {
        "filter": "group = t", "archived": True, "sort_by": "id", "sort_order": "asc",
        "group_by": "group", "baseline": {"uid": uid, "name": "one"},
    }  # fmt: skip
    assert view["baseline_id"] == 1
    page.goto(f"{project.url}/?project=1&panels=1")
    expect(page.get_by_label("Filter runs")).to_have_value("group = t")
    expect(page.locator(".row.group b")).to_have_text(["t"])
    expect(page.get_by_role("checkbox", name="Archived (1)")).to_be_checked()
    expect(page.get_by_text("Baseline: one")).to_be_visible()
    page.get_by_label("Group by").select_option("")
    expect(_names(page)).to_have_text(["two", "three"])
    assert accessibility_violations(page) == []
    # What is changed is in the address, also what is taken away, and on the way to a run and back.
    page.get_by_label("Filter runs").fill("")
    page.keyboard.press("Enter")
    expect(_names(page)).to_have_text(["one", "two", "three"])
    page.get_by_role("link", name="two").click()
    page.get_by_role("link", name="← Back to project").click()
    expect(_names(page)).to_have_text(["one", "two", "three"])
    expect(page.get_by_label("Filter runs")).to_have_value("")
    page.reload()
    expect(_names(page)).to_have_text(["one", "two", "three"])
    page.get_by_text("View: Kept").click()
    page.get_by_role("link", name="Kept", exact=True).click()
    expect(page.locator(".row.group b")).to_have_text(["t"])
    # Saving keeps what was changed.
    page.get_by_role("checkbox", name="Archived (1)").uncheck()
    page.get_by_role("button", name="Remove baseline").click()
    page.get_by_role("button", name="Edit view").click()
    _save(page)
    rows = project.get("/api/views/1")["layout"]["rows"]
    assert (rows["archived"], rows["baseline"], rows["filter"]) == (False, None, "group = t")
    expect(page.get_by_role("checkbox", name="Archived (1)")).not_to_be_checked()
    page.get_by_text("View: Kept").click()
    page.get_by_role("link", name="all metrics").click()
    expect(_names(page)).to_have_text(["three", "one"])


@pytest.mark.parametrize("group_by", ["", "group"])
def test_the_rows_of_a_view_are_requested_once(project: Server, page: Page, group_by: str) -> None:
    rows = {
        "filter": "group = t", "archived": True, "sort_by": "id", "sort_order": "asc",
        "group_by": group_by, "baseline": None,
    }  # fmt: skip
    table = {"columns": ["config.lr"], "pinned": [], "widths": {}}
    layout = {"sections": SECTIONS, "rows": rows, "table": table}
    body = {"name": "Kept", "layout": layout}
    assert project.request("POST", "/api/projects/1/views", body).status == 200
    asked: list[str] = []
    page.on("request", lambda request: asked.append(unquote_plus(request.url)))
    page.goto(f"{project.url}/?project=1&panels=1")
    expect(page.locator(".count")).to_contain_text("2 runs")
    expect(_panel(page, "b")).to_be_visible()
    # Rows have a sort order, and the list of running runs has none.
    tables = [url for url in asked if "sort_by=" in url or "/groups?" in url]
    assert "columns=config.lr" in tables[0]
    expected = "filter=(group = t) and (archived = true or archived = false)"
    assert [url for url in tables if expected not in url] == []


def test_a_view_without_rows_leaves_those_of_the_table(project: Server, page: Page) -> None:
    body = {"name": "Older", "layout": {"sections": SECTIONS}}
    assert project.request("POST", "/api/projects/1/views", body).status == 200
    page.goto(f"{project.url}/?project=1&filter=group+%3D+t&sort=id&order=asc")
    expect(_names(page)).to_have_text(["two", "three"])
    page.locator("summary", has_text="Views").click()
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_text("View: Older")).to_be_visible()
    expect(_panel(page, "b")).to_be_visible()
    expect(_names(page)).to_have_text(["two", "three"])
    expect(page).to_have_url(re.compile("filter=group.*panels=1|panels=1.*filter=group"))


def test_the_rows_of_a_view_are_exported_and_imported(
    project: Server, page: Page, tmp_path: Path
) -> None:
    page.goto(f"{project.url}/?project=1&filter=group+%3D+t&base=1")
    _new_view(page, "Kept")
    _save(page)
    page.get_by_text("View: Kept").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export as JSON").click()
    content = json.loads(Path(download.value.path()).read_text())
    assert content["layout"]["rows"]["baseline"]["name"] == "one"
    file = tmp_path / "kept.json"
    file.write_text(json.dumps(content))
    _bulk(project, "delete", 1)
    page.goto(f"{project.url}/?project=1&filter=nothing")
    page.locator("summary", has_text="Views").click()
    page.get_by_role("button", name="Import…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("File", exact=True).set_input_files(file)
    dialog.get_by_label("Name", exact=True).fill("Theirs")
    dialog.get_by_role("button", name="Import").click()
    expect(page.get_by_text("View: Theirs")).to_be_visible()
    expect(_names(page)).to_have_text(["three", "two"])
    # A baseline that does not exist is said in words, and can be removed.
    note = page.get_by_text("Baseline: one was not found. It may have been deleted.")
    expect(note).to_be_visible()
    page.get_by_role("button", name="Edit view").click()
    _save(page)
    assert project.get("/api/views/2")["layout"]["rows"] == content["layout"]["rows"]
    page.get_by_role("button", name="Remove baseline").click()
    expect(note).to_have_count(0)


def test_what_has_become_of_the_baseline_is_said(project: Server, page: Page) -> None:
    page.goto(f"{project.url}/?project=1&base=1")
    note = page.get_by_role("status").filter(has_text="Baseline:")
    expect(note).to_contain_text("Baseline: one")
    expect(note).not_to_contain_text("archived")
    for action, word in (("archive", "archived"), ("trash", "in the trash")):
        _bulk(project, action, 1)
        expect(note.locator("small")).to_have_text(word)
    assert accessibility_violations(page) == []
    _bulk(project, "delete", 1)
    expect(note).to_contain_text("Baseline: one was not found. It may have been deleted.")
    page.get_by_role("button", name="Remove baseline").click()
    expect(note).to_have_count(0)
    expect(page).not_to_have_url(re.compile("base="))


def test_a_view_that_does_not_exist(served: Server, page: Page, view: int) -> None:
    # A view of another project is not one of this project.
    page.goto(f"{served.url}/?project=2&panels={view}")
    expect(page.get_by_text("View not found")).to_be_visible()
    page.get_by_role("link", name="Show all metrics").click()
    expect(page.locator("figure canvas")).to_be_visible()


def test_views_fit_a_phone(served: Server, page: Page, view: int) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{served.url}/?project=1&panels={view}")
    page.get_by_role("button", name="Edit view").click()
    expect(_panel(page, "a").locator("canvas")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    widths = page.locator("[data-panel]").evaluate_all("all => all.map(one => one.offsetWidth)")
    assert len(set(widths)) == 1
    assert accessibility_violations(page) == []


def test_a_key_that_reads_changes_no_views(db_path: Path, context: BrowserContext) -> None:
    with serving(db_path, TRACKAI_API_KEY=KEY) as server:
        key = bearer(KEY)
        server.request("POST", "/api/projects", {"name": "p", "project_id": "p"}, headers=key)
        body = {"name": "Mine", "layout": {"sections": SECTIONS}}
        view = server.request("POST", "/api/projects/1/views", body, headers=key).json["id"]
        secret = create_key(db_path, "reader", "read")
        page = context.new_page()  # the `page` fixture fails on a 401 in the console
        page.goto(f"{server.url}/?project=1&panels={view}")
        page.get_by_label("API key").fill(secret)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("View: Mine")).to_be_visible()
        expect(_panel(page, "b")).to_contain_text("Some notes")
        expect(page.get_by_role("button", name="Edit view")).to_have_count(0)
        page.get_by_text("View: Mine").click()
        expect(page.get_by_role("button", name="Export as JSON")).to_be_visible()
        expect(page.get_by_role("button", name="New view…")).to_have_count(0)
        expect(page.get_by_role("button", name="Delete…")).to_have_count(0)
        page.close()
