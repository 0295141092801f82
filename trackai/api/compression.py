"""Compressed bodies, taken apart up to a limit: a few bytes can stand for gigabytes."""

from __future__ import annotations

import zlib

from starlette.exceptions import HTTPException

from trackai.errors import InvalidInputError, MissingExtraError

MAX_PLAIN = 32 * 1024 * 1024
_GZIP = 16 + zlib.MAX_WBITS
_MOST_MEMBERS = 100


def decompress(data: bytes, encoding: str) -> bytes:
    """The plain bytes of a body.

    Args:
        encoding: the value of Content-Encoding.

    Raises:
        InvalidInputError: it is not what the encoding says.
        HTTPException: it comes to more than `MAX_PLAIN` bytes (413), or the encoding is unknown
            or cannot be used here (415).
    """
    match encoding.strip().lower():
        case "" | "identity":
            return data
        case "gzip" | "x-gzip":
            return _gunzip(data)
        case "zstd":
            return _unzstd(data)
        case other:
            raise HTTPException(415, f"Content-Encoding: {other[:40]!r} is not gzip or zstd")


def _gunzip(data: bytes) -> bytes:
    plain = b""
    members = 0
    try:
        while data:  # a file of several members is one text
            members += 1
            if members > _MOST_MEMBERS:  # each copies what is left
                raise InvalidInputError("body", f"it has more than {_MOST_MEMBERS} gzip members")
            member = zlib.decompressobj(_GZIP)
            plain += member.decompress(data, MAX_PLAIN + 1 - len(plain))
            if len(plain) > MAX_PLAIN:
                raise _too_large()
            if not member.eof:
                raise InvalidInputError("body", "the gzip stream ends too early")
            data = member.unused_data
    except zlib.error as error:
        raise InvalidInputError("body", f"it is no gzip stream ({error})") from None
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
        raise InvalidInputError("body", f"it is no zstd stream ({error})") from None
    if len(plain) > MAX_PLAIN:
        raise _too_large()
    return plain


def _too_large() -> HTTPException:
    return HTTPException(413, f"the body comes to more than {MAX_PLAIN} bytes")
