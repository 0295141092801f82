"""Output in the encoding of the terminal, whatever characters it contains.

Terminals and redirected files have other encodings than UTF-8 on Windows and in old locales.
"""

from __future__ import annotations

import codecs
import io
import sys

from trackai.values.text import json_escape

_HANDLER = "trackai"
# What stands for our own characters where the encoding does not have them; one character each, so
# that columns stay aligned.
_PLAIN = dict(zip("…─│┤└�▁▂▃▄▅▆▇█", "~-|++?_.:-=+*#", strict=True))


def prepare_stdout() -> None:
    """Make standard output accept every character."""
    codecs.register_error(_HANDLER, _replace)
    # Errors are on stderr, which Python prepares in this way itself.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors=_HANDLER)


def is_printable(text: str) -> bool:
    """Whether the encoding of standard output has all characters of a text."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _replace(error: UnicodeError) -> tuple[str, int]:
    """Replace characters that cannot be encoded; of users' texts, by escapes as in JSON."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_PLAIN.get(character) or json_escape(character) for character in text), error.end
