"""What may be logged besides numbers and texts: images, sounds, tables, histograms and files.

The names and first arguments are those of trackio and wandb. A value is read when it is made, a
file when it is logged.
"""

from __future__ import annotations

import io
import os
import re
import wave
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from trackai.errors import InvalidInputError, MissingExtraError
from trackai.sdk.plain import jsonable
from trackai.values.text import checked_text

# Longer names are refused by file systems, where people download to.
_NAME_LENGTH = 100
_MOST_BINS = 512


class Media:
    """Something that is logged as a file: its bytes, or where they lie.

    Attributes:
        caption: becomes the name of the file.
        suffix: with its dot.
        source: the path of the file that it was made of, or an empty string.
    """

    def __init__(self, content: bytes | Path, suffix: str, caption: str | None = None) -> None:
        if caption is not None and not isinstance(caption, str):
            raise TypeError(f"caption: a str is needed, not {type(caption).__qualname__}")
        checked_text("caption", caption or "")
        if isinstance(content, Path) and not content.is_file():
            raise InvalidInputError("path", f"there is no file {str(content)!r}")
        self.caption = caption
        self.suffix = suffix
        self.source = str(content.absolute()) if isinstance(content, Path) else ""
        self._content = content

    def open(self) -> BinaryIO:
        """Its bytes.

        Raises:
            OSError: the file is gone, or cannot be read.
        """
        if isinstance(self._content, Path):
            return self._content.open("rb")
        return io.BytesIO(self._content)

    def file_name(self, step: object, number: int | None) -> str:
        """What the file is called, among those that are logged at the same step."""
        stem = re.sub(r"[\x00-\x1f/\\:]+", " ", self.caption or "").strip(". ")[:_NAME_LENGTH]
        parts = [stem or str(step)] if number is None else [str(number), *([stem] if stem else [])]
        return " ".join(parts) + self.suffix


# Files by the names under which they are logged; several under one name are numbered.
Files = dict[str, list[tuple[int | None, Media]]]


def is_path(value: object) -> bool:
    """Whether a value says where a file lies."""
    return isinstance(value, str | os.PathLike)


class Image(Media):
    """An image.

    Args:
        value: a path, an image of Pillow, a figure of Matplotlib, or an array of shape (height,
            width) or (height, width, channels), or (channels, height, width) as PyTorch has them,
            with 1, 3 or 4 channels: bytes from 0 to 255, or floats from 0 to 1.
        caption: becomes the name of the file.

    Raises:
        InvalidInputError: there is no such file.
        TypeError: the value is none of these.
        MissingExtraError: an array needs Pillow.
    """

    def __init__(
        self,
        value: Any,
        mode: str | None = None,
        caption: str | None = None,
        *,
        format: str | None = None,  # noqa: A002 - trackio and wandb call it that
    ) -> None:
        if is_path(value):
            super().__init__(Path(value), Path(value).suffix.lower() or ".png", caption)
            return
        kind = (format or "png").lower()
        content = io.BytesIO()
        if hasattr(value, "savefig"):
            value.savefig(content, format=kind)
        elif hasattr(value, "save") and hasattr(value, "mode"):
            value.save(content, format=kind)
        else:
            _image_of_array(value, mode).save(content, format=kind)
        super().__init__(content.getvalue(), f".{kind}", caption)


def _image_of_array(value: Any, mode: str | None) -> Any:
    value = value.detach().cpu() if hasattr(value, "detach") else value
    if not hasattr(value, "__array__"):
        raise TypeError(
            "image: a path, an image of Pillow, a figure of Matplotlib or an array is needed, not "
            f"{type(value).__qualname__}"
        )
    try:
        import numpy as np
        from PIL import Image as PillowImage
    except ImportError:
        raise MissingExtraError("an image made of an array", "media") from None
    array = np.asarray(value)
    if array.ndim == 3 and array.shape[0] in (1, 3, 4) and array.shape[2] not in (1, 3, 4):
        array = array.transpose(1, 2, 0)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim != 2 and not (array.ndim == 3 and array.shape[2] in (3, 4)):
        raise TypeError(f"image: an array of shape {array.shape} is no image")
    if array.dtype.kind == "f":
        array = (np.nan_to_num(array).clip(0, 1) * 255).round()
    elif array.dtype.kind == "b":
        array = array * 255
    elif array.dtype.kind not in "iu":
        raise TypeError(f"image: an array of {array.dtype} is no image")
    return PillowImage.fromarray(array.clip(0, 255).astype(np.uint8), mode)


class Audio(Media):
    """A sound: a path, or an array of samples, (samples,) or (samples, channels), from -1 to 1.

    Args:
        sample_rate: of an array, in samples a second.
        caption: becomes the name of the file.

    Raises:
        InvalidInputError: there is no such file, or an array without its sample rate.
    """

    def __init__(
        self,
        value: Any,
        sample_rate: int | None = None,
        caption: str | None = None,
        format: str | None = None,  # noqa: A002 - trackio and wandb call it that
    ) -> None:
        if is_path(value):
            super().__init__(Path(value), Path(value).suffix.lower() or f".{format}", caption)
            return
        if sample_rate is None:
            raise InvalidInputError("sample_rate", "an array of samples needs one")
        super().__init__(_wave_of_array(value, sample_rate), ".wav", caption)


def _wave_of_array(value: Any, sample_rate: int) -> bytes:
    np = _numpy("a sound made of an array")
    array = np.asarray(value)
    if array.ndim not in (1, 2) or array.dtype.kind not in "fi":
        raise TypeError(f"audio: an array of {array.dtype} of shape {array.shape} is no sound")
    if array.dtype.kind == "f":
        array = (np.nan_to_num(array).clip(-1, 1) * 32767).round()
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1 if array.ndim == 1 else array.shape[1])
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(array.astype("<i2").tobytes())
    return content.getvalue()


class Video(Media):
    """A video, by its path; `fps` and `format` are those of trackio and do nothing for a file."""

    def __init__(
        self,
        value: Any,
        caption: str | None = None,
        fps: int | None = None,
        format: str | None = None,  # noqa: A002 - trackio and wandb call it that
    ) -> None:
        if not is_path(value):
            raise TypeError(
                f"video: the path of a file is needed, not {type(value).__qualname__}: encode it "
                "first, for instance with imageio"
            )
        super().__init__(Path(value), Path(value).suffix.lower() or f".{format or 'mp4'}", caption)


class Html(Media):
    """A page: HTML as text, or a file that has a `read` method."""

    def __init__(self, data: Any, inject: bool = True, caption: str | None = None) -> None:
        text = data.read() if hasattr(data, "read") else data
        if not isinstance(text, str):
            raise TypeError(f"html: a str is needed, not {type(text).__qualname__}")
        super().__init__(checked_text("html", text).encode(), ".html", caption)


class Table(Media):
    """A table of values, kept as JSON: `{"columns": [...], "data": [[...], ...]}`.

    An image or the like in a cell becomes a file of the run, `<table>/<column>` at the same step;
    in the cell stands `{"file": "<table>/<column>", "name": "<name of the file>"}`.

    Args:
        columns: the names of the columns.
        data: the rows.
        dataframe: a DataFrame of pandas in their place.
    """

    def __init__(
        self,
        columns: Sequence[Any] | None = None,
        data: Iterable[Sequence[Any]] | None = None,
        dataframe: Any = None,
        rows: Iterable[Sequence[Any]] | None = None,
        **ignored: Any,
    ) -> None:
        super().__init__(b"", ".table.json")
        if hasattr(data, "columns"):
            data, dataframe = None, data
        if dataframe is not None:
            columns, data = list(dataframe.columns), dataframe.to_numpy().tolist()
        if data is None:
            data = () if rows is None else rows
        self.data = [list(row) for row in data]
        width = max(map(len, self.data), default=0)
        self.columns = list(columns if columns is not None else range(width))
        for row in self.data:
            self._check(row)

    def add_data(self, *row: Any) -> None:
        """Add a row."""
        self._check(row)
        self.data.append(list(row))

    def add_column(self, name: Any, data: Iterable[Any]) -> None:
        """Add a column, with a value for each row.

        Raises:
            InvalidInputError: there are more or fewer values than rows.
        """
        values = list(data)
        if self.columns and len(values) != len(self.data):
            raise InvalidInputError("data", f"{len(values)} values for {len(self.data)} rows")
        rows = self.data if self.columns else [[] for _ in values]
        self.data = [[*row, value] for row, value in zip(rows, values, strict=True)]
        self.columns.append(name)

    def get_column(self, name: Any) -> list[Any]:
        """The values of a column.

        Raises:
            InvalidInputError: there is none of that name.
        """
        if name not in self.columns:
            raise InvalidInputError("name", f"there is no column {name!r}")
        at = self.columns.index(name)
        return [row[at] for row in self.data]

    def open(self) -> BinaryIO:
        """The table as JSON."""
        table = {"columns": self.columns, "data": self.data}
        return io.BytesIO(msgspec.json.encode(jsonable(table)))

    def without_files(self, path: str, files: Files) -> Table:
        """The same table as it is kept: what its cells hold of files is among the others now."""
        return Table(
            self.columns,
            [
                [
                    _cell(f"{path}/{column}", one, files)
                    for column, one in zip(self.columns, row, strict=True)
                ]
                for row in self.data
            ],
        )

    def _check(self, row: Sequence[Any]) -> None:
        if len(row) != len(self.columns):
            raise InvalidInputError(
                "data", f"a row of {len(row)} values under {len(self.columns)} columns"
            )


def _cell(path: str, value: Any, files: Files) -> Any:
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Markdown):
        return value.text
    if isinstance(value, Histogram):
        return msgspec.json.decode(value.json())
    some = as_media(value)
    if some is None:
        return value
    references = []
    for one in some:
        kept = one.without_files(path, files) if isinstance(one, Table) else one
        number = len(files.setdefault(path, []))
        files[path].append((number, kept))
        references.append({"file": path, "name": kept.file_name(None, number)})
    return references if isinstance(value, list | tuple) else references[0]


class Histogram:
    """How often values fall into which bin.

    Args:
        sequence: the values, of any shape; those that are not finite are left out.
        np_histogram: counts and edges, as `numpy.histogram` returns them, in their place.
        num_bins: how many bins, at most 512.

    Raises:
        InvalidInputError: neither is given, or both are, or there are no edges for the counts.
        MissingExtraError: a sequence needs NumPy.
    """

    def __init__(
        self,
        sequence: Any = None,
        np_histogram: tuple[Any, Any] | None = None,
        num_bins: int = 64,
    ) -> None:
        if (sequence is None) == (np_histogram is None):
            raise InvalidInputError("sequence", "either this or np_histogram is needed")
        if np_histogram is None:
            np = _numpy("a histogram of a sequence")
            if hasattr(sequence, "detach"):
                sequence = sequence.detach().cpu()
            values = np.asarray(sequence, dtype=float).ravel()
            np_histogram = _histogram(np, values[np.isfinite(values)], min(num_bins, _MOST_BINS))
        self.histogram, self.bins = (jsonable(list(one)) for one in np_histogram)
        if len(self.bins) != len(self.histogram) + 1:
            raise InvalidInputError(
                "np_histogram", f"{len(self.histogram)} counts need one edge more, not "
                f"{len(self.bins)}",
            )  # fmt: skip

    def json(self) -> str:
        """As it is stored, which is how Neptune exported histograms."""
        stored = {"type": "COUNTING", "edges": self.bins, "values": self.histogram}
        return msgspec.json.encode(stored).decode()


def _histogram(np: Any, values: Any, bins: int) -> tuple[Any, Any]:
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            counts, edges = np.histogram(values, bins=bins)
    except ValueError:
        # They are too far from each other for the difference to be a number, or too near to each
        # other, for their size, to have numbers between them.
        if bins < 1:
            raise
        low, high = values.min(), values.max()
        if low == high:
            low, high = sorted((low, np.nextafter(low, 0)))
        counts, edges = [len(values)], [low, high]
    return counts, edges


class Markdown:
    """A formatted text; it is kept as it was written."""

    def __init__(self, text: str = "") -> None:
        if not isinstance(text, str):
            raise TypeError(f"text: a str is needed, not {type(text).__qualname__}")
        self.text = text


def add_files(path: str, value: Any, files: Files) -> bool:
    """Add the files that a logged value stands for; False if it stands for none."""
    some = as_media(value)
    if some is None:
        return False
    mine = files.setdefault(path, [])
    for number, one in enumerate(some):
        kept = one.without_files(path, files) if isinstance(one, Table) else one
        mine.append((number if len(some) > 1 else None, kept))
    return True


def as_media(value: Any) -> list[Media] | None:
    """The files that a logged value stands for; None if it stands for none."""
    if isinstance(value, Media):
        return [value]
    if isinstance(value, list | tuple) and value and all(isinstance(one, Media) for one in value):
        return list(value)
    if hasattr(value, "savefig") or (hasattr(value, "save") and hasattr(value, "mode")):
        return [Image(value)]
    return None


def _numpy(what: str) -> Any:
    try:
        import numpy as np
    except ImportError:
        raise MissingExtraError(what, "media") from None
    return np
