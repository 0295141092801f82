"""Training scripts of frameworks that the tests install, as `scripts/frameworks.py` runs them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from types import ModuleType

SCRIPT = Path(__file__).parents[2] / "scripts" / "frameworks.py"


@pytest.fixture
def frameworks(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("frameworks", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "frameworks", module)  # dataclasses look there
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["scikit-learn script", "XGBoost", "LightGBM"])
def test_a_script_is_stored_as_its_framework_reports(frameworks: ModuleType, name: str) -> None:
    result = frameworks.run(name, frameworks.SCRIPTS[name], Path(sys.executable))
    assert not result.problems
    assert result.points > 10


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"points": {"loss": [[0, 0.5], [1, 0.25]]}}, None),
        ({"points": {"loss": [0.5, 0.25]}}, None),
        ({"points": {"loss": [[0, 0.5], [2, 0.25]]}}, "loss is"),
        ({"points": {"loss": [0.5]}}, "loss is"),
        ({"points": {"loss": [0.5, 0.26]}}, "loss is"),
        ({"points": {"accuracy": [1.0]}}, "accuracy is"),
        ({"config": {"opt/lr": 0.1}}, None),
        ({"config": {"opt/lr": 0.2}}, "config opt/lr is 0.1"),
        ({"state": "failed"}, "state completed"),
        ({"run": "other"}, "0 runs 'other'"),
        ({"files": ["images"]}, "images is not stored"),
    ],
)
def test_what_is_compared(
    frameworks: ModuleType, tmp_path: Path, change: dict[str, Any], problem: str | None
) -> None:
    import trackai

    database = tmp_path / "runs.db"
    with trackai.init(project="p", name="n", db_path=database, config={"opt": {"lr": 0.1}}) as run:
        run.log({"loss": 0.5})
        run.log({"loss": 0.25})
    expected = {
        "run": "n", "project": "p", "state": "completed", "config": {}, "points": {}, "files": [],
        **change,
    }  # fmt: skip
    result = frameworks.Result("name", "1.0", "wandb")
    frameworks._compare(expected, database, result)
    if problem is None:
        assert not result.problems
    else:
        assert len(result.problems) == 1
        assert problem in result.problems[0]


def test_every_script_has_a_file_and_every_file_a_script(frameworks: ModuleType) -> None:
    files = {path.stem for path in frameworks.CASES.glob("*.py")}
    scripts = {case.script for case in frameworks.SCRIPTS.values()}
    assert files - {"expected", "tiny"} == scripts
    assert len(scripts) >= 29
