"""Names of imported data, made valid: other programs allow names that TrackAI refuses.

An identifier (of a run, a tag, a group) is escaped, because the run is worth more than
its exact name. A metric, file or configuration key with an invalid path is refused. The receipt
names both.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.values.artifact_names import LATEST, alias_problem, file_problem
from trackai.values.names import (
    MAX_IDENTIFIER,
    MAX_NAME,
    identifier_problem,
    name_problem,
    notes_problem,
    path_problem,
)
from trackai.values.text import without_surrogates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trackai.structs.exchange import ArtifactHead, RunHead

_DIGEST_DIGITS = 8
_SHOWN = 80


def identifier(text: str) -> str:
    r"""Return an identifier that is valid, and different for different texts.

    Characters that it must not contain are escaped: an ESC becomes "\x1b".
    """
    valid = "".join(map(_escaped, without_surrogates(text)))
    if len(valid) > MAX_IDENTIFIER:
        digest = hashlib.sha256(valid.encode()).hexdigest()[:_DIGEST_DIGITS]
        valid = f"{valid[: MAX_IDENTIFIER - 1 - _DIGEST_DIGITS]}-{digest}"
    return valid if identifier_problem(valid) is None else "unnamed"


def _escaped(character: str) -> str:
    if character.isprintable() or identifier_problem(f"x{character}") is None:
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _displayed(text: str) -> str:
    return without_surrogates(text).replace("\0", "\\x00")


def _project(name: str) -> str:
    valid = _displayed(name)
    return valid if valid.strip() and len(valid) <= MAX_NAME else identifier(name)


def shown(text: str) -> str:
    """Quote a name for the receipt; long ones are cut off."""
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def invalid_name(problem: str) -> str:
    """Return the reason for the receipt's counts, which is the same for all names of a kind."""
    return f"the name {problem.partition(',')[0]}"


def valid_head(head: RunHead) -> tuple[RunHead, list[str]]:
    """Return the head with valid identifiers and texts, and what was changed."""
    changes = []

    def changed(field: str, text: str, valid: str) -> str:
        if valid != text:
            changes.append(f"{field} {shown(text)} is stored as {shown(valid)}")
        return valid

    def checked(field: str, text: str | None) -> str | None:
        return text and changed(field, text, identifier(text))

    def display(field: str, text: str | None) -> str | None:
        return text and changed(field, text, _displayed(text))

    valid = msgspec.structs.replace(
        head,
        project=changed("project", head.project, _project(head.project)),
        project_slug=checked("project", head.project_slug),
        run_id=changed("run", head.run_id, identifier(head.run_id)),
        name=display("name", head.name),
        notes=display("notes", head.notes),
        group_name=checked("group", head.group_name),
        tags=[changed("tag", tag, identifier(tag)) if tag else tag for tag in head.tags],
    )
    return valid, changes


def invalid_keys(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the keys that cannot be stored, with the problem of each."""
    return {key: problem for key in values if (problem := path_problem(key)) is not None}


def logged_file_problem(name: str) -> str | None:
    """Say why the file name of a logged file cannot be stored, or None."""
    if "\0" in name:
        return "must not have a file name with the character U+0000"
    # Readers may save files under their names.
    if name.startswith("/") or ".." in name.split("/"):
        return "must not have a file name that leads out of a folder"
    return None


def artifact_problem(head: ArtifactHead) -> str | None:
    """Say why a version of an artifact cannot be stored, or None."""
    names = [file.name for file in head.files]
    texts = (head.name, head.artifact_type, *names, *head.tags, *head.aliases, head.project)
    if any(without_surrogates(text) != text for text in texts):
        return "must be valid Unicode"
    if len(set(names)) < len(names):
        return "must not have two files of the same name"
    problems = (
        path_problem(head.name), path_problem(head.artifact_type or "-"),
        name_problem(head.project), notes_problem(head.description or ""),
        *(alias_problem(alias) for alias in head.aliases if alias != LATEST),
        *map(identifier_problem, head.tags), *map(file_problem, names),
        *(None if re.fullmatch("[0-9a-f]{64}", file.sha256 or "0" * 64) else "must have a SHA-256"
          for file in head.files),
    )  # fmt: skip
    return next((problem for problem in problems if problem is not None), None)
