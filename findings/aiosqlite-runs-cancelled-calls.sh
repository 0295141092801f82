#!/usr/bin/env bash
# aiosqlite executes an INSERT that was cancelled before it began, and the next commit keeps it.
#
# Guess: a call that is cancelled while it waits for another one is dropped, as a call of
# asyncio.to_thread is that waits for a free thread.
# Seen with aiosqlite 0.22.1 (Python 3.11): the statement stays in the queue of the connection, and is
# executed after the one before it. After a TimeoutError, `rowcount` is lost and the row is in the
# open transaction: a retry and a commit store it twice. Likewise, a cancelled commit() commits.
# Roll back after every cancelled call; the rollback is queued behind it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check aiosqlite==0.22.1
cd "$folder"
env/bin/python - <<'PYTHON'
import asyncio
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import aiosqlite

free = threading.Event()


async def rows(db):
    return [row async for row in await db.execute("SELECT step FROM points ORDER BY rowid")]


async def cancel_while_waiting(call):
    """Start a call behind one that waits for `free`, cancel it, and let the other one end."""
    task = asyncio.ensure_future(call)
    await asyncio.sleep(0.1)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        print("cancelled,", end=" ")
    else:
        raise AssertionError("the call was not cancelled")
    free.set()


async def main(db):
    await db.create_function("wait", 0, free.wait)
    await db.execute("CREATE TABLE points (step INTEGER)")
    await db.commit()

    for after, expected in (("commit", [(1,), (1,)]), ("rollback", [(1,), (1,)])):
        free.clear()
        busy = asyncio.ensure_future(db.execute("SELECT wait()"))
        await asyncio.sleep(0.1)
        await cancel_while_waiting(db.execute("INSERT INTO points VALUES (1)"))
        await busy
        if after == "commit":
            await db.execute("INSERT INTO points VALUES (1)")
            await db.commit()
        else:
            await db.rollback()
        print(f"then {after}: {await rows(db)}")
        assert await rows(db) == expected

    await db.execute("INSERT INTO points VALUES (2)")
    free.clear()
    busy = asyncio.ensure_future(db.execute("SELECT wait()"))
    await asyncio.sleep(0.1)
    await cancel_while_waiting(db.commit())
    await busy
    await db.rollback()
    print(f"commit(), then rollback: {await rows(db)}")
    assert await rows(db) == [(1,), (1,), (2,)]


async def in_a_thread():
    called = []
    pool = ThreadPoolExecutor(1)
    free.clear()
    loop = asyncio.get_running_loop()
    busy = loop.run_in_executor(pool, free.wait)
    await cancel_while_waiting(loop.run_in_executor(pool, called.append, 1))
    await busy
    pool.shutdown()
    print("in a thread: calls made:", called)
    assert called == []


async def run():
    async with aiosqlite.connect("x.db") as db:
        await main(db)
    await in_a_thread()


asyncio.run(run())
assert sqlite3.connect("x.db").execute("SELECT count(*) FROM points").fetchone() == (3,)
PYTHON
