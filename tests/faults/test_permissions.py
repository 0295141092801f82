"""Databases of other users: read without the permission to write, or shared by a group."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="needs root, to be several users"
)

OWNER, COLLEAGUE, GROUP = 2001, 2002, 3000


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that every user may enter and write; `tmp_path` belongs to one user."""
    folder = Path(tempfile.mkdtemp(prefix="trackai-shared-"))
    folder.chmod(0o777)
    yield folder
    folder.chmod(0o700)
    shutil.rmtree(folder)


# Other users may not be allowed to read the interpreter's own files: all modules are loaded first.
AS_USER = """
import importlib, os, pkgutil, socket, sys, tempfile
user, group, umask, arguments, script = {user}, {group}, {umask}, {arguments!r}, {script!r}
os.environ["HOME"] = "/nonexistent"
import trackai, anyio._backends._asyncio, encodings.idna, multiprocessing
import stringprep, uvicorn.lifespan.on, uvicorn.loops.auto, uvicorn.loops.asyncio
for module in pkgutil.walk_packages(trackai.__path__, "trackai."):
    if not module.name.endswith(".__main__"):
        try:
            importlib.import_module(module.name)
        except ImportError:
            pass
with tempfile.TemporaryDirectory() as folder:
    run = trackai.init(project="w", db_path=folder + "/w.db")
    run.log({{"x": 1}})
    run.finish()
    trackai.Api(folder + "/w.db").run("latest").history()
socket.getaddrinfo("localhost", 80)
os.chdir("/")
os.umask(umask); os.setgroups([]); os.setgid(group); os.setuid(user)
if script is not None:
    exec(script)
else:
    from trackai.cli import main
    main(arguments)
"""


def start(
    user: int,
    script: str | None = None,
    *,
    arguments: list[str] | None = None,
    group: int | None = None,
    umask: int = 0o022,
) -> subprocess.Popen[str]:
    code = AS_USER.format(
        user=user,
        group=user if group is None else group,
        umask=umask,
        arguments=arguments,
        script=None if script is None else textwrap.dedent(script),
    )
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(user: int, script: str, *, check: bool = True, **options: Any) -> tuple[str, str, int]:
    process = start(user, script, **options)
    stdout, stderr = process.communicate(timeout=120)
    assert not check or process.returncode == 0, stderr
    return stdout, stderr, process.returncode


def cli(user: int, *commands: list[object]) -> list[tuple[str, str, int]]:
    """The output, the errors and the exit codes of commands."""
    texts = [list(map(str, command)) for command in commands]
    out, _, _ = run(
        user,
        f"""
        import contextlib, io, json, sys
        from trackai.cli import main
        results = []
        for command in {texts!r}:
            out, err = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True), io.StringIO()
            code = 0
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                try:
                    main(command)
                except SystemExit as ended:
                    code = ended.code or 0
            results.append((out.buffer.getvalue().decode(), err.getvalue(), code))
        print(json.dumps(results))
        """,
    )
    return [tuple(result) for result in json.loads(out)]


def log(path: Path, *values: int, ending: str = "run.finish()") -> str:
    return f"""
        import os, signal, sys, time, trackai
        run = trackai.init(project="p", name="a", db_path={str(path)!r})
        for value in {values!r}:
            run.log({{"x": value}})
        run.log({{"table": trackai.Table(columns=["a"], data=[[1]])}})
        run._catch_up()
        print("ready", flush=True)
        {ending}
    """


def read(path: Path) -> str:
    return f"""
        import trackai
        runs = trackai.Api({str(path)!r}).runs()
        print([r.history()["x"].values for r in runs if r.name == "a"])
    """


def owners(folder: Path) -> set[tuple[str, int]]:
    return {(str(path.relative_to(folder)), path.stat().st_uid) for path in folder.rglob("*")}


@pytest.mark.parametrize("mode", [0o777, 0o755])
@pytest.mark.parametrize("state", ["finished", "live", "killed", "copied"])
def test_a_colleague_reads_and_changes_nothing(shared: Path, mode: int, state: str) -> None:
    path = shared / "t.db"
    writer = None
    if state == "finished":
        run(OWNER, log(path, 1, 2))
    else:
        writer = start(OWNER, log(path, 1, 2, ending="time.sleep(300)"))
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        if state != "live":
            writer.kill()
            writer.communicate()
    if state == "copied":  # without the index of the log
        (shared / "t.db-shm").unlink()
    os.chown(shared, OWNER, OWNER)
    shared.chmod(mode)
    before = owners(shared)
    try:
        assert run(COLLEAGUE, read(path))[0] == "[[1, 2]]\n"
        reading: list[list[object]] = [
            ["runs"], ["show", "latest"], ["plot", "x"], ["projects"], ["doctor"], ["config"],
            ["sql", "SELECT value FROM points WHERE metric = 'x'"], ["export", "1"],
            ["backup", Path(tempfile.gettempdir(), f"{shared.name}.copy.db")],
        ]  # fmt: skip
        writing: list[list[object]] = [
            ["tag", "1", "t"],
            ["delete", "1", "--yes"],
            ["rename", "1", "b"],
        ]
        results = cli(COLLEAGUE, *([*command, "--db", path] for command in [*reading, *writing]))
        for command, (out, err, code) in zip([*reading, *writing], results, strict=True):
            assert "Traceback" not in err
            if command in reading:
                assert code == 0 or command == ["doctor"], (command, err)
                continue
            assert (code, out) == (1, "")
            assert err.startswith(f"trackai: cannot write the database {path}")
            assert err.count("\n") == 1
        _, err, code = run(COLLEAGUE, log(path, 3), check=False)
        assert code == 1
        assert "StoreUnreachableError: cannot write the database" in err
        assert owners(shared) == before
    finally:
        if writer is not None:
            writer.kill()
            writer.communicate()
        for left in Path(tempfile.gettempdir()).glob(f"{shared.name}.copy.db*"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
    run(OWNER, log(path, 5))  # the colleague has left nothing in the way
    assert run(COLLEAGUE, read(path))[0] == "[[5], [1, 2]]\n"


def test_a_server_of_a_colleague_follows_the_owner(shared: Path) -> None:
    path = shared / "t.db"
    run(OWNER, log(path, 1))
    server = start(COLLEAGUE, arguments=["serve", "--port", "0", "--db", str(path)])
    try:
        assert server.stderr is not None
        url = server.stderr.readline().split()[2]

        def get(address: str) -> Any:
            with urllib.request.urlopen(url + address, timeout=30) as response:
                return json.load(response)

        assert [run["id"] for run in get("/api/runs")["runs"]] == [1]
        for number in range(2, 5):
            run(OWNER, log(path, number))
            assert len(get("/api/runs")["runs"]) == number
        [file, *_] = get("/api/runs/1/files")
        with urllib.request.urlopen(f"{url}/api/files/{file['id']}", timeout=30) as response:
            assert response.status == 200
        request = urllib.request.Request(f"{url}/api/runs/1", method="DELETE")
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=30)
        assert refused.value.code in {403, 503}
        refused.value.close()
        time.sleep(3)
    finally:
        server.terminate()
        _, err = server.communicate()
    assert err == ""


def test_a_reader_of_a_file_without_a_log_notices_a_writer(shared: Path) -> None:
    path = shared / "t.db"
    run(OWNER, log(path, 1))
    script = f"""
        import anyio, subprocess, sys
        from pathlib import Path
        from trackai.errors import StoreBusyError
        from trackai.store.catalogue import runs
        from trackai.store.engine.database import Database

        async def main():
            db = Database(Path({str(path)!r}))
            async with db.read() as conn:
                assert len(await runs.list_ids(conn, None)) == 1
            try:
                async with db.read() as conn:
                    print("read", flush=True)
                    sys.stdin.readline()
            except StoreBusyError as error:
                print(error, flush=True)
            async with db.read() as conn:
                print(len(await runs.list_ids(conn, None)), flush=True)
            await db.close()
        anyio.run(main)
    """
    reader = start(COLLEAGUE, script)
    assert reader.stdout is not None
    assert reader.stdout.readline() == "read\n"
    run(OWNER, log(path, 2))
    out, _ = reader.communicate("\n", timeout=60)
    assert out == f"{path} was changed while it was being read; try again\n2\n"


@pytest.mark.parametrize("ending", ["run.finish()", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_a_group_with_umask_002_logs_to_one_database(shared: Path, ending: str) -> None:
    folder = shared / "group"
    folder.mkdir()
    os.chown(folder, 0, GROUP)
    folder.chmod(0o2770)
    path = folder / "deep" / "t.db"
    options: dict[str, Any] = {"group": GROUP, "umask": 0o002}
    for number, user in enumerate((OWNER, COLLEAGUE, OWNER)):
        run(user, log(path, number, ending=ending), check=ending == "run.finish()", **options)
    run(COLLEAGUE, f"import trackai; trackai.init(db_path={str(path)!r}).finish()", **options)
    assert run(COLLEAGUE, read(path), **options)[0] == "[[2], [1], [0]]\n"
    for made in [path, *folder.rglob("*")]:
        status = made.stat()
        wanted = 0o070 if made.is_dir() else 0o060
        assert stat.S_IMODE(status.st_mode) & wanted == wanted, made
        assert status.st_gid == GROUP, made


def test_an_older_schema_is_named(shared: Path) -> None:
    path = shared / "t.db"
    run(OWNER, log(path, 1))
    run(OWNER, f"""
        import sqlite3
        c = sqlite3.connect({str(path)!r})
        [(latest,)] = c.execute("SELECT max(version) FROM schema_migrations").fetchall()
        c.execute("DELETE FROM schema_migrations WHERE version = ?", (latest,))
        c.commit(); c.close()
    """)  # fmt: skip
    [(_, err, code)] = cli(COLLEAGUE, ["runs", "--db", path])
    assert code == 1
    assert "has the schema of an earlier version" in err
    assert err.count("\n") == 1
