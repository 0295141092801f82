"""kill -9 at random instants: nothing acknowledged is lost, nothing is stored twice."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from scripts.benchmarks.kill import kill_many

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.timeout(600)
def test_fifty_processes_are_killed(db_path: Path) -> None:
    seed = random.SystemRandom().randrange(1_000_000)
    print("seed", seed)
    found = kill_many(db_path, 50, seed=seed)
    assert found.acknowledged > 1000, seed
    assert (found.lost, found.doubled, found.wrong_figures, found.wrong_states) == (0, 0, 0, 0), (
        seed,
        found,
    )
