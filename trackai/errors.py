"""Exceptions that TrackAI raises.

    TrackAIError
    ├── NoActiveRunError        (also a RuntimeError)
    ├── InvalidInputError       (also a ValueError; names the field)
    ├── NotFoundError           (also a LookupError)
    │   ├── ProjectNotFoundError (also a ValueError)
    │   └── RunNotFoundError    (also a ValueError)
    ├── ConflictError
    ├── MissingExtraError       (also an ImportError)
    ├── PermissionDeniedError
    ├── OverloadedError
    ├── ServerUnreachableError
    ├── ServerRefusedError
    └── StoreError
        ├── StoreUnreachableError
        ├── ForeignDatabaseError
        ├── NewerSchemaError
        ├── StoreBusyError
        ├── DiskFullError
        └── StoreDamagedError

A value of the wrong type raises a plain ``TypeError``. Messages are one line and say what to do
next. An exception with a default message has it as its docstring.
"""

from __future__ import annotations

import copyreg
from typing import Any


class TrackAIError(Exception):
    """Base class of all exceptions that TrackAI raises."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Not by calling the class, whose arguments differ: a pool of worker processes hangs if it
        # cannot unpickle an exception.
        return copyreg.__newobj__, (type(self), *self.args), vars(self)  # type: ignore[attr-defined]


class NoActiveRunError(TrackAIError, RuntimeError):
    """no active run: call trackai.init(project=...) first"""

    def __init__(
        self, message: str = "no active run: call trackai.init(project=...) first"
    ) -> None:
        super().__init__(message)


class InvalidInputError(TrackAIError, ValueError):
    """An argument, query parameter, body field or setting is invalid.

    Attributes:
        field: its name.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field


class NotFoundError(TrackAIError, LookupError):
    """A project, run, metric or file does not exist."""


class ProjectNotFoundError(NotFoundError, ValueError):
    """The project of `Api.runs` does not exist. A ValueError too, as trackio raises one."""


class RunNotFoundError(NotFoundError, ValueError):
    """The run to resume or to fork does not exist. A ValueError too, as trackio raises one."""


class ConflictError(TrackAIError):
    """A name or slug already exists."""


class PermissionDeniedError(TrackAIError):
    """The key of a request does not allow it."""


class MissingExtraError(TrackAIError, ImportError):
    """An optional dependency is not installed; the message has the command that installs it."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an extra package: pip install 'trackai[{extra}]'")


class OverloadedError(TrackAIError):
    """too many requests are waiting to be stored: try again in a moment"""

    def __init__(self) -> None:
        super().__init__("too many requests are waiting to be stored: try again in a moment")


class ServerUnreachableError(TrackAIError):
    """A server does not answer now: it is down, or the network.

    Attributes:
        retry_after: how long it asks to wait, in seconds; None if it says nothing.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ServerRefusedError(TrackAIError):
    """A server refuses a request: the key is wrong, or it is another program or version.

    Attributes:
        status: the HTTP status; None if there was no answer, or not one of TrackAI.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class StoreError(TrackAIError):
    """The database could not complete an operation."""


class StoreUnreachableError(StoreError):
    """The database file cannot be created, opened or written."""


class ForeignDatabaseError(StoreError):
    """The file is not a TrackAI database; it has not been changed."""


class NewerSchemaError(StoreError):
    """A newer version of TrackAI wrote this database; it has not been changed."""


class StoreBusyError(StoreError):
    """Another process has locked the database for too long."""


class DiskFullError(StoreError):
    """The disk of the database, or of its files, has no room for what is to be stored."""


class StoreDamagedError(StoreError):
    """SQLite reports that the database file is damaged."""
