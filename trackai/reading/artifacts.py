"""A stored version of an artifact, as `trackai.Api` returns it."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trackai.errors import InvalidInputError, NotFoundError
from trackai.reading import downloads
from trackai.reading.source import Source  # noqa: TC001 - for get_type_hints
from trackai.reading.stored_run import StoredRun, project_name, run_url
from trackai.structs.records import ArtifactVersion  # noqa: TC001 - for get_type_hints
from trackai.values.artifact_names import LATEST
from trackai.values.logger import logger
from trackai.values.text import escaped

if TYPE_CHECKING:
    from trackai.structs.records import ArtifactFile

_NOT_IN_FOLDERS = r"[^\w.+-]+"  # compiled when it is used


class ArtifactEntry:
    """A file of an artifact.

    Attributes:
        artifact: the artifact.
        path: the name of the file in the artifact.
        size: its number of bytes; None if it is kept elsewhere.
        digest: the SHA-256 of its bytes in hex; None if it is kept elsewhere.
        ref: the URI of a file that is kept elsewhere, or None.
    """

    def __init__(
        self,
        artifact: StoredArtifact,
        path: str,
        size: int | None,
        digest: str | None,
        ref: str | None,
    ) -> None:
        self.artifact = artifact
        self.path = path
        self.size = size
        self.digest = digest
        self.ref = ref

    @property
    def name(self) -> str:
        """Another name of `path`."""
        return self.path

    def download(self, root: str | os.PathLike[str] | None = None) -> str:
        """Write the file to a folder, unless an equal file is there.

        Args:
            root: the folder; default that of `Artifact.download`.

        Returns:
            The path of the file.

        Raises:
            InvalidInputError: the file is kept elsewhere, or its name leads out of the folder.
            NotFoundError: its bytes are not stored.
            StoreDamagedError: the stored bytes are damaged.
        """
        return self.artifact._write_file(self, root)

    def __repr__(self) -> str:
        return escaped(f"<ArtifactEntry {self.path} of {self.artifact!r}>")

    def parent_artifact(self) -> StoredArtifact:
        """Return the artifact."""
        return self.artifact

    def ref_target(self) -> str:
        """Return the URI of a file that is kept elsewhere.

        Raises:
            InvalidInputError: it is kept here.
        """
        if self.ref is None:
            raise InvalidInputError("name", f"{self.path!r} is not a reference")
        return self.ref


class StoredArtifact:
    """A version of an artifact. Returned by `Api.artifact`.

    The properties are those of the moment when it was read.

    Attributes:
        aliases: the aliases, sorted; "latest" is that of the version logged last. Change the list,
            and call `save`.
        description: a text, or None; likewise.
        metadata: a dict; likewise.
        tags: the tags of the version, which can only be set when it is logged.

    Example:
        model = trackai.Api().artifact("digits/model:best")
        folder = model.download()
    """

    _source: Source | None = None
    _record: ArtifactVersion | None = None

    def __init__(self, source: Source, record: ArtifactVersion) -> None:
        self._adopt(source, record)

    def _adopt(self, source: Source, record: ArtifactVersion) -> None:
        """Become the stored version."""
        self._source, self._record = source, record
        self.description = record.description
        self.metadata = dict(record.metadata)
        self.aliases = list(record.aliases)
        self.tags = list(record.tags)

    def _stored(self) -> tuple[Source, ArtifactVersion]:
        """Where the version is stored, and what it is.

        Raises:
            NotFoundError: it has not been stored yet.
        """
        if self._source is None or self._record is None:
            raise NotFoundError("this artifact is not stored yet: log it, and call wait()")
        return self._source, self._record

    @property
    def name(self) -> str:
        """The name of the artifact, without the version."""
        return self._stored()[1].name

    @property
    def type(self) -> str | None:
        """The type of the artifact, such as "model"; None without one."""
        return self._stored()[1].type or None

    @property
    def version(self) -> str | None:
        """The version, such as "v3"; None if it is not known."""
        return None if self._record is None else f"v{self._record.version}"

    @property
    def id(self) -> int | None:
        """The number of the version in the database; None if it is not known."""
        return None if self._record is None else self._record.id

    @property
    def project(self) -> str | None:
        """The name of the project; None if it is not known."""
        return None if self._record is None else self._record.project

    @property
    def digest(self) -> str | None:
        """The digest of the names and contents of all files; None if it is not known."""
        return None if self._record is None else self._record.digest

    manifest_digest = digest

    @property
    def size(self) -> int | None:
        """The number of bytes of all files; None if it is not known."""
        return None if self._record is None else self._record.size

    @property
    def file_count(self) -> int:
        """The number of files."""
        return self._stored()[1].files

    @property
    def created_at(self) -> datetime:
        """When the version was logged first, a datetime in UTC."""
        return self._stored()[1].created_at

    @property
    def source_name(self) -> str:
        """The name with the version: "model:v3"."""
        return f"{self.name}:{self.version}"

    @property
    def qualified_name(self) -> str:
        """The name with the project and the version: "digits/model:v3"."""
        return f"{self._stored()[1].project}/{self.source_name}"

    @property
    def url(self) -> str | None:
        """The address of the run that logged the version first, in the dashboard; None without one.

        The page of the run lists the artifact.
        """
        if self._source is None or self._record is None or self._record.run_id is None:
            return None
        return run_url(self._source, self._record.run_id)

    @property
    def manifest(self) -> list[dict[str, Any]]:
        """The files as dicts: path, size and digest, and ref if a file is kept elsewhere."""
        return [
            {"path": entry.path, "size": entry.size, "digest": entry.digest}
            | ({} if entry.ref is None else {"ref": entry.ref})
            for entry in self.files()
        ]

    def files(self, names: Sequence[str] | None = None) -> list[ArtifactEntry]:
        """Return the files, sorted by name.

        Args:
            names: only the files with these names.
        """
        source, record = self._stored()
        chosen = None if names is None else set(names)
        return [
            _entry(self, file)
            for file in source.artifact_files(record.id)
            if chosen is None or file.name in chosen
        ]

    def get_entry(self, name: str | os.PathLike[str]) -> ArtifactEntry:
        """Return the file with a name.

        Raises:
            NotFoundError: it does not exist.
        """
        posix_name = Path(name).as_posix()
        for entry in self.files([posix_name]):
            return entry
        raise NotFoundError(f"artifact {self.source_name} has no file {posix_name!r}")

    get_path = get_entry

    def download(
        self,
        root: str | os.PathLike[str] | None = None,
        allow_missing_references: bool = False,
        skip_cache: bool | None = None,
        path_prefix: str | os.PathLike[str] | None = None,
        multipart: bool | None = None,
    ) -> str:
        """Write the files to a folder. Files that are there and equal are not written again.

        Every file is checked against its SHA-256, and appears only once it is complete. Files of
        the folder that are not of the artifact remain. References are not fetched; a warning names
        them.

        Args:
            root: the folder; default "artifacts/<name>-<version>" in the working directory.
            path_prefix: only files whose names begin with this.
            allow_missing_references: accepted for scripts written for wandb, and ignored.
            skip_cache: likewise.
            multipart: likewise.

        Returns:
            The path of the folder.

        Raises:
            NotFoundError: the version or the bytes of a file have been deleted.
            InvalidInputError: the name of a file leads out of the folder.
            StoreDamagedError: the stored bytes of a file are damaged.
            OSError: a file cannot be written.
        """
        folder = self._folder(root)
        prefix = "" if path_prefix is None else os.fspath(path_prefix)
        references = []
        for entry in self.files():
            if not entry.path.startswith(prefix):
                continue
            if entry.ref is not None:
                references.append(f"{entry.path} ({entry.ref})")
            else:
                self._write_file(entry, folder)
        if references:
            logger.warning(
                "artifact %s: files that are kept elsewhere are not downloaded: %s",
                self.source_name, ", ".join(references),
            )  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        return str(folder)

    def file(self, root: str | os.PathLike[str] | None = None) -> str:
        """Write the only file of the artifact to a folder, and return its path.

        Args:
            root: the folder; default that of `download`.

        Raises:
            InvalidInputError: the artifact has several files.
        """
        entries = self.files()
        if len(entries) != 1:
            raise InvalidInputError(
                "file", f"{self.source_name} has {len(entries)} files: use download()"
            )
        return entries[0].download(root)

    def verify(self, root: str | os.PathLike[str] | None = None) -> None:
        """Check that a folder has the files of the artifact, and no others.

        Args:
            root: the folder; default that of `download`.

        Raises:
            ValueError: a file is missing, differs, or is not of the artifact.
        """
        folder = self._folder(root)
        expected = {entry.path: entry for entry in self.files()}
        present = {
            path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
        }
        for name in sorted(present - expected.keys()):
            raise ValueError(f"{folder / name} is not a file of artifact {self.source_name}")
        for name, entry in expected.items():
            if entry.digest is not None and not downloads.is_equal(folder / name, entry.digest):
                raise ValueError(f"{folder / name} is not that of artifact {self.source_name}")

    def save(self) -> None:
        """Store the changes of `aliases`, `description` and `metadata`.

        An alias that another version has moves to this one. "latest" stays where it is.
        Changed tags are not stored; a warning says so.

        Raises:
            InvalidInputError: an alias is not allowed, or the metadata is not JSON.
            NotFoundError: the version has been deleted.
        """
        source, record = self._stored()
        if set(self.tags) != set(record.tags):
            logger.warning(
                "artifact %s: changed tags are not stored; pass tags to log_artifact()",
                self.source_name,
            )
        changed = source.change_artifact(
            record.id,
            add=[alias for alias in self.aliases if alias not in {LATEST, *record.aliases}],
            remove=[alias for alias in record.aliases if alias not in {LATEST, *self.aliases}],
            description=self.description,
            metadata=self.metadata,
        )
        self._adopt(source, changed)

    def logged_by(self) -> StoredRun | None:
        """Return the run that logged the version first; None if it is not here."""
        source, record = self._stored()
        return None if record.run_id is None else _run(source, record.run_id)

    def used_by(self) -> list[StoredRun]:
        """Return the runs that have used the version."""
        source, record = self._stored()
        return [_run(source, run_id) for run_id in record.used_by]

    def wait(self, timeout: float | None = None) -> StoredArtifact:
        """Return the artifact, which is stored."""
        return self

    def is_draft(self) -> bool:
        """Whether the artifact has not been logged."""
        return False

    def link(self, target_path: str, aliases: Sequence[str] | str | None = None) -> StoredArtifact:
        """Refuse: a run links artifacts, see `Run.link_artifact`."""
        raise InvalidInputError(
            "link", "a run links artifacts: call run.link_artifact(artifact, target_path)"
        )

    def _write_file(self, entry: ArtifactEntry, root: str | os.PathLike[str] | None) -> str:
        """Write a file of the artifact. See `ArtifactEntry.download`."""
        source, record = self._stored()
        if entry.ref is not None:
            raise InvalidInputError(
                f"file {entry.path!r}", f"is a reference, and not downloaded: {entry.ref}"
            )
        if entry.digest is None:
            raise NotFoundError(f"contents of {entry.path!r} of {self.source_name} not found")
        open_bytes = partial(source.artifact_bytes, record.id, entry.path, entry.digest)
        return str(downloads.write(self._folder(root), entry.path, entry.digest, open_bytes))

    def _files_to_link(self) -> list[ArtifactFile]:
        source, record = self._stored()
        return source.artifact_files(record.id)

    def _folder(self, root: str | os.PathLike[str] | None) -> Path:
        if root is not None:
            return Path(root)
        name = re.sub(_NOT_IN_FOLDERS, "-", self.name)
        return Path("artifacts") / f"{name}-{self.version}"

    def __repr__(self) -> str:
        if self._record is None:
            return escaped(f"<Artifact {self.name}>")
        return escaped(f"<Artifact {self.qualified_name}>")


def _entry(artifact: StoredArtifact, file: ArtifactFile) -> ArtifactEntry:
    return ArtifactEntry(artifact, file.name, file.size, file.sha256, file.reference)


def _run(source: Source, run_id: int) -> StoredRun:
    record = source.run(run_id)
    return StoredRun(source, record, project_name(source, record))
