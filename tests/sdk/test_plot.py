"""Charts: their numbers are those of scikit-learn, and they are stored as tables."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

import trackai
from trackai.errors import InvalidInputError
from trackai.sdk import notices
from trackai.store.catalogue.files import blob_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trackai.sdk.plot import Chart

RANDOM = np.random.default_rng(1)
# Rounded scores, so that several samples share a score.
LABELS = RANDOM.integers(0, 3, 500)
SCORES = RANDOM.dirichlet(np.ones(3), 500).round(2)
plot = trackai.plot


def stored(chart: Chart) -> dict[str, Any]:
    content: dict[str, Any] = json.load(chart.open())
    return content


def of_class(chart: Chart, name: Any) -> np.ndarray[Any, Any]:
    """The numbers of one class."""
    return np.array([row[1:] for row in chart.table.data if row[0] == name], float)


def test_roc_curves_are_those_of_scikit_learn() -> None:
    chart = plot.roc_curve(LABELS, SCORES)
    assert chart.table.columns == ["class", "fpr", "tpr"]
    for each in range(3):
        false, true, _ = metrics.roc_curve(each == LABELS, SCORES[:, each])
        assert np.array_equal(of_class(chart, each), np.stack([false, true], axis=1))


def test_precision_recall_curves_are_those_of_scikit_learn() -> None:
    chart = plot.pr_curve(LABELS, SCORES, interp_size=11)
    recalls = np.linspace(0, 1, 11)
    for each in range(3):
        precision, recall, _ = metrics.precision_recall_curve(each == LABELS, SCORES[:, each])
        numbers = of_class(chart, each)
        assert np.array_equal(numbers[:, 1], recalls)
        for at, found in zip(recalls, numbers[:, 0], strict=True):
            assert found == precision[recall >= at].max()


def test_confusion_matrices_are_those_of_scikit_learn() -> None:
    expected = metrics.confusion_matrix(LABELS, SCORES.argmax(axis=1))
    names = ["cat", "dog", "cow"]
    by_scores = plot.confusion_matrix(SCORES, LABELS, class_names=names)
    by_classes = plot.confusion_matrix(y_true=LABELS.tolist(), preds=SCORES.argmax(axis=1))
    for chart, classes in ((by_scores, names), (by_classes, [0, 1, 2])):
        assert [row[:2] for row in chart.table.data] == [[a, p] for a in classes for p in classes]
        assert [row[2] for row in chart.table.data] == expected.ravel().tolist()
    words = plot.confusion_matrix(y_true=["b", "a", "b"], preds=["b", "b", "c"])
    assert [row for row in words.table.data if row[2]] == [
        ["a", "b", 1], ["b", "b", 1], ["b", "c", 1],
    ]  # fmt: skip
    named = plot.confusion_matrix(y_true=["b"], preds=["a"], class_names=["a", "b", "c"])
    assert [row for row in named.table.data if row[2]] == [["b", "a", 1]]


def test_classes_have_names_and_can_be_chosen() -> None:
    chart = plot.roc_curve(LABELS, SCORES, labels=["a", "b", "c"], classes_to_plot=[2, 0])
    assert list(dict.fromkeys(row[0] for row in chart.table.data)) == ["a", "c"]
    words = plot.pr_curve(np.array(["n", "y"])[(LABELS == 1).astype(int)], SCORES[:, :2])
    assert {row[0] for row in words.table.data} == {"n", "y"}


def test_a_class_without_samples_does_not_shift_the_columns() -> None:
    """wandb takes the second column for the second class that occurs."""
    seen = LABELS != 1
    chart = plot.roc_curve(LABELS[seen], SCORES[seen])
    false, true, _ = metrics.roc_curve(LABELS[seen] == 2, SCORES[seen, 2])
    assert np.array_equal(of_class(chart, 2), np.stack([false, true], axis=1))


def test_scores_that_are_not_numbers_are_left_out(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "_subjects", set())
    scores = SCORES.copy()
    scores[:7, 0] = np.nan
    false, true, _ = metrics.roc_curve(LABELS[7:] == 0, SCORES[7:, 0])
    assert np.array_equal(
        of_class(plot.roc_curve(LABELS, scores), 0), np.stack([false, true], axis=1)
    )
    assert "y_probas: 7 NaN are left out" in caplog.text
    assert len(plot.roc_curve([0, 1], [[np.nan] * 2] * 2).table.data) == 0


def test_a_single_class_has_no_false_positive_rate() -> None:
    chart = plot.roc_curve([0, 0], [[0.5], [0.6]])
    assert stored(chart)["data"][-1] == [0, "NaN", 1.0]
    assert plot.pr_curve([0, 0], [[0.5], [0.6]]).table.data[0] == [0, 1.0, 0.0]


def test_long_curves_are_thinned_with_a_warning(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "_subjects", set())
    labels = RANDOM.integers(0, 2, 60_000)
    scores = RANDOM.random((60_000, 2))
    rows = plot.roc_curve(labels, scores).table.data
    assert len(rows) == 10_000
    assert rows[0][1:] == [0, 0]
    assert rows[-1][1:] == [1, 1]
    assert "is stored with 5000 points" in caplog.text


def test_charts_of_tables() -> None:
    table = trackai.Table(["a", "b", "kind"], [[1, 2, "x"], [3, 4, "y"]])
    charts = {
        "line": (plot.line(table, "a", "b", stroke="kind", title="T"),
                 {"x": "a", "y": "b", "line": "kind"}),
        "scatter": (plot.scatter(table, "a", "b", title="T"), {"x": "a", "y": "b"}),
        "bar": (plot.bar(table, "kind", "a", title="T"), {"label": "kind", "value": "a"}),
        "histogram": (plot.histogram(table, "a", title="T"), {"value": "a"}),
        "my/kind": (
            trackai.plot_table("my/kind", table, {"x": "a"}, {"title": "T"}), {"x": "a"},
        ),
    }  # fmt: skip
    for kind, (chart, fields) in charts.items():
        assert stored(chart) == {
            "columns": ["a", "b", "kind"],
            "data": [[1, 2, "x"], [3, 4, "y"]],
            "chart": {"kind": kind, "fields": fields, "texts": {"title": "T"}},
        }
    frame = pd.DataFrame({"a": [1], "b": [2]})
    assert stored(plot.line(frame, "a", "b"))["data"] == [[1, 2]]


def test_lines_of_lists() -> None:
    shared = plot.line_series([0, 1], [[5, 6], [7, 8]], xname="epoch")
    assert shared.table.data == [
        [0, "line_0", 5], [1, "line_0", 6], [0, "line_1", 7], [1, "line_1", 8],
    ]  # fmt: skip
    assert shared.texts == {"x": "epoch"}
    apart = plot.line_series(np.array([[0, 1], [2, 3]]), [[5, 6], [7, 8]], keys=["a", "b"])
    assert [row[:2] for row in apart.table.data] == [[0, "a"], [1, "a"], [2, "b"], [3, "b"]]
    assert plot.line_series([], []).table.data == []


def test_charts_are_logged_with_the_media_in_their_tables(db_path: Path) -> None:
    pixels = np.zeros((2, 2, 3), np.uint8)
    table = trackai.Table(["x", "picture"], [[1, trackai.Image(pixels)]])
    with trackai.init(project="p") as run:
        run.log({"chart": run.plot_table("mine", table, {"x": "x"})})
        trackai.log({"nested": {"roc": plot.roc_curve(LABELS, SCORES)}})
    with closing(sqlite3.connect(db_path)) as connection:
        files = connection.execute("SELECT path, name, sha256 FROM files ORDER BY path").fetchall()
    assert [file[:2] for file in files] == [
        ("chart", "0.table.json"), ("chart/picture", "0.png"), ("nested/roc", "1.table.json"),
    ]  # fmt: skip
    chart = json.loads(blob_path(db_path, files[0][2]).read_bytes())
    assert chart["data"] == [[1, {"file": "chart/picture", "name": "0.png"}]]
    assert chart["chart"] == {"kind": "mine", "fields": {"x": "x"}, "texts": {}}


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: plot.line(trackai.Table(["a"], [[1]]), "a", "b"), "y"),
        (lambda: plot.bar([[1]], "a", "b"), "table"),
        (lambda: trackai.plot_table("k", [[1]], {}), "data_table"),
        (lambda: plot.line_series([1], [[1], [2]], keys=["a"]), "keys"),
        (lambda: plot.line_series([[1]], [[1], [2]]), "xs"),
        (lambda: plot.line_series([1, 2], [[1]]), "ys"),
        (lambda: plot.roc_curve([0, 1], [0.1, 0.9]), "y_probas"),
        (lambda: plot.roc_curve([0, 1], None), "y_probas"),
        (lambda: plot.roc_curve([0, 1], [["a", "b"]] * 2), "y_probas"),
        (lambda: plot.roc_curve([0, 1], [[0.5, 0.5]]), "y_probas"),
        (lambda: plot.roc_curve([0, 7], [[0.5] * 3] * 2), "y_probas"),
        (lambda: plot.roc_curve("01", [[0.5, 0.5]]), "y_true"),
        (lambda: plot.roc_curve([[0, 1]], [[0.5, 0.5]]), "y_true"),
        (lambda: plot.roc_curve([0, 1], [[0.5, 0.5]] * 2, labels=["a"]), "labels"),
        (lambda: plot.pr_curve([0, 1], [[0.5, 0.5]] * 2, interp_size=1), "interp_size"),
        (lambda: plot.pr_curve(None, [[0.5, 0.5]] * 2), "y_true"),
        (lambda: plot.confusion_matrix(y_true=[0]), "preds"),
        (lambda: plot.confusion_matrix([[1]], [0], [0]), "preds"),
        (lambda: plot.confusion_matrix(y_true=[0, 1], preds=[0]), "preds"),
        (lambda: plot.confusion_matrix([[0.5, 0.5]], [0, 1]), "probs"),
        (lambda: plot.confusion_matrix(y_true=[5], preds=[0], class_names=["a"]), "y_true"),
        (lambda: plot.confusion_matrix(y_true=[0], preds=[0.5], class_names=["a"]), "preds"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_named(make: Callable[[], object], field: str) -> None:
    with pytest.raises((TypeError, InvalidInputError), match=f"^{field}: "):
        make()
