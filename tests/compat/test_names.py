"""Programs that import wandb or trackio under `trackai run --as`, and `trackai.install_as`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import trackai
from trackai.compat.install import folder_of, install_as

if TYPE_CHECKING:
    from trackai.reading.stored_run import StoredRun

TRACKAI = [sys.executable, "-m", "trackai.cli"]


def execute(
    tmp_path: Path, code: str, *names: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run code under `trackai run` with the names."""
    options = [option for name in names for option in ("--as", name)]
    return subprocess.run(
        [*TRACKAI, "run", *options, "--", sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env={**os.environ, "TRACKAI_DB_PATH": str(tmp_path / "runs.db"), **(environment or {})},
    )


def output(tmp_path: Path, code: str, *names: str) -> str:
    result = execute(tmp_path, code, *names)
    assert result.returncode == 0, result.stderr
    return result.stdout


def api(tmp_path: Path) -> trackai.Api:
    return trackai.Api(tmp_path / "runs.db")


def points(run: StoredRun, metric: str) -> list[tuple[Any, Any]]:
    curve = run.history(metric)[metric]
    return list(zip(curve.steps, curve.values, strict=True))


def test_a_script_for_wandb_is_stored(tmp_path: Path) -> None:
    output(
        tmp_path,
        """
import wandb
with wandb.init(project="digits", name="first", config={"lr": 0.1}) as run:
    assert wandb.run is run and isinstance(run, wandb.sdk.wandb_run.Run)
    assert run.id == "first" and run.path == "local/digits/first" and run.entity == "local"
    for step in range(3):
        wandb.log({"loss": 1 / (step + 1)})
    run.summary["best"] = 0.5
    wandb.config.update({"epochs": 3}, allow_val_change=True)
    run.tags += ("done",)
assert wandb.run is None
assert wandb.Api().run(run.path).name == "first"
assert wandb.Api().runs("local/digits")[0].name == "first"
try:
    wandb.Api().run("local/digits/second")
except wandb.errors.CommError as error:
    assert "local/digits/second" in str(error)
else:
    raise AssertionError
""",
        "wandb",
    )
    run = api(tmp_path).run("digits/first")
    assert points(run, "loss") == [(0, 1.0), (1, 0.5), (2, 1 / 3)]
    assert run.config == {"lr": 0.1, "epochs": 3}
    assert (run.state, list(run.tags)) == ("completed", ["done"])


def test_a_script_for_trackio_is_stored(tmp_path: Path) -> None:
    output(
        tmp_path,
        """
import trackio
from trackio import context_vars
run = trackio.init(project="digits", name="first", config={"lr": 0.1})
assert context_vars.current_run.get() is run and run._space_id is None
assert context_vars.current_space_id.get() is context_vars.current_project.get() is None
trackio.log({"loss": 0.5}, step=7)
trackio.finish()
""",
        "trackio",
    )
    assert points(api(tmp_path).run("digits/first"), "loss") == [(7, 0.5)]


@pytest.mark.parametrize(("name", "version"), [("wandb", "0.31.0"), ("trackio", "0.43.0")])
def test_the_package_is_found_as_an_installed_one(tmp_path: Path, name: str, version: str) -> None:
    found = output(
        tmp_path,
        f"""
import importlib.metadata as metadata, importlib.util
assert importlib.util.find_spec("{name}") is not None
assert "TrackAI" in metadata.distribution("{name}").metadata["Summary"]
assert "{name}" in {{distribution.name for distribution in metadata.distributions()}}
import {name}
print(metadata.version("{name}"), {name}.__version__)
""",
        name,
    )
    assert found.split() == [version, version]


# What frameworks import, at the top of their integrations.
IMPORTS = """
import wandb.env
from wandb import Artifact, init, join, log
from wandb.apis.public import Api
from wandb.data_types import Html, Table
from wandb.errors import AuthenticationError, CommError, Error, UsageError
from wandb.sdk.artifacts.artifact import Artifact
from wandb.sdk.data_types.base_types.wb_value import WBValue
from wandb.sdk.data_types.image import Image
from wandb.sdk.data_types.video import Video
from wandb.sdk.data_types.video.util import generate_id
from wandb.sdk.lib import RunDisabled
from wandb.sdk.lib.config_util import ConfigError
from wandb.sdk.lib.disabled import RunDisabled
from wandb.sdk.lib.runid import generate_id
from wandb.sdk.wandb_config import Config
from wandb.sdk.wandb_run import Run
from wandb.sdk.wandb_settings import Settings
from wandb.sdk.wandb_summary import Summary
from wandb.util import generate_id, json_dumps_safer
from wandb.wandb_run import Run
"""


def test_the_submodules_that_frameworks_import_exist(tmp_path: Path) -> None:
    output(
        tmp_path,
        IMPORTS
        + """
import importlib.util, wandb
assert wandb.Image is Image and issubclass(Image, WBValue) and issubclass(Table, WBValue)
assert issubclass(CommError, wandb.Error) and issubclass(RunDisabled, Run)
assert hasattr(wandb, "run") and wandb.run is None and wandb.api.api_key
assert importlib.util.find_spec("wandb.sdk.lib").submodule_search_locations is not None
assert importlib.util.find_spec("wandb.nothing") is None
assert len(generate_id()) == 8
wandb.require("core"); wandb.ensure_configured(); wandb.setup(); assert wandb.login()
""",
        "wandb",
    )


def test_unknown_names_are_errors_that_say_whose_package_it_is(tmp_path: Path) -> None:
    errors = output(
        tmp_path,
        """
import wandb, trackio
run = wandb.init()
for ask in (lambda: wandb.nothing, lambda: wandb.sdk.nothing, lambda: trackio.nothing,
            lambda: run.nothing):
    try:
        ask()
    except AttributeError as error:
        print(error)
""",
        "wandb",
        "trackio",
    ).splitlines()
    assert len(errors) == 4
    assert all("'nothing'" in error and "trackai" in error for error in errors)


def test_what_is_not_supported_is_refused_by_name(tmp_path: Path) -> None:
    result = output(
        tmp_path,
        """
import wandb
for call in (lambda: wandb.sweep({}), lambda: wandb.agent("x"), lambda: wandb.log({})):
    try:
        call()
    except wandb.Error as error:
        print(type(error).__name__, error)
""",
        "wandb",
    )
    assert result.count("UnsupportedError wandb.") == 2
    assert "NoActiveRunError" in result


def test_what_would_lose_data_warns_once(tmp_path: Path) -> None:
    result = execute(
        tmp_path,
        """
import wandb
for _ in range(2):
    run = wandb.init(job_type="train", save_code=True, settings=wandb.Settings(start_method="fork"))
    wandb.watch(None)
    wandb.sklearn.plot_classifier(None, [], [])
    wandb.termwarn("careful", repeat=False)
    run.finish()
""",
        "wandb",
    )
    assert result.returncode == 0
    for text in ("save_code", "start_method", "watch()", "plot_classifier()", "careful"):
        assert result.stderr.count(text) == 1, result.stderr
    assert "job_type" not in result.stderr


def test_init_takes_what_wandb_takes(tmp_path: Path) -> None:
    output(
        tmp_path,
        """
import wandb
settings = wandb.Settings(project="from-settings", run_name="named", run_group="g")
run = wandb.init(settings=settings, config={"lr": 1, "token": "x"}, config_exclude_keys=["token"])
assert wandb.init(project="other") is run  # as in wandb, unless reinit says otherwise
second = wandb.init(project="other", reinit=True, config={"a": 1, "b": 2},
                    config_include_keys=["a"])
assert second is not run and run.is_finished
second.finish(exit_code=1)
for step in range(2):  # as Ray's callback, which may start again
    with wandb.init(project="third", id="trial", resume=False) as third:
        third.log({"loss": 0.5}, step=step)
""",
        "wandb",
    )
    assert points(api(tmp_path).run("third/trial"), "loss") == [(0, 0.5), (1, 0.5)]
    first, second = api(tmp_path).run("from-settings/named"), api(tmp_path).runs("other")[0]
    assert (first.config, first.group) == ({"lr": 1}, "g")
    assert (second.config, second.state) == ({"a": 1}, "failed")


def test_the_setting_console_is_heeded(tmp_path: Path) -> None:
    result = execute(
        tmp_path,
        """
import wandb
with wandb.init(project="p", name="quiet", settings=wandb.Settings(console="off")):
    print("secret")
""",
        "wandb",
    )
    assert (result.returncode, result.stdout) == (0, "secret\n")
    assert "console" not in result.stderr
    assert "logs/stdout" not in api(tmp_path).run("p/quiet").summary


def test_processes_that_the_program_starts_find_the_package_too(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        """
import multiprocessing, subprocess, sys
import wandb

def train(run, number):
    child = wandb.attach(run._attach_id) if number else wandb.init(project="p", name="spawned")
    child.log({f"loss{number}": 0.5}, step=number)
    child.finish()

if __name__ == "__main__":
    run = wandb.init(project="p", name="parent")
    context = multiprocessing.get_context("spawn")
    for number in range(2):
        process = context.Process(target=train, args=(run, number))
        process.start()
        process.join()
        assert process.exitcode == 0
    subprocess.run([sys.executable, "-c", "import wandb; assert wandb.run is None"], check=True)
"""
    )
    result = subprocess.run(
        [*TRACKAI, "run", "--as", "wandb", sys.executable, "train.py"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env={**os.environ, "TRACKAI_DB_PATH": str(tmp_path / "runs.db")},
    )
    assert result.returncode == 0, result.stderr
    runs = {run.name: run for run in api(tmp_path).runs("p")}
    assert points(runs["spawned"], "loss0") == [(0, 0.5)]
    assert points(runs["parent"], "loss1") == [(1, 0.5)]


def test_a_view_of_a_run_is_copied_as_itself(tmp_path: Path) -> None:
    output(
        tmp_path,
        """
import copy, pickle, wandb
run = wandb.init()
assert pickle.loads(pickle.dumps(run)) is run and copy.deepcopy(run) is copy.copy(run) is run
run.name = "renamed"
assert run.name == "renamed" and repr(run).count("renamed")
""",
        "wandb",
    )


def test_finished_runs_are_freed(tmp_path: Path) -> None:
    output(
        tmp_path,
        """
import gc, weakref, wandb
runs = []
for _ in range(3):
    run = wandb.init()
    run.finish()
    runs.append(weakref.ref(run))
del run
gc.collect()
assert sum(run() is not None for run in runs) <= 1
""",
        "wandb",
    )


def test_a_python_without_trackai_says_so(tmp_path: Path) -> None:
    code = """
try:
    import wandb
except ImportError as error:
    print(error)
"""
    result = subprocess.run(
        [sys.executable, "-S", "-c", code],  # without site-packages
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(folder_of("wandb"))},
    )
    assert result.returncode == 0
    assert "has no module trackai" in result.stdout
    assert result.stderr.startswith("trackai: wandb is trackai's here")
    assert result.stderr.count("\n") == 1


def test_without_names_the_program_runs_as_it_is(tmp_path: Path) -> None:
    code = "import os, sys; print(os.environ.get('PYTHONPATH'), sys.argv[1:])"
    result = subprocess.run(
        [*TRACKAI, "run", sys.executable, "-c", code, "--as", "x"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )
    assert result.stdout.strip() == f"{Path.cwd()} ['--as', 'x']"


def test_folders_come_first_and_once_on_the_path(tmp_path: Path) -> None:
    code = """
import os, subprocess, sys
if os.environ.get("AGAIN"):
    print(os.environ["PYTHONPATH"])
else:
    subprocess.run([sys.executable, "-m", "trackai.cli", "run", "--as", "wandb", sys.executable,
                    "-c", sys.argv[1], ""], env={**os.environ, "AGAIN": "1"}, check=True)
"""
    result = subprocess.run(
        [*TRACKAI, "run", "--as", "wandb", sys.executable, "-c", code, code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )
    wandb, *others = result.stdout.strip().split(os.pathsep)
    assert Path(wandb).name == "wandb"
    assert others == [str(Path.cwd())]


def test_the_exit_code_is_that_of_the_program(tmp_path: Path) -> None:
    assert execute(tmp_path, "raise SystemExit(7)", "wandb").returncode == 7


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_signals_reach_the_program(tmp_path: Path) -> None:
    code = "import time; print('ready', flush=True); time.sleep(60)"
    process = subprocess.Popen(
        [*TRACKAI, "run", "--as", "wandb", "--", sys.executable, "-c", code], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == -signal.SIGTERM
    process.stdout.close()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_the_program_dies_of_a_closed_pipe_as_usual() -> None:
    command = [*TRACKAI, "run", "yes"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(20) == -signal.SIGPIPE


@pytest.mark.parametrize(
    ("command", "code", "problem"),
    [
        (["no-such-program"], 127, "no-such-program: command not found"),
        (["./no-such-program"], 127, "./no-such-program: command not found"),
        (["./notes.txt"], 126, "./notes.txt: Permission denied"),
        ([], 2, "missing argument"),
        (["--as", "mlflow", "true"], 2, "mlflow"),
    ],
)
def test_what_cannot_be_run_is_one_line(
    tmp_path: Path, command: list[str], code: int, problem: str
) -> None:
    tmp_path.joinpath("notes.txt").write_text("hello")
    result = subprocess.run(
        [*TRACKAI, "run", *command], capture_output=True, text=True, cwd=tmp_path
    )
    assert result.returncode == code
    assert problem in result.stderr.replace("Missing", "missing")
    assert result.stderr.count("\n") == 1


def test_install_as_works_in_code(tmp_path: Path) -> None:
    code = """
import json, subprocess, sys
import trackai
trackai.install_as("wandb")
trackai.install_as("wandb")
import wandb
trackai.install_as("wandb")
with trackai.init(project="p", name="n") as run:
    assert wandb.run.run_id == "n"
print(json.dumps(sum(path.endswith("wandb") for path in sys.path)))
subprocess.run([sys.executable, "-c", "import wandb; wandb.Image"], check=True)
"""
    assert json.loads(output(tmp_path, code)) == 1


def test_install_as_refuses_other_names() -> None:
    with pytest.raises(trackai.InvalidInputError, match='must be "wandb" or "trackio", got'):
        install_as("mlflow")


def test_install_as_refuses_a_tracker_that_is_imported(tmp_path: Path) -> None:
    tmp_path.joinpath("wandb.py").write_text("")
    code = """
import wandb, trackai
try:
    trackai.install_as("wandb")
except trackai.ConflictError as error:
    print(error)
"""
    assert "already imported from" in output(tmp_path, code)


def test_a_script_that_reads_as_wandb_gets_the_types_of_wandb(tmp_path: Path) -> None:
    output(
        tmp_path,
        """
import os, sys, wandb
from wandb.apis.public import Run, Runs
from wandb.apis.public.runs import Run as SameRun

types = {"first": {"job_type": "train"}, "second": {"settings": {"run_job_type": "eval"}}}
for name in ("first", "second"):
    with wandb.init(
        project="digits", name=name, config={"lr": 0.1}, tags=["a"], **types[name],
        auto_log=name == "first",
    ) as active:
        assert active.job_type and dict(wandb.config) == {"lr": 0.1}
        for step in range(5):
            active.log({"loss": 1 / (step + 1)})

api = wandb.Api({"project": "digits"}, 29)
runs = api.runs("anyone/digits", {"state": "finished"}, "+created_at", 50, include_sweeps=True)
assert isinstance(runs, Runs) and [run.name for run in runs] == ["first", "second"]
assert runs.length == 2 and isinstance(runs[0], Run) and Run is SameRun
assert [run.id for run in api.runs()] == ["first", "second"]
assert [run.id for run in api.runs(order="-created_at")] == ["second", "first"]

run = api.run("first")
assert (run.id, run.state, run.entity) == ("first", "finished", "local")
assert run.path == ["local", "digits", "first"] and run == api.run("/".join(run.path))
assert run.url == active.url.replace("run=2", "run=1")
assert run.created_at[10] == "T" and run.created_at[-1] == "Z"
assert run.summary.loss == run.summary["loss"] == run.summary._json_dict["loss"] == 0.2
assert run.summary["_step"] == run.lastHistoryStep == 4
assert run.json_config == '{"lr": {"value": 0.1}}'
assert (run.job_type, run.sweep) == ("train", None)
assert run.rawconfig == run.config == {"lr": 0.1}
assert [r.job_type for r in api.runs()] == ["train", "eval"]
assert [r.id for r in api.runs(filters={"jobType": "eval"})] == ["second"]
assert [r.id for r in api.runs(filters={"job_type": {"$ne": "eval"}})] == ["first"]

assert list(run.history(1000, ["loss", "_step"])["loss"]) == [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5]
row = run.history(keys=["loss"], pandas=False)[-1]
assert row.keys() == {"_step", "_timestamp", "_runtime", "loss"} and row["_runtime"] >= 0
assert len(run.history(keys=["nothing"])) == 0
assert [row["loss"] for row in run.scan_history(["loss"], page_size=1)][0] == 1
assert {row["run_id"] for row in runs.histories(keys=["loss"])} == {"first", "second"}

run.display_name = "renamed"
run.config["seed"] = 7
run.update()
assert run.load(force=True).name == api.run("first").name == "renamed"
assert api.run("first").config == {"lr": 0.1, "seed": 7}
assert api.run("second").metadata is None
metadata = api.run("first").metadata
assert metadata["startedAt"] == run.created_at and metadata["executable"] == sys.executable
assert metadata.get("root", os.getcwd()) == os.getcwd()  # a busy machine may not record it
assert int(metadata["memory"]["total"]) > 0
for call in (
    lambda: run.summary.update({"best": 1}),
    lambda: api.sweep("digits/s"),
    lambda: run.upload_file("model.txt"),
    lambda: run.log_artifact(wandb.Artifact("a", "model")),
    lambda: run.use_artifact("a:latest"),
):
    try:
        call()
    except wandb.errors.UnsupportedError as error:
        assert "trackai" in str(error) or "wandb.init" in str(error)
    else:
        raise AssertionError
run.summary.update()
assert [project.name for project in api.projects("anyone")] == ["digits"]
assert run.delete() and [run.id for run in api.from_path("anyone/digits")] == ["second"]
""",
        "wandb",
    )


def test_a_script_that_reads_artifacts_as_wandb_finds_them(tmp_path: Path) -> None:
    output(
        tmp_path,
        """
import pathlib, wandb
pathlib.Path("data.txt").write_text("1")
with wandb.init(project="digits", name="maker") as run:
    run.log_artifact("data.txt", name="data", type="dataset", tags=["clean"]).wait()
with wandb.init(project="digits", name="user") as run:
    run.use_artifact("data:latest")
    run.save("data.txt")

api = wandb.Api()
maker, user = api.run("anyone/digits/maker"), api.run("anyone/digits/user")
assert [artifact.source_name for artifact in maker.logged_artifacts(per_page=5)] == ["data:v0"]
assert maker.used_artifacts() == user.logged_artifacts() == []
assert [artifact.source_name for artifact in user.used_artifacts()] == ["data:v0"]
assert api.artifact_exists("anyone/digits/data:v0") and not api.artifact_exists("digits/other")
assert len(api.artifacts("dataset", "anyone/digits/data", tags="clean")) == 1
assert api.artifacts(type_name="dataset", name="data", tags=["clean", "best"]) == []
assert len(api.artifact_versions("dataset", "digits/data", per_page=5)) == 1
assert user.file("data.txt").download("copy", replace=True, api=api).read() == "1"
""",
        "wandb",
    )


def test_files_of_runs_are_restored(tmp_path: Path) -> None:
    output(
        tmp_path,
        """
import pathlib, wandb
try:
    wandb.restore("model.txt")
except ValueError as error:
    assert "run_path" in str(error)
else:
    raise AssertionError

model = pathlib.Path("model.txt")
with wandb.init(project="digits", id="first") as run:
    model.write_text("1")
    assert wandb.save("model.txt") == ["model.txt"]
    model.unlink()
    restored = wandb.restore("model.txt")
    assert restored.read() == "1" and pathlib.Path(restored.name).parent == pathlib.Path(run.dir)
    assert run.restore("nothing.txt") is None

with wandb.init(project="digits", id="first", resume="must") as run:
    assert run.restore("model.txt", root=".").read() == "1"
    model.write_text("2")
    assert run.restore("model.txt", root=".").read() == "2"
    assert run.restore("model.txt", root=".", replace=True).read() == "1"

with wandb.init(project="digits", mode="disabled") as run:
    assert run.restore("model.txt") is None
    wandb.save("model.txt")
    assert run.restore("model.txt").read() == "1"

path = "anyone/digits/first"
assert wandb.restore("model.txt", run_path=path, root="copies").name == "copies/model.txt"
assert wandb.restore("nothing.txt", run_path=path) is None
try:
    wandb.restore("model.txt", run_path="anyone/digits/second", replace=True)
except wandb.CommError as error:
    assert "second" in str(error)
else:
    raise AssertionError
""",
        "wandb",
    )


@pytest.mark.parametrize("names", [["wandb"], []])
def test_rare_arguments_of_wandb_do_not_end_a_script(tmp_path: Path, names: list[str]) -> None:
    statement = "import wandb" if names else "import trackai as wandb"
    result = execute(
        tmp_path,
        f"""
import datetime, pathlib
{statement}
assert wandb.setup().settings.sweep_id is None
settings = wandb.Settings(mode="online")
assert settings.mode == wandb.setup(settings=settings).settings.mode == "online"
assert settings.entity is None and not hasattr(settings, "_repr_html_")
pathlib.Path("data[1].txt").write_text("1")
pathlib.Path("folder").mkdir()
pathlib.Path("folder/data.txt").write_text("2")
with wandb.init(project="p", name="n", config={{"lr": 0.1}}) as run:
    assert run.settings.sweep_id is None
    assert wandb.save() == run.save() == []
    assert wandb.save("data[1].txt", ".", "now", False) == ["data[1].txt"]
    artifact = wandb.Artifact("data", "dataset", "text", {{"rows": 1}}, False, None)
    artifact.add_file("data[1].txt", "data.txt", True, False, "mutable")
    artifact.add_dir("folder", "more", True, "mutable")
    with artifact.new_file("new.txt", "w", None, "mutable") as file:
        file.write("3")
    artifact.ttl = datetime.timedelta(days=1)
    artifact.ttl = None
    assert artifact.ttl is None
    assert run.log_artifact(artifact).wait().file_count == 3
    table = wandb.Table(columns=["a"], data=[[1]])
    table.add_column(name="b", data=[2], optional=True)
    wandb.log({{"page": wandb.Html("page.html", False, True), "table": table}})
""",
        *names,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("Artifact.ttl") == 1
    files = {file.name for file in api(tmp_path).run("p/n").files()}
    assert "data[1].txt" in files
    assert any(name.startswith("table/") for name in files)


def test_media_take_their_caption_as_in_trackio(tmp_path: Path) -> None:
    result = execute(
        tmp_path,
        """
import numpy as np, pathlib, trackio
pathlib.Path("notes.txt").write_text("1")
trackio.init(project="p", name="n")
image = trackio.Image(np.zeros((4, 4, 3), np.uint8), "first")
sound = trackio.Audio(np.zeros(100), "second", 8000)
page = trackio.Html("<b>bold</b>", True, False, "third")
assert [media.caption for media in (image, sound, page)] == ["first", "second", "third"]
trackio.log({"image": image, "sound": sound, "page": page})
trackio.save("notes.txt", project="p")
assert trackio.ArtifactTTL.INHERIT
trackio.finish()
""",
        "trackio",
    )
    assert result.returncode == 0, result.stderr
    assert "the argument project of save()" in result.stderr
    files = {file.name for file in api(tmp_path).run("p/n").files()}
    assert {"image/first.png", "sound/second.wav", "page/third.html", "notes.txt"} <= files


def test_a_name_that_only_another_tracker_has_says_how_to_get_it() -> None:
    with pytest.raises(AttributeError, match=r"'util'; .*trackai run --as wandb"):
        getattr(trackai, "util")  # noqa: B009
