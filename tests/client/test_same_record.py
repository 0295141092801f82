"""What a server has of a run is, byte for byte, what a file has of it."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from scripts.benchmarks.faulty_proxy import Faults, faulty_proxy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Server

SCRIPT = """
import math, pathlib
import numpy as np
import trackai

def log(run):
    for step in range(300):
        run.log({
            "loss": 1 / (step + 1),
            "count": step * 10**15,
            "nan": math.nan if step % 7 else -math.inf,
            "ok": step % 2 == 0,
            "mixed": step if step % 3 else step / 7,
        })

run = trackai.init(
    project="p", name="same", group="g", tags=["x", "ü"], notes="first",
    config={"lr": 0.1, "deep": {"a": [1, None]}},
)
log(run)
run.log({
    "text": "é\\n" * 3, "large": "x" * 20_000, "half": np.float16(0.1),
    "histogram": trackai.Histogram([1.0, 2.0, 2.0]),
}, step=400)
run.log({
    "image": trackai.Image(np.zeros((4, 4, 3), "uint8")),
    "table": trackai.Table(columns=["a", "b"], data=[[1, "x"], [None, 2.5]]),
})
run.log_system({"gpu": 0.5})
file = pathlib.Path("w.bin")
file.write_bytes(bytes(range(256)) * 20_000)
run.save(file)
run.config["later"] = {"x": 1}
run.summary["best"] = 0.25
run.alert("title", "text")
run.tags += ("late",)
run.finish()
with trackai.init(project="p", name="same", resume="must") as run:
    log(run)
"""

# What differs between two executions of a script.
_DIFFERENT = (
    (re.compile(rb'"[0-9a-f]{32}"'), b'"UID"'),
    (re.compile(rb"\b1[789][0-9]{14}\b"), b"TIME"),
    (re.compile(rb'"pid":[0-9]+'), b'"pid":PID'),
)


def exported(db_path: Path) -> list[bytes]:
    """The lines of an export, without identities, times and process ids."""
    data = subprocess.run(
        [sys.executable, "-m", "trackai.cli", "export", "--all", "--db", str(db_path)],
        capture_output=True,
        check=True,
    ).stdout
    for pattern, replacement in _DIFFERENT:
        data = pattern.sub(replacement, data)
    return data.splitlines()


def test_exports_are_the_same(
    run_python: Callable[..., object], server: Server, tmp_path: Path
) -> None:
    run_python(SCRIPT, TRACKAI_DB_PATH=str(tmp_path / "local.db"))
    local = exported(tmp_path / "local.db")
    assert len(local) > 20
    port = urlsplit(server.url).port
    assert port is not None
    # Other faults may let the run begin offline, where resume="must" is refused.
    with faulty_proxy(port, 3, Faults(0.5, 0, 0, 0, 0, 0, 0.3)) as proxy:
        run_python(
            SCRIPT,
            TRACKAI_SERVER_URL=f"http://127.0.0.1:{proxy.port}",
            TRACKAI_OUTBOX_PATH=str(tmp_path / "outbox"),
        )
    assert not list((tmp_path / "outbox").rglob("*.journal"))
    remote = exported(server.db_path)
    assert len(remote) == len(local)
    for of_server, of_file in zip(remote, local, strict=True):
        assert of_server == of_file
