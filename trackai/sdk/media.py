"""Media that are logged as files: images, sounds, videos, HTML; and formatted text.

Names and first arguments are those of trackio and wandb. Values are converted when the object is
created; a file at a path is read when it is logged. Every value that cannot be logged is refused
when the object is created, by a TypeError or an InvalidInputError.
"""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from trackai.errors import InvalidInputError
from trackai.sdk import images, sounds, videos
from trackai.sdk.annotations import Annotations, checked_annotations
from trackai.sdk.builtin_values import jsonable, type_name
from trackai.sdk.ignored_calls import warn_ignored_arguments
from trackai.sdk.open_files import file_bytes, file_text
from trackai.sdk.structured_values import is_instance
from trackai.values.text import checked_text

# In characters: file systems refuse longer names than 255 bytes when files are downloaded.
_MAX_NAME = 100
_NOT_IN_NAMES = re.compile(r"[\x00-\x1f/\\:]+")
# A path has one line and no markup, so a text of this form is a path.
_HTML_PATH = re.compile(r"[^<\n]{1,1000}\.x?html?", re.IGNORECASE)
_MARKDOWN_PATH = re.compile(r"\S{1,1000}\.(md|markdown)", re.IGNORECASE)


class Media:
    """A value that is logged as a file.

    Attributes:
        caption: the name of the file without its suffix, or None.
        suffix: the suffix of the file, with its dot.
        source: the path of the file that it was made of, or an empty str.
    """

    def __init__(self, content: bytes | Path, suffix: str, caption: str | None = None) -> None:
        """Make media of bytes or of a file.

        Raises:
            TypeError: the caption is not a str.
            InvalidInputError: the caption is not valid Unicode, or the file does not exist.
        """
        if caption is not None and not isinstance(caption, str):
            raise TypeError(f"caption: must be a str, got {type_name(caption)}")
        checked_text("caption", caption or "")
        if isinstance(content, Path):
            _existing(content)
        self.caption = caption
        self.suffix = suffix
        self.source = str(content.absolute()) if isinstance(content, Path) else ""
        self._content = content

    def open(self) -> BinaryIO:
        """Open the content for reading.

        Raises:
            OSError: the file cannot be read.
        """
        if isinstance(self._content, Path):
            return self._content.open("rb")
        return io.BytesIO(self._content)

    def file_name(self, step: object, number: int | None) -> str:
        """Return the name of the file.

        Args:
            step: the step it is logged at.
            number: its index, if several are logged under one name.
        """
        stem = _NOT_IN_NAMES.sub(" ", self.caption or "").strip(". ")[:_MAX_NAME]
        parts = [stem or str(step)] if number is None else [str(number), *([stem] if stem else [])]
        return " ".join(parts) + self.suffix

    def without_files(self, path: str, files: Files, number: int | None) -> Media:
        """Return the media as they are stored, and move the media that they contain to `files`.

        Args:
            path: the name under which they are logged.
            files: the files of the call.
            number: their index, if several are logged under one name.
        """
        return self


# By the name under which they are logged; several under one name have an index.
Files = dict[str, list[tuple[int | None, Media]]]


class Image(Media):
    """An image.

    Args:
        value: a path, a Pillow image, a Matplotlib figure or axes, an array, the bytes of an image
            file, an open binary file, or another `Image`. An array has the shape (height, width),
            (height, width, channels) or, as in PyTorch, (channels, height, width), with 1, 3 or 4
            channels. If both orders fit, a tensor has its channels first, another array last.
            Several images in one array, (images, ...), become a grid; pass a list of images to keep
            them apart. Arrays need `trackai[media]`.
            Integers range from 0 to 255, or to 65535 if one is above 511 (uint16: above 255).
            Floats range from 0 to 1, from -1 to 1 if one is below -0.5, from 0 to 255 if one is
            above 2, or from 0 to 65535 if one is above 511. Signed floats up to 16 that exceed 1
            are scaled from the least to the greatest. Values outside are clipped. A warning says so
            once. NaN is black, and a masked pixel is transparent.
        mode: the mode of an array of 8 bits, as in Pillow; default from its shape.
        caption: becomes the name of the file.
        format: the format of the file that an array, an image or a figure is stored in, such as
            "jpeg" or "jpg"; default "png", or "gif" for an animation of Pillow. Grey images of 16
            bits keep their bits in "png". Formats without transparency show it on white.
        file_type: wandb's name of `format`.
        boxes: boxes on the image, by the name of their group, as in wandb:
            {"predictions": {"box_data": [{"position": {"minX": 0.1, "maxX": 0.2, "minY": 0.3,
            "maxY": 0.4}, "class_id": 1}], "class_labels": {1: "car"}}}. A position may also have
            the keys "middle", "width" and "height". A box may have a "domain", None or "pixel", a
            "box_caption" and "scores".
        masks: masks of the image, by their names: {"truth": {"mask_data": array, "class_labels":
            {0: "road"}}}. An array has the shape (height, width), and holds class ids from 0 to
            65535; instead of it, "path" may name an image file.
        classes: the classes of boxes and masks: a `Classes`, or dicts with an "id" and a "name".
        grouping: accepted for scripts written for wandb, and ignored with a warning.

    Boxes, masks and classes are stored beside the image: JSON under `<name>/annotations`, and each
    mask under `<name>/masks/<mask>`.

    Raises:
        InvalidInputError: the file does not exist, or the image cannot be stored in the format; or
            a box or mask lacks something, or has a value that is not allowed.
        TypeError: `value` is of another type, or an array of another shape or type; or a box or
            mask has a value of another type.
        MissingExtraError: NumPy or Pillow is not installed.

    Example:
        trackai.log({"sample": trackai.Image(array, caption="epoch 3")})
    """

    annotations: Annotations | None

    def __init__(
        self,
        value: Any,
        mode: str | None = None,
        caption: str | None = None,
        *,
        format: str | None = None,  # noqa: A002 - trackio and wandb call it that
        file_type: str | None = None,
        grouping: Any = None,
        classes: Any = None,
        boxes: Any = None,
        masks: Any = None,
    ) -> None:
        warn_ignored_arguments("Image", {"grouping": grouping})
        self.annotations = checked_annotations(boxes, masks, classes)
        if isinstance(value, Image):
            if self.annotations is None:
                self.annotations = value.annotations
            content: bytes | Path = value._content
            super().__init__(content, value.suffix, value.caption if caption is None else caption)
            return
        if _is_path(value):
            super().__init__(Path(value), Path(value).suffix.lower() or ".png", caption)
            return
        content, suffix = images.encode(value, mode, _checked_format(format or file_type))
        super().__init__(content, suffix, caption)

    def without_files(self, path: str, files: Files, number: int | None) -> Media:
        """Return the image, and add the files of its annotations."""
        if self.annotations is None:
            return self
        for mask_path, mask in self.annotations.mask_files(path).items():
            png = Media(mask.content, mask.suffix, self.caption)
            files.setdefault(mask_path, []).append((number, png))
        text = Media(self.annotations.json(path), ".json", self.caption)
        files.setdefault(f"{path}/annotations", []).append((number, text))
        return self


class Audio(Media):
    """A sound.

    Args:
        value: a path, an array of shape (samples,), (samples, channels) as of soundfile and SciPy
            or (channels, samples) as of torchaudio, a list of samples, the bytes of a file, or an
            open binary file. The longer axis holds the samples. Arrays need `trackai[media]`, and
            become WAV files: int16, int32 and uint8 as they are; floats, from -1 to 1, and other
            signed integers with 16 bits. Samples outside are clipped, and a warning says so once.
        sample_rate: samples a second of an array.
        caption: becomes the name of the file.
        format: the suffix of bytes, and of a path that has none; default "wav". Arrays can only
            become "wav".

    Raises:
        InvalidInputError: the file does not exist, or `sample_rate` is missing for an array or out
            of range.
        TypeError: the array has another shape or type.
        MissingExtraError: NumPy is not installed.
    """

    def __init__(
        self,
        value: Any,
        sample_rate: int | None = None,
        caption: str | None = None,
        format: str | None = None,  # noqa: A002 - trackio and wandb call it that
    ) -> None:
        file_format = _checked_format(format) or "wav"
        if _is_path(value):
            super().__init__(Path(value), Path(value).suffix.lower() or f".{file_format}", caption)
        elif (content := file_bytes(value, "audio")) is not None:
            super().__init__(content, f".{file_format}", caption)
        else:
            if file_format != "wav":
                raise InvalidInputError(
                    "format", f'must be "wav" for an array of samples, got {format!r}'
                )
            super().__init__(sounds.to_wave(value, sample_rate), ".wav", caption)


class Video(Media):
    """A video.

    Args:
        value: a path, an array of frames, a list of frames, a clip of MoviePy, the bytes of a file,
            or an open binary file. An array has the shape (frames, channels, height, width) or
            (frames, height, width, channels); several videos in one array, (videos, frames, ...),
            become a grid. Values are scaled like those of `Image`. Arrays need `trackai[media]`.
        caption: becomes the name of the file.
        fps: frames a second, for frames; default 4.
        format: "gif", "webp", "mp4" or "webm" for frames; default "gif". The last two need ffmpeg:
            `pip install imageio-ffmpeg`. Of bytes, and of a path that has none, the suffix; default
            "mp4".

    Raises:
        TypeError: `value` is of another type, or an array of another shape or type.
        InvalidInputError: the file does not exist, or the frames cannot be stored in the format.
        MissingExtraError: NumPy or Pillow is not installed.
    """

    def __init__(
        self,
        value: Any,
        caption: str | None = None,
        fps: float | None = None,
        format: str | None = None,  # noqa: A002 - trackio and wandb call it that
    ) -> None:
        file_format = _checked_format(format)
        if _is_path(value):
            suffix = Path(value).suffix.lower() or f".{file_format or 'mp4'}"
            super().__init__(Path(value), suffix, caption)
        elif (content := file_bytes(value, "video")) is not None:
            super().__init__(content, f".{file_format or 'mp4'}", caption)
        else:
            file_format = file_format or "gif"
            super().__init__(videos.encode(value, fps, file_format), f".{file_format}", caption)


class Html(Media):
    """An HTML page.

    Args:
        data: HTML as a str, a path, an open file, or a Plotly figure. A str is a path if
            it ends in ".html", ".htm" or ".xhtml" and has neither "<" nor a line break.
        inject: accepted for scripts written for wandb, and ignored.
        data_is_not_path: treat every str as HTML.
        caption: becomes the name of the file.

    Raises:
        TypeError: `data` is of another type.
        InvalidInputError: the file does not exist, or `data` is not valid Unicode.
    """

    def __init__(
        self,
        data: Any,
        inject: bool = True,
        data_is_not_path: bool = False,
        caption: str | None = None,
    ) -> None:
        is_path = isinstance(data, str) and not data_is_not_path and _HTML_PATH.fullmatch(data)
        if is_path or isinstance(data, os.PathLike):
            hint = "; pass data_is_not_path=True to log the text" if is_path else ""
            super().__init__(_existing(data, hint), ".html", caption)
            return
        if _is_plotly_figure(data):
            # With the library in it, a page would have 4 MB.
            data = data.to_html(include_plotlyjs="cdn")
        super().__init__(checked_text("html", file_text(data, "html")).encode(), ".html", caption)


class Plotly(Media):
    """A figure of Plotly, stored as the JSON that Plotly reads.

    Args:
        val: the figure.
        caption: becomes the name of the file.

    Raises:
        TypeError: `val` is not a figure of Plotly.

    Example:
        trackai.log({"curve": trackai.Plotly(plotly.express.line(y=[1, 4, 9]))})
    """

    def __init__(self, val: Any, caption: str | None = None) -> None:
        if not _is_plotly_figure(val):
            hint = "; use Image for it" if images.is_figure(val) else ""
            raise TypeError(f"val: must be a figure of Plotly, got {type_name(val)}{hint}")
        content = msgspec.json.encode(jsonable(val.to_plotly_json()))
        super().__init__(content, ".plotly.json", caption)


class VegaLite(Media):
    """A figure of Vega-Lite or Vega, stored as the JSON that describes it.

    Args:
        val: a chart of Altair, or a specification as a dict. The data must be in it: the dashboard
            loads nothing from other addresses.
        caption: becomes the name of the file.

    Raises:
        TypeError: `val` is of another type.

    Example:
        chart = altair.Chart(frame).mark_line().encode(x="epoch", y="loss")
        trackai.log({"curve": trackai.VegaLite(chart)})
    """

    def __init__(self, val: Any, caption: str | None = None) -> None:
        if _is_altair_chart(val):
            content = _altair_json(val)
        elif isinstance(val, dict):
            content = msgspec.json.encode(jsonable(val))
        else:
            raise TypeError(f"val: must be a chart of Altair or a dict, got {type_name(val)}")
        super().__init__(content, ".vl.json", caption)


class Markdown:
    """Text in Markdown, which is logged as a text value.

    Args:
        text: the text, a path, or an open file. A str is a path if it ends in ".md" or
            ".markdown" and has no spaces.

    Raises:
        TypeError: `text` is of another type.
        InvalidInputError: the file does not exist, or is not valid UTF-8.
    """

    def __init__(self, text: Any = "") -> None:
        is_path = isinstance(text, str) and _MARKDOWN_PATH.fullmatch(text)
        if is_path or isinstance(text, os.PathLike):
            hint = "; to log the text, log the str itself" if is_path else ""
            text = io.BytesIO(_existing(text, hint).read_bytes())
        self.text = file_text(text, "text")


def as_media(value: Any) -> list[Media] | None:
    """Convert a logged value to media; None for other values.

    A Pillow image or Matplotlib figure becomes an `Image`, a Plotly figure a `Plotly`, an Altair
    chart a `VegaLite`, and a list of these all of them.
    """
    if not isinstance(value, list | tuple):
        media = _as_medium(value)
        return None if media is None else [media]
    if not value or _as_medium(value[0]) is None:
        return None
    items = [_as_medium(item) for item in value]
    return None if None in items else [item for item in items if item is not None]


def _as_medium(value: Any) -> Media | None:
    if isinstance(value, Media):
        return value
    if images.is_figure(value) or images.is_pillow_image(value):
        return Image(value)
    if _is_altair_chart(value):
        return VegaLite(value)
    return Plotly(value) if _is_plotly_figure(value) else None


def _is_path(value: object) -> bool:
    return isinstance(value, str | os.PathLike)


def _is_plotly_figure(value: object) -> bool:
    return hasattr(value, "to_plotly_json") and hasattr(value, "to_html")


def _is_altair_chart(value: object) -> bool:
    return is_instance(value, "altair", "TopLevelMixin")


def _altair_json(chart: Any) -> bytes:
    try:
        # Its own encoder knows the types of data frames.
        return checked_text("val", chart.to_json(indent=None)).encode()
    except Exception as error:  # such as for a chart of more than 5000 rows
        reason = next(iter(str(error).splitlines()), "")
        raise InvalidInputError("val", f"Altair cannot write this chart: {reason}") from error


def _existing(path: str | os.PathLike[str], hint: str = "") -> Path:
    if not os.path.isfile(path):  # noqa: PTH113 - Path.is_file() raises for some names
        name = _shortened(os.fspath(path))
        is_folder = os.path.isdir(path)  # noqa: PTH112
        problem = f"{name} is a folder" if is_folder else f"file {name} not found{hint}"
        raise InvalidInputError("path", problem)
    return Path(path)


def _shortened(path: str) -> str:
    return repr(path if len(path) <= 2 * _MAX_NAME else f"{path[:_MAX_NAME]}…{path[-_MAX_NAME:]}")


def _checked_format(file_format: Any) -> str | None:
    if file_format is not None and not isinstance(file_format, str):
        raise TypeError(f"format: must be a str, got {type_name(file_format)}")
    return file_format.lower().lstrip(".") if file_format else None
