"""Stored runs as scripts for wandb read and change them."""

from __future__ import annotations

import copy
import json
import math
import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest

import trackai

if TYPE_CHECKING:
    from pathlib import Path


def test_figures_of_metrics_are_numbers(api: trackai.Api) -> None:
    summary = api.run(1).summary
    loss = summary["loss"]
    assert (float(loss), round(float(loss), 1), f"{loss:.2f}", str(loss)) == (
        0.1,
        0.1,
        "0.10",
        "0.1",
    )
    assert loss == 0.1
    assert loss < 1
    assert 1 - loss == 0.9
    assert json.dumps({"loss": loss}) == '{"loss": 0.1}'
    assert np.mean([loss, loss]) == 0.1
    assert (loss.last, loss.last_step, loss.min, loss.max, loss.points) == (0.1, 9, 0.1, 1.0, 10)
    assert (int(summary["flag"]), summary["flag"].last, str(summary["flag"])) == (1, True, "True")
    assert summary["text"] == "NaN"
    assert float(summary["odd name/%"]) == -math.inf
    for copied in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        assert (copied, copied.max) == (0.1, 1.0)


def test_whole_numbers_stay_exact(db_path: Path) -> None:
    with trackai.init(project="p") as run:
        run.log({"big": 2**60 + 1, "nan": math.nan})
    summary = trackai.Api().run(1).summary
    assert int(summary["big"]) == 2**60 + 1
    assert math.isnan(float(summary["nan"]))


def test_two_handles_of_a_run_are_equal(api: trackai.Api) -> None:
    run, other = api.run(1), api.run(2)
    assert run == api.run(1)
    assert run != other
    assert run != 1
    assert {run, api.run(1), other} == {other, run}
    run.rename("new name")
    assert run == api.run(1)


def test_handles_of_the_same_id_in_other_places_differ(api: trackai.Api, tmp_path: Path) -> None:
    with trackai.init(project="p", db_path=tmp_path / "other.db") as logged:
        logged.log({"x": 1})
    assert trackai.Api(tmp_path / "other.db").run(1) != api.run(1)
    assert trackai.Api(tmp_path / "other.db").run(1) == trackai.Api(
        tmp_path / ".." / tmp_path.name / "other.db"
    ).run(1)


def test_flat_keys_of_a_configuration(api: trackai.Api) -> None:
    config = api.run(1).config
    assert config["opt/lr"] == config["opt"]["lr"] == config.get("opt/lr") == 1.0
    assert "opt/lr" in config
    assert "opt/nope" not in config
    assert config.get("opt/lr/deeper", 3) == 3
    with pytest.raises(KeyError, match="opt/nope"):
        config["opt/nope"]
    assert config == {"opt": {"lr": 1.0}, "same": 1}
    assert pickle.loads(pickle.dumps(config)) == config


def test_changes_are_stored_by_update(api: trackai.Api) -> None:
    run = api.run(1)
    run.tags.append("best")
    run.name, run.group, run.notes = "changed", "group a", "a note"
    run.config["opt/lr"] = 0.5
    run.config.update({"new": {"key": [1, 2]}})
    assert api.run(1).tags == []
    run.update()
    stored = api.run(1)
    assert (stored.tags, stored.name, stored.notes) == (["best"], "changed", "a note")
    assert (stored.group, run.tags) == ("group a", ["best"])
    assert stored.config == {"opt": {"lr": 0.5}, "same": 1, "new": {"key": [1, 2]}}
    run.tags.remove("best")
    run.update()
    assert api.run(1).tags == []
    run.update()


def test_wrong_changes_change_nothing(api: trackai.Api) -> None:
    run = api.run(1)
    run.tags.append(" ")
    with pytest.raises(trackai.InvalidInputError, match="tags"):
        run.update()
    run = api.run(1)
    run.config["bad\0key"] = 1
    run.group = "g"
    with pytest.raises(trackai.InvalidInputError, match="config"):
        run.update()
    assert api.run(1).group is None
    run = api.run(1)
    run.config["key"] = object()
    with pytest.raises((trackai.InvalidInputError, TypeError)):
        run.update()


def test_runs_are_found_by_paths_of_wandb(api: trackai.Api) -> None:
    for text in ("me/my-project/r1", "/me/My project/r1", "me/my-project/runs/r1"):
        assert api.run(text).name == "r1"
    # `run.id` of a script in which only the import was replaced.
    r1 = api.run("me/my-project/r1")
    for text in (f"me/my-project/{r1.id}", f"My project/{r1.id}"):
        assert api.run(text) == r1
    for text in ("me/my-project/nope", f"me/other/{r1.id}", "me/my-project/999", "my-project/²"):
        with pytest.raises(trackai.NotFoundError, match=f"run '{text}' not found"):
            api.run(text)


def test_a_sampled_history(api: trackai.Api) -> None:
    run = api.run(1)
    frame = run.history(["loss", "flag"], samples=500)
    assert list(frame.columns) == ["_step", "_timestamp", "loss", "flag"]
    assert frame["_step"].tolist() == [0, 0.5, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert frame["loss"].dropna().tolist() == [1 / (step + 1) for step in range(10)]
    rows = run.history(pandas=False, stream="system")
    assert [set(row) for row in rows] == [{"_timestamp", "gpu"}]
    by_loss = run.history(keys=["loss"], pandas=False, x_axis="loss")
    assert [row["_step"] for row in by_loss] == list(range(9, -1, -1))
    for arguments in ({"points": 10, "samples": 10}, {"samples": 10, "stream": "nope"}):
        with pytest.raises(trackai.InvalidInputError, match=r"points|stream"):
            run.history(**arguments)
    with pytest.raises(trackai.InvalidInputError, match="keys: must be names of metrics, got 500"):
        run.history(500)  # type: ignore[call-overload]


def test_the_last_step(api: trackai.Api, db_path: Path) -> None:
    assert api.run(1).lastHistoryStep == 9
    trackai.init(project="empty").finish()
    assert api.run("latest").lastHistoryStep == -1


def test_a_deleted_run(api: trackai.Api) -> None:
    assert api.run(1).delete(delete_artifacts=True)
    with pytest.raises(trackai.NotFoundError):
        api.run(1)


def test_runs_and_projects_are_tables_in_notebooks(api: trackai.Api) -> None:
    api.run(1).rename("<b>bold</b>")
    for shown in (api.runs()._repr_html_(), api.projects()._repr_html_()):  # type: ignore[attr-defined]
        assert shown.count("<tr>") > 1
        assert "My project" in shown
        assert "<b>bold" not in shown
    assert "&lt;b&gt;bold" in api.runs()._repr_html_()
    assert repr(api).startswith("<Api ")
    assert api.runs(filter="id = 0")._repr_html_().startswith("<code>&lt;Runs")
    assert pickle.loads(pickle.dumps(api.projects())) == ["My project"]


def test_a_table_of_many_runs_is_bounded(db_path: Path) -> None:
    for _ in range(23):
        trackai.init(project="p").finish()
    shown = trackai.Api().runs()._repr_html_()
    assert shown.count("<tr>") == 22
    assert "and 3 more" in shown
