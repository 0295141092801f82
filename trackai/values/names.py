"""Which texts may name a metric, a configuration key, a run, a project or a tag.

SQLite's functions and C programs end a text at U+0000, so no name may contain it. Identifiers
(ids, tags, groups) are typed and printed by people, so they contain no control characters at all.
"""

from __future__ import annotations

MAX_PATH = 1024
MAX_IDENTIFIER = 256


def path_problem(text: str) -> str | None:
    """Say why a text cannot be the path of a metric, a file or a configuration key, or None."""
    if not text:
        return "must not be empty"
    if len(text) > MAX_PATH:
        return f"must have at most {MAX_PATH} characters, got {len(text)}"
    if "\0" in text:
        return "must not contain the character U+0000"
    return None


def identifier_problem(text: str, longest: int = MAX_IDENTIFIER) -> str | None:
    """Say why a text cannot be an id, a tag or a group, or None."""
    if not text.strip():
        return "must not be empty"
    if len(text) > longest:
        return f"must have at most {longest} characters, got {len(text)}"
    for character in text:
        if character < " " or "\x7f" <= character <= "\x9f":
            return f"must not contain control characters, got U+{ord(character):04X}"
    return None
