"""Arrays and tensors in the layouts that TensorBoard's writers take."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from trackai.errors import InvalidInputError
from trackai.sdk.arrays import import_numpy, number_array
from trackai.sdk.images import import_pillow

PR_COLUMNS = ("threshold", "tp", "fp", "tn", "fn", "precision", "recall")
_GRID_COLUMNS = 8


def save_array(file: BinaryIO, tensor: Any) -> None:
    """Write an array in the format of `numpy.save`."""
    import_numpy("add_tensor()").save(file, number_array(tensor, "add_tensor()"))


def edges(low: float, high: float, limits: Sequence[float]) -> list[float]:
    """Return the edges of bins, of which the upper limits are given.

    The first and the last bin of TensorBoard's histograms reach to the greatest double.
    """
    ascending = [float(limit) for limit in limits]
    if not ascending:
        raise InvalidInputError("bucket_limits", "must not be empty")
    if ascending[-1] > 1e308:
        ascending[-1] = max(high, *ascending[-2:-1])
    return [min(low, ascending[0]), *ascending]


def image(tensor: Any, layout: str) -> Any:
    """Make a Pillow image of an array; several images become a grid."""
    pixels = _pixels(tensor, "add_image()", layout, "NHWC" if "N" in layout.upper() else "HWC")
    if pixels.ndim == 4:
        pixels = _grid(pixels)
    if pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    return import_pillow().fromarray(pixels)


def frames(tensor: Any, layout: str) -> Any:
    """Return the frames of videos side by side, of shape (frames, height, width, channels)."""
    videos = _pixels(tensor, "add_video()", layout, "TNHWC")
    np = import_numpy("add_video()")
    return np.stack([_grid(frame) for frame in videos])


def with_boxes(picture: Any, boxes: Any, labels: Sequence[str] | str | None, scale: float) -> Any:
    """Draw rectangles on a Pillow image.

    Args:
        boxes: of shape (boxes, 4): left, top, right, bottom.
        scale: the factor by which the image is enlarged first.
    """
    from PIL import ImageDraw

    np = import_numpy("add_image_with_boxes()")
    corners = np.atleast_2d(number_array(boxes, "add_image_with_boxes()")) * scale
    names = [labels] if isinstance(labels, str) else labels
    if corners.shape[-1] != 4 or (names is not None and len(names) != len(corners)):
        raise InvalidInputError("box_tensor", "must have 4 numbers and one label for each box")
    drawn = picture.convert("RGB")
    drawn = drawn.resize((round(drawn.width * scale), round(drawn.height * scale)))
    draw = ImageDraw.Draw(drawn)
    for number, box in enumerate(corners.tolist()):
        left, right = sorted(box[::2])
        top, bottom = sorted(box[1::2])
        draw.rectangle((left, top, right, bottom), outline="red", width=2)
        if names is not None:
            draw.text((left + 3, top + 3), str(names[number]), fill="red")
    return drawn


def close_figures(figures: Sequence[Any]) -> None:
    """Close figures of pyplot."""
    if (pyplot := sys.modules.get("matplotlib.pyplot")) is not None:
        for figure in figures:
            pyplot.close(figure)


def pr_curve(labels: Any, predictions: Any, thresholds: int, weights: Any) -> list[list[Any]]:
    """Return the rows of a precision-recall curve.

    An element counts as positive at a threshold if its prediction is in the same interval of the
    thresholds or a higher one, as in TensorBoard.
    """
    np = import_numpy("add_pr_curve()")
    scores = np.ravel(number_array(predictions, "add_pr_curve()")).astype(float)
    truths = np.ravel(number_array(labels, "add_pr_curve()")).astype(float)
    if scores.shape != truths.shape:
        raise InvalidInputError("labels", f"{truths.size} labels for {scores.size} predictions")
    if not ((scores >= 0) & (scores <= 1)).all():
        raise InvalidInputError("predictions", "must be from 0 to 1")
    thresholds = min(max(int(thresholds), 2), 10_000)
    weight = 1.0 if weights is None else np.ravel(number_array(weights, "add_pr_curve()"))
    interval = np.floor(scores * (thresholds - 1)).astype(int)
    ones = np.broadcast_to(weight, scores.shape)

    def at_least(weighted: Any) -> Any:
        return np.bincount(interval, weighted, thresholds)[::-1].cumsum()[::-1]

    tp, fp = at_least(truths * ones), at_least((1 - truths) * ones)
    tn, fn = fp[0] - fp, tp[0] - tp
    precision, recall = tp / np.maximum(1e-7, tp + fp), tp / np.maximum(1e-7, tp + fn)
    return curve_rows((tp, fp, tn, fn, precision, recall))


def curve_rows(columns: Sequence[Any]) -> list[list[Any]]:
    """Return the rows of a curve, with thresholds from 0 to 1 in front."""
    np = import_numpy("add_pr_curve_raw()")
    arrays = [np.ravel(number_array(column, "add_pr_curve_raw()")) for column in columns]
    rows: list[list[Any]] = np.column_stack(
        [np.linspace(0, 1, arrays[0].size), *(array.astype(float) for array in arrays)]
    ).tolist()
    return rows


def embedding(
    matrix: Any,
    metadata: Sequence[Any] | None,
    images: Any,
    header: Sequence[str] | None,
) -> tuple[list[str], list[list[Any]]]:
    """Return the columns and rows of a table of vectors."""
    vectors = number_array(matrix, "add_embedding()")
    if vectors.ndim != 2:
        raise InvalidInputError("mat", f"must have 2 dimensions, got {vectors.ndim}")
    rows: list[list[Any]] = [[] for _ in vectors]
    columns: list[str] = []
    if metadata is not None:
        labels = [list(label) if header else [label] for label in metadata]
        _check_length("metadata", labels, rows)
        columns = [str(name) for name in header or ["label"]]
        rows = [[*row, *label] for row, label in zip(rows, labels, strict=True)]
    if images is not None:
        _check_length("label_img", images, rows)
        columns.append("image")
        rows = [[*row, image(picture, "CHW")] for row, picture in zip(rows, images, strict=True)]
    columns += [f"x{number}" for number in range(vectors.shape[1])]
    rows = [[*row, *vector] for row, vector in zip(rows, vectors.tolist(), strict=True)]
    return columns, rows


def wavefront(vertices: Any, colors: Any, faces: Any) -> Iterator[str]:
    """Yield meshes as texts in the format of Wavefront."""
    points = number_array(vertices, "add_mesh()")
    if points.ndim != 3 or points.shape[-1] != 3:
        raise InvalidInputError("vertices", f"must be (meshes, vertices, 3), got {points.shape}")
    shades = None if colors is None else number_array(colors, "add_mesh()") / 255
    corners = None if faces is None else number_array(faces, "add_mesh()").astype(int) + 1
    for name, array in (("colors", shades), ("faces", corners)):
        if array is not None and (array.shape[0] != len(points) or array.shape[-1] != 3):
            raise InvalidInputError(name, f"must fit the vertices {points.shape}: {array.shape}")
    for number, mesh in enumerate(points.tolist()):
        rows = mesh if shades is None else [
            [*point, *shade] for point, shade in zip(mesh, shades[number].tolist(), strict=True)
        ]  # fmt: skip
        lines = ["v " + " ".join(map(repr, row)) for row in rows]
        triangles = [] if corners is None else corners[number].tolist()
        lines += ["f " + " ".join(map(str, triangle)) for triangle in triangles]
        yield "\n".join(lines) + "\n"


def _check_length(field: str, values: Any, rows: Sequence[Any]) -> None:
    if len(values) != len(rows):
        raise InvalidInputError(field, f"{len(values)} for {len(rows)} vectors")


def _pixels(tensor: Any, feature: str, layout: str, order: str) -> Any:
    """Return integers of 8 bits in an order of axes; those that are missing have the length 1.

    Args:
        tensor: integers of 8 bits, or numbers from 0 to 1.
        layout: the order of its axes, such as "CHW".
    """
    np = import_numpy(feature)
    array = number_array(tensor, feature)
    axes = layout.upper()
    is_known = set(axes) <= set(order) and len(set(axes)) == len(axes) and {*"HW"} <= set(axes)
    if not is_known or len(axes) != array.ndim:
        raise InvalidInputError("dataformats", f"{layout!r} does not fit the shape {array.shape}")
    missing = [axis for axis in order if axis not in axes]
    array = array.reshape((*array.shape, *(1 for _ in missing)))
    array = array.transpose([(axes + "".join(missing)).index(axis) for axis in order])
    if array.shape[-1] not in (1, 3, 4):
        raise InvalidInputError("dataformats", f"must have 1, 3 or 4 channels, got {array.shape}")
    if array.dtype == np.uint8:
        return array
    return (np.nan_to_num(array.astype(float)) * 255).clip(0, 255).astype(np.uint8)


def _grid(images: Any) -> Any:
    """Put images of shape (images, height, width, channels) side by side, 8 in a row."""
    np = import_numpy("a grid of images")
    count, height, width, channels = images.shape
    across = min(count, _GRID_COLUMNS)
    down = -(-count // across)
    padding = np.zeros((across * down - count, height, width, channels), images.dtype)
    cells = np.concatenate([images, padding]).reshape(down, across, height, width, channels)
    return cells.swapaxes(1, 2).reshape(down * height, across * width, channels)
