"""Encoding and decoding of frames: any prefix, any damage."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackai.errors import InvalidInputError
from trackai.ingest import frames
from trackai.ingest.frames import (
    Configured,
    Described,
    Ended,
    Frame,
    Keys,
    Opened,
    Points,
    decode,
    encode,
)

OPENED = Opened(
    run_uid="r", writer_uid="w", project="p", run_slug="s", name="n", group=None, attempt=1,
    rank=0, host="h", pid=1, created_at=1, started_at=2,
)  # fmt: skip
int64 = st.integers(-(2**63), 2**63 - 1)
floats = st.floats(allow_nan=True, allow_infinity=True)
values = st.lists(floats | int64 | st.booleans() | st.text(max_size=20), max_size=12)
any_frame: st.SearchStrategy[Frame] = st.one_of(
    st.just(OPENED),
    st.builds(Keys, int64, st.sampled_from(["step", "time"]), st.lists(st.text()).map(tuple)),
    st.builds(Points, int64, int64 | floats, int64, values),
    st.builds(Described),
    st.builds(Configured, st.dictionaries(st.text(), st.text(), max_size=5)),
    st.builds(Ended, st.sampled_from(["completed", "failed"]), int64),
)


def exactly(frame: Any) -> bytes:
    """Encode for comparison: NaN equals itself, and 1 differs from 1.0."""
    return encode(frame)


@given(st.lists(any_frame, max_size=6), st.data())
def test_any_prefix_yields_its_complete_frames(written: list[Frame], data: st.DataObject) -> None:
    encoded = [encode(frame) for frame in written]
    journal = b"".join(encoded)
    cut = data.draw(st.integers(0, len(journal)))
    read, damage = decode(journal[:cut])
    ends = [sum(map(len, encoded[: number + 1])) for number in range(len(encoded))]
    assert [end for _, end in read] == [end for end in ends if end <= cut]
    assert [exactly(frame) for frame, _ in read] == encoded[: len(read)]
    assert damage is None


@given(st.lists(any_frame, min_size=1, max_size=4), st.data())
def test_any_single_flipped_byte_is_detected(written: list[Frame], data: st.DataObject) -> None:
    journal = bytearray(b"".join(encode(frame) for frame in written))
    at = data.draw(st.integers(0, len(journal) - 1))
    journal[at] ^= data.draw(st.integers(1, 255))
    read, damage = decode(bytes(journal))
    # A larger length may look like an incomplete frame, but never like a complete one.
    assert damage is not None or len(read) < len(written)
    assert [exactly(frame) for frame, _ in read] == [
        exactly(frame) for frame in written[: len(read)]
    ]
    assert all(end <= at for _, end in read)


def test_an_invalid_length() -> None:
    for length in (0, frames.MAX_PAYLOAD + 1, 2**32 - 1):
        read, damage = decode(encode(OPENED) + struct.pack("<II", length, 0) + b"x" * 100)
        assert len(read) == 1
        assert damage is not None


def test_a_payload_that_is_not_a_frame() -> None:
    import zlib

    payload = b"\xc0"
    _, damage = decode(struct.pack("<II", 1, zlib.crc32(payload)) + payload)
    assert damage is not None


def test_a_call_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "MAX_PAYLOAD", 1000)
    with pytest.raises(InvalidInputError, match="1000"):
        encode(Configured({"x": "y" * 1000}))
