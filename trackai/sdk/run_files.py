"""The files of a run that is being logged: saved files, artifacts, media, and its folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol

from trackai.errors import InvalidInputError, NoActiveRunError
from trackai.ingest.frames import Filed, Versioned
from trackai.ingest.journal import BYTES, raise_if_foreign
from trackai.sdk import artifacts, late_calls
from trackai.sdk.logged_values import name_error, named
from trackai.structs.records import ArtifactFile
from trackai.values.logger import logger
from trackai.values.names import path_problem
from trackai.values.text import checked_text, without_surrogates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from trackai.ingest.journal import Kept
    from trackai.sdk.artifacts import Artifact, NamedFile
    from trackai.sdk.left_out import LeftOut
    from trackai.sdk.media import Files, Media
    from trackai.values.types import FileKind


class AppendFile(Protocol):
    """Append the record of a file, whose bytes are stored already, to the journal."""

    def __call__(
        self, path: str, kind: FileKind, name: str, source: str, content: Kept
    ) -> None: ...


class AppendArtifact(Protocol):
    """Append the records of the files of an artifact, under each path, and of its version."""

    def __call__(
        self, files: Sequence[Filed], paths: Sequence[str], version: Versioned | None
    ) -> None: ...


class StoredMedia(NamedTuple):
    """An image, table or other media whose bytes are stored beside the journal.

    Attributes:
        path: the name under which it is logged.
        number: its index among the media of that name; None for a single one.
    """

    path: str
    number: int | None
    media: Media
    content: Kept


class RunFiles:
    """Stores files of one run: first their bytes beside the journal, then a record in it."""

    def __init__(
        self,
        *,
        is_finished: Callable[[], bool],
        store_bytes: Callable[[Callable[[BinaryIO], object]], Kept],
        append_file: AppendFile,
        append_artifact: AppendArtifact,
    ) -> None:
        """Make the files of a run.

        Args:
            is_finished: whether the run has been finished.
            store_bytes: write a file beside the journal; raises OSError.
            append_file: append the record of a file to the journal.
            append_artifact: append the records of an artifact to the journal.
        """
        self._is_finished = is_finished
        self._store_bytes = store_bytes
        self._append_file = append_file
        self._append_artifact = append_artifact
        self._folder: str | None = None
        self._saved: set[tuple[Path, int, int]] = set()

    def save(self, file: NamedFile) -> None:
        """Store a file under its name."""
        self._saved.add(file.version())
        self._store("file", file.name, file.path.name, file.path)

    def save_artifact(
        self,
        artifact: Artifact,
        aliases: Sequence[str],
        tags: Sequence[str],
        described: tuple[str | None, str | None],
        left_out: LeftOut,
    ) -> list[ArtifactFile] | None:
        """Store the files of an artifact as a version, if all of them can be stored.

        They are also files of the run: under the name of the artifact, and under `name:alias` of
        each alias.

        Args:
            described: the description and the metadata, as JSON.

        Returns:
            The files of the version; None without one.
        """
        if self._is_finished():
            late_calls.refuse(late_calls.FINISHED)
            return None
        artifacts.check_names(artifact)
        path = f"{artifact.type}/{artifact.name}" if artifact.type else artifact.name
        _check_names(path, artifact.name)
        contents = artifact._contents.values()
        stored: list[Filed] = []
        for file in contents:
            with left_out.errors_of(f"file {file.name!r} of artifact {path!r}"):
                filed = self._filed(path, file)
                if filed is not None:
                    stored.append(filed)
        references = {
            file.name: file.reference
            for file in contents
            if isinstance(file, ArtifactFile) and file.reference is not None
        }
        version = None
        if len(stored) + len(references) == len(contents):
            version = Versioned(
                artifact.type or "", artifact.name, stored, references, 0,
                list(aliases), list(tags), *described,
            )  # fmt: skip
        else:
            logger.warning(
                "artifact %r gets no version: not all of its files can be stored", artifact.name
            )
        copied = [filed for filed in stored if filed.source]
        self._append_artifact(copied, [path, *(f"{path}:{alias}" for alias in aliases)], version)
        if version is None:
            return None
        return [
            *(ArtifactFile(name=each.name, size=each.size, sha256=each.sha256) for each in stored),
            *(ArtifactFile(name=name, reference=uri) for name, uri in references.items()),
        ]

    def _filed(self, path: str, file: NamedFile | ArtifactFile) -> Filed | None:
        """Copy a file beside the journal; None if the disk refuses it, or it is kept elsewhere."""
        checked_text("the name of the file", file.name)
        if isinstance(file, ArtifactFile):
            if file.reference is not None:
                return None
            if file.sha256 is None:
                raise InvalidInputError(file.name, "its contents are not stored")
            # Stored already: there is no file of this name beside the journal.
            name = f"{file.sha256}{BYTES}"
            return Filed(
                path, "artifact", file.name, None, 0, "", file.size or 0, file.sha256, name
            )
        content = self._read(file.path, path)
        source = without_surrogates(str(file.path.absolute()))
        if content is None:
            return None
        return Filed(path, "artifact", file.name, None, 0, source, *content)

    def folder(self) -> str:
        """The temporary folder of the run, which is created on the first call."""
        if self._folder is None:
            import tempfile  # here, and `shutil` below: few runs have files

            self._folder = tempfile.mkdtemp(prefix="trackai-run-")
        return self._folder

    def save_folder(self) -> None:
        """Store the files in the folder, if there is one, and remove it."""
        folder, self._folder = self._folder, None
        if folder is None:
            return
        try:
            files = artifacts.files_in(Path(folder))
            # Scripts written for wandb save some of them themselves.
            for file in files:
                if file.version() not in self._saved:
                    self.save(file)
        except (OSError, InvalidInputError, NoActiveRunError) as error:
            logger.warning("could not store the files in %s: %s", folder, error)
        else:
            import shutil

            shutil.rmtree(folder, ignore_errors=True)

    def store_media(self, files: Files, left_out: LeftOut) -> list[StoredMedia]:
        """Store the bytes of the media of one call; what the disk refuses is left out.

        Args:
            left_out: takes the errors about files that cannot be read, and tables that cannot be
                encoded.
        """
        stored: list[StoredMedia] = []
        for path in files:
            with left_out.errors_of(named(path)):
                if error := name_error(path):  # with the name of a column of a table
                    raise error
                stored += self._store_media(path, files)
        return stored

    def _store_media(self, path: str, files: Files) -> Iterator[StoredMedia]:
        for number, media in files[path]:
            try:
                opened = media.open()
            except OSError as error:
                raise _unreadable(path, error) from None
            except (ValueError, RecursionError) as error:  # of a table: text, or an int of any size
                raise InvalidInputError(path, f"cannot be stored: {error}") from None
            with opened as file:
                content = self._copy(file)
            if content is not None:
                yield StoredMedia(path, number, media, content)

    def _store(self, kind: FileKind, path: str, name: str, source: Path) -> None:
        if self._is_finished():
            return late_calls.refuse(
                late_calls.FINISHED
            )  # before a large file is copied for nothing
        _check_names(path, name)
        content = self._read(source, path)
        if content is not None:
            self._append_file(path, kind, name, without_surrogates(str(source.absolute())), content)
        return None

    def _read(self, source: Path, path: str) -> Kept | None:
        try:
            opened = source.open("rb")
        except OSError as error:
            raise_if_foreign(error)
            raise _unreadable(path, error) from None
        with opened as file:
            return self._copy(file)

    def _copy(self, file: BinaryIO) -> Kept | None:
        """Copy a file beside the journal; None, with a warning, if the disk refuses it."""
        import shutil

        try:
            return self._store_bytes(lambda copy: shutil.copyfileobj(file, copy))
        except OSError as error:
            raise_if_foreign(error)
            logger.warning("a logged file could not be stored: %s", error)
            return None


def _check_names(*names: str) -> None:
    for text in names:
        if problem := path_problem(text):
            raise InvalidInputError(f"file {text[:100]!r}", f"the name {problem}")
        checked_text("the name of the file", text)


def _unreadable(path: str, error: OSError) -> InvalidInputError:
    return InvalidInputError(path, f"cannot read its file: {error}")
