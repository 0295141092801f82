"""Backups, kills, copies, moves and recoveries of one database, in random orders."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from scripts.benchmarks.kill import Mover

if TYPE_CHECKING:
    from pathlib import Path


class Operator(Mover):
    """Does one thing after the other to a database, and knows which points it must hold."""

    def prepare(self) -> None:
        self.acknowledged: dict[str, int] = {}
        self.kill()

    def kill(self) -> None:
        name = f"r{len(self.acknowledged)}"
        calls, rotate = self.rng.choice((50, 2000, 100_000)), self.rng.choice((2_000, 100_000))
        self.acknowledged[name] = self.kill_one(name, calls, rotate, 3 * self.rng.random())

    def copy_path(self) -> Path:
        return self.db_path.parent.with_name(f"copy-{len(self.backups)}.db")

    def vacuum(self) -> None:
        self.check()  # SQLite alone would apply a log of another file
        with closing(sqlite3.connect(self.db_path)) as connection:
            connection.execute("VACUUM INTO ?", (str(self.copy_path()),))
        self.backups.append(self.copy_path())

    def copy_pages(self) -> None:
        self.check()
        with (
            closing(sqlite3.connect(self.db_path)) as source,
            closing(sqlite3.connect(self.copy_path())) as target,
        ):
            source.backup(target)
        self.backups.append(self.copy_path())

    def copy_file(self) -> None:
        if self.server is None and not list(self.db_path.parent.glob("*-wal")):
            shutil.copyfile(self.db_path, self.copy_path())
            self.backups.append(self.copy_path())

    def restore(self) -> None:
        if self.backups:
            self.move(self.rng.choice(self.backups[-3:]))

    def move_folder(self) -> None:
        if self.server is None:
            elsewhere = self.db_path.parent.with_name("elsewhere")
            self.db_path.parent.rename(elsewhere)
            if self.rng.random() < 0.5:  # all inodes change
                shutil.copytree(elsewhere, self.db_path.parent)
                shutil.rmtree(elsewhere)
            else:
                elsewhere.rename(self.db_path.parent)

    def rewrite_file(self) -> None:
        if self.server is None:
            copy = self.db_path.with_name("copy.db")
            shutil.copyfile(self.db_path, copy)
            copy.replace(self.db_path)

    def read(self) -> None:
        # In another process: copying the file would drop the locks of this one.
        self.command("runs")

    def check(self) -> None:
        self.command("sql", "PRAGMA integrity_check")

    def act(self) -> None:
        actions = [
            *(self.kill, self.back_up, self.vacuum, self.copy_pages, self.copy_file),
            *(self.restore, self.move_folder, self.rewrite_file),
            *(self.recover, self.toggle_server, self.read, self.check),
        ]
        weights = [6, 1, 1, 1, 1, 5, 2, 2, 1, 2, 1, 1]
        [action] = self.rng.choices(actions, weights)
        print(action.__name__)
        action()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", range(3))
def test_any_order(db_path: Path, number: int) -> None:
    db_path.parent.mkdir()
    seed = random.SystemRandom().randrange(1_000_000)
    operator = Operator(db_path, random.Random(seed))
    print("seed", seed)
    operator.prepare()
    for _ in range(20):
        operator.act()
    operator.stop_server()
    operator.command("recover")
    operator.command("doctor", "--fix")
    outcome = operator.count(operator.acknowledged)
    assert (outcome.lost, outcome.doubled, outcome.wrong_figures, outcome.wrong_states) == (
        0, 0, 0, 0
    ), outcome  # fmt: skip
    with closing(sqlite3.connect(db_path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
