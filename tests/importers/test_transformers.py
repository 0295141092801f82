"""Importing output folders as the Trainer of transformers 5.24 writes them."""

from __future__ import annotations

import io
import json
import math
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.importers.sources import read_points
from trackai.importers.transformers import json_stream, recognises
from trackai.importers.transformers.reader import Source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Trackai

    Ask = Callable[..., list[tuple[Any, ...]]]

# When the state of step 0 was written, in seconds.
WRITTEN = 1_795_000_000
POINTS = "SELECT step, value FROM points WHERE metric = ? ORDER BY step, time"


def rows(steps: int, loss: float = 1.0, *, ended: bool = False) -> list[dict[str, Any]]:
    history: list[dict[str, Any]] = []
    for step in range(1, steps + 1):
        value = math.nan if step == 3 else loss / step
        history.append(
            {
                "epoch": step / 4,
                "grad_norm": 0.5,
                "learning_rate": 5e-05,
                "loss": value,
                "step": step,
            }
        )
        if step % 2 == 0:
            history.append({"epoch": step / 4, "eval_loss": 0.5, "eval_runtime": 1.5, "step": step})
    if ended:
        history.append({
            "epoch": steps / 4, "step": steps, "total_flos": steps * 1000.0, "train_loss": 0.25,
            "train_runtime": 2.5,
        })  # fmt: skip
    return history


def write_state(
    folder: Path, step: int, history: list[dict[str, Any]], at: int | None = None, **fields: Any
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    state = {
        "best_global_step": None, "best_metric": None, "best_model_checkpoint": None,
        "epoch": step / 4, "eval_steps": 2, "global_step": step, "is_hyper_param_search": False,
        "log_history": history, "logging_steps": 1, "max_steps": 6, "num_input_tokens_seen": 0,
        "num_train_epochs": 2, "save_steps": 2, "stateful_callbacks": {},
        "total_flos": step * 1000.0, "train_batch_size": 8, "trial_name": None,
        "trial_params": None, **fields,
    }  # fmt: skip
    path = folder / "trainer_state.json"
    path.write_text(json.dumps(state, indent=2, sort_keys=True) + "\n")
    os.utime(path, (WRITTEN, WRITTEN + (step if at is None else at)))
    return path


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """The folder of a training that has come to its end."""
    folder = tmp_path / "outputs" / "bert"
    for step in (2, 4, 6):
        best: dict[str, Any] = {"best_metric": 0.5, "best_model_checkpoint": "bert/checkpoint-2",
                "best_global_step": 2}  # fmt: skip
        checkpoint = folder / f"checkpoint-{step}"
        write_state(checkpoint, step, rows(step), **best)
        (checkpoint / "training_args.bin").write_bytes(b"never read")
        (checkpoint / "model.safetensors").write_bytes(b"never read")
    write_state(folder, 6, rows(6, ended=True), at=7, **best, trial_params={"lr": 1e-3})
    config = {"hidden_size": 8, "id2label": {"0": "a"}, "rope": None, "eps": math.inf}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "all_results.json").write_text('{"epoch": 1.5, "train_loss": 0.25, "perplexity": 2}')
    return folder


def test_a_training_is_as_if_it_was_logged(output: Path, trackai: Trackai, ask: Ask) -> None:
    receipt = trackai("import", "transformers", output, "--json").json
    assert receipt["complete"] is True, receipt
    assert [remark["problem"] for remark in receipt["remarks"]] == [
        "has no times; those of its files are used"
    ]

    def points(metric: str) -> list[Any]:
        return ask(POINTS, metric)

    losses = [(step, None if step == 3 else 1 / step) for step in range(1, 7)]
    assert points("train/loss") == losses
    assert points("train/epoch") == [(step, step / 4) for step in range(1, 7)]
    assert points("eval/loss") == [(2, 0.5), (4, 0.5), (6, 0.5)]
    assert points("train_runtime") == [(6, 2.5)]
    assert points("total_flos") == [(2, 2000), (4, 4000), (6, 6000)]
    assert points("best_metric") == [(2, 0.5)]
    assert points("best_model_checkpoint") == [(2, "bert/checkpoint-2")]
    assert points("results/perplexity") == [(6, 2)]
    assert ask("SELECT COUNT(*) FROM files") == [(0,)]
    config: dict[str, str] = dict(ask("SELECT key, value FROM configs"))
    assert {key: json.loads(value) for key, value in config.items()} == {
        "max_steps": 6, "num_train_epochs": 2, "logging_steps": 1, "eval_steps": 2,
        "save_steps": 2, "train_batch_size": 8, "trial/lr": 1e-3, "model_config/hidden_size": 8,
        "model_config/id2label/0": "a", "model_config/rope": None, "model_config/eps": "Infinity",
    }  # fmt: skip
    [head] = ask("SELECT slug, state, created_at, finished_at FROM runs")
    second = 1_000_000
    assert head == ("bert", "completed", (WRITTEN + 2) * second, (WRITTEN + 7) * second)
    assert ask("SELECT name FROM projects") == [("huggingface",)]


def test_importing_again_changes_nothing(output: Path, trackai: Trackai) -> None:
    """Nor from the folder above, from another place, nor with other times of the files."""
    trackai("import", "transformers", output)
    shutil.copytree(output, output.parent.parent / "copied" / "bert", copy_function=shutil.copy)
    for path in (output, output.parent, output / "checkpoint-4", output.parent.parent / "copied"):
        receipt = trackai("import", "transformers", path, "--json").json
        assert (receipt["new_runs"], receipt["totals"]["stored"]) == (0, 0), path


def test_a_training_that_grows_is_one_run(tmp_path: Path, trackai: Trackai, ask: Ask) -> None:
    folder = tmp_path / "bert"
    path = write_state(folder / "checkpoint-2", 2, rows(2))
    os.utime(path)
    trackai("import", "transformers", folder)
    assert ask("SELECT state FROM runs") == [("running",)]
    os.utime(path, (WRITTEN, WRITTEN))
    receipt = trackai("import", "transformers", folder, "--json").json
    assert ask("SELECT state FROM runs") == [("failed",)]
    assert "ends at step 2" in receipt["remarks"][0]["problem"]
    shutil.rmtree(folder / "checkpoint-2")  # only some are kept
    write_state(folder / "checkpoint-4", 4, rows(4))
    receipt = trackai("import", "transformers", folder, "--json").json
    assert (receipt["runs"], receipt["new_runs"]) == (1, 0)
    write_state(folder, 6, rows(6, ended=True))
    trackai("import", "transformers", folder, "--json")
    assert ask("SELECT state FROM runs") == [("completed",)]
    assert [step for step, _ in ask(POINTS, "train/loss")] == [1, 2, 3, 4, 5, 6]


def test_a_training_that_was_resumed_earlier_has_two_attempts(
    tmp_path: Path, trackai: Trackai, ask: Ask
) -> None:
    folder = tmp_path / "bert"
    write_state(folder / "checkpoint-2", 2, rows(2))
    write_state(folder / "checkpoint-6", 6, rows(6))
    write_state(folder / "checkpoint-4", 4, rows(2) + rows(4, 8.0)[3:], at=10)
    trackai("import", "transformers", folder)
    assert ask(POINTS, "train/loss") == [(1, 1), (2, 0.5), (3, None), (4, 2)]
    assert ask("SELECT COUNT(*) FROM metrics JOIN series ON series.id = series_id"
               " WHERE path = 'train/loss'") == [(7,)]  # fmt: skip


def test_a_training_from_the_start_in_the_same_folder_is_another_run(
    tmp_path: Path, trackai: Trackai, ask: Ask
) -> None:
    write_state(tmp_path / "bert" / "checkpoint-6", 6, rows(6))
    write_state(tmp_path / "bert" / "checkpoint-2", 2, rows(2, 5.0), at=10)
    assert trackai("import", "transformers", tmp_path, "--json").json["runs"] == 2
    assert ask("SELECT COUNT(*) FROM runs") == [(2,)]


def test_trials_are_a_group(tmp_path: Path, trackai: Trackai, ask: Ask) -> None:
    for number in range(2):
        write_state(
            tmp_path / "search" / f"run-{number}" / "checkpoint-2", 2, rows(2, number + 1.0),
            is_hyper_param_search=True, trial_name=f"trial {number}", trial_params={"lr": number},
        )  # fmt: skip
    trackai("import", "transformers", tmp_path, "--project", "mine")
    assert ask("SELECT slug, name, group_name FROM runs ORDER BY slug") == [
        ("run-0", "trial 0", "search"), ("run-1", "trial 1", "search")
    ]  # fmt: skip
    assert ask("SELECT name FROM projects") == [("mine",)]


def test_a_state_that_is_cut_anywhere_is_a_problem(tmp_path: Path) -> None:
    """All rows that are whole are read all the same."""
    write_state(tmp_path / "checkpoint-2", 2, rows(2))
    path = write_state(tmp_path / "checkpoint-4", 4, rows(4))
    content = path.read_bytes()
    whole, _ = read_points(Source, tmp_path)
    path.unlink()
    before, _ = read_points(Source, tmp_path)
    # The figures of a state may be written before the position at which it is cut.
    for length in range(0, len(content) - 2, 5):
        path.write_bytes(content[:length])
        points, receipt = read_points(Source, tmp_path)
        assert before <= points <= whole
        before = points
        assert [problem.where for problem in receipt.problems] == [
            "checkpoint-4/trainer_state.json"
        ]
    assert {point for point in whole if point[0] != "total_flos"} <= before


@settings(max_examples=30, deadline=None)
@example(value={"a": [0.5, -1e-05, 1e22, -7], "b": -0.0}, indent=None, chunk=1)
@given(
    value=st.dictionaries(
        st.text(), st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        ), max_size=5,
    ),
    indent=st.sampled_from([None, 2]),
    chunk=st.integers(1, 9),
)  # fmt: skip
def test_json_is_read_by_parts(value: dict[str, Any], indent: int | None, chunk: int) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=False).encode(errors="surrogatepass")

    def read_object(content: bytes) -> dict[str, Any]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(json_stream, "_CHUNK", chunk)
            stream = json_stream.JsonStream(io.BytesIO(content))
            return {key: stream.value() for key in stream.read_keys()}

    assert repr(read_object(text)) == repr(json.loads(text))
    for length in range(0, len(text), 1 + len(text) // 20):
        with pytest.raises(ValueError):
            read_object(text[:length])


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_damage_makes_no_traceback(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    path = write_state(folder, 2, rows(2, ended=True))
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    read_points(Source, folder)


@pytest.mark.parametrize(
    "row",
    [None, [], {}, {"step": True, "loss": 1}, {"step": "1"}, {"step": 1e300}, {"step": math.nan}],
)
def test_rows_that_are_not_rows_are_counted(tmp_path: Path, row: Any) -> None:
    write_state(tmp_path, 2, [*rows(1), row])
    points, receipt = read_points(Source, tmp_path)
    assert ("train/loss", 1, "1.0") in points
    assert receipt.types["metrics"].not_stored == {"rows without a valid step": 1}


def test_values_keep_their_types(tmp_path: Path) -> None:
    row = {"step": 1, "i": 2**60 + 1, "big": 2**70, "ok": True, "t": "NaN", "list": [1, math.nan],
           "nested": {"a": -0.0}, "none": None, "huge": 10**400, "inf": -math.inf}  # fmt: skip
    write_state(tmp_path, 1, [row], total_flos=0)
    points, receipt = read_points(Source, tmp_path)
    assert points == {
        ("train/i", 1, str(2**60 + 1)), ("train/big", 1, repr(2.0**70)), ("train/ok", 1, "True"),
        ("train/t", 1, "'NaN'"), ("train/list", 1, "'[1,\"NaN\"]'"), ("train/nested/a", 1, "-0.0"),
        ("train/inf", 1, "-inf"),
    }  # fmt: skip
    assert receipt.types["metrics"].null == 1
    assert receipt.types["metrics"].not_stored == {"too large for a float": 1}


def test_only_output_folders_are_recognised(tmp_path: Path, trackai: Trackai) -> None:
    assert not recognises(tmp_path)
    assert "no states of a trainer found" in trackai(
        "import", "transformers", tmp_path, code=2
    ).err  # fmt: skip
    path = write_state(tmp_path / "all" / "bert" / "checkpoint-2", 2, rows(2))
    assert all(map(recognises, (path, path.parent, path.parent.parent, tmp_path / "all")))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "trainer_state.json").symlink_to(path)
    assert "no states of a trainer found" in trackai(
        "import", "transformers", tmp_path / "other", code=2
    ).err  # fmt: skip
