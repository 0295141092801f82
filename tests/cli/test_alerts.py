"""trackai alerts"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import trackai as sdk

if TYPE_CHECKING:
    from tests.cli.conftest import Trackai
    from tests.conftest import Server


@pytest.mark.parametrize("place", ["file", "server"])
def test_alerts_are_listed_latest_first(server: Server, trackai: Trackai, place: str) -> None:
    with sdk.init(project="My project", name="first") as first:
        first.alert("accuracy fell", "to 0.1\x1b[31m", step=7)
    with sdk.init(project="other", name="second") as second:
        second.alert("it diverged\x1b[2J", level="error", step=3)
        second.alert("a note", level="info")
    url = ["--url", server.url] if place == "server" else []
    lines = [line.split("\t")[1:] for line in trackai("alerts", *url).out.splitlines()]
    assert lines == [
        ["level", "project", "run", "step", "title"],
        ["info", "other", f"second (id {second.id})", "3", "a note"],
        ["error", "other", f"second (id {second.id})", "3", "it diverged\\x1b[2J"],
        ["warn", "My project", f"first (id {first.id})", "7", "accuracy fell"],
    ]
    listed = trackai("alerts", "my-project", "--json", *url).json
    assert (listed["version"], listed["total"]) == (1, 1)
    assert listed["alerts"][0]["text"] == "to 0.1\x1b[31m"
    titles = [alert["title"] for alert in listed["alerts"]]
    assert titles == ["accuracy fell"]
    by_run = trackai("alerts", "--run", "other/second", "--level", "info", "--json", *url).json
    assert [alert["title"] for alert in by_run["alerts"]] == ["a note"]
    shown = trackai("alerts", "--limit", 1, *url)
    assert shown.out.count("\n") == 2
    assert shown.err == "Showing 1 of 3 alerts. Use --limit to see more.\n"
    trackai("archive", "other/second", *url)
    left = trackai("alerts", *url)
    assert left.out.count("\n") == 2
    assert left.err == "Not listed: 2 alerts of 1 archived run. Use --archived to see them.\n"
    everything = trackai("alerts", "--archived", *url)
    assert (everything.out.count("\n"), everything.err) == (4, "")
    none = trackai("alerts", "--level", "none", *url)
    assert none.out.count("\n") == 1
    assert none.err == "No alert has the level 'none'; alert() logs info, warn, error.\n"
    assert "'nope'" in trackai("alerts", "nope", *url, code=3).err
    assert "'nope'" in trackai("alerts", "--run", "nope", *url, code=3).err
    assert "--limit: must be" in trackai("alerts", "--limit", 0, *url, code=2).err
