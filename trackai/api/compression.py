"""Compression of responses, and decompression of request bodies.

Decompression has a size limit that stops decompression bombs.
"""

from __future__ import annotations

import re
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from trackai.errors import InvalidInputError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable

# The largest body after decompression, in bytes.
MAX_PLAIN = 32 * 1024 * 1024
_GZIP = 16 + zlib.MAX_WBITS
_MAX_MEMBERS = 100
# The weights with which a client refuses an encoding.
_REFUSED = re.compile(r"0(\.0{0,3})?")
# A response this short fits into one packet either way.
MIN_COMPRESSED = 1400
# Higher levels of either format take twice the time for a few percent of the bytes.
_LEVEL = 1


@lru_cache(maxsize=64)
def accepted(header: str) -> str | None:
    """The encoding to compress a response with; None if the client accepts none that is known.

    Args:
        header: the value of Accept-Encoding.
    """
    accepts: dict[str, bool] = {}
    for part in header.lower().split(","):
        name, _, weight = part.replace(" ", "").partition(";q=")
        accepts[name] = _REFUSED.fullmatch(weight) is None
    for name in _encoders():
        if accepts.get(name, accepts.get("*", False)):
            return name
    return None


def compress(data: bytes, encoding: str) -> bytes:
    """Compress a response with an encoding that `accepted` has returned."""
    return _encoders()[encoding](data)


@lru_cache(maxsize=1)
def _encoders() -> dict[str, Callable[[bytes], bytes]]:
    """What compresses with each encoding; the preferred one first.

    On charts, zstd takes a third of the time of gzip, and a quarter of the bytes less.
    """
    encoders: dict[str, Callable[[bytes], bytes]] = {}
    try:
        import zstandard
    except ImportError:
        pass
    else:
        # A compressor must not be used by several threads at the same time.
        encoders["zstd"] = lambda data: zstandard.ZstdCompressor(_LEVEL).compress(data)
    encoders["gzip"] = _gzip
    return encoders


def _gzip(data: bytes) -> bytes:
    compressor = zlib.compressobj(_LEVEL, wbits=_GZIP)
    return compressor.compress(data) + compressor.flush()


def decompress(data: bytes, encoding: str) -> bytes:
    """Decompress a request body.

    Args:
        encoding: the value of Content-Encoding.

    Raises:
        InvalidInputError: the data is not valid for the encoding.
        HTTPException: the result is larger than `MAX_PLAIN` bytes (413), or the encoding is
            unknown or its package is not installed (415).
    """
    match encoding.strip().lower():
        case "" | "identity":
            return data
        case "gzip" | "x-gzip":
            return _gunzip(data)
        case "zstd":
            return _unzstd(data)
        case unknown:
            raise HTTPException(
                415, f"Content-Encoding: must be gzip or zstd, got {unknown[:40]!r}"
            )


def _gunzip(data: bytes) -> bytes:
    plain = b""
    members = 0
    try:
        while data:  # a gzip file may have several members
            members += 1
            if members > _MAX_MEMBERS:  # each member copies the remaining data
                raise InvalidInputError("body", f"must have at most {_MAX_MEMBERS} gzip members")
            member = zlib.decompressobj(_GZIP)
            plain += member.decompress(data, MAX_PLAIN + 1 - len(plain))
            if len(plain) > MAX_PLAIN:
                raise _too_large()
            if not member.eof:
                raise InvalidInputError("body", "gzip data is truncated")
            data = member.unused_data
    except zlib.error as error:
        raise InvalidInputError("body", f"invalid gzip data ({error})") from None
    return plain


def _unzstd(data: bytes) -> bytes:
    try:
        import zstandard
    except ImportError:
        missing = MissingExtraError("Content-Encoding: zstd", "zstd")
        raise HTTPException(415, str(missing)) from None
    try:
        with zstandard.ZstdDecompressor(max_window_size=MAX_PLAIN).stream_reader(
            data, read_across_frames=True
        ) as reader:
            plain: bytes = reader.read(MAX_PLAIN + 1)
    except zstandard.ZstdError as error:
        raise InvalidInputError("body", f"invalid zstd data ({error})") from None
    if len(plain) > MAX_PLAIN:
        raise _too_large()
    return plain


def _too_large() -> HTTPException:
    return HTTPException(413, f"body: must be at most {MAX_PLAIN} bytes after decompression")
