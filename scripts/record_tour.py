"""Record docs/tour.md and the excerpt in the README: `python scripts/record_tour.py`.

Each command runs in a shell on its own pseudo-terminal, with an empty home folder. The tour shows
its output. A test runs all commands again and compares the output.
"""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOUR = ROOT / "docs" / "tour.md"
README = ROOT / "README.md"
BEGIN, END = "<!-- tour: begin -->\n", "<!-- tour: end -->\n"
COLUMNS = 110


@dataclass(frozen=True)
class Stop:
    """A section of the tour: a sentence and the commands that follow it."""

    text: str
    commands: tuple[str, ...]
    in_readme: bool = False


STOPS = (
    Stop(
        "Create a few runs, and list them by their lowest validation loss:",
        (
            "trackai demo --runs 4",
            (
                "trackai runs demo --columns config.opt/lr,metric.val/loss.min"
                " --sort metric.val/loss.min --asc"
            ),
        ),
        in_readme=True,
    ),
    Stop(
        "Compare two runs and plot a metric. On a terminal with colours, each run has its own "
        "colour, and the lines are finer:",
        ("trackai compare 1 2", "trackai plot train/loss --runs 1 3 --log --height 10"),
    ),
    Stop(
        "Show one run. A run is given as an id, a slug, `project/slug`, a name or `latest`:",
        ("trackai show 1", "trackai plot val/accuracy 1 --height 8"),
    ),
    Stop(
        "Log from a shell script, and follow a run until it ends:",
        (
            'trackai log --run nightly loss=0.5 note="first try" --step 1',
            "trackai log --run nightly loss=0.25 --finish completed",
            "trackai tail nightly",
            "trackai tail nightly --json | tail -n 2 | head -n 1",
        ),
    ),
    Stop(
        "Wait for a run, or for a condition. The exit code is 4 if the condition is not met:",
        (
            'trackai wait 1 --until "val/accuracy > 0.9"',
            'trackai wait 1 --until "val/accuracy > 0.99"; echo "exit code $?"',
        ),
    ),
    Stop(
        "Tag runs, filter them, and query the database with read-only SQL:",
        (
            "trackai tag 1 baseline",
            (
                'trackai runs --filter "tag = baseline or config.opt/name = adam"'
                " --columns config.opt/name"
            ),
            (
                'trackai sql "SELECT run, metric, min, last FROM metric_overview'
                " WHERE metric = 'val/loss' ORDER BY min LIMIT 2\""
            ),
        ),
    ),
    Stop(
        "Export, back up and merge. Every run has a unique id, so merging twice changes nothing:",
        (
            "trackai export 1 -o run.csv",
            "trackai backup copy.db",
            "trackai merge copy.db",
            "trackai doctor",
        ),
    ),
    Stop(
        "An error is one line that says what to do:",
        ("trackai show nihgtly", "trackai runs nope", "trackai delete 2 </dev/null"),
    ),
)


def record(stop: Stop, home: Path) -> str:
    """Run the commands of a section; return it as Markdown."""
    lines = []
    for command in stop.commands:
        lines += [f"$ {command}", *_run(command, home).splitlines()]
    shown = "\n".join(line.rstrip() for line in lines)
    return f"{stop.text}\n\n```text\n{shown}\n```\n"


def record_all() -> list[str]:
    """Run all sections in order in one home folder; return each as Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        return [record(stop, Path(folder)) for stop in STOPS]


def _run(command: str, home: Path) -> str:
    """Run a command on a pseudo-terminal; return its output as text."""
    env = {
        "HOME": str(home), "TERM": "xterm", "NO_COLOR": "1", "LANG": "C.UTF-8", "TZ": "UTC",
        "COLUMNS": str(COLUMNS), "LINES": "40",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip
    main, side = pty.openpty()
    output = b""
    with subprocess.Popen(
        ["bash", "-c", command], cwd=home, env=env, stdin=side, stdout=side, stderr=side
    ):
        os.close(side)
        while True:
            try:
                data = os.read(main, 65_536)
            except OSError:  # every process with the other end open has exited
                break
            if not data:
                break
            output += data
    os.close(main)
    text = output.decode().replace("\r\n", "\n").replace(str(home), "~")
    # Keep only the last version of a line that is rewritten in place, such as progress.
    return re.sub(r"[^\n]*\r(\x1b\[K)?", "", text)


# Parts of the output that differ in each recording, with the text that replaces them.
_VARYING = (
    (r"\b[a-z]+-[a-z]+-(\d+)\b", r"NAME-\1"),
    (r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)?", "TIME"),
    (r"\d\d:\d\d:\d\d", "TIME"),
    (r"\d+ (s|min|h|d) ago", "AGO"),
    (r"[\d.]+ (bytes|KB|MB|GB)\b", "SIZE"),
    (r"[\d.]+ s\b", "SECONDS"),
    (r" +", " "),  # the columns of a table are as wide as their contents
)


def comparable(text: str) -> str:
    """Replace the parts of a recording that differ each time."""
    for pattern, instead in _VARYING:
        text = re.sub(pattern, instead, text)
    return text


def in_readme(parts: list[str]) -> str:
    """Join the sections that the README shows."""
    return "\n".join(part for part, stop in zip(parts, STOPS, strict=True) if stop.in_readme)


def main() -> None:
    """Record the tour; write docs/tour.md and the excerpt in the README."""
    parts = record_all()
    head = (
        "# A tour of the terminal\n\n"
        "`scripts/record_tour.py` records this page from real commands.\n"
    )
    TOUR.write_text("\n".join([head, *parts]), encoding="utf-8")
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(before + BEGIN + in_readme(parts) + END + after, encoding="utf-8")


if __name__ == "__main__":
    main()
