"""The one place that catches our own mistakes: training never dies of its tracker."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger("trackai")

# Tests set this: a mistake of ours that a training script must survive must fail a test.
reraise = False


@contextmanager
def guarded(what: str, *, but: type[Exception] | tuple[()] = ()) -> Iterator[None]:
    """Report an unforeseen exception in the block as a mistake of TrackAI's, and go on.

    Args:
        but: what is foreseen, and raised.
    """
    try:
        yield
    except Exception as error:
        if reraise or isinstance(error, but):
            raise
        logger.exception("%s failed; please report this. The training goes on.", what)
