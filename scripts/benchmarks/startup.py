"""Import TrackAI and start a run in a new process; print the CPU time and the memory as JSON.

The argument is the path of a database. Without it, only the dependencies are imported. With
"server", a server with nothing but them answers a request.
"""

import json
import sys
import time

# Their import is the baseline of the import of TrackAI.
DEPENDENCIES = ("msgspec", "anyio", "aiosqlite")
UNWANTED = ("starlette", "uvicorn", "numpy")


def main() -> None:
    """Measure and print."""
    # The CPU time of all threads: on a busy machine, the duration says little.
    started = time.process_time()
    if sys.argv[1:] == ["server"]:
        import asyncio

        result = {"memory": asyncio.run(_serve())}
    elif len(sys.argv) == 1:
        for name in DEPENDENCIES:
            __import__(name)
        result = {"import": time.process_time() - started}
    else:
        import trackai

        init = trackai.init  # the first access imports what it needs
        imported = time.process_time()
        init(project="bench", db_path=sys.argv[1])
        ready = time.process_time()
        trackai.log({"loss": 0.5})
        trackai.finish()
        result = {
            "import": imported - started,
            "init": ready - imported,
            "unwanted": sum(name in sys.modules for name in UNWANTED),
        }
    print(json.dumps(result))


async def _serve() -> float:
    """Answer a request with Starlette, uvicorn and aiosqlite; return the memory in MB."""
    import asyncio
    import os

    import aiosqlite
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    from scripts.benchmarks.harness import Client, resident_memory

    async def health(_: Request) -> JSONResponse:
        async with aiosqlite.connect(":memory:") as conn:
            return JSONResponse(list(*await conn.execute_fetchall("SELECT 1")))

    config = uvicorn.Config(
        Starlette(routes=[Route("/health", health)]), port=0, ws="none", log_level="warning"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    await asyncio.to_thread(Client("127.0.0.1", port).get, "/health")
    memory = resident_memory(os.getpid())
    server.should_exit = True
    await serving
    return memory


if __name__ == "__main__":
    main()
