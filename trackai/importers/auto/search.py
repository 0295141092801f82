"""Finds what can be imported below a path.

Folders are asked about from the top. A folder that belongs to a tracker is not searched further:
a run of wandb may hold event files, and an artifact of mlflow may hold anything. Event files alone
claim no folder, because programs write them beside the files of others.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from trackai.errors import InvalidInputError
from trackai.exporters.csv import COLUMNS
from trackai.importers import neptune, original_trackai
from trackai.importers.trackers import TRACKERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from trackai.importers.receipt import Receipt

_TENSORBOARD = "tensorboard"
# A run may be continued in any folder, so all of them are one source.
_RUNS_ANYWHERE = ("wandb", "swanlab")
# What a run has saved, beside its record file. Other folders there may be of other trackers.
_FILES_OF_RUN = "files"
# Each is a source by itself, whatever is beside it. Other files belong to their folder.
_DATABASES = (".db", ".sqlite", ".sqlite3")
_ARCHIVES = (".zip",)
_JOURNALS = (".journal", ".log")
_TABLES = (".csv", ".tsv")
_JSONL = ".jsonl"
_OUR_CSV = ",".join(COLUMNS).encode()
_OUR_JSONL = b'{"type":"run",'
# The folder of a training also has event files and checkpoints, with the same values.
_WHOLE_FOLDERS = {"transformers": ("trainer_state.json", "checkpoint-*/trainer_state.json")}
# Folders beside a database, with its files.
_FILES_BESIDE = {
    "mlflow": ("mlruns", "mlartifacts"),
    "trackio": ("artifacts", "inbox", "media", "traces"),
}
# The last two are of Sacred, beside its runs.
_NOT_SEARCHED = ("__pycache__", "node_modules", "site-packages", "_resources", "_sources")


class Found(NamedTuple):
    """A source: the name of the command that imports it, and its path.

    Attributes:
        leave_out: folders below the path that belong to other sources.
    """

    kind: str
    path: Path
    leave_out: frozenset[Path] = frozenset()


def looked_for() -> str:
    """Return the names of all that is recognised."""
    titles = sorted((tracker.title for tracker in TRACKERS.values()), key=str.lower)
    return f"files of {', '.join(titles)}, neptune-exporter and TrackAI"


def search(path: Path, receipt: Receipt, store: Path) -> list[Found]:
    """Find the sources below a path.

    Args:
        path: a folder or a file.
        receipt: notes folders that cannot be read.
        store: the database that is imported into, which is not a source.
    """
    if path.is_file():
        kind = _kind_of_single_file(path)
        return [] if kind is None or _is_same(path, store) else [Found(kind, path)]
    return _Search(path, receipt, store).find()


class _Search:
    """A search below a folder.

    `_places` has the folders and files that belong to each kind, and `_kinds` the kinds at and
    below each folder.
    """

    def __init__(self, top: Path, receipt: Receipt, store: Path) -> None:
        self._top = top
        self._receipt = receipt
        self._store = store
        self._places: dict[str, list[Path]] = {}
        self._kinds: dict[Path, set[str]] = {}

    def find(self) -> list[Found]:
        for name, subfolders, names in os.walk(self._top, onerror=self._add_problem):
            folder = Path(name)
            if "pyvenv.cfg" in names:
                subfolders.clear()
                continue
            inner = [
                folder / subfolder
                for subfolder in sorted(subfolders)
                if subfolder not in _NOT_SEARCHED and not (folder / subfolder).is_symlink()
            ]
            files = [folder / file for file in sorted(names) if _may_be_source(folder / file)]
            owner = _owner(folder, inner, files)
            if owner is not None:
                self._add(owner, folder)
                if owner not in _RUNS_ANYWHERE:
                    subfolders.clear()
                    continue
                inner = [path for path in inner if path.name != _FILES_OF_RUN]
            beside = self._add_files(files)
            if _recognises(_TENSORBOARD, folder):
                self._add(_TENSORBOARD, folder)
            subfolders[:] = [path.name for path in inner if _is_searched(path, beside)]
        return [
            found for kind, places in self._places.items() for found in self._join(kind, places)
        ]

    def _add_files(self, files: Sequence[Path]) -> dict[str, str]:
        """Add the files of a folder that are sources.

        Returns:
            The names of folders beside them that have their files, each with the kind.
        """
        beside: dict[str, str] = {}
        for file in files:
            kind = _kind_of_file(file)
            if kind is not None and not _is_same(file, self._store):
                self._add(kind, file)
                beside |= dict.fromkeys(_FILES_BESIDE.get(kind, ()), kind)
        return beside

    def _add(self, kind: str, place: Path) -> None:
        self._places.setdefault(kind, []).append(place)
        for folder in (place, *self._above(place)):
            self._kinds.setdefault(folder, set()).add(kind)

    def _above(self, place: Path) -> Iterator[Path]:
        while place != self._top:
            place = place.parent
            yield place

    def _join(self, kind: str, places: list[Path]) -> Iterator[Found]:
        """Yield the sources of a kind: as few as possible, each without the files of others."""
        if kind in _RUNS_ANYWHERE:
            yield Found(kind, Path(os.path.commonpath(places)))
        elif kind != _TENSORBOARD:
            yield from dict.fromkeys(Found(kind, self._topmost(kind, place)) for place in places)
        elif all(self._kinds[place] == {kind} for place in places):
            # Runs are named relative to it, so it must not depend on how many there are.
            yield from dict.fromkeys(
                Found(kind, self._topmost(kind, place, everywhere=True)) for place in places
            )
        else:
            others = (self._places[other] for other in self._places if other != kind)
            yield Found(kind, self._top, frozenset(place for some in others for place in some))

    def _topmost(self, kind: str, place: Path, *, everywhere: bool = False) -> Path:
        """Return the topmost folder of a place below which there is nothing of other kinds.

        Args:
            everywhere: the importer searches all subfolders. Otherwise it must recognise the
                folder.
        """
        topmost = place
        for folder in self._above(place):
            if self._kinds[folder] != {kind}:
                break
            if everywhere or (kind in TRACKERS and _recognises(kind, folder)):
                topmost = folder
        return topmost

    def _add_problem(self, error: OSError) -> None:
        where = os.path.relpath(error.filename, self._top) if error.filename else str(self._top)
        self._receipt.add_problem(where, f"the folder cannot be read: {error.strerror}")


def _owner(folder: Path, inner: Sequence[Path], files: Sequence[Path]) -> str | None:
    """Return the kind that a folder belongs to as a whole."""
    alone = [file for file in files if file.suffix.lower() in (*_DATABASES, *_ARCHIVES, *_JOURNALS)]
    for kind in TRACKERS:
        patterns = _WHOLE_FOLDERS.get(kind, ())
        if any(any(folder.glob(pattern)) for pattern in patterns):
            return kind
        # A folder may be recognised by what is in it: then only that belongs to the tracker.
        if (
            kind != _TENSORBOARD
            and _recognises(kind, folder)
            and not any(_recognises(kind, path) for path in (*inner, *alone))
        ):
            return kind
    return "neptune" if neptune.recognises(folder) else None


def _recognises(kind: str, path: Path) -> bool:
    try:
        return TRACKERS[kind].recognises(path)
    except OSError:
        return False


def _is_searched(folder: Path, beside: Mapping[str, str]) -> bool:
    """Return whether a folder is searched. A hidden one must be known to a tracker.

    Args:
        beside: names of folders with the files of a database, and its kind, which must know them.
    """
    if folder.name in beside:
        return _recognises(beside[folder.name], folder)
    return not folder.name.startswith(".") or any(_recognises(kind, folder) for kind in TRACKERS)


def _may_be_source(path: Path) -> bool:
    suffixes = (*_DATABASES, *_ARCHIVES, *_JOURNALS, *_TABLES, _JSONL)
    return path.suffix.lower() in suffixes and not path.is_symlink() and path.is_file()


def _kind_of_single_file(path: Path) -> str | None:
    """Return the kind of a file that the user has named."""
    kinds = (kind for kind in TRACKERS if _recognises(kind, path))
    kind = next(kinds, None) or _kind_of_file(path)
    if kind is None and path.suffix.lower() in _TABLES:
        return "csv"
    return kind or ("trackai" if _is_trackai(path) else None)


def _kind_of_file(path: Path) -> str | None:
    """Return the kind of a file that is a source by itself."""
    suffix = path.suffix.lower()
    if suffix in _TABLES:
        return "csv" if _begins_with(path, _OUR_CSV) else None
    if suffix == _JSONL:
        return "jsonl" if _begins_with(path, _OUR_JSONL) else None
    for kind in TRACKERS:
        if _recognises(kind, path):
            return kind
    return "trackai" if suffix in _DATABASES and _is_trackai(path) else None


def _is_trackai(path: Path) -> bool:
    try:
        original_trackai.is_original(path)
    except InvalidInputError:
        return False
    return True


def _begins_with(path: Path, start: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(start)) == start
    except OSError:
        return False


def _is_same(path: Path, store: Path) -> bool:
    try:
        return path.samefile(store)
    except OSError:
        return False
