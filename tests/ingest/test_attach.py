"""Processes on other machines attach, send, fall silent, return and end, in any order."""

from __future__ import annotations

import time
import uuid
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import given, settings
from hypothesis import strategies as st

import trackai.sdk.run  # noqa: F401 - its modules keep the clock of their import: not that of a test
from tests.conftest import execute_sql
from trackai.errors import NotFoundError, PermissionDeniedError
from trackai.ingest.attach import Attach, Attached, attach
from trackai.ingest.deliveries import Outcome
from trackai.ingest.frames import Ended, Keys, Opened
from trackai.ingest.launch import Launch, Process
from trackai.ingest.reader import Batch, Calls
from trackai.ingest.receiver import Receiver
from trackai.ingest.run_request import RunRequest
from trackai.settings import Settings
from trackai.store.catalogue import projects, runs
from trackai.store.catalogue.keys import Grant
from trackai.store.factory import create_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anyio.from_thread import BlockingPortal

    from trackai.store.engine.store import Store

SECOND = 1_000_000
HOUR = 3600 * SECOND
START = 1_790_000_000 * SECOND
ADMIN = Grant("admin")
JOB = {"TRACKAI_RUN_ID": "r", "SLURM_JOB_ID": "9"}
numbers = count()


class Team:
    """A server and its clock."""

    def __init__(self, portal: BlockingPortal, db: Store, address: Path) -> None:
        self.now = START
        self.portal = portal
        self.db = db
        self.address = address
        self.receiver = portal.call(Receiver, db)
        self.project = f"p{next(numbers)}"

    def call(self, function: Any, *arguments: Any) -> Any:
        self.now += SECOND // 10
        return self.portal.call(function, *arguments)

    def wait(self, seconds: float) -> None:
        """Let time pass, in which the server looks for silent writers every few seconds."""
        until = self.now + int(seconds * SECOND)
        while self.now < until:
            self.now = min(until, self.now + 20 * SECOND)
            self.call(self.receiver.end_silent)

    def change(self, function: Any) -> Any:
        return self.call(self.db.change, function)

    def query(self, statement: str, *values: object) -> list[Any]:
        return execute_sql(self.address, statement, values)

    def run_state(self) -> str:
        ((state,),) = self.query(
            "SELECT state FROM runs JOIN projects ON projects.id = project_id "
            "WHERE projects.name = ?",
            self.project,
        )
        return str(state)

    def writers(self) -> list[Any]:
        return self.query(
            "SELECT attempt, rank, writers.state, resumed_after IS NOT NULL, first_step "
            "FROM writers JOIN runs ON runs.id = run_id JOIN projects ON projects.id = project_id "
            "WHERE projects.name = ? ORDER BY attempt, rank",
            self.project,
        )

    def points(self) -> list[Any]:
        return self.query(
            "SELECT attempt, rank, metric, step, value_number FROM logged_points "
            "WHERE project = ? ORDER BY attempt, rank, metric, step",
            self.project,
        )


@pytest.fixture
def team(db_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Team]:
    clock = [START]

    class Clocked(Team):
        @property
        def now(self) -> int:
            return clock[0]

        @now.setter
        def now(self, now: int) -> None:
            clock[0] = now

    with start_blocking_portal() as portal:
        db = create_store(Settings.from_env(database=db_path).database)
        portal.call(db.open)
        monkeypatch.setattr(time, "time_ns", lambda: clock[0] * 1000)
        yield Clocked(portal, db, db_path)
        portal.call(db.close)


class Machine:
    """A process on another machine, whose clock is wrong, and that logs in four batches."""

    def __init__(
        self, team: Team, rank: int = 0, *, restarts: int = 0, end: str = "completed",
        skew: int = 0, started_at: int = START, facts: dict[str, str] | None = None,
        **request: Any,
    ) -> None:  # fmt: skip
        self.team = team
        self.uid = uuid.uuid4().hex
        self.journal = f"{1:016x}-{self.uid}-000000.journal"
        self.skew = skew
        self.end = end
        self.opened: Opened | None = None
        self.position = 0
        if facts is None:
            facts = {**JOB, "SLURM_RESTART_COUNT": str(restarts), "rank": str(rank)}
        self.begun_at = max(started_at, team.now)
        self.process = Process(
            writer_uid=self.uid,
            run_uid=uuid.uuid4().hex,
            pid=100 * restarts + rank + 1,
            started_at=started_at + skew,
            launch=Launch(facts, f"node{rank}", frozenset()),
        )
        fields: dict[str, Any] = {
            "project": team.project, "name": None, "group": None, "resume": "allow",
            "run_id": "r", "rank": rank,
        }  # fmt: skip
        self.request = RunRequest(**{**fields, **request})

    def attach(self, grant: Grant = ADMIN) -> Attached:
        message = Attach(
            request=self.request,
            process=self.process,
            journal=self.journal,
            now=self.team.now + self.skew,
            begun_at=min(self.begun_at, self.team.now) + self.skew,
        )

        async def call() -> Attached:
            return await attach(
                self.team.db, message, grant, is_running=self.team.receiver.is_running
            )

        attached: Attached = self.team.call(call)
        if self.opened is not None:
            assert attached.attempt.opened == self.opened
        self.opened = attached.attempt.opened
        return attached

    def batch(self, number: int, opened: Opened | None = None) -> Batch:
        opened = opened or self.opened
        assert opened is not None
        first, now = 10 * number, self.team.now
        calls = Calls(
            Keys(1, "step", ("a", "b")),
            [first, first + 1],
            [now, now + 1],
            [[0.5, 1.5], [number, number + self.process.pid]],
        )
        return Batch(
            opened=opened, start=100 * number, end=100 * number + 100, frames=2, calls=[calls],
            config={}, replaced=set(), described=[], files=[],
            ended=Ended(self.end, now) if number == 3 else None,  # type: ignore[arg-type]
        )  # fmt: skip

    def deliver(self, number: int, grant: Grant = ADMIN) -> Outcome:
        batch = self.batch(number)

        async def call() -> Outcome:
            return await self.team.receiver.put(self.journal, batch, grant)

        outcome: Outcome = self.team.call(call)
        self.position = (outcome.consumed or 0) // 100
        return outcome

    def hear(self) -> bool:
        async def call() -> bool:
            return await self.team.receiver.hear(self.uid, ADMIN)

        return bool(self.team.call(call))

    def advance(self) -> None:
        """Do the next step of its life; a step that does not find the server ready is redone."""
        if self.opened is None:
            self.attach()
        elif self.position < 4:
            self.deliver(self.position)

    def finish(self) -> None:
        while self.opened is None or self.position < 4:
            self.advance()


def machines(team: Team, skews: tuple[int, ...] = (0, 0, 0, 0)) -> list[Machine]:
    """Three ranks of a job, of which one fails, and its successor after a requeue."""
    ranks = [
        Machine(team, rank, end=end, skew=skew)
        for rank, end, skew in zip(
            range(3), ("completed", "failed", "completed"), skews, strict=False
        )
    ]
    return [*ranks, Machine(team, restarts=1, skew=skews[3], started_at=START + HOUR)]


operations = st.lists(
    st.tuples(
        st.sampled_from(("advance", "attach", "repeat", "hear", "silence")),
        st.integers(0, 3),
        st.integers(0, 3),
    ),
    max_size=40,
)


@settings(max_examples=60)
@given(operations, st.tuples(*[st.sampled_from((0, -5 * HOUR, 5 * HOUR))] * 4))
def test_the_order_of_requests_changes_nothing(
    team: Team, operations: list[tuple[str, int, int]], skews: tuple[int, ...]
) -> None:
    team.project = f"p{next(numbers)}"
    team.now += HOUR * 10
    start = team.now
    every = machines(team, skews)
    for machine in every:
        machine.begun_at = start
        machine.process = _moved(machine.process, start - START - 10 * SECOND)
    for name, which, number in operations:
        machine = every[which]
        if which == 3:
            if every[0].opened is None:
                continue  # there is nothing to succeed
            team.now = max(team.now, start + HOUR + SECOND)
        if name == "silence":
            team.wait(200)
        elif name == "advance":
            machine.advance()
        elif name == "attach":
            machine.attach()
        elif name == "hear" or machine.opened is None:
            assert machine.hear() is (machine.opened is not None)
        else:
            machine.deliver(number)
    every[0].finish()
    team.now = max(team.now, start + HOUR + SECOND)
    for machine in every:
        machine.finish()
    assert team.run_state() == "completed"
    assert [writer[:3] for writer in team.writers()] == [
        (1, 0, "completed"), (1, 1, "failed"), (1, 2, "completed"), (2, 0, "completed"),
    ]  # fmt: skip
    expected = [
        (machine.opened.attempt, machine.opened.rank, path, step, value)
        for machine in every
        if machine.opened is not None
        for path in ("a", "b")
        for number in range(4)
        for step, value in (
            ((10 * number, 0.5), (10 * number + 1, 1.5))
            if path == "a"
            else ((10 * number, number), (10 * number + 1, number + machine.process.pid))
        )
    ]
    assert team.points() == sorted(expected)
    team.wait(300)
    assert team.run_state() == "completed"


def _moved(process: Process, by: int) -> Process:
    fields = {name: getattr(process, name) for name in Process.__struct_fields__}
    return Process(**{**fields, "started_at": process.started_at + by})


def test_a_silent_node_fails_the_run_until_it_returns(team: Team) -> None:
    first, second = Machine(team, 0), Machine(team, 1)
    first.attach()
    second.attach()
    team.wait(100)
    second.hear()
    team.wait(100)
    assert [writer[2] for writer in team.writers()] == ["failed", "running"]
    assert team.run_state() == "running"
    team.wait(100)
    assert team.run_state() == "failed"
    first.hear()
    assert team.run_state() == "running"
    team.wait(200)
    assert team.run_state() == "failed"
    second.deliver(0)
    assert team.run_state() == "running"
    team.wait(200)
    second.attach()
    assert team.run_state() == "running"
    assert [writer[2] for writer in team.writers()] == ["failed", "running"]
    second.finish()
    assert team.run_state() == "failed"  # because of the first one
    first.finish()
    assert team.run_state() == "completed"


def test_a_run_that_has_ended_is_not_failed_by_silence(team: Team) -> None:
    machine = Machine(team, end="failed")
    machine.finish()
    before = team.query("SELECT state, ended_at FROM writers")
    for repeat in (
        machine.hear,
        lambda: machine.deliver(3),
        machine.attach,
        lambda: team.wait(300),
    ):
        repeat()
        assert team.query("SELECT state, ended_at FROM writers") == before
        assert team.run_state() == "failed"


def test_an_end_that_arrives_twice_ends_once(team: Team) -> None:
    machine = Machine(team)
    machine.finish()
    ((run_id,),) = team.query("SELECT id FROM runs")
    team.change(lambda conn: runs.set_state(conn, run_id, "failed", now=team.now))
    batch = machine.batch(3)
    batch.start = batch.end  # as one without points, which tells that the process has ended

    async def call() -> Outcome:
        return await team.receiver.put(machine.journal, batch, ADMIN)

    assert team.call(call).stored
    assert team.run_state() == "failed"  # as the user has set it


@pytest.mark.parametrize("state", ["completed", "failed"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_state_that_a_user_has_set_stays(team: Team, state: Any, when: str) -> None:
    machine = Machine(team)
    machine.attach()
    if when == "after":
        team.wait(200)
        assert team.run_state() == "failed"
    ((run_id,),) = team.query("SELECT id FROM runs")
    team.change(lambda conn: runs.set_state(conn, run_id, state, now=team.now))
    team.wait(200)
    assert team.run_state() == state
    for heard in (machine.hear, lambda: machine.deliver(0), machine.attach):
        heard()
        assert team.run_state() == state
        assert [writer[2] for writer in team.writers()] == ["running"]
        team.wait(200)


def test_silence_of_a_former_attempt_changes_nothing(team: Team) -> None:
    former = Machine(team)
    former.attach()
    successor = Machine(team, restarts=1)
    assert [writer.uid for writer in successor.attach().attempt.superseded] == [former.uid]
    for _ in range(3):
        team.wait(100)
        successor.hear()
    assert team.run_state() == "running"
    successor.finish()
    former.hear()
    former.deliver(0)
    assert [writer[2] for writer in team.writers()] == ["running", "completed"]
    assert team.run_state() == "completed"
    ((run_id,),) = team.query("SELECT id FROM runs")
    team.change(lambda conn: runs.set_state(conn, run_id, "running", now=team.now))
    team.wait(200)
    assert [writer[2] for writer in team.writers()] == ["failed", "completed"]
    assert team.run_state() == "running"  # as the user has set it


def test_a_server_that_was_stopped_waits_for_its_writers(team: Team) -> None:
    machine = Machine(team)
    machine.attach()
    team.now += HOUR
    team.call(team.receiver.end_silent)
    assert team.run_state() == "running"
    team.wait(110)
    assert team.run_state() == "running"
    team.wait(40)
    assert team.run_state() == "failed"


def test_ranks_join_after_a_restart_of_the_server(team: Team) -> None:
    Machine(team, 0).attach()
    team.now += HOUR
    team.receiver = team.portal.call(Receiver, team.db)
    Machine(team, 1).attach()
    assert [writer[:2] for writer in team.writers()] == [(1, 0), (1, 1)]


def test_a_process_that_began_offline_joins_its_launch(team: Team) -> None:
    late, first, successor = Machine(team, 1), Machine(team, 0), Machine(team, restarts=1)
    first.finish()
    successor.process = _moved(successor.process, HOUR)
    team.now += HOUR
    successor.finish()
    team.now += HOUR
    attempt = late.attach().attempt
    assert (attempt.opened.attempt, attempt.opened.rank, attempt.superseded) == (1, 1, [])
    assert attempt.opened.started_at == START
    assert team.run_state() == "completed"
    late.finish()
    assert team.run_state() == "completed"


@pytest.mark.parametrize(
    "changes",
    [
        {"facts": {}},
        {"rank": 0},  # a launch has each rank once
        {"restarts": 2},
        {"started_at": START + HOUR},  # after all others had ended
    ],
)
def test_without_a_launch_to_join_it_is_a_new_attempt(team: Team, changes: dict[str, Any]) -> None:
    late = Machine(team, **{"rank": 1, **changes})
    Machine(team, 0).finish()
    team.now += HOUR
    successor = Machine(team, restarts=1, started_at=team.now)
    successor.finish()
    team.now += HOUR
    assert late.attach().attempt.opened.attempt == 3
    assert team.run_state() == "running"
    ((resumed_after, started_at),) = team.query(
        "SELECT resumed_after, started_at FROM writers WHERE attempt = 3"
    )
    assert resumed_after <= started_at


def test_a_deleted_run_does_not_come_back(team: Team) -> None:
    machine = Machine(team)
    machine.attach()
    machine.deliver(0)
    ((run_id,),) = team.query("SELECT id FROM runs")
    team.change(lambda conn: runs.delete(conn, run_id))
    assert machine.deliver(1) == Outcome(200, stored=True, run_deleted=True)
    machine.journal = machine.journal.replace("000000", "000001")  # the next file
    assert machine.deliver(0) == Outcome(100, stored=True, run_deleted=True)
    assert machine.opened is not None
    child = Machine(team)
    child.opened = Opened(
        **{
            **{name: getattr(machine.opened, name) for name in Opened.__struct_fields__},
            "writer_uid": child.uid,
            "parent": machine.uid,
        }
    )
    assert child.deliver(0).run_deleted
    with pytest.raises(NotFoundError, match="was deleted"):
        machine.attach()
    assert team.query("SELECT * FROM runs") == []


def test_a_deleted_run_is_forgotten_after_a_month(team: Team) -> None:
    machine, other = Machine(team), Machine(team, run_id="other")
    machine.attach()
    other.finish()
    ((run_id,),) = team.query("SELECT id FROM runs WHERE slug = 'r'")
    team.change(lambda conn: runs.delete(conn, run_id))
    for _ in range(29):
        team.now += 24 * HOUR
        team.call(team.receiver.forget_deleted)
        assert machine.deliver(0).consumed in {100, None}
        assert machine.deliver(0).consumed == 100
    team.now += 48 * HOUR
    team.call(team.receiver.forget_deleted)
    assert team.query("SELECT name FROM journals") == [(other.journal,)]
    assert other.deliver(0) == Outcome(400)


def test_processes_that_a_rank_has_forked_log_to_its_run(team: Team) -> None:
    machine = Machine(team)
    Machine(team, restarts=0, rank=1).finish()
    team.now += HOUR
    machine = Machine(team, restarts=1, started_at=team.now)
    machine.attach()
    assert machine.opened is not None
    fields = {name: getattr(machine.opened, name) for name in Opened.__struct_fields__}
    child = Machine(team)
    # As one that was forked before the run was known to the server.
    child.opened = Opened(
        **{
            **fields, "writer_uid": child.uid, "parent": machine.uid, "attempt": 1,
            "run_uid": uuid.uuid4().hex,
        }
    )  # fmt: skip
    child.finish()
    assert len(team.query("SELECT * FROM runs")) == 1
    assert team.query("SELECT attempt, state FROM writers WHERE uid = ?", child.uid) == [(2, None)]
    team.wait(300)
    assert team.query("SELECT state FROM writers WHERE uid = ?", child.uid) == [(None,)]


def test_a_key_of_a_project_reaches_no_other(team: Team) -> None:
    machine = Machine(team)
    mine = team.change(lambda conn: projects.get_or_create(conn, "mine", now=team.now))
    key = Grant("write", 1, "node7", mine.id)
    with pytest.raises(PermissionDeniedError, match="may only log to project 'mine'"):
        machine.attach(key)
    assert [name for (name,) in team.query("SELECT name FROM projects")] == ["mine"]
    machine.attach()
    with pytest.raises(PermissionDeniedError, match="may only log to project 'mine'"):
        machine.attach(key)
    before = team.query("SELECT * FROM writers")
    with pytest.raises(PermissionDeniedError):
        machine.deliver(0, key)
    child = Machine(team)
    fields = {name: getattr(machine.opened, name) for name in Opened.__struct_fields__}
    child.opened = Opened(
        **{
            **fields, "writer_uid": child.uid, "parent": machine.uid, "project": "mine",
            "run_uid": uuid.uuid4().hex,
        }
    )  # fmt: skip
    with pytest.raises(PermissionDeniedError):
        child.deliver(0, key)
    assert team.query("SELECT * FROM writers") == before
    allowed = Machine(team, project="mine")
    allowed.attach(key)
    assert team.query("SELECT key_name FROM writers WHERE uid = ?", allowed.uid) == [("node7",)]


def test_a_database_that_is_replaced_gets_everything_again(team: Team) -> None:
    Machine(team).finish()
    team.now += HOUR
    machine = Machine(team, restarts=1, started_at=team.now)
    machine.attach()
    team.change(_without(machine.uid))
    team.now += HOUR
    assert machine.deliver(1) == Outcome(None)
    assert machine.position == 0
    machine.deliver(0)
    assert team.run_state() == "running"
    assert [writer[:4] for writer in team.writers()] == [
        (1, 0, "completed", 0), (2, 0, "running", 1),
    ]  # fmt: skip
    machine.finish()
    assert team.run_state() == "completed"
    # The pause before it was resumed is that of the first time.
    (pause,) = team.query("SELECT resumed_after, started_at FROM writers WHERE attempt = 2")
    assert START < pause[0] < pause[1] < START + 2 * HOUR


def _without(uid: str) -> Any:
    async def delete(conn: Any) -> None:
        await conn.execute("DELETE FROM writers WHERE uid = ?", (uid,))
        await conn.execute("DELETE FROM journals WHERE name LIKE ?", (f"%{uid}%",))
        await conn.execute("UPDATE runs SET state = 'completed'")

    return delete
