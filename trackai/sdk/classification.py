"""Curves and counts of classifiers, computed with NumPy; the numbers are those of scikit-learn."""

from __future__ import annotations

from typing import Any

from trackai.sdk.arrays import import_numpy


def roc(is_positive: Any, scores: Any) -> tuple[Any, Any]:
    """Return false and true positive rates at falling thresholds, as `sklearn.metrics.roc_curve`.

    Points on a straight line between their neighbours are left out. A rate is NaN if there are no
    samples that it could be a share of.

    Args:
        is_positive: an array of bools, one a sample.
        scores: an array of numbers, one a sample.
    """
    np = import_numpy("a ROC curve")
    false, true = _counts(np, is_positive, scores)
    if len(false) > 2:
        bends = np.logical_or(np.diff(false, 2), np.diff(true, 2))
        kept = np.concatenate([[True], bends, [True]])
        false, true = false[kept], true[kept]
    false, true = np.concatenate([[0], false]), np.concatenate([[0], true])
    with np.errstate(invalid="ignore", divide="ignore"):
        return false / false[-1], true / true[-1]


def precision_recall(is_positive: Any, scores: Any) -> tuple[Any, Any]:
    """Return precision and recall at rising thresholds, as `precision_recall_curve` of sklearn.

    Args:
        is_positive: an array of bools, one a sample.
        scores: an array of numbers, one a sample.
    """
    np = import_numpy("a precision-recall curve")
    false, true = _counts(np, is_positive, scores)
    precision = true / np.maximum(false + true, 1)
    recall = true / true[-1] if true[-1] else np.ones(len(true))
    return np.append(precision[::-1], 1.0), np.append(recall[::-1], 0.0)


def interpolated_precision(is_positive: Any, scores: Any, recalls: Any) -> Any:
    """Return the highest precision that is reached at each recall or a higher one.

    Args:
        is_positive: an array of bools, one a sample.
        scores: an array of numbers, one a sample.
        recalls: an array of numbers from 0 to 1.
    """
    np = import_numpy("a precision-recall curve")
    precision, recall = precision_recall(is_positive, scores)
    highest = np.maximum.accumulate(precision)[::-1]
    return highest[np.searchsorted(recall[::-1], recalls, side="left")]


def _counts(np: Any, is_positive: Any, scores: Any) -> tuple[Any, Any]:
    """Count the false and true positives at each distinct score, from the highest on."""
    order = np.argsort(scores, kind="stable")[::-1]
    is_positive, scores = is_positive[order], scores[order]
    last_of_score = np.append(np.flatnonzero(scores[1:] != scores[:-1]), len(scores) - 1)
    true = np.cumsum(is_positive)[last_of_score]
    return 1 + last_of_score - true, true


def confusion(actual: Any, predicted: Any, number: int) -> Any:
    """Count the samples of each actual and predicted class: an array of (actual, predicted).

    Args:
        actual: indices of classes, one a sample.
        predicted: indices of classes, one a sample.
        number: how many classes there are.
    """
    np = import_numpy("a confusion matrix")
    pairs = np.bincount(actual * number + predicted, minlength=number * number)
    return pairs.reshape(number, number)
