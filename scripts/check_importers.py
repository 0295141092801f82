"""Let trackers write runs that the tests cannot, import them, and compare every point.

    ENVIRONMENT/bin/python -m scripts.check_importers aim|sacred

The environment needs the tracker and the dependencies of TrackAI. aim has no room beside the
packages of the tests, and sacred needs an old setuptools.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trackai.importers.receipt import Receipt
from trackai.importers.trackers import TRACKERS
from trackai.structs.exchange import Block, RunHead

if TYPE_CHECKING:
    from trackai.structs.exchange import Chunk, Item

# By metric: steps and values.
LOGGED: dict[str, list[tuple[float, float]]] = {
    "train/loss": [(step, 1 / (step + 1)) for step in range(100)],
    "odd": [(0, math.nan), (1, math.inf), (2, -math.inf), (7, 2**53 + 1), (9, -0.0), (-3, 1.0)],
    "fraction": [(1.5, 0.1)],
}
_AIM = """
    import os, signal, sys
    import aim
    run = aim.Run(repo=".", experiment="exp/ß", system_tracking_interval=None)
    run["hparams"] = {"lr": 0.1, "seed": 2**60, "none": None}
    for metric, points in LOGGED.items():
        for step, value in points:
            run.track(value, name=metric, step=step, context={"subset": "train"})
    if "killed" in sys.argv:
        os.kill(os.getpid(), signal.SIGKILL)
    run.close()
"""
_SACRED = """
    import os, signal, sys
    from sacred import Experiment
    from sacred.observers import FileStorageObserver
    experiment = Experiment("exp/ß", interactive=True, save_git_info=False)
    experiment.observers.append(FileStorageObserver("runs"))
    experiment.add_config(hparams={"lr": 0.1, "seed": 2**60, "none": None})
    @experiment.main
    def main(_run):
        for metric, points in LOGGED.items():
            for step, value in points:
                _run.log_scalar(metric, value, step)
        if "killed" in sys.argv:
            _run._emit_heartbeat()
            os.kill(os.getpid(), signal.SIGKILL)
    experiment.run()
"""
# By tracker: the script, and what follows the name of a metric.
_SCRIPTS = {"aim": (_AIM, "/subset=train"), "sacred": (_SACRED, "")}


class Quiet:
    """Ignores the progress of an import."""

    def share(self, done: int, total: int, unit: str) -> None: ...


def write(script: str, folder: Path, *arguments: str) -> None:
    """Run a script of a tracker in a folder."""
    lines = [line.removeprefix("    ") for line in script.splitlines()]
    logged = f"from math import inf, nan\nLOGGED = {LOGGED!r}\n"
    environment = {**os.environ, "HOME": str(folder), "PYTHONWARNINGS": "ignore"}
    subprocess.run(
        [sys.executable, "-c", logged + "\n".join(lines), *arguments],
        cwd=folder, env=environment, check=not arguments, timeout=300,
    )  # fmt: skip


def read(name: str, path: Path) -> list[Item | Chunk]:
    """Read the files of a tracker, which must have no problem."""
    receipt = Receipt(str(path), "")
    items = list(TRACKERS[name].source(path, receipt=receipt, progress=Quiet()).read())
    if receipt.problems or any(counts.not_stored for counts in receipt.types.values()):
        sys.exit(f"{name}: {receipt}")
    return items


def points(items: list[Item | Chunk]) -> dict[str, list[Any]]:
    """Return the steps and values of each metric, in the order of logging."""
    found: dict[str, list[Any]] = {}
    for item in items:
        if isinstance(item, Block) and item.axis == "step":
            found.setdefault(item.metric, []).extend(
                zip(item.timestamps, item.steps, item.values, strict=True)
            )
    return {
        metric: [row[1:] for row in sorted(rows, key=lambda row: row[0])]
        for metric, rows in found.items()
    }


def check(name: str, *arguments: str) -> None:
    """Compare what was logged with what is read."""
    script, suffix = _SCRIPTS[name]
    with tempfile.TemporaryDirectory(prefix=f"check-{name}-") as folder:
        path = Path(folder)
        if name == "aim":
            import_module("aim").Repo(folder, init=True).close()
        write(script, path, *arguments)
        items = read(name, path)
    found = points(items)
    for metric, logged in LOGGED.items():
        if list(map(repr, found.get(metric + suffix, []))) != list(map(repr, logged)):
            sys.exit(f"{name}: {metric} has {found.get(metric + suffix)}, must have {logged}")
    heads = [item for item in items if isinstance(item, RunHead)]
    config = {key: heads[-1].config[f"hparams/{key}"] for key in ("lr", "seed", "none")}
    if config != {"lr": 0.1, "seed": 2**60, "none": None} or heads[-1].project != "exp/ß":
        sys.exit(f"{name}: the head is {heads[-1]}")
    state = "running" if arguments else "completed"
    if heads[-1].state != state:
        sys.exit(f"{name}: the state is {heads[-1].state}, must be {state}")
    print(f"{name} {' '.join(arguments)}: {sum(map(len, LOGGED.values()))} points are right")


if __name__ == "__main__":
    for tracker in sys.argv[1:] or _SCRIPTS:
        check(tracker)
        check(tracker, "killed")
