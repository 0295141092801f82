"""Arrays as pixels: the order of their axes, and the range of their values. NumPy only."""

from __future__ import annotations

import math
from typing import Any

from trackai.sdk.arrays import import_numpy, number_array
from trackai.sdk.notices import warn_once

# The highest values of arrays whose range ends at 1 and at 255, with the overshoot of a filter.
_FLOAT_OVERSHOOT = 2
_INT_OVERSHOOT = 511
# Floats below this are signed data, not such an overshoot.
_SIGNED = -0.5
# Signed floats up to this number are normalised data, such as the input of a network.
_NORMALISED = 16
_GRID_COLUMNS = 8
_GRID_PADDING = 2


def to_array(value: Any, field: str) -> Any:
    """Convert a tensor or array to a NumPy array that holds numbers or bools.

    bfloat16 and the floats of 8 bits become float32. A masked array stays one.

    Raises:
        TypeError: it is not an array, or holds something else.
        MissingExtraError: NumPy is not installed.
    """
    if getattr(getattr(value, "dtype", None), "kind", None) == "O":
        raise TypeError(f"{field}: an array must hold integers, floats or bools, got objects")
    try:
        array = number_array(value, f"{field} made of an array")
    except TypeError as error:
        raise TypeError(f"{field}: an array {error}") from None
    if array.dtype.kind == "c":
        raise TypeError(f"{field}: an array must hold integers, floats or bools, got complex ones")
    if array.size == 0:
        raise TypeError(f"{field}: an array must not be empty, got the shape {array.shape}")
    return array


def channels_last(
    array: Any, *, prefer_first: bool, channels: tuple[int, ...] = (1, 3, 4)
) -> Any | None:
    """Move the channels to the last axis; None if neither order fits.

    Args:
        array: of shape (..., height, width, channels) or (..., channels, height, width).
        prefer_first: the order if both fit.
        channels: the numbers of channels that an image can have.
    """
    is_first = array.shape[-3] in channels
    is_last = array.shape[-1] in channels
    if is_first and (prefer_first or not is_last):
        return array.swapaxes(-3, -2).swapaxes(-2, -1)
    return array if is_last else None


def to_pixels(array: Any, field: str, *, deep: bool = False) -> Any:
    """Scale values to 0..255, with a warning where values are clipped.

    | values | black | white |
    | --- | --- | --- |
    | bools | False | True |
    | integers of 8 bits | 0 | 255 |
    | uint16, one above 255; other integers, one above 511 | 0 | 65535 |
    | other integers | 0 | 255 |
    | floats from -0.5 to 2 | 0 | 1 |
    | floats from -1 to 1, one below -0.5 | -1 | 1 |
    | other floats up to 16, one below -0.5 | the least | the greatest |
    | other floats | 0 | 255, or 65535 if one is above 511 |

    Args:
        array: of shape (..., channels).
        field: what the pixels are of, for the warnings.
        deep: keep integers that are scaled from 65535 as they are, as uint16.

    Returns:
        An array of uint8 or uint16, with an alpha channel if pixels are masked.
    """
    np = import_numpy("pixels")
    mask = np.ma.getmaskarray(array).any(axis=-1) if np.ma.is_masked(array) else None
    values = array.filled(0) if isinstance(array, np.ma.MaskedArray) else array
    visible = values if mask is None else values[~mask]
    pixels = _scaled(np, values, visible, field, deep)
    if mask is None:
        return pixels
    opaque = np.where(mask, 0, np.iinfo(pixels.dtype).max).astype(pixels.dtype)[..., np.newaxis]
    if pixels.shape[-1] == 4:
        return np.concatenate([pixels[..., :3], np.minimum(pixels[..., 3:], opaque)], axis=-1)
    return np.concatenate([pixels, opaque], axis=-1)


def _scaled(np: Any, values: Any, visible: Any, field: str, deep: bool) -> Any:
    if values.dtype == np.uint8:
        return values
    if values.dtype == bool:
        return values.astype(np.uint8) * 255
    is_float = values.dtype.kind == "f"
    finite = visible[np.isfinite(visible)] if is_float else visible
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if finite.size < visible.size:
        warn_once(
            f"{field}: not finite",
            "%s: NaN is drawn in black, infinities as the ends of the range", field,
        )  # fmt: skip
    black, white = _float_range(low, high) if is_float else _int_range(values.dtype.name, high)
    if low < black or high > white:
        warn_once(
            f"{field}: clipped",
            "%s: values from %g to %g are clipped to the range from %g to %g",
            field, low, high, black, white,
        )  # fmt: skip
    if deep and white == 65535 and not is_float:
        return values.clip(0, 65535).astype(np.uint16)
    scale = values.astype(np.float64 if values.dtype.itemsize > 4 else np.float32, copy=False)
    shares = (np.nan_to_num(scale, nan=black).clip(black, white) - black) / (white - black)
    return (shares * 255).round().astype(np.uint8)


def _float_range(low: float, high: float) -> tuple[float, float]:
    if low < _SIGNED and high <= _NORMALISED:
        if low >= -1 and high <= 1:
            return -1, 1
        warn_once(
            "normalised pixels",
            "pixels are floats from %g to %g: the least is drawn in black, the greatest in white",
            low, high,
        )  # fmt: skip
        return low, high if high > low else low + 1
    if high <= _FLOAT_OVERSHOOT:
        return 0, 1
    return 0, 255 if high <= _INT_OVERSHOOT else 65535


def _int_range(dtype: str, high: float) -> tuple[float, float]:
    limit = 255 if dtype == "uint16" else _INT_OVERSHOOT
    return 0, 255 if high <= limit else 65535


def to_grid(images: Any) -> Any:
    """Put images side by side, 8 in a row with black lines between them, as torchvision does.

    Args:
        images: of shape (images, height, width, channels).

    Returns:
        An array of shape (height, width, channels).
    """
    np = import_numpy("a grid of images")
    if len(images) == 1:
        return images[0]
    count, height, width, channels = images.shape
    columns = min(count, _GRID_COLUMNS)
    rows = math.ceil(count / columns)
    pad = _GRID_PADDING
    shape = (rows * (height + pad) + pad, columns * (width + pad) + pad, channels)
    grid = np.zeros(shape, images.dtype)
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        top, left = row * (height + pad) + pad, column * (width + pad) + pad
        grid[top : top + height, left : left + width] = image
    return grid
