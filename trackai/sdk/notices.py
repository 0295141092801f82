"""Warnings that are logged once in a process, however often a training loop repeats their cause."""

from __future__ import annotations

from trackai.values.logger import logger

_subjects: set[str] = set()


def warn_once(subject: str, message: str, *arguments: object) -> None:
    """Log a warning, unless one about the same subject was logged before.

    Args:
        subject: identifies the warning, such as "Image: clipped"; the message may differ.
        message: a message with placeholders of %-formatting.
        arguments: the values of the placeholders.
    """
    if is_first(subject):
        logger.warning(message, *arguments)


def is_first(subject: str) -> bool:
    """Whether this is the first call with this subject in the process."""
    if subject in _subjects:
        return False
    _subjects.add(subject)
    return True
