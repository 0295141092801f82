"""Charts that are computed when they are logged: tables with a description of how to draw them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, BinaryIO

import msgspec

from trackai.errors import InvalidInputError
from trackai.sdk import classification, frames
from trackai.sdk.arrays import import_numpy, is_tensor, plain_array
from trackai.sdk.builtin_values import jsonable, type_name
from trackai.sdk.media import Files, Media
from trackai.sdk.notices import warn_once
from trackai.sdk.table import Table

# Points of a chart: more would make large files, and nobody sees them.
_MAX_POINTS = 10_000


class Chart(Media):
    """A table with a description of how to draw it. Made by `trackai.plot`.

    It is stored as a table with one more key, "chart": {"kind": "line", "fields": {"x": "step",
    "y": "loss"}, "texts": {"title": "Loss"}}. `fields` are columns of the table.

    Attributes:
        table: the table.
        kind, fields, texts: what is stored under "chart".
    """

    def __init__(
        self, table: Table, kind: str, fields: Mapping[str, Any], texts: Mapping[str, Any]
    ) -> None:
        super().__init__(b"", table.suffix)
        self.table = table
        self.kind = kind
        self.fields = dict(fields)
        self.texts = {name: text for name, text in texts.items() if text not in (None, "")}

    def open(self) -> BinaryIO:
        """Open the chart as JSON for reading."""
        chart = {"kind": self.kind, "fields": self.fields, "texts": self.texts}
        table = {"columns": self.table.columns, "data": self.table.data, "chart": chart}
        return io.BytesIO(msgspec.json.encode(jsonable(table)))

    def without_files(self, path: str, files: Files, number: int | None) -> Chart:
        """Return the chart as it is stored, and move the media in its table to `files`."""
        table = self.table.without_files(path, files, number)
        return Chart(table, self.kind, self.fields, self.texts)

    def __repr__(self) -> str:
        return f"<trackai chart {self.kind!r} of {self.table!r}>"


class Plot:
    """Makes charts to log. The arguments are those of `wandb.plot`.

    Every function returns a chart, and raises a TypeError or an InvalidInputError that names the
    argument if it cannot. A table may also be a data frame. `split_table` has no effect.

    Example:
        trackai.log({"roc": trackai.plot.roc_curve(labels, probabilities)})
    """

    @staticmethod
    def line(
        table: Any, x: Any, y: Any, stroke: Any = None, title: str = "", split_table: bool = False
    ) -> Chart:
        """Draw the column `y` over the column `x` as a line.

        Args:
            table: the data.
            x: a column.
            y: a column.
            stroke: a column; each of its values gets a line of its own.
            title: the title of the chart.
            split_table: ignored.
        """
        fields = {"x": x, "y": y} if stroke is None else {"x": x, "y": y, "line": stroke}
        return _of_columns(table, "line", fields, title)

    @staticmethod
    def scatter(table: Any, x: Any, y: Any, title: str = "", split_table: bool = False) -> Chart:
        """Draw a point for each row.

        Args:
            table: the data.
            x: a column.
            y: a column.
            title: the title of the chart.
            split_table: ignored.
        """
        return _of_columns(table, "scatter", {"x": x, "y": y}, title)

    @staticmethod
    def bar(
        table: Any, label: Any, value: Any, title: str = "", split_table: bool = False
    ) -> Chart:
        """Draw a bar for each row.

        Args:
            table: the data.
            label: the column with the names of the bars.
            value: the column with their lengths.
            title: the title of the chart.
            split_table: ignored.
        """
        return _of_columns(table, "bar", {"label": label, "value": value}, title)

    @staticmethod
    def histogram(table: Any, value: Any, title: str = "", split_table: bool = False) -> Chart:
        """Draw how the values of a column are distributed.

        Args:
            table: the data.
            value: the column.
            title: the title of the chart.
            split_table: ignored.
        """
        return _of_columns(table, "histogram", {"value": value}, title)

    @staticmethod
    def line_series(
        xs: Iterable[Any],
        ys: Iterable[Iterable[Any]],
        keys: Iterable[str] | None = None,
        title: str = "",
        xname: str = "x",
        split_table: bool = False,
    ) -> Chart:
        """Draw several lines.

        Args:
            xs: the x values of all lines; or a list of them for each line.
            ys: the y values of each line.
            keys: the names of the lines; default "line_0", "line_1" and so on.
            title: the title of the chart.
            xname: the title of the x axis.
            split_table: ignored.
        """
        lines = [list(line) for line in ys]
        all_x = list(xs)
        is_nested = bool(all_x) and isinstance(all_x[0], Iterable) and not isinstance(all_x[0], str)
        x_values = [list(line) for line in all_x] if is_nested else [all_x] * len(lines)
        names = [f"line_{number}" for number in range(len(lines))] if keys is None else list(keys)
        for field, items in (("xs", x_values), ("keys", names)):
            if len(items) != len(lines):
                raise InvalidInputError(field, f"must be {len(lines)}, as ys, got {len(items)}")
        rows = []
        for name, x_line, line in zip(names, x_values, lines, strict=True):
            if len(x_line) != len(line):
                raise InvalidInputError(
                    "ys", f"{name!r} has {len(line)} values for {len(x_line)} x values"
                )
            rows += [[x, name, y] for x, y in zip(x_line, line, strict=True)]
        table = Table(["step", "lineKey", "lineVal"], rows)
        fields = {"x": "step", "y": "lineVal", "line": "lineKey"}
        return Chart(table, "line_series", fields, {"title": title, "x": xname})

    @staticmethod
    def roc_curve(
        y_true: Any,
        y_probas: Any = None,
        labels: Sequence[str] | None = None,
        classes_to_plot: Sequence[Any] | None = None,
        title: str = "ROC Curve",
        split_table: bool = False,
    ) -> Chart:
        """Draw the true over the false positive rate of each class against the others.

        The rates are those of `sklearn.metrics.roc_curve`. Samples with a NaN score are left out
        with a warning.

        Args:
            y_true: the class of each sample.
            y_probas: the scores, of shape (samples, classes). The columns are the sorted classes
                in `y_true`; if there are more columns, column 3 is the class 3.
            labels: the names of the classes 0, 1 and so on.
            classes_to_plot: the classes to draw; default all in `y_true`.
            title: the title of the chart.
            split_table: ignored.
        """
        curves = _Scores(y_true, y_probas, labels, classes_to_plot)
        limit = max(_MAX_POINTS // max(len(curves.columns), 1), 2)
        rows: list[list[Any]] = []
        for name, is_positive, scores in curves:
            rates = classification.roc(is_positive, scores)
            rows += [[name, *pair] for pair in _thinned(rates, limit)]
        return Chart(
            Table(["class", "fpr", "tpr"], rows),
            "roc_curve",
            {"x": "fpr", "y": "tpr", "line": "class"},
            {"title": title, "x": "False positive rate", "y": "True positive rate"},
        )

    @staticmethod
    def pr_curve(
        y_true: Any = None,
        y_probas: Any = None,
        labels: Sequence[str] | None = None,
        classes_to_plot: Sequence[Any] | None = None,
        interp_size: int = 21,
        title: str = "Precision-Recall Curve",
        split_table: bool = False,
    ) -> Chart:
        """Draw the precision over the recall of each class against the others.

        The precision at a recall is the highest one at this recall or a higher one, computed from
        `sklearn.metrics.precision_recall_curve`'s numbers.

        Args:
            y_true: the class of each sample.
            y_probas: the scores, of shape (samples, classes); see `roc_curve`.
            labels: the names of the classes 0, 1 and so on.
            classes_to_plot: the classes to draw; default all in `y_true`.
            interp_size: the number of recalls, evenly spaced from 0 to 1.
            title: the title of the chart.
            split_table: ignored.
        """
        if not isinstance(interp_size, int) or interp_size < 2:
            raise InvalidInputError("interp_size", f"must be an int above 1, got {interp_size!r}")
        recalls = import_numpy("a precision-recall curve").linspace(0, 1, interp_size)
        rows: list[list[Any]] = []
        for name, is_positive, scores in _Scores(y_true, y_probas, labels, classes_to_plot):
            precision = classification.interpolated_precision(is_positive, scores, recalls)
            rows += [
                [name, *pair] for pair in zip(precision.tolist(), recalls.tolist(), strict=True)
            ]
        return Chart(
            Table(["class", "precision", "recall"], rows),
            "pr_curve",
            {"x": "recall", "y": "precision", "line": "class"},
            {"title": title, "x": "Recall", "y": "Precision"},
        )

    @staticmethod
    def confusion_matrix(
        probs: Any = None,
        y_true: Any = None,
        preds: Any = None,
        class_names: Sequence[str] | None = None,
        title: str = "Confusion Matrix Curve",
        split_table: bool = False,
    ) -> Chart:
        """Draw how many samples of each class were predicted to be of each class.

        Args:
            probs: the scores, of shape (samples, classes), instead of `preds`. The class with the
                highest score is the predicted one.
            y_true: the class of each sample.
            preds: the predicted class of each sample.
            class_names: the names of the classes 0, 1 and so on; default the classes themselves.
            title: the title of the chart.
            split_table: ignored.
        """
        np = import_numpy("a confusion matrix")
        actual = _labels(np, y_true, "y_true")
        predicted = _predictions(np, probs, preds)
        if len(actual) != len(predicted):
            raise InvalidInputError(
                "preds" if probs is None else "probs",
                f"must have a row for each of the {len(actual)} samples, got {len(predicted)}",
            )
        names, (rows_of, columns_of) = _class_indices(np, [actual, predicted], class_names)
        counts = classification.confusion(rows_of, columns_of, len(names)).tolist()
        rows = [
            [name, other, counts[row][column]]
            for row, name in enumerate(names)
            for column, other in enumerate(names)
        ]
        return Chart(
            Table(["Actual", "Predicted", "nPredictions"], rows),
            "confusion_matrix",
            {"actual": "Actual", "predicted": "Predicted", "count": "nPredictions"},
            {"title": title},
        )

    @staticmethod
    def plot_table(
        vega_spec_name: str,
        data_table: Any,
        fields: Mapping[str, Any],
        string_fields: Mapping[str, Any] | None = None,
        split_table: bool = False,
    ) -> Chart:
        """Describe a chart of one's own: its kind, and which columns it uses.

        Args:
            vega_spec_name: the kind of the chart.
            data_table: the data.
            fields: columns by their role in the chart.
            string_fields: texts by their role in the chart.
            split_table: ignored.
        """
        if not isinstance(vega_spec_name, str):
            raise TypeError(f"vega_spec_name: must be a str, got {type_name(vega_spec_name)}")
        table = _table(data_table, "data_table")
        return Chart(table, vega_spec_name, fields, string_fields or {})


plot = Plot()
plot_table = Plot.plot_table


class _Scores:
    """The scores of a classifier, checked. Iterates over the classes to draw.

    Attributes:
        columns: the column of each class to draw, by class.
    """

    def __init__(self, y_true: Any, y_probas: Any, labels: Any, classes_to_plot: Any) -> None:
        np = import_numpy("a curve of a classifier")
        self._true = _labels(np, y_true, "y_true")
        self._scores = _matrix(y_probas, "y_probas")
        if len(self._true) != len(self._scores):
            raise InvalidInputError(
                "y_probas", f"{len(self._scores)} rows for {len(self._true)} samples in y_true"
            )
        self._names = None if labels is None else list(labels)
        classes = _unique(np, self._true, "y_true").tolist()
        columns = _columns_of(classes, self._scores.shape[1])
        chosen = classes if classes_to_plot is None else np.asarray(classes_to_plot).tolist()
        self.columns = {each: column for each, column in columns.items() if each in chosen}

    def __iter__(self) -> Any:
        np = import_numpy("a curve of a classifier")
        for each, column in self.columns.items():
            scores = self._scores[:, column]
            valid = ~np.isnan(scores)
            if not valid.all():
                warn_once("plot: NaN", "y_probas: %d NaN are left out", int((~valid).sum()))
            if valid.any():
                yield _class_name(each, self._names), (self._true == each)[valid], scores[valid]


def _columns_of(classes: list[Any], width: int) -> dict[Any, int]:
    """Return the column of the scores of each class."""
    if len(classes) == width:
        return {each: column for column, each in enumerate(classes)}
    if all(isinstance(each, int) and 0 <= each < width for each in classes):
        return {each: int(each) for each in classes}
    raise InvalidInputError(
        "y_probas", f"must have a column for each of the {len(classes)} classes, got {width}"
    )


def _class_name(each: Any, names: list[str] | None) -> Any:
    if names is None or isinstance(each, bool | str) or each != int(each):
        return str(each) if isinstance(each, bool) else each
    if not 0 <= each < len(names):
        raise InvalidInputError("labels", f"no name for the class {each}: {len(names)} names")
    return names[int(each)]


def _class_indices(
    np: Any, samples: list[Any], class_names: Sequence[str] | None
) -> tuple[list[Any], list[Any]]:
    """Return the names of all classes, and the samples as indices of these."""
    if class_names is None:
        classes = _unique(np, np.concatenate(samples), "y_true and preds")
        names = [_class_name(each, None) for each in classes.tolist()]
        return names, [np.searchsorted(classes, each) for each in samples]
    names = list(class_names)
    numbers = {name: number for number, name in enumerate(names)}
    indices = []
    for field, each in zip(("y_true", "preds"), samples, strict=True):
        is_text = each.dtype.kind in "UO"
        known = [numbers.get(name, -1) for name in each.tolist()] if is_text else each.tolist()
        for number, value in zip(known, each.tolist(), strict=True):
            if number not in range(len(names)):
                raise InvalidInputError(
                    field, f"the class {value!r} is not in the {len(names)} class_names"
                )
        indices.append(np.array(known, "int64"))
    return names, indices


def _predictions(np: Any, probs: Any, preds: Any) -> Any:
    if (probs is None) == (preds is None):
        raise InvalidInputError("preds", "pass either preds or probs")
    return _labels(np, preds, "preds") if probs is None else _matrix(probs, "probs").argmax(axis=1)


def _labels(np: Any, value: Any, field: str) -> Any:
    """Return the classes of samples as an array of one dimension."""
    if value is None or isinstance(value, str | bytes | Mapping):
        raise TypeError(f"{field}: must be a list of classes, got {type_name(value)}")
    array = plain_array(value, "a chart") if is_tensor(value) else np.asarray(value)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or array.size == 0:
        raise TypeError(f"{field}: must have the shape (samples,), got {array.shape}")
    return array


def _unique(np: Any, labels: Any, field: str) -> Any:
    try:
        return np.unique(labels)
    except TypeError:
        raise TypeError(f"{field}: classes must be all numbers or all str") from None


def _matrix(value: Any, field: str) -> Any:
    """Return scores as floats of shape (samples, classes)."""
    if value is None:
        raise TypeError(f"{field}: must be the scores of shape (samples, classes), got None")
    try:
        scores = plain_array(value, "a chart")
    except TypeError as error:
        raise TypeError(f"{field}: {error}") from None
    if scores.ndim != 2 or scores.size == 0 or scores.dtype.kind not in "biuf":
        raise TypeError(f"{field}: must have the shape (samples, classes), got {scores.shape}")
    return scores


def _thinned(columns: Sequence[Any], limit: int) -> Iterable[tuple[Any, ...]]:
    """Return rows of at most `limit` points, evenly chosen, with the first and the last one."""
    length = len(columns[0])
    if length > limit:
        warn_once("plot: thinned", "a curve of %d points is stored with %d points", length, limit)
        chosen = [round(at * (length - 1) / (limit - 1)) for at in range(limit)]
        columns = [column[chosen] for column in columns]
    return zip(*(column.tolist() for column in columns), strict=True)


def _of_columns(table: Any, kind: str, fields: Mapping[str, Any], title: str) -> Chart:
    data = _table(table, "table")
    for role, column in fields.items():
        if column not in data.columns:
            raise InvalidInputError(role, f"column {column!r} not found in {data.columns}")
    return Chart(data, kind, fields, {"title": title})


def _table(value: Any, field: str) -> Table:
    if isinstance(value, Table):
        return value
    if frames.is_frame(value):
        return Table(dataframe=value)
    raise TypeError(f"{field}: must be a Table or a data frame, got {type_name(value)}")
