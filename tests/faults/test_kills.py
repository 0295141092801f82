"""kill -9 at random times: no acknowledged point is lost, and none is stored twice."""

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
    result = kill_many(db_path, 50, seed=seed)
    assert result.acknowledged > 1000, seed
    assert (result.lost, result.doubled, result.wrong_figures, result.wrong_states) == (
        0, 0, 0, 0
    ), (seed, result)  # fmt: skip


@pytest.mark.timeout(600)
def test_backups_are_moved_into_place_between_kills(db_path: Path) -> None:
    """Beside running processes and a server: the file in place gets what journals still have."""
    db_path.parent.mkdir()
    seed = random.SystemRandom().randrange(1_000_000)
    print("seed", seed)
    result = kill_many(db_path, 40, seed=seed, moves=6)
    assert result.moved == 6, seed
    assert result.held > 0, seed
    assert (result.lost, result.doubled, result.wrong_figures, result.wrong_states) == (
        0, 0, 0, 0
    ), (seed, result)  # fmt: skip
