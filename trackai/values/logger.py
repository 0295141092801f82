"""The logger `trackai`, whose messages contain no control characters."""

from __future__ import annotations

import logging

from trackai.values.text import escaped

logger = logging.getLogger("trackai")
_formatter = logging.Formatter()


def _escape(record: logging.LogRecord) -> bool:
    """Escape a message, which may contain stored names, before any handler sees it."""
    record.msg, record.args = escaped(record.getMessage()), None
    if record.exc_info:  # formatters show `exc_text` if it is set
        traceback = _formatter.formatException(record.exc_info)
        record.exc_text = "\n".join(map(escaped, traceback.split("\n")))
    return True


logger.addFilter(_escape)
