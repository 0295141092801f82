"""Checks of names, tags and notes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from trackai.errors import InvalidInputError
from trackai.sdk.builtin_values import type_name
from trackai.values.text import checked_text


def check_name(field: str, name: Any) -> None:
    """Check that a name can be stored and is not blank.

    Args:
        field: the argument that the error names.

    Raises:
        TypeError: it is not a str.
        InvalidInputError: it is blank or not valid Unicode.
    """
    if not isinstance(name, str):
        raise TypeError(f"{field}: must be a str, got {type_name(name)}")
    if not checked_text(field, name).strip():
        raise InvalidInputError(field, "must not be empty")


def check_notes(notes: Any) -> None:
    """Check that notes can be stored.

    Raises:
        TypeError: they are not a str.
        InvalidInputError: they are not valid Unicode.
    """
    if not isinstance(notes, str):
        raise TypeError(f"notes: must be a str, got {type_name(notes)}")
    checked_text("notes", notes)


def checked_tags(tags: Any, field: str = "tags") -> tuple[str, ...]:
    """Return tags as a tuple, in their order; a str is a single tag.

    Args:
        field: the argument that the error names.

    Raises:
        TypeError: `tags` is neither a str nor an iterable of str.
        InvalidInputError: a tag is blank or not valid Unicode.
    """
    if isinstance(tags, str):
        tags = (tags,)
    if not isinstance(tags, Iterable) or isinstance(tags, bytes | Mapping):
        raise TypeError(f"tags: must be a str or a list of str, got {type_name(tags)}")
    checked = tuple(tags)
    for tag in checked:
        check_name(field, tag)
    return checked
