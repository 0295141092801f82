"""Arrays as images, sounds and histograms. NumPy and Pillow are imported when they are needed."""

from __future__ import annotations

import io
import math
import wave
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from trackai.errors import MissingExtraError
from trackai.sdk.builtin_values import SCALARS, as_number, type_name, unwrapped
from trackai.sdk.structured_values import is_instance


def plain_array(value: Any, feature: str, missing: float = math.nan) -> Any:
    """Like `number_array`, with a number in place of missing values.

    Args:
        missing: this number; NaN makes floats of integers.
    """
    array = number_array(value, feature)
    if not is_instance(array, "numpy.ma", "MaskedArray"):
        return array
    as_floats = missing != missing and array.dtype.kind in "biu"
    return (array.astype(float) if as_floats else array).filled(missing)


def number_array(value: Any, feature: str) -> Any:
    """Convert an array, tensor or sequence of numbers to an array of one of NumPy's own types.

    bfloat16, float8 and other types that NumPy does not have become float32.

    Args:
        value: of any shape; on any device.
        feature: what needs NumPy, for the error.

    Returns:
        A masked array if values are missing: masked, or null.

    Raises:
        TypeError: the values are not numbers, or rows have different lengths.
        MissingExtraError: NumPy is not installed.
    """
    np = import_numpy(feature)
    array = _as_numpy(np, value)
    mask = None
    if is_instance(array, "numpy.ma", "MaskedArray"):
        array, mask = np.ma.getdata(array), np.ma.getmaskarray(array)
    if array.dtype.kind == "O":
        array, mask = _of_objects(np, array if mask is None else np.where(mask, None, array))
    # The types of ml_dtypes: NumPy's functions do not know them. Not all are of the kind "V".
    if array.dtype.isbuiltin == 2:
        array = array.astype(np.float32)
    if array.dtype.kind not in "biufc":
        raise TypeError(f"must hold numbers, got {array.dtype}")
    return array if mask is None or not mask.any() else np.ma.array(array, mask=mask)


def _as_numpy(np: Any, value: Any) -> Any:
    if isinstance(value, str | bytes | bytearray | Mapping):
        raise TypeError(f"must hold numbers, got {type_name(value)}")
    if hasattr(value, "detach"):
        return _of_torch(np, value)
    if hasattr(value, "__cuda_array_interface__") and hasattr(value, "get"):
        return value.get()  # CuPy
    if isinstance(value, Iterable) and not hasattr(value, "__array__"):
        return _of_sequence(np, value if isinstance(value, Sequence) else list(value))
    # A sub-class such as a masked array is kept.
    return np.asanyarray(value)


def _of_torch(np: Any, tensor: Any) -> Any:
    tensor = tensor.detach().cpu()
    if str(getattr(tensor, "layout", "torch.strided")) != "torch.strided":
        tensor = tensor.to_dense()
    if getattr(tensor, "is_quantized", False):
        tensor = tensor.dequantize()
    for method in ("resolve_conj", "resolve_neg"):
        tensor = getattr(tensor, method)() if hasattr(tensor, method) else tensor
    try:
        return np.asanyarray(tensor.numpy())
    except TypeError:  # bfloat16, float8
        return np.asanyarray(tensor.float())


def _of_sequence(np: Any, values: Sequence[Any]) -> Any:
    items = [unwrapped(item) for item in values]
    if all(item is None or isinstance(item, SCALARS) for item in items):
        return np.array(items)
    numbers = [as_number(item) for item in items]
    if all(item is None or isinstance(item, SCALARS) for item in numbers):
        return np.array(numbers)
    parts = [_as_numpy(np, item) for item in items]
    if len({part.shape for part in parts}) > 1:
        raise TypeError("must have rows of the same length")
    masked = any(is_instance(part, "numpy.ma", "MaskedArray") for part in parts)
    return np.ma.stack(parts) if masked else np.stack(parts)


def _of_objects(np: Any, array: Any) -> tuple[Any, Any]:
    """Return an array of objects as an array of numbers, and which are missing."""
    numbers = [as_number(unwrapped(item)) for item in array.ravel()]
    for number in numbers:
        if number is not None and (isinstance(number, str) or not isinstance(number, SCALARS)):
            raise TypeError(f"must hold numbers, got {type_name(number)}")
    mask = np.array([number is None for number in numbers], bool)
    known = [0 if number is None else number for number in numbers]
    plain = np.array(known)
    # Integers beyond 64 bits stay objects.
    plain = plain.astype(float) if plain.dtype.kind == "O" else plain
    return plain.reshape(array.shape), mask.reshape(array.shape)


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
    if not hasattr(value, "__array__") and not hasattr(value, "detach"):
        raise TypeError(
            "image: must be a path, a Pillow image, a Matplotlib figure or an array, got "
            f"{type_name(value)}"
        )
    np = import_numpy("an image made of an array")
    try:
        array = plain_array(value, "an image made of an array", missing=0)
    except TypeError as error:
        raise TypeError(f"image: an array {error}") from None
    try:
        from PIL import Image as PillowImage
    except ImportError:
        raise MissingExtraError("an image made of an array", "media") from None
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
    try:
        array = plain_array(value, "a sound made of an array", missing=0)
    except TypeError as error:
        raise TypeError(f"audio: an array {error}") from None
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
        TypeError: the values are not real numbers, or rows have different lengths.
        ValueError: `bins` is less than 1.
        MissingExtraError: NumPy is not installed.
    """
    np = import_numpy("a histogram of a sequence")
    try:
        array = plain_array(sequence, "a histogram of a sequence")
    except TypeError as error:
        raise TypeError(f"sequence: {error}") from None
    if array.dtype.kind == "c":
        raise TypeError("sequence: must hold real numbers, got complex ones")
    values = array.astype(float).ravel()
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
