"""Train with real frameworks, and check what their integrations have logged.

    python scripts/check_integrations.py --python ENVIRONMENT/bin/python [NAME ...]

Each check is a module of `scripts/integration_checks`, which runs in a process of its own with an
empty database. It trains a tiny model on a CPU, with data that it makes up, and compares the run
with what the framework itself reports, point by point. The environment needs the frameworks and
the dependencies of TrackAI; this checkout is used as the package.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHECKS = ROOT / "scripts" / "integration_checks"
# How long a check may take, in seconds.
_TIMEOUT = 900


def names() -> list[str]:
    """The names of all checks."""
    return sorted(path.stem for path in CHECKS.glob("[!_]*.py"))


def run(name: str, python: str) -> subprocess.CompletedProcess[str]:
    """Run a check in an empty folder."""
    with tempfile.TemporaryDirectory(prefix=f"check-{name}-") as folder:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": folder,
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            "TRACKAI_DB_PATH": f"{folder}/trackai.db",
            "TRACKAI_SILENT": "1",
            "TRACKAI_AUTO_LOG": "0",  # only what the integration logs
            "CUDA_VISIBLE_DEVICES": "",
            "HF_HUB_OFFLINE": "1",
            "RAY_USAGE_STATS_ENABLED": "0",
            "YOLO_CONFIG_DIR": folder,
            "OMP_NUM_THREADS": "1",
            "TOKENIZERS_PARALLELISM": "false",
        }
        return subprocess.run(
            [python, "-m", f"scripts.integration_checks.{name}"],
            cwd=folder,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TIMEOUT,
        )


def main() -> None:
    """Run the checks, and print a line for each."""
    parser = argparse.ArgumentParser(description="Check integrations with real frameworks.")
    parser.add_argument("--python", default=sys.executable, help="of the environment to use")
    parser.add_argument("--verbose", action="store_true", help="print the output of all checks")
    parser.add_argument("names", nargs="*", help=f"which checks; default {', '.join(names())}")
    arguments = parser.parse_args()
    failed = []
    for name in arguments.names or names():
        start = time.monotonic()
        result = run(name, arguments.python)
        if result.returncode or arguments.verbose:
            print(result.stdout)
        checked = [line for line in result.stdout.splitlines() if line.startswith("checked: ")]
        status = "failed" if result.returncode else "passed"
        print(f"{name:20} {status} in {time.monotonic() - start:.0f} s")
        for line in checked:
            print(f"  {line.removeprefix('checked: ')}")
        if result.returncode:
            failed.append(name)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
