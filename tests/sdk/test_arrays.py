"""Arrays, tensors and sequences of numbers become arrays of NumPy's own types."""

from __future__ import annotations

import array
import math
from collections import deque
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from PIL import Image as PillowImage

import trackai
from trackai.sdk.arrays import plain_array

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Tensor:
    """What torch.Tensor does with a type that NumPy does not have."""

    shape, dtype = (2,), "torch.bfloat16"

    def detach(self) -> Tensor:
        return self

    def cpu(self) -> Tensor:
        return self

    def numpy(self) -> Any:
        raise TypeError("Got unsupported ScalarType BFloat16")

    def float(self) -> Any:
        return np.array([1.5, 2], np.float32)


class SparseTensor(Tensor):
    layout = "torch.sparse_coo"

    def to_dense(self) -> Any:
        return Tensor()


MASKED = np.ma.array([1, 2, 3], mask=[False, True, False])
NAN = math.nan


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (MASKED, [1, NAN, 3]),
        (np.ma.array([1.5, 2], mask=[True, False]), [NAN, 2]),
        (np.ma.array([True, False], mask=[False, True]), [1, NAN]),
        (np.ma.array([1, "hidden"], mask=[False, True], dtype=object), [1, NAN]),
        ([MASKED, MASKED], [[1, NAN, 3], [1, NAN, 3]]),
        ([1, np.ma.masked, 3], [1, NAN, 3]),
        ([1, None], [1, NAN]),
        ([1, pd.NA], [1, NAN]),
        (pd.Series([1, None], dtype="Int64"), [1, NAN]),
        (pd.Series([True, None], dtype="boolean"), [1, NAN]),
        (pd.Series([1, None], dtype=pd.ArrowDtype(pa.int64())), [1, NAN]),
        (pd.Series([1, 2]).astype("category"), [1, 2]),
        (pa.array([1, None]), [1, NAN]),
        (pa.array([True, None]), [1, NAN]),
        (pa.chunked_array([[1, None]]), [1, NAN]),
        ([pa.scalar(1), pa.scalar(None, pa.int64())], [1, NAN]),
        (pl.Series([1, None]), [1, NAN]),
        (pl.Series([True, None]), [1, NAN]),
        (Tensor(), [1.5, 2]),
        (SparseTensor(), [1.5, 2]),
        (np.ones((2, 2), np.float16), [[1, 1], [1, 1]]),
        ([np.float32(1), np.float32(2)], [1, 2]),
        ([Decimal("1.5"), Fraction(1, 2)], [1.5, 0.5]),
        ([2**70, 1], [2.0**70, 1]),
        (deque([1, 2]), [1, 2]),
        (range(3), [0, 1, 2]),
        ((number for number in (1, 2)), [1, 2]),
        ({1: "a", 2: "b"}.keys(), [1, 2]),
        (array.array("d", [1, 2]), [1, 2]),
        ([[1, 2], [3, 4]], [[1, 2], [3, 4]]),
    ],
)
def test_numbers_become_a_plain_array(value: Any, expected: Any) -> None:
    numbers = plain_array(value, "a test")
    assert type(numbers) is np.ndarray
    assert numbers.dtype.kind in "iuf"
    np.testing.assert_array_equal(numbers, expected)


@pytest.mark.parametrize(
    "kind",
    ["bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3b11fnuz", "float4_e2m1fn", "int4"],
)
def test_types_that_numpy_does_not_have(kind: str) -> None:
    values = np.array([1, 2], getattr(ml_dtypes, kind))
    numbers = plain_array(values, "a test")
    assert numbers.dtype == np.float32
    assert numbers.tolist() == [1, 2]
    masked = plain_array(np.ma.array(values, mask=[False, True]), "a test")
    np.testing.assert_array_equal(masked, [1, NAN])
    assert sum(trackai.Histogram(values).histogram) == 2
    assert PillowImage.open(trackai.Image(values.reshape(1, 2)).open()).size == (2, 1)


@pytest.mark.parametrize(
    "value",
    [["a"], [1, "a"], [[1], [2, 3]], b"ab", "ab", [object()], np.array(["2026"], "M8[s]"), [{}]],
)
def test_what_is_not_numbers_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="must h"):
        plain_array(value, "a test")
    with pytest.raises(TypeError, match="sequence: must h"):
        trackai.Histogram(value)


def test_masked_values_are_missing_in_histograms_images_and_sounds() -> None:
    assert sum(trackai.Histogram(MASKED).histogram) == 2
    assert trackai.Histogram(MASKED).bins[0] == 1
    for counts, edges in (([np.ma.masked], [0, 1]), ([1], [0, NAN]), (MASKED, range(4))):
        with pytest.raises(trackai.InvalidInputError, match="must hold finite numbers, got"):
            trackai.Histogram(np_histogram=(counts, edges))
    small = np.array([0, 1], ml_dtypes.bfloat16)
    assert trackai.Histogram(np_histogram=([2], small)).bins == [0.0, 1.0]
    with pytest.raises(TypeError, match="complex"):
        trackai.Histogram(np.ones(2, complex))
    pixels = np.ma.array([[255, 254]], mask=[[False, True]], dtype=np.uint8)
    image = PillowImage.open(trackai.Image(pixels).open())
    assert np.asarray(image.getchannel("A")).tolist() == [[255, 0]]
    samples = np.ma.array([0.5, 1], mask=[False, True])
    assert trackai.Audio(samples, sample_rate=8000).open().read()[-2:] == b"\0\0"


def test_float16_values_do_not_warn_of_an_overflow(
    db_path: Path, run_python: Callable[..., Any]
) -> None:
    ran = run_python("""
        import numpy as np, trackai
        large = np.float16(60_000)
        with trackai.init(project="p") as run:
            run.log({"a": large, "b": large, "h": np.full(10, large)})
            run.log({"h": [large, large, -large]})
    """)
    assert ran.stderr == ""
    assert trackai.Api().run("latest").history("a")["a"].values == [60_000.0]
