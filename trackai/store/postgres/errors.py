"""Translate errors of PostgreSQL and of the way to it into those of `trackai.errors`."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import asyncpg

from trackai.errors import (
    DiskFullError,
    InvalidInputError,
    StoreBusyError,
    StoreError,
    StoreUnreachableError,
    TrackAIError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

# All that the driver raises, besides errors of the network.
FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
# A transaction that fails with one of these is repeated: another one was in its way.
REPEATED = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.UniqueViolationError,
    asyncpg.ForeignKeyViolationError,
    asyncpg.InvalidCachedStatementError,
)
# The role, the database or the schema that an address names does not exist or may not be used.
_UNUSABLE = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidSchemaNameError,
)
_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.TooManyConnectionsError,
    # Also if no server of an address has the attribute that it asks for, as during a failover.
    asyncpg.InternalClientError,
)


class NetworkError(asyncpg.InterfaceError):  # type: ignore[misc]
    """The way to the server failed: an error of the operating system, or a time-out."""


class UnconfirmedCommitError(asyncpg.InterfaceError):  # type: ignore[misc]
    """A transaction may not be where PostgreSQL was told to have it before it says so."""


class network_errors:  # noqa: N801 - a context manager, entered for each statement
    """Tell errors of the network from those of files, which a transaction may raise as well.

    Raises:
        NetworkError: instead of an OSError.
    """

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        if isinstance(exc_val, OSError):
            raise NetworkError(str(exc_val) or "it took too long") from exc_val


def is_lost(error: Exception) -> bool:
    """Whether the connection is lost, or cannot be made: the next one may succeed."""
    if isinstance(error, asyncpg.QueryCanceledError):  # a limit of the role, such as on its time
        return False
    # Its subclasses are about wrong arguments.
    return isinstance(error, _LOST) or type(error) in {
        asyncpg.InterfaceError,
        NetworkError,
        UnconfirmedCommitError,
    }


@contextmanager
def driver_errors(name: str) -> Iterator[None]:
    """Translate errors of the driver.

    Args:
        name: what messages call the database.

    Raises:
        StoreError: with the error of the driver as its cause.
        InvalidInputError: a text is too long for an index.
    """
    try:
        yield
    except FAILURES as error:
        raise _translated(error, name) from error


def _translated(error: Exception, name: str) -> TrackAIError:
    reason = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
        return StoreUnreachableError(
            f"{name} is read-only ({reason}), as a standby is: give the address of the "
            "primary, or unset default_transaction_read_only"
        )
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return StoreUnreachableError(
            f"{name} refuses this ({reason}): give its role the right to create and write tables"
        )
    if isinstance(error, _UNUSABLE):
        return StoreUnreachableError(f"{name} cannot be opened ({reason})")
    if isinstance(error, asyncpg.InvalidTextRepresentationError):  # of `json_valid`
        return StoreError(f"{name}: malformed JSON ({reason})")
    if isinstance(error, asyncpg.ProgramLimitExceededError):
        return InvalidInputError("text", f"too long for an index of {name} ({reason})")
    if isinstance(error, asyncpg.DiskFullError):
        return DiskFullError(f"{name} cannot be written ({reason}): free space on its disk")
    if isinstance(error, (*REPEATED, asyncpg.LockNotAvailableError)):
        return StoreBusyError(f"{name} is changed by others at the same time ({reason}): try again")
    if isinstance(error, asyncpg.TooManyConnectionsError):
        return StoreBusyError(
            f"{name} has no connection left ({reason}): try again, or raise its max_connections"
        )
    if isinstance(error, UnconfirmedCommitError):
        return StoreBusyError(f"{name} has not confirmed a transaction ({reason}): try again")
    if is_lost(error):
        return StoreBusyError(f"{name} does not answer ({reason}): try again")
    return StoreError(f"{name}: {reason}")
