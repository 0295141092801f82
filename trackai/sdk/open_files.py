"""The content of bytes and of open files."""

from __future__ import annotations

from typing import Any

from trackai.errors import InvalidInputError
from trackai.sdk.builtin_values import type_name


def file_bytes(value: Any, field: str) -> bytes | None:
    """Return bytes as they are, and the content of a binary file; None for other values.

    Raises:
        TypeError: a file is open in text mode.
    """
    content = _whole(value) if hasattr(value, "read") else value
    if isinstance(content, bytes | bytearray | memoryview):
        return bytes(content)
    if content is value:
        return None
    raise TypeError(f"{field}: a file must be open in binary mode, got {type_name(content)}")


def file_text(value: Any, field: str) -> str:
    """Return a str as it is, and the content of a file.

    Raises:
        TypeError: it is neither.
        InvalidInputError: a binary file is not valid UTF-8.
    """
    text = value
    if hasattr(value, "read"):
        text = _whole(value)
        if isinstance(text, bytes):
            try:
                text = text.decode()
            except UnicodeDecodeError as error:
                raise InvalidInputError(field, f"the file is not valid UTF-8: {error}") from None
    if not isinstance(text, str):
        raise TypeError(f"{field}: must be a str, a path or an open file, got {type_name(text)}")
    return text


def _whole(file: Any) -> Any:
    """The content from the start: a file in memory is often passed right after it is written."""
    if hasattr(file, "seek") and getattr(file, "seekable", lambda: True)():
        file.seek(0)
    return file.read()
