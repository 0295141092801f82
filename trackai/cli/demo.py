"""trackai demo"""

from __future__ import annotations

import json
import math
import random
import time
from typing import TYPE_CHECKING, Any

import click

from trackai.cli.database import store_option, with_database
from trackai.cli.output import echo, json_option, print_json
from trackai.values.uids import new_uid

if TYPE_CHECKING:
    from trackai.store.engine.connection import Connection
    from trackai.store.engine.store import Store
    from trackai.structs.exchange import Block, RunHead
    from trackai.structs.records import Run

_STEPS = 400
_DECAY = 60
# In microseconds: a run takes five minutes, and the next starts after six.
_STEP_TIME = 750_000
_RUN_INTERVAL = 360_000_000
_BINS = 24


@click.command()
@click.option("--project", default="demo", show_default=True, help="Project of the runs.")
@click.option("--runs", "count", type=click.IntRange(1, 100), default=6, show_default=True,
              help="Number of runs.")  # fmt: skip
@store_option
@json_option
def demo(project: str, count: int, db: str | None, as_json: bool) -> None:
    """Create example runs to explore."""

    async def work(database: Store) -> list[Run]:
        return [await _store(database, project, number, count) for number in range(count)]

    runs = with_database(db, work, create=True)
    if as_json:
        print_json(runs=runs)
        return
    for run in runs:
        echo(f"{project}/{run.run_id}  id {run.id}")
    echo("View them with: trackai runs, trackai show latest, trackai serve", err=True)


async def _store(db: Store, project: str, number: int, count: int) -> Run:
    from trackai.store.catalogue import projects, runs
    from trackai.store.transfer import load
    from trackai.values.run_names import generate

    now = time.time_ns() // 1000

    async def store(conn: Connection) -> Run:
        record = await projects.get_or_create(conn, project, now=now)
        name = generate(await runs.count(conn, record.id) + 1)
        head, blocks = _generate_run(project, name, number, now - (count - number) * _RUN_INTERVAL)
        run_id, _ = await load.begin_run(conn, head)
        for block in blocks:
            await load.add_points(conn, run_id, block)
        await load.end_run(conn, run_id, head)
        return await runs.get(conn, run_id)

    return await db.change(store)


def _generate_run(
    project: str, name: str, number: int, started: int
) -> tuple[RunHead, list[Block]]:
    from trackai.structs.exchange import Block, RunHead, WriterHead

    rng = random.Random(number)  # noqa: S311
    lr = 10 ** rng.uniform(-4, -1.5)
    diverges = lr > 0.02
    config = {
        "opt/name": rng.choice(["adam", "sgd"]),
        "opt/lr": round(lr, 6),
        "model/depth": rng.choice([4, 8, 12]),
        "model/width": rng.choice([128, 256]),
        "seed": number,
    }
    ended = started + _STEPS * _STEP_TIME
    head = RunHead(
        uid=new_uid(), project=project, run_id=name, name=name,
        group_name=f"depth-{config['model/depth']}",
        state="failed" if diverges else "completed",
        created_at=started, updated_at=ended, finished_at=ended, config=config,
    )  # fmt: skip
    writer = WriterHead(
        uid=new_uid(), started_at=started, state=head.state, first_step=0, ended_at=ended
    )
    blocks: dict[str, Block] = {}

    def log(metric: str, step: int, value: Any, **fields: Any) -> None:
        block = blocks.setdefault(
            metric,
            Block(run_uid=head.uid, metric=metric, writer=writer, steps=[], timestamps=[],
                  values=[], **fields),
        )  # fmt: skip
        timestamp = started + step * _STEP_TIME
        block.timestamps.append(timestamp)
        block.steps.append(step if block.axis == "step" else timestamp)
        block.values.append(value)

    for step in range(_STEPS):
        _log_step(log, rng, lr, step, diverges=diverges)
    return head, list(blocks.values())


def _log_step(log: Any, rng: random.Random, lr: float, step: int, *, diverges: bool) -> None:
    floor = 0.2 + abs(math.log10(lr) + 2.7) * 0.15
    loss = floor + 2.2 * math.exp(-step / _DECAY) + rng.gauss(0, 0.04)
    if diverges and step > _STEPS // 2:
        loss = math.nan if step > _STEPS * 0.75 else loss * 1.05 ** (step - _STEPS // 2)
    log("train/loss", step, loss)
    log("train/lr", step, lr * min(1, (step + 1) / 40))
    if step % 10 == 0:
        log("gpu/utilization", step, rng.uniform(0.85, 0.99), axis="time")
        log("gpu/memory_gb", step, 7.9, axis="time")
        spread = 0.1 + math.exp(-step / _DECAY)
        log("train/gradients", step, _histogram(rng, spread), kind="histogram")
    if step % 20 == 19:
        accuracy = 1 - 0.9 * math.exp(-step / (2 * _DECAY)) - floor * 0.1
        log("val/loss", step, loss + 0.1)
        log("val/accuracy", step, accuracy)
        text = f"epoch {step // 20}: loss {loss:.4f}, accuracy {accuracy:.3f}"
        log("log", step, text, kind="text")


def _histogram(rng: random.Random, spread: float) -> str:
    edges = [round((6 * index / _BINS - 3) * spread, 5) for index in range(_BINS + 1)]
    counts = [0] * _BINS
    for _ in range(300):
        counts[min(_BINS - 1, max(0, int((rng.gauss(0, 1) + 3) / 6 * _BINS)))] += 1
    return json.dumps({"type": "COUNTING", "edges": edges, "values": counts})
