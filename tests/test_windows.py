"""The Windows code paths, simulated on Unix without `fcntl` and `fork`.

Locks use `flock`; as on Windows, they belong to the open file. An open file cannot be removed or
renamed.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

WINDOWS = """
import fcntl, os, signal, sys, types
import anyio, anyio.from_thread, anyio._backends._asyncio, aiosqlite, msgspec  # need fcntl on Unix

def locking(fd, mode, count):
    assert os.lseek(fd, 0, os.SEEK_CUR) < 1 << 31
    flock(fd, exclusive)

flock, exclusive = fcntl.flock, fcntl.LOCK_EX | fcntl.LOCK_NB
sys.modules["msvcrt"] = types.SimpleNamespace(locking=locking, LK_NBLCK=2)
sys.modules["fcntl"] = None
os.O_BINARY = 0
del os.register_at_fork, os.fork, os.fdatasync

def unless_open(function):
    def checked(path, *args, **kwargs):
        for fd in os.listdir("/proc/self/fd"):
            try:
                is_open = os.readlink(f"/proc/self/fd/{fd}") == os.path.realpath(path)
            except FileNotFoundError:
                continue
            if is_open:
                raise PermissionError(13, "it is open", str(path))
        return function(path, *args, **kwargs)
    return checked

for name in ("unlink", "rename", "replace"):
    setattr(os, name, unless_open(getattr(os, name)))
platform, sys.platform = sys.platform, "win32"
import trackai.locks
sys.platform = platform
import trackai
from trackai.ingest import journal
journal.JournalWriter.__init__.__kwdefaults__["rotate_bytes"] = 4000
"""


def run(db_path: Path, script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WINDOWS + textwrap.dedent(script)],
        env={**os.environ, "TRACKAI_DB_PATH": str(db_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def stored(db_path: Path) -> list[tuple[str, int]]:
    with closing(sqlite3.connect(db_path)) as connection:
        return connection.execute("SELECT state, points FROM run_overview ORDER BY id").fetchall()


def test_run_is_logged_and_finished(db_path: Path) -> None:
    result = run(
        db_path,
        """
        with trackai.init(project="p", durability="power") as run:
            for step in range(1000):
                run.log({"x": step})
        """,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert stored(db_path) == [("completed", 1000)]
    assert not list(db_path.parent.glob("*-spool/*.journal*"))


def test_journal_of_a_killed_process_is_recovered(db_path: Path) -> None:
    log = """
        import os, signal
        run = trackai.init(project="p")
        for step in range(1000):
            run.log({"x": step})
        os.kill(os.getpid(), signal.SIGKILL)
    """
    assert run(db_path, log).returncode == -signal.SIGKILL
    result = run(db_path, "trackai.init(project='p').finish()")
    assert (result.returncode, result.stderr) == (0, "")
    assert stored(db_path) == [("failed", 1000), ("completed", 0)]
    assert run(db_path, log).returncode == -signal.SIGKILL
    # A damaged journal is renamed.
    with max(db_path.parent.glob("*-spool/*.journal")).open("ab") as file:
        file.write(b"\x01" * 100)
    recovering = """
        import asyncio, sys
        from pathlib import Path
        from trackai.ingest.recovery import recover
        from trackai.store.engine.database import Database

        async def main():
            db = Database(Path(os.environ["TRACKAI_DB_PATH"]))
            await recover(db)
            await db.close()

        asyncio.run(main())
    """
    result = run(db_path, recovering)
    assert result.returncode == 0, result.stderr
    assert stored(db_path)[-1] == ("failed", 1000)
    assert not list(db_path.parent.glob("*-spool/*.journal"))


def test_journal_of_a_live_run_is_locked(db_path: Path) -> None:
    result = run(
        db_path,
        """
        import subprocess
        from pathlib import Path
        run = trackai.init(project="p", name="r")
        run.log({"x": 1.0})
        [path] = Path(os.environ["TRACKAI_DB_PATH"] + "-spool").glob("*.journal")
        fd = os.open(path, os.O_RDWR)
        assert not trackai.locks.try_lock(fd)
        os.close(fd)
        run.finish()
        """,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert stored(db_path) == [("completed", 1)]
