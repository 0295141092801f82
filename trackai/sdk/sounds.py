"""WAV files made of samples. NumPy is imported when it is needed."""

from __future__ import annotations

import io
import wave
from typing import Any

from trackai.errors import InvalidInputError
from trackai.sdk.arrays import import_numpy, is_tensor
from trackai.sdk.builtin_values import type_name, unwrapped
from trackai.sdk.notices import warn_once
from trackai.sdk.pixels import to_array

_MAX_RATE = 10_000_000
# An array with more is not a sound but, for example, a spectrogram.
_MAX_CHANNELS = 64
# The sizes in the header of a WAV file have 32 bits.
_MAX_BYTES = 2**32 - 100


def to_wave(value: Any, sample_rate: Any) -> bytes:
    """Make a WAV file of samples.

    Floats and integers other than those of 8 and 32 bits become integers of 16 bits.

    Args:
        value: of shape (samples,), (samples, channels) or (channels, samples): floats from -1 to 1,
            signed integers, or uint8 with silence at 128.
        sample_rate: samples a second.

    Raises:
        TypeError: the samples are of another shape or type, or `sample_rate` is not a number.
        InvalidInputError: `sample_rate` is out of range, or the file would be too large.
        MissingExtraError: NumPy is not installed.
    """
    rate = _checked_rate(sample_rate)
    if isinstance(value, list | tuple):
        try:
            value = import_numpy("a sound made of samples").array(value)
        except ValueError:
            raise TypeError("audio: the items of a list must have one length") from None
    if not hasattr(value, "__array__"):
        raise TypeError(f"audio: must be a path, bytes or an array, got {type_name(value)}")
    samples = _frames_first(to_array(value, "audio"), is_tensor(value))
    data = _stored(samples)
    if data.nbytes > _MAX_BYTES:
        raise InvalidInputError("audio", f"a WAV file cannot hold {data.nbytes:,} bytes")
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(data.shape[1])
        file.setsampwidth(data.dtype.itemsize)
        file.setframerate(rate)
        file.writeframes(data.tobytes())
    return content.getvalue()


def _checked_rate(sample_rate: Any) -> int:
    rate = unwrapped(sample_rate)
    if rate is None:
        raise InvalidInputError("sample_rate", "required for an array of samples")
    if isinstance(rate, bool) or not isinstance(rate, int | float):
        raise TypeError(f"sample_rate: must be a number, got {type_name(sample_rate)}")
    if not (1 <= rate <= _MAX_RATE and rate == int(rate)):
        raise InvalidInputError(
            "sample_rate", f"must be an integer from 1 to {_MAX_RATE}, got {rate}"
        )
    return int(rate)


def _frames_first(array: Any, prefer_channels_first: bool) -> Any:
    """An array of shape (samples, channels)."""
    shape = array.shape
    if array.ndim == 3 and shape[0] == 1:
        array = array[0]  # a batch of one, as models return it
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or min(array.shape) > _MAX_CHANNELS:
        raise TypeError(
            "audio: an array must have the shape (samples,), (samples, channels) or "
            f"(channels, samples) with at most {_MAX_CHANNELS} channels, got {shape}"
        )
    rows, columns = array.shape
    is_channels_first = rows < columns or (rows == columns and prefer_channels_first)
    return array.T if is_channels_first and len(shape) > 1 else array


def _stored(samples: Any) -> Any:
    """The samples as integers of 8, 16 or 32 bits, as a WAV file holds them."""
    np = import_numpy("a sound made of samples")
    kind, size = samples.dtype.kind, samples.dtype.itemsize
    samples = samples.filled(0) if isinstance(samples, np.ma.MaskedArray) else samples
    if kind == "f":
        return (_limited(np, samples, -1.0, 1.0) * 32767).round().astype("<i2")
    if samples.dtype == np.uint8:
        return samples
    if kind != "i":
        raise TypeError(
            f"audio: samples must be floats, signed integers or uint8, got {samples.dtype}"
        )
    if size == 1:
        return (samples.astype(np.int16) + 128).astype(np.uint8)  # WAV has no signed ones
    if size in (2, 4):
        return samples.astype(f"<i{size}")
    return _limited(np, samples, -32768, 32767).astype("<i2")


def _limited(np: Any, samples: Any, low: float, high: float) -> Any:
    if samples.dtype.kind == "f" and not np.isfinite(samples).all():
        warn_once("Audio: not finite", "Audio: NaN and infinite samples are stored as silence")
        samples = np.nan_to_num(samples, nan=0, posinf=0, neginf=0)
    outside = int(((samples < low) | (samples > high)).sum())
    if outside:
        warn_once(
            "Audio: clipped",
            "Audio: %d of %d samples are clipped, as they are outside %g to %g; the loudest is %g",
            outside, samples.size, low, high, np.abs(samples).max(),
        )  # fmt: skip
    return samples.clip(low, high)
