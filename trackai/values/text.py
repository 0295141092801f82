"""Text that can be stored: valid Unicode."""

from __future__ import annotations

from trackai.errors import InvalidInputError


def checked_text(field: str, text: str) -> str:
    """A text, if it can be stored.

    Raises:
        InvalidInputError: it has half of a character, as what was decoded wrongly may have.
    """
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            half = ascii(text[error.start])
            raise InvalidInputError(
                field,
                f"{text[:80]!a} has a lone surrogate, {half}, at {error.start}: it is no text",
            ) from None
    return text
