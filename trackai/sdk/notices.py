"""Warnings about values that are stored otherwise than they were passed."""

from __future__ import annotations

from trackai.values.logger import logger

_subjects: set[str] = set()


def warn_once(subject: str, message: str, *arguments: object) -> None:
    """Log a warning, unless one about the same subject was logged before.

    Args:
        subject: what is warned of, such as "Image: clipped". A training loop repeats it with other
            numbers.
        message: a message with placeholders of %-formatting.
        arguments: the values of the placeholders.
    """
    if subject not in _subjects:
        _subjects.add(subject)
        logger.warning(message, *arguments)
