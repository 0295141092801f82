"""What a run records about where it runs, however it ends and wherever it is stored."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

import trackai
from tests.sdk.test_git import make_repository
from trackai.sdk import environment
from trackai.sdk.environment import code_folder, gpu_facts, packages, process_facts
from trackai.store.catalogue.files import find_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Server

SCRIPT = """
import sys, time, trackai
run = trackai.init(project="p", name="r", resume="allow")
run.log({"loss": 1})
"""
# Until everything is gathered.
GATHERED = "run._survey._thread.join()\n"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRACKAI_AUTO_LOG", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "a")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "a@example.com")
    return make_repository(tmp_path / "repository")


def run_script(
    folder: Path, script: str, *arguments: str, check: bool = True, **env: Any
) -> subprocess.CompletedProcess[str]:
    (folder / "train.py").write_text(textwrap.dedent(script))
    return subprocess.run(
        [sys.executable, "train.py", *arguments],
        cwd=folder, env={**os.environ, **env}, capture_output=True, text=True, check=check,
        timeout=100,
    )  # fmt: skip


def facts(run: str = "latest") -> dict[str, Any]:
    return trackai.Api().run(run).environment


def content(db_path: Path, name: str) -> str:
    connection = sqlite3.connect(db_path)
    [(sha256,)] = connection.execute("SELECT sha256 FROM files WHERE path = ?", (name,)).fetchall()
    connection.close()
    path = find_bytes(db_path, sha256)
    assert path is not None
    return path.read_text()


def test_a_script_in_a_repository(db_path: Path, repository: Path) -> None:
    answer = run_script(repository, SCRIPT + GATHERED, "--lr", "0.1", SLURM_JOB_ID="17",
                        SLURM_JOB_NAME="a job", OTHER="unknown")  # fmt: skip
    assert answer.stderr == ""
    found = facts()
    assert found["git/branch"] == "main"
    assert len(found["git/commit"]) == 40
    assert found["git/dirty"] is True
    assert found["command"] == f"{sys.executable} train.py --lr 0.1"
    assert found["script"] == str(repository / "train.py")
    assert found["cwd"] == str(repository)
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["executable"] == sys.executable
    assert found["host"] == socket.gethostname()
    assert found["cpu_count"] == os.cpu_count()
    assert found["memory_bytes"] > 1 << 20
    assert found["slurm/job_id"] == 17
    assert found["slurm/job_name"] == "a job"
    assert "unknown" not in str(found)
    diff = content(db_path, "environment/git.diff")
    assert found["git/diff"] == "environment/git.diff"
    assert '+run = trackai.init(project="p"' in diff
    requirements = content(db_path, "environment/requirements.txt").splitlines()
    assert found["packages"] == "environment/requirements.txt"
    assert f"pytest=={pytest.__version__}" in requirements
    assert requirements == sorted(requirements)


def test_a_script_that_is_killed_has_what_was_known(repository: Path, db_path: Path) -> None:
    kill = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"
    assert run_script(repository, SCRIPT + kill, check=False).returncode == -signal.SIGKILL
    assert run_script(repository, SCRIPT + GATHERED + kill, check=False).returncode < 0
    subprocess.run(
        [sys.executable, "-m", "trackai.cli", "recover", "--db", str(db_path)],
        check=True, capture_output=True, timeout=100,
    )  # fmt: skip
    connection = sqlite3.connect(db_path)
    rows = connection.execute("SELECT attempt, key FROM environment").fetchall()
    connection.close()
    assert (1, "host") in rows
    assert {(2, "host"), (2, "git/commit"), (2, "git/dirty"), (2, "packages")} <= set(rows)
    assert "pytest==" in content(db_path, "environment/attempt-2/requirements.txt")


def test_each_attempt_has_its_own_facts(repository: Path, db_path: Path) -> None:
    run_script(repository, SCRIPT + GATHERED, "first")
    run_script(repository, SCRIPT + GATHERED + "# changed\n", "second")
    assert facts()["command"].endswith("second")
    assert facts()["git/diff"] == "environment/attempt-2/git.diff"
    connection = sqlite3.connect(db_path)
    commands = connection.execute(
        "SELECT run, attempt, value FROM environment_overview WHERE key = 'command'"
    ).fetchall()
    connection.close()
    assert [(run, attempt) for run, attempt, _ in commands] == [("r", 1), ("r", 2)]
    assert commands[0][2].endswith('first"')
    # An attempt without any leaves those of the one before.
    run_script(repository, SCRIPT, "third", TRACKAI_AUTO_LOG="0")
    assert facts()["command"].endswith("second")
    assert len(trackai.Api().runs(filter='env.command ~ second')) == 1  # fmt: skip
    assert len(trackai.Api().runs(filter='env.command ~ first')) == 0  # fmt: skip


def test_a_server_has_them_too(
    repository: Path, own_server: Server, db_path: Path, tmp_path: Path
) -> None:
    env: dict[str, Any] = {
        "TRACKAI_SERVER_URL": own_server.url,
        "TRACKAI_OUTBOX_PATH": str(tmp_path / "outbox"),
    }
    run_script(repository, SCRIPT + GATHERED, "--password", "hunter2", **env)
    api = trackai.Api(own_server.url)
    run = api.run("p/r")
    assert run.environment == facts("p/r")
    assert run.environment["command"].endswith("--password ***")
    assert len(run.environment["git/commit"]) == 40
    assert "hunter2" not in content(db_path, "environment/git.diff")
    answer = own_server.get(f"/api/runs/{run.id}")
    assert answer["environment"] == run.environment
    assert answer["run_id"] == "r"
    assert len(api.runs(filter='env.git/branch = "main" and env.cpu_count > 0')) == 1
    columns = own_server.get("/api/runs?columns=env.git/branch,env.nope&sort_by=env.host")
    assert columns["runs"][0]["values"] == {"env.git/branch": "main", "env.nope": None}


def test_the_command_line_shows_them(repository: Path, db_path: Path) -> None:
    run_script(repository, SCRIPT + GATHERED, "x" * 200)

    def show(*options: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "trackai.cli", "show", "r", *options],
            check=True, capture_output=True, text=True, timeout=100,
        ).stdout  # fmt: skip

    assert json.loads(show("--json"))["environment"] == facts()
    lines = {line.split("\t")[0]: line for line in show().splitlines()}
    assert lines["git/branch"] == "git/branch\tmain"
    assert lines["command"].endswith("…")


def test_no_secret_reaches_the_disk(repository: Path, db_path: Path) -> None:
    secrets = ["hunter2x", "correct horse", "hf_abcdefghijklmnopqrst", "p4ssw0rdp4ssw0rd", "s3cr3t"]
    (repository / ".env").write_text("DB_PASSWORD=before\n")
    subprocess.run(["git", "-C", repository, "add", "."], check=True)
    (repository / ".env").write_text(f"DB_PASSWORD={secrets[3]}\nurl=redis://:{secrets[4]}@h\n")
    (repository / f"{secrets[2]}.txt").touch()
    subprocess.run(
        ["git", "-C", repository, "remote", "add", "origin", f"https://u:{secrets[0]}@h/r.git"],
        check=True,
    )
    run_script(
        repository, SCRIPT + GATHERED, "--api-key", secrets[0], f"--hf_token={secrets[1]}",
        secrets[2], HF_TOKEN=secrets[2], SLURM_JOB_NAME=f"x password={secrets[3]}",
    )  # fmt: skip
    assert facts()["git/remote"] == "https://***@h/r.git"
    assert facts()["command"].endswith("train.py --api-key *** --hf_token=*** ***")
    assert facts()["git/untracked"] == ["***.txt"]
    assert "DB_PASSWORD=***" in content(db_path, facts()["git/diff"])
    stored = b"".join(path.read_bytes() for path in db_path.parent.rglob("*") if path.is_file())
    assert not [secret for secret in secrets if secret.encode() in stored]


def test_ranks_and_forked_processes_record_nothing(repository: Path, db_path: Path) -> None:
    fork = """
    import os
    pid = os.fork()
    if pid == 0:
        run.log({"child": 1})
        os._exit(0)
    os.waitpid(pid, 0)
    """
    run_script(repository, SCRIPT + textwrap.dedent(fork), "parent", RANK="0", WORLD_SIZE="2")
    assert facts()["command"].endswith("parent")
    assert facts()["distributed/world_size"] == 2
    run_script(repository, SCRIPT.replace('"r"', '"second"'), RANK="1", WORLD_SIZE="2")
    assert facts("second") == {}


def test_it_can_be_switched_off(repository: Path, db_path: Path, tmp_path: Path) -> None:
    off = SCRIPT + "assert run._survey is None\n"
    run_script(repository, off, TRACKAI_AUTO_LOG="0")
    run_script(repository, off.replace("init(", "init(auto_log=False, "))
    run_script(repository, off.replace("init(", 'init(mode="disabled", '))
    assert facts() == {}
    on = (SCRIPT + GATHERED).replace("init(", "init(auto_log=True, ")
    run_script(repository, on, TRACKAI_AUTO_LOG="0")
    assert facts()["git/branch"] == "main"
    with pytest.raises(TypeError, match="auto_log: must be a bool, got int"):
        trackai.init(auto_log=1)  # type: ignore[arg-type]


def test_a_git_that_hangs_holds_up_nothing(repository: Path, db_path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "git").write_text("#!/bin/sh\nsleep 1000\n")
    (folder / "git").chmod(0o755)
    measured = """
    import time, trackai
    start = time.monotonic()
    run = trackai.init(project="p")
    print(time.monotonic() - start)
    start = time.monotonic()
    run.finish()
    print(time.monotonic() - start)
    """
    start = time.monotonic()
    answer = run_script(repository, measured, PATH=f"{folder}:{os.environ['PATH']}")
    assert time.monotonic() - start < 60
    assert answer.stderr == ""
    starting, finishing = map(float, answer.stdout.split())
    assert starting < 1.9 or starting < finishing  # a busy machine
    assert 1.9 < finishing < 30
    assert facts()["packages"]
    assert "git/commit" not in facts()


def test_a_repository_is_not_needed_and_neither_is_git(
    db_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with trackai.init(project="p", auto_log=True) as run:
        assert run._survey is not None
        run._survey._thread.join()
    assert facts()["host"]
    assert not [name for name in facts() if name.startswith("git/")]


def test_the_working_directory_may_be_gone(repository: Path, db_path: Path, tmp_path: Path) -> None:
    script = "import os\nos.rmdir(os.getcwd())\n" + SCRIPT + GATHERED
    (repository / "run.py").write_text(script)
    (tmp_path / "gone").mkdir()
    answer = subprocess.run(
        [sys.executable, str(repository / "run.py")], cwd=tmp_path / "gone",
        capture_output=True, text=True, check=True, timeout=100,
    )  # fmt: skip
    assert answer.stderr == ""
    assert "cwd" not in facts()
    assert facts()["git/branch"] == "main"


def test_arguments_that_are_not_text_are_escaped(repository: Path, db_path: Path) -> None:
    (repository / "train.py").write_text(SCRIPT + GATHERED)
    subprocess.run([sys.executable, "train.py", b"\xff"], cwd=repository, check=True, timeout=100)
    assert facts()["command"].endswith("'\\udcff'")


def test_deleting_a_run_deletes_them(repository: Path, db_path: Path) -> None:
    run_script(repository, SCRIPT + GATHERED)
    trackai.Api().run("r").delete()
    connection = sqlite3.connect(db_path)
    assert connection.execute("SELECT COUNT(*) FROM environment").fetchall() == [(0,)]
    connection.close()


def test_which_code_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    main = SimpleNamespace(__file__="code/train.py")
    monkeypatch.setitem(sys.modules, "__main__", main)
    assert code_folder() == tmp_path / "code"
    for launcher in ("/usr/bin/x", "/env/lib/site-packages/accelerate/launch.py"):
        main.__file__ = launcher
        assert code_folder() == tmp_path
    main.__file__ = "<stdin>"  # `python -`
    assert code_folder() == tmp_path
    assert "script" not in dict(process_facts())
    del main.__file__  # a notebook
    assert code_folder() == tmp_path


def test_packages_are_found_by_their_metadata(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, name in (
        (first, "ruamel.yaml-0.17.21.dist-info"), (first, "scikit_learn-1.5.0rc1.dist-info"),
        (second, "scikit_learn-1.4.0.dist-info"), (second, "local-1.0+cu121.dist-info"),
        (second, "broken.dist-info"), (second, "x\n-1.dist-info"),
    ):  # fmt: skip
        (folder / name).mkdir(parents=True)
    (second / "PyYAML-6.0-py3.11.egg-info").touch()
    (second / "own_code.egg-info").mkdir()
    (second / "own_code.egg-info" / "PKG-INFO").write_text("Name: own-code\nVersion: 0.1.dev2\n")
    assert packages([str(first), str(tmp_path / "missing"), str(second)]) == [
        "local==1.0+cu121", "own-code==0.1.dev2", "pyyaml==6.0", "ruamel-yaml==0.17.21",
        "scikit-learn==1.5.0rc1",
    ]  # fmt: skip


class NVMLError(Exception):
    pass


def test_gpus_are_named_by_their_library(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["H200", "H200", "A100"]
    nvml = SimpleNamespace(
        NVMLError=NVMLError, nvmlInit=lambda: None, nvmlDeviceGetCount=lambda: 3,
        nvmlDeviceGetHandleByIndex=int, nvmlDeviceGetName=lambda handle: names[handle].encode(),
        nvmlSystemGetDriverVersion=lambda: "550.1",
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    assert dict(gpu_facts()) == {"gpu": "H200, A100", "gpu_count": 3, "gpu_driver": "550.1"}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2")
    assert dict(gpu_facts()) == {"gpu": "A100", "gpu_count": 1, "gpu_driver": "550.1"}


def test_gpus_are_named_by_the_driver_without_a_library(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    monkeypatch.setattr(environment, "_DRIVER", tmp_path)
    assert dict(gpu_facts()) == {}
    for number, model in ((1, "B"), (0, "A")):
        folder = tmp_path / "gpus" / f"0000:0{2 - number}:00.0"
        folder.mkdir(parents=True)
        text = f"Model: \t\t {model} 80GB\nDevice Minor: \t {number}\n"
        (folder / "information").write_text(text)
    assert dict(gpu_facts()) == {"gpu": "A 80GB, B 80GB", "gpu_count": 2}


def test_a_library_without_a_driver_has_no_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise NVMLError

    monkeypatch.setitem(sys.modules, "pynvml", SimpleNamespace(NVMLError=NVMLError, nvmlInit=fail))
    monkeypatch.setattr(environment, "_DRIVER", Path("/nowhere"))
    assert dict(gpu_facts()) == {}


def test_exports_and_merges_keep_them(
    repository: Path, db_path: Path, tmp_path: Path, run_python: Callable[..., Any]
) -> None:
    run_script(repository, SCRIPT + GATHERED, "first")
    run_script(repository, SCRIPT + GATHERED, "second")
    lines, other, merged = tmp_path / "runs.jsonl", tmp_path / "other.db", tmp_path / "merged.db"
    for arguments in (
        ["export", "--all", "-o", lines, "--db", db_path],
        ["import", "jsonl", lines, "--db", other],
        ["merge", db_path, "--db", merged],
        ["merge", other, "--db", merged],
    ):
        subprocess.run(
            [sys.executable, "-m", "trackai.cli", *map(str, arguments)], check=True,
            capture_output=True, timeout=100,
        )  # fmt: skip

    def rows(path: Path) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(path)
        found = connection.execute("SELECT * FROM environment_overview ORDER BY 3, 4").fetchall()
        connection.close()
        return found

    assert {attempt for _, _, attempt, *_ in rows(db_path)} == {1, 2}
    assert rows(other) == rows(merged) == rows(db_path)
