"""kill -9 of clients and their server behind a faulty network: each point arrives once."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from scripts.benchmarks.remote_kill import Outcome, kill_many
from scripts.benchmarks.remote_stores import FileStore, PostgresStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scripts.benchmarks.remote_stores import Store


@pytest.fixture
def store(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """The database of the server, on each engine."""
    if engine == "sqlite":
        yield FileStore(tmp_path / "server")
        return
    database = PostgresStore(request.getfixturevalue("databases"))
    yield database
    database.remove()


def check(outcome: Outcome, seed: int) -> None:
    assert outcome.held > 0, seed
    # Which faults thirty requests meet is left to chance; test_faulty_network.py has each of them.
    assert outcome.faults.total() > outcome.faults["passed"], seed
    assert (
        outcome.lost, outcome.doubled, outcome.wrong_values, outcome.wrong_figures,
        outcome.running, outcome.left,
    ) == (0, 0, 0, 0, 0, 0), (seed, outcome)  # fmt: skip


@pytest.mark.timeout(600)
def test_clients_and_servers_are_killed(store: Store, tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(1_000_000)
    print("seed", seed)
    outcome = kill_many(tmp_path, 10, seed=seed, replacements=0, store=store)
    assert (outcome.client_kills, outcome.server_kills) == (8, 2)
    assert outcome.held == outcome.acknowledged
    check(outcome, seed)


@pytest.mark.timeout(600)
def test_databases_are_replaced_between_kills(store: Store, tmp_path: Path) -> None:
    """By a backup, and by nothing: the server gets what clients still have."""
    seed = random.SystemRandom().randrange(1_000_000)
    print("seed", seed)
    outcome = kill_many(tmp_path, 15, seed=seed, replacements=2, store=store)
    assert outcome.replaced == 2
    check(outcome, seed)
