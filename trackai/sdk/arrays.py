"""Arrays of any library as arrays of NumPy, which is imported when it is needed."""

from __future__ import annotations

import math
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
    if is_tensor(value):
        return _of_torch(np, value)
    if hasattr(value, "__cuda_array_interface__") and hasattr(value, "get"):
        return value.get()  # CuPy
    if isinstance(value, Iterable) and not hasattr(value, "__array__"):
        return _of_sequence(np, value if isinstance(value, Sequence) else list(value))
    # A sub-class such as a masked array is kept.
    return np.asanyarray(value)


def is_tensor(value: object) -> bool:
    """Whether a value is a tensor of PyTorch, whose convention is channels first."""
    return hasattr(value, "detach") and hasattr(value, "shape")  # files have only the former


def _of_torch(np: Any, tensor: Any) -> Any:
    tensor = tensor.detach().cpu()
    if str(getattr(tensor, "layout", "torch.strided")) != "torch.strided":
        tensor = tensor.to_dense()
    if getattr(tensor, "is_quantized", False):
        tensor = tensor.dequantize()
    for method in ("resolve_conj", "resolve_neg"):
        tensor = getattr(tensor, method)() if hasattr(tensor, method) else tensor
    try:
        return np.asanyarray(tensor.numpy() if hasattr(tensor, "numpy") else tensor)
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
