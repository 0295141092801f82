"""Jobs of Hydra are runs."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integrations.conftest import Stored

CONFIG = """
hydra:
  callbacks:
    trackai:
      _target_: trackai.integrations.hydra.TrackAICallback
lr: 0.1
depth: 3
name: null
seeds: [1, 2]
model: {kind: small, width: "${depth}", data: "???"}
broken: ${nowhere}
"""
JOB = """
import hydra, trackai

@hydra.main(version_base=None, config_path=".", config_name="config")
def digits(config):
    for step in range(3):
        trackai.log({"loss": config.lr / (step + 1)}, step=step)
    if config.lr > 5:
        raise RuntimeError("out of luck")

digits()
"""


class Application:
    """A script with Hydra."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.joinpath("config.yaml").write_text(CONFIG)
        self.write(JOB)

    def write(self, script: str) -> None:
        self.folder.joinpath("digits.py").write_text(textwrap.dedent(script))

    def run(self, *overrides: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "error", "digits.py", *overrides],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            timeout=100,
        )


@pytest.fixture
def application(tmp_path: Path, db_path: Path) -> Application:
    return Application(tmp_path)


def test_a_job_is_a_run(stored: Stored, application: Application) -> None:
    result = application.run("lr=0.5", "+extra=true")
    assert result.returncode == 0, result.stderr
    run = stored.run()
    assert (run.project, run.name, run.group, run.state) == ("digits", "digits", None, "completed")
    assert stored.values("loss") == [0.5, 0.25, 0.5 / 3]
    config = dict(run.config)
    facts = config.pop("hydra")
    assert config == {
        "lr": 0.5,
        "depth": 3,
        "name": None,
        "seeds": [1, 2],
        "model": {"kind": "small", "width": 3, "data": "???"},
        "broken": "${nowhere}",
        "extra": True,
    }
    assert facts["overrides"] == ["lr=0.5", "+extra=true"]
    assert Path(facts["output_dir"]).parents[1] == application.folder / "outputs"


def test_the_jobs_of_a_multirun_are_a_group(stored: Stored, application: Application) -> None:
    result = application.run("--multirun", "lr=0.5,1", "depth=4,5")
    assert result.returncode == 0, result.stderr
    runs = stored.runs()
    assert [run.name for run in runs] == [
        "depth=4,lr=0.5",
        "depth=5,lr=0.5",
        "depth=4,lr=1",
        "depth=5,lr=1",
    ]
    [group] = {run.group for run in runs}
    assert group is not None
    assert group.startswith("multirun/")
    assert [run.config["hydra"]["job_num"] for run in runs] == [0, 1, 2, 3]
    assert [run.config["depth"] for run in runs] == [4, 5, 4, 5]
    assert [stored.values("loss", run)[0] for run in runs] == [0.5, 0.5, 1.0, 1.0]


def test_secrets_are_not_stored(stored: Stored, application: Application, db_path: Path) -> None:
    secret = "a1b2c3d4"
    result = application.run("--multirun", f"+model.api_key={secret}", "+model.max_tokens=5")
    assert result.returncode == 0, result.stderr
    run = stored.run()
    assert run.name == "digits-0"
    assert run.config["hydra"]["overrides"] == ["+model.api_key=***", "+model.max_tokens=5"]
    assert run.config["model"]["max_tokens"] == 5
    for path in db_path.parent.rglob("*"):
        assert path.is_dir() or secret.encode() not in path.read_bytes()


def test_a_job_that_raises_fails_its_run(stored: Stored, application: Application) -> None:
    result = application.run("--multirun", "lr=0.5,10")
    assert "out of luck" in result.stderr
    assert [run.state for run in stored.runs()] == ["completed", "failed"]
    assert len(stored.values("loss", stored.runs()[1])) == 3


def test_arguments_go_before_those_of_hydra(stored: Stored, application: Application) -> None:
    settings = "hydra.callbacks.trackai"
    result = application.run(f"+{settings}.project=mine", f"+{settings}.tags=[a]")
    assert result.returncode == 0, result.stderr
    assert (stored.run().project, stored.run().tags) == ("mine", ["a"])


def test_an_active_run_is_used_and_left_open(stored: Stored, application: Application) -> None:
    script = JOB.replace(
        "digits()\n", "run = trackai.init(name='mine')\ndigits()\nrun.log({'a': 1})"
    )
    application.write(script)
    result = application.run()
    assert result.returncode == 0, result.stderr
    assert stored.run().name == "mine"
    assert stored.run().config["lr"] == 0.1
    assert len(stored.values("loss")) == 3
    assert stored.points("a") == {3: 1}


def test_a_job_can_start_the_run_itself(stored: Stored, application: Application) -> None:
    application.write("""
        import hydra, trackai
        from trackai.integrations.hydra import init_arguments

        @hydra.main(version_base=None, config_path=".", config_name="config")
        def digits(config):
            with trackai.init(**init_arguments(), tags=["mine"]) as run:
                run.config.update({"lr": config.lr})

        digits()
    """)
    result = application.run("--multirun", "~hydra.callbacks.trackai", "lr=1,2")
    assert result.returncode == 0, result.stderr
    runs = stored.runs()
    assert [run.name for run in runs] == ["lr=1", "lr=2"]
    assert [run.config["lr"] for run in runs] == [1, 2]
    assert {run.group for run in runs} == {runs[0].group}
    assert runs[0].tags == ["mine"]
