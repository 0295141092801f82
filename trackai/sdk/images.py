"""Files of images, made of arrays, Pillow images and figures. Pillow is imported when needed."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from trackai.errors import InvalidInputError, MissingExtraError
from trackai.sdk.arrays import is_tensor
from trackai.sdk.builtin_values import type_name
from trackai.sdk.notices import warn_once
from trackai.sdk.open_files import file_bytes
from trackai.sdk.pixels import channels_last, to_array, to_grid, to_pixels

if TYPE_CHECKING:
    from collections.abc import Callable

# Bands of the modes of 8 bits that an array can be said to have.
_BANDS = {
    "L": 1, "P": 1, "LA": 2, "RGB": 3, "YCbCr": 3, "HSV": 3, "LAB": 3, "RGBA": 4, "CMYK": 4,
}  # fmt: skip
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
# Modes that every format with transparency can store, and by which others are replaced.
_STORABLE = ("1", "L", "LA", "P", "RGB", "RGBA")
_REPLACED = {"PA": "RGBA", "La": "LA", "RGBa": "RGBA"}
_TRANSPARENT_FORMATS = ("PNG", "GIF", "WEBP", "TIFF")
_ANIMATED_FORMATS = ("PNG", "GIF", "WEBP")
_DEEP_FORMATS = ("PNG", "TIFF")


def encode(value: Any, mode: str | None, file_format: str | None) -> tuple[bytes, str]:
    """Make the file of an image.

    Args:
        value: an array, a Pillow image, a figure, the bytes of a file or an open binary file.
        mode: the mode of an array.
        file_format: the suffix of the file without its dot; default "png", or "gif" for an
            animation.

    Returns:
        The content and the suffix, with its dot.

    Raises:
        TypeError: `value` is of another type, or an array of another shape or type.
        InvalidInputError: the format or the mode is unknown, or the image cannot be stored in it.
        MissingExtraError: NumPy or Pillow is not installed.
    """
    suffix = file_format or "png"
    figure = _figure(value)
    if figure is not None:
        return _figure_file(figure, suffix), f".{suffix}"
    if (content := file_bytes(value, "image")) is not None:
        return content, _suffix_of(content)
    if not is_pillow_image(value):
        if not hasattr(value, "__array__"):
            raise TypeError(
                "image: must be a path, bytes, a Pillow image, a Matplotlib figure or an array, "
                f"got {type_name(value)}"
            )
        return _pillow_file(lambda deep: _of_array(value, mode, deep), suffix)
    frames = getattr(value, "n_frames", 1)
    if frames > 1:
        suffix = file_format or "gif"
        if _pillow_format(suffix) in _ANIMATED_FORMATS:
            return _saved(value, suffix, save_all=True), f".{suffix}"
        warn_once(
            f"frames as {suffix}",
            "Image: only the current frame of %d is stored, as %s has one", frames, suffix,
        )  # fmt: skip
    return _pillow_file(lambda deep: _plain(value, deep), suffix)


def is_pillow_image(value: object) -> bool:
    """Whether a value is an image of Pillow."""
    return hasattr(value, "save") and hasattr(value, "mode") and hasattr(value, "convert")


def is_figure(value: object) -> bool:
    """Whether a value can be drawn to a file as figures of Matplotlib are."""
    return hasattr(value, "savefig")


def _figure(value: Any) -> Any:
    if is_figure(value):
        return value
    # Axes and lines of Matplotlib, and what seaborn returns.
    figure = value.get_figure() if hasattr(value, "get_figure") else None
    return figure if is_figure(figure) else None


def _figure_file(figure: Any, suffix: str) -> bytes:
    content = io.BytesIO()
    try:
        figure.savefig(content, format=suffix)
    except ValueError as error:
        raise InvalidInputError("format", str(error)) from None
    return content.getvalue()


def _suffix_of(content: bytes) -> str:
    """The suffix for the format of an image file."""
    try:
        with import_pillow().open(io.BytesIO(content)) as image:
            return f".{image.format.lower()}"
    except OSError:
        raise InvalidInputError("image", f"{len(content)} bytes are not an image") from None


def _pillow_file(make: Callable[[bool], Any], suffix: str) -> tuple[bytes, str]:
    """Store an image that is made with as many bits as the format can hold."""
    name = _pillow_format(suffix)
    try:
        image = make(name in _DEEP_FORMATS)
        image = image if name in _TRANSPARENT_FORMATS else _opaque(image)
    except (OSError, SyntaxError) as error:  # Pillow reads files when it needs the pixels
        raise InvalidInputError("image", f"cannot be read: {error}") from None
    return _saved(image, suffix), f".{suffix}"


def _pillow_format(suffix: str) -> str:
    pillow = import_pillow()
    name: str | None = pillow.registered_extensions().get(f".{suffix}")
    if name is None or name not in pillow.SAVE:
        raise InvalidInputError("format", f"Pillow cannot store images as {suffix!r}")
    return name


def _saved(image: Any, suffix: str, **options: Any) -> bytes:
    content = io.BytesIO()
    try:
        image.save(content, format=_pillow_format(suffix), **options)
    except (OSError, ValueError, SyntaxError) as error:
        raise InvalidInputError("image", f"cannot be stored as {suffix}: {error}") from None
    return content.getvalue()


def _of_array(value: Any, mode: str | None, deep: bool) -> Any:
    array = _with_channels(to_array(value, "image"), mode, is_tensor(value))
    channels = array.shape[-1]
    pixels = to_pixels(array, "image", deep=deep and channels == 1 and mode is None)
    pixels = to_grid(pixels) if pixels.ndim == 4 else pixels
    pillow = import_pillow()
    if pixels.dtype.itemsize == 2:
        if pixels.shape[-1] == 1:
            return pillow.fromarray(pixels[:, :, 0])
        pixels = (pixels >> 8).astype("uint8")  # with an alpha channel, which no mode has
    height, width, channels = pixels.shape
    if mode is not None and _BANDS.get(mode) != channels:
        raise InvalidInputError(
            "mode",
            f"{mode!r} is not a mode of {channels} channels; pass a caption as caption=...",
        )
    image = pillow.frombytes(mode or _MODES[channels], (width, height), pixels.tobytes())
    return _plain(image, deep)


def _with_channels(array: Any, mode: str | None, prefer_first: bool) -> Any:
    """An array of shape (height, width, channels), or (images, height, width, channels)."""
    if array.ndim == 2:
        return array[:, :, None]
    channels = (2,) if mode == "LA" else (1, 3, 4)
    if array.ndim in (3, 4):
        moved = channels_last(array, prefer_first=prefer_first, channels=channels)
        if moved is not None:
            return moved
    raise TypeError(
        "image: an array must have the shape (height, width), (height, width, channels) or "
        "(channels, height, width) with 1, 3 or 4 channels, or the number of images in front of "
        f"them, got {array.shape}"
    )


def _plain(image: Any, deep: bool) -> Any:
    """Convert an image to a mode that can be stored."""
    if image.mode in _STORABLE:
        return image
    if image.mode.startswith("I;16"):
        array = to_array(image, "image").astype("uint16")
        return import_pillow().fromarray(array if deep else (array >> 8).astype("uint8"))
    if image.mode in ("I", "F"):
        return _of_array(to_array(image, "image"), None, deep)
    if image.mode == "LAB":
        return _lab_to_rgb(image)
    return image.convert(_REPLACED.get(image.mode, "RGB"))


def _lab_to_rgb(image: Any) -> Any:
    try:
        from PIL import ImageCms

        lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    except ImportError:
        raise InvalidInputError("image", "this Pillow cannot convert LAB to RGB") from None
    return ImageCms.profileToProfile(image, lab, rgb, outputMode="RGB")


def _opaque(image: Any) -> Any:
    """Convert an image to one without transparency or palette, on white."""
    if image.mode in ("L", "RGB"):
        return image
    if image.mode == "1":
        return image.convert("L")
    image = image.convert("RGBA")
    return import_pillow().alpha_composite(
        import_pillow().new("RGBA", image.size, "white"), image
    ).convert("RGB")  # fmt: skip


def import_pillow() -> Any:
    """Import Pillow.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        from PIL import Image as PillowImage
    except ImportError:
        raise MissingExtraError("an image", "media") from None
    return PillowImage
