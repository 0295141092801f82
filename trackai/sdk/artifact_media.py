"""Tables and media as files of artifacts."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.sdk.builtin_values import type_name
from trackai.sdk.media import Audio, Html, Image, Media, Video
from trackai.sdk.table import Table, add_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from trackai.reading.artifacts import StoredArtifact
    from trackai.sdk.media import Files

_TABLE = ".table.json"
_CLASSES: tuple[tuple[str, Callable[[Path], Any]], ...] = (
    (r"\.table\.json", lambda path: Table(**msgspec.json.decode(path.read_bytes()))),
    (r"\.(png|jpe?g|gif|bmp|tiff?)", Image),
    (r"\.(wav|mp3|flac|ogg|m4a)", Audio),
    (r"\.(mp4|webm|webp|mov|avi)", Video),
    (r"\.html", Html),
)


def media_files(obj: Any, name: str) -> Iterator[tuple[str, Media]]:
    """Yield the files of a table or of media, by name: the object first, then those in its cells.

    Raises:
        TypeError: the object is not a table and not media.
    """
    files: Files = {}
    if not add_files(name, obj, files):
        raise TypeError(f"obj: must be a Table, an Image or other media, got {type_name(obj)}")
    ((_, media), *others) = files.pop(name)
    if others:
        raise TypeError("obj: must be one object, got a list")
    yield name if name.endswith(media.suffix) else name + media.suffix, media
    for path, items in files.items():
        for number, item in items:
            yield f"{path}/{item.file_name(None, number)}", item


def load_media(artifact: StoredArtifact, name: str) -> Any:
    """The table or media in an artifact; None if it does not exist."""
    for entry in artifact.files():
        if entry.path != name and not re.fullmatch(re.escape(name) + r"\.[\w.]+", entry.path):
            continue
        for suffix, make in _CLASSES:
            if entry.ref is None and re.search(f"{suffix}$", entry.path, re.IGNORECASE):
                return _load(entry.path, make, entry.download)
    return None


def _load(name: str, make: Callable[[Path], Any], download: Callable[[str], str]) -> Any:
    if name.endswith(_TABLE):
        with tempfile.TemporaryDirectory(prefix="trackai-artifact-") as folder:
            return make(Path(download(folder)))
    # Media read their file when they are logged: it stays until the system cleans up.
    return make(Path(download(tempfile.mkdtemp(prefix="trackai-artifact-"))))
