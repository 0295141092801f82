"""Media that are logged as files: images, sounds, videos, HTML; and formatted text.

Names and first arguments are those of trackio and wandb. Values are converted when the object is
created; a file at a path is read when it is logged.
"""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import Any, BinaryIO

from trackai.errors import InvalidInputError
from trackai.sdk import arrays
from trackai.sdk.builtin_values import type_name
from trackai.values.text import checked_text

# In characters: file systems refuse longer names than 255 bytes when files are downloaded.
_MAX_NAME = 100


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
        if isinstance(content, Path) and not content.is_file():
            raise InvalidInputError("path", f"file {str(content)!r} not found")
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
        stem = re.sub(r"[\x00-\x1f/\\:]+", " ", self.caption or "").strip(". ")[:_MAX_NAME]
        parts = [stem or str(step)] if number is None else [str(number), *([stem] if stem else [])]
        return " ".join(parts) + self.suffix


# By the name under which they are logged; several under one name have an index.
Files = dict[str, list[tuple[int | None, Media]]]


class Image(Media):
    """An image.

    Args:
        value: a path, a Pillow image, a Matplotlib figure, or an array. An array has the shape
            (height, width), (height, width, channels) or, as in PyTorch, (channels, height,
            width), with 1, 3 or 4 channels; it holds integers from 0 to 255, floats from 0 to 1 or
            bools. Arrays need `trackai[media]`.
        mode: the mode of an image made of an array, as in Pillow; default from its shape.
        caption: becomes the name of the file.
        format: the format of the file, except for a path, such as "jpeg"; default "png".

    Raises:
        InvalidInputError: the file does not exist.
        TypeError: `value` is of another type.
        MissingExtraError: NumPy or Pillow is not installed.

    Example:
        trackai.log({"sample": trackai.Image(array, caption="epoch 3")})
    """

    def __init__(
        self,
        value: Any,
        mode: str | None = None,
        caption: str | None = None,
        *,
        format: str | None = None,  # noqa: A002 - trackio and wandb call it that
    ) -> None:
        if _is_path(value):
            super().__init__(Path(value), Path(value).suffix.lower() or ".png", caption)
            return
        kind = (format or "png").lower()
        content = io.BytesIO()
        if hasattr(value, "savefig"):
            value.savefig(content, format=kind)
        elif hasattr(value, "save") and hasattr(value, "mode"):
            value.save(content, format=kind)
        else:
            arrays.to_image(value, mode).save(content, format=kind)
        super().__init__(content.getvalue(), f".{kind}", caption)


class Audio(Media):
    """A sound.

    Args:
        value: a path, or an array of shape (samples,) or (samples, channels) with floats from -1
            to 1 or integers of 16 bits. Arrays need `trackai[media]`, and become WAV files.
        sample_rate: samples a second of an array.
        caption: becomes the name of the file.
        format: the suffix of a path that has none.

    Raises:
        InvalidInputError: the file does not exist, or `sample_rate` is missing for an array.
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
        if _is_path(value):
            super().__init__(Path(value), Path(value).suffix.lower() or f".{format}", caption)
            return
        if sample_rate is None:
            raise InvalidInputError("sample_rate", "required for an array of samples")
        super().__init__(arrays.to_wave(value, sample_rate), ".wav", caption)


class Video(Media):
    """A video file.

    Args:
        value: its path. Arrays are not accepted: encode them first, for example with imageio.
        caption: becomes the name of the file.
        fps: accepted for scripts written for trackio and wandb, and ignored.
        format: the suffix of a path that has none; default "mp4".

    Raises:
        TypeError: `value` is not a path.
        InvalidInputError: the file does not exist.
    """

    def __init__(
        self,
        value: Any,
        caption: str | None = None,
        fps: int | None = None,
        format: str | None = None,  # noqa: A002 - trackio and wandb call it that
    ) -> None:
        if not _is_path(value):
            raise TypeError(
                f"video: must be the path of a file, got {type_name(value)}; encode arrays first, "
                "for example with imageio"
            )
        super().__init__(Path(value), Path(value).suffix.lower() or f".{format or 'mp4'}", caption)


class Html(Media):
    """An HTML page.

    Args:
        data: HTML as a str, or an open text file.
        inject: accepted for scripts written for wandb, and ignored.
        caption: becomes the name of the file.

    Raises:
        TypeError: `data` is neither of them.
        InvalidInputError: `data` is not valid Unicode.
    """

    def __init__(self, data: Any, inject: bool = True, caption: str | None = None) -> None:
        text = data.read() if hasattr(data, "read") else data
        if not isinstance(text, str):
            raise TypeError(f"html: must be a str, got {type_name(text)}")
        super().__init__(checked_text("html", text).encode(), ".html", caption)


class Markdown:
    """Text in Markdown, which is logged as a text value.

    Args:
        text: the text.

    Raises:
        TypeError: `text` is not a str.
    """

    def __init__(self, text: str = "") -> None:
        if not isinstance(text, str):
            raise TypeError(f"text: must be a str, got {type_name(text)}")
        self.text = text


def as_media(value: Any) -> list[Media] | None:
    """Return the media that a logged value stands for; None for other values.

    A list of media stands for all of them, a Pillow image or Matplotlib figure for an `Image`.
    """
    if isinstance(value, Media):
        return [value]
    if isinstance(value, list | tuple) and value and all(isinstance(m, Media) for m in value):
        return list(value)
    if hasattr(value, "savefig") or (hasattr(value, "save") and hasattr(value, "mode")):
        return [Image(value)]
    return None


def _is_path(value: object) -> bool:
    return isinstance(value, str | os.PathLike)
