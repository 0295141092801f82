"""Changes of all runs that match a filter, in many steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import trackai
from trackai.filters.parser import parse_filter
from trackai.store.catalogue.run_tables import RunFilter, list_ids
from trackai.store.upkeep import bulk_changes

if TYPE_CHECKING:
    from tests.conftest import Server
    from trackai.store.engine.store import Store


@pytest.fixture
def runs(server: Server) -> None:
    for number in range(5):
        with trackai.init(project="p", name=f"run {number}", tags=["old"]) as run:
            run.log({"loss": number}, step=0)


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize(
    ("change", "left"),
    [
        (bulk_changes.Deleting(), [3]),
        # Runs that do not match any more do not shift the others.
        (bulk_changes.Tagging(["new"], ["old"]), [3]),
        (bulk_changes.Moving("other"), [3]),
    ],
)
async def test_each_matching_run_is_changed_once(
    db: Store, monkeypatch: pytest.MonkeyPatch, change: bulk_changes.Change, left: list[int]
) -> None:
    monkeypatch.setattr(bulk_changes, "_STEP_SECONDS", 0.0)
    monkeypatch.setattr(bulk_changes, "_TRANSACTION_SECONDS", 0.0)
    where = RunFilter(tree=parse_filter("tag = old and project = p"), exclude=(3,))
    steps = []
    after: int | None = 0
    while after is not None:
        progress = await bulk_changes.change(db, where, change, after=after)
        steps.append((progress.changed, progress.remaining))
        after = progress.cursor
    assert steps == [(1, 3), (1, 2), (1, 1), (1, 0)]
    async with db.read() as conn:
        matching = RunFilter(tree=parse_filter("tag = old and project = p"))
        assert await list_ids(conn, matching) == left
