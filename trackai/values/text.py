"""Text that can be stored: valid Unicode."""

from __future__ import annotations

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


def escaped(text: str) -> str:
    """Return a text in which lone surrogates, as of file names that are not UTF-8, are escaped."""
    return text.encode(errors="backslashreplace").decode()
