"""Files to store with a run: single files, and artifacts of several files."""

from __future__ import annotations

import glob
import os
import re
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, ClassVar, NamedTuple, NoReturn, Protocol, Self

from trackai.errors import InvalidInputError, NoActiveRunError, NotFoundError
from trackai.reading.artifacts import ArtifactEntry, StoredArtifact
from trackai.reading.source import Source  # noqa: TC001 - for get_type_hints
from trackai.sdk.ignored_calls import ArtifactTTL, warn_ignored
from trackai.structs.records import ArtifactFile, ArtifactVersion
from trackai.values.artifact_names import digest, file_problem
from trackai.values.names import refuse
from trackai.values.text import checked_text


class NamedFile(NamedTuple):
    """A file to store: its name in the run, and its path."""

    name: str
    path: Path

    def version(self) -> tuple[Path, int, int]:
        """A value that changes when the content does: path, modification time and size."""
        status = self.path.stat()
        return self.path.resolve(), status.st_mtime_ns, status.st_size


class FindVersion(Protocol):
    """Wait until a logged artifact is stored; None, with a warning, if that takes too long."""

    def __call__(
        self, artifact: Artifact, timeout: float | None
    ) -> tuple[Source, ArtifactVersion] | None: ...


def _refuse_link(*args: Any) -> NoReturn:
    raise NoActiveRunError


class Artifact(StoredArtifact):
    """Files under one name, such as a model with its tokenizer, in versions.

    Add files, and store them as a version with `log_artifact`; `use_artifact` returns a stored
    version. After `wait`, the attributes of a logged artifact are those of its version.

    Args:
        name: its name in the project.
        type: its kind, such as "model" or "dataset".
        description: a text about the version.
        metadata: a dict of values that JSON has.
        positional, ignored: further arguments of wandb, which are ignored.

    Attributes:
        description, metadata: the arguments; they may be changed until the artifact is logged.
        aliases, tags: those of the version; what is set until the artifact is logged is logged.

    Raises:
        InvalidInputError: `name` is not a str, or blank.

    Example:
        model = trackai.Artifact("digits", type="model", metadata={"accuracy": 0.98})
        model.add_dir("checkpoints/last")
        trackai.log_artifact(model, aliases=["best"])
        print(model.wait().version)
    """

    # `link_artifact` of the active run, from `trackai.sdk.active`, which imports this module.
    _link: ClassVar[Callable[..., Artifact]] = staticmethod(_refuse_link)

    def __init__(
        self,
        name: str,
        type: str | None = None,  # noqa: A002
        description: str | None = None,
        metadata: dict[str, Any] | None = None,
        *positional: Any,
        **ignored: Any,
    ) -> None:
        if not isinstance(name, str) or not name.strip():
            raise InvalidInputError("name", f"must be a str that is not empty, got {name!r}")
        self._name = name
        self._type = type
        self.description = description
        self.metadata = dict(metadata or {})
        self.aliases: list[str] = []
        self.tags: list[str] = []
        self._contents: dict[str, NamedFile | ArtifactFile] = {}
        self._find: FindVersion | None = None
        # The files of the version that was logged; None without one.
        self._logged: list[ArtifactFile] | None = None

    @classmethod
    def _of_version(cls, source: Source, record: ArtifactVersion) -> Self:
        """Make an artifact of a stored version."""
        artifact = cls(record.name, record.type or None)
        artifact._adopt(source, record)
        return artifact

    @property
    def name(self) -> str:
        """The name of the artifact, without the version."""
        return self._name

    @property
    def type(self) -> str | None:
        """The type of the artifact, such as "model"; None without one."""
        return self._type

    @property
    def ttl(self) -> timedelta | None:
        """Always None: versions are kept until they are deleted. Setting it warns once."""
        return None

    @ttl.setter
    def ttl(self, value: Any) -> None:
        if value is not None and value is not ArtifactTTL.INHERIT:
            warn_ignored("Artifact.ttl")

    def add_file(
        self,
        local_path: str | os.PathLike[str],
        name: str | None = None,
        *positional: Any,
        **ignored: Any,
    ) -> None:
        """Add a file. It is read when the artifact is logged.

        Args:
            local_path: the path of the file.
            name: its name in the artifact; default the name of the file. A file of the same name
                that was added before is replaced.
            positional, ignored: further arguments of wandb, which are ignored.

        Raises:
            InvalidInputError: the file does not exist, or the artifact is a stored version.
        """
        path = _existing(local_path)
        if not path.is_file():
            raise InvalidInputError("local_path", f"{str(path)!r} is not a file")
        self._add(NamedFile(name or path.name, path))

    def add_dir(
        self,
        local_path: str | os.PathLike[str],
        name: str | None = None,
        *positional: Any,
        **ignored: Any,
    ) -> None:
        """Add all files of a folder and its subfolders, named by their paths relative to it.

        Links to folders are followed, except to a folder that the link is in.

        Args:
            local_path: the path of the folder.
            name: a folder of the artifact to put them in; default its root.
            positional, ignored: further arguments of wandb, which are ignored.

        Raises:
            InvalidInputError: the folder does not exist, or the artifact is a stored version.
            OSError: a folder cannot be read.
        """
        folder = _existing(local_path)
        if not folder.is_dir():
            raise InvalidInputError("local_path", f"{str(folder)!r} is not a folder")
        for file in files_in(folder):
            self._add(NamedFile((Path(name or "") / file.name).as_posix(), file.path))

    @contextmanager
    def new_file(
        self,
        name: str,
        mode: str = "w",
        encoding: str | None = None,
        *positional: Any,
        **ignored: Any,
    ) -> Iterator[IO[Any]]:
        """Open a temporary file for writing in a `with` block, and add it at the end of the block.

        Args:
            name: its name in the artifact.
            mode: as for `open`.
            encoding: as for `open`; default UTF-8 in text mode.
            positional, ignored: further arguments of wandb, which are ignored.

        Returns:
            A context manager that gives the open file.
        """
        path = self._temporary(Path(name).name)
        with path.open(mode, encoding=encoding or (None if "b" in mode else "utf-8")) as file:
            yield file
        self._add(NamedFile(name, path))

    def add(self, obj: Any, name: str, overwrite: bool = False) -> None:
        """Add a `Table`, an `Image` or other media, as a file whose suffix tells what it is.

        `get` returns it. Media in the cells of a table become files of the artifact, too.

        Args:
            obj: the object.
            name: the name of the file, with or without its suffix.
            overwrite: accepted for scripts written for wandb; a file of the same name is replaced.

        Raises:
            TypeError: the object is not a table and not media.
        """
        # Imported here: few artifacts have media.
        import shutil

        from trackai.sdk.artifact_media import media_files

        for file_name, media in media_files(obj, name):
            path = self._temporary("media")
            with media.open() as source, path.open("wb") as file:
                shutil.copyfileobj(source, file)
            self._add(NamedFile(file_name, path))

    def __setitem__(self, name: str, obj: Any) -> None:
        self.add(obj, name)

    def get(self, name: str) -> Any:
        """Return the `Table` or media that was added under a name.

        Returns:
            The object; None if the artifact has none of this name. A cell that was media is a
            dict with the keys "file" and "name": the file "<file>/<name>" of the artifact.
        """
        from trackai.sdk.artifact_media import load_media

        return load_media(self, name)

    __getitem__ = get

    def add_reference(
        self,
        uri: str,
        name: str | None = None,
        checksum: bool = True,
        max_objects: int | None = None,
    ) -> None:
        """Add a file that is kept elsewhere. Only its URI is stored; it is not read.

        Args:
            uri: the URI, such as "s3://bucket/data.csv".
            name: the name in the artifact; default the last part of the URI.
            checksum: accepted for scripts written for wandb, and ignored.
            max_objects: likewise.

        Raises:
            InvalidInputError: it is not a URI, or the name is missing.
        """
        if not isinstance(uri, str) or not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", uri):
            raise InvalidInputError("uri", f"must be a URI such as s3://bucket/key, got {uri!r}")
        last = re.split(r"[?#]", uri.partition("://")[2])[0].rstrip("/").rpartition("/")[2]
        refuse("name", file_problem(name or last))
        self._add(ArtifactFile(name=name or last, reference=checked_text("uri", uri)))

    def remove(self, item: str | os.PathLike[str] | ArtifactEntry) -> None:
        """Remove a file that was added, or all files of a folder of the artifact.

        Raises:
            NotFoundError: it does not exist.
        """
        self._check_is_draft()
        name = item.path if isinstance(item, ArtifactEntry) else Path(item).as_posix()
        names = [each for each in self._contents if each == name or each.startswith(f"{name}/")]
        if not names:
            raise NotFoundError(f"artifact {self.name!r} has no file {name!r}")
        for each in names:
            del self._contents[each]

    def link(self, target_path: str, aliases: Sequence[str] | str | None = None) -> Artifact:
        """Give the contents a further name, in the active run; see `Run.link_artifact`.

        Args:
            target_path: the name.
            aliases: names of the linked version such as "production".

        Raises:
            NoActiveRunError: no run is active.
        """
        return self._link(self, target_path, aliases)

    def new_draft(self) -> Artifact:
        """Return an artifact with the same files, to change it and to log it as a new version."""
        source, record = self._stored()
        draft = Artifact(self.name, self.type, self.description, self.metadata)
        draft._contents = {file.name: file for file in source.artifact_files(record.id)}
        return draft

    def files(self, names: Sequence[str] | None = None) -> list[ArtifactEntry]:
        """Return the files, sorted by name: those that were added, or those of the version.

        Args:
            names: only the files with these names.
        """
        if self._record is not None:
            return super().files(names)
        return [
            _draft_entry(self, file)
            for name, file in sorted(self._contents.items())
            if names is None or name in names
        ]

    def is_draft(self) -> bool:
        """Whether the artifact has not been logged."""
        return self._record is None and self._find is None

    def wait(self, timeout: float | None = None) -> Self:
        """Wait until the logged artifact is stored, so that its version is known.

        If that takes longer, a warning says why, and `version` is None.

        Args:
            timeout: seconds; default at most ten minutes, and half a minute if the server does not
                answer.

        Returns:
            The artifact.

        Raises:
            InvalidInputError: the artifact has not been logged.
        """
        if self.is_draft():
            raise InvalidInputError("artifact", f"{self.name!r} has not been logged")
        if self._record is None and self._find is not None:
            stored = self._find(self, timeout)
            if stored is not None:
                self._adopt(*stored)
        return self

    @property
    def digest(self) -> str | None:
        """The digest of the names and contents of all files; None if it has not been logged."""
        if self._record is not None or self._logged is None:
            return super().digest
        return digest((file.name, file.reference or file.sha256) for file in self._logged)

    def _note_logged(self, files: list[ArtifactFile] | None, find: FindVersion) -> None:
        """Note that the artifact was logged with these files; `find` finds its version."""
        self._source = self._record = None
        self._logged, self._find = files, find

    def _files_to_link(self) -> list[ArtifactFile]:
        if self._record is not None:
            return super()._files_to_link()
        if self._logged is None:
            raise InvalidInputError("artifact", f"{self.name!r} has no version to link")
        return self._logged

    def _add(self, file: NamedFile | ArtifactFile) -> None:
        self._check_is_draft()
        self._contents[file.name] = file

    def _check_is_draft(self) -> None:
        if self._record is not None and not self._contents:
            raise InvalidInputError(
                "artifact",
                f"{self.source_name} is stored and does not change: use new_draft() for a new one",
            )

    def _temporary(self, name: str) -> Path:
        # Imported here: few artifacts have contents that are made here.
        import shutil
        import tempfile

        folder = tempfile.mkdtemp(prefix="trackai-artifact-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder, name)


def _draft_entry(artifact: Artifact, file: NamedFile | ArtifactFile) -> ArtifactEntry:
    if isinstance(file, ArtifactFile):
        return ArtifactEntry(artifact, file.name, file.size, file.sha256, file.reference)
    size = file.path.stat().st_size if file.path.is_file() else None
    return ArtifactEntry(artifact, file.name, size, None, None)


def check_names(artifact: Artifact) -> None:
    """Check the names of the files of an artifact as a whole.

    Raises:
        InvalidInputError: a name leads out of the artifact, or is that of a folder of another file.
    """
    names = artifact._contents.keys()
    for name in names:
        refuse(f"file {name[:80]!r}", file_problem(name))
        for parent in Path(name).parents:
            if parent.as_posix() in names:
                raise InvalidInputError(
                    f"file {name[:80]!r}", f"{parent.as_posix()!r} cannot be a file and a folder"
                )


def files_in(folder: Path) -> list[NamedFile]:
    """List the files of a folder and its subfolders, named by their paths relative to it.

    Links to folders are followed, except to a folder that the link is in.

    Raises:
        OSError: a folder cannot be read.
    """
    return [
        NamedFile(path.relative_to(folder).as_posix(), path)
        for path in sorted(_files_below(folder, ()))
    ]


def _files_below(folder: Path, parents: tuple[Path, ...]) -> Iterator[Path]:
    place = folder.resolve()
    if place in parents:
        return
    for path in folder.iterdir():
        if path.is_dir():
            yield from _files_below(path, (*parents, place))
        elif path.is_file():
            yield path


def as_artifact(
    artifact_or_path: Artifact | str | os.PathLike[str],
    name: str | None,
    type: str | None,  # noqa: A002
) -> Artifact:
    """Return an artifact as is, or make one of a file or a folder.

    Args:
        name: for a path; default the name of the file or folder.
        type: for a path.

    Raises:
        InvalidInputError: the path does not exist, or the artifact has no files.
    """
    if isinstance(artifact_or_path, Artifact):
        artifact = artifact_or_path
    else:
        path = _existing(artifact_or_path)
        artifact = Artifact(name or path.name, type)
        if path.is_dir():
            artifact.add_dir(path)
        else:
            artifact.add_file(path)
    if not artifact._contents:
        raise InvalidInputError("artifact", f"{artifact.name!r} has no files")
    return artifact


def empty_artifact(
    artifact_or_path: Any,
    name: Any,
    type: str | None,  # noqa: A002
) -> Artifact:
    """Return an artifact as is, or one without files for a path."""
    if isinstance(artifact_or_path, Artifact):
        return artifact_or_path
    return Artifact(str(name or artifact_or_path).strip() or "artifact", type)


def matching_files(
    pattern: str | os.PathLike[str], base: str | os.PathLike[str] | None, *, is_pattern: bool = True
) -> list[NamedFile]:
    """List the files that match a glob pattern, named by their paths relative to a folder.

    Args:
        pattern: a path or a glob pattern.
        base: the folder; default the working directory. Files elsewhere are named without folders.
        is_pattern: False if it is a path.

    Raises:
        InvalidInputError: no file matches.
    """
    text = os.fspath(pattern) if is_pattern else glob.escape(os.fspath(pattern))
    matches = map(Path, sorted(glob.glob(text, recursive=True)))  # noqa: PTH207
    files = [path for path in matches if path.is_file()]
    if not files:
        raise InvalidInputError("glob_str", f"no file matches {os.fspath(pattern)!r}")
    root = Path(base or ".").resolve()
    return [NamedFile(_relative_name(path.resolve(), root) or path.name, path) for path in files]


def _relative_name(path: Path, root: Path) -> str | None:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else None


def _existing(path: str | os.PathLike[str]) -> Path:
    existing = Path(path)
    if not existing.exists():
        raise InvalidInputError("path", f"{str(existing)!r} not found")
    return existing
