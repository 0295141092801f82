"""Files of JSON lines that may be damaged, or that another process is still writing."""

from __future__ import annotations

import json
from typing import IO, TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trackai.importers.receipt import Receipt

# In bytes. A longer line is skipped, so that a file without line breaks does not fill the memory.
MAX_LINE = 32 << 20


class Line(NamedTuple):
    """A line of a file.

    Attributes:
        number: counted from 1.
        end: its end in the file, in bytes.
        value: the decoded JSON; floats may be NaN and infinite.
        error: why the line has no value.
    """

    number: int
    end: int
    value: Any = None
    error: str | None = None


def read_lines(
    file: IO[bytes], where: str, receipt: Receipt, containing: tuple[bytes, ...] = ()
) -> Iterator[Line]:
    """Yield the lines of a file that are not empty.

    Bytes after the last line break are a line if they are JSON, and a remark otherwise: the process
    that writes them has not finished, or was killed.

    Args:
        where: what the receipt calls the file.
        containing: lines with none of these are skipped; empty for all lines.

    Raises:
        OSError: the file cannot be read.
    """
    end = 0
    number = 0
    while text := file.readline(MAX_LINE):
        number += 1
        end += len(text)
        is_complete = text.endswith(b"\n")
        if not is_complete and len(text) == MAX_LINE:
            while (rest := file.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                end += len(rest)
            end += len(rest)
            yield Line(number, end, error=f"longer than {MAX_LINE >> 20} MiB")
        elif containing and not any(part in text for part in containing):
            continue
        elif text.strip():
            value, error = decode(text)
            if error is not None and not is_complete:
                receipt.add_remark(where, f"ends within line {number}")
            else:
                yield Line(number, end, value, error)


def decode(text: bytes | str) -> tuple[Any, str | None]:
    """Decode JSON that may hold NaN and infinities; return the value, and why there is none."""
    try:
        return json.loads(text if isinstance(text, str) else text.decode()), None
    except (ValueError, RecursionError):
        return None, "not JSON"
