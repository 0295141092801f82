"""The git repository of the script: commit, branch, changes.

git is not trusted to end: on a network file system it may hang, so every call has a time limit, and
`GitCommand.cancel` ends the current one. It runs none of the programs that a configuration may
name, writes nothing, and asks nothing.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trackai.settings import git_environment
from trackai.values.secrets import hide_secrets_in_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DIFF_BYTES = 1_000_000
MAX_UNTRACKED = 100
# How long one call of git may take.
_SECONDS = 30.0
_OPTIONS = (
    "--no-pager",
    "-c", "core.fsmonitor=false",
    "-c", f"core.hooksPath={os.devnull}",
    "-c", "protocol.allow=never",  # a partial clone would fetch
    "-c", "color.ui=false",
    "-c", "status.renames=false",
    "-c", "diff.noprefix=false",
    "-c", "diff.mnemonicPrefix=false",
)  # fmt: skip


class GitCommand:
    """Runs git in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._cancelled = threading.Event()

    def __call__(self, *arguments: str, limit: int = MAX_DIFF_BYTES) -> tuple[bytes, bool] | None:
        """Run a command of git.

        Args:
            limit: the largest number of bytes of its output to read.

        Returns:
            The output, and whether that is all of it; None if git failed, was cancelled, took too
            long or does not exist.
        """
        process = self._start(arguments)
        if process is None or process.stdout is None:
            return None
        timer = threading.Timer(_SECONDS, _kill, (process,))
        timer.daemon = True
        try:
            timer.start()
            with process.stdout:
                output = process.stdout.read(limit + 1)
            if len(output) > limit:
                _kill(process)
            ended_well = process.wait(_SECONDS) == 0
        except (OSError, subprocess.TimeoutExpired):
            return None
        except RuntimeError:  # the script has ended, and no thread can be started any more
            _kill(process)
            return None
        finally:
            timer.cancel()
        if len(output) > limit:
            return output[:limit], False
        return (output, True) if ended_well else None

    def text(self, *arguments: str) -> str | None:
        """Run a command whose output is one short text."""
        result = self(*arguments)
        return None if result is None else _decoded(result[0]).rstrip("\n") or None

    def cancel(self) -> None:
        """End the current call, and let all others fail. It never waits."""
        self._cancelled.set()
        if self._process is not None:
            _kill(self._process)

    def _start(self, arguments: tuple[str, ...]) -> subprocess.Popen[bytes] | None:
        if self._cancelled.is_set():
            return None
        try:
            self._process = process = subprocess.Popen(  # noqa: S603
                ["git", "-C", str(self.folder), *_OPTIONS, *arguments],  # noqa: S607
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=git_environment(),
                # Ctrl-C is for the script. What git has started is killed with it.
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except (OSError, ValueError):
            return None
        if self._cancelled.is_set():
            _kill(process)
        return process


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(OSError):
        if sys.platform == "win32":
            process.kill()
        elif process.poll() is None:  # otherwise another process may have its id
            os.killpg(process.pid, signal.SIGKILL)


def commit_facts(git: GitCommand) -> Iterator[tuple[str, Any]]:
    """Yield what takes milliseconds to find out; nothing outside a repository."""
    root = git.text("rev-parse", "--show-toplevel")
    if root is None:
        return
    git.folder = Path(root)
    if commit := git.text("rev-parse", "--quiet", "--verify", "HEAD^{commit}"):
        yield "git/commit", commit
    if branch := git.text("symbolic-ref", "--quiet", "--short", "HEAD"):
        yield "git/branch", branch
    remotes = git.text("config", "--get-regexp", r"^remote\..*\.url$") or ""
    urls = dict(line.split(" ", 1) for line in remotes.splitlines() if " " in line)
    if urls:
        yield "git/remote", urls.get("remote.origin.url", next(iter(urls.values())))


def change_facts(git: GitCommand) -> Iterator[tuple[str, Any]]:
    """Yield whether tracked files are changed, and which files are not tracked."""
    status = git(
        "status", "--porcelain", "-z", "--untracked-files=normal", "--ignore-submodules=dirty"
    )  # fmt: skip
    if status is None or not status[1]:
        return
    entries = [entry for entry in _decoded(status[0]).split("\0") if entry]
    untracked = [entry[3:] for entry in entries if entry.startswith("??")]
    yield "git/dirty", len(untracked) < len(entries)
    if untracked:
        yield "git/untracked", untracked[:MAX_UNTRACKED]
        yield "git/untracked_count", len(untracked)


def diff(git: GitCommand) -> tuple[bytes, bool] | None:
    """The changes since the last commit, without secrets, and whether these are all.

    Returns:
        None if there are none.
    """
    result = git(
        "diff", "--no-ext-diff", "--no-textconv", "--ignore-submodules=dirty", "HEAD", "--"
    )
    if result is None or not result[0]:
        return None
    output, is_complete = result
    if not is_complete:  # without the last line, of which a part is missing
        output = output[: output.rfind(b"\n") + 1]
    lines = output.decode(errors="surrogateescape").splitlines(keepends=True)
    return "".join(hide_secrets_in_lines(lines)).encode(errors="surrogateescape"), is_complete


def _decoded(output: bytes) -> str:
    return output.decode(errors="backslashreplace")
