"""Where bugs are caught: a bug in TrackAI must not stop a training script."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger("trackai")

# Tests set this, so that a bug fails them.
reraise = False


@contextmanager
def guarded(
    activity: str, *, but: type[Exception] | tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Log an exception in the block as a bug in TrackAI instead of raising it.

    Args:
        activity: what the block does, as the subject of the message: "storing points".
        but: the classes of expected exceptions, which are raised.
    """
    try:
        yield
    except Exception as error:
        if reraise or isinstance(error, but):
            raise
        logger.exception("%s failed; please report this. Training continues.", activity)
