"""Locks between processes: held until they are released or their process ends."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import anyio
import pytest

from trackai import locks
from trackai.errors import StoreUnreachableError
from trackai.locks import create_locked, exclusive, process_exists, sync, sync_folder, try_lock
from trackai.store.engine.database import Database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOLD = """
import os, sys
from trackai.locks import create_locked, try_lock
if sys.argv[1] == "make":
    create_locked(__import__("pathlib").Path(sys.argv[2]), b"first")
else:
    assert try_lock(os.open(sys.argv[2], os.O_RDWR))
print("held", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "file").touch()
    return tmp_path / "file"


@pytest.fixture(params=["make", "open"])
def holder(path: Path, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    """Another process that has locked the file."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, request.param, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def is_free(path: Path) -> bool:
    fd = os.open(path, os.O_RDWR)
    try:
        return try_lock(fd)
    finally:
        os.close(fd)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, None])
def test_a_lock_ends_with_its_process(
    path: Path, holder: subprocess.Popen[str], end: signal.Signals | None
) -> None:
    assert not is_free(path)
    assert not is_free(path)  # the attempt has no effect
    if end is None:
        holder.communicate("\n", timeout=60)
    else:
        holder.send_signal(end)
        holder.wait(timeout=60)
    assert is_free(path)


def test_two_handles_of_one_process_exclude_each_other(path: Path) -> None:
    with path.open("rb+") as file:
        assert try_lock(file.fileno())
        assert try_lock(file.fileno())
        assert not is_free(path)
        with path.open("rb"):
            pass  # closing another handle does not release the lock
        assert not is_free(path)
    assert is_free(path)


async def test_exclusive_creates_the_file_and_releases_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "deeper" / "lock"
    for _ in range(2):
        async with exclusive(path):
            assert not is_free(path)
        assert is_free(path)
    with pytest.raises(ZeroDivisionError):
        async with exclusive(path):
            _ = 1 / 0
    assert is_free(path)


async def test_exclusive_releases_a_lock_that_a_fork_has_inherited(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    reading, writing = os.pipe()
    async with exclusive(path):
        child = os.fork()
        if child == 0:  # as a worker forked by a library in another thread
            os.read(reading, 1)
            os._exit(0)
    try:
        assert is_free(path)
    finally:
        os.write(writing, b".")
        os.waitpid(child, 0)
        os.close(reading)
        os.close(writing)


async def test_exclusive_does_not_wait_without_support_for_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(fd: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuses)
    with pytest.raises(OSError, match="No locks available"):
        async with exclusive(tmp_path / "lock"):
            pass
    with pytest.raises(StoreUnreachableError, match="No locks available"):
        await Database(tmp_path / "t.db").open()


async def test_exclusive_waits_for_tasks_of_this_event_loop(path: Path) -> None:
    inside, most, turns = 0, 0, 0

    async def work() -> None:
        nonlocal inside, most, turns
        async with exclusive(path):
            inside += 1
            most = max(most, inside)
            await anyio.sleep(0)
            inside -= 1
            turns += 1

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(work)
    assert (most, turns) == (1, 10)


async def test_exclusive_waits_for_other_processes_and_may_be_cancelled(
    path: Path, holder: subprocess.Popen[str]
) -> None:
    async def hold() -> None:
        async with exclusive(path):
            pass

    with anyio.move_on_after(0.05) as scope:
        await hold()
    assert scope.cancelled_caught
    holder.kill()
    await hold()
    assert is_free(path)


def test_a_created_file_is_locked_and_replaces_another(path: Path) -> None:
    path.write_bytes(b"before")
    fd = create_locked(path, b"first")
    os.write(fd, b", appended")
    assert not is_free(path)
    assert path.read_bytes() == b"first, appended"
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    sync(fd)
    sync_folder(path.parent)
    os.close(fd)
    assert is_free(path)


def test_a_new_file_that_another_process_locks_first_is_created_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = path.with_name(path.name + locks.UNBORN)
    taken: list[int] = []

    def be_late(fd: int) -> bool:
        if len(taken) < 2:
            taken.append(os.open(new, os.O_RDWR))
            assert try_lock(taken[-1])
        return try_lock(fd)

    monkeypatch.setattr(locks, "try_lock", be_late)
    fd = create_locked(path, b"first")
    for other_fd in taken:
        os.close(other_fd)
    assert os.path.samestat(os.fstat(fd), path.stat())
    assert path.read_bytes() == b"first"
    assert not is_free(path)
    os.close(fd)

    monkeypatch.setattr(locks, "try_lock", lambda _: False)
    with pytest.raises(OSError, match="lock"):
        create_locked(path, b"again")
    assert path.read_bytes() == b"first"
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_failed_creation_leaves_no_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError):
        create_locked(path.parent / "none" / "file", b"first")

    def fail(_: int) -> bool:
        raise OSError("no locks here")

    monkeypatch.setattr(locks, "try_lock", fail)
    path.write_bytes(b"before")
    with pytest.raises(OSError, match="no locks here"):
        create_locked(path, b"first")
    assert path.read_bytes() == b"before"
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_which_processes_exist() -> None:
    assert process_exists(os.getpid())
    assert process_exists(1)
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    assert not process_exists(ended.pid)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot choose the number")
def test_locked_files_have_numbers_above_those_of_closed_standard_streams(path: Path) -> None:
    """A program in C may print to 1 and 2, and one that redirects them closes what is there."""
    script = f"""
import os, pathlib
from trackai.locks import create_locked, open_lock, try_lock
path = pathlib.Path({str(path)!r})
for number in (0, 1, 2):
    os.close(number)
fds = [create_locked(path, b"first"), open_lock(path), open_lock(path, create=False)]
path.with_name("numbers").write_text(repr(fds))
assert min(fds) > 2, fds
assert not any(map(os.get_inheritable, fds))
assert not try_lock(fds[1])
"""
    result = subprocess.run([sys.executable, "-c", script], check=False)
    assert result.returncode == 0, path.with_name("numbers").read_text()
