"""Signing in at a server behind nginx and Caddy with TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.conftest import KEY

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.proxies import Site


def create_run(site: Site) -> int:
    _, project, _ = site.request("POST", "/api/projects", {"name": "p", "project_id": "p"})
    body = {"project_id": project["id"], "run_id": "r", "name": "behind"}
    _, run, _ = site.request("POST", "/api/runs", body)
    return int(run["id"])


def test_a_browser_signs_in_over_tls(site: Site, browser: Browser) -> None:
    context = browser.new_context(ignore_https_errors=True)
    page = context.new_page()
    page.goto(site.url)
    page.get_by_label("API key").fill(KEY)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("No runs yet")).to_be_visible()
    (cookie,) = context.cookies()
    assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Strict")
    run_id = create_run(site)
    page.goto(f"{site.url}/?project=1")
    expect(page.get_by_text("behind").first).to_be_visible()
    script = f"""fetch("/api/runs/{run_id}", {{method: "DELETE"}}).then(answer => answer.status)"""
    assert page.evaluate(script) == 200
    assert page.evaluate("""fetch("/api/session", {method: "DELETE"}).then(a => a.status)""") == 200
    assert page.evaluate("""fetch("/api/runs").then(answer => answer.status)""") == 401
    context.close()


def test_the_printed_link_signs_in(site: Site, browser: Browser) -> None:
    context = browser.new_context(ignore_https_errors=True)
    page = context.new_page()
    page.goto(site.link)
    expect(page.get_by_text("No runs yet")).to_be_visible()
    assert context.cookies()[0]["secure"]
    context.close()
