"""Import TrackAI and start a run in a new process; print the durations as JSON.

The argument is the path of a database; without it, only the dependencies are imported.
"""

import json
import sys
import time

# Their import is the baseline of the import of TrackAI.
DEPENDENCIES = ("msgspec", "anyio", "aiosqlite")
UNWANTED = ("starlette", "uvicorn", "numpy")


def main() -> None:
    """Measure and print."""
    started = time.perf_counter()
    if len(sys.argv) == 1:
        for name in DEPENDENCIES:
            __import__(name)
        result = {"import": time.perf_counter() - started}
    else:
        import trackai

        init = trackai.init  # the first access imports what it needs
        imported = time.perf_counter()
        init(project="bench", db_path=sys.argv[1])
        ready = time.perf_counter()
        trackai.log({"loss": 0.5})
        trackai.finish()
        result = {
            "import": imported - started,
            "init": ready - imported,
            "unwanted": sum(name in sys.modules for name in UNWANTED),
        }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
