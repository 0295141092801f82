"""What a run knows of its git repository, from real repositories and from a git that hangs."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from trackai.sdk import git as module
from trackai.sdk.git import GitCommand, change_facts, commit_facts, diff


@pytest.fixture(autouse=True)
def no_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "a")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "a@example.com")


def call_git(folder: Path, *arguments: str) -> str:
    answer = subprocess.run(
        ["git", "-C", folder, *arguments], check=True, capture_output=True, text=True
    )
    return answer.stdout.strip()


def make_repository(folder: Path, *, commit: bool = True) -> Path:
    folder.mkdir(exist_ok=True)
    call_git(folder, "init", "--quiet", "--initial-branch", "main")
    if commit:
        (folder / "train.py").write_text("lr = 1\n")
        call_git(folder, "add", ".")
        call_git(folder, "commit", "--quiet", "--message", "first")
    return folder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "repository")


def facts(folder: Path) -> dict[str, Any]:
    git = GitCommand(folder)
    found = dict(commit_facts(git))
    return found | dict(change_facts(git)) if found else {}


def test_a_clean_repository(repository: Path) -> None:
    call_git(repository, "remote", "add", "fork", "https://example.com/fork")
    call_git(repository, "remote", "add", "origin", "git@example.com:a/b.git")
    (repository / "folder").mkdir()
    assert facts(repository / "folder") == {
        "git/commit": call_git(repository, "rev-parse", "HEAD"),
        "git/branch": "main",
        "git/remote": "git@example.com:a/b.git",
        "git/dirty": False,
    }
    assert diff(GitCommand(repository)) is None


def test_changed_and_untracked_files(repository: Path) -> None:
    (repository / "train.py").write_text("lr = 2\npassword = 'hunter2'\n")
    for number in range(module.MAX_UNTRACKED + 20):
        (repository / f"ä new {number:03}.py").touch()
    found = facts(repository)
    assert found["git/dirty"] is True
    assert found["git/untracked"][:2] == ["ä new 000.py", "ä new 001.py"]
    assert len(found["git/untracked"]) == module.MAX_UNTRACKED
    assert found["git/untracked_count"] == module.MAX_UNTRACKED + 20
    changes = diff(GitCommand(repository))
    assert changes is not None
    text, is_complete = changes
    assert is_complete
    assert b"--- a/train.py\n+++ b/train.py\n@@ -1 +1,2 @@\n-lr = 1\n+lr = 2\n" in text
    assert text.endswith(b"+password = '***'\n")


def test_only_untracked_files_do_not_make_it_dirty(repository: Path) -> None:
    (repository / "new.py").touch()
    assert facts(repository)["git/dirty"] is False


def test_staged_and_renamed_files_make_it_dirty(repository: Path) -> None:
    call_git(repository, "mv", "train.py", "other.py")
    assert facts(repository)["git/dirty"] is True
    assert "git/untracked" not in facts(repository)


def test_a_detached_head_has_no_branch(repository: Path) -> None:
    call_git(repository, "checkout", "--quiet", "--detach")
    found = facts(repository)
    assert "git/branch" not in found
    assert found["git/commit"] == call_git(repository, "rev-parse", "HEAD")


def test_a_repository_without_commits(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "empty", commit=False)
    assert facts(folder) == {"git/branch": "main", "git/dirty": False}
    (folder / "x").touch()
    call_git(folder, "add", "x")
    assert facts(folder)["git/dirty"] is True
    assert diff(GitCommand(folder)) is None


def test_a_worktree_has_its_own_branch(repository: Path, tmp_path: Path) -> None:
    call_git(repository, "worktree", "add", "--quiet", str(tmp_path / "tree"), "-b", "topic")
    (tmp_path / "tree" / "train.py").write_text("lr = 3\n")
    assert facts(tmp_path / "tree")["git/branch"] == "topic"
    assert facts(tmp_path / "tree")["git/dirty"] is True
    assert facts(repository)["git/dirty"] is False


def test_a_folder_without_a_repository_and_none_at_all(tmp_path: Path) -> None:
    assert facts(tmp_path) == {}
    assert facts(tmp_path / "missing") == {}


def test_variables_of_another_repository_do_not_matter(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_repository(tmp_path / "other", commit=False)
    commit = call_git(repository, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / "index"))
    assert facts(repository)["git/commit"] == commit


def test_without_git_there_are_no_facts(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert facts(repository) == {}


def test_nothing_of_a_configuration_is_run_and_nothing_is_written(
    repository: Path, tmp_path: Path
) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/was-run\n")
    program.chmod(0o755)
    for name in ("core.fsmonitor", "diff.external", "core.pager", "diff.x.textconv"):
        call_git(repository, "config", name, str(program))
    call_git(repository, "config", "pager.diff", "true")
    (repository / ".gitattributes").write_text("*.py diff=x\n")
    hooks = repository / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    shutil.copy(program, hooks / "post-index-change")
    os.utime(repository / "train.py", (1, 1))  # git would refresh its index
    index = (repository / ".git" / "index").read_bytes()
    (repository / "train.py").write_text("lr = 2\n")
    assert facts(repository)["git/dirty"] is True
    assert diff(GitCommand(repository)) is not None
    assert not (tmp_path / "was-run").exists()
    assert (repository / ".git" / "index").read_bytes() == index


def test_the_form_of_a_diff_does_not_depend_on_the_configuration(repository: Path) -> None:
    (repository / "train.py").write_text("lr = 2\n")
    plain = diff(GitCommand(repository))
    for name, value in (
        ("color.ui", "always"), ("diff.noprefix", "true"), ("diff.mnemonicPrefix", "true"),
    ):  # fmt: skip
        call_git(repository, "config", name, value)
    assert diff(GitCommand(repository)) == plain


def test_a_long_diff_is_cut_off_at_a_line(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "train.py").write_text("".join(f"x = {n}\n" for n in range(500_000)))
    changes = diff(GitCommand(repository))
    assert changes is not None
    content, is_complete = changes
    assert not is_complete
    assert module.MAX_DIFF_BYTES - 100 < len(content) <= module.MAX_DIFF_BYTES
    assert content.endswith(b"\n")


def test_bytes_that_are_not_utf_8_stay(repository: Path) -> None:
    (repository / "train.py").write_bytes(b"# \xff\n")
    changes = diff(GitCommand(repository))
    assert changes is not None
    assert b"+# \xff\n" in changes[0]


@pytest.fixture
def hanging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git that never ends, and starts another program that never ends."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "git").write_text(f"#!/bin/sh\necho $$ > {folder}/pid\nsleep 1000\n")
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists() or not path.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def has_processes(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_git_that_hangs_is_killed_after_its_time(
    hanging: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SECONDS", 0.5)
    start = time.monotonic()
    assert facts(tmp_path) == {}
    assert time.monotonic() - start < 20
    assert (hanging / "pid").exists()


def test_a_git_that_hangs_can_be_cancelled_with_what_it_started(
    hanging: Path, tmp_path: Path
) -> None:
    git = GitCommand(tmp_path)
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(git("status")))
    thread.start()
    wait_for(hanging / "pid")
    git.cancel()
    thread.join(20)
    assert results == [None]
    assert git("status") is None  # at once
    group = int((hanging / "pid").read_text())
    deadline = time.monotonic() + 20
    while has_processes(group):
        assert time.monotonic() < deadline
        time.sleep(0.01)
