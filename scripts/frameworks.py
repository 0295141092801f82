"""Run training scripts of other frameworks under `trackai run --as`, and compare what is stored.

    python scripts/frameworks.py                      # makes an environment in build/frameworks
    python scripts/frameworks.py --python /path/to/python --only trl

Each script in `scripts/framework_cases` trains a small model on the CPU with the integration that
its framework has for wandb or trackio. At its end it says which points, configuration and state
must be stored, from what the framework itself reports. They are compared with `trackai.Api`, point
by point: steps and values must be equal.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trackai

if TYPE_CHECKING:
    from trackai.reading.stored_run import StoredRun

ROOT = Path(__file__).resolve().parents[1]
CASES = ROOT / "scripts" / "framework_cases"
ENVIRONMENT = ROOT / "build" / "frameworks"
PACKAGES = """\
accelerate catboost clu datasets diffusers fastai flax gymnasium hydra-core keras lightgbm lightning
mmengine optuna optuna-integration pandas peft plotly polars pytorch-ignite pytorch-lightning
ray[tune] scikit-learn sentence-transformers setfit spacy spacy-loggers stable-baselines3
tensorboard torch torchrl torchtune torchvision transformers trl ultralytics xgboost
""".split()
_SECONDS = 300


@dataclass
class Case:
    """A training script.

    Attributes:
        script: its file.
        package: the package whose version is shown.
        tracker: the name that it imports.
        launcher: arguments of Python that start the script.
        apart: packages that the others of the environment do not work with, for this script only.
    """

    script: str
    package: str
    tracker: str = "wandb"
    launcher: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()


SCRIPTS = {
    "transformers Trainer": Case("transformers_trainer", "transformers"),
    "transformers Trainer, trackio": Case("transformers_trackio", "transformers", "trackio"),
    "PEFT": Case("peft_trainer", "peft"),
    "TRL SFT": Case("trl_sft", "trl"),
    "TRL DPO": Case("trl_dpo", "trl"),
    "TRL GRPO": Case("trl_grpo", "trl"),
    "Sentence Transformers": Case("sentence_transformers_trainer", "sentence-transformers"),
    "SetFit": Case("setfit_trainer", "setfit"),
    "Accelerate": Case("accelerate_wandb", "accelerate"),
    "Accelerate, trackio": Case("accelerate_trackio", "accelerate", "trackio"),
    "Diffusers script": Case("diffusers_script", "diffusers"),
    "Lightning": Case("lightning_trainer", "lightning"),
    "PyTorch Lightning": Case("pytorch_lightning_trainer", "pytorch-lightning"),
    "Fabric": Case("fabric_script", "lightning"),
    "Keras": Case("keras_callbacks", "keras"),
    "Ignite": Case("ignite_logger", "pytorch-ignite"),
    "fastai": Case(
        "fastai_callback",
        "fastai",
        apart=(
            "fastai==2.8.5",
            "fastcore==1.8.18",
            "fastprogress==1.0.3",
            "fasttransform==0.0.2",
            "fastdownload==0.0.7",
        ),
    ),
    "torchtune": Case("torchtune_logger", "torchtune", apart=("torchao==0.14.1",)),
    "XGBoost": Case("xgboost_callback", "xgboost"),
    "LightGBM": Case("lightgbm_callback", "lightgbm"),
    "CatBoost": Case("catboost_callback", "catboost"),
    "scikit-learn script": Case("sklearn_script", "scikit-learn"),
    "Optuna": Case("optuna_wandb", "optuna"),
    "Optuna, trackio": Case("optuna_trackio", "optuna", "trackio"),
    "Ray Tune callback": Case("ray_tune", "ray"),
    "Ray setup_wandb": Case("ray_setup", "ray"),
    "Hydra script": Case("hydra_script", "hydra-core"),
    "Stable-Baselines3": Case("sb3_callback", "stable-baselines3"),
    "CleanRL script": Case("cleanrl_ppo", "torch"),
    "TorchRL": Case("torchrl_logger", "torchrl"),
    "Ultralytics": Case("ultralytics_train", "ultralytics"),
    "spaCy": Case("spacy_train", "spacy"),
    "MMEngine": Case("mmengine_runner", "mmengine"),
    "nanoGPT script": Case("nanogpt_script", "torch"),
    "Flax script": Case("flax_script", "flax"),
    "torchrun script": Case(
        "torchrun_ddp",
        "torch",
        launcher=("-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port=29517"),
    ),
}


@dataclass
class Result:
    """What came of a script."""

    name: str
    version: str
    tracker: str
    points: int = 0
    seconds: float = 0
    problems: list[str] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--python", type=Path, help="the Python of an environment to use")
    parser.add_argument("--only", metavar="NAME", action="append", help="a part of a name")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    python = arguments.python or _made_environment()
    results = []
    for name, case in SCRIPTS.items():
        if arguments.only and not any(part.lower() in name.lower() for part in arguments.only):
            continue
        result = run(name, case, python)
        results.append(result)
        if not arguments.json:
            print(_line(result), flush=True)
    if arguments.json:
        print(json.dumps([vars(result) for result in results], indent=2))
    passed = sum(not result.problems for result in results)
    print(f"{passed} of {len(results)} scripts are stored as their framework reports",
          file=sys.stderr)  # fmt: skip
    sys.exit(passed < len(results))


def _made_environment() -> Path:
    python = ENVIRONMENT / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True)
    install = [str(python), "-m", "pip", "install", "-q", str(ROOT), *PACKAGES]
    subprocess.run(install, check=True)
    return python


def run(name: str, case: Case, python: Path) -> Result:
    """Run a script in a folder of its own, and compare what it has stored."""
    with tempfile.TemporaryDirectory(prefix="frameworks-") as temporary:
        folder = Path(temporary)
        variables = _variables(case, python, folder)
        result = Result(name, _version(case.package, python, variables), case.tracker)
        started = time.monotonic()
        error = _execute(case, python, folder, variables)
        result.seconds = round(time.monotonic() - started, 1)
        expected = folder / "expected.jsonl"
        if error is not None:
            result.problems.append(error)
        elif not expected.exists():
            result.problems.append("the script expects nothing")
        else:
            for line in expected.read_text().splitlines():
                _compare(json.loads(line), folder / "runs.db", result)
    return result


def _variables(case: Case, python: Path, folder: Path) -> dict[str, str]:
    """The environment of a script, with the packages that only it needs."""
    paths = [str(ROOT)]
    if case.apart:
        paths.insert(0, str(folder / "apart"))
        install = [str(python), "-m", "pip", "install", "-q", "--no-deps", "--target", paths[0]]
        subprocess.run([*install, *case.apart], check=True, stderr=subprocess.DEVNULL)
    others = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TRACKAI_", "TRACKIO_", "WANDB_"))
    }
    return {
        **others,
        "PYTHONPATH": os.pathsep.join(paths),
        "TRACKAI_DB_PATH": str(folder / "runs.db"),
        "TRACKAI_EXPECTED": str(folder / "expected.jsonl"),
        "CUDA_VISIBLE_DEVICES": "",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "YOLO_CONFIG_DIR": str(folder),
    }


def _version(package: str, python: Path, variables: dict[str, str]) -> str:
    code = f"from importlib.metadata import version; print(version({package!r}))"
    command = [str(python), "-c", code]
    process = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    return process.stdout.strip() or "not installed"


def _execute(case: Case, python: Path, folder: Path, variables: dict[str, str]) -> str | None:
    """Run a script. Returns the end of its output if it fails."""
    work = folder / "work"
    work.mkdir()
    command = [
        str(python), "-m", "trackai.cli", "run", "--as", case.tracker, "--",
        str(python), *case.launcher, str(CASES / f"{case.script}.py"),
    ]  # fmt: skip
    try:
        process = subprocess.run(
            command, cwd=work, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"no end after {_SECONDS} seconds"
    if process.returncode:
        return f"exit code {process.returncode}: " + "\n".join(process.stdout.splitlines()[-15:])
    return None


def _compare(expected: dict[str, Any], database: Path, result: Result) -> None:
    try:
        stored = _find(expected, trackai.Api(database))
    except LookupError as error:
        result.problems.append(str(error))
        return
    label = f"{stored.project}/{stored.name}"
    if stored.state != expected["state"]:
        result.problems.append(f"{label}: state {stored.state}, not {expected['state']}")
    for key, value in expected["config"].items():
        found = _value_at(stored.config, key)
        if found != value:
            result.problems.append(f"{label}: config {key} is {found!r}, not {value!r}")
        result.points += 1
    history = stored.history()
    for metric, points in expected["points"].items():
        curve = history.get(metric)
        values: list[Any] = [] if curve is None else list(curve.values)
        if curve is not None and points and isinstance(points[0], list):
            values = [list(pair) for pair in zip(curve.steps, curve.values, strict=True)]
        if values != points:
            result.problems.append(f"{label}: {metric} is {values}, not {points}")
        result.points += len(points)
    files = _files(database, stored.id)
    for metric in expected["files"]:
        if metric not in files:
            result.problems.append(f"{label}: {metric} is not stored")
        result.points += 1


def _files(database: Path, run: int) -> set[str]:
    """The names under which a run has stored files."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT path FROM files WHERE run_id = ?", (run,))
        return {path for (path,) in rows}


def _find(expected: dict[str, Any], api: trackai.Api) -> StoredRun:
    pattern = expected["run"] or "*"
    runs = [
        run
        for run in api.runs(expected["project"])
        if fnmatch(run.name or run.run_id, pattern) or run.run_id == pattern
    ]
    if len(runs) != 1:
        raise LookupError(f"{len(runs)} runs {pattern!r} of project {expected['project']!r}")
    return runs[0]


def _value_at(config: Any, path: str) -> Any:
    if isinstance(config, dict) and path in config:
        return config[path]
    for part in path.split("/"):
        config = config.get(part) if isinstance(config, dict) else None
    return config


def _line(result: Result) -> str:
    outcome = "ok" if not result.problems else "FAILED\n  " + "\n  ".join(result.problems)
    return (
        f"{result.name:32} {result.version:12} {result.tracker:8} {result.points:6} points  "
        f"{result.seconds:6.1f} s  {outcome}"
    )


if __name__ == "__main__":
    main()
