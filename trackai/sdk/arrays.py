"""Arrays as images, sounds and histograms. NumPy and Pillow are imported when they are needed."""

from __future__ import annotations

import io
import wave
from typing import Any

from trackai.errors import MissingExtraError
from trackai.sdk.builtin_values import type_name


def to_image(value: Any, mode: str | None) -> Any:
    """Convert an array or tensor to a Pillow image.

    Args:
        value: of shape (height, width), (height, width, channels) or (channels, height, width),
            with 1, 3 or 4 channels: integers from 0 to 255, floats from 0 to 1, or bools.
        mode: the mode of the image, as in Pillow.

    Raises:
        TypeError: it is not an array, or of another shape or type.
        MissingExtraError: NumPy or Pillow is not installed.
    """
    value = value.detach().cpu() if hasattr(value, "detach") else value
    if not hasattr(value, "__array__"):
        raise TypeError(
            "image: must be a path, a Pillow image, a Matplotlib figure or an array, got "
            f"{type_name(value)}"
        )
    np = import_numpy("an image made of an array")
    try:
        from PIL import Image as PillowImage
    except ImportError:
        raise MissingExtraError("an image made of an array", "media") from None
    array = np.asarray(value)
    if array.ndim == 3 and array.shape[0] in (1, 3, 4) and array.shape[2] not in (1, 3, 4):
        array = array.transpose(1, 2, 0)  # channels first, as in PyTorch
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim != 2 and not (array.ndim == 3 and array.shape[2] in (3, 4)):
        raise TypeError(
            "image: an array must have the shape (height, width) or (height, width, channels) "
            f"with 1, 3 or 4 channels, got {array.shape}"
        )
    if array.dtype.kind == "f":
        array = (np.nan_to_num(array).clip(0, 1) * 255).round()
    elif array.dtype.kind == "b":
        array = array * 255
    elif array.dtype.kind not in "iu":
        raise TypeError(f"image: an array must hold integers, floats or bools, got {array.dtype}")
    return PillowImage.fromarray(array.clip(0, 255).astype(np.uint8), mode)


def to_wave(value: Any, sample_rate: int) -> bytes:
    """Convert samples to a WAV file of 16 bits.

    Args:
        value: of shape (samples,) or (samples, channels): floats from -1 to 1, or integers of 16
            bits.
        sample_rate: samples a second.

    Raises:
        TypeError: it is of another shape or type.
        MissingExtraError: NumPy is not installed.
    """
    np = import_numpy("a sound made of an array")
    array = np.asarray(value)
    if array.ndim not in (1, 2) or array.dtype.kind not in "fi":
        raise TypeError(
            "audio: an array must hold floats or integers and have the shape (samples,) or "
            f"(samples, channels), got {array.dtype} and {array.shape}"
        )
    if array.dtype.kind == "f":
        array = (np.nan_to_num(array).clip(-1, 1) * 32767).round()
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1 if array.ndim == 1 else array.shape[1])
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(array.astype("<i2").tobytes())
    return content.getvalue()


def to_histogram(sequence: Any, bins: int) -> tuple[Any, Any]:
    """Count the finite values of an array of any shape in bins of equal width.

    Returns:
        Counts and edges, as `numpy.histogram`; one bin if the values allow no more.

    Raises:
        ValueError: `bins` is less than 1.
        MissingExtraError: NumPy is not installed.
    """
    np = import_numpy("a histogram of a sequence")
    if hasattr(sequence, "detach"):
        sequence = sequence.detach().cpu()
    values = np.asarray(sequence, dtype=float).ravel()
    values = values[np.isfinite(values)]
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            counts, edges = np.histogram(values, bins=bins)
    except ValueError:
        # The values are so far apart that their difference overflows, or so close together that
        # no number is between them.
        if bins < 1:
            raise
        low, high = values.min(), values.max()
        if low == high:
            low, high = sorted((low, np.nextafter(low, 0)))
        counts, edges = [len(values)], [low, high]
    return counts, edges


def import_numpy(feature: str) -> Any:
    """Import NumPy.

    Raises:
        MissingExtraError: it is not installed; `feature` needs it.
    """
    try:
        import numpy as np
    except ImportError:
        raise MissingExtraError(feature, "media") from None
    return np
