"""Shell completion, and errors about unknown commands, options and values."""

from __future__ import annotations

import os
import pty
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import trackai as sdk

if TYPE_CHECKING:
    from tests.cli.conftest import Trackai

BASH = shutil.which("bash") or "bash"


@pytest.fixture
def shell_env(db_path: Path) -> dict[str, str]:
    """An environment in which a shell finds `trackai`."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "TERM": "dumb", "HISTFILE": ""}


@pytest.fixture
def some_runs(db_path: Path) -> None:
    for project, name in (("My project", "one"), ("My project", "two"), ("Other", "two")):
        with sdk.init(project=project, name=name) as run:
            run.log({"loss": 1.0, "val/acc": 0.5})


def offered(line: str, env: dict[str, str]) -> list[str]:
    """The completions of bash for a line."""
    words = shlex.split(line) + ([""] if line.endswith(" ") else [])
    script = f"""
        source <(trackai completion bash)
        COMP_WORDS=({shlex.join(words)})
        COMP_CWORD={len(words) - 1}
        {"$"}(complete -p trackai | sed 's/.*-F \\([^ ]*\\) .*/\\1/') trackai
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        [BASH, "--norc", "-c", script], env=env, capture_output=True, text=True, check=True,
        timeout=60,
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout.split()


def test_commands_and_options(shell_env: dict[str, str]) -> None:
    assert offered("trackai com", shell_env) == ["compare", "completion"]
    assert set(offered("trackai ", shell_env)) >= {"runs", "show", "tail", "plot", "serve"}
    assert offered("trackai runs --col", shell_env) == ["--columns"]
    assert offered("trackai runs --state ", shell_env) == ["running", "completed", "failed"]
    assert offered("trackai import ne", shell_env) == ["neptune"]


def test_runs_projects_and_metrics(some_runs: None, shell_env: dict[str, str]) -> None:
    everything = ["latest", "other/two", "my-project/two", "one"]
    assert offered("trackai show ", shell_env) == everything
    assert offered("trackai compare latest o", shell_env) == ["other/two", "one"]
    assert offered("trackai tag my-project/", shell_env) == ["my-project/two", "my-project/one"]
    assert offered("trackai plot loss --runs ", shell_env) == everything
    assert offered("trackai plot val", shell_env) == ["val/acc"]
    assert offered("trackai runs m", shell_env) == ["my-project"]
    assert offered("trackai move one ot", shell_env) == ["other"]
    assert offered("trackai export --project ", shell_env) == ["other", "my-project"]


def test_completion_without_a_database(
    shell_env: dict[str, str], db_path: Path, tmp_path: Path
) -> None:
    assert offered("trackai show ", shell_env) == []
    assert not db_path.exists()
    file = tmp_path / "other.txt"
    file.write_text("no database")
    assert offered(f"trackai show --db {file} ", shell_env) == []


def test_completion_in_an_interactive_shell(shell_env: dict[str, str], db_path: Path) -> None:
    with sdk.init(project="p", name="only-run") as run:
        run.log({"loss": 1.0})
    main, side = pty.openpty()
    with subprocess.Popen(
        [BASH, "--norc", "--noprofile", "-i"], stdin=side, stdout=side, stderr=side, env=shell_env,
        start_new_session=True,
    ) as bash:  # fmt: skip
        os.close(side)
        os.write(main, b"source <(trackai completion bash); echo rea''dy\n")
        _read_until(main, "ready")
        os.write(main, b"trackai sho\tonl\t--json\n")
        assert f'"id":{run.id}' in _read_until(main, f'"id":{run.id}').replace(" ", "")
        os.write(main, b"exit\n")
        bash.wait(20)
    os.close(main)


def _read_until(terminal: int, text: str) -> str:
    output = ""
    deadline = time.monotonic() + 60
    while text not in output.replace(" ", ""):
        assert time.monotonic() < deadline, output
        output += os.read(terminal, 10_000).decode(errors="replace")
    return output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_all_shells_have_a_script(trackai: Trackai, shell: str) -> None:
    out = trackai("completion", shell).out
    assert "_trackai_completion" in out
    assert f"_TRACKAI_COMPLETE={shell}_complete" in out
    assert shell in trackai("completion", "-h").out


def test_unknown_commands_options_and_values(trackai: Trackai) -> None:
    for arguments, message in (
        (["rusn"], "did you mean run or runs"),
        (["list", "runs"], "trackai projects and trackai runs"),
        (["nonsense"], "unknown command 'nonsense' (see trackai --help)"),
        (["show"], "RUN"),
        (["runs", "--limt", "3"], "--limit"),
        (["completion", "ksh"], "'bash', 'zsh', 'fish'"),
    ):
        error = trackai(*arguments, code=2).err
        assert message in error
        assert error.startswith("trackai: ")
        assert error.count("\n") == 1
