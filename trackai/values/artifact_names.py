"""Names of artifacts, their versions and aliases, and of the files in them."""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from trackai.values.names import identifier_problem, path_problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LATEST = "latest"
_VERSION = re.compile("v(0|[1-9][0-9]{0,17})")
# Where other trackers keep registered models. Here, they are in the project of the run.
_REGISTRY = re.compile("model-registry|(wandb-)?registry-.*")
_DRIVE = re.compile("[A-Za-z]:")


class ArtifactRef(NamedTuple):
    """What a text such as "project/name:alias" may mean.

    Attributes:
        project: the name or slug of the project; None for any.
        selector: a version such as "v3", or an alias.
    """

    project: str | None
    name: str
    selector: str


def references(text: str, project: str | None = None) -> Iterator[ArtifactRef]:
    """Yield what a text may mean, in order of precedence.

    Names may contain ":" and "/", so a text may mean several artifacts.

    Args:
        text: "name", "name:v3", "name:alias", each also with "project/" or "entity/project/" of
            wandb before it. Without a version or an alias, the latest version is meant.
        project: the project of a text that has none; None for any.
    """
    name, colon, selector = text.rpartition(":")
    heads = [(name, selector)] if colon and name and selector else []
    for head, version in (*heads, (text, LATEST)):
        yield ArtifactRef(project, head, version)
        first, _, rest = head.partition("/")
        if rest:
            yield ArtifactRef(first, rest, version)
            second, _, last = rest.partition("/")
            if last:
                yield ArtifactRef(second, last, version)
            if _REGISTRY.fullmatch(first) or _REGISTRY.fullmatch(second):
                yield ArtifactRef(project, rest.rpartition("/")[2], version)


def version_number(selector: str) -> int | None:
    """The number of a version such as "v3"; None for an alias."""
    match = _VERSION.fullmatch(selector)
    return None if match is None else int(match[1])


def alias_problem(alias: str) -> str | None:
    """Say why a text cannot be an alias, or None."""
    if version_number(alias) is not None:
        return f"must not be like a version, got {alias!r}"
    if ":" in alias or "/" in alias:
        return f'must not contain ":" or "/", got {alias[:80]!r}'
    return identifier_problem(alias)


def file_problem(name: str) -> str | None:
    """Say why a text cannot be the name of a file in an artifact, or None.

    It is a path relative to the artifact, with slashes, in which no part is "", "." or "..".
    """
    if problem := path_problem(name):
        return problem
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or "/".join(parts) != name or not parts:
        return f'must be a relative path without ".", ".." and "//", got {name[:80]!r}'
    return None


def is_portable(name: str) -> bool:
    r"""Whether the name of a file leads to the same file on Windows, where "\" is a separator."""
    return "\\" not in name and _DRIVE.match(name) is None


def digest(files: Iterable[tuple[str, str | None]]) -> str:
    """The digest of an artifact, in hex.

    Args:
        files: the name of each file, and the SHA-256 of its bytes or its reference.
    """
    return hashlib.sha256(msgspec.msgpack.encode(sorted(files, key=lambda f: f[0]))).hexdigest()
