"""Text that can be stored: valid Unicode. Text that can be shown: without control characters."""

from __future__ import annotations

import unicodedata

from trackai.errors import InvalidInputError


def checked_text(field: str, text: str) -> str:
    """Check that a text can be stored, and return it.

    Args:
        field: the name of the argument, for errors.

    Raises:
        InvalidInputError: the text has a lone surrogate, usually because it was decoded wrongly.
    """
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InvalidInputError(
                field,
                f"must be valid Unicode, got {text[:80]!a}, which has a lone surrogate "
                f"{text[error.start]!a} at index {error.start}",
            ) from None
    return text


def without_surrogates(text: str) -> str:
    """Escape lone surrogates, which Python puts into file names that are not UTF-8."""
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


class _Escapes(dict[int, str]):
    """The text to show in place of each character, by code point; filled when needed."""

    def __init__(self, kept: str) -> None:
        self._kept = kept

    def __missing__(self, code: int) -> str:
        character = chr(code)
        # Spaces of other widths do no harm. Zero-width joiners belong to emoji and some scripts.
        is_harmless = character.isprintable() or unicodedata.category(character) == "Zs"
        if is_harmless or character in self._kept:
            self[code] = character
        else:
            self[code] = self.escape(code)
        return self[code]

    @staticmethod
    def escape(code: int) -> str:
        return chr(code).encode("unicode_escape").decode()


def json_escape(character: str) -> str:
    """Escape a character as JSON does: in units of UTF-16."""
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))


class _JSONEscapes(_Escapes):
    @staticmethod
    def escape(code: int) -> str:
        return json_escape(chr(code))


_JOINERS = "\u200c\u200d"
_escapes = _Escapes(_JOINERS)
_json_escapes = _JSONEscapes(_JOINERS + "\n")


def escaped(text: str) -> str:
    """Escape what terminals act on: control characters, and those that change directions.

    All stored text that reaches a terminal or a log passes through here. Line breaks are escaped,
    too: a name must not look like another line.
    """
    return text if text.isprintable() else text.translate(_escapes)


def escaped_json(data: bytes) -> bytes:
    """Escape the same characters in encoded JSON, of which the meaning does not change."""
    if data.isascii() and b"\x7f" not in data:  # JSON escapes the others itself
        return data
    return data.decode().translate(_json_escapes).encode()
