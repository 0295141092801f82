"""The turns of the interpreter's lock, which are short only while points are being stored."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

import trackai
from trackai.ingest.drain import Drain
from trackai.sdk.turns import short_turns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trackai.ingest.deliveries import Outcome
    from trackai.ingest.reader import Batch

SHORT, USUAL = pytest.approx(0.001), pytest.approx(0.005)


@pytest.fixture(autouse=True)
def usual() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.005)
    yield
    sys.setswitchinterval(before)


def test_turns_are_short_while_a_batch_is_stored(
    db_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver, seen = Drain._deliver, []

    async def watched(self: Drain, batch: Batch) -> Outcome:
        seen.append(sys.getswitchinterval())
        return await deliver(self, batch)

    monkeypatch.setattr(Drain, "_deliver", watched)
    with trackai.init(project="p", db_path=db_path) as run:
        run.log({"x": 1})
    assert seen
    assert all(turn == SHORT for turn in seen)
    assert sys.getswitchinterval() == USUAL


def test_the_last_run_that_stores_restores_the_usual_turns() -> None:
    with short_turns():
        with short_turns():
            pass
        assert sys.getswitchinterval() == SHORT
    assert sys.getswitchinterval() == USUAL
    with pytest.raises(ZeroDivisionError), short_turns():
        raise ZeroDivisionError
    assert sys.getswitchinterval() == USUAL


def test_the_turns_that_a_program_has_chosen_stay() -> None:
    with short_turns():
        sys.setswitchinterval(0.02)
    assert sys.getswitchinterval() == pytest.approx(0.02)
    sys.setswitchinterval(0.0001)
    with short_turns():
        assert sys.getswitchinterval() == pytest.approx(0.0001)
    assert sys.getswitchinterval() == pytest.approx(0.0001)


def test_a_forked_process_has_the_usual_turns(db_path: Path, run_python: Any) -> None:
    result = run_python(
        """
        import os, sys, trackai
        from trackai.sdk.turns import short_turns

        sys.setswitchinterval(0.005)
        run = trackai.init(project="p", name="r")
        with short_turns():
            pid = os.fork()
            if pid == 0:
                print(round(sys.getswitchinterval(), 4), flush=True)
                os._exit(0)
            os.waitpid(pid, 0)
        run.finish()
        """
    )
    assert result.stdout.split() == ["0.005"]
