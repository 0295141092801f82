"""trackai demo"""

from __future__ import annotations

import math
import random

import click

from trackai.cli.store import db_option

_STEPS = 400
_DECAY = 60


@click.command()
@click.option("--project", default="demo", show_default=True)
@click.option("--runs", "count", type=click.IntRange(1, 100), default=6, show_default=True)
@db_option
def demo(project: str, count: int, db: str | None) -> None:
    """Log a few realistic runs, so that there is something to look at."""
    import trackai

    for number in range(count):
        rng = random.Random(number)  # noqa: S311
        lr = 10 ** rng.uniform(-4, -1.5)
        config = {
            "opt": {"name": rng.choice(["adam", "sgd"]), "lr": round(lr, 6)},
            "model": {"depth": rng.choice([4, 8, 12]), "width": rng.choice([128, 256])},
            "seed": number,
        }
        group = f"depth-{config['model']['depth']}"  # type: ignore[index]
        run = trackai.init(project=project, group=group, config=config, db_path=db)
        diverges = lr > 0.02
        _train(run, rng, lr, diverges=diverges)
        run.finish("failed" if diverges else "completed")
        click.echo(f"{run.project}/{run.run_id}  id {run.id}")
    click.echo("look at them with: trackai runs, trackai show latest, trackai serve", err=True)


def _train(run: object, rng: random.Random, lr: float, *, diverges: bool) -> None:
    from trackai import Run

    assert isinstance(run, Run)  # noqa: S101 - imported late
    floor = 0.2 + abs(math.log10(lr) + 2.7) * 0.15
    for step in range(_STEPS):
        loss = floor + 2.2 * math.exp(-step / _DECAY) + rng.gauss(0, 0.04)
        if diverges and step > _STEPS // 2:
            loss = math.nan if step > _STEPS * 0.75 else loss * 1.05 ** (step - _STEPS // 2)
        run.log({"train/loss": loss, "train/lr": lr * min(1, (step + 1) / 40)}, step=step)
        if step % 20 == 19:
            accuracy = 1 - 0.9 * math.exp(-step / (2 * _DECAY)) - floor * 0.1
            run.log({"val/loss": loss + 0.1, "val/accuracy": accuracy}, step=step)
            run.log_system({"gpu/utilization": rng.uniform(0.85, 0.99), "gpu/memory_gb": 7.9})
