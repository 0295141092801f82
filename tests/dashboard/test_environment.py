"""The environment of a run: on its page, in filters, columns and groups."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.dashboard.conftest import accessibility_violations

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.conftest import Server

RUNS = """
import os, pathlib, subprocess
import trackai
os.environ |= {"GIT_CONFIG_GLOBAL": os.devnull}
pathlib.Path("train.py").write_text("lr = 1\\n")
user = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
for command in (["init", "-q", "-b", "topic"], ["add", "train.py"], [*user, "commit", "-qm", "x"]):
    subprocess.run(["git", *command], check=True)
pathlib.Path("train.py").write_text("lr = 2\\n")
with trackai.init(project="p", name="with", auto_log=True) as run:
    run.log({"loss": 1})
    run._survey._thread.join()
with trackai.init(project="p", name="without") as run:
    run.log({"loss": 2})
"""


def test_the_page_of_a_run_shows_its_environment(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&run=1")
    environment = page.get_by_role("region", name="Environment")
    expect(environment.get_by_role("row", name="git/branch")).to_contain_text("topic")
    expect(environment.get_by_role("row", name="git/dirty")).to_contain_text("true")
    environment.get_by_role("searchbox").fill("cpu")
    expect(environment.get_by_role("rowheader")).to_have_text(["cpu_count"])
    environment.get_by_role("searchbox").fill("")
    assert accessibility_violations(page) == []
    environment.get_by_role("link", name="git.diff").click()
    expect(page.get_by_role("region", name="environment/git.diff")).to_contain_text("+lr = 2")
    environment.get_by_role("link", name="requirements.txt").click()
    requirements = page.get_by_role("region", name="environment/requirements.txt")
    expect(requirements).to_contain_text(re.compile("pytest==[0-9]"))


def test_a_run_without_facts_has_no_such_section(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&run=2")
    expect(page.get_by_role("region", name="Configuration")).to_be_visible()
    expect(page.get_by_role("region", name="Environment")).to_have_count(0)


def test_the_table_is_filtered_and_grouped_by_facts(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1&columns=env.git/branch")
    expect(page.get_by_role("columnheader", name="git/branch")).to_be_visible()
    expect(page.get_by_role("cell", name="topic")).to_be_visible()
    page.get_by_label("Filter runs").fill("env.git/branch = topic")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="without")).to_have_count(0)
    expect(page.get_by_role("link", name="with", exact=True)).to_be_visible()
    page.get_by_label("Filter runs").fill("")
    page.keyboard.press("Enter")
    page.get_by_label("Group by").select_option("env.git/branch")
    expect(page.get_by_role("button", name=re.compile("topic"))).to_be_visible()


def test_facts_are_offered_as_columns(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/?project=1")
    page.locator("summary", has_text="Columns").click()
    facts = page.get_by_role("group", name="Environment")
    facts.get_by_label("git/branch").check()
    expect(page.get_by_role("columnheader", name="git/branch")).to_be_visible()
