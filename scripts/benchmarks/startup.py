"""Import TrackAI and begin a run, in a process that has done nothing else; print the times."""

import json
import sys
import time

# What TrackAI cannot do without, imported the same way, is what its import is compared with.
NEEDED = ("msgspec", "anyio", "aiosqlite")
UNWANTED = ("starlette", "uvicorn", "numpy")


def main() -> None:
    """The argument is the database file; without one, only what is needed is imported."""
    started = time.perf_counter()
    if len(sys.argv) == 1:
        for name in NEEDED:
            __import__(name)
        result = {"import": time.perf_counter() - started}
    else:
        import trackai

        begin = trackai.init  # what it needs is imported when it is first asked for
        imported = time.perf_counter()
        begin(project="bench", db_path=sys.argv[1])
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
