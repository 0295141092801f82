"""Record docs/tour.md, and its beginning in the README: `python scripts/record_tour.py`.

Every command runs in a shell on a terminal of its own, in a new home folder; what it prints is what
the tour shows. A test records it again and compares.
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
    """What a part of the tour says, and the commands that show it."""

    text: str
    commands: tuple[str, ...]
    in_readme: bool = False


STOPS = (
    Stop(
        "A few runs to look at, and all of them in a table, the best first:",
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
        "What differs, and how they learned. On a terminal with colours each run has its own, and "
        "the lines are finer:",
        ("trackai compare 1 2", "trackai plot train/loss --runs 1 3 --log --height 10"),
        in_readme=True,
    ),
    Stop(
        "One run. It is the latest, or named by its id, its slug, `project/slug` or its name:",
        ("trackai show 1", "trackai plot val/accuracy 1 --height 8"),
    ),
    Stop(
        "Logging from a shell script, and following a run: what was logged last, then what comes, "
        "until it ends:",
        (
            'trackai log --run nightly loss=0.5 note="first try" --step 1',
            "trackai log --run nightly loss=0.25 --finish completed",
            "trackai tail nightly",
            "trackai tail nightly --json | tail -n 2 | head -n 1",
        ),
    ),
    Stop(
        "Waiting for a run, or for a condition; one that is not met is the exit code 4:",
        (
            'trackai wait 1 --until "val/accuracy > 0.9"',
            'trackai wait 1 --until "val/accuracy > 0.99"; echo "exit code $?"',
        ),
    ),
    Stop(
        "Tags, filters, and plain SQL that cannot change anything:",
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
        "Taking everything along. Runs have identities, so merging twice changes nothing:",
        (
            "trackai export 1 -o run.csv",
            "trackai backup copy.db",
            "trackai merge copy.db",
            "trackai doctor",
        ),
    ),
    Stop(
        "What goes wrong is one line that says what to do:",
        ("trackai show nihgtly", "trackai runs nope", "trackai delete 2 </dev/null"),
    ),
)


def record(stop: Stop, home: Path) -> str:
    """A part of the tour, in Markdown."""
    lines = []
    for command in stop.commands:
        lines += [f"$ {command}", *_run(command, home).splitlines()]
    shown = "\n".join(line.rstrip() for line in lines)
    return f"{stop.text}\n\n```text\n{shown}\n```\n"


def record_all() -> list[str]:
    """All parts, recorded anew one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        return [record(stop, Path(folder)) for stop in STOPS]


def _run(command: str, home: Path) -> str:
    """What a command prints on a terminal."""
    env = {
        "HOME": str(home), "TERM": "xterm", "NO_COLOR": "1", "LANG": "C.UTF-8", "TZ": "UTC",
        "COLUMNS": str(COLUMNS), "LINES": "40",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip
    main, side = pty.openpty()
    said = b""
    with subprocess.Popen(
        ["bash", "-c", command], cwd=home, env=env, stdin=side, stdout=side, stderr=side
    ):
        os.close(side)
        while True:
            try:
                data = os.read(main, 65_536)
            except OSError:  # all that held the other end have ended
                break
            if not data:
                break
            said += data
    os.close(main)
    text = said.decode().replace("\r\n", "\n").replace(str(home), "~")
    # A line that is written anew, as progress is, is what it is at last.
    return re.sub(r"[^\n]*\r(\x1b\[K)?", "", text)


# What is another each time, and what stands for it when two recordings are compared.
_VARYING = (
    (r"\b[a-z]+-[a-z]+-(\d+)\b", r"NAME-\1"),
    (r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)?", "TIME"),
    (r"\d\d:\d\d:\d\d", "TIME"),
    (r"\d+ (s|min|h|d) ago", "AGO"),
    (r"[\d.]+ (bytes|KB|MB|GB)\b", "SIZE"),
    (r"[\d.]+ s\b", "SECONDS"),
    (r" +", " "),  # tables are as wide as what is in them
)


def comparable(text: str) -> str:
    """A recording without what is another each time."""
    for pattern, instead in _VARYING:
        text = re.sub(pattern, instead, text)
    return text


def in_readme(parts: list[str]) -> str:
    """The parts that the README shows."""
    return "\n".join(part for part, stop in zip(parts, STOPS, strict=True) if stop.in_readme)


def main() -> None:
    """Record the tour, and write it where people read it."""
    parts = record_all()
    head = "# A tour of the terminal\n\nRecorded by `scripts/record_tour.py` from real commands.\n"
    TOUR.write_text("\n".join([head, *parts]), encoding="utf-8")
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(before + BEGIN + in_readme(parts) + END + after, encoding="utf-8")


if __name__ == "__main__":
    main()
