"""Alerts: their levels, and how they are logged."""

from __future__ import annotations

import enum
import logging

from trackai.errors import InvalidInputError


class AlertLevel(enum.StrEnum):
    """The level of an alert: `INFO`, `WARN` or `ERROR`. A str such as "warn" means the same."""

    INFO = "info"
    WARN = "warn"
    ERROR = "error"


LOGGING_LEVELS = {
    AlertLevel.INFO: logging.INFO,
    AlertLevel.WARN: logging.WARNING,
    AlertLevel.ERROR: logging.ERROR,
}


def checked_level(level: AlertLevel | str, field: str = "level") -> AlertLevel:
    """Return the level that a str of any case names.

    Args:
        level: the level.
        field: the name of the argument, for errors.

    Raises:
        InvalidInputError: `level` is not one of these.
    """
    try:
        return AlertLevel(level.lower())
    except (ValueError, AttributeError):
        raise InvalidInputError(
            field, f'must be "info", "warn" or "error", got {level!r}'
        ) from None
