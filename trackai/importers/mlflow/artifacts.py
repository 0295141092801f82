"""Finds the artifacts of runs below the imported path."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from trackai.importers.incoming_files import TYPE
from trackai.importers.mlflow.runs import microseconds, run_uid
from trackai.structs.exchange import FileHead
from trackai.values.text import without_surrogates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trackai.importers.mlflow.runs import Run
    from trackai.importers.receipt import Receipt
    from trackai.structs.exchange import WriterHead

_SCHEME = re.compile("([a-z][a-z0-9+.-]+):", re.ASCII | re.IGNORECASE)
# The schemes of folders of a machine; with the second, those of the server.
_LOCAL = ("file", "mlflow-artifacts")
# The folders that MLflow makes for experiments.
_ROOTS = ("", "mlruns", "mlartifacts")
_FOLDER = "artifacts"
_MAX_PARTS = 64
# The names that `log_image(key=..., step=...)` gives to files, before and since version 3.
_IMAGE = re.compile(
    r"images/(?P<key>[\w. #~-]+)(?P<by>[%+])step(?P=by)(?P<step>-?\d{1,18})(?P=by)timestamp(?P=by)"
    r"(?P<ms>\d{1,18})(?P=by)[^%+/]+\.png",
    re.ASCII,
)


class Artifacts:
    """The folders of artifacts below a root; nothing outside of it is read.

    A run names its folder by where it was on the machine of its server. A folder that ends in the
    same names is taken for it.
    """

    def __init__(self, root: Path, receipt: Receipt) -> None:
        self._root = root
        self._receipt = receipt
        self._folders: dict[tuple[str, str], Path] = {}
        self._missing: list[str] = []

    def files(
        self, run: Run, default: Path | None, models: list[tuple[str, str]], writer: WriterHead
    ) -> Iterator[FileHead]:
        """Yield the files of a run, and of the models that it has logged.

        Args:
            default: a folder of the run, which need not exist.
            models: the ids of the models, and where their files are.
        """
        id_, uuid = run.experiment.id, run.uuid
        folder = self._folder_of(run.artifact_uri, (id_, uuid, _FOLDER), default)
        if folder is not None:
            yield from self._files_in(run, folder, _FOLDER, writer)
        for model_id, location in models:
            folder = self._folder_of(location, (id_, "models", model_id, _FOLDER))
            if folder is not None:
                yield from self._files_in(run, folder, f"models/{model_id}", writer)

    def find_bytes(self, head: FileHead) -> Path | None:
        """Return the path of a file; None if it is missing."""
        kind, _, rest = head.source.partition("/")
        if kind != _FOLDER:
            model_id, _, rest = rest.partition("/")
            kind = f"{kind}/{model_id}"
        folder = self._folders.get((head.run_uid, kind))
        return None if folder is None else self._inside(folder / os.fsdecode(rest))

    def finish(self) -> None:
        """Note in the receipt whose artifacts were not found."""
        if self._missing:
            remark = f"artifacts, if there are any, are not below this folder: {self._missing[0]}"
            others = len(self._missing) - 1
            more = f" and {others} more" if others else ""
            self._receipt.add_remark(self._root.name, f"{remark}{more}")

    def _folder_of(
        self, uri: str, ending: tuple[str, ...], default: Path | None = None
    ) -> Path | None:
        """Return the folder of a location, or note that it is elsewhere.

        Args:
            ending: the names in which the paths of such folders end.
        """
        scheme, parts = _split(uri)
        places = [Path(*parts[start:]) for start in range(len(parts) - 1)]
        places += [Path(root, *ending) for root in _ROOTS]
        if default is not None:
            places.insert(0, default)
        for place in places:
            path = self._inside(self._root / place)
            if path is not None and path.is_dir():
                return path
        if scheme and scheme not in _LOCAL:
            self._receipt.refuse("artifacts", f"stored at {scheme}:")
        elif uri and not self._has_experiments(parts[: -len(ending)] or ("mlruns",)):
            self._missing.append(without_surrogates(uri))
        return None

    def _has_experiments(self, parts: tuple[str, ...]) -> bool:
        """Whether a folder of experiments is here, so that a run without a folder has no files."""
        return (
            any((self._root / Path(*parts[start:])).is_dir() for start in range(len(parts)))
            or self._root.name == parts[-1]
        )

    def _files_in(
        self, run: Run, folder: Path, kind: str, writer: WriterHead
    ) -> Iterator[FileHead]:
        uid = run_uid(run)
        self._folders[uid, kind] = folder
        for parent, folders, names in os.walk(folder):
            folders.sort()
            paths = [Path(parent, name) for name in sorted(names)]
            paths += [path for name in folders if (path := Path(parent, name)).is_symlink()]
            for path in paths:
                relative = without_surrogates(path.relative_to(folder).as_posix())
                resolved = self._inside(path)
                if resolved is None or not resolved.is_file():
                    self._receipt.refuse(TYPE, "not a file in the folder")
                    self._receipt.add_problem(f"{run.uuid}/{relative}", "not a file, or a link")
                    continue
                head = FileHead(
                    run_uid=uid, writer=writer, kind="file", name=path.name,
                    path=relative if kind == _FOLDER else f"{kind}/{relative}",
                    timestamp=run.started_at, source=f"{kind}/{relative}",
                )  # fmt: skip
                if kind == _FOLDER and (match := _IMAGE.fullmatch(relative)):
                    head.kind, head.path = "file_series", re.sub("[#~]", "/", match["key"])
                    head.step, head.timestamp = int(match["step"]), microseconds(int(match["ms"]))
                yield head

    def _inside(self, path: Path) -> Path | None:
        """Resolve a path; None if it is outside of the root."""
        try:
            resolved = path.resolve()
            return resolved if resolved.is_relative_to(self._root) else None
        except (OSError, ValueError, RuntimeError):
            return None


def _split(uri: str) -> tuple[str, tuple[str, ...]]:
    """Return the scheme and the names of the folders of a location; of Windows, too."""
    match = _SCHEME.match(uri)
    scheme = match[1].lower() if match else ""
    path = unquote(uri[match.end() :]) if match else uri
    parts = tuple(part for part in re.split(r"[/\\]+", path) if part not in ("", ".", ".."))
    return scheme, parts[-_MAX_PARTS:]
