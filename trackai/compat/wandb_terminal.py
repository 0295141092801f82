"""Messages that integrations of wandb print. They go to the logger "trackai"."""

from __future__ import annotations

from typing import Any

from trackai.sdk.notices import is_first
from trackai.values.logger import logger

__all__ = ["termerror", "termlog", "termwarn"]


def termlog(
    string: Any = "", newline: bool = True, repeat: bool = True, prefix: bool = True
) -> None:
    """Log a message; with `repeat=False`, only the first time."""
    if repeat or is_first(f"termlog: {string}"):
        logger.info("%s", string)


def termwarn(string: Any, newline: bool = True, repeat: bool = True, prefix: bool = True) -> None:
    """Log a warning; with `repeat=False`, only the first time."""
    if repeat or is_first(f"termwarn: {string}"):
        logger.warning("%s", string)


def termerror(string: Any, newline: bool = True, repeat: bool = True, prefix: bool = True) -> None:
    """Log an error; with `repeat=False`, only the first time."""
    if repeat or is_first(f"termerror: {string}"):
        logger.error("%s", string)
