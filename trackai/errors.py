"""Everything TrackAI raises on its own account.

    TrackAIError
    ├── NoActiveRunError        (also a RuntimeError)
    ├── InvalidInputError       (also a ValueError; names the field)
    ├── NotFoundError           (also a LookupError)
    ├── ConflictError
    ├── MissingExtraError       (also an ImportError)
    ├── OverloadedError
    └── StoreError
        ├── StoreUnreachableError
        ├── ForeignDatabaseError
        ├── NewerSchemaError
        ├── StoreBusyError
        └── StoreDamagedError

A value of a wrong type is a plain ``TypeError``, as everywhere in Python. The text of every
exception is one line that says what to do next.
"""

from __future__ import annotations


class TrackAIError(Exception):
    """Anything that TrackAI reports about itself."""


class NoActiveRunError(TrackAIError, RuntimeError):
    """There is no active run: call trackai.init(project=...) first."""

    def __init__(self) -> None:
        super().__init__("there is no active run: call trackai.init(project=...) first")


class InvalidInputError(TrackAIError, ValueError):
    """A value that was handed in does not fit.

    Attributes:
        field: the name of the argument, query parameter or body field.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field


class NotFoundError(TrackAIError, LookupError):
    """A project, run or metric that does not exist."""


class ConflictError(TrackAIError):
    """A name or slug that is taken already."""


class MissingExtraError(TrackAIError, ImportError):
    """A package is needed that is not installed; the message has the command that does."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs a further package: pip install 'trackai[{extra}]'")


class OverloadedError(TrackAIError):
    """More is coming in than can be stored: send it again in a moment."""

    def __init__(self) -> None:
        super().__init__("more is coming in than can be stored: send it again in a moment")


class StoreError(TrackAIError):
    """The database could not do what it was asked for."""


class StoreUnreachableError(StoreError):
    """The database file cannot be created, opened or written where it should be."""


class ForeignDatabaseError(StoreError):
    """The file is no TrackAI database; it has been left as it was."""


class NewerSchemaError(StoreError):
    """A newer version of TrackAI wrote this database; it has been left as it was."""


class StoreBusyError(StoreError):
    """Another program has kept the database locked for too long."""


class StoreDamagedError(StoreError):
    """SQLite reports that the file is damaged."""
