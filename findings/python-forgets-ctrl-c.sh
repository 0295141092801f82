#!/usr/bin/env bash
# A script that Ctrl-C ends no longer dies of SIGINT if an exit handler imports a named tuple.
#
# Guess: what a function of `atexit` does changes the exit status only if it ends the process itself.
# An unhandled KeyboardInterrupt ends Python by SIGINT (128 + 2 in a shell), so that a shell stops
# the loop that ran the script, and a supervisor tells an interruption from a failure.
# Seen with Python 3.10.13, 3.11.7, 3.12.1 and 3.13.0: `eval` or `exec` of a string clears the note
# that the interrupt was not handled, and the process exits with status 1. `collections.namedtuple`
# calls `eval`, so importing shutil, or any module that defines a NamedTuple, is enough. The import
# of a module without one (here: colorsys) keeps the status.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 - "$folder" <<'PYTHON'
import subprocess
import sys
from pathlib import Path

script = Path(sys.argv[1], "script.py")


def status(at_exit: str) -> int:
    script.write_text(f"import atexit\n@atexit.register\ndef end():\n    {at_exit}\nraise KeyboardInterrupt\n")
    # -S -E: nothing that is installed has imported shutil before.
    command = [sys.executable, "-S", "-E", str(script)]
    return subprocess.run(command, stderr=subprocess.DEVNULL).returncode


print(f"Python {sys.version.split()[0]}")
found = {at_exit: status(at_exit) for at_exit in ("pass", "import colorsys", "import shutil", "eval('1')")}
for at_exit, code in found.items():
    print(f"{at_exit:16} {code}")
assert list(found.values()) == [-2, -2, 1, 1], "the behaviour has changed"
PYTHON
