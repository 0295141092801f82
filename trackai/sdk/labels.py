"""Checks of names, tags and notes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from trackai.sdk.builtin_values import type_name
from trackai.values.names import identifier_problem, name_problem, notes_problem, refuse
from trackai.values.text import checked_text


def check_name(field: str, name: Any) -> None:
    """Check that a text can be the name of a run or a project.

    Args:
        field: the argument that the error names.

    Raises:
        TypeError: it is not a str.
        InvalidInputError: it is blank, too long, or cannot be stored.
    """
    refuse(field, name_problem(_checked_str(field, name)))


def check_identifier(field: str, identifier: Any) -> None:
    """Check that a text can be an id, a group or a tag.

    Raises:
        TypeError: it is not a str.
        InvalidInputError: it is blank or too long, or has control characters.
    """
    refuse(field, identifier_problem(_checked_str(field, identifier)))


def check_notes(notes: Any) -> None:
    """Check that notes can be stored.

    Raises:
        TypeError: they are not a str.
        InvalidInputError: they are too long, or cannot be stored.
    """
    refuse("notes", notes_problem(_checked_str("notes", notes)))


def _checked_str(field: str, text: Any) -> str:
    if not isinstance(text, str):
        raise TypeError(f"{field}: must be a str, got {type_name(text)}")
    return checked_text(field, text)


def checked_tags(tags: Any, field: str = "tags") -> tuple[str, ...]:
    """Return tags as a tuple, in their order; a str is a single tag.

    Args:
        field: the argument that the error names.

    Raises:
        TypeError: `tags` is neither a str nor an iterable of str.
        InvalidInputError: a tag is blank or too long, or has control characters.
    """
    if isinstance(tags, str):
        tags = (tags,)
    if not isinstance(tags, Iterable) or isinstance(tags, bytes | Mapping):
        raise TypeError(f"tags: must be a str or a list of str, got {type_name(tags)}")
    checked = tuple(tags)
    for tag in checked:
        check_identifier(field, tag)
    return checked
