"""The calls of a run about artifacts: to log, to use and to link them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from time import time_ns
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.errors import InvalidInputError, TrackAIError
from trackai.ingest.frames import Used
from trackai.reading.artifacts import StoredArtifact
from trackai.sdk import artifacts, late_calls
from trackai.sdk.artifacts import Artifact
from trackai.sdk.builtin_values import jsonable
from trackai.sdk.call_log import CallLog
from trackai.sdk.ignored_calls import warn_ignored_arguments
from trackai.sdk.labels import checked_tags
from trackai.sdk.place import Place  # noqa: TC001 - for get_type_hints
from trackai.values.artifact_names import LATEST, alias_problem
from trackai.values.logger import logger
from trackai.values.names import refuse
from trackai.values.nesting import MAX_LEVELS, is_deeper
from trackai.values.text import checked_text

if TYPE_CHECKING:
    from trackai.reading.source import Source
    from trackai.structs.records import ArtifactVersion

# How long `Artifact.wait` waits, in seconds: at most, and for a server that does not answer.
_LONGEST_WAIT = 600.0
_SILENT_WAIT = 30.0
_POLL_SECONDS = 0.1
_MODEL = "model"


class ArtifactCalls(CallLog):
    """Logs, uses and links artifacts. A base class of `Run`."""

    project: str
    run_id: str
    _place: Place
    _background: Any
    _store_now: Callable[[float], bool]

    def log_artifact(
        self,
        artifact_or_path: Artifact | str | os.PathLike[str],
        name: str | None = None,
        type: str | None = None,  # noqa: A002 - trackio and wandb call it that
        aliases: Sequence[str] | str | None = None,
        tags: Sequence[str] | str | None = None,
        *,
        overwrite: bool | None = None,
    ) -> Artifact:
        """Store an artifact as its files are now. They are also files of the run.

        If the contents are new, they become the next version: v0, v1 and so on. Contents that the
        artifact has had before are the same version. Either is "latest" from now on.

        Args:
            artifact_or_path: an `Artifact`, or the path of a file or folder to make one of.
            name: the name of the artifact made of a path; default the name of the file or folder.
            type: its type, such as "model".
            aliases: names of the version such as "best"; the former version loses them.
            tags: tags of the version.
            overwrite: accepted for scripts written for trackio, and ignored with a warning.

        Returns:
            The artifact; its version is known after `Artifact.wait`. Files that cannot be stored
            are left out with a warning, and no version is stored.

        Raises:
            NoActiveRunError: the run is finished.

        Example:
            model = run.log_artifact("checkpoints/last", name="digits", type="model")
            print(model.wait().version)
        """
        warn_ignored_arguments("log_artifact", {"overwrite": overwrite or None})
        artifact = artifacts.empty_artifact(artifact_or_path, name, type)
        with self._left_out.errors_of(f"artifact {artifact.name[:80]!r}"):
            artifact = artifacts.as_artifact(artifact_or_path, name, type)
            self._log_version(artifact, aliases, tags)
        return artifact

    def use_artifact(
        self,
        artifact_or_name: StoredArtifact | str,
        type: str | None = None,  # noqa: A002 - trackio and wandb call it that
        aliases: Sequence[str] | str | None = None,
        use_as: str | None = None,
    ) -> Artifact:
        """Read a version of an artifact, and record that the run uses it.

        Args:
            artifact_or_name: "name:alias", "name:v3" or "name" for the latest version, of the
                project of the run or with "project/" before it; or an artifact. One that has not
                been logged is logged first.
            type: only artifacts of this type.
            aliases: names to give to the version.
            use_as: accepted for scripts written for wandb, and ignored.

        Returns:
            The version. Its files are on `Artifact.download`.

        Raises:
            NotFoundError: it does not exist.
            InvalidInputError: there are several; they are listed.
            NoActiveRunError: the run is finished.
            TrackAIError: the database cannot be read, or the server does not answer.

        Example:
            folder = run.use_artifact("digits:best").download()
        """
        if self._finished:
            late_calls.refuse(late_calls.FINISHED)
        if isinstance(artifact_or_name, Artifact) and artifact_or_name.version is None:
            artifact = artifact_or_name
            if artifact.is_draft():
                self.log_artifact(artifact, aliases=aliases)
            artifact.wait()
        elif isinstance(artifact_or_name, StoredArtifact):
            artifact = Artifact._of_version(*artifact_or_name._stored())
        else:
            self._store_now(_POLL_SECONDS * 20)  # what this run has logged itself
            source = self._place.source()
            record = source.artifact(artifact_or_name, self.project, type)
            artifact = Artifact._of_version(source, record)
        if type is not None and artifact.type != type:
            raise InvalidInputError("type", f"{artifact.name!r} has the type {artifact.type!r}")
        if artifact.version is None:  # the server does not answer; a warning says so
            return artifact
        _, record = artifact._stored()
        self._append_record(
            Used(record.project, record.type, record.name, record.version, time_ns() // 1000)
        )
        if aliases and set(self._checked_aliases(aliases)) - {*record.aliases}:
            artifact.aliases += self._checked_aliases(aliases)
            artifact.save()
        return artifact

    def log_model(
        self,
        path: str | os.PathLike[str],
        name: str | None = None,
        aliases: Sequence[str] | str | None = None,
    ) -> Artifact:
        """Store a file or folder as an artifact of the type "model". See `log_artifact`.

        Args:
            path: the file or folder.
            name: the name of the artifact; default "run-<run_id>-<name of the file>".
            aliases: names of the version such as "best".

        Raises:
            NoActiveRunError: the run is finished.
        """
        name = name or f"run-{self.run_id}-{Path(path).name}"
        return self.log_artifact(path, name=name, type=_MODEL, aliases=aliases)

    def use_model(self, name: str) -> str:
        """Write the files of a model to the folder "artifacts/<name>-<version>".

        Args:
            name: as for `use_artifact`, which records the use.

        Returns:
            The path of the folder, or of the file if there is only one.

        Raises:
            InvalidInputError: the type of the artifact does not contain "model".
            TrackAIError: as for `use_artifact` and `Artifact.download`.
        """
        artifact = self.use_artifact(name)
        if _MODEL not in (artifact.type or "").lower():
            raise InvalidInputError(
                "name", f"{name!r} must be a model, and has the type {artifact.type!r}"
            )
        folder = artifact.download()
        entries = artifact.files()
        return str(Path(folder, entries[0].path)) if len(entries) == 1 else folder

    def link_artifact(
        self,
        artifact: StoredArtifact,
        target_path: str,
        aliases: Sequence[str] | str | None = None,
    ) -> Artifact:
        """Give the contents of an artifact a further name in the project of the run.

        The name has versions and aliases of its own; the bytes are shared. Linking contents that
        it has already only gives them the aliases.

        Args:
            artifact: an artifact; one that has not been logged is logged first.
            target_path: the name. The registry or project of wandb or trackio before it, as in
                "wandb-registry-models/digits", is dropped.
            aliases: names of the linked version such as "production".

        Returns:
            The artifact under its further name.

        Raises:
            NoActiveRunError: the run is finished.
        """
        target = Artifact(target_path.rpartition("/")[2] or target_path, artifact.type)
        with self._left_out.errors_of(f"artifact {target.name[:80]!r}"):
            if isinstance(artifact, Artifact) and artifact.is_draft():
                self.log_artifact(artifact)
            contents = artifact._files_to_link()
            target.description, target.metadata = artifact.description, artifact.metadata
            target._contents = {file.name: file for file in contents}
            self._log_version(target, aliases, None)
        return target

    def link_model(
        self,
        path: str | os.PathLike[str],
        registered_model_name: str,
        name: str | None = None,
        aliases: Sequence[str] | str | None = None,
    ) -> Artifact:
        """Store a model, and link it under the name of a registered model.

        Args:
            path: the file or folder.
            registered_model_name: see `link_artifact`.
            name: the name of the artifact, as for `log_model`.
            aliases: names of the linked version such as "production".

        Returns:
            The artifact under its registered name.

        Raises:
            NoActiveRunError: the run is finished.
        """
        return self.link_artifact(self.log_model(path, name), registered_model_name, aliases)

    def _log_version(self, artifact: Artifact, aliases: Any, tags: Any) -> None:
        checked_aliases = self._checked_aliases(aliases)
        checked: tuple[str, ...] = ()
        with self._left_out.errors_of("tags"):
            checked = checked_tags(tags or ())
        if artifact.is_draft():  # a version that is logged again may have lost its aliases and tags
            checked_aliases += self._checked_aliases(artifact.aliases)
            with self._left_out.errors_of("tags"):
                checked += checked_tags(artifact.tags)
        files = self._files.save_artifact(
            artifact,
            list(dict.fromkeys(checked_aliases)),
            tuple(dict.fromkeys(checked)),
            self._described(artifact),
            self._left_out,
        )
        artifact._note_logged(files, self._find_version)

    def _checked_aliases(self, aliases: Any) -> list[str]:
        """The aliases without "latest", which needs none, and without those that are invalid."""
        checked: list[str] = []
        with self._left_out.errors_of("aliases"):
            for alias in (aliases,) if isinstance(aliases, str) else aliases or ():
                with self._left_out.errors_of(f"alias {alias!r}"):
                    if not isinstance(alias, str):
                        raise TypeError(f"alias: must be a str, got {alias!r}")
                    refuse(f"alias {alias!r}", alias_problem(checked_text("alias", alias)))
                    if alias != LATEST:
                        checked.append(alias)
        return list(dict.fromkeys(checked))

    def _described(self, artifact: Artifact) -> tuple[str | None, str | None]:
        """The description and the metadata of an artifact as JSON; None for none."""
        description = metadata = None
        with self._left_out.errors_of(f"description of artifact {artifact.name!r}"):
            if artifact.description:
                description = checked_text("description", str(artifact.description))
        with self._left_out.errors_of(f"metadata of artifact {artifact.name!r}"):
            if is_deeper(artifact.metadata, MAX_LEVELS):
                raise InvalidInputError("metadata", f"must have at most {MAX_LEVELS} levels")
            if artifact.metadata:
                text = msgspec.json.encode(jsonable(artifact.metadata))
                metadata = checked_text("metadata", text.decode())
        return description, metadata

    def _find_version(
        self, artifact: Artifact, timeout: float | None
    ) -> tuple[Source, ArtifactVersion] | None:
        """Wait until an artifact that was logged is stored; None if that takes too long."""
        if artifact.digest is None:  # a warning has said why
            return None
        began = time.monotonic()
        deadline = began + (_LONGEST_WAIT if timeout is None else timeout)
        problem: object = "it is not stored"
        while True:
            is_stored = self._store_now(max(deadline - time.monotonic(), _POLL_SECONDS))
            try:
                if is_stored or self._background is None:
                    source = self._place.source()
                    if record := self._look_up(source, artifact):
                        return source, record
            except TrackAIError as error:
                problem = error
            is_late = timeout is None and time.monotonic() > began + _SILENT_WAIT
            if time.monotonic() > deadline or is_stored or is_late:
                logger.warning(
                    "the version of artifact %r is not known: %s", artifact.name, problem
                )
                return None
            time.sleep(_POLL_SECONDS)

    def _look_up(self, source: Source, artifact: Artifact) -> ArtifactVersion | None:
        for project in source.projects():
            if project.name == self.project:
                for version in source.artifacts(
                    project.id, type_=artifact.type or "", name=artifact.name,
                    digest=artifact.digest,
                ):  # fmt: skip
                    return version
        return None
