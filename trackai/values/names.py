"""Which texts may name a metric, a configuration key, a run, a project or a tag.

SQLite's functions and C programs end a text at U+0000, so no name may contain it. Identifiers
(ids, tags, groups) are typed and printed by people, so they contain no control characters at all,
nor those that end a line or change the direction of the text around them.
"""

from __future__ import annotations

import re

from trackai.errors import InvalidInputError

MAX_PATH = 1024
# What a row of an index of PostgreSQL has room for, beside the figures of a metric.
MAX_PATH_BYTES = 1536
MAX_IDENTIFIER = 256
MAX_NAME = 512
MAX_NOTES = 100_000
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def path_problem(text: str) -> str | None:
    """Say why a text cannot be the path of a metric, a file or a configuration key, or None."""
    if not text:
        return "must not be empty"
    if len(text) > MAX_PATH:
        return f"must have at most {MAX_PATH} characters, got {len(text)}"
    if (size := len(text.encode(errors="surrogatepass"))) > MAX_PATH_BYTES:
        return f"must have at most {MAX_PATH_BYTES} bytes in UTF-8, got {size}"
    if "\0" in text:
        return "must not contain the character U+0000"
    return None


def identifier_problem(text: str, longest: int = MAX_IDENTIFIER) -> str | None:
    """Say why a text cannot be an id, a tag or a group, or None."""
    if not text.strip():
        return "must not be empty"
    if len(text) > longest:
        return f"must have at most {longest} characters, got {len(text)}"
    control = _CONTROL.search(text)
    if control is not None:
        return f"must not contain control characters, got U+{ord(control[0]):04X}"
    return None


def name_problem(text: str) -> str | None:
    """Say why a text cannot be the name of a run or a project, or None."""
    if not text.strip():
        return "must not be empty"
    return notes_problem(text, MAX_NAME)


def notes_problem(text: str, longest: int = MAX_NOTES) -> str | None:
    """Say why a text cannot be notes, or None."""
    if len(text) > longest:
        return f"must have at most {longest} characters, got {len(text)}"
    if "\0" in text:
        return "must not contain the character U+0000"
    return None


def refuse(field: str, problem: str | None) -> None:
    """Raise the error for a problem.

    Raises:
        InvalidInputError: there is one.
    """
    if problem is not None:
        raise InvalidInputError(field, problem)
